//! Every route that is served: the path, where it exists, what an App needs for it, who answers.

use super::ask::Ask;
use super::edition::Exists::{self, Everywhere, NotOnServer, OnlyEnterprise, OnlyEnterpriseCloud};
use super::reply::{Refusal, Reply};
use super::rest;

/// Who answers.
pub(super) type Answer = for<'a> fn(&Ask<'a>) -> Result<Reply<'a>, Refusal>;

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Route {
    pub(super) template: &'static str,
    pub(super) exists: Exists,
    /// The permission of an installation; `-`: none; `app`: a JWT.
    pub(super) needs: &'static str,
    pub(super) answer: Answer,
}

const fn route(
    template: &'static str,
    exists: Exists,
    needs: &'static str,
    answer: Answer,
) -> Route {
    Route { template, exists, needs, answer }
}

/// All `GET` routes.
pub(super) const ROUTES: &[Route] = &[
    route("/app", Everywhere, "app", rest::app::own),
    route("/app/installations", Everywhere, "app", rest::app::installations),
    route("/app/installations/{installation_id}", Everywhere, "app", rest::app::installation),
    route("/apps/{app_slug}", Everywhere, "-", rest::app::public),
    route("/installation/repositories", Everywhere, "metadata", rest::app::repositories),
    route("/rate_limit", Everywhere, "-", rest::app::rate_limit),
    route("/users/{username}", Everywhere, "-", rest::people::user),
    route("/orgs/{org}", Everywhere, "-", rest::people::organization),
    route("/orgs/{org}/installation", Everywhere, "app", rest::app::of_organization),
    route(
        "/orgs/{org}/installations",
        Everywhere,
        "organization_administration",
        rest::app::listed,
    ),
    route("/orgs/{org}/members", Everywhere, "members", rest::people::members),
    route("/orgs/{org}/members/{username}", Everywhere, "members", rest::people::is_member),
    route("/orgs/{org}/memberships/{username}", Everywhere, "members", rest::people::membership),
    route("/orgs/{org}/outside_collaborators", Everywhere, "members", rest::people::outside),
    route("/orgs/{org}/teams", Everywhere, "members", rest::people::teams),
    route("/orgs/{org}/teams/{team_slug}", Everywhere, "members", rest::people::team),
    route(
        "/orgs/{org}/teams/{team_slug}/members",
        Everywhere,
        "members",
        rest::people::team_members,
    ),
    route("/orgs/{org}/teams/{team_slug}/repos", Everywhere, "members", rest::people::team_repos),
    route(
        "/orgs/{org}/personal-access-tokens",
        Everywhere,
        "organization_personal_access_tokens",
        rest::tokens::grants,
    ),
    route(
        "/orgs/{org}/personal-access-tokens/{pat_id}/repositories",
        Everywhere,
        "organization_personal_access_tokens",
        rest::tokens::grant_repositories,
    ),
    route(
        "/orgs/{org}/personal-access-token-requests",
        Everywhere,
        "organization_personal_access_token_requests",
        rest::tokens::requests,
    ),
    route(
        "/orgs/{org}/personal-access-token-requests/{pat_request_id}/repositories",
        Everywhere,
        "organization_personal_access_token_requests",
        rest::tokens::request_repositories,
    ),
    route(
        "/orgs/{org}/credential-authorizations",
        OnlyEnterpriseCloud,
        "organization_administration",
        rest::tokens::authorizations,
    ),
    route("/orgs/{org}/audit-log", OnlyEnterprise, "organization_administration", rest::audit_log),
    route(
        "/orgs/{org}/insights/api/subject-stats",
        NotOnServer,
        "organization_api_insights",
        rest::tokens::subject_stats,
    ),
    route("/orgs/{org}/repos", Everywhere, "metadata", rest::repositories::of_organization),
    route(
        "/orgs/{org}/properties/values",
        Everywhere,
        "organization_custom_properties",
        rest::repositories::properties,
    ),
    route(
        "/orgs/{org}/private-registries",
        Everywhere,
        "organization_private_registries",
        rest::tokens::registries,
    ),
    route("/orgs/{org}/hooks", Everywhere, "organization_hooks", rest::machinery::hooks),
    route("/orgs/{org}/hooks/{hook_id}", Everywhere, "organization_hooks", rest::machinery::hook),
    route(
        "/orgs/{org}/hooks/{hook_id}/deliveries",
        Everywhere,
        "organization_hooks",
        rest::machinery::deliveries,
    ),
    route(
        "/orgs/{org}/actions/runners",
        Everywhere,
        "organization_self_hosted_runners",
        rest::machinery::runners,
    ),
    route(
        "/orgs/{org}/actions/runners/{runner_id}",
        Everywhere,
        "organization_self_hosted_runners",
        rest::machinery::runner,
    ),
    route(
        "/orgs/{org}/actions/runner-groups",
        Everywhere,
        "organization_self_hosted_runners",
        rest::machinery::runner_groups,
    ),
    route(
        "/orgs/{org}/actions/runner-groups/{runner_group_id}/runners",
        Everywhere,
        "organization_self_hosted_runners",
        rest::machinery::group_runners,
    ),
    route(
        "/orgs/{org}/actions/oidc/customization/sub",
        Everywhere,
        "organization_administration",
        rest::machinery::oidc,
    ),
    route(
        "/orgs/{org}/actions/secrets",
        Everywhere,
        "organization_secrets",
        rest::secrets::secrets,
    ),
    route(
        "/orgs/{org}/actions/secrets/{secret_name}",
        Everywhere,
        "organization_secrets",
        rest::secrets::one,
    ),
    route(
        "/orgs/{org}/actions/secrets/{secret_name}/repositories",
        Everywhere,
        "organization_secrets",
        rest::secrets::selected,
    ),
    route(
        "/orgs/{org}/actions/variables",
        Everywhere,
        "organization_actions_variables",
        rest::secrets::variables,
    ),
    route(
        "/orgs/{org}/dependabot/secrets",
        Everywhere,
        "organization_dependabot_secrets",
        rest::secrets::secrets,
    ),
    route(
        "/orgs/{org}/dependabot/secrets/{secret_name}",
        Everywhere,
        "organization_dependabot_secrets",
        rest::secrets::one,
    ),
    route(
        "/orgs/{org}/dependabot/secrets/{secret_name}/repositories",
        Everywhere,
        "organization_dependabot_secrets",
        rest::secrets::selected,
    ),
    route(
        "/orgs/{org}/codespaces/secrets",
        NotOnServer,
        "organization_codespaces_secrets",
        rest::secrets::secrets,
    ),
    route(
        "/orgs/{org}/codespaces/secrets/{secret_name}/repositories",
        NotOnServer,
        "organization_codespaces_secrets",
        rest::secrets::selected,
    ),
    route(
        "/orgs/{org}/agents/secrets",
        NotOnServer,
        "organization_agent_secrets",
        rest::secrets::secrets,
    ),
    route(
        "/orgs/{org}/agents/secrets/{secret_name}/repositories",
        NotOnServer,
        "organization_agent_secrets",
        rest::secrets::selected,
    ),
    route(
        "/orgs/{org}/agents/variables",
        NotOnServer,
        "organization_agent_variables",
        rest::secrets::variables,
    ),
    route("/repos/{owner}/{repo}", Everywhere, "metadata", rest::repositories::one),
    route("/repos/{owner}/{repo}/teams", Everywhere, "administration", rest::repositories::teams),
    route(
        "/repos/{owner}/{repo}/collaborators",
        Everywhere,
        "metadata",
        rest::repositories::collaborators,
    ),
    route("/repos/{owner}/{repo}/keys", Everywhere, "administration", rest::repositories::keys),
    route(
        "/repos/{owner}/{repo}/keys/{key_id}",
        Everywhere,
        "administration",
        rest::repositories::key,
    ),
    route(
        "/repos/{owner}/{repo}/contents/{path}",
        Everywhere,
        "contents",
        rest::repositories::contents,
    ),
    route(
        "/repos/{owner}/{repo}/environments",
        Everywhere,
        "actions",
        rest::repositories::environments,
    ),
    route(
        "/repos/{owner}/{repo}/environments/{environment_name}",
        Everywhere,
        "actions",
        rest::repositories::environment,
    ),
    route(
        "/repos/{owner}/{repo}/environments/{environment_name}/secrets",
        Everywhere,
        "environments",
        rest::secrets::secrets,
    ),
    route(
        "/repos/{owner}/{repo}/environments/{environment_name}/variables",
        Everywhere,
        "environments",
        rest::secrets::variables,
    ),
    route("/repos/{owner}/{repo}/hooks", Everywhere, "repository_hooks", rest::machinery::hooks),
    route(
        "/repos/{owner}/{repo}/hooks/{hook_id}",
        Everywhere,
        "repository_hooks",
        rest::machinery::hook,
    ),
    route(
        "/repos/{owner}/{repo}/hooks/{hook_id}/deliveries",
        Everywhere,
        "repository_hooks",
        rest::machinery::deliveries,
    ),
    route(
        "/repos/{owner}/{repo}/actions/runners",
        Everywhere,
        "administration",
        rest::machinery::runners,
    ),
    route(
        "/repos/{owner}/{repo}/actions/runners/{runner_id}",
        Everywhere,
        "administration",
        rest::machinery::runner,
    ),
    route(
        "/repos/{owner}/{repo}/actions/oidc/customization/sub",
        Everywhere,
        "actions",
        rest::machinery::repository_oidc,
    ),
    route("/repos/{owner}/{repo}/actions/secrets", Everywhere, "secrets", rest::secrets::secrets),
    route(
        "/repos/{owner}/{repo}/actions/secrets/{secret_name}",
        Everywhere,
        "secrets",
        rest::secrets::one,
    ),
    route(
        "/repos/{owner}/{repo}/actions/variables",
        Everywhere,
        "actions_variables",
        rest::secrets::variables,
    ),
    route(
        "/repos/{owner}/{repo}/dependabot/secrets",
        Everywhere,
        "dependabot_secrets",
        rest::secrets::secrets,
    ),
    route(
        "/repos/{owner}/{repo}/codespaces/secrets",
        NotOnServer,
        "codespaces_secrets",
        rest::secrets::secrets,
    ),
    route(
        "/repos/{owner}/{repo}/agents/secrets",
        NotOnServer,
        "agent_secrets",
        rest::secrets::secrets,
    ),
    route(
        "/repos/{owner}/{repo}/agents/variables",
        NotOnServer,
        "agent_variables",
        rest::secrets::variables,
    ),
];

/// The route of a path, with what its braces catch. `{path}` catches the rest.
pub(super) fn find(segments: &[String]) -> Option<(&'static Route, Vec<String>)> {
    ROUTES.iter().find_map(|route| {
        let template: Vec<&str> = route.template.split('/').skip(1).collect();
        let open = template.last() == Some(&"{path}") && segments.len() >= template.len();
        if !open && template.len() != segments.len() {
            return None;
        }
        let mut caught = Vec::new();
        for (n, part) in template.iter().enumerate() {
            if *part == "{path}" {
                caught.push(segments[n..].join("/"));
            } else if part.starts_with('{') {
                caught.push(segments[n].clone());
            } else if *part != segments[n] {
                return None;
            }
        }
        Some((route, caught))
    })
}
