//! Scopes `members` and `outside-collaborators`, and the question who is still here.

use std::sync::Arc;

use headcount_sdk::{Complete, Recorder, ScanError};

use super::{Below, Collector, below, missing};
use crate::client::error::denied;
use crate::normalize::people::{People, account};
use crate::wire::Account;

const MEMBERS: Below = below("GET /orgs/{org}/members", "/members", None);
const OUTSIDE: Below =
    below("GET /orgs/{org}/outside_collaborators", "/outside_collaborators", None);

impl Collector<'_> {
    pub(super) async fn members(&self, recorder: Recorder<'_>) -> Result<Complete, ScanError> {
        let accounts = self.listed(MEMBERS).await?;
        Ok(self.record_people(&accounts, "member", recorder))
    }

    pub(super) async fn outside_collaborators(
        &self,
        recorder: Recorder<'_>,
    ) -> Result<Complete, ScanError> {
        let accounts = self.listed(OUTSIDE).await?;
        Ok(self.record_people(&accounts, "outside-collaborator", recorder))
    }

    fn record_people(
        &self,
        accounts: &[Account],
        role: &'static str,
        mut recorder: Recorder<'_>,
    ) -> Complete {
        for row in accounts {
            recorder.record(account(self.place(), row, role, &self.config.machine_users));
        }
        recorder.complete()
    }

    async fn listed(&self, list: Below) -> Result<Arc<Vec<Account>>, ScanError> {
        // To others GitHub shows only those who say in public that they belong here.
        if !self.organization.sees_all_members {
            return Err(denied(list.operation));
        }
        self.cx.memo.once(list.tail, self.list(list)).await
    }

    /// Everyone who is still here, or why nobody can say.
    pub(super) async fn people(&self) -> (People, Option<ScanError>) {
        let members = self.listed(MEMBERS).await;
        let outside = match &members {
            Ok(_) => self.listed(OUTSIDE).await,
            Err(error) => Err(error.clone()),
        };
        match (members, outside) {
            (Ok(members), Ok(outside)) => {
                let logins = members.iter().chain(outside.iter());
                let logins = logins.map(|account| account.login.to_ascii_lowercase()).collect();
                (People::Known(logins), None)
            }
            (Err(error), _) | (_, Err(error)) => {
                (People::Hidden { permission: missing(&error) }, Some(error))
            }
        }
    }
}
