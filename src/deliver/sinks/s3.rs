//! Objects of NDJSON in a bucket of S3, or of anything that speaks its API.
//!
//! # What arrives
//!
//! One object per batch, one CloudEvent per line, in the order of the agent's sequence:
//! `PREFIX/dt=2026-11-21/hour=20/FIRST-LAST-DIGEST.ndjson.gz`, with the day and hour of the events in
//! UTC, their first and last sequence numbers in twenty digits, and the beginning of the SHA-256 of the
//! lines. Engines that know Hive's layout read only the days that they are asked for.
//!
//! Objects are written only if they are not there (`If-None-Match: *`): what was sent twice is the same
//! object, and nothing is ever overwritten. After a crash events may stand in two objects; their `id`
//! is the same.
//!
//! # When it counts as delivered
//!
//! When the object is written, or is there already. A refusal (no permission, no such bucket) is tried
//! three times, and then the events are dead letters; everything else is tried again.
//!
//! # Permissions
//!
//! `s3:PutObject` on `arn:aws:s3:::BUCKET/PREFIX/*`, and nothing else. Without `access_key_id` the
//! credentials are those of the environment: `AWS_ACCESS_KEY_ID`, a web identity (IRSA), a container's
//! or an instance's role.
//!
//! # Set it up
//!
//! ```yaml
//! sinks:
//!   - name: lake
//!     type: s3
//!     bucket: acme-security
//!     region: eu-central-1
//! ```

use std::io::Write as _;

use async_trait::async_trait;
use aws_lc_rs::digest;
use flate2::{Compression as Level, GzBuilder};
use jiff::SignedDuration;
use object_store::path::Path;
use schemars::JsonSchema;
use serde::Deserialize;

use self::bucket::Bucket;
use super::{Batch, DeliveryError, Fault, Sink};
use crate::config::secret::SecretRef;
use crate::deliver::guard::Cidr;
use crate::store::Event;

mod bucket;

const EVERY_SECS: u32 = 60;
const MOST_BYTES: usize = 8 << 20;

/// Objects of NDJSON in a bucket of S3, or of anything that speaks its API.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "S3Sink")]
pub struct S3Config {
    /// The bucket's name.
    pub bucket: String,
    /// What keys begin with. Agents that share a bucket need prefixes of their own.
    #[serde(default = "prefix")]
    pub prefix: String,
    /// The bucket's region.
    #[serde(default = "region")]
    pub region: String,
    /// Where the API is, when not at AWS: a private endpoint, or another server that speaks it.
    #[serde(default)]
    pub endpoint_url: Option<String>,
    /// Reference to the id of an access key (`env:NAME` or `file:PATH`). Without it: the credentials
    /// of the environment.
    #[serde(default)]
    pub access_key_id: Option<SecretRef>,
    /// Reference to the key itself.
    #[serde(default)]
    pub secret_access_key: Option<SecretRef>,
    /// For how long events wait for others to share an object with, in seconds; 0 = not at all.
    #[serde(default = "every_secs")]
    #[schemars(range(min = 0, max = 3_600))]
    pub every_secs: u32,
    /// How objects are compressed.
    #[serde(default)]
    #[schemars(extend("default" = "gzip"))]
    pub compression: Compression,
    /// Networks that may be reached although they are this machine (`127.0.0.0/8`) or without TLS.
    /// Metadata and link-local addresses cannot be allowed.
    #[serde(default)]
    pub allow_cidrs: Vec<Cidr>,
}

fn prefix() -> String {
    "headcount".to_owned()
}

fn region() -> String {
    "us-east-1".to_owned()
}

const fn every_secs() -> u32 {
    EVERY_SECS
}

/// How objects are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    #[default]
    Gzip,
    None,
}

#[derive(Debug)]
pub struct S3 {
    prefix: String,
    bucket: Bucket,
    window: SignedDuration,
    compression: Compression,
}

impl S3 {
    pub fn new(config: &S3Config) -> Result<Self, Fault> {
        Ok(Self {
            prefix: config.prefix.trim_matches('/').to_owned(),
            bucket: Bucket::new(config)?,
            window: SignedDuration::from_secs(i64::from(config.every_secs)),
            compression: config.compression,
        })
    }

    fn key(&self, events: &[&Event], lines: &str) -> Path {
        let first = events.first().map(|event| (event.time, event.sequence)).unwrap_or_default();
        let last = events.last().map(|event| event.sequence).unwrap_or_default();
        let hour = first.0.strftime("dt=%Y-%m-%d/hour=%H");
        let digest = digest::digest(&digest::SHA256, lines.as_bytes());
        let digest: String = digest.as_ref().iter().take(6).map(|b| format!("{b:02x}")).collect();
        let end = match self.compression {
            Compression::Gzip => "ndjson.gz",
            Compression::None => "ndjson",
        };
        let name = format!("{:020}-{last:020}-{digest}.{end}", first.1);
        Path::from(format!("{}/{hour}/{name}", self.prefix))
    }

    fn pack(&self, lines: String) -> Result<Vec<u8>, DeliveryError> {
        if self.compression == Compression::None {
            return Ok(lines.into_bytes());
        }
        // Without a time in its header, the same lines are the same bytes.
        let mut gzip = GzBuilder::new().write(Vec::new(), Level::default());
        let packed = gzip.write_all(lines.as_bytes()).and_then(|()| gzip.finish());
        packed.map_err(|error| DeliveryError::retry(format!("gzip: {}", error.kind())))
    }
}

#[async_trait]
impl Sink for S3 {
    fn batch(&self) -> Option<Batch> {
        Some(Batch { bytes: MOST_BYTES, window: self.window, ..Batch::default() })
    }

    /// An object holds events of one hour.
    fn goes_with(&self, first: &Event, next: &Event) -> bool {
        first.time.as_second().div_euclid(3_600) == next.time.as_second().div_euclid(3_600)
    }

    async fn deliver(&self, event: &Event) -> Result<(), DeliveryError> {
        self.deliver_batch(&[event]).await
    }

    async fn deliver_batch(&self, events: &[&Event]) -> Result<(), DeliveryError> {
        let lines: String = events.iter().flat_map(|event| [event.body.as_str(), "\n"]).collect();
        let key = self.key(events, &lines);
        let kind = match self.compression {
            Compression::Gzip => "application/gzip",
            Compression::None => "application/x-ndjson",
        };
        // The key holds a digest of the lines: what is there is what would have been written.
        self.bucket.put_if_absent(&key, self.pack(lines)?, kind).await
    }
}
