//! What the connector reads, calls and needs: the one list from which the App's manifest, the
//! check and the pages come.

mod operations;

use std::collections::BTreeSet;

use headcount_sdk::manifest::{Caller, Kind, Manifest, ScopeKind};
use headcount_sdk::model::Class;
use serde_json::{Map, Value, json};

/// Everything that can be said of the GitHub connector without calling GitHub.
pub static MANIFEST: Manifest = Manifest {
    connector: "github",
    title: "GitHub",
    about: "Apps, tokens, keys, secrets by name, webhooks and runners of GitHub organisations, with \
            the repositories and environments that hold them.",
    kinds: KINDS,
    scopes: SCOPES,
    operations: operations::OPERATIONS,
    call_budget: "Per organisation and scan, nothing changed since the last: at most \
                  20 + 2·⌈R/100⌉ + P + 6·(⌈R/24⌉+20) + (⌈E/24⌉+20) + \
                  (⌈D/24⌉+20) + ⌈A/168⌉, for R repositories, E environments, D repositories with \
                  deploy keys, A Apps, and P for each further hundred rows of an organisation's \
                  list; a sweep never makes more calls than it has things to \
                  visit. First scan: 2·D + A + ⌈R/50⌉ more. Each changed repository: at most seven.",
    cannot_see: &[
        "OAuth apps without single sign-on: GitHub has no list of their authorisations.",
        "Classic tokens, SSH keys and OAuth tokens of organisations without SAML single sign-on, and \
         on GitHub Enterprise Server.",
        "Private keys and client secrets of Apps: their number and age are told to nobody.",
        "The use of secrets, webhooks, runners and private registries: GitHub records none.",
        "Codespaces secrets of repositories: listing them needs a permission to write.",
        "Secrets, webhooks and runners of a repository between two visits of the rolling sweep, \
         which takes a day of hourly scans in a large organisation; events shorten it.",
        "Whether a repository that is not listed any more was deleted, while the App is installed on \
         selected repositories only.",
        "Git over SSH or HTTPS as use of a token: only the audit log's git events show it.",
        "Variables, whose values GitHub shows in the clear: they are never read.",
        "Who of the members is a machine, other than by login.",
    ],
};

const fn kind(name: &'static str, class: Class, about: &'static str) -> Kind {
    Kind { name, class, about }
}

const KINDS: &[Kind] = &[
    kind("app-installation", Class::Identity, "A GitHub App in the organisation."),
    kind(
        "machine-user",
        Class::Identity,
        "A user account that no person uses, judged by its login.",
    ),
    kind("member", Class::Principal, "A person in the organisation."),
    kind("outside-collaborator", Class::Principal, "A person with access to single repositories."),
    kind("fine-grained-token", Class::Credential, "A fine-grained personal access token."),
    kind(
        "fine-grained-token-request",
        Class::Credential,
        "A fine-grained token that waits for approval.",
    ),
    kind(
        "classic-token",
        Class::Credential,
        "A classic personal access token with single sign-on.",
    ),
    kind("ssh-key", Class::Credential, "A user's SSH key with single sign-on."),
    kind("oauth-token", Class::Credential, "A token of an OAuth app with single sign-on."),
    kind("app-user-token", Class::Credential, "A token by which an App acts as a user."),
    kind("repository", Class::Workload, "A repository, whose workflows act as it."),
    kind("environment", Class::Workload, "A deployment environment of a repository."),
    kind("deploy-key", Class::Credential, "An SSH key that opens one repository."),
    kind("actions-secret", Class::Credential, "A secret of workflows, by name."),
    kind("dependabot-secret", Class::Credential, "A secret of Dependabot, by name."),
    kind("codespaces-secret", Class::Credential, "A secret of codespaces, by name."),
    kind("agents-secret", Class::Credential, "A secret of coding agents, by name."),
    kind("private-registry", Class::Credential, "The login to a private package registry."),
    kind("webhook", Class::Grant, "An address to which GitHub sends events."),
    kind("self-hosted-runner", Class::Identity, "A machine that runs workflows."),
    kind("runner-group", Class::Identity, "A group of runners; it stands for its ephemeral ones."),
    kind("oidc-subject-template", Class::Grant, "What the tokens of workflows are issued for."),
];

const fn scope(
    name: &'static str,
    about: &'static str,
    kinds: &'static [&'static str],
) -> ScopeKind {
    ScopeKind { name, about, kinds }
}

const SCOPES: &[ScopeKind] = &[
    scope("members", "Members and machine users among them", &["member", "machine-user"]),
    scope(
        "outside-collaborators",
        "Outside collaborators and machine users among them",
        &["outside-collaborator", "machine-user"],
    ),
    scope("app-installations", "Installed GitHub Apps", &["app-installation"]),
    scope("fine-grained-tokens", "Fine-grained tokens", &["fine-grained-token"]),
    scope(
        "fine-grained-token-requests",
        "Fine-grained tokens that wait for approval",
        &["fine-grained-token-request"],
    ),
    scope(
        "authorized-credentials",
        "Credentials authorised for single sign-on",
        &["classic-token", "ssh-key", "oauth-token", "app-user-token"],
    ),
    scope("repositories", "Repositories", &["repository"]),
    scope("environments", "Deployment environments", &["environment"]),
    scope("deploy-keys", "Deploy keys", &["deploy-key"]),
    scope("actions-secrets", "Actions secrets of the organisation", &["actions-secret"]),
    scope("dependabot-secrets", "Dependabot secrets of the organisation", &["dependabot-secret"]),
    scope("codespaces-secrets", "Codespaces secrets of the organisation", &["codespaces-secret"]),
    scope("agents-secrets", "Agents secrets of the organisation", &["agents-secret"]),
    scope(
        "repository-actions-secrets",
        "Actions secrets of repositories, by a rolling sweep",
        &["actions-secret"],
    ),
    scope(
        "repository-dependabot-secrets",
        "Dependabot secrets of repositories, by a rolling sweep",
        &["dependabot-secret"],
    ),
    scope(
        "repository-agents-secrets",
        "Agents secrets of repositories, by a rolling sweep",
        &["agents-secret"],
    ),
    scope(
        "environment-secrets",
        "Actions secrets of environments, by a rolling sweep",
        &["actions-secret"],
    ),
    scope("webhooks", "Webhooks of the organisation", &["webhook"]),
    scope("repository-webhooks", "Webhooks of repositories, by a rolling sweep", &["webhook"]),
    scope(
        "self-hosted-runners",
        "Runners and runner groups of the organisation",
        &["self-hosted-runner", "runner-group"],
    ),
    scope(
        "repository-runners",
        "Runners of repositories, by a rolling sweep",
        &["self-hosted-runner"],
    ),
    scope("private-registries", "Logins to private registries", &["private-registry"]),
    scope("oidc-subject-templates", "Subjects of workflow tokens", &["oidc-subject-template"]),
];

/// The manifest of a GitHub App that may read all this and nothing else: what GitHub's
/// "register an App from a manifest" takes.
#[must_use]
pub fn app_manifest() -> Value {
    let operations = MANIFEST.operations.iter().filter(|o| o.caller == Caller::Reader);
    let names: BTreeSet<&str> =
        operations.filter_map(|o| o.permission.split_once(':')).map(|(name, _)| name).collect();
    let permissions: Map<String, Value> =
        names.into_iter().map(|name| (name.to_owned(), json!("read"))).collect();
    json!({
        "name": "Headcount",
        "url": "https://headcount.example",
        "description": "Counts the non-human identities of this organisation. Reads only.",
        "public": false,
        "default_events": [
            "custom_property_values",
            "deploy_key",
            "member",
            "membership",
            "organization",
            "personal_access_token_request",
            "repository",
        ],
        "default_permissions": permissions,
    })
}

/// What `permissions.json` beside this crate holds.
#[cfg(test)]
fn permissions_file() -> String {
    format!("{:#}\n", app_manifest())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use headcount_sdk::manifest::Need;

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
    fn the_app_may_read_and_nothing_else() {
        let manifest = app_manifest();
        let permissions = manifest["default_permissions"].as_object().unwrap();
        assert!(permissions.len() > 15);
        assert!(permissions.values().all(|level| level == "read"));
        assert!(!permissions.keys().any(|name| name.contains("variables")), "values in the clear");
        for operation in MANIFEST.operations {
            let get = operation.name.starts_with("GET ");
            let only = [
                "POST /graphql",
                "files by POST /graphql",
                "POST /app/installations/{installation_id}/access_tokens",
            ];
            assert!(get || only.contains(&operation.name), "{}", operation.name);
        }
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
