//! What the connector reads, calls and needs: the one list from which policies and pages come.

use headcount_sdk::manifest::{Caller, Kind, Manifest, Need, Operation, ScopeKind};
use headcount_sdk::model::Class;
use serde_json::{Value, json};

/// Everything that can be said of the AWS connector without calling AWS.
pub static MANIFEST: Manifest = Manifest {
    connector: "aws",
    title: "AWS IAM",
    about: "Users, roles, their credentials, policies and trusts in one AWS account, several, or \
            an organisation.",
    kinds: KINDS,
    scopes: SCOPES,
    operations: OPERATIONS,
    call_budget: "Per account and scan, nothing changed since the last: at most \
                  16 + ⌈(U+R+P)/1000⌉ + ⌈R/1000⌉ + ⌈U/168⌉ calls, for U users, R roles and P \
                  customer managed policies. First scan: one more for each user holding keys. Each \
                  change: one or two. Waiting for a slow credential report: one per poll. Each batch \
                  of events, per account and scope that it names: 2 + ⌈(U+R+P)/1000⌉, for roles \
                  ⌈R/1000⌉ more, for users 2 more, for other credentials one for each user named \
                  and one for each of that user's keys.",
    cannot_see: &[
        "Who created a record, unless events are configured: only CloudTrail knows.",
        "The use of service-specific credentials (Bedrock API keys among them), SSH public keys, \
         signing certificates, server certificates and identity providers: AWS records none.",
        "The use of a role more than 400 days ago.",
        "The ids of the root user's access keys; they are told apart by their creation.",
        "The documents of AWS-managed policies: they are judged by name, or unknown.",
        "What permissions boundaries, organisation policies and Deny statements take away.",
        "Temporary sessions, and identities outside IAM (Roles Anywhere, Identity Center, EKS).",
        "SSH public keys between two visits of the rolling sweep, which takes a week of hourly \
         scans in a large account.",
    ],
};

const KINDS: &[Kind] = &[
    Kind {
        name: "iam-user",
        class: Class::Identity,
        about: "An IAM user; a person is a principal and not counted.",
    },
    Kind {
        name: "root-user",
        class: Class::Identity,
        about: "The all-powerful login of an account.",
    },
    Kind {
        name: "iam-role",
        class: Class::Identity,
        about: "An IAM role, with who may assume it.",
    },
    Kind { name: "grant", class: Class::Grant, about: "A policy that reaches a user or role." },
    Kind { name: "access-key", class: Class::Credential, about: "A long-lived access key." },
    Kind {
        name: "signing-certificate",
        class: Class::Credential,
        about: "An X.509 signing certificate of a user.",
    },
    Kind {
        name: "service-specific-credential",
        class: Class::Credential,
        about: "A user's credential for one service: Bedrock, CodeCommit, Keyspaces, CloudWatch Logs.",
    },
    Kind {
        name: "ssh-public-key",
        class: Class::Credential,
        about: "A user's SSH public key for CodeCommit.",
    },
    Kind {
        name: "oidc-provider",
        class: Class::Credential,
        about: "An OIDC issuer whose tokens roles may trust.",
    },
    Kind {
        name: "saml-provider",
        class: Class::Credential,
        about: "A SAML directory whose assertions roles may trust.",
    },
    Kind {
        name: "server-certificate",
        class: Class::Credential,
        about: "A TLS certificate kept in IAM.",
    },
];

const SCOPES: &[ScopeKind] = &[
    ScopeKind {
        name: "users",
        about: "IAM users and the root user",
        kinds: &["iam-user", "root-user"],
    },
    ScopeKind { name: "roles", about: "IAM roles", kinds: &["iam-role"] },
    ScopeKind { name: "grants", about: "Policies of users and roles", kinds: &["grant"] },
    ScopeKind {
        name: "access-keys",
        about: "Access keys of users and root",
        kinds: &["access-key"],
    },
    ScopeKind {
        name: "signing-certificates",
        about: "Signing certificates of users",
        kinds: &["signing-certificate"],
    },
    ScopeKind {
        name: "service-specific-credentials",
        about: "Credentials for single services",
        kinds: &["service-specific-credential"],
    },
    ScopeKind {
        name: "ssh-public-keys",
        about: "SSH public keys, by a rolling sweep",
        kinds: &["ssh-public-key"],
    },
    ScopeKind { name: "oidc-providers", about: "OIDC providers", kinds: &["oidc-provider"] },
    ScopeKind { name: "saml-providers", about: "SAML providers", kinds: &["saml-provider"] },
    ScopeKind {
        name: "server-certificates",
        about: "Server certificates",
        kinds: &["server-certificate"],
    },
];

const fn reader(name: &'static str, need: Need, why: &'static str) -> Operation {
    Operation { name, permission: name, need, caller: Caller::Reader, why }
}

/// Only where `events` is configured. Nothing is incomplete without it, only later.
const fn consumer(name: &'static str, permission: &'static str, why: &'static str) -> Operation {
    Operation { name, permission, need: Need::Enrichment("events"), caller: Caller::Agent, why }
}

const OPERATIONS: &[Operation] = &[
    Operation {
        name: "sts:GetCallerIdentity",
        permission: "sts:GetCallerIdentity",
        need: Need::Access,
        caller: Caller::Free,
        why: "to learn which account and partition the agent's credentials belong to",
    },
    Operation {
        name: "organizations:ListAccounts",
        permission: "organizations:ListAccounts",
        need: Need::Access,
        caller: Caller::Agent,
        why: "to list the accounts of an organisation, and to tell members from strangers",
    },
    Operation {
        name: "sts:AssumeRole",
        permission: "sts:AssumeRole",
        need: Need::Access,
        caller: Caller::Agent,
        why: "to read another account",
    },
    reader(
        "iam:GetAccountAuthorizationDetails",
        Need::Scopes(&[
            "users",
            "roles",
            "grants",
            "access-keys",
            "signing-certificates",
            "service-specific-credentials",
            "ssh-public-keys",
        ]),
        "users, roles, groups and policies in bulk, with tags and the last use of roles",
    ),
    reader(
        "iam:GetAccountSummary",
        Need::Enrichment("count"),
        "an independent count of what the lists should hold",
    ),
    reader(
        "iam:GenerateCredentialReport",
        Need::Scopes(&["access-keys", "signing-certificates"]),
        "to have the credential report built when it is older than four hours",
    ),
    reader(
        "iam:GetCredentialReport",
        Need::Scopes(&["access-keys", "signing-certificates"]),
        "the state and last use of all passwords and keys in bulk",
    ),
    reader(
        "iam:ListRoles",
        Need::Enrichment("attributes.description"),
        "descriptions of roles, which often name an owner and a purpose",
    ),
    reader(
        "iam:ListAccessKeys",
        Need::Scopes(&["access-keys"]),
        "ids of access keys, for users whose row in the report changed",
    ),
    reader(
        "iam:GetAccessKeyLastUsed",
        Need::Enrichment("usage"),
        "the last use of a key that the report cannot be matched with",
    ),
    reader(
        "iam:ListSigningCertificates",
        Need::Scopes(&["signing-certificates"]),
        "ids of signing certificates, for users whose row in the report changed",
    ),
    reader(
        "iam:ListServiceSpecificCredentials",
        Need::Scopes(&["service-specific-credentials"]),
        "credentials for single services, and whether an unused user has one",
    ),
    reader("iam:ListSSHPublicKeys", Need::Scopes(&["ssh-public-keys"]), "SSH public keys"),
    reader("iam:ListOpenIDConnectProviders", Need::Scopes(&["oidc-providers"]), "OIDC providers"),
    reader(
        "iam:GetOpenIDConnectProvider",
        Need::Enrichment("labels"),
        "audiences, creation and tags of OIDC providers",
    ),
    reader("iam:ListSAMLProviders", Need::Scopes(&["saml-providers"]), "SAML providers"),
    reader(
        "iam:GetSAMLProvider",
        Need::Enrichment("labels"),
        "tags of SAML providers, and whether they hold private keys",
    ),
    reader(
        "iam:ListServerCertificates",
        Need::Scopes(&["server-certificates"]),
        "server certificates",
    ),
    consumer("sqs:ReceiveMessage", "sqs:ReceiveMessage", "to read the queue of events"),
    consumer(
        "sqs:DeleteMessageBatch",
        "sqs:DeleteMessage",
        "to delete an event when what it names is read and committed",
    ),
    consumer(
        "s3:GetObject",
        "s3:GetObject",
        "to read the files of a trail whose bucket sends notifications",
    ),
];

/// The policy of the identity that reads an account: the reader role of a member, or the agent
/// itself where it reads its own account.
#[must_use]
pub fn iam_policy() -> Value {
    let actions = permissions(Caller::Reader);
    json!({ "Version": "2012-10-17", "Statement": [
        { "Sid": "HeadcountReader", "Effect": "Allow", "Action": actions, "Resource": "*" },
    ] })
}

/// What the agent's own identity needs to read other accounts: for the accounts of an
/// organisation, or for a list of roles, both through roles named `role`. The last two statements
/// are for `events`, with names to be replaced; without events they are left out.
#[must_use]
pub fn agent_policy(role: &str) -> Value {
    let of = |service: &str| -> Vec<&str> {
        let all = permissions(Caller::Agent).into_iter();
        all.filter(|action| action.split(':').next() == Some(service)).collect()
    };
    json!({ "Version": "2012-10-17", "Statement": [
        { "Sid": "HeadcountAccounts", "Effect": "Allow", "Action": of("organizations"),
          "Resource": "*" },
        { "Sid": "HeadcountAssume", "Effect": "Allow", "Action": of("sts"),
          "Resource": format!("arn:*:iam::*:role/{role}") },
        { "Sid": "HeadcountQueue", "Effect": "Allow", "Action": of("sqs"),
          "Resource": "arn:*:sqs:*:*:headcount" },
        { "Sid": "HeadcountTrail", "Effect": "Allow", "Action": of("s3"),
          "Resource": "arn:*:s3:::TRAIL-BUCKET/*" },
    ] })
}

fn permissions(caller: Caller) -> Vec<&'static str> {
    let mut permissions: Vec<&str> =
        MANIFEST.operations.iter().filter(|o| o.caller == caller).map(|o| o.permission).collect();
    permissions.sort_unstable();
    permissions.dedup();
    permissions
}

/// What `permissions.json` beside this crate holds.
#[cfg(test)]
fn permissions_file() -> String {
    let policies = json!({ "reader": iam_policy(), "agent": agent_policy("HeadcountReader") });
    format!("{policies:#}\n")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    #[test]
    fn permissions_file_follows_the_manifest() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/permissions.json");
        if std::env::var_os("HEADCOUNT_BLESS").is_some() {
            std::fs::write(path, permissions_file()).unwrap();
        }
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        assert_eq!(kept, permissions_file(), "run again with HEADCOUNT_BLESS=1 and commit");
    }

    #[test]
    fn the_reader_may_read_and_nothing_else() {
        let policy = iam_policy().to_string();
        let judged = crate::policy::assess("reader", &policy);
        assert_eq!(judged.level, headcount_sdk::Level::Read, "{}", judged.reason);
    }

    #[test]
    fn scopes_and_kinds_named_by_operations_exist() {
        for operation in MANIFEST.operations {
            if let Need::Scopes(scopes) = operation.need {
                for scope in scopes {
                    assert!(MANIFEST.scopes.iter().any(|s| s.name == *scope), "{scope}");
                }
            }
        }
        for kind in MANIFEST.scopes.iter().flat_map(|scope| scope.kinds) {
            assert!(MANIFEST.kinds.iter().any(|k| k.name == *kind), "{kind}");
        }
    }
}
