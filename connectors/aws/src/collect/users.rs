//! Scope `users`: IAM users, people told from machines, and the root user.

use std::collections::BTreeSet;

use aws_sdk_iam::types::StatusType;
use headcount_sdk::{
    Class, Complete, Expiry, Level, NatureKind, Observation, Privilege, Recorder, ScanError,
    Status, Usage,
};
use jiff::Timestamp;

use super::named::{KNOWN_USERS, Named};
use super::{Collector, Counted, missing, row};
use crate::normalize::authorization::{Holder, User};
use crate::normalize::{
    KEY_RESOLUTION_SECS, KEY_TRACKING_BEGAN, LAG_SECS, evidence, nature, not_observable, owner,
};
use crate::report::{Report, Row, Use};

const BULK: &str = "iam:GetAccountAuthorizationDetails";
const REPORT: &str = "iam:GetCredentialReport";

/// Fields that come from the credential report.
const FROM_REPORT: &[&str] = &[
    "usage",
    // A report that could not be read must not turn a person into a machine.
    "nature",
    "attributes.console_password",
    "attributes.mfa",
    "attributes.active_access_keys",
];

/// What other credentials of users are known in this pass.
enum Others {
    /// Users with an active service-specific credential, by name.
    Known(BTreeSet<String>),
    NotRead(ScanError),
}

impl Collector<'_> {
    /// Reads all users, or those that hints name.
    pub(super) async fn users(
        &self,
        mut recorder: Recorder<'_>,
        named: Option<&Named>,
    ) -> Result<Complete, ScanError> {
        let authorization = self.authorization().await?;
        let read = authorization.users.len() as u64;
        let counted = Counted { name: "Users", read, operation: BULK };
        let count = self.verify_count(&mut recorder, &counted).await?;
        if let Some(count) = count.filter(|_| named.is_none()) {
            // The root user is in no list.
            recorder.expect(count + 1);
        }
        let report = match named {
            None => self.report().await,
            Some(_) => self.stored_report().await,
        };
        match &report {
            Ok(report) => super::date(&mut recorder, report),
            Err(error) => {
                for field in FROM_REPORT {
                    recorder.degrade(field, error.clone());
                }
            }
        }
        let others = self.others(&mut recorder).await;
        let wanted = |user: &&User| named.is_none_or(|named| named.users.contains(&user.holder.id));
        for user in authorization.users.values().filter(wanted) {
            recorder.record(self.user(user, &report, &others));
        }
        let holders = authorization.users.values().map(|user| &user.holder);
        self.keep_known(KNOWN_USERS, holders, named.is_some()).await;
        match named {
            Some(named) => {
                let ids = named.users.iter().map(|id| self.place().user(id)).collect();
                Ok(recorder.complete_for_records(ids))
            }
            None => {
                recorder.record(self.root(&report));
                Ok(recorder.complete())
            }
        }
    }

    async fn others(&self, recorder: &mut Recorder<'_>) -> Others {
        match self.all_service_credentials().await {
            Ok(all) => Others::Known(
                all.credentials
                    .iter()
                    .filter(|credential| credential.status == StatusType::Active)
                    .map(|credential| credential.user_name.clone())
                    .collect(),
            ),
            Err(error) => {
                recorder.degrade("usage", error.clone());
                Others::NotRead(error)
            }
        }
    }

    fn user(
        &self,
        user: &User,
        report: &Result<std::sync::Arc<Report>, ScanError>,
        others: &Others,
    ) -> Observation {
        let holder = &user.holder;
        let row = report.as_ref().ok().and_then(|report| row(report, user));
        let nature = nature::judge(&holder.name, &holder.path, &holder.tags, row);
        let class = match nature.kind {
            NatureKind::Person => Class::Principal,
            NatureKind::Machine => Class::Identity,
        };
        let id = self.place().user(&holder.id);
        let mut observation = Observation::new(id, class, "iam-user", &holder.name);
        observation.nature = Some(nature);
        self.fill(&mut observation, holder, None);
        observation.usage = not_observable("not in the credential report, which is older");
        match (report, row) {
            (Ok(report), Some(row)) => {
                observation.usage = usage(user, row);
                self.doubt(&mut observation, user, row, others);
                describe(&mut observation, row);
                observation.evidence.push(evidence(REPORT, &holder.arn, report.generated_at));
            }
            (Ok(_), None) => {}
            (Err(error), _) => unread(&mut observation, error),
        }
        if !user.groups.is_empty() {
            observation.attributes.insert("groups".to_owned(), user.groups.join(","));
        }
        observation
    }

    /// Password and access keys are all that the report knows of. A user who works with
    /// something else would look unused.
    fn doubt(&self, observation: &mut Observation, user: &User, row: &Row, others: &Others) {
        if !matches!(observation.usage, Usage::NeverSince { .. }) {
            return;
        }
        let reason = match others {
            _ if row.certificates.iter().any(|certificate| certificate.active) => {
                "it has a signing certificate, whose use AWS does not record"
            }
            Others::Known(users) if users.contains(&user.holder.name) => {
                "it has a service-specific credential, whose use AWS does not record"
            }
            Others::NotRead(error) => {
                observation.unread.insert("usage".to_owned(), missing(error));
                "its service-specific credentials could not be read"
            }
            _ => return,
        };
        observation.usage = not_observable(reason);
    }

    /// What users and roles have in common.
    pub(super) fn fill(
        &self,
        observation: &mut Observation,
        holder: &Holder,
        description: Option<&str>,
    ) {
        observation.native.clone_from(&holder.arn);
        observation.status = Status::Active;
        observation.created_at = Some(holder.created_at);
        observation.expiry = Expiry::NotApplicable;
        observation.privilege = Some(holder.privilege());
        observation.owner_evidence =
            owner::evidence(self.tag_keys, &holder.tags, &holder.path, description);
        observation.purpose = owner::purpose(self.tag_keys, &holder.tags, description);
        observation.labels.clone_from(&holder.tags);
        observation.attributes.insert("path".to_owned(), holder.path.clone());
        if let Some(boundary) = &holder.boundary {
            observation.attributes.insert("permissions_boundary".to_owned(), boundary.clone());
        }
        observation.evidence.push(evidence(BULK, &holder.arn, self.cx.now));
    }

    fn root(&self, report: &Result<std::sync::Arc<Report>, ScanError>) -> Observation {
        let place = self.place();
        let mut root = Observation::new(place.root_user(), Class::Identity, "root-user", "root");
        root.native = place.root_arn();
        root.status = Status::Active;
        root.expiry = Expiry::NotApplicable;
        root.privilege = Some(Privilege {
            level: Level::Admin,
            reason: "the root user may do everything".to_owned(),
        });
        match report {
            Ok(report) => {
                root.evidence.push(evidence(REPORT, &root.native, report.generated_at));
                match &report.root {
                    Some(row) => {
                        root.created_at = Some(row.created_at);
                        root.usage = row_usage(row, row.created_at);
                        describe(&mut root, row);
                    }
                    None => root.usage = not_observable("the credential report has no root row"),
                }
            }
            Err(error) => {
                unread(&mut root, error);
                root.unread.insert("created_at".to_owned(), missing(error));
            }
        }
        root
    }
}

fn unread(observation: &mut Observation, error: &ScanError) {
    observation.usage = not_observable("the credential report was not read");
    for field in FROM_REPORT {
        observation.unread.insert((*field).to_owned(), missing(error));
    }
}

/// The later of password and keys.
fn usage(user: &User, row: &Row) -> Usage {
    row_usage(row, user.holder.created_at)
}

fn row_usage(row: &Row, created_at: Timestamp) -> Usage {
    let uses = row.keys.iter().map(|key| key.used).chain([row.password_used]);
    let latest = uses
        .filter_map(|used| match used {
            Use::At(at) => Some(at),
            Use::Never | Use::NotSupported => None,
        })
        .max();
    match latest {
        Some(at) => {
            Usage::LastUsed { at, resolution_secs: KEY_RESOLUTION_SECS, lag_secs: LAG_SECS }
        }
        // Not covered, and there is a password, or may be one.
        None if row.password_used == Use::NotSupported && row.password_enabled != Some(false) => {
            not_observable("the report does not cover its password")
        }
        None => Usage::NeverSince {
            tracking_start: created_at.max(KEY_TRACKING_BEGAN),
            lag_secs: LAG_SECS,
        },
    }
}

fn describe(observation: &mut Observation, row: &Row) {
    let mut set = |name: &str, value: String| {
        observation.attributes.insert(name.to_owned(), value);
    };
    if let Some(enabled) = row.password_enabled {
        set("console_password", enabled.to_string());
    }
    set("mfa", row.mfa.to_string());
    set("active_access_keys", row.keys.iter().filter(|key| key.active).count().to_string());
}
