//! One file per family of scopes, and here what they share: lists read once per pass, the cache.

mod apps;
pub(crate) mod check;
mod deploy_keys;
mod files;
mod holdings;
mod people;
mod repositories;
mod sweep;
mod tokens;

use std::collections::BTreeSet;
use std::sync::Arc;

use headcount_sdk::{Complete, Pass, Recorder, ScanContext, ScanError};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::client::error::not_supported;
use crate::client::{List, Organization};
use crate::config::{Address, Config, Edition};
use crate::id::Place;
use crate::normalize::repository::{Federation, Row};
use crate::wire;

/// Reads the scopes of one organisation in one pass.
pub(crate) struct Collector<'a> {
    pub(crate) cx: &'a ScanContext,
    pub(crate) organization: Arc<Organization>,
    pub(crate) config: &'a Config,
    pub(crate) address: &'a Address,
}

/// A list directly below the organisation.
const fn below(operation: &'static str, tail: &'static str, key: Option<&'static str>) -> Below {
    Below { operation, tail, key }
}

/// See [`below`].
#[derive(Clone, Copy, Debug)]
struct Below {
    operation: &'static str,
    tail: &'static str,
    key: Option<&'static str>,
}

const OIDC: &str = "GET /orgs/{org}/actions/oidc/customization/sub";

impl Collector<'_> {
    pub(crate) fn place(&self) -> &Place {
        &self.organization.place
    }

    pub(crate) async fn observe(
        &self,
        kind: &str,
        recorder: Recorder<'_>,
    ) -> Result<Complete, ScanError> {
        match kind {
            "members" => self.members(recorder).await,
            "outside-collaborators" => self.outside_collaborators(recorder).await,
            "app-installations" => self.installations(recorder).await,
            "fine-grained-tokens" => self.fine_grained_tokens(recorder).await,
            "fine-grained-token-requests" => self.fine_grained_token_requests(recorder).await,
            "authorized-credentials" => self.authorized_credentials(recorder).await,
            "repositories" => self.repositories(recorder).await,
            "environments" => self.environments(recorder).await,
            "deploy-keys" => self.deploy_keys(recorder).await,
            "actions-secrets" => self.organization_secrets("actions", recorder).await,
            "dependabot-secrets" => self.organization_secrets("dependabot", recorder).await,
            "codespaces-secrets" => self.organization_secrets("codespaces", recorder).await,
            "agents-secrets" => self.organization_secrets("agents", recorder).await,
            "webhooks" => self.webhooks(recorder).await,
            "self-hosted-runners" => self.runners(recorder).await,
            "private-registries" => self.registries(recorder).await,
            "oidc-subject-templates" => self.oidc_templates(recorder).await,
            other => self.swept(other, recorder).await,
        }
    }

    /// Re-reads single repositories, or says that the scope is read as a whole.
    pub(crate) async fn refresh(
        &self,
        kind: &str,
        subjects: &BTreeSet<String>,
        recorder: Recorder<'_>,
    ) -> Result<Complete, ScanError> {
        let known: Option<Vec<Row>> = self.cached("repositories").await;
        let known = known.unwrap_or_default();
        let named = |subject: &String| {
            let by_id =
                subject.parse::<u64>().ok().and_then(|id| known.iter().find(|row| row.id == id));
            by_id.or_else(|| known.iter().find(|row| row.full_name.eq_ignore_ascii_case(subject)))
        };
        let rows: Option<Vec<&Row>> = subjects.iter().map(named).collect();
        let Some(rows) = rows.filter(|rows| !rows.is_empty()) else {
            return Err(not_supported("refresh", "no scan has seen that repository"));
        };
        if kind == "deploy-keys" {
            return self.refresh_deploy_keys(&rows, recorder).await;
        }
        self.refresh_swept(kind, &rows, recorder).await
    }

    async fn list<T: DeserializeOwned>(&self, below: Below) -> Result<Vec<T>, ScanError> {
        let path = self.organization.path(below.tail);
        let list = List { operation: below.operation, path: &path, key: below.key };
        self.organization.list(list).await
    }

    /// What the organisation puts into the subject of workflow tokens.
    async fn oidc(&self) -> Result<Arc<wire::OidcTemplate>, ScanError> {
        let path = self.organization.path("/actions/oidc/customization/sub");
        self.cx.memo.once("oidc", self.organization.one(OIDC, path)).await
    }

    async fn federation(&self) -> Result<Federation, ScanError> {
        Ok(self.federation_with(self.oidc().await?.as_ref().clone()))
    }

    fn federation_with(&self, template: wire::OidcTemplate) -> Federation {
        Federation {
            issuer: self.address.issuer(),
            organization: self.organization.login.clone(),
            organization_id: self.organization.id,
            immutable: !matches!(self.address.edition, Edition::Server { .. }),
            template,
        }
    }

    /// What the last scans kept, if it is still there and understood.
    pub(crate) async fn cached<T: DeserializeOwned>(&self, what: &str) -> Option<T> {
        let bytes = self.cx.cache.get(&self.cache_key(what)).await?;
        serde_json::from_slice(&bytes).ok()
    }

    pub(crate) async fn keep<T: Serialize>(&self, what: &str, value: &T) {
        // The types kept here have string keys only, so this cannot fail; and it may be lost.
        if let Ok(bytes) = serde_json::to_vec(value) {
            self.cx.cache.put(&self.cache_key(what), bytes).await;
        }
    }

    fn cache_key(&self, what: &str) -> String {
        format!("{}/{what}", self.place())
    }

    /// Whether the answers that the first pass of this scan kept must be read again.
    pub(crate) fn confirming(&self) -> bool {
        self.cx.pass == Pass::Confirming
    }
}

/// What a failed enrichment lacks, as observations name it.
pub(crate) fn missing(error: &ScanError) -> String {
    match error {
        ScanError::Denied { permission, .. } => permission.clone(),
        other => other.operation().to_owned(),
    }
}
