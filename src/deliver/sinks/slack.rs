//! One message in a Slack channel for what happened within a short time.
//!
//! # What arrives
//!
//! A message with the number of findings that opened, changed and resolved, the most severe of them
//! with their subject, owner and a link, and how many more there are. Events that come within
//! `digest_secs` share a message; one of severity critical does not wait and takes along what does.
//! The summary of a source's first scan is one line.
//!
//! # When it counts as delivered
//!
//! When Slack answers 200 `ok`: then every event in the message is delivered. What fails is sent
//! again, together with what came since. 429 and 5xx are tried again, not before `Retry-After`; 400
//! (a message that Slack does not take), 403 and 404 (the webhook or the channel is gone) three
//! times, and then the events are dead letters; 410 (the channel is archived) at once. A message
//! of several that is refused is sent again one by one, so that none fails for another.
//!
//! # What it does not do
//!
//! Messages are posted and never changed: a resolution is a message of its own. A name that holds
//! `<!channel>` notifies nobody.
//!
//! # Set it up
//!
//! [Create an incoming webhook](https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks)
//! for the channel. Its URL is a secret.
//!
//! ```yaml
//! sinks:
//!   - name: chat
//!     type: slack
//!     url: "env:SLACK_WEBHOOK_URL"
//!     link: https://headcount.example.com/findings/{finding}
//!     filter: { at_least: medium }
//! ```

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use async_trait::async_trait;
use headcount_core::findings::Severity;
use jiff::SignedDuration;
use reqwest::header::CONTENT_TYPE;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Batch, DeliveryError, Fault, Sink};
use crate::clock::Clock;
use crate::deliver::guard::Cidr;
use crate::deliver::http::{Address, Limits, Post, TIMEOUT_SECS};
use crate::deliver::reading::{Link, Reading, Standing, Told, plain};
use crate::store::Event;

const DIGEST_SECS: u32 = 60;
/// Findings that a message names. A message may have 50 blocks and a section 3,000 characters:
/// <https://docs.slack.dev/reference/block-kit/blocks>. Beyond some 13,000 characters in all Slack
/// refuses it (slackapi/bolt-js, issue 2509), so these are far fewer and shorter.
const NAMED: usize = 15;
const TITLE: usize = 200;
const NAME: usize = 100;
const REASON: usize = 120;

/// One message in a Slack channel for what happened within a short time.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SlackSink")]
pub struct SlackConfig {
    /// The address of the incoming webhook: a secret, so give a reference (`env:NAME` or
    /// `file:PATH`).
    pub url: Address,
    /// For how long events wait for others to share a message with, in seconds; 0 = not at all.
    #[serde(default = "digest_secs")]
    #[schemars(range(min = 0, max = 86_400))]
    pub digest_secs: u32,
    /// Where people look at findings: a URL in which `{finding}` and `{rule}` stand for their ids.
    #[serde(default)]
    pub link: Option<Link>,
    /// Networks that may be reached although they are this machine (`127.0.0.0/8`) or without TLS.
    /// Metadata and link-local addresses cannot be allowed.
    #[serde(default)]
    pub allow_cidrs: Vec<Cidr>,
}

const fn digest_secs() -> u32 {
    DIGEST_SECS
}

pub struct Slack {
    name: String,
    post: Post,
    link: Option<Link>,
    window: SignedDuration,
}

impl Slack {
    pub fn new(name: &str, config: &SlackConfig, clock: Arc<dyn Clock>) -> Result<Self, Fault> {
        let url = config.url.resolve(&["https", "http"])?;
        let limits =
            Limits { allow_cidrs: &config.allow_cidrs, timeout_secs: TIMEOUT_SECS, connections: 1 };
        Ok(Self {
            name: name.to_owned(),
            post: Post::new(url, limits, clock)?,
            link: config.link.clone(),
            window: SignedDuration::from_secs(i64::from(config.digest_secs)),
        })
    }
}

#[async_trait]
impl Sink for Slack {
    fn name(&self) -> &str {
        &self.name
    }

    fn batch(&self) -> Option<Batch> {
        Some(Batch { window: self.window, ..Batch::default() })
    }

    fn is_urgent(&self, event: &Event) -> bool {
        let critical =
            |told: &Told| told.severity == Severity::Critical && told.standing == Standing::Open;
        matches!(Reading::of(event), Ok(Reading::Finding(told)) if critical(&told))
    }

    async fn deliver(&self, event: &Event) -> Result<(), DeliveryError> {
        self.deliver_batch(&[event]).await
    }

    async fn deliver_batch(&self, events: &[&Event]) -> Result<(), DeliveryError> {
        let readings: Result<Vec<Reading>, _> = events.iter().map(|e| Reading::of(e)).collect();
        let body = message(&readings?, self.link.as_ref()).to_string();
        let request = self.post.request().header(CONTENT_TYPE, "application/json").body(body);
        let answer = self.post.send(request).await?;
        self.post.judge(&answer, "")?;
        // <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>
        if answer.body.trim_ascii() != b"ok" {
            return Err(self.post.stranger(&answer, "`ok`"));
        }
        Ok(())
    }
}

/// The message for some events, in Block Kit.
fn message(readings: &[Reading], link: Option<&Link>) -> Value {
    let mut told: Vec<&Told> = Vec::new();
    let mut lines: Vec<String> = Vec::new();
    for reading in readings {
        match reading {
            Reading::Finding(finding) => told.push(finding),
            Reading::Baseline(summary) => lines.push(format!(
                "*First scan of {}* ({}): {} records, {} findings{}",
                escaped(&summary.source, NAME),
                escaped(&summary.agent, NAME),
                summary.records,
                summary.findings,
                if summary.complete { "" } else { "; *it was not complete*" },
            )),
            Reading::Test => {
                lines
                    .push("Headcount asks whether this sink works. There is nothing to do.".into());
            }
        }
    }
    // What has to be acted on comes first, the worst before the rest; then in the order of events.
    told.sort_by_key(|told| (told.standing != Standing::Open, std::cmp::Reverse(told.severity)));
    let head = if told.is_empty() { "Headcount".to_owned() } else { counted(&told) };
    let mut blocks = vec![json!({
        "type": "header",
        "text": {"type": "plain_text", "text": plain(&head, 150), "emoji": false},
    })];
    blocks.extend(lines.iter().take(NAMED).map(|line| section(line)));
    blocks.extend(told.iter().take(NAMED).map(|told| section(&entry(told, link))));
    let more = told.len().saturating_sub(NAMED) + lines.len().saturating_sub(NAMED);
    if more > 0 {
        let text = format!("… and {more} more: `headcount findings`");
        blocks.push(json!({"type": "context", "elements": [mrkdwn(&text)]}));
    }
    let fallback = lines.first().filter(|_| told.is_empty()).unwrap_or(&head);
    json!({"text": fallback, "blocks": blocks, "unfurl_links": false, "unfurl_media": false})
}

/// `Headcount: 3 opened (1 critical, 2 high), 1 resolved`.
fn counted(told: &[&Told]) -> String {
    let mut changes: BTreeMap<&str, usize> = BTreeMap::new();
    let mut severities: BTreeMap<std::cmp::Reverse<Severity>, usize> = BTreeMap::new();
    for told in told {
        *changes.entry(told.change.as_str()).or_default() += 1;
        if told.standing == Standing::Open {
            *severities.entry(std::cmp::Reverse(told.severity)).or_default() += 1;
        }
    }
    let changes: Vec<String> = changes.iter().map(|(change, n)| format!("{n} {change}")).collect();
    let mut text = format!("Headcount: {}", changes.join(", "));
    if !severities.is_empty() {
        let severities: Vec<String> =
            severities.iter().map(|(severity, n)| format!("{n} {}", severity.0.as_str())).collect();
        // Writing to a String cannot fail.
        let _ = write!(text, " ({})", severities.join(", "));
    }
    text
}

fn entry(told: &Told, link: Option<&Link>) -> String {
    let title = escaped(&told.title, TITLE);
    let title = match link.map(|link| link.to(&told.finding, &told.rule)) {
        // The URL is the operator's own, with two ids in it.
        Some(url) => format!("<{}|{title}>", escaped(&url, usize::MAX)),
        None => title,
    };
    let owner = told.owner.as_deref().map_or("nobody that is known".into(), |o| escaped(o, NAME));
    let word = match told.standing {
        Standing::Open => told.severity.as_str(),
        Standing::Suppressed => "suppressed",
        Standing::Resolved => "resolved",
    };
    let mut text = format!(
        "*{word}* {title}\n`{}` in {}, owned by {owner}",
        escaped(&told.rule, NAME),
        escaped(&told.source, NAME),
    );
    if let Some(resolution) = &told.resolution {
        let _ = write!(text, "\n{}", escaped(resolution, REASON));
    }
    text
}

fn section(text: &str) -> Value {
    json!({"type": "section", "text": mrkdwn(text)})
}

/// `verbatim`: names that look like links, channels or people stay text.
fn mrkdwn(text: &str) -> Value {
    json!({"type": "mrkdwn", "text": text, "verbatim": true})
}

/// At most `limit` characters with the three escaped that Slack reads:
/// <https://docs.slack.dev/messaging/formatting-message-text#escaping>.
fn escaped(text: &str, limit: usize) -> String {
    let mut escaped = String::new();
    let mut length = 0;
    for c in plain(text, usize::MAX).chars() {
        let mut bytes = [0; 4];
        let piece = match c {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            c => c.encode_utf8(&mut bytes),
        };
        length += piece.chars().count();
        if length >= limit {
            escaped.push('…');
            break;
        }
        escaped.push_str(piece);
    }
    escaped
}
