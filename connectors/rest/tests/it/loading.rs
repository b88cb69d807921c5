//! Errors of descriptions name the place and what to do; settings are checked before any call.

use std::collections::BTreeMap;
use std::sync::Arc;

use headcount_rest::{Config, ConfigError, Described, RestConnector, Settings, catalog, describe};
use secrecy::SecretString;

const GOOD: &str = include_str!("bench.yaml");

/// Replaces a part of the good description and looks for words in the error.
fn check(from: &str, to: &str, words: &[&str]) {
    assert!(GOOD.contains(from), "{from} is not in the description");
    let error = Described::load(&GOOD.replacen(from, to, 1)).map(|_| ()).expect_err(to).to_string();
    for word in words {
        assert!(error.contains(word), "{to}: no `{word}` in: {error}");
    }
}

#[test]
fn what_is_wrong_is_said_with_place_and_remedy() {
    check("title: Bench", "titel: Bench", &["line 2", "titel"]);
    check("key: key.id", "key: key..id", &["line ", "not an expression in CEL"]);
    check("key: key.id", "key: kye.id", &["scopes.cursor-keys", "kye", "known here are", "key"]);
    check(
        "operation: listLinked",
        "operation: listLinks",
        &["no operation listLinks", "listLinked"],
    );
    check(
        "cannot_see: [Whatever is not on the bench.]",
        "cannot_see: []",
        &["cannot_see", "blind"],
    );
    check(
        "deny: [secret, password]",
        "deny: [secret, seen_at]",
        &["listCursor", "seen_at", "denied"],
    );
    check("path: /cursor", "path: cursor", &["operations.listCursor", "begin with `/`"]);
    check("path: /cursor", "path: /cursor/${key.id}", &["no variable `key`"]);
    check("lookup: people", "lookup: persons", &["no lookup persons"]);
    check("fields: [usage]", "fields: [use]", &["use is no field", "usage"]);
    check("as: use,", "as: app,", &["`app` is there already"]);
    check("- not_observable: nobody looked", "- {when: true, not_observable: no}", &["usage"]);
    check("in: body", "in: head", &["line "]);
    check("method: POST", "method: GET", &["a token in a body needs a body"]);
    check(
        "      - kind: app\n        class: identity",
        "      - kind: app\n        class: principal",
        &["people are of class"],
    );
    check("kind: cursor-key", "kind: service-account", &["rules know", "vendor's name"]);
    check("name: app.name", "name: string(owner.id)", &["name depends on owner"]);
    check(
        "fields: [owner_standing, owner_evidence]",
        "fields: [usage]",
        &["depends on owner", "add owner_standing"],
    );
    check("parent: {kind: app,", "parent: {kind: application,", &["no kind application", "app"]);
    check("name: bench", "name: Bench", &["kebab"]);
    check(
        "  - name: cursor-keys",
        "  - only_if: all\n    name: cursor-keys",
        &["all is no setting"],
    );
    let unasked = "unasked: {when: app.off == true, because: off, attribute: app_id, is: app.id}";
    check(
        "as: app, when: \"app.kind == 'machine'\"}\n      - {operation: listAppKeys",
        &format!("as: app, {unasked}}}\n      - {{operation: listAppKeys"),
        &["app-key has no attribute app_id", "what stays"],
    );
    check(
        "steps: [{operation: listCursor, as: key}]",
        &format!(
            "steps: [{{operation: listCursor, as: key, {}}}]",
            unasked.replace("app.", "key.")
        ),
        &["nothing to be asked", "another step follows"],
    );
    check(
        "place: {operation: getOrg, id: \"${answer.id}\"}",
        "place: {id: x}",
        &["operations.getOrg", "nothing calls it"],
    );
}

fn connect(settings: Settings, name: &str) -> Result<(), ConfigError> {
    let described = catalog::load(name).unwrap().unwrap();
    let secrets: BTreeMap<String, SecretString> = BTreeMap::new();
    RestConnector::new(&described, &settings, Arc::new(secrets)).map(|_| ())
}

#[test]
fn settings_are_checked_before_any_call() {
    let with = |pairs: &[(&str, &str)]| Settings {
        values: pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
        ..Settings::default()
    };
    assert_eq!(connect(with(&[("domain", "acme.okta.com")]), "okta"), Ok(()));
    assert!(matches!(connect(with(&[]), "okta"), Err(ConfigError::Missing { .. })));
    let strange = with(&[("domain", "acme.okta.com"), ("domian", "x")]);
    assert!(matches!(connect(strange, "okta"), Err(ConfigError::Strange { .. })));
    // What follows the host would move the calls, and the secret, elsewhere.
    for domain in ["acme.okta.com/x?", "evil.example.net#", "u:p@evil.example.net", ""] {
        let outcome = connect(with(&[("domain", domain)]), "okta");
        assert!(matches!(outcome, Err(ConfigError::Address { .. })), "{domain}: {outcome:?}");
    }
    for base_url in ["http://vault.example.com", "ftp://127.0.0.1", "file:///etc"] {
        let settings = Settings { base_url: Some(base_url.to_owned()), ..Settings::default() };
        let outcome = connect(settings, "anthropic");
        assert!(matches!(outcome, Err(ConfigError::Address { .. })), "{base_url}: {outcome:?}");
    }
    // What is asked for on request is asked for in one word.
    let vault = |asked| {
        connect(with(&[("address", "https://v.example.com"), ("token_accessors", asked)]), "vault")
    };
    assert_eq!((vault("true"), vault("false")), (Ok(()), Ok(())));
    assert!(matches!(vault("yes"), Err(ConfigError::Switch { .. })));
    let settings = Settings { auth: Some("magic".to_owned()), ..Settings::default() };
    assert!(matches!(connect(settings, "anthropic"), Err(ConfigError::Auth { .. })));
}

#[test]
fn the_schema_admits_the_catalogue_and_refuses_what_the_loader_does() {
    let schema = serde_json::to_value(describe::schema()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for name in catalog::names() {
        let value: serde_json::Value =
            serde_saphyr::from_str(catalog::text(name).unwrap()).unwrap();
        let errors: Vec<String> = validator.iter_errors(&value).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{name}: {errors:?}");
    }
    let mut value: serde_json::Value = serde_saphyr::from_str(GOOD).unwrap();
    value["titel"] = "x".into();
    assert!(!validator.is_valid(&value));
}

#[test]
fn the_same_text_gives_the_same_manifest() {
    let one = Described::load(GOOD).unwrap();
    let other = Described::load(GOOD).unwrap();
    assert!(std::ptr::eq(one.manifest(), other.manifest()), "each load leaks a manifest");
}

fn config(yaml: &str) -> Result<(), ConfigError> {
    let config: Config = serde_saphyr::from_str(yaml).unwrap();
    config.connect().map(|_| ())
}

#[test]
fn a_source_is_configured_by_name_or_file_with_secrets_by_reference() {
    let slack =
        "{description: slack, settings: {team_id: T0EXAMPLE}, secrets: {token: 'env:SLACK'}}";
    assert_eq!(config(slack), Ok(()));
    let secret = config("{description: slack, settings: {team_id: T0EXAMPLE}}");
    assert_eq!(secret, Err(ConfigError::Secret { name: "token".to_owned() }));
    let Err(ConfigError::Description { known, .. }) = config("{description: slcak}") else {
        panic!("a name that is not there was taken");
    };
    assert!(known.contains("slack"));
    let file = format!("{}/catalog/slack.yaml", env!("CARGO_MANIFEST_DIR"));
    let by_file = format!(
        "{{description: '{file}', settings: {{team_id: T0EXAMPLE}}, secrets: {{token: 'env:SLACK'}}}}"
    );
    assert_eq!(config(&by_file), Ok(()));
    assert!(matches!(config("{description: ./gone.yaml}"), Err(ConfigError::File { .. })));
    let clear = serde_saphyr::from_str::<Config>("{description: slack, secrets: {token: xoxp}}");
    assert!(clear.is_err(), "a secret in the clear was taken");
}

#[tokio::test]
async fn the_scaffold_is_read_with_its_fixtures() {
    let (text, fixtures) = catalog::scaffold("acme");
    let described = Described::load(&text).unwrap_or_else(|error| panic!("{error}"));
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("keys.json"), fixtures).unwrap();
    let now = "2026-03-10T12:00:00Z".parse().unwrap();
    let read = headcount_rest::rehearse(&described, folder.path(), now).await.unwrap();
    assert!(read.scopes[0].complete && read.unasked.is_empty());
    assert_eq!(read.scopes[0].records[0].id.as_str(), "acme:acme:api-key/key-1");
    assert!(!serde_json::to_string(&read).unwrap().contains("never kept"));
}
