//! What a person is told about a configuration that cannot work: place, key and remedy.

use std::path::{Path, PathBuf};

use headcount::config::Config;
use headcount::config::schema::{schema, text_checks};

fn problems(text: &str) -> String {
    Config::parse(text, "headcount.yaml").expect_err(text).to_string()
}

#[test]
fn every_mistake_has_a_place_and_a_remedy() {
    let rows = [
        ("agnt: x\n", "headcount.yaml:1:1: agnt: unknown key (did you mean `agent`?)"),
        (
            "zzz: 1\n",
            "headcount.yaml:1:1: zzz: unknown key (known: `agent`, `brake`, `data_dir`, \
             `emit_baseline`, `max_places_in_parallel`, `rules`, `server`, `sinks`, `sources`)",
        ),
        (
            "data_dir: 3\n",
            "headcount.yaml:1:11: data_dir: expected text, found a number; put it in quotes",
        ),
        (
            "emit_baseline: \"true\"\n",
            "headcount.yaml:1:16: emit_baseline: expected `true` or `false`, found text; write it \
             without quotes",
        ),
        ("data_dir: ''\n", "headcount.yaml:1:11: data_dir: must not be empty"),
        ("sources: []\n", "headcount.yaml:1:10: sources: needs at least one entry"),
        (
            "sources: {name: a}\n",
            "headcount.yaml:1:10: sources: expected a list, found keys and values; begin each \
             entry with `- ` or write it in [brackets]",
        ),
        (
            "sources:\n",
            "headcount.yaml:1:8: sources: expected a list, found nothing; leave the key out for \
             the default",
        ),
        ("sources: [{connector: aws}]\n", "headcount.yaml:1:11: sources[0]: `name` is missing"),
        (
            "sources: [{name: a}]\n",
            "headcount.yaml:1:11: sources[0]: `connector` is missing (one of `aws`, `exec`, `github`, `kubernetes`, `push`, `rest`)",
        ),
        (
            "sources: [{name: a, connector: awz}]\n",
            "headcount.yaml:1:32: sources[0].connector: unknown value `awz` (did you mean `aws`?)",
        ),
        (
            "sources: [{name: Prod, connector: aws}]\n",
            "headcount.yaml:1:18: sources[0].name: a name has up to 63 lower-case letters, digits \
             and hyphens, and begins with a letter or digit",
        ),
        (
            "sources:\n  - {name: a, connector: aws}\n  - {name: a, connector: aws}\n",
            "headcount.yaml:3:12: sources[1].name: `a` is taken by another of the sources",
        ),
        (
            "sources: [{name: a, connector: aws, endpoint: x}]\n",
            "headcount.yaml:1:37: sources[0].endpoint: unknown key (did you mean `endpoint_url`?)",
        ),
        (
            "sources: [{name: a, connector: aws, schedule: hourly}]\n",
            "headcount.yaml:1:47: sources[0].schedule: not a cron expression; write five fields \
             (`*/15 * * * *`: minute hour day month weekday) or six with the seconds first, in UTC",
        ),
        (
            "sources: [{name: a, connector: aws, accounts: ambeint}]\n",
            "headcount.yaml:1:47: sources[0].accounts: unknown value `ambeint` (did you mean \
             `ambient`?)",
        ),
        (
            "sources: [{name: a, connector: aws, accounts: {role: [x]}}]\n",
            "headcount.yaml:1:48: sources[0].accounts.role: unknown key (did you mean `roles`?)",
        ),
        (
            "sources: [{name: a, connector: aws, accounts: {organization: {rol: x}}}]\n",
            "headcount.yaml:1:63: sources[0].accounts.organization.rol: unknown key (did you mean \
             `role`?)",
        ),
        (
            "sources: [{name: a, connector: aws, accounts: {roles: [arn:aws:iam::1:role/x]}}]\n",
            "headcount.yaml:1:55: sources[0]: accounts.roles: `arn:aws:iam::1:role/x` is not the \
             ARN of a role",
        ),
        (
            "sources: [{name: a, connector: aws, concurrency: 20}]\n",
            "headcount.yaml:1:50: sources[0].concurrency: 20 is out of range; allowed: from 1 to 10",
        ),
        (
            "sinks: [{name: a, type: webhok}]\n",
            "headcount.yaml:1:25: sinks[0].type: unknown value `webhok` (did you mean `webhook`?)",
        ),
        (
            "sinks: [{name: a}]\n",
            "headcount.yaml:1:9: sinks[0]: `type` is missing (one of `webhook`, `slack`, \
             `pagerduty`, `splunk`, `syslog`, `nats`, `s3`, `file`, `stdout`)",
        ),
        (
            "sinks: [{name: A, type: stdout}]\n",
            "headcount.yaml:1:16: sinks[0].name: a name has up to 63 lower-case letters, digits \
             and hyphens, and begins with a letter or digit",
        ),
        (
            "sinks: [{name: a, type: webhook, url: 'https://x', secrets: [], allow_cidrs: [x]}]\n",
            "headcount.yaml:1:61: sinks[0].secrets: needs at least one entry\n\
             headcount.yaml:1:79: sinks[0].allow_cidrs[0]: `x` is no network: write an address or \
             CIDR notation such as 127.0.0.0/8",
        ),
        (
            "sinks: [{name: a, type: stdout, filter: {at_least: hi, owners: ['team:*']}}]\n",
            "headcount.yaml:1:52: sinks[0].filter.at_least: unknown value `hi` (did you mean \
             `high`?)",
        ),
        (
            "sinks: [{name: a, type: stdout, filter: {rules: [stale-identty]}}]\n",
            "headcount.yaml:1:50: sinks[0].filter.rules[0]: unknown value `stale-identty` (did you \
             mean `stale-identity`?)",
        ),
        (
            "sinks: [{name: a, type: stdout, filter: {sources: [aws, aw]}}]\n",
            "headcount.yaml:1:57: sinks[0].filter.sources[1]: there is no source `aw` (did you \
             mean `aws`?)",
        ),
        (
            "rules: {stale-identty: {}}\n",
            "headcount.yaml:1:9: rules.stale-identty: unknown key (did you mean `stale-identity`?)",
        ),
        (
            "rules: {stale-identity: {day: 3}}\n",
            "headcount.yaml:1:26: rules.stale-identity.day: unknown key (did you mean `days`?)",
        ),
        (
            "rules: {stale-identity: {days: 0}}\n",
            "headcount.yaml:1:32: rules.stale-identity.days: must be at least 1; to switch the \
             rule off, set `enabled: false`",
        ),
        (
            "rules: {root-access-key: {days: 3}}\n",
            "headcount.yaml:1:27: rules.root-access-key.days: unknown key (known: `enabled`, \
             `overrides`, `severity`)",
        ),
        (
            "rules: {stale-identity: {overrides: [{enabled: false}]}}\n",
            "headcount.yaml:1:38: rules.stale-identity.overrides[0]: `match` is missing",
        ),
        (
            "brake: {max_percent: 130}\n",
            "headcount.yaml:1:22: brake.max_percent: 130 is out of range; allowed: from 0 to 100",
        ),
        (
            "server: {listen: localhost}\n",
            "headcount.yaml:1:18: server.listen: expected an address and a port, for example \
             `127.0.0.1:9464`",
        ),
        (
            "agent: a\nagent: b\n",
            "headcount.yaml:2:1: not valid YAML: duplicate mapping key: agent",
        ),
        ("sources: [\n", "headcount.yaml:1:10: not valid YAML: unclosed bracket '['"),
    ];
    for (text, expected) in rows {
        assert_eq!(problems(text), expected, "for {text}");
    }
}

#[test]
fn all_mistakes_are_told_at_once_in_their_order() {
    let told = problems(
        "agnt: x\nsources:\n  - name: a\n    connector: aws\n    acounts: ambient\nbrake:\n  \
         max_percent: 101\n",
    );
    let places: Vec<&str> = told.lines().map(|line| line.split(": ").next().unwrap()).collect();
    assert_eq!(places, ["headcount.yaml:1:1", "headcount.yaml:5:5", "headcount.yaml:7:16"]);
}

#[test]
fn a_pasted_secret_is_never_repeated() {
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    for text in [
        format!("sinks: [{{name: a, type: webhook, url: 'https://x', secrets: [{secret}]}}]"),
        format!("sinks: [{{name: a, type: webhook, url: 'https://x', secrets: {secret}}}]"),
        format!("sinks: [{{name: a, type: webhook, url: [{secret}], secrets: ['env:A']}}]"),
        format!("sinks: [{{name: a, type: webhook, secrets: [{secret}"),
        format!("sinks: {secret}"),
        format!("server: {secret}"),
        format!("data_dir: [{secret}]"),
    ] {
        assert!(!problems(&text).contains(secret), "{}", problems(&text));
    }
}

#[test]
fn a_missing_file_is_told_with_its_name() {
    let error = Config::load(Some(Path::new("/nowhere/headcount.yaml"))).unwrap_err();
    assert_eq!(
        error.to_string(),
        "/nowhere/headcount.yaml: the configuration cannot be read: entity not found"
    );
}

#[test]
fn account_ids_keep_their_leading_zero() {
    let text = "sources:\n  - name: a\n    connector: aws\n    accounts: {organization: {role: R, \
                exclude: [012345678901]}}\n";
    let config = Config::parse(text, "headcount.yaml").unwrap();
    assert!(format!("{:?}", config.sources[0]).contains("\"012345678901\""));
}

#[test]
fn five_fields_of_cron_get_the_second_zero() {
    let text = "sources: [{name: a, connector: aws, schedule: '*/15 * * * *'}]";
    let config = Config::parse(text, "headcount.yaml").unwrap();
    assert_eq!(config.sources[0].schedule.as_cron(), "0 */15 * * * *");
}

#[test]
fn json_is_read_like_yaml() {
    let text = r#"{"sources": [{"name": "a", "connector": "aws"}], "agent": "b"}"#;
    assert_eq!(Config::parse(text, "headcount.json").unwrap().agent.as_str(), "b");
}

#[test]
fn an_empty_file_is_the_default() {
    for text in ["", "# nothing\n", "{}\n"] {
        let config = Config::parse(text, "headcount.yaml").unwrap();
        assert_eq!(config.sources.len(), 1);
        assert_eq!(config.agent.as_str(), "headcount");
    }
}

/// A mark without a check would be published and not held.
#[test]
fn every_mark_on_a_text_in_the_schema_is_checked() {
    let checks = text_checks();
    let mut unknown = Vec::new();
    walk(schema(), &mut |object| {
        for key in ["pattern", "format"] {
            let Some(mark) = object.get(key).and_then(|m| m.as_str()) else { continue };
            let is_number = mark.starts_with("uint");
            if !is_number && !checks.contains_key(mark) {
                unknown.push(mark.to_owned());
            }
        }
    });
    assert_eq!(unknown, Vec::<String>::new());
}

#[test]
fn every_reference_in_the_schema_leads_somewhere() {
    let mut references = Vec::new();
    walk(schema(), &mut |object| {
        references.extend(object.get("$ref").and_then(|r| r.as_str()).map(str::to_owned));
    });
    assert!(!references.is_empty());
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(schema().pointer(pointer).is_some(), "{reference}");
    }
}

fn walk(
    schema: &serde_json::Value,
    see: &mut impl FnMut(&serde_json::Map<String, serde_json::Value>),
) {
    match schema {
        serde_json::Value::Object(object) => {
            see(object);
            object.values().for_each(|inner| walk(inner, see));
        }
        serde_json::Value::Array(items) => items.iter().for_each(|inner| walk(inner, see)),
        _ => {}
    }
}

fn files() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let mut files = vec![root.join("headcount.yaml"), root.join("headcount.reference.yaml")];
    let examples = std::fs::read_dir(root.join("examples")).unwrap();
    // The programs that examples start stand in a folder beside them.
    let paths = examples.map(|entry| entry.unwrap().path());
    files.extend(paths.filter(|path| path.is_file()));
    files
}

#[test]
fn every_file_in_config_is_read_and_fits_the_published_schema() {
    let validator = jsonschema::validator_for(schema()).unwrap();
    assert!(files().len() > 3);
    for file in files() {
        let text = std::fs::read_to_string(&file).unwrap();
        if let Err(error) = Config::parse(&text, &file.display().to_string()) {
            panic!("{error}");
        }
        let value: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
        if let Err(error) = validator.validate(&value) {
            panic!("{}: {error}", file.display());
        }
    }
}

#[test]
fn the_published_schema_refuses_what_we_refuse() {
    let validator = jsonschema::validator_for(schema()).unwrap();
    for text in [
        "agnt: x",
        "sources: []",
        "sources: [{name: a, connector: aws, endpoint: x}]",
        "sources: [{name: a, connector: aws, accounts: {organization: {rol: x}}}]",
        "sinks: [{name: a, type: stdout, color: red}]",
        "sinks: [{name: a, type: stdout, filter: {severity: high}}]",
        "rules: {root-access-key: {days: 3}}",
        "brake: {max_percent: 130}",
    ] {
        let value: serde_json::Value = serde_saphyr::from_str(text).unwrap();
        assert!(validator.validate(&value).is_err(), "{text}");
        problems(text);
    }
}
