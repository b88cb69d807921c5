//! Scopes of what belongs to users: fine-grained tokens, requests for them, and credentials that
//! were authorised for single sign-on.

use headcount_sdk::{Complete, Recorder, ScanError};

use super::{Below, Collector, below};
use crate::client::error::not_supported;
use crate::normalize::tokens;
use crate::wire::{Authorization, TokenGrant};

pub(super) const GRANTS: Below =
    below("GET /orgs/{org}/personal-access-tokens", "/personal-access-tokens", None);
pub(super) const REQUESTS: Below = below(
    "GET /orgs/{org}/personal-access-token-requests",
    "/personal-access-token-requests",
    None,
);
pub(super) const AUTHORIZATIONS: Below =
    below("GET /orgs/{org}/credential-authorizations", "/credential-authorizations", None);

impl Collector<'_> {
    pub(super) async fn fine_grained_tokens(
        &self,
        mut recorder: Recorder<'_>,
    ) -> Result<Complete, ScanError> {
        let rows: Vec<TokenGrant> = self.grants_of(GRANTS).await?;
        let (people, hidden) = self.people().await;
        for row in &rows {
            recorder.record(tokens::grant(self.place(), row, &people));
        }
        note_hidden(&mut recorder, rows.len(), hidden);
        Ok(recorder.complete())
    }

    pub(super) async fn fine_grained_token_requests(
        &self,
        mut recorder: Recorder<'_>,
    ) -> Result<Complete, ScanError> {
        let rows: Vec<TokenGrant> = self.grants_of(REQUESTS).await?;
        let (people, hidden) = self.people().await;
        for row in &rows {
            recorder.record(tokens::request(self.place(), row, &people));
        }
        note_hidden(&mut recorder, rows.len(), hidden);
        Ok(recorder.complete())
    }

    async fn grants_of(&self, list: Below) -> Result<Vec<TokenGrant>, ScanError> {
        if !self.organization.is_app() {
            return Err(not_supported(list.operation, "only a GitHub App may list these"));
        }
        self.list(list).await
    }

    pub(super) async fn authorized_credentials(
        &self,
        mut recorder: Recorder<'_>,
    ) -> Result<Complete, ScanError> {
        let rows: Vec<Authorization> = self.list(AUTHORIZATIONS).await?;
        let (people, hidden) = self.people().await;
        let mut seen = std::collections::BTreeSet::new();
        for row in &rows {
            let observation = tokens::authorization(self.place(), row, &people);
            // One credential can be authorised more than once.
            if seen.insert(observation.id.clone()) {
                recorder.record(observation);
            }
        }
        note_hidden(&mut recorder, rows.len(), hidden);
        Ok(recorder.complete())
    }
}

/// States that nobody could say who has left, where somebody was named.
pub(super) fn note_hidden(recorder: &mut Recorder<'_>, named: usize, hidden: Option<ScanError>) {
    if let Some(error) = hidden.filter(|_| named > 0) {
        recorder.degrade("owner_standing", error);
    }
}
