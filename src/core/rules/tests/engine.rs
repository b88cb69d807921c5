//! What holds for all rules: the list, settings, selectors, validation, documentation.
use super::*;
use crate::rules::docs::{self, Section};
use crate::rules::settings::glob;

fn config(json: serde_json::Value) -> RuleConfig {
    serde_json::from_value(json).expect("a configuration")
}

fn mistakes(json: serde_json::Value) -> Vec<String> {
    config(json).validate().expect_err("mistakes")
}

#[test]
fn all_is_sorted_and_without_duplicates() {
    let ids: Vec<_> = ALL.iter().map(|rule| rule.meta().id).collect();
    let sorted: Vec<_> = BTreeSet::from_iter(ids.clone()).into_iter().collect();
    assert_eq!(ids, sorted);
}

#[test]
fn every_rule_documents_itself_in_the_same_sections() {
    for meta in ALL.iter().map(|rule| rule.meta()) {
        let text = docs::text(meta);
        let headings: Vec<_> =
            text.lines().filter(|l| l.starts_with("## ") || l.starts_with("### ")).collect();
        let expected: Vec<_> = Section::ALL.iter().map(|s| s.heading()).collect();
        assert_eq!(headings, expected, "{}", meta.id);
        assert!(text.starts_with("## What it does\n"), "{}", meta.id);
        for section in Section::ALL {
            let body = docs::section(meta, section);
            assert!(!body.is_empty() && !body.contains("##"), "{} {section:?} {body}", meta.id);
        }
        for (section, fence) in [(Section::Cli, "```sh\n"), (Section::Terraform, "```hcl\n")] {
            let body = docs::section(meta, section);
            assert!(body.starts_with(fence) && body.ends_with("```"), "{} {body}", meta.id);
        }
        for setting in meta.settings {
            let named = text.contains(&format!("`{}`", setting.key()));
            assert!(named, "{} does not explain {}", meta.id, setting.key());
        }
    }
}

#[test]
fn documentation_ends_where_the_code_begins() {
    for meta in ALL.iter().map(|rule| rule.meta()) {
        let text = docs::text(meta);
        assert!(!text.contains("use super::"), "{}", meta.id);
        assert!(meta.source.contains(&format!("id: \"{}\"", meta.id)), "{}", meta.id);
    }
}

#[test]
fn every_rule_names_risks_and_controls_that_exist() {
    let families = [
        "CIS-AWS-7.0:",
        "CIS-Controls-8.1:",
        "CSA-CCM-4:",
        "DORA:",
        "FedRAMP-20x:",
        "ISO-27001-2022:",
        "NIS2:",
        "NIST-800-53r5:",
        "NIST-CSF-2.0:",
        "PCI-DSS-4.0.1:",
        "SOC2:",
    ];
    for meta in ALL.iter().map(|rule| rule.meta()) {
        assert!(!meta.controls.is_empty(), "{}", meta.id);
        assert!(meta.controls.is_sorted(), "{}", meta.id);
        for control in meta.controls {
            assert!(families.iter().any(|f| control.starts_with(f)), "{} {control}", meta.id);
        }
        for risk in meta.owasp {
            assert!(docs::owasp_name(risk).is_some(), "{} {risk}", meta.id);
        }
    }
}

#[test]
fn page_opens_with_a_table_of_what_is_fixed() {
    let meta = find("stale-credential").expect("the rule").meta();
    let page = docs::page(meta);
    assert!(page.starts_with("# Credential is no longer used\n\n| | |\n|--|--|\n"), "{page}");
    assert!(page.contains("| Rule | `stale-credential` |\n| Severity | medium |\n"), "{page}");
    assert!(page.contains("| OWASP NHI Top 10 | NHI1:2025 Improper Offboarding |\n"), "{page}");
    assert!(page.contains("| `days` | `90` | The longest idle time"), "{page}");
    assert!(page.contains("\n\n## What it does\nReports credentials"), "{page}");
}

#[test]
fn index_links_every_rule() {
    let index = docs::index();
    for meta in ALL.iter().map(|rule| rule.meta()) {
        assert!(index.contains(&format!("| [`{0}`]({0}.md) | {1} |", meta.id, meta.title)));
    }
}

#[test]
fn every_rule_of_the_kind_answers_and_the_earliest_moment_counts() {
    let case = Case::credential().kept(|r| r.origin = Origin::Appeared);
    let subject =
        Subject { record: &case.record, parent: case.parent.as_ref(), around: &case.around };
    let outcome = judge_record(&RuleConfig::default(), &subject, case.now);
    let asked: Vec<_> = outcome.verdicts.iter().map(|(meta, _)| meta.id).collect();
    let of_kind = ALL.iter().map(|r| r.meta()).filter(|m| m.judges == Judges::Records);
    assert_eq!(asked, of_kind.map(|m| m.id).collect::<Vec<_>>());
    assert_eq!(outcome.next_at, Some(day(7)));
}

#[test]
fn rule_that_is_switched_off_does_not_apply() {
    let case = Case::identity().kept(|r| r.owner = None);
    case.set(|s| s.enabled = Some(false)).check("ownerless-identity", "not applicable");
}

#[test]
fn configured_severity_stands_over_the_rules_own() {
    let case = Case::identity()
        .kept(|r| r.owner = None)
        .seen(|o| o.privilege = level(Level::Admin))
        .set(|s| s.severity = Some(Severity::Info));
    case.check("ownerless-identity", "info/high");
}

#[test]
fn last_matching_override_wins_field_by_field() {
    let config = config(serde_json::json!({ "stale-identity": {
        "days": 60, "severity": "low",
        "overrides": [
            { "match": { "kind": "iam-*" }, "days": 30 },
            { "match": { "name": "dep*y", "source": "prod" }, "severity": "critical" },
            { "match": { "labels": { "env": "dev*" } }, "enabled": false },
            { "match": { "place": "aws:999*" }, "days": 1 },
        ],
    }}));
    config.validate().expect("a valid configuration");
    let meta = find("stale-identity").expect("the rule").meta();
    let mut record = Case::identity().record;
    let found = config.for_record(meta, &record);
    assert_eq!((found.enabled, found.days), (true, 30));
    assert_eq!(found.severity, Some(Severity::Critical));
    record.observation.labels.insert("env".to_owned(), "dev-2".to_owned());
    assert!(!config.for_record(meta, &record).enabled);
    record.observation.kind = "app".to_owned();
    assert_eq!(config.for_record(meta, &record).days, 60);
    let other = find("stale-credential").expect("the rule").meta();
    assert_eq!(config.for_record(other, &record), Resolved::defaults(other));
}

#[test]
fn every_field_of_a_selector_must_match() {
    let over = serde_json::json!({ "match": { "name": "deploy", "kind": "app" }, "days": 1 });
    let config = config(serde_json::json!({ "stale-identity": { "overrides": [over] } }));
    let meta = find("stale-identity").expect("the rule").meta();
    assert_eq!(config.for_record(meta, &Case::identity().record).days, 90);
}

#[test]
fn unknown_rule_is_refused_with_the_nearest_one() {
    for (typed, meant) in [
        ("stale-identitty", "stale-identity"),
        ("new_credential", "new-credential"),
        ("Weak-Owner", "weak-owner"),
        ("ownerless", "ownerless-identity"),
    ] {
        let found = mistakes(serde_json::json!({ typed: {} }));
        let expected = format!("rules.{typed}: there is no such rule; did you mean `{meant}`?");
        assert_eq!(found, [expected]);
    }
    let found = mistakes(serde_json::json!({ "xyzzy": {} }));
    assert!(found[0].contains("the rules are ") && found[0].contains("weak-owner"), "{found:?}");
}

#[test]
fn setting_that_a_rule_does_not_read_is_refused() {
    let found = mistakes(serde_json::json!({
        "ownerless-identity": { "days": 3 },
        "stale-identity": { "min_confidence": 3, "overrides": [
            { "match": { "kind": "x" }, "trusted_accounts": ["1"] },
        ]},
        "third-party-app": { "report_days": 3 },
        "weak-owner": { "trusted_apps": ["renovate"] },
    }));
    assert_eq!(
        found,
        [
            "rules.ownerless-identity.days: ownerless-identity does not read it; \
             it reads `enabled`, `severity`",
            "rules.stale-identity.min_confidence: stale-identity does not read it; \
             it reads `enabled`, `severity`, `days`",
            "rules.stale-identity.overrides[0].trusted_accounts: stale-identity does not read it; \
             it reads `enabled`, `severity`, `days`",
            "rules.third-party-app.report_days: third-party-app does not read it; \
             it reads `enabled`, `severity`, `trusted_apps`",
            "rules.weak-owner.trusted_apps: weak-owner does not read it; \
             it reads `enabled`, `severity`, `min_confidence`",
        ]
    );
}

#[test]
fn values_without_sense_are_refused() {
    let found = mistakes(serde_json::json!({
        "stale-identity": { "days": 0, "overrides": [{ "match": {}, "days": 3 }] },
        "weak-owner": { "min_confidence": 101 },
        "reactivated-identity": { "report_days": 0 },
    }));
    assert_eq!(
        found,
        [
            "rules.reactivated-identity.report_days: must be at least 1; to switch the rule off, \
             set `enabled: false`",
            "rules.stale-identity.days: must be at least 1; to switch the rule off, \
             set `enabled: false`",
            "rules.stale-identity.overrides[0].match: names nothing; give at least one field",
            "rules.weak-owner.min_confidence: is a percentage, so at most 100",
        ]
    );
}

#[test]
fn severity_and_switch_are_read_by_every_rule() {
    let all = ALL.iter().map(|rule| {
        let settings = RuleSettings {
            enabled: Some(true),
            severity: Some(Severity::Low),
            ..RuleSettings::default()
        };
        (rule.meta().id.to_owned(), settings)
    });
    assert_eq!(RuleConfig(all.collect()).validate(), Ok(()));
    assert_eq!(RuleConfig::default().validate(), Ok(()));
}

#[test]
fn star_stands_for_any_text() {
    for (pattern, text, expected) in [
        ("", "", true),
        ("", "a", false),
        ("a", "", false),
        ("*", "", true),
        ("*", "anything", true),
        ("a*", "a", true),
        ("a*", "ba", false),
        ("*a", "ba", true),
        ("*a", "ab", false),
        ("a*b*c", "a-b-b-c", true),
        ("a*b*c", "a-c-b", false),
        ("**", "x", true),
        ("a**b", "ab", true),
        ("*aab", "aaab", true),
        ("straße*", "straße 1", true),
        ("A", "a", false),
        ("a?c", "abc", false),
        ("a.c", "abc", false),
    ] {
        assert_eq!(glob(pattern, text), expected, "{pattern} on {text}");
    }
}
