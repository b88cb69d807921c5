//! Whether the `rules` section of a configuration makes sense. A setting without effect is
//! refused: whoever wrote it believes that it works.

use super::settings::{Layer, Selector};
use super::{ALL, Judges, Meta, RuleConfig, find};

/// How alike two ids must be to be taken for a slip of the pen, from 0 to 1.
const ALIKE: f64 = 0.75;

impl RuleConfig {
    /// Checks the section against the rules there are.
    ///
    /// # Errors
    /// One sentence per mistake, each beginning with the path of the key.
    pub fn validate(&self) -> Result<(), Vec<String>> {
        let mut mistakes = Vec::new();
        for (id, settings) in &self.0 {
            let path = format!("rules.{id}");
            let Some(rule) = find(id) else {
                mistakes.push(unknown_rule(&path, id));
                continue;
            };
            check_layer(&path, rule.meta(), settings.layer(), &mut mistakes);
            for (index, over) in settings.overrides.iter().enumerate() {
                let path = format!("{path}.overrides[{index}]");
                check_layer(&path, rule.meta(), over.layer(), &mut mistakes);
                check_selector(&path, rule.meta(), &over.selector, &mut mistakes);
            }
        }
        if mistakes.is_empty() { Ok(()) } else { Err(mistakes) }
    }
}

/// The rule id that `id` was probably meant to be.
#[must_use]
pub fn nearest(id: &str) -> Option<&'static str> {
    let id = id.to_lowercase().replace(['_', ' '], "-");
    ALL.iter()
        .map(|rule| (strsim::jaro_winkler(&id, rule.meta().id), rule.meta().id))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, id)| id)
}

fn unknown_rule(path: &str, id: &str) -> String {
    match nearest(id) {
        Some(near) => format!("{path}: there is no such rule; did you mean `{near}`?"),
        None => {
            let known: Vec<_> = ALL.iter().map(|rule| rule.meta().id).collect();
            format!("{path}: there is no such rule; the rules are {}", known.join(", "))
        }
    }
}

fn check_layer(path: &str, meta: &Meta, layer: Layer<'_>, mistakes: &mut Vec<String>) {
    let given = [
        ("days", layer.days.is_some()),
        ("report_days", layer.report_days.is_some()),
        ("min_confidence", layer.min_confidence.is_some()),
        ("trusted_accounts", layer.trusted_accounts.is_some()),
        ("trusted_apps", layer.trusted_apps.is_some()),
    ];
    let reads: Vec<_> = meta.settings.iter().map(super::Setting::key).collect();
    for (key, _) in given.iter().filter(|(key, given)| *given && !reads.contains(key)) {
        let known: Vec<_> =
            ["enabled", "severity"].iter().chain(&reads).map(|key| format!("`{key}`")).collect();
        let id = meta.id;
        mistakes
            .push(format!("{path}.{key}: {id} does not read it; it reads {}", known.join(", ")));
    }
    for (key, days) in [("days", layer.days), ("report_days", layer.report_days)] {
        if days == Some(0) {
            let hint = "must be at least 1; to switch the rule off, set `enabled: false`";
            mistakes.push(format!("{path}.{key}: {hint}"));
        }
    }
    if layer.min_confidence.is_some_and(|percent| percent > 100) {
        mistakes.push(format!("{path}.min_confidence: is a percentage, so at most 100"));
    }
}

fn check_selector(path: &str, meta: &Meta, selector: &Selector, mistakes: &mut Vec<String>) {
    if *selector == Selector::default() {
        mistakes.push(format!("{path}.match: names nothing; give at least one field"));
    }
    let by_record = selector.name.is_some() || !selector.labels.is_empty();
    if meta.judges == Judges::Scopes && by_record {
        let id = meta.id;
        mistakes.push(format!(
            "{path}.match: {id} judges scopes, which have neither `name` nor `labels`"
        ));
    }
}
