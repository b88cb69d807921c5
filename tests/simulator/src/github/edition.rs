//! What a plan has, and what an App must be allowed for it.

/// Which GitHub this is. It decides which endpoints exist, and how large the budget is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Edition {
    /// github.com without a plan.
    Free,
    /// github.com, Team plan. Serves what `Free` serves.
    Team,
    /// github.com, Enterprise Cloud.
    #[default]
    EnterpriseCloud,
    /// GitHub Enterprise Server, below `/api/v3`.
    Server,
}

impl Edition {
    /// REST requests an hour that an installation may make.
    pub(super) fn budget(self) -> u64 {
        match self {
            Self::EnterpriseCloud => 15_000,
            _ => 5_000,
        }
    }

    /// GraphQL points an hour.
    pub(super) fn points(self) -> u64 {
        match self {
            Self::EnterpriseCloud => 10_000,
            _ => 5_000,
        }
    }
}

/// Where an endpoint exists.
#[derive(Clone, Copy, Debug)]
pub(super) enum Exists {
    Everywhere,
    /// Not on the user's own server.
    NotOnServer,
    OnlyEnterpriseCloud,
    OnlyEnterprise,
}

impl Exists {
    pub(super) fn on(self, edition: Edition) -> bool {
        match self {
            Self::Everywhere => true,
            Self::NotOnServer => edition != Edition::Server,
            Self::OnlyEnterpriseCloud => edition == Edition::EnterpriseCloud,
            Self::OnlyEnterprise => {
                matches!(edition, Edition::EnterpriseCloud | Edition::Server)
            }
        }
    }
}

/// Everything that an App can be granted to read here; each is granted as `read`.
pub const READ_PERMISSIONS: [&str; 28] = [
    "actions",
    "actions_variables",
    "administration",
    "agent_secrets",
    "agent_variables",
    "codespaces_secrets",
    "contents",
    "dependabot_secrets",
    "environments",
    "members",
    "metadata",
    "organization_actions_variables",
    "organization_administration",
    "organization_agent_secrets",
    "organization_agent_variables",
    "organization_api_insights",
    "organization_codespaces_secrets",
    "organization_custom_properties",
    "organization_dependabot_secrets",
    "organization_hooks",
    "organization_personal_access_token_requests",
    "organization_personal_access_tokens",
    "organization_private_registries",
    "organization_secrets",
    "organization_self_hosted_runners",
    "repository_hooks",
    "secrets",
    "single_file",
];
