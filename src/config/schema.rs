//! The JSON Schema of the configuration, made from the types and the rules' own facts.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::OnceLock;

use headcount_core::rules::{Meta, RuleSettings, Setting};
use serde_json::{Map, Value as Schema, json};

use super::Config;
use super::check::TextCheck;
use super::name::Name;
use super::schedule::Schedule;
use super::secret::SecretRef;
use crate::deliver::guard::Cidr;
use crate::deliver::host::HostPort;
use crate::registry;

/// Marks networks; a word of ours, JSON Schema has none.
const CIDR: &str = "cidr";

/// The schema, as it is published in `config/headcount.schema.json`.
#[must_use]
pub fn schema() -> &'static Schema {
    static SCHEMA: OnceLock<Schema> = OnceLock::new();
    SCHEMA.get_or_init(build)
}

/// What the schema's `pattern` and `format` marks mean, with a remedy for whoever missed it.
#[must_use]
pub fn text_checks() -> BTreeMap<&'static str, TextCheck> {
    let mut checks: BTreeMap<&'static str, TextCheck> = BTreeMap::new();
    checks.insert(Name::PATTERN, Name::check);
    checks.insert("cron", Schedule::check);
    checks.insert(CIDR, |text| text.parse::<Cidr>().map(drop).map_err(|error| error.to_string()));
    checks.insert("^(env|file):.+$", |text| {
        text.parse::<SecretRef>().map(drop).map_err(|error| error.to_string())
    });
    checks.insert("host-port", HostPort::check);
    checks.insert("socket-address", |text| {
        text.parse::<SocketAddr>()
            .map(drop)
            .map_err(|_| "expected an address and a port, for example `127.0.0.1:9464`".to_owned())
    });
    checks
}

fn build() -> Schema {
    let mut root = Schema::from(schemars::schema_for!(Config));
    root["title"] = json!("Headcount configuration");
    let definitions = Schema::from(schemars::schema_for!(RuleSettings));
    let ids: Vec<&str> = registry::rules().iter().map(|rule| rule.meta().id).collect();
    root["$defs"]["Filter"]["properties"]["rules"]["items"]["enum"] = json!(ids);
    root["$defs"]["Cidr"]["format"] = json!(CIDR);
    // What a connector or a sink reads stands in its alternative, so only the whole can be closed.
    root["$defs"]["SourceConfig"]["unevaluatedProperties"] = json!(false);
    root["$defs"]["SinkConfig"]["unevaluatedProperties"] = json!(false);
    root["properties"]["rules"] = rules(&root["properties"]["rules"], &definitions);
    if let Some(defs) = root.get_mut("$defs").and_then(Schema::as_object_mut) {
        // They allow settings that a rule does not read.
        for general in ["RuleConfig", "RuleSettings", "Override"] {
            defs.remove(general);
        }
    }
    root
}

/// Every rule by its id, with only the settings that it reads.
fn rules(general: &Schema, settings: &Schema) -> Schema {
    let rules: Map<String, Schema> = registry::rules()
        .iter()
        .map(|rule| (rule.meta().id.to_owned(), rule_settings(rule.meta(), settings)))
        .collect();
    json!({
        "description": general["description"],
        "type": "object",
        "default": {},
        "properties": rules,
        "additionalProperties": false,
    })
}

fn rule_settings(meta: &Meta, settings: &Schema) -> Schema {
    let mut own = Map::new();
    let mut put = |key: &str, default: Schema, about: Option<&str>| {
        let mut property = settings["properties"][key].clone();
        property["default"] = default;
        if let Some(about) = about {
            property["description"] = about.into();
        }
        own.insert(key.to_owned(), property);
    };
    put("enabled", json!(true), None);
    put("severity", Schema::Null, None);
    for setting in meta.settings {
        match setting {
            Setting::Days { default, about } => put("days", json!(default), Some(about)),
            Setting::ReportDays { default, about } => {
                put("report_days", json!(default), Some(about));
            }
            Setting::MinConfidence { default, about } => {
                put("min_confidence", json!(default), Some(about));
            }
            Setting::TrustedAccounts { about } => put("trusted_accounts", json!([]), Some(about)),
            Setting::TrustedApps { about } => put("trusted_apps", json!([]), Some(about)),
        }
    }
    if let Some(severity) = own.get_mut("severity").and_then(Schema::as_object_mut) {
        // No default: the rule may report some subjects at another severity than its usual one.
        severity.remove("default");
        severity.insert("examples".to_owned(), json!([meta.severity.as_str()]));
    }
    let mut each = own.clone();
    for property in each.values_mut().filter_map(Schema::as_object_mut) {
        property.remove("default");
    }
    each.insert("match".to_owned(), json!({ "$ref": "#/$defs/Selector" }));
    let overrides = json!({
        "description": settings["properties"]["overrides"]["description"],
        "type": "array",
        "default": [],
        "items": {
            "type": "object",
            "properties": each,
            "required": ["match"],
            "additionalProperties": false,
        },
    });
    own.insert("overrides".to_owned(), overrides);
    json!({
        "description": meta.title,
        "type": "object",
        "properties": own,
        "additionalProperties": false,
    })
}

/// The text of `config/headcount.schema.json`.
#[must_use]
pub fn text() -> String {
    // The alternate form is indented and cannot fail.
    format!("{:#}\n", schema())
}
