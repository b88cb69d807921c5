//! What exists on a [`Hub`]. Fields are open: read them in `HubServer::read`, and change what no
//! script method changes through `HubServer::change`.

mod access;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::auth::Access;
use super::edition::Edition;
use super::page::Links;
use crate::clock::Clock;

pub use access::*;

/// Everything behind one API address.
#[derive(Debug)]
pub struct Hub {
    /// Which GitHub this is.
    pub edition: Edition,
    /// By numeric id.
    pub organizations: BTreeMap<u64, Org>,
    /// Apps, ours and others', by id.
    pub apps: BTreeMap<u64, App>,
    /// People and machine users, by id. Leaving an organisation does not remove one.
    pub users: BTreeMap<u64, Actor>,
    /// How it behaves beyond what it holds.
    pub manners: Manners,
    pub(super) access: Access,
    pub(super) clock: Clock,
    pub(super) ids: fastrand::Rng,
    pub(super) last_id: u64,
}

/// How a [`Hub`] answers, where real ones differ or fail.
#[derive(Clone, Debug)]
pub struct Manners {
    /// Where `rel="next"` leads.
    pub links: Links,
    /// What a `retry-after` header says, in seconds.
    pub retry_after: u32,
    /// Requests an hour for each installation; `None`: what the edition grants.
    pub budget: Option<u64>,
    /// GraphQL points an hour for each installation; `None`: what the edition grants.
    pub points: Option<u64>,
    /// The status of a spent REST budget: 403 or 429, both are documented.
    pub spent_status: u16,
    /// Whether a GraphQL query that is denied by a fault gets HTTP 200 with an error of type
    /// `FORBIDDEN` (as GitHub does for integrations) or HTTP 403.
    pub graphql_denied_with_200: bool,
    /// Whether a GraphQL connection without its permission is empty instead of an error.
    pub graphql_hides: bool,
    /// GraphQL queries that could return more nodes than this end in a 502 page.
    pub timeout_above: u64,
    /// Of a GraphQL page of repositories, only so many are whole; the rest are null, with errors.
    pub whole_rows: Option<usize>,
    /// Routes (`GET /orgs/{org}/hooks`) that are refused, with the status: 403 or 404.
    pub refused: BTreeMap<String, u16>,
}

/// A person, a machine user, or an organisation where it owns something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// Never changes.
    pub id: u64,
    /// Changes when its holder likes.
    pub login: String,
    /// `User`, `Bot` or `Organization`.
    pub kind: &'static str,
}

/// One organisation.
#[derive(Debug)]
pub struct Org {
    /// Never changes.
    pub id: u64,
    /// Changes when an owner likes.
    pub login: String,
    /// Ids of members; those that are `true` own the organisation.
    pub members: BTreeMap<u64, bool>,
    /// Ids of users who are no members and can reach a repository.
    pub outside_collaborators: BTreeSet<u64>,
    /// By slug.
    pub teams: BTreeMap<String, Team>,
    /// By numeric id.
    pub repositories: BTreeMap<u64, Repo>,
    /// What the organisation itself holds.
    pub holds: Holdings,
    /// By id.
    pub runner_groups: BTreeMap<u64, RunnerGroup>,
    /// By id.
    pub installations: BTreeMap<u64, Installation>,
    /// Approved fine-grained tokens, by the id of the grant.
    pub token_grants: BTreeMap<u64, TokenGrant>,
    /// Fine-grained tokens that wait for approval, by the id of the request.
    pub token_requests: BTreeMap<u64, TokenGrant>,
    /// What members authorised for single sign-on, by `authorized_credential_id`.
    pub authorizations: BTreeMap<u64, Authorization>,
    /// By name.
    pub registries: BTreeMap<String, Registry>,
    /// `include_claim_keys` of the organisation's OIDC template.
    pub oidc_claims: Vec<String>,
    /// API Insights, by subject type and id.
    pub stats: BTreeMap<(String, u64), Stats>,
    /// Oldest first.
    pub audit: Vec<AuditEntry>,
}

/// A team and who is in it.
#[derive(Debug)]
pub struct Team {
    /// Never changes.
    pub id: u64,
    /// As people write it.
    pub name: String,
    /// In paths.
    pub slug: String,
    /// User ids.
    pub members: BTreeSet<u64>,
    /// Repository ids with `pull`, `triage`, `push`, `maintain` or `admin`.
    pub repositories: BTreeMap<u64, &'static str>,
}

/// A repository.
#[derive(Debug)]
pub struct Repo {
    /// Never changes, not even by a transfer.
    pub id: u64,
    /// Without the owner.
    pub name: String,
    /// `true`: nobody can write to it.
    pub archived: bool,
    /// `public`, `private` or `internal`.
    pub visibility: &'static str,
    /// When it was made.
    pub created_at: Timestamp,
    /// The last push.
    pub pushed_at: Option<Timestamp>,
    /// Custom properties.
    pub properties: BTreeMap<String, String>,
    /// Text files by path: `.github/CODEOWNERS`, `catalog-info.yaml`.
    pub files: BTreeMap<String, String>,
    /// By id.
    pub deploy_keys: BTreeMap<u64, DeployKey>,
    /// By name.
    pub environments: BTreeMap<String, Environment>,
    /// What the repository itself holds.
    pub holds: Holdings,
    /// Users who can reach it by name, with their role.
    pub collaborators: BTreeMap<u64, &'static str>,
    /// `include_claim_keys`, where the repository does not use the default.
    pub oidc_claims: Option<Vec<String>>,
}

/// What an organisation, a repository or an environment can hold.
#[derive(Debug, Default)]
pub struct Holdings {
    /// By store and name.
    pub secrets: BTreeMap<Store, BTreeMap<String, Secret>>,
    /// By store and name. Only Actions and agents have any.
    pub variables: BTreeMap<Store, BTreeMap<String, Secret>>,
    /// By id.
    pub hooks: BTreeMap<u64, Hook>,
    /// By id.
    pub runners: BTreeMap<u64, Runner>,
}

/// For whom a secret is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Store {
    /// Workflows.
    Actions,
    /// Copilot's agents.
    Agents,
    /// Development machines.
    Codespaces,
    /// Dependency updates.
    Dependabot,
}

impl Store {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Actions, Self::Agents, Self::Codespaces, Self::Dependabot];

    /// In paths.
    pub fn word(self) -> &'static str {
        match self {
            Self::Actions => "actions",
            Self::Agents => "agents",
            Self::Codespaces => "codespaces",
            Self::Dependabot => "dependabot",
        }
    }
}

/// A secret or a variable: never more than its name. A variable's value is [`VARIABLE_VALUE`].
#[derive(Clone, Debug)]
pub struct Secret {
    /// Upper case.
    pub name: String,
    /// When it was first set.
    pub created_at: Timestamp,
    /// When it was last set.
    pub updated_at: Timestamp,
    /// At an organisation: `all`, `private` or `selected`.
    pub visibility: &'static str,
    /// At an organisation with `selected`: repository ids.
    pub selected: BTreeSet<u64>,
}

/// What every variable holds. It must never leave a reader: a test looks for it.
pub const VARIABLE_VALUE: &str = "PLAINTEXT-OF-A-VARIABLE-THAT-NO-READER-MAY-REPEAT";

/// What the path of every webhook's URL holds. It must never leave a reader either.
pub const HOOK_PATH: &str = "PATH-OF-A-WEBHOOK-THAT-NO-READER-MAY-REPEAT";

/// A deployment target.
#[derive(Debug)]
pub struct Environment {
    /// Never changes.
    pub id: u64,
    /// Any text, slashes included.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Actions secrets and variables only.
    pub holds: Holdings,
}

/// An SSH key that opens one repository.
#[derive(Debug)]
pub struct DeployKey {
    /// Never changes.
    pub id: u64,
    /// What its maker wrote.
    pub title: String,
    /// `false`: it can push.
    pub read_only: bool,
    /// When it was added.
    pub created_at: Timestamp,
    /// The login of who added it.
    pub added_by: Option<String>,
    /// The last git operation with it.
    pub last_used: Option<Timestamp>,
    /// `false`: the organisation's policy has switched it off.
    pub enabled: bool,
}

/// A webhook.
#[derive(Debug)]
pub struct Hook {
    /// Never changes.
    pub id: u64,
    /// Where it delivers; the path holds [`HOOK_PATH`].
    pub url: String,
    /// Whether deliveries are signed.
    pub has_secret: bool,
    /// Whether certificates are not checked.
    pub insecure_ssl: bool,
    /// What it delivers.
    pub events: Vec<String>,
    /// Whether it delivers at all.
    pub active: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// Its last changes.
    pub updated_at: Timestamp,
    /// When something was delivered, newest last.
    pub deliveries: Vec<Timestamp>,
}

/// A self-hosted runner.
#[derive(Debug)]
pub struct Runner {
    /// Never changes.
    pub id: u64,
    /// Chosen at registration.
    pub name: String,
    /// `linux`, `windows` or `macos`.
    pub os: &'static str,
    /// Whether it is connected.
    pub online: bool,
    /// Whether it serves one job and is gone.
    pub ephemeral: bool,
    /// The group that it is in, at an organisation.
    pub group: u64,
    /// Its custom labels.
    pub labels: Vec<String>,
}

/// A group of runners.
#[derive(Debug)]
pub struct RunnerGroup {
    /// Never changes.
    pub id: u64,
    /// As people write it.
    pub name: String,
    /// `all`, `private` or `selected`.
    pub visibility: &'static str,
    /// Whether it is the one that every organisation has.
    pub default: bool,
    /// Whether public repositories may use it.
    pub allows_public_repositories: bool,
}
