//! GitHub's answers, as far as they are read. What is not named here is never kept, above all the
//! values of variables, the keys themselves and the last eight characters of tokens.
//!
//! Fields that GitHub's own examples leave out or null are optional, whatever its description says.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Someone with a login.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Account {
    pub(crate) id: u64,
    pub(crate) login: String,
    #[serde(default, rename = "type")]
    pub(crate) kind: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Organization {
    pub(crate) id: u64,
    pub(crate) login: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ViewerData {
    pub(crate) organization: Option<Viewer>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Viewer {
    pub(crate) viewer_is_a_member: bool,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Installation {
    pub(crate) id: u64,
    #[serde(default)]
    pub(crate) app_id: Option<u64>,
    #[serde(default)]
    pub(crate) app_slug: Option<String>,
    #[serde(default)]
    pub(crate) permissions: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) events: Vec<String>,
    #[serde(default)]
    pub(crate) repository_selection: Option<String>,
    #[serde(default)]
    pub(crate) created_at: Option<Timestamp>,
    #[serde(default)]
    pub(crate) suspended_at: Option<Timestamp>,
    #[serde(default)]
    pub(crate) contact_email: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct App {
    #[serde(default)]
    pub(crate) owner: Option<AppOwner>,
}

/// A user, an organisation, or an enterprise, which has a slug.
#[derive(Debug, Deserialize)]
pub(crate) struct AppOwner {
    pub(crate) id: u64,
    #[serde(default)]
    pub(crate) login: Option<String>,
    #[serde(default)]
    pub(crate) slug: Option<String>,
}

/// A fine-grained token that was granted, or asks to be.
#[derive(Debug, Deserialize)]
pub(crate) struct TokenGrant {
    /// Of the grant or the request.
    pub(crate) id: u64,
    pub(crate) owner: Account,
    #[serde(default)]
    pub(crate) repository_selection: Option<String>,
    #[serde(default)]
    pub(crate) permissions: TokenPermissions,
    #[serde(default)]
    pub(crate) access_granted_at: Option<Timestamp>,
    #[serde(default)]
    pub(crate) created_at: Option<Timestamp>,
    pub(crate) token_id: u64,
    #[serde(default)]
    pub(crate) token_name: Option<String>,
    #[serde(default)]
    pub(crate) token_expired: Option<bool>,
    #[serde(default)]
    pub(crate) token_expires_at: Option<Timestamp>,
    #[serde(default)]
    pub(crate) token_last_used_at: Option<Timestamp>,
    #[serde(default)]
    pub(crate) reason: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct TokenPermissions {
    #[serde(default)]
    pub(crate) organization: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) repository: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) other: BTreeMap<String, String>,
}

/// A credential that a member authorised for single sign-on.
#[derive(Debug, Deserialize)]
pub(crate) struct Authorization {
    pub(crate) login: String,
    pub(crate) credential_id: u64,
    pub(crate) credential_type: String,
    #[serde(default)]
    pub(crate) credential_authorized_at: Option<Timestamp>,
    #[serde(default)]
    pub(crate) credential_accessed_at: Option<Timestamp>,
    #[serde(default)]
    pub(crate) scopes: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) authorized_credential_id: Option<u64>,
    #[serde(default)]
    pub(crate) authorized_credential_title: Option<String>,
    #[serde(default)]
    pub(crate) authorized_credential_note: Option<String>,
    #[serde(default)]
    pub(crate) authorized_credential_expires_at: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub(crate) struct DeployKey {
    pub(crate) id: u64,
    pub(crate) title: String,
    #[serde(default)]
    pub(crate) created_at: Option<Timestamp>,
    #[serde(default)]
    pub(crate) read_only: Option<bool>,
    #[serde(default)]
    pub(crate) added_by: Option<String>,
    #[serde(default)]
    pub(crate) last_used: Option<Timestamp>,
    #[serde(default)]
    pub(crate) verified: Option<bool>,
    #[serde(default)]
    pub(crate) enabled: Option<bool>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Secret {
    pub(crate) name: String,
    pub(crate) created_at: Timestamp,
    #[serde(default)]
    pub(crate) updated_at: Option<Timestamp>,
    #[serde(default)]
    pub(crate) visibility: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Registry {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) registry_type: Option<String>,
    #[serde(default)]
    pub(crate) username: Option<String>,
    #[serde(default)]
    pub(crate) visibility: Option<String>,
    pub(crate) created_at: Timestamp,
    #[serde(default)]
    pub(crate) updated_at: Option<Timestamp>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Hook {
    pub(crate) id: u64,
    #[serde(default)]
    pub(crate) name: Option<String>,
    #[serde(default)]
    pub(crate) active: Option<bool>,
    #[serde(default)]
    pub(crate) events: Vec<String>,
    #[serde(default)]
    pub(crate) config: HookConfig,
    #[serde(default)]
    pub(crate) created_at: Option<Timestamp>,
}

/// GitHub shows a secret as asterisks, and leaves it out where there is none.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct HookConfig {
    #[serde(default)]
    pub(crate) url: Option<String>,
    #[serde(default)]
    pub(crate) insecure_ssl: Option<serde_json::Value>,
    #[serde(default)]
    pub(crate) secret: Option<serde::de::IgnoredAny>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Runner {
    pub(crate) id: u64,
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) os: Option<String>,
    #[serde(default)]
    pub(crate) ephemeral: Option<bool>,
    #[serde(default)]
    pub(crate) runner_group_id: Option<u64>,
    #[serde(default)]
    pub(crate) labels: Vec<Named>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Named {
    pub(crate) name: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct RunnerGroup {
    pub(crate) id: u64,
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) visibility: Option<String>,
    #[serde(default)]
    pub(crate) allows_public_repositories: Option<bool>,
    #[serde(default)]
    pub(crate) restricted_to_workflows: Option<bool>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct OidcTemplate {
    #[serde(default)]
    pub(crate) include_claim_keys: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) use_immutable_subject: Option<bool>,
}

/// Custom properties of one repository.
#[derive(Debug, Deserialize)]
pub(crate) struct Properties {
    pub(crate) repository_id: u64,
    #[serde(default)]
    pub(crate) properties: Vec<Property>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Property {
    pub(crate) property_name: String,
    /// Text, a list of texts, or nothing.
    #[serde(default)]
    pub(crate) value: serde_json::Value,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Team {
    pub(crate) slug: String,
    #[serde(default)]
    pub(crate) permission: Option<String>,
}

/// One subject of API Insights.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Stat {
    #[serde(default)]
    pub(crate) subject_type: Option<String>,
    #[serde(default)]
    pub(crate) subject_id: Option<u64>,
    #[serde(default)]
    pub(crate) subject_name: Option<String>,
    #[serde(default)]
    pub(crate) last_request_timestamp: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct AuditEntry {
    #[serde(default, rename = "_document_id")]
    pub(crate) document_id: Option<String>,
    #[serde(default)]
    pub(crate) action: Option<String>,
    #[serde(default)]
    pub(crate) actor: Option<String>,
    /// Milliseconds: when it was recorded.
    #[serde(default)]
    pub(crate) created_at: Option<i64>,
    #[serde(default)]
    pub(crate) repo: Option<String>,
    #[serde(default)]
    pub(crate) repo_id: Option<u64>,
    #[serde(default)]
    pub(crate) name: Option<String>,
    #[serde(default)]
    pub(crate) integration: Option<String>,
}

/// A page of repositories by GraphQL.
#[derive(Debug, Deserialize)]
pub(crate) struct RepositoriesData {
    pub(crate) organization: Option<OrganizationNode>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct OrganizationNode {
    pub(crate) repositories: Option<Connection<RepositoryNode>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "T: Deserialize<'de>"))]
pub(crate) struct Connection<T> {
    pub(crate) total_count: u64,
    #[serde(default)]
    pub(crate) page_info: Option<PageInfo>,
    pub(crate) nodes: Vec<Option<T>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PageInfo {
    pub(crate) has_next_page: bool,
    #[serde(default)]
    pub(crate) end_cursor: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RepositoryNode {
    /// GraphQL's own id, by which the text of files is asked for.
    pub(crate) id: String,
    pub(crate) database_id: u64,
    pub(crate) name: String,
    pub(crate) name_with_owner: String,
    pub(crate) is_archived: bool,
    #[serde(default)]
    pub(crate) visibility: Option<String>,
    #[serde(default)]
    pub(crate) created_at: Option<Timestamp>,
    #[serde(default)]
    pub(crate) pushed_at: Option<Timestamp>,
    pub(crate) deploy_keys: Option<Connection<DeployKeyNode>>,
    pub(crate) environments: Option<Connection<EnvironmentNode>>,
    #[serde(default, flatten)]
    pub(crate) files: FileNodes,
}

/// Enough to notice a change; the rest is read by REST.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeployKeyNode {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) title: Option<String>,
    #[serde(default)]
    pub(crate) read_only: Option<bool>,
    #[serde(default)]
    pub(crate) verified: Option<bool>,
    #[serde(default)]
    pub(crate) enabled: Option<bool>,
}

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EnvironmentNode {
    #[serde(alias = "id")]
    pub(crate) database_id: u64,
    pub(crate) name: String,
}

/// The files that name owners.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FileNodes {
    #[serde(default)]
    pub(crate) codeowners: Option<Blob>,
    #[serde(default)]
    pub(crate) codeowners_root: Option<Blob>,
    #[serde(default)]
    pub(crate) codeowners_docs: Option<Blob>,
    #[serde(default)]
    pub(crate) catalog: Option<Blob>,
}

/// A file; or something else at its path, which has no `oid` here.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub(crate) struct Blob {
    #[serde(default)]
    pub(crate) oid: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) text: Option<String>,
}

/// The texts of a repository's files by GraphQL.
#[derive(Debug, Deserialize)]
pub(crate) struct FilesNode {
    pub(crate) id: String,
    #[serde(default, flatten)]
    pub(crate) files: FileNodes,
}
