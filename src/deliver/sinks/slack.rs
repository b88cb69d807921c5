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

use std::fmt::Write as _;
use std::sync::Arc;

use async_trait::async_trait;
use headcount_core::findings::Severity;
use jiff::SignedDuration;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Batch, DeliveryError, Fault, Sink};
use crate::clock::Clock;
use crate::deliver::digest::Digest;
use crate::deliver::guard::Cidr;
use crate::deliver::http::{Address, Limits, Post};
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
    post: Post,
    link: Option<Link>,
    window: SignedDuration,
}

impl Slack {
    pub fn new(config: &SlackConfig, clock: Arc<dyn Clock>) -> Result<Self, Fault> {
        Ok(Self {
            post: Post::to(&config.url, Limits::of(&config.allow_cidrs), clock)?,
            link: config.link.clone(),
            window: SignedDuration::from_secs(i64::from(config.digest_secs)),
        })
    }
}

#[async_trait]
impl Sink for Slack {
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
        let message = message(&Digest::of(&readings?, NAMED), self.link.as_ref());
        let answer = self.post.exchange(self.post.json(message.to_string())).await?;
        // <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>
        if answer.body.trim_ascii() != b"ok" {
            return Err(self.post.stranger(&answer, "`ok`"));
        }
        Ok(())
    }
}

/// The message for some events, in Block Kit.
fn message(digest: &Digest<'_>, link: Option<&Link>) -> Value {
    let mut blocks = vec![json!({
        "type": "header",
        "text": {"type": "plain_text", "text": plain(&digest.head, 150), "emoji": false},
    })];
    blocks.extend(digest.lines.iter().map(|line| section(&escaped(line, TITLE))));
    blocks.extend(digest.told.iter().map(|told| section(&entry(told, link))));
    if digest.more > 0 {
        let text = format!("… and {} more: `headcount findings`", digest.more);
        blocks.push(json!({"type": "context", "elements": [mrkdwn(&text)]}));
    }
    let fallback = digest.lines.first().filter(|_| digest.told.is_empty()).unwrap_or(&digest.head);
    json!({"text": fallback, "blocks": blocks, "unfurl_links": false, "unfurl_media": false})
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
