//! The operations, each with the permission that it needs and what is lost without it.

use headcount_sdk::manifest::{Caller, Need, Operation};

const fn reader(
    name: &'static str,
    permission: &'static str,
    need: Need,
    why: &'static str,
) -> Operation {
    Operation { name, permission, need, caller: Caller::Reader, why }
}

const fn agent(name: &'static str, why: &'static str) -> Operation {
    let permission = "the App's private key";
    Operation { name, permission, need: Need::Access, caller: Caller::Agent, why }
}

/// Everything that is called.
pub(super) const OPERATIONS: &[Operation] = &[
    agent("GET /orgs/{org}/installation", "to find the App's installation and what it may do"),
    agent(
        "POST /app/installations/{installation_id}/access_tokens",
        "to get a token for an hour; the one request that is not a reading",
    ),
    reader(
        "GET /orgs/{org}",
        "metadata:read",
        Need::Access,
        "to learn the numeric id of the organisation",
    ),
    reader(
        "POST /graphql",
        "administration:read",
        Need::Scopes(&[
            "repositories",
            "environments",
            "deploy-keys",
            "repository-actions-secrets",
            "repository-dependabot-secrets",
            "repository-agents-secrets",
            "environment-secrets",
            "repository-webhooks",
            "repository-runners",
        ]),
        "repositories with their environments and deploy keys, a hundred at a time; read only",
    ),
    reader(
        "files by POST /graphql",
        "contents:read",
        Need::Enrichment("owner_evidence"),
        "CODEOWNERS and catalog-info.yaml, which name owners; no other file is read",
    ),
    reader(
        "GET /orgs/{org}/members",
        "members:read",
        Need::Scopes(&["members"]),
        "members, and whether those who made something are still here",
    ),
    reader(
        "GET /orgs/{org}/outside_collaborators",
        "members:read",
        Need::Scopes(&["outside-collaborators"]),
        "outside collaborators, and whether those who made something are still here",
    ),
    reader(
        "GET /orgs/{org}/installations",
        "organization_administration:read",
        Need::Scopes(&["app-installations"]),
        "installed Apps with their permissions",
    ),
    reader(
        "GET /apps/{app_slug}",
        "metadata:read",
        Need::Enrichment("attributes.is_third_party"),
        "who owns an App, once a week",
    ),
    reader(
        "GET /orgs/{org}/insights/api/subject-stats",
        "organization_api_insights:read",
        Need::Enrichment("usage"),
        "the last request of each App",
    ),
    reader(
        "GET /orgs/{org}/audit-log",
        "organization_administration:read",
        Need::Enrichment("owner_evidence"),
        "who installed an App, and what to read again at once",
    ),
    reader(
        "GET /orgs/{org}/personal-access-tokens",
        "organization_personal_access_tokens:read",
        Need::Scopes(&["fine-grained-tokens"]),
        "fine-grained tokens",
    ),
    reader(
        "GET /orgs/{org}/personal-access-token-requests",
        "organization_personal_access_token_requests:read",
        Need::Scopes(&["fine-grained-token-requests"]),
        "fine-grained tokens that wait for approval",
    ),
    reader(
        "GET /orgs/{org}/credential-authorizations",
        "organization_administration:read",
        Need::Scopes(&["authorized-credentials"]),
        "classic tokens, SSH keys and OAuth tokens with single sign-on",
    ),
    reader(
        "GET /orgs/{org}/properties/values",
        "organization_custom_properties:read",
        Need::Enrichment("labels"),
        "custom properties of repositories, which name owners",
    ),
    reader(
        "GET /repos/{owner}/{repo}/environments",
        "actions:read",
        Need::Scopes(&["environments", "environment-secrets"]),
        "environments of a repository with more than fifty",
    ),
    reader(
        "GET /repos/{owner}/{repo}/keys",
        "administration:read",
        Need::Scopes(&["deploy-keys"]),
        "last use and maker of deploy keys, for repositories that have any",
    ),
    reader(
        "GET /repos/{owner}/{repo}/teams",
        "administration:read",
        Need::Enrichment("owner_evidence"),
        "teams that administer a repository",
    ),
    reader(
        "GET /orgs/{org}/actions/secrets",
        "organization_secrets:read",
        Need::Scopes(&["actions-secrets"]),
        "names of Actions secrets",
    ),
    reader(
        "GET /orgs/{org}/dependabot/secrets",
        "organization_dependabot_secrets:read",
        Need::Scopes(&["dependabot-secrets"]),
        "names of Dependabot secrets",
    ),
    reader(
        "GET /orgs/{org}/codespaces/secrets",
        "organization_codespaces_secrets:read",
        Need::Scopes(&["codespaces-secrets"]),
        "names of codespaces secrets",
    ),
    reader(
        "GET /orgs/{org}/agents/secrets",
        "organization_agent_secrets:read",
        Need::Scopes(&["agents-secrets"]),
        "names of agents secrets",
    ),
    reader(
        "GET /repos/{owner}/{repo}/actions/secrets",
        "secrets:read",
        Need::Scopes(&["repository-actions-secrets"]),
        "names of Actions secrets",
    ),
    reader(
        "GET /repos/{owner}/{repo}/dependabot/secrets",
        "dependabot_secrets:read",
        Need::Scopes(&["repository-dependabot-secrets"]),
        "names of Dependabot secrets",
    ),
    reader(
        "GET /repos/{owner}/{repo}/agents/secrets",
        "agent_secrets:read",
        Need::Scopes(&["repository-agents-secrets"]),
        "names of agents secrets",
    ),
    reader(
        "GET /repos/{owner}/{repo}/environments/{environment_name}/secrets",
        "environments:read",
        Need::Scopes(&["environment-secrets"]),
        "names of an environment's secrets",
    ),
    reader(
        "GET /orgs/{org}/hooks",
        "organization_hooks:read",
        Need::Scopes(&["webhooks"]),
        "webhooks; of their addresses host and scheme are kept",
    ),
    reader(
        "GET /repos/{owner}/{repo}/hooks",
        "repository_hooks:read",
        Need::Scopes(&["repository-webhooks"]),
        "webhooks; of their addresses host and scheme are kept",
    ),
    reader(
        "GET /orgs/{org}/actions/runners",
        "organization_self_hosted_runners:read",
        Need::Scopes(&["self-hosted-runners"]),
        "self-hosted runners",
    ),
    reader(
        "GET /orgs/{org}/actions/runner-groups",
        "organization_self_hosted_runners:read",
        Need::Scopes(&["self-hosted-runners"]),
        "runner groups",
    ),
    reader(
        "GET /repos/{owner}/{repo}/actions/runners",
        "administration:read",
        Need::Scopes(&["repository-runners"]),
        "self-hosted runners of a repository",
    ),
    reader(
        "GET /orgs/{org}/private-registries",
        "organization_private_registries:read",
        Need::Scopes(&["private-registries"]),
        "logins to private registries, by name",
    ),
    reader(
        "GET /orgs/{org}/actions/oidc/customization/sub",
        "organization_administration:read",
        Need::Scopes(&["oidc-subject-templates"]),
        "what the tokens of workflows are issued for",
    ),
];
