//! Proves each permission with the first call that a scan would make of it.

use headcount_sdk::{Probe, ProbeOutcome, ScanError};

use super::{Collector, parse, row};
use crate::client::{Account, ReportAnswer, permission};
use crate::config::Accounts;
use crate::normalize::authorization::{Assembly, User};
use crate::report::Row;

/// Accounts that are tried; the reader role is the same in all of them.
pub(crate) const PLACES: usize = 20;

/// What listing the places has proven already.
pub(crate) fn opened(accounts: &Accounts) -> Vec<Probe> {
    let operations: &[&'static str] = match accounts {
        Accounts::Ambient => &["sts:GetCallerIdentity"],
        Accounts::Roles(_) => &[],
        Accounts::Organization(_) => &["sts:GetCallerIdentity", "organizations:ListAccounts"],
    };
    operations.iter().map(|operation| probe("aws", operation, ProbeOutcome::Granted)).collect()
}

/// What reading the queue of events has shown. The other permissions cannot be tried without
/// taking a message away.
pub(crate) fn events(received: Result<(), ScanError>) -> Vec<Probe> {
    let outcome = received.map_or_else(ProbeOutcome::Failed, |()| ProbeOutcome::Granted);
    let waits = || ProbeOutcome::NotTried("it is tried with the first event".to_owned());
    vec![
        probe("aws", "sqs:ReceiveMessage", outcome),
        probe("aws", "sqs:DeleteMessageBatch", waits()),
        probe("aws", "s3:GetObject", waits()),
    ]
}

/// A place, or all of them, that could not be opened.
pub(crate) fn failed(place: &str, error: ScanError) -> Probe {
    let operation = error.operation().to_owned();
    Probe {
        place: place.to_owned(),
        permission: match &error {
            ScanError::Denied { permission, .. } => permission.clone(),
            _ => operation.clone(),
        },
        operation,
        outcome: ProbeOutcome::Failed(error),
    }
}

fn probe(place: &str, operation: &'static str, outcome: ProbeOutcome) -> Probe {
    Probe {
        place: place.to_owned(),
        operation: operation.to_owned(),
        permission: permission(operation).to_owned(),
        outcome,
    }
}

/// The probes of one account.
struct Probes {
    place: String,
    all: Vec<Probe>,
}

impl Probes {
    /// Notes the outcome of a call, and hands its answer on.
    fn tried<T>(&mut self, operation: &'static str, answer: Result<T, ScanError>) -> Option<T> {
        let (answer, outcome) = match answer {
            Ok(answer) => (Some(answer), ProbeOutcome::Granted),
            // It was let in, and found nothing there.
            Err(ScanError::NotSupported { .. }) => (None, ProbeOutcome::Granted),
            Err(error) => (None, ProbeOutcome::Failed(error)),
        };
        self.all.push(probe(&self.place, operation, outcome));
        answer
    }

    fn not_tried(&mut self, operation: &'static str, why: &str) {
        self.all.push(probe(&self.place, operation, ProbeOutcome::NotTried(why.to_owned())));
    }
}

/// The name of a user who holds a key, as far as the report tells, else of any.
fn best(users: &[User], report: Option<ReportAnswer>) -> Option<String> {
    let report = match report {
        Some(ReportAnswer::Ready { content, generated_at }) => parse(&content, generated_at).ok(),
        _ => None,
    };
    let holds_key = |user: &&User| {
        report.as_ref().and_then(|report| row(report, user)).is_some_and(Row::shows_keys)
    };
    users.iter().find(holds_key).or(users.first()).map(|user| user.holder.name.clone())
}

impl Collector<'_> {
    pub(crate) async fn check(&self) -> Vec<Probe> {
        let account: &Account = &self.account;
        let mut probes = Probes { place: self.place().to_string(), all: Vec::new() };
        probes.tried("iam:GetAccountSummary", account.summary().await);
        let users = self.check_details(&mut probes).await;
        probes.tried("iam:GenerateCredentialReport", account.generate_report().await);
        let report = probes.tried("iam:GetCredentialReport", account.credential_report().await);
        let user = best(&users, report);
        probes.tried("iam:ListRoles", account.roles().await);
        let key = match &user {
            Some(user) => {
                let keys = probes.tried("iam:ListAccessKeys", account.access_keys(user).await);
                probes
                    .tried("iam:ListSigningCertificates", account.signing_certificates(user).await);
                probes.tried("iam:ListSSHPublicKeys", account.ssh_public_keys(user).await);
                keys.unwrap_or_default().into_iter().find_map(|key| key.access_key_id)
            }
            None => {
                for operation in
                    ["iam:ListAccessKeys", "iam:ListSigningCertificates", "iam:ListSSHPublicKeys"]
                {
                    probes.not_tried(operation, "the account has no user to try it on");
                }
                None
            }
        };
        match key {
            Some(key) => {
                probes.tried("iam:GetAccessKeyLastUsed", account.access_key_used(&key).await);
            }
            None => {
                probes.not_tried("iam:GetAccessKeyLastUsed", "no access key at hand to try it on")
            }
        }
        let all = account.service_specific_credentials(None).await;
        probes.tried("iam:ListServiceSpecificCredentials", all);
        self.check_providers(&mut probes).await;
        probes.tried("iam:ListServerCertificates", account.server_certificates().await);
        probes.all
    }

    /// Users of the first page, on whom the calls per user can be tried.
    async fn check_details(&self, probes: &mut Probes) -> Vec<User> {
        let page = self.account.authorization_page(None).await;
        let page = probes.tried("iam:GetAccountAuthorizationDetails", page);
        let mut assembly = Assembly::default();
        match page.map(|page| assembly.take(page)) {
            Some(Ok(())) => assembly.finish().users.into_values().collect(),
            Some(Err(_)) | None => Vec::new(),
        }
    }

    async fn check_providers(&self, probes: &mut Probes) {
        let account: &Account = &self.account;
        let oidc = probes.tried("iam:ListOpenIDConnectProviders", account.oidc_providers().await);
        match oidc.unwrap_or_default().first() {
            Some(arn) => {
                probes.tried("iam:GetOpenIDConnectProvider", account.oidc_provider(arn).await);
            }
            None => probes.not_tried("iam:GetOpenIDConnectProvider", "there is no OIDC provider"),
        }
        let saml = probes.tried("iam:ListSAMLProviders", account.saml_providers().await);
        match saml.unwrap_or_default().iter().find_map(|entry| entry.arn()) {
            Some(arn) => {
                probes.tried("iam:GetSAMLProvider", account.saml_provider(arn).await);
            }
            None => probes.not_tried("iam:GetSAMLProvider", "there is no SAML provider"),
        }
    }
}
