//! Typed configuration: the only reader of files and of the environment.
//!
//! One YAML file (so JSON too), no secrets in it, every key with a default that works. A document
//! is read in three steps: [`node`] keeps the place of every key, [`check`] compares it with the
//! JSON Schema of these types and collects every problem at once, and only then serde builds the
//! types. The doc comments here are the text of the generated reference and of the schema.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use headcount_core::reconcile::Brake;
use headcount_core::rules::RuleConfig;
use schemars::JsonSchema;
use serde::Deserialize;

pub mod check;
pub mod name;
pub mod node;
pub mod problem;
pub mod reference;
pub mod schedule;
pub mod schema;
pub mod secret;
pub mod source;

pub use crate::deliver::SinkConfig;
use name::Name;
use node::Node;
use problem::{ConfigError, Problem};
pub use source::{ConnectorConfig, SourceConfig};

/// The configuration of Headcount.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The name of this agent. It stands in every event that leaves it, so give each of several
    /// agents its own.
    pub agent: Name,
    /// Where the inventory is kept: one folder, which only one agent may use at a time. A
    /// relative path is taken from the working directory.
    #[schemars(with = "String", length(min = 1))]
    pub data_dir: PathBuf,
    /// What is counted. Without this key: the AWS account of the ambient credentials.
    #[schemars(length(min = 1))]
    pub sources: Vec<SourceConfig>,
    /// Where findings are delivered. Without one they stay in the inventory.
    pub sinks: Vec<SinkConfig>,
    /// Settings of rules, by rule id (see `headcount explain`). A rule that is not named here
    /// runs with its defaults.
    pub rules: RuleConfig,
    /// When a scan would remove suspiciously much, it is read a second time first.
    pub brake: BrakeConfig,
    /// The HTTP server of `headcount run`.
    pub server: ServerConfig,
    /// Deliver the findings of a source's first scan one by one, instead of a single summary.
    pub emit_baseline: bool,
    /// How many places (accounts) of one source are read at the same time.
    #[schemars(range(min = 1, max = 100))]
    pub max_places_in_parallel: u16,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            agent: Name::fixed("headcount"),
            data_dir: PathBuf::from("./headcount-data"),
            sources: SourceConfig::ambient(),
            sinks: Vec::new(),
            rules: RuleConfig::default(),
            brake: BrakeConfig::default(),
            server: ServerConfig::default(),
            emit_baseline: false,
            max_places_in_parallel: 10,
        }
    }
}

/// When a complete reading that would remove records is held until a second one agrees.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BrakeConfig {
    /// Largest share of a scope, in percent, that one reading may remove.
    #[schemars(range(min = 0, max = 100))]
    pub max_percent: u8,
    /// Removals of fewer records than this pass, unless they would empty the scope.
    pub min_records: u64,
}

impl Default for BrakeConfig {
    fn default() -> Self {
        let Brake { max_percent, min_records } = Brake::default();
        Self { max_percent, min_records }
    }
}

impl From<BrakeConfig> for Brake {
    fn from(config: BrakeConfig) -> Self {
        Self { max_percent: config.max_percent, min_records: config.min_records }
    }
}

/// Health, readiness, metrics, the API, and the addresses to which sources send events, over HTTP.
/// It speaks no TLS: leave that to the ingress or proxy in front of it, and let it listen on more
/// than this machine only behind one. All but health and metrics asks for a bearer token.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ServerConfig {
    /// Address and port to listen on.
    #[schemars(with = "String", extend("format" = "socket-address"))]
    pub listen: SocketAddr,
    /// How many requests are answered at the same time; more are told to come again.
    #[schemars(range(min = 1, max = 10_000))]
    pub max_requests_at_once: u16,
    /// How many long answers (exports, streams of events) go on at the same time.
    #[schemars(range(min = 1, max = 1_000))]
    pub max_streams_at_once: u16,
    /// How many requests a second one token may make, in the long run.
    #[schemars(range(min = 1, max = 10_000))]
    pub max_requests_per_second: u16,
    /// The largest body of a request, in KiB. Messages of sources and posted observations have
    /// limits of their own.
    #[schemars(range(min = 1, max = 10_240))]
    pub max_body_kib: u32,
    /// How long a request may take in seconds, its body included. Long answers are not bound by it.
    #[schemars(range(min = 1, max = 600))]
    pub request_seconds: u16,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 9464)),
            max_requests_at_once: 256,
            max_streams_at_once: 16,
            max_requests_per_second: 50,
            max_body_kib: 64,
            request_seconds: 30,
        }
    }
}

/// Whether the environment asks for no colours (<https://no-color.org>).
#[must_use]
pub fn is_color_unwanted() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

impl Config {
    /// Reads a file; without one, the defaults.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        let Some(path) = file else { return Ok(Self::default()) };
        let file = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(&text, &file),
            Err(error) => {
                let message = format!("the configuration cannot be read: {}", error.kind());
                Err(ConfigError { file, problems: vec![Problem::new(None, "", message)] })
            }
        }
    }

    /// Reads a document; `file` is only what problems call it.
    pub fn parse(text: &str, file: &str) -> Result<Self, ConfigError> {
        let fail = |problems| ConfigError { file: file.to_owned(), problems };
        let node = Node::parse(text).map_err(|p| fail(vec![p]))?;
        let problems = check::check(&node, schema::schema(), &schema::text_checks());
        if !problems.is_empty() {
            return Err(fail(problems));
        }
        let config: Self = serde_json::from_value(node.to_json())
            .map_err(|error| fail(vec![located(&node, &error)]))?;
        let problems = config.contradictions(&node);
        if problems.is_empty() { Ok(config) } else { Err(fail(problems)) }
    }

    #[must_use]
    pub fn source(&self, name: &str) -> Option<&SourceConfig> {
        self.sources.iter().find(|s| s.name.as_str() == name)
    }

    #[must_use]
    pub fn sink(&self, name: &str) -> Option<&SinkConfig> {
        self.sinks.iter().find(|s| s.name() == name)
    }

    /// What no single key can show: names that are given twice, settings without effect.
    fn contradictions(&self, node: &Node) -> Vec<Problem> {
        let mut problems = Vec::new();
        for list in ["sources", "sinks"] {
            let mut names = BTreeSet::new();
            for (number, item) in
                node.get(list).map(Node::items).unwrap_or_default().iter().enumerate()
            {
                let Some(name) = item.get("name") else { continue };
                let text = name.text().unwrap_or_default();
                if !names.insert(text) {
                    let path = format!("{list}[{number}].name");
                    let message = format!("`{text}` is taken by another of the {list}");
                    problems.push(Problem::new(Some(name.at), &path, message));
                }
            }
        }
        for (number, source) in self.sources.iter().enumerate() {
            let Some(fault) = source.connector.fault() else { continue };
            let path = format!("sources[{number}]");
            // The connector begins with the key that it means.
            let key = fault.split([' ', ':']).next().unwrap_or_default();
            let at = node.nearest(&path).nearest(key).at;
            problems.push(Problem::new(Some(at), &path, fault));
        }
        problems.extend(self.strangers(node));
        for mistake in self.rules.validate().err().unwrap_or_default() {
            let (path, message) = mistake.split_once(": ").unwrap_or(("rules", &mistake));
            problems.push(Problem::new(Some(node.nearest(path).at), path, message.to_owned()));
        }
        problems
    }
}

impl Config {
    /// Sources that a filter names and that are not configured.
    fn strangers(&self, node: &Node) -> Vec<Problem> {
        let known = self.sources.iter().map(|source| source.name.as_str());
        let mut problems = Vec::new();
        for (number, sink) in self.sinks.iter().enumerate() {
            for (place, name) in sink.filter.sources.iter().enumerate() {
                if known.clone().any(|source| source == name) {
                    continue;
                }
                let path = format!("sinks[{number}].filter.sources[{place}]");
                let hint = problem::suggestion(name, known.clone());
                let message = format!("there is no source `{name}`{hint}");
                problems.push(Problem::new(Some(node.nearest(&path).at), &path, message));
            }
        }
        problems
    }
}

/// Finds the entry that a type refused although the schema let it pass.
fn located(node: &Node, error: &serde_json::Error) -> Problem {
    for (list, parse) in [
        ("sources", parse_error::<SourceConfig> as fn(&Node) -> Option<String>),
        ("sinks", parse_error::<SinkConfig>),
    ] {
        for (number, item) in node.get(list).map(Node::items).unwrap_or_default().iter().enumerate()
        {
            if let Some(message) = parse(item) {
                return Problem::new(Some(item.at), &format!("{list}[{number}]"), message);
            }
        }
    }
    Problem::new(None, "", error.to_string())
}

fn parse_error<T: serde::de::DeserializeOwned>(node: &Node) -> Option<String> {
    serde_json::from_value::<T>(node.to_json()).err().map(|error| error.to_string())
}
