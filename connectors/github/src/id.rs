//! Record ids, built from numeric ids that GitHub never gives twice. The only file that builds one.
//!
//! Logins, repository names and slugs can be changed and taken over by somebody else; their numeric
//! ids cannot. Secrets and registries have no id but a name within their holder: the holder's id
//! stands before it, with the moment of creation, so that a name that is used again is a new
//! record. Shipped ids never change: `tests/golden/ids.txt` holds one of each.

use std::fmt;

use headcount_sdk::RecordId;
use jiff::Timestamp;

use crate::config::Edition;

/// One organisation, printed as record ids begin: `github:1234`, `github:git.acme.example:7`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place(String);

impl Place {
    pub(crate) fn new(edition: &Edition, organization: u64) -> Self {
        Self(match edition {
            Edition::Public => format!("github:{organization}"),
            Edition::Tenant { host } | Edition::Server { host } => {
                format!("github:{host}:{organization}")
            }
        })
    }

    fn id(&self, kind: &str, key: impl fmt::Display) -> RecordId {
        RecordId::new(&self.0, kind, &key.to_string())
    }

    /// Whatever has a numeric id of its own within its kind.
    pub(crate) fn numbered(&self, kind: &str, id: u64) -> RecordId {
        self.id(kind, id)
    }

    pub(crate) fn repository(&self, id: u64) -> RecordId {
        self.id("repository", id)
    }

    pub(crate) fn environment(&self, id: u64) -> RecordId {
        self.id("environment", id)
    }

    /// `holder` is `organization`, `repository/ID` or `environment/ID`.
    pub(crate) fn secret(
        &self,
        kind: &str,
        holder: &str,
        name: &str,
        created: Timestamp,
    ) -> RecordId {
        self.id(kind, format_args!("{holder}/{name}@{}", created.as_second()))
    }

    pub(crate) fn registry(&self, name: &str, created: Timestamp) -> RecordId {
        self.id("private-registry", format_args!("{name}@{}", created.as_second()))
    }

    /// There is one per organisation.
    pub(crate) fn oidc_template(&self) -> RecordId {
        self.id("oidc-subject-template", "organization")
    }

    /// A credential authorised for single sign-on whose own id GitHub does not tell; this one
    /// changes when it is authorised again.
    pub(crate) fn authorization(&self, kind: &str, credential_id: u64) -> RecordId {
        self.id(kind, format_args!("authorization-{credential_id}"))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    #[test]
    fn shipped_ids_never_change() {
        let place = Place::new(&Edition::Public, 9919);
        let server = Place::new(&Edition::Server { host: "git.acme.example".to_owned() }, 7);
        let created = Timestamp::from_second(1_700_000_000).unwrap();
        let numbered = [
            "app-installation",
            "machine-user",
            "member",
            "outside-collaborator",
            "fine-grained-token",
            "fine-grained-token-request",
            "classic-token",
            "ssh-key",
            "oauth-token",
            "app-user-token",
            "deploy-key",
            "webhook",
            "self-hosted-runner",
            "runner-group",
        ];
        let mut ids: Vec<RecordId> = numbered.iter().map(|kind| place.numbered(kind, 42)).collect();
        ids.extend([
            place.repository(1001),
            place.environment(55),
            place.secret("actions-secret", "organization", "NPM_TOKEN", created),
            place.secret("dependabot-secret", "repository/1001", "NPM_TOKEN", created),
            place.secret("actions-secret", "environment/55", "NPM_TOKEN", created),
            place.registry("MAVEN_REPOSITORY_SECRET", created),
            place.oidc_template(),
            place.authorization("classic-token", 77),
            server.repository(1001),
        ]);
        let printed: String = ids.iter().map(|id| format!("{id}\n")).collect();
        assert_eq!(printed, include_str!("../tests/golden/ids.txt"));
    }
}
