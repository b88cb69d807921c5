//! Tokens of people: fine-grained ones, and what single sign-on lets through.

use std::collections::BTreeMap;

use serde_json::json;

use super::super::model::*;
use crate::change::{Changed, no_such};

impl Hub {
    /// `owner` gets a fine-grained token that never expires into the organisation; returns the
    /// grant's id.
    pub fn grant_token(&mut self, org: &str, owner: &str, name: &str) -> Changed<u64> {
        let grant = self.token_of(owner, name);
        let id = grant.id;
        let org = self.organization_mut(org)?;
        org.token_grants.insert(id, grant);
        let org = org.id;
        let more = [("user", json!(owner)), ("user_programmatic_access_name", json!(name))];
        self.note(org, "personal_access_token.access_granted", &more);
        Ok(id)
    }

    /// `owner` asks for the same; returns the request's id.
    pub fn request_token(&mut self, org: &str, owner: &str, name: &str) -> Changed<u64> {
        let mut request = self.token_of(owner, name);
        request.reason = Some("nightly export".to_owned());
        let id = request.id;
        let org = self.organization_mut(org)?;
        org.token_requests.insert(id, request);
        let org = org.id;
        self.note(org, "personal_access_token.request_created", &[("user", json!(owner))]);
        Ok(id)
    }

    fn token_of(&mut self, owner: &str, name: &str) -> TokenGrant {
        let (id, token_id) = (self.id(), self.id());
        TokenGrant {
            id,
            token_id,
            name: name.to_owned(),
            owner: self.user(owner),
            repositories: None,
            permissions: BTreeMap::from([
                ("contents".to_owned(), "read".to_owned()),
                ("metadata".to_owned(), "read".to_owned()),
            ]),
            organization_permissions: BTreeMap::new(),
            created_at: self.clock.now(),
            expires_at: None,
            last_used: None,
            reason: None,
        }
    }

    /// Approves a request: it is a grant of another id, for the same token; returns the grant's id.
    pub fn approve_token(&mut self, org: &str, request: u64) -> Changed<u64> {
        let (id, now) = (self.id(), self.clock.now());
        let org = self.organization_mut(org)?;
        let found = org.token_requests.remove(&request);
        let found = found.ok_or_else(|| no_such("token request", &request.to_string()))?;
        org.token_grants.insert(id, TokenGrant { id, created_at: now, reason: None, ..found });
        let org = org.id;
        self.note(org, "personal_access_token.access_granted", &[]);
        Ok(id)
    }

    /// A token grant, to change.
    pub fn token_grant_mut(&mut self, org: &str, id: u64) -> Changed<&mut TokenGrant> {
        let grants = &mut self.organization_mut(org)?.token_grants;
        grants.get_mut(&id).ok_or_else(|| no_such("token grant", &id.to_string()))
    }

    /// The token makes a request, now.
    pub fn use_token(&mut self, org: &str, id: u64) -> Changed<()> {
        let now = self.clock.now();
        self.token_grant_mut(org, id)?.last_used = Some(now);
        Ok(())
    }

    /// Takes a token's access away.
    pub fn revoke_token(&mut self, org: &str, id: u64) -> Changed<()> {
        let org = self.organization_mut(org)?;
        let gone = org.token_grants.remove(&id);
        gone.ok_or_else(|| no_such("token grant", &id.to_string()))?;
        let org = org.id;
        self.note(org, "personal_access_token.access_revoked", &[]);
        Ok(())
    }

    /// Its owner makes the token anew under the same name; returns the new grant's id.
    pub fn rotate_token(&mut self, org: &str, id: u64) -> Changed<u64> {
        let grant = self.token_grant_mut(org, id)?;
        let (owner, name) = (grant.owner, grant.name.clone());
        let owner = self.users.get(&owner).map_or(String::new(), |user| user.login.clone());
        self.revoke_token(org, id)?;
        self.grant_token(org, &owner, &name)
    }

    /// A member lets a credential through single sign-on: `personal access token`, `SSH key`,
    /// `OAuth app token` or `GitHub app token`; returns its `authorized_credential_id`.
    pub fn authorize(
        &mut self,
        org: &str,
        login: &str,
        kind: &'static str,
        note: &str,
    ) -> Changed<u64> {
        let (id, credential_id) = (self.id(), self.id());
        let held = Authorization {
            credential_id,
            authorized_credential_id: id,
            kind,
            login: login.to_owned(),
            authorized_at: self.clock.now(),
            accessed_at: None,
            scopes: vec!["repo".to_owned()],
            note: Some(note.to_owned()),
            expires_at: None,
        };
        let org = self.organization_mut(org)?;
        org.authorizations.insert(id, held);
        let org = org.id;
        self.note(org, "org_credential_authorization.grant", &[("user", json!(login))]);
        Ok(id)
    }

    /// An authorised credential, to change.
    pub fn authorization_mut(&mut self, org: &str, id: u64) -> Changed<&mut Authorization> {
        let all = &mut self.organization_mut(org)?.authorizations;
        all.get_mut(&id).ok_or_else(|| no_such("authorisation", &id.to_string()))
    }

    /// Authorises the same credential again: `credential_id` changes, it itself does not.
    pub fn reauthorize(&mut self, org: &str, id: u64) -> Changed<()> {
        let (credential_id, now) = (self.id(), self.clock.now());
        let held = self.authorization_mut(org, id)?;
        (held.credential_id, held.authorized_at) = (credential_id, now);
        Ok(())
    }

    /// Takes an authorisation back.
    pub fn deauthorize(&mut self, org: &str, id: u64) -> Changed<()> {
        let org = self.organization_mut(org)?;
        let gone = org.authorizations.remove(&id);
        let gone = gone.ok_or_else(|| no_such("authorisation", &id.to_string()))?;
        let org = org.id;
        self.note(org, "org_credential_authorization.deauthorize", &[("user", json!(gone.login))]);
        Ok(())
    }
}
