//! Changes of what stands beside principals: managed policies, providers, server certificates.

use jiff::{SignedDuration, Timestamp};

use super::principals::insert_new;
use super::{Changed, no_such, path_and_name};
use crate::organization::{
    ManagedPolicy, OidcProvider, Organization, PolicyVersion, SamlProvider, ServerCertificate, Tags,
};

impl Organization {
    /// A customer managed policy; returns its ARN.
    pub fn create_policy(&mut self, account: &str, name: &str, document: &str) -> Changed<String> {
        let (id, now) = (self.ids.unique("ANPA"), self.now());
        let (path, name) = path_and_name(name);
        let first =
            PolicyVersion { id: "v1".to_owned(), document: document.to_owned(), created_at: now };
        let policy = ManagedPolicy {
            id,
            name: name.clone(),
            path: path.clone(),
            created_at: now,
            updated_at: now,
            description: None,
            versions: vec![first],
        };
        let owner = self.account_mut(account)?;
        let arn = owner.arn(&format!("policy{path}{name}"));
        insert_new(&mut owner.policies, name, policy)?;
        Ok(arn)
    }

    /// Adds a version to a customer managed policy and makes it the default; AWS keeps five.
    pub fn create_policy_version(
        &mut self,
        account: &str,
        name: &str,
        document: &str,
    ) -> Changed<String> {
        let now = self.now();
        let policies = &mut self.account_mut(account)?.policies;
        let policy = policies.get_mut(name).ok_or_else(|| no_such("policy", name))?;
        let last = policy.versions.last().and_then(|version| version.id[1..].parse::<u32>().ok());
        let id = format!("v{}", last.unwrap_or(0) + 1);
        let document = document.to_owned();
        policy.versions.push(PolicyVersion { id: id.clone(), document, created_at: now });
        if policy.versions.len() > 5 {
            policy.versions.remove(0);
        }
        policy.updated_at = now;
        Ok(id)
    }

    /// Deletes a customer managed policy. What it was attached to keeps no trace of it.
    pub fn delete_policy(&mut self, account: &str, name: &str) -> Changed<()> {
        let owner = self.account_mut(account)?;
        let policy = owner.policies.remove(name).ok_or_else(|| no_such("policy", name))?;
        let arn = owner.arn(&format!("policy{}{name}", policy.path));
        let users = owner.users.values_mut().map(|user| &mut user.attached);
        let roles = owner.roles.values_mut().map(|role| &mut role.attached);
        let groups = owner.groups.values_mut().map(|group| &mut group.attached);
        for attached in users.chain(roles).chain(groups) {
            attached.remove(&arn);
        }
        owner.attachments.remove(&arn);
        Ok(())
    }

    /// Registers an OIDC issuer (without scheme); returns its ARN.
    pub fn create_oidc_provider(
        &mut self,
        account: &str,
        issuer: &str,
        client_ids: &[&str],
    ) -> Changed<String> {
        let provider = OidcProvider {
            issuer: issuer.to_owned(),
            client_ids: client_ids.iter().map(|&id| id.to_owned()).collect(),
            thumbprints: vec![self.ids.hex(40)],
            created_at: self.now(),
            tags: Tags::new(),
        };
        let owner = self.account_mut(account)?;
        insert_new(&mut owner.oidc, issuer.to_owned(), provider)?;
        Ok(owner.arn(&format!("oidc-provider/{issuer}")))
    }

    /// Deletes an OIDC provider by issuer.
    pub fn delete_oidc_provider(&mut self, account: &str, issuer: &str) -> Changed<()> {
        let removed = self.account_mut(account)?.oidc.remove(issuer);
        removed.map(drop).ok_or_else(|| no_such("OIDC provider", issuer))
    }

    /// Registers a SAML provider, valid for a year; returns its ARN.
    pub fn create_saml_provider(&mut self, account: &str, name: &str) -> Changed<String> {
        let created_at = self.now();
        let provider = SamlProvider {
            name: name.to_owned(),
            uuid: self.ids.uuid(),
            created_at,
            valid_until: created_at + SignedDuration::from_hours(24 * 365),
            tags: Tags::new(),
        };
        let owner = self.account_mut(account)?;
        insert_new(&mut owner.saml, name.to_owned(), provider)?;
        Ok(owner.arn(&format!("saml-provider/{name}")))
    }

    /// Deletes a SAML provider.
    pub fn delete_saml_provider(&mut self, account: &str, name: &str) -> Changed<()> {
        let removed = self.account_mut(account)?.saml.remove(name);
        removed.map(drop).ok_or_else(|| no_such("SAML provider", name))
    }

    /// Uploads a server certificate; returns its id (`ASCA…`).
    pub fn upload_server_certificate(
        &mut self,
        account: &str,
        name: &str,
        expires_at: Timestamp,
    ) -> Changed<String> {
        let (id, uploaded_at) = (self.ids.unique("ASCA"), self.now());
        let certificate =
            ServerCertificate { id: id.clone(), name: name.to_owned(), uploaded_at, expires_at };
        let owner = self.account_mut(account)?;
        insert_new(&mut owner.server_certificates, name.to_owned(), certificate)?;
        Ok(id)
    }

    /// Deletes a server certificate.
    pub fn delete_server_certificate(&mut self, account: &str, name: &str) -> Changed<()> {
        let removed = self.account_mut(account)?.server_certificates.remove(name);
        removed.map(drop).ok_or_else(|| no_such("server certificate", name))
    }
}
