//! ## What it does
//! Reports an identity that has had two or more credentials of one kind side by side for more than
//! `days` days.
//!
//! ## Why it matters
//! Two are needed while one replaces the other. A pair that stays is a rotation that nobody ended:
//! the old one still works, wherever it lies. It is also how somebody who broke in stays in: they
//! add a secret of their own, and the application goes on as before.
//!
//! ## How it is found
//! The credentials that belong to an identity are counted by kind: access keys of an AWS user,
//! secrets and certificates of an application of Entra, tokens of a GitLab agent for Kubernetes, keys
//! of a Google service account, keys of a service app of Okta, key pairs of a user of Snowflake. The
//! time side by side begins when the second of them was made; what is switched off or has expired
//! does not count. Exactly `days` days is not yet too long. Fields: `parent`, `status`, `expiry`, `created_at`, `first_seen_at`.
//!
//! ## Not reported
//! - Identities of which it depends on a credential whose status or expiry could not be read: the
//!   verdict is "unknown".
//! - Tokens with scopes of their own, of which several are often better than one, and secret ids of
//!   Vault, of which each client has its own.
//! - Credentials of people, of repositories and of nobody; federated trust, which holds no secret.
//! - Tokens of Kubernetes service accounts (see `legacy-token`), and the root user's keys (see
//!   `root-access-key`).
//! - Two that are used for two purposes on purpose: accept the finding, or give each an identity.
//!
//! ## Severity
//! Low; medium for an identity that is or can make itself an administrator. The confidence is high;
//! medium if a source does not tell when one was made, or whether all of them work.
//!
//! ## Fix
//! See which one is in use, delete the others. If nobody knows where one came from, treat it as an
//! intruder's: switch it off first and look at what it was used for.
//!
//! ### CLI
//! ```sh
//! aws iam list-access-keys --user-name USER
//! aws iam update-access-key --user-name USER --access-key-id OLD_KEY_ID --status Inactive
//! az ad app credential list --id APP_ID
//! az ad app credential delete --id APP_ID --key-id OLD_KEY_ID
//! gcloud iam service-accounts keys list --iam-account=EMAIL --managed-by=user
//! ```
//!
//! ### Terraform
//! ```hcl
//! # one block for one secret; a rotation replaces it
//! resource "azuread_application_password" "name" {
//!   application_id      = azuread_application.name.id
//!   rotate_when_changed = { at = time_rotating.secret.id }
//! }
//! ```

use std::collections::{BTreeMap, BTreeSet};

use headcount_sdk::model::{Expiry, Status};
use jiff::Timestamp;

use super::subject::{attribute, kind, listed};
use super::window::past_at;
use super::{Context, Judgement, Judges, Meta, Rule, Setting, Subject, Verdict};
use crate::findings::{Certainty, Severity};
use crate::inventory::Record;

static META: Meta = Meta {
    id: "multiple-active-secrets",
    title: "Several active secrets of one identity",
    severity: Severity::Low,
    judges: Judges::Records,
    owasp: &["NHI7:2025"],
    controls: &[
        "CIS-AWS-7.0:2.12",
        "ISO-27001-2022:A.5.17",
        "NIST-800-53r5:IA-5",
        "PCI-DSS-4.0.1:8.6.3",
        "SOC2:CC6.1",
    ],
    settings: &[Setting::Days {
        default: 14,
        about: "How long two may be active side by side: the time for a rotation.",
    }],
    source: include_str!("multiple_active_secrets.rs"),
};

pub(super) struct MultipleActiveSecrets;

impl Rule for MultipleActiveSecrets {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn judge(&self, cx: &Context<'_>, subject: &Subject<'_>) -> Judgement {
        if !subject.is_identity() || subject.is_root() || subject.is_system() {
            return Judgement::steady(Verdict::NotApplicable);
        }
        let verdict = verdict(cx, subject, cx.now);
        let changes = |at: &Timestamp| self::verdict(cx, subject, *at) != verdict;
        let next_at = moments(cx, subject).into_iter().find(changes);
        Judgement { verdict, next_at }
    }
}

/// The moments to come at which one ends or has been there for too long.
fn moments(cx: &Context<'_>, subject: &Subject<'_>) -> BTreeSet<Timestamp> {
    let secrets = subject.around.children.iter().filter(|child| is_secret(child));
    let moments = secrets.flat_map(|secret| {
        let end = match secret.observation.expiry {
            Expiry::At { at } => Some(at).filter(|at| *at > cx.now),
            Expiry::Never | Expiry::NotApplicable | Expiry::Unknown => None,
        };
        [end, past_at(made_at(secret), cx.settings.span(), cx.now)]
    });
    moments.flatten().collect()
}

/// The verdict as it is at `now`, if nothing else changes until then.
fn verdict(cx: &Context<'_>, subject: &Subject<'_>, now: Timestamp) -> Verdict {
    if subject.usable().is_none() {
        return Verdict::Clear;
    }
    let mut groups: BTreeMap<Sort<'_>, Group<'_>> = BTreeMap::new();
    for child in subject.around.children.iter().filter(|child| is_secret(child)) {
        groups.entry(Sort::of(child)).or_default().add(child, now);
    }
    let long: Vec<Long<'_>> = groups
        .iter()
        .filter_map(|(sort, group)| Some((sort.kind, group, group.doubled_at()?)))
        .filter(|(_, _, since)| past_at(*since, cx.settings.span(), now).is_none())
        .collect();
    match long.is_empty() {
        true => unread(&groups).unwrap_or(Verdict::Clear),
        false => violation(cx, subject, &long),
    }
}

/// A kind, what works of it, and since when there are two.
type Long<'a> = (&'a str, &'a Group<'a>, Timestamp);

/// What makes two credentials stand in for each other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Sort<'a> {
    kind: &'a str,
    variant: Option<&'a str>,
    /// A certificate that signs does not replace one that encrypts.
    purpose: Option<&'a str>,
}

impl<'a> Sort<'a> {
    fn of(record: &'a Record) -> Self {
        let attribute = |name: &str| record.observation.attributes.get(name).map(String::as_str);
        Self {
            kind: &record.observation.kind,
            variant: attribute("type"),
            purpose: attribute("use"),
        }
    }
}

/// Credentials of one sort that work.
#[derive(Default)]
struct Group<'a> {
    active: Vec<&'a Record>,
    /// Nobody can say whether these work.
    unread: Vec<&'a Record>,
}

impl<'a> Group<'a> {
    fn add(&mut self, record: &'a Record, now: Timestamp) {
        let seen = &record.observation;
        let is_over = matches!(seen.expiry, Expiry::At { at } if at <= now);
        let is_unread = |field: &str| seen.unread.contains_key(field);
        if seen.status == Status::Disabled && !is_unread("status") {
            return;
        }
        match is_unread("status") || is_unread("expiry") {
            true => self.unread.push(record),
            false if is_over => {}
            false => self.active.push(record),
        }
    }

    /// Since when there are two; the times at which each was made, or first seen.
    fn doubled_at(&self) -> Option<Timestamp> {
        let mut made: Vec<Timestamp> = self.active.iter().map(|record| made_at(record)).collect();
        made.sort_unstable();
        made.get(1).copied()
    }

    fn certainty(&self) -> Certainty {
        let is_stated = |record: &&Record| {
            record.observation.status == Status::Active && record.observation.created_at.is_some()
        };
        if self.active.iter().all(is_stated) { Certainty::High } else { Certainty::Medium }
    }
}

fn made_at(record: &Record) -> Timestamp {
    record.observation.created_at.unwrap_or(record.first_seen_at)
}

/// Whether it is a secret that another one of its sort could stand in for.
fn is_secret(record: &Record) -> bool {
    let around = Default::default();
    let subject = Subject { record, parent: None, around: &around };
    let own_power = subject.attribute(attribute::SCOPES).is_some();
    let per_client = subject.attribute(attribute::PER_CLIENT) == Some("true");
    subject.is_credential()
        && record.observation.expiry != Expiry::NotApplicable
        && !(own_power || per_client || subject.is_short_lived())
        && !subject.is_one_of(&kind::PROVIDERS)
        && !subject.is_one_of(&kind::REQUESTS)
        && !subject.is_one_of(&kind::CI_SECRETS)
        && !subject.is_one_of(&kind::TOKENS)
        && !subject.is_kind(kind::SERVICE_ACCOUNT_TOKEN)
}

/// That there are several needs no proof that all could be read; that there are not, does.
fn unread(groups: &BTreeMap<Sort<'_>, Group<'_>>) -> Option<Verdict> {
    let group = groups
        .values()
        .find(|group| !group.unread.is_empty() && group.active.len() + group.unread.len() > 1)?;
    let record = group.unread.first()?;
    Some(Verdict::unknown(format!("status or expiry of {}", record.id())))
}

fn violation(cx: &Context<'_>, subject: &Subject<'_>, long: &[Long<'_>]) -> Verdict {
    let severity = if subject.is_powerful() { Severity::Medium } else { META.severity };
    let certainties = long.iter().map(|(_, group, _)| group.certainty()).chain(subject.usable());
    let certainty = certainties.min().unwrap_or(Certainty::Medium);
    let counts: Vec<String> = long
        .iter()
        .map(|(kind, group, _)| format!("{} of kind {kind}", group.active.len()))
        .collect();
    let title = format!(
        "{} has several active secrets side by side: {}",
        subject.label(),
        listed(counts.iter().map(String::as_str))
    );
    let secrets = long.iter().flat_map(|(_, group, _)| &group.active);
    let violation = subject
        .violation(severity, certainty, title)
        .fact("secrets", listed(secrets.map(|record| record.id().as_str())))
        .fact("threshold_days", cx.settings.days);
    match long.iter().map(|(_, _, since)| *since).min() {
        Some(since) => violation.fact("side_by_side_since", since).into(),
        None => violation.into(),
    }
}
