//! Changes of credentials: access keys, SSH keys, signing certificates, service credentials.

use jiff::Timestamp;

use super::{ChangeError, Changed, no_such};
use crate::organization::{
    AccessKey, Account, KeyUse, Organization, ServiceCredential, SigningCertificate, SshKey,
};

/// AWS records the first use in each span of this many seconds.
const USE_BUCKET_SECONDS: i64 = 15 * 60;

/// Access keys. Their ids are unique in the organisation, so no account need be named.
impl Organization {
    /// A new active key of a user; returns its id (`AKIA…`). A user can have two.
    pub fn create_access_key(&mut self, account: &str, user: &str) -> Changed<String> {
        let (id, now) = (self.ids.unique("AKIA"), self.now());
        let keys = &mut self.user_mut(account, user)?.access_keys;
        if keys.len() >= 2 {
            return Err(ChangeError::Quota("access keys"));
        }
        keys.push(id.clone());
        self.add_key(account, &id, Some(user), now)?;
        Ok(id)
    }

    /// A new active key of the root user; returns its id.
    pub fn create_root_access_key(&mut self, account: &str) -> Changed<String> {
        let (id, now) = (self.ids.unique("AKIA"), self.now());
        let keys = &mut self.account_mut(account)?.root.access_keys;
        if keys.len() >= 2 {
            return Err(ChangeError::Quota("access keys"));
        }
        keys.push(id.clone());
        self.add_key(account, &id, None, now)?;
        Ok(id)
    }

    /// The key signs a request to `service` in `region`. Only the first use in each quarter of
    /// an hour is recorded.
    pub fn use_access_key(&mut self, key: &str, service: &str, region: &str) -> Changed<()> {
        let at = self.now();
        let bucket = |at: Timestamp| at.as_second().div_euclid(USE_BUCKET_SECONDS);
        let key = self.key_mut(key)?;
        if key.last_used.as_ref().is_none_or(|used| bucket(used.at) != bucket(at)) {
            key.last_used =
                Some(KeyUse { at, region: region.to_owned(), service: service.to_owned() });
        }
        Ok(())
    }

    /// Replaces a key by a new one in the same place; returns the new id.
    pub fn rotate_access_key(&mut self, key: &str) -> Changed<String> {
        let account = self.key_account(key)?;
        let user = self.key_mut(key)?.user.clone();
        self.delete_access_key(key)?;
        match user {
            Some(user) => self.create_access_key(&account, &user),
            None => self.create_root_access_key(&account),
        }
    }

    /// Switches a key off; it stays in every list.
    pub fn deactivate_access_key(&mut self, key: &str) -> Changed<()> {
        self.key_mut(key)?.active = false;
        Ok(())
    }

    /// Switches a key on again.
    pub fn activate_access_key(&mut self, key: &str) -> Changed<()> {
        self.key_mut(key)?.active = true;
        Ok(())
    }

    /// Deletes a key.
    pub fn delete_access_key(&mut self, key: &str) -> Changed<()> {
        let account = self.key_account(key)?;
        let owner = self.account_mut(&account)?;
        let removed = owner.access_keys.remove(key).ok_or_else(|| no_such("access key", key))?;
        let ids = match &removed.user {
            Some(user) => owner.users.get_mut(user).map(|user| &mut user.access_keys),
            None => Some(&mut owner.root.access_keys),
        };
        if let Some(ids) = ids {
            ids.retain(|id| id != key);
        }
        self.key_home.remove(key);
        Ok(())
    }

    fn add_key(
        &mut self,
        account: &str,
        id: &str,
        user: Option<&str>,
        created_at: Timestamp,
    ) -> Changed<()> {
        let user = user.map(str::to_owned);
        let key = AccessKey { id: id.to_owned(), user, active: true, created_at, last_used: None };
        self.account_mut(account)?.access_keys.insert(id.to_owned(), key);
        self.key_home.insert(id.to_owned(), account.to_owned());
        Ok(())
    }

    fn key_account(&self, key: &str) -> Changed<String> {
        self.key_home.get(key).cloned().ok_or_else(|| no_such("access key", key))
    }

    fn key_mut(&mut self, key: &str) -> Changed<&mut AccessKey> {
        let account = self.key_account(key)?;
        let owner = self.account_mut(&account)?;
        owner.access_keys.get_mut(key).ok_or_else(|| no_such("access key", key))
    }
}

/// Other credentials of users.
impl Organization {
    /// Uploads an SSH public key; returns its id (`APKA…`). A user can have five.
    pub fn upload_ssh_key(&mut self, account: &str, user: &str) -> Changed<String> {
        let (id, uploaded_at) = (self.ids.unique("APKA"), self.now());
        let keys = &mut self.user_mut(account, user)?.ssh_keys;
        if keys.len() >= 5 {
            return Err(ChangeError::Quota("SSH public keys"));
        }
        keys.push(SshKey { id: id.clone(), active: true, uploaded_at });
        Ok(id)
    }

    /// Deletes an SSH public key.
    pub fn delete_ssh_key(&mut self, account: &str, user: &str, id: &str) -> Changed<()> {
        let keys = &mut self.user_mut(account, user)?.ssh_keys;
        let at = keys.iter().position(|key| key.id == id).ok_or_else(|| no_such("SSH key", id))?;
        keys.remove(at);
        Ok(())
    }

    /// Uploads a signing certificate; returns its id. A user can have two.
    pub fn upload_signing_certificate(&mut self, account: &str, user: &str) -> Changed<String> {
        let (id, uploaded_at) = (self.ids.certificate(), self.now());
        let certificates = &mut self.user_mut(account, user)?.signing_certificates;
        if certificates.len() >= 2 {
            return Err(ChangeError::Quota("signing certificates"));
        }
        certificates.push(SigningCertificate { id: id.clone(), active: true, uploaded_at });
        Ok(id)
    }

    /// Deletes a signing certificate.
    pub fn delete_signing_certificate(
        &mut self,
        account: &str,
        user: &str,
        id: &str,
    ) -> Changed<()> {
        let certificates = &mut self.user_mut(account, user)?.signing_certificates;
        let found = certificates.iter().position(|certificate| certificate.id == id);
        certificates.remove(found.ok_or_else(|| no_such("signing certificate", id))?);
        Ok(())
    }

    /// A credential for one service (`bedrock.amazonaws.com`, `codecommit.amazonaws.com`,
    /// `cassandra.amazonaws.com`), with an end or without; returns its id (`ACCA…`).
    pub fn create_service_credential(
        &mut self,
        account: &str,
        user: &str,
        service: &str,
        expires_at: Option<Timestamp>,
    ) -> Changed<String> {
        let (id, created_at) = (self.ids.unique("ACCA"), self.now());
        self.user_mut(account, user)?.service_credentials.push(id.clone());
        let credential = ServiceCredential {
            id: id.clone(),
            user: user.to_owned(),
            service: service.to_owned(),
            active: true,
            created_at,
            expires_at,
        };
        self.account_mut(account)?.service_credentials.insert(id.clone(), credential);
        Ok(id)
    }

    /// Switches a service-specific credential off.
    pub fn deactivate_service_credential(&mut self, account: &str, id: &str) -> Changed<()> {
        service_credential(self.account_mut(account)?, id)?.active = false;
        Ok(())
    }

    /// Deletes a service-specific credential.
    pub fn delete_service_credential(&mut self, account: &str, id: &str) -> Changed<()> {
        let owner = self.account_mut(account)?;
        let user = service_credential(owner, id)?.user.clone();
        owner.service_credentials.remove(id);
        if let Some(user) = owner.users.get_mut(&user) {
            user.service_credentials.retain(|own| own != id);
        }
        Ok(())
    }
}

fn service_credential<'a>(owner: &'a mut Account, id: &str) -> Changed<&'a mut ServiceCredential> {
    let credential = owner.service_credentials.get_mut(id);
    credential.ok_or_else(|| no_such("service-specific credential", id))
}
