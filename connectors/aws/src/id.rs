//! Record ids, built from keys that AWS never re-uses. The only file that builds one.
//!
//! A user's or role's name can be given to somebody else after a deletion; its unique id cannot
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html>). Shipped ids
//! never change: `tests/golden/ids.txt` holds one of each. Prefixes such as `AIDA` are not
//! checked, because servers that stand in for AWS make their own.

use std::fmt;

use headcount_sdk::RecordId;
use jiff::Timestamp;

/// One account in its partition, printed as record ids begin: `aws:123456789012`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    partition: String,
    account: String,
}

impl Place {
    pub(crate) fn new(partition: &str, account: &str) -> Self {
        Self { partition: partition.to_owned(), account: account.to_owned() }
    }

    /// Takes a place back from a scope.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (partition, account) = text.split_once(':')?;
        (is_partition(partition) && is_account(account)).then(|| Self::new(partition, account))
    }

    /// The account that an ARN speaks of; `None` when it names none.
    pub(crate) fn of_arn(arn: &str) -> Option<Self> {
        let mut parts = arn.split(':');
        let (head, partition) = (parts.next()?, parts.next()?);
        let account = parts.nth(2)?;
        parts.next()?;
        (head == "arn" && is_partition(partition) && is_account(account))
            .then(|| Self::new(partition, account))
    }

    pub(crate) fn partition(&self) -> &str {
        &self.partition
    }

    pub(crate) fn account(&self) -> &str {
        &self.account
    }

    pub(crate) fn role_arn(&self, role: &str) -> String {
        format!("arn:{}:iam::{}:role/{role}", self.partition, self.account)
    }

    pub(crate) fn root_arn(&self) -> String {
        format!("arn:{}:iam::{}:root", self.partition, self.account)
    }

    fn id(&self, kind: &str, key: &str) -> RecordId {
        RecordId::new(&self.to_string(), kind, key)
    }

    pub(crate) fn user(&self, user_id: &str) -> RecordId {
        self.id("iam-user", user_id)
    }

    /// There is one per account, for as long as the account lives.
    pub(crate) fn root_user(&self) -> RecordId {
        self.id("root-user", &self.account)
    }

    pub(crate) fn role(&self, role_id: &str) -> RecordId {
        self.id("iam-role", role_id)
    }

    pub(crate) fn access_key(&self, key_id: &str) -> RecordId {
        self.id("access-key", key_id)
    }

    /// The list of OIDC providers gives nothing but ARNs, whose tail is the issuer. One issuer
    /// can be registered once, and what a provider vouches for is exactly that issuer.
    pub(crate) fn oidc_provider(&self, arn: &str) -> RecordId {
        self.id("oidc-provider", arn_tail(arn))
    }

    /// Name and creation, because a SAML provider made anew under an old name may speak for
    /// another directory. Its UUID would do, but only the optional details carry it, and an id
    /// must not depend on whether they could be read.
    pub(crate) fn saml_provider(&self, arn: &str, created_at: Timestamp) -> RecordId {
        self.id("saml-provider", &format!("{}@{}", arn_tail(arn), created_at.as_second()))
    }

    pub(crate) fn signing_certificate(&self, certificate_id: &str) -> RecordId {
        self.id("signing-certificate", certificate_id)
    }

    pub(crate) fn ssh_public_key(&self, key_id: &str) -> RecordId {
        self.id("ssh-public-key", key_id)
    }

    pub(crate) fn service_specific_credential(&self, credential_id: &str) -> RecordId {
        self.id("service-specific-credential", credential_id)
    }

    pub(crate) fn server_certificate(&self, certificate_id: &str) -> RecordId {
        self.id("server-certificate", certificate_id)
    }

    /// `holder` is the unique id of the user or role that holds the policy.
    pub(crate) fn grant(&self, holder: &str, through: &Through<'_>) -> RecordId {
        self.id("grant", &format!("{holder}/{through}"))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.partition, self.account)
    }
}

/// How a policy reaches its holder. Policy names are scoped by the holder or group, whose
/// unique ids stand before them.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Through<'a> {
    Attached { policy_arn: &'a str },
    Inline { policy: &'a str },
    GroupAttached { group_id: &'a str, policy_arn: &'a str },
    GroupInline { group_id: &'a str, policy: &'a str },
}

impl fmt::Display for Through<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attached { policy_arn } => write!(f, "attached/{policy_arn}"),
            Self::Inline { policy } => write!(f, "inline/{policy}"),
            Self::GroupAttached { group_id, policy_arn } => {
                write!(f, "group/{group_id}/attached/{policy_arn}")
            }
            Self::GroupInline { group_id, policy } => {
                write!(f, "group/{group_id}/inline/{policy}")
            }
        }
    }
}

/// Twelve digits.
pub(crate) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

fn is_partition(text: &str) -> bool {
    text.starts_with("aws") && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
}

/// What stands behind the resource type: `arn:aws:iam::1:saml-provider/okta` → `okta`.
pub(crate) fn arn_tail(arn: &str) -> &str {
    arn.split_once('/').map_or(arn, |(_, tail)| tail)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    #[test]
    fn shipped_ids_never_change() {
        let place = Place::parse("aws:123456789012").unwrap();
        let policy_arn = "arn:aws:iam::aws:policy/ReadOnlyAccess";
        let created = Timestamp::from_second(1_700_000_000).unwrap();
        let ids = [
            place.user("AIDAEXAMPLE"),
            place.root_user(),
            place.role("AROAEXAMPLE"),
            place.access_key("AKIAEXAMPLE"),
            place.oidc_provider(
                "arn:aws:iam::123456789012:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/AB12",
            ),
            place.saml_provider("arn:aws:iam::123456789012:saml-provider/okta", created),
            place.signing_certificate("TA7SMP42TDN5Z26OBPJE7EXAMPLE"),
            place.ssh_public_key("APKAEXAMPLE"),
            place.service_specific_credential("ACCAEXAMPLE"),
            place.server_certificate("ASCAEXAMPLE"),
            place.grant("AIDAEXAMPLE", &Through::Attached { policy_arn }),
            place.grant("AIDAEXAMPLE", &Through::Inline { policy: "deploy" }),
            place.grant(
                "AIDAEXAMPLE",
                &Through::GroupAttached { group_id: "AGPAEXAMPLE", policy_arn },
            ),
            place.grant(
                "AIDAEXAMPLE",
                &Through::GroupInline { group_id: "AGPAEXAMPLE", policy: "deploy" },
            ),
            Place::parse("aws-us-gov:123456789012").unwrap().role("AROAEXAMPLE"),
        ];
        let printed: String = ids.iter().map(|id| format!("{id}\n")).collect();
        assert_eq!(printed, include_str!("../tests/golden/ids.txt"));
    }

    #[test]
    fn places_come_from_scopes_and_arns_and_from_nothing_else() {
        let place = Place::new("aws-cn", "123456789012");
        assert_eq!(Place::parse("aws-cn:123456789012"), Some(place.clone()));
        assert_eq!(Place::of_arn("arn:aws-cn:iam::123456789012:role/x"), Some(place));
        for not_a_place in ["", "aws", "aws:1234", "github:123456789012", "aws:12345678901x"] {
            assert_eq!(Place::parse(not_a_place), None, "{not_a_place}");
        }
        for not_an_account in ["arn:aws:iam::aws:policy/X", "arn:aws:iam::123456789012", "x"] {
            assert_eq!(Place::of_arn(not_an_account), None, "{not_an_account}");
        }
    }
}
