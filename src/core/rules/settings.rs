//! What configuration may change about rules, and what holds for one subject in the end.
//!
//! Three layers, each over the one before: the rule's own defaults, the rule's section, and the
//! overrides whose selector matches, in their order. Whether a configuration makes sense is asked
//! once, at the start ([`RuleConfig::validate`]); resolving never fails.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Meta, Setting};
use crate::findings::Severity;
use crate::inventory::{Record, ScopeState};

/// The `rules` section of the configuration: settings by rule id.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct RuleConfig(pub BTreeMap<String, RuleSettings>);

/// One rule's section of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RuleSettings {
    /// Switch the rule off with `false`.
    pub enabled: Option<bool>,
    /// Report at this severity instead of the rule's own.
    pub severity: Option<Severity>,
    /// The rule's threshold in whole days, where it has one.
    pub days: Option<u32>,
    /// For how many days an event is reported, where the rule's `days` mean something else.
    pub report_days: Option<u32>,
    /// Least confidence in percent, where the rule has such a threshold.
    pub min_confidence: Option<u8>,
    /// Accounts outside the organisation that may be trusted, where the rule looks at trust: the
    /// account alone (`123456789012`) or with its system (`aws:123456789012`).
    pub trusted_accounts: Option<Vec<String>>,
    /// Apps of others that may be installed or consented to, by their slug (`renovate`), their id of
    /// an app or their handle, where the rule looks at apps.
    pub trusted_apps: Option<Vec<String>>,
    /// Other thresholds for some records; the last selector that matches wins.
    pub overrides: Vec<Override>,
}

/// Thresholds for the records that a selector picks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Override {
    #[serde(rename = "match")]
    pub selector: Selector,
    pub enabled: Option<bool>,
    pub severity: Option<Severity>,
    pub days: Option<u32>,
    pub report_days: Option<u32>,
    pub min_confidence: Option<u8>,
    pub trusted_accounts: Option<Vec<String>>,
    pub trusted_apps: Option<Vec<String>>,
}

/// Picks records; every field that is given must match. `*` in a pattern stands for any text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Selector {
    /// Pattern on the name of the source.
    pub source: Option<String>,
    /// Pattern on the record kind, e.g. `access-key`; on the scope kind where a rule judges scopes.
    pub kind: Option<String>,
    /// Pattern on the name.
    pub name: Option<String>,
    /// Pattern on the place, e.g. `aws:123456789012`.
    pub place: Option<String>,
    /// Tags that must be there with these values (patterns).
    pub labels: BTreeMap<String, String>,
}

/// A rule's settings for one subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    pub enabled: bool,
    /// Set only by configuration; otherwise the rule decides.
    pub severity: Option<Severity>,
    /// 0 where the rule has no such threshold.
    pub days: u32,
    /// 0 where the rule has no such threshold.
    pub report_days: u32,
    /// 0 where the rule has no such threshold.
    pub min_confidence: u8,
    pub trusted_accounts: Vec<String>,
    pub trusted_apps: Vec<String>,
}

impl Resolved {
    /// What holds when nothing is configured.
    #[must_use]
    pub fn defaults(meta: &Meta) -> Self {
        let mut resolved = Self {
            enabled: true,
            severity: None,
            days: 0,
            report_days: 0,
            min_confidence: 0,
            trusted_accounts: Vec::new(),
            trusted_apps: Vec::new(),
        };
        for setting in meta.settings {
            match setting {
                Setting::Days { default, .. } => resolved.days = *default,
                Setting::ReportDays { default, .. } => resolved.report_days = *default,
                Setting::MinConfidence { default, .. } => resolved.min_confidence = *default,
                Setting::TrustedAccounts { .. } | Setting::TrustedApps { .. } => {}
            }
        }
        resolved
    }

    /// The day threshold as a span of absolute time.
    #[must_use]
    pub fn span(&self) -> SignedDuration {
        whole_days(self.days)
    }

    /// For how long an event is reported, as a span of absolute time.
    #[must_use]
    pub fn report_span(&self) -> SignedDuration {
        whole_days(self.report_days)
    }

    fn apply(&mut self, layer: Layer<'_>) {
        self.enabled = layer.enabled.unwrap_or(self.enabled);
        self.severity = layer.severity.or(self.severity);
        self.days = layer.days.unwrap_or(self.days);
        self.report_days = layer.report_days.unwrap_or(self.report_days);
        self.min_confidence = layer.min_confidence.unwrap_or(self.min_confidence);
        if let Some(accounts) = layer.trusted_accounts {
            self.trusted_accounts = accounts.clone();
        }
        if let Some(apps) = layer.trusted_apps {
            self.trusted_apps = apps.clone();
        }
    }
}

fn whole_days(days: u32) -> SignedDuration {
    SignedDuration::from_hours(24 * i64::from(days))
}

/// What a rule's section and its overrides have in common.
#[derive(Clone, Copy)]
pub(super) struct Layer<'a> {
    pub enabled: Option<bool>,
    pub severity: Option<Severity>,
    pub days: Option<u32>,
    pub report_days: Option<u32>,
    pub min_confidence: Option<u8>,
    pub trusted_accounts: Option<&'a Vec<String>>,
    pub trusted_apps: Option<&'a Vec<String>>,
}

impl RuleSettings {
    pub(super) fn layer(&self) -> Layer<'_> {
        Layer {
            enabled: self.enabled,
            severity: self.severity,
            days: self.days,
            report_days: self.report_days,
            min_confidence: self.min_confidence,
            trusted_accounts: self.trusted_accounts.as_ref(),
            trusted_apps: self.trusted_apps.as_ref(),
        }
    }
}

impl Override {
    pub(super) fn layer(&self) -> Layer<'_> {
        Layer {
            enabled: self.enabled,
            severity: self.severity,
            days: self.days,
            report_days: self.report_days,
            min_confidence: self.min_confidence,
            trusted_accounts: self.trusted_accounts.as_ref(),
            trusted_apps: self.trusted_apps.as_ref(),
        }
    }
}

/// The sides of a subject that a selector can look at.
struct Sides<'a> {
    source: &'a str,
    kind: &'a str,
    place: &'a str,
    name: Option<&'a str>,
    labels: Option<&'a BTreeMap<String, String>>,
}

impl RuleConfig {
    /// What holds for one record.
    #[must_use]
    pub fn for_record(&self, meta: &Meta, record: &Record) -> Resolved {
        self.resolve(
            meta,
            &Sides {
                source: &record.source,
                kind: &record.observation.kind,
                place: &record.scope.place,
                name: Some(&record.observation.name),
                labels: Some(&record.observation.labels),
            },
        )
    }

    /// What holds for one scope. It has neither name nor labels, so selectors on them never match.
    #[must_use]
    pub fn for_scope(&self, meta: &Meta, scope: &ScopeState) -> Resolved {
        self.resolve(
            meta,
            &Sides {
                source: &scope.source,
                kind: &scope.scope.kind,
                place: &scope.scope.place,
                name: None,
                labels: None,
            },
        )
    }

    fn resolve(&self, meta: &Meta, sides: &Sides<'_>) -> Resolved {
        let mut resolved = Resolved::defaults(meta);
        if let Some(settings) = self.0.get(meta.id) {
            resolved.apply(settings.layer());
            for over in settings.overrides.iter().filter(|o| o.selector.matches(sides)) {
                resolved.apply(over.layer());
            }
        }
        resolved
    }
}

impl Selector {
    fn matches(&self, sides: &Sides<'_>) -> bool {
        let fits = |pattern: &Option<String>, side: Option<&str>| match (pattern, side) {
            (None, _) => true,
            (Some(pattern), Some(text)) => glob(pattern, text),
            (Some(_), None) => false,
        };
        let labelled = |(key, pattern): (&String, &String)| {
            sides.labels.and_then(|l| l.get(key)).is_some_and(|value| glob(pattern, value))
        };
        fits(&self.source, Some(sides.source))
            && fits(&self.kind, Some(sides.kind))
            && fits(&self.place, Some(sides.place))
            && fits(&self.name, sides.name)
            && self.labels.iter().all(labelled)
    }
}

/// Whether `text` fits `pattern`, in which `*` stands for any text, none included.
///
/// On a mismatch only the last `*` has to take one more byte: whatever an earlier one could still
/// take, the last one can take as well. So the time is bounded by the product of the lengths.
#[must_use]
pub fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut last_star = None;
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            last_star = Some((p, t));
            p += 1;
        } else if pattern.get(p) == Some(&text[t]) {
            p += 1;
            t += 1;
        } else if let Some((star, taken)) = last_star {
            last_star = Some((star, taken + 1));
            p = star + 1;
            t = taken + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}
