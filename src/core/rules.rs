//! Pure judgement: one rule, one file, one line in [`ALL`].
//!
//! A rule sees one subject and answers a [`Verdict`]. It does not loop over the inventory, keep
//! state or read a clock. Where something it needs could not be read it answers `Unknown`, which
//! neither opens nor resolves a finding. Each rule's `//!` header is its documentation:
//! `headcount explain` and the reference pages print that text (see [`docs`]).
//!
//! Start reading at [`judge_record`]: it resolves the settings ([`settings`]) and asks every rule.

use std::collections::BTreeMap;
use std::fmt::Display;

use jiff::Timestamp;

use crate::findings::{Certainty, Severity};
use crate::inventory::{Record, ScopeState};

mod departed;
pub mod docs;
mod idle;
pub mod settings;
mod subject;
#[cfg(test)]
mod tests;
mod validate;
mod window;

mod admin_consent;
mod admin_identity;
mod ai_key_without_owner;
mod broad_federated_trust;
mod broken_federation;
mod coverage_lost;
mod dangling_grant;
mod expired_credential;
mod expiring_credential;
mod external_trust;
mod insecure_webhook;
mod legacy_token;
mod long_lived_credential;
mod mass_disappearance;
mod multiple_active_secrets;
mod new_credential;
mod new_identity;
mod non_expiring_credential;
mod orphaned_identity;
mod ownerless_identity;
mod privilege_grown;
mod reactivated_identity;
mod resurrected_identity;
mod root_access_key;
mod shared_identity;
mod stale_credential;
mod stale_identity;
mod static_key_in_ci;
mod third_party_app;
mod third_party_grant;
mod token_of_departed_user;
mod unrestricted_api_key;
mod unused_service_account;
mod weak_owner;

pub use settings::{Override, Resolved, RuleConfig, RuleSettings, Selector, glob};
pub use subject::Subject;
pub use validate::nearest;

/// Every rule, sorted by id.
pub static ALL: &[&dyn Rule] = &[
    &admin_consent::AdminConsent,
    &admin_identity::AdminIdentity,
    &ai_key_without_owner::AiKeyWithoutOwner,
    &broad_federated_trust::BroadFederatedTrust,
    &broken_federation::BrokenFederation,
    &coverage_lost::CoverageLost,
    &dangling_grant::DanglingGrant,
    &expired_credential::ExpiredCredential,
    &expiring_credential::ExpiringCredential,
    &external_trust::ExternalTrust,
    &insecure_webhook::InsecureWebhook,
    &legacy_token::LegacyToken,
    &long_lived_credential::LongLivedCredential,
    &mass_disappearance::MassDisappearance,
    &multiple_active_secrets::MultipleActiveSecrets,
    &new_credential::NewCredential,
    &new_identity::NewIdentity,
    &non_expiring_credential::NonExpiringCredential,
    &orphaned_identity::OrphanedIdentity,
    &ownerless_identity::OwnerlessIdentity,
    &privilege_grown::PrivilegeGrown,
    &reactivated_identity::ReactivatedIdentity,
    &resurrected_identity::ResurrectedIdentity,
    &root_access_key::RootAccessKey,
    &shared_identity::SharedIdentity,
    &stale_credential::StaleCredential,
    &stale_identity::StaleIdentity,
    &static_key_in_ci::StaticKeyInCi,
    &third_party_app::ThirdPartyApp,
    &third_party_grant::ThirdPartyGrant,
    &token_of_departed_user::TokenOfDepartedUser,
    &unrestricted_api_key::UnrestrictedApiKey,
    &unused_service_account::UnusedServiceAccount,
    &weak_owner::WeakOwner,
];

/// The rule of this id.
#[must_use]
pub fn find(id: &str) -> Option<&'static dyn Rule> {
    ALL.iter().copied().find(|rule| rule.meta().id == id)
}

/// What is fixed about a rule.
#[derive(Debug)]
pub struct Meta {
    /// Names the problem, in kebab case; never changes once shipped.
    pub id: &'static str,
    pub title: &'static str,
    /// The usual severity; single findings may differ as the documentation says.
    pub severity: Severity,
    pub judges: Judges,
    /// OWASP Non-Human Identities Top 10 ids, e.g. `NHI1:2025`.
    pub owasp: &'static [&'static str],
    /// Controls that it evidences, e.g. `CIS-Controls-8.1:5.3`.
    pub controls: &'static [&'static str],
    /// The settings it reads, with their defaults.
    pub settings: &'static [Setting],
    /// The rule's own source; its leading `//!` lines are the documentation.
    pub source: &'static str,
}

/// What a rule looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judges {
    Records,
    /// The coverage of scopes.
    Scopes,
}

/// A threshold that configuration may change, for the whole rule or for a selector.
#[derive(Debug)]
pub enum Setting {
    Days {
        default: u32,
        about: &'static str,
    },
    /// For how long an event is reported, beside a threshold in `Days`.
    ReportDays {
        default: u32,
        about: &'static str,
    },
    MinConfidence {
        default: u8,
        about: &'static str,
    },
    TrustedAccounts {
        about: &'static str,
    },
    TrustedApps {
        about: &'static str,
    },
}

impl Setting {
    /// The key in the configuration.
    #[must_use]
    pub const fn key(&self) -> &'static str {
        match self {
            Self::Days { .. } => "days",
            Self::ReportDays { .. } => "report_days",
            Self::MinConfidence { .. } => "min_confidence",
            Self::TrustedAccounts { .. } => "trusted_accounts",
            Self::TrustedApps { .. } => "trusted_apps",
        }
    }

    #[must_use]
    pub const fn about(&self) -> &'static str {
        match self {
            Self::Days { about, .. }
            | Self::ReportDays { about, .. }
            | Self::MinConfidence { about, .. }
            | Self::TrustedAccounts { about }
            | Self::TrustedApps { about } => about,
        }
    }

    /// The default as it would stand in the configuration.
    #[must_use]
    pub fn default_text(&self) -> String {
        match self {
            Self::Days { default, .. } | Self::ReportDays { default, .. } => default.to_string(),
            Self::MinConfidence { default, .. } => default.to_string(),
            Self::TrustedAccounts { .. } | Self::TrustedApps { .. } => "[]".to_owned(),
        }
    }
}

/// One rule.
pub trait Rule: Send + Sync {
    fn meta(&self) -> &'static Meta;

    /// Judges one record. Rules that judge [`Judges::Records`] override this one.
    fn judge(&self, _cx: &Context<'_>, _subject: &Subject<'_>) -> Judgement {
        Judgement::steady(Verdict::NotApplicable)
    }

    /// Judges the coverage of one scope. Rules that judge [`Judges::Scopes`] override this one.
    fn judge_scope(&self, _cx: &Context<'_>, _scope: &ScopeState) -> Judgement {
        Judgement::steady(Verdict::NotApplicable)
    }
}

/// What a rule may know besides its subject.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The completion time of the snapshot that is judged.
    pub now: Timestamp,
    /// The rule's settings for this subject, selectors applied.
    pub settings: &'a Resolved,
}

/// A rule's answer on one subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Violation(Violation),
    Clear,
    NotApplicable,
    /// Something it needs could not be read; says what.
    Unknown {
        missing: String,
    },
}

impl Verdict {
    #[must_use]
    pub fn unknown(missing: impl Into<String>) -> Self {
        Self::Unknown { missing: missing.into() }
    }
}

impl From<Violation> for Verdict {
    fn from(violation: Violation) -> Self {
        Self::Violation(violation)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub severity: Severity,
    pub confidence: Certainty,
    /// One sentence without anything that changes from day to day. What it says decides whether
    /// an open finding is news again; facts do not.
    pub title: String,
    pub facts: BTreeMap<String, String>,
}

impl Violation {
    #[must_use]
    pub fn new(severity: Severity, confidence: Certainty, title: String) -> Self {
        Self { severity, confidence, title, facts: BTreeMap::new() }
    }

    /// Adds a fact under a name that stays the same over releases.
    #[must_use]
    pub fn fact(mut self, name: &str, value: impl Display) -> Self {
        self.facts.insert(name.to_owned(), value.to_string());
        self
    }
}

/// A verdict, and the moment at which time alone can change it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    pub verdict: Verdict,
    /// Always later than the `now` of the judgement, so that following it comes to an end.
    pub next_at: Option<Timestamp>,
}

impl Judgement {
    /// A verdict that only new facts can change.
    #[must_use]
    pub fn steady(verdict: impl Into<Verdict>) -> Self {
        Self { verdict: verdict.into(), next_at: None }
    }

    /// A verdict that must be taken again at `at`.
    #[must_use]
    pub fn until(verdict: impl Into<Verdict>, at: Timestamp) -> Self {
        Self { verdict: verdict.into(), next_at: Some(at) }
    }
}

/// What all rules say about one subject.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// One entry for each rule that judges such subjects, in the order of [`ALL`]; a rule that is
    /// switched off for the subject answers `NotApplicable`.
    pub verdicts: Vec<(&'static Meta, Judgement)>,
    /// The first moment at which time alone can change one of them.
    pub next_at: Option<Timestamp>,
}

/// Asks every rule about one record.
#[must_use]
pub fn judge_record(config: &RuleConfig, subject: &Subject<'_>, now: Timestamp) -> Outcome {
    ask(Judges::Records, |rule| {
        let settings = config.for_record(rule.meta(), subject.record);
        settled(now, settings, |cx| rule.judge(cx, subject))
    })
}

/// Asks every rule about the coverage of one scope.
#[must_use]
pub fn judge_scope(config: &RuleConfig, scope: &ScopeState, now: Timestamp) -> Outcome {
    ask(Judges::Scopes, |rule| {
        let settings = config.for_scope(rule.meta(), scope);
        settled(now, settings, |cx| rule.judge_scope(cx, scope))
    })
}

fn ask(judges: Judges, mut answer: impl FnMut(&dyn Rule) -> Judgement) -> Outcome {
    let rules = ALL.iter().filter(|rule| rule.meta().judges == judges);
    let verdicts: Vec<_> = rules.map(|rule| (rule.meta(), answer(*rule))).collect();
    let next_at = verdicts.iter().filter_map(|(_, judgement)| judgement.next_at).min();
    Outcome { verdicts, next_at }
}

/// Applies what configuration says about a rule as a whole: whether it runs, and how loudly.
fn settled(
    now: Timestamp,
    settings: Resolved,
    judge: impl FnOnce(&Context<'_>) -> Judgement,
) -> Judgement {
    if !settings.enabled {
        return Judgement::steady(Verdict::NotApplicable);
    }
    let mut judgement = judge(&Context { now, settings: &settings });
    if let (Verdict::Violation(violation), Some(severity)) =
        (&mut judgement.verdict, settings.severity)
    {
        violation.severity = severity;
    }
    judgement
}

/// Whether a record is counted: people and workloads are kept, not counted.
#[must_use]
pub fn is_counted(record: &Record) -> bool {
    record.observation.class.is_counted()
}
