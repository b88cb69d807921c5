//! One file per scope, and here what they share: bulk answers read once per pass, the cache, the
//! independent count, and how many calls a sweep may spend.

pub(crate) mod access_keys;
pub(crate) mod check;
pub(crate) mod grants;
pub(crate) mod named;
pub(crate) mod per_user;
pub(crate) mod providers;
pub(crate) mod roles;
pub(crate) mod server_certificates;
pub(crate) mod service_credentials;
pub(crate) mod signing_certificates;
pub(crate) mod ssh_keys;
pub(crate) mod users;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use headcount_sdk::{Complete, Pass, Recorder, ScanContext, ScanError};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::client::{Account, ReportAnswer, malformed};
use crate::id::Place;
use crate::normalize::authorization::{Assembly, Authorization, User};
use crate::normalize::owner::TagKeys;
use crate::report::{self, Report, Row};

/// AWS builds a credential report at most every four hours.
const REPORT_AGE: SignedDuration = SignedDuration::from_hours(4);

/// Calls that every scan may make whatever the size of the account: 16, less the one that opens
/// it (GetCallerIdentity or AssumeRole).
const FIXED: u64 = 15;

/// Hourly scans in a week: how often a rolling sweep comes around.
const WEEK: u64 = 168;

/// What a role has beside the bulk details.
#[derive(Clone, Debug)]
pub(crate) struct Described {
    pub(crate) description: Option<String>,
    pub(crate) max_session: Option<i32>,
}

/// Reads the scopes of one account in one pass.
pub(crate) struct Collector<'a> {
    pub(crate) cx: &'a ScanContext,
    pub(crate) account: Arc<Account>,
    pub(crate) tag_keys: &'a TagKeys,
    /// Accounts of the organisation, where it was listed.
    pub(crate) members: Option<BTreeSet<String>>,
    /// Calls in flight that the governor lets through.
    pub(crate) concurrency: usize,
}

impl Collector<'_> {
    pub(crate) fn place(&self) -> &Place {
        &self.account.place
    }

    pub(crate) async fn observe(
        &self,
        kind: &str,
        recorder: Recorder<'_>,
    ) -> Result<Complete, ScanError> {
        match kind {
            "users" => self.users(recorder, None).await,
            "roles" => self.roles(recorder, None).await,
            "grants" => self.grants(recorder, None).await,
            "access-keys" => self.access_keys(recorder).await,
            "signing-certificates" => self.signing_certificates(recorder).await,
            "service-specific-credentials" => self.service_credentials(recorder, None).await,
            "ssh-public-keys" => self.ssh_keys(recorder).await,
            "oidc-providers" => self.oidc_providers(recorder).await,
            "saml-providers" => self.saml_providers(recorder).await,
            "server-certificates" => self.server_certificates(recorder).await,
            other => Err(ScanError::NotSupported {
                operation: "observe".to_owned(),
                reason: format!("there is no scope {other}"),
            }),
        }
    }

    pub(crate) async fn authorization(&self) -> Result<Arc<Authorization>, ScanError> {
        self.cx
            .memo
            .once("authorization", async {
                let mut assembly = Assembly::default();
                self.account.authorization_details(&mut |page| assembly.take(page)).await?;
                Ok(assembly.finish())
            })
            .await
    }

    /// The credential report, built anew when the stored one is too old.
    pub(crate) async fn report(&self) -> Result<Arc<Report>, ScanError> {
        self.cx.memo.once("report", self.read_report()).await
    }

    /// The credential report as it stands: an event does not wait for another one.
    pub(crate) async fn stored_report(&self) -> Result<Arc<Report>, ScanError> {
        let read = async {
            match self.account.credential_report().await? {
                ReportAnswer::Ready { content, generated_at } => parse(&content, generated_at),
                ReportAnswer::Building | ReportAnswer::Missing => Err(ScanError::Unavailable {
                    operation: "iam:GetCredentialReport".to_owned(),
                    reason: "none is stored".to_owned(),
                }),
            }
        };
        self.cx.memo.once("stored report", read).await
    }

    async fn read_report(&self) -> Result<Report, ScanError> {
        let mut stored = None;
        let mut building = false;
        match self.account.credential_report().await? {
            ReportAnswer::Ready { content, generated_at } => {
                let report = parse(&content, generated_at)?;
                if generated_at + REPORT_AGE > self.cx.now {
                    return Ok(report);
                }
                stored = Some(report);
            }
            ReportAnswer::Building => building = true,
            ReportAnswer::Missing => {}
        }
        let fresh = self.build_report(building).await;
        match (fresh, stored) {
            (Ok(fresh), _) => Ok(fresh),
            (Err(error), Some(stored)) => Ok(Report { outdated: Some(error), ..stored }),
            (Err(error), None) => Err(error),
        }
    }

    async fn build_report(&self, building: bool) -> Result<Report, ScanError> {
        let mut ready = !building && self.account.generate_report().await?;
        for look in 0..self.account.tuning.report_polls {
            if !std::mem::take(&mut ready) {
                self.account.report_pause(look).await;
            }
            match self.account.credential_report().await? {
                ReportAnswer::Ready { content, generated_at } => {
                    return parse(&content, generated_at);
                }
                ReportAnswer::Building => {}
                ReportAnswer::Missing => break,
            }
        }
        Err(ScanError::Unavailable {
            operation: "iam:GetCredentialReport".to_owned(),
            reason: "AWS has not finished the report yet".to_owned(),
        })
    }

    /// Descriptions by role id.
    pub(crate) async fn descriptions(&self) -> Result<Arc<BTreeMap<String, Described>>, ScanError> {
        self.cx
            .memo
            .once("descriptions", async {
                let roles = self.account.roles().await?.into_iter().map(|role| {
                    if role.role_id.is_empty() {
                        return Err(malformed("iam:ListRoles", "Roles/RoleId"));
                    }
                    let described = Described {
                        description: role.description.filter(|text| !text.trim().is_empty()),
                        max_session: role.max_session_duration,
                    };
                    Ok((role.role_id, described))
                });
                roles.collect()
            })
            .await
    }

    /// Compares what was read with AWS's own count. A list that is shorter, even after a second
    /// look at the count, was not read to its end, whatever it said.
    pub(crate) async fn verify_count(
        &self,
        recorder: &mut Recorder<'_>,
        what: &Counted,
    ) -> Result<Option<u64>, ScanError> {
        let first = self.cx.memo.once("summary", self.account.summary()).await;
        let count = match first.and_then(|counts| what.of(&counts)) {
            Ok(count) => count,
            Err(error) => {
                recorder.degrade("count", error);
                return Ok(None);
            }
        };
        if what.read >= count {
            return Ok(Some(count));
        }
        // Something may have been deleted in between.
        let again = self.cx.memo.once("summary again", self.account.summary()).await;
        match again.and_then(|counts| what.of(&counts)) {
            Ok(count) if what.read >= count => Ok(Some(count)),
            Ok(count) => Err(what.short(count)),
            Err(_) => Err(what.short(count)),
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

    /// Counts a call that something new or changed asked for: it is not paid from the budget of
    /// an unchanged scan.
    pub(crate) async fn for_a_change(&self) -> Result<(), ScanError> {
        self.changes().await?.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    async fn changes(&self) -> Result<Arc<AtomicU64>, ScanError> {
        self.cx.memo.once("calls for changes", async { Ok(AtomicU64::new(0)) }).await
    }

    /// Calls left of this scan's budget, after setting `reserved` aside.
    pub(crate) async fn spare(
        &self,
        authorization: &Authorization,
        reserved: u64,
    ) -> Result<u64, ScanError> {
        let (users, roles) = (authorization.users.len() as u64, authorization.roles.len() as u64);
        let records = users + roles + authorization.policies as u64;
        let budget = FIXED + records.div_ceil(1000) + roles.div_ceil(1000) + weekly(users);
        let changes = self.changes().await?.load(Ordering::Relaxed);
        let spent = self.account.calls().saturating_sub(changes);
        Ok(budget.saturating_sub(spent).saturating_sub(reserved))
    }
}

/// A count of AWS's own, and what was read.
pub(crate) struct Counted {
    /// The name in the account summary.
    pub(crate) name: &'static str,
    pub(crate) read: u64,
    /// The operation that read them.
    pub(crate) operation: &'static str,
}

impl Counted {
    fn of(&self, counts: &BTreeMap<String, u64>) -> Result<u64, ScanError> {
        counts
            .get(self.name)
            .copied()
            .ok_or_else(|| malformed("iam:GetAccountSummary", format!("SummaryMap/{}", self.name)))
    }

    fn short(&self, count: u64) -> ScanError {
        let Self { name, read, operation } = self;
        malformed(operation, format!("{name}: {read} read, {count} counted by GetAccountSummary"))
    }
}

/// Users that one scan of an hourly schedule must visit to see each once a week.
pub(crate) fn weekly(users: u64) -> u64 {
    users.div_ceil(WEEK)
}

/// The report's row of a user, unless it is about a namesake that was deleted since.
pub(crate) fn row<'r>(report: &'r Report, user: &User) -> Option<&'r Row> {
    let row = report.users.get(&user.holder.arn)?;
    same_second(row.created_at, user.holder.created_at).then_some(row)
}

/// The report cuts fractions off that other answers may have.
pub(crate) fn same_second(a: Timestamp, b: Timestamp) -> bool {
    a.as_second() == b.as_second()
}

/// States how old the report is, and why no newer one was to be had: whatever was made since is
/// not in it.
pub(crate) fn date(recorder: &mut Recorder<'_>, report: &Report) {
    recorder.as_of(report.generated_at);
    if let Some(error) = &report.outdated {
        recorder.degrade("freshness", error.clone());
    }
}

/// What a failed enrichment lacks, as observations name it.
pub(crate) fn missing(error: &ScanError) -> String {
    match error {
        ScanError::Denied { permission, .. } => permission.clone(),
        other => other.operation().to_owned(),
    }
}

fn parse(content: &[u8], generated_at: Timestamp) -> Result<Report, ScanError> {
    report::parse(content, generated_at)
        .map_err(|path| malformed("iam:GetCredentialReport", format!("Content: {path}")))
}
