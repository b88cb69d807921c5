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
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::digest;
use flate2::{Compression as Level, GzBuilder};
use jiff::SignedDuration;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::client::{HttpClient, HttpConnector};
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, BackoffConfig, ClientOptions, Error, ObjectStore as _, PutMode,
    PutOptions, RetryConfig,
};
use reqwest::Url;
use schemars::JsonSchema;
use secrecy::ExposeSecret as _;
use serde::Deserialize;

use super::{Batch, DeliveryError, Fault, Sink};
use crate::config::secret::SecretRef;
use crate::deliver::guard::Cidr;
use crate::deliver::http::{Limits, TIMEOUT_SECS, refused};
use crate::store::Event;

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
    name: String,
    bucket: String,
    prefix: String,
    client: AmazonS3,
    window: SignedDuration,
    compression: Compression,
}

/// Gives the client of S3 the connections of every other sink: through the guard, without
/// redirects and without the proxies of the environment. Credentials that an instance or a container
/// hands out come from literal addresses, which no name server can move.
#[derive(Debug)]
struct Guarded(reqwest::Client);

impl HttpConnector for Guarded {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.0.clone()))
    }
}

/// Connections to where the API is, and to no address that the guard refuses.
fn client(config: &S3Config) -> Result<reqwest::Client, Fault> {
    let aws = format!("https://s3.{}.amazonaws.com", config.region);
    let endpoint = config.endpoint_url.as_deref().unwrap_or(&aws);
    let wrong = |reason: String| Fault::Url { reason };
    let url: Url = endpoint.parse().map_err(|error| wrong(format!("{error}")))?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err(wrong("it has to begin with https://".to_owned()));
    }
    let allow_cidrs = &config.allow_cidrs;
    Limits { allow_cidrs, timeout_secs: TIMEOUT_SECS, connections: 1 }.client(&url)
}

/// The configured key alone, or whatever the environment has.
fn credentials(config: &S3Config) -> Result<AmazonS3Builder, Fault> {
    match (&config.access_key_id, &config.secret_access_key) {
        (Some(id), Some(key)) => Ok(AmazonS3Builder::new()
            .with_access_key_id(id.resolve()?.expose_secret().trim())
            .with_secret_access_key(key.resolve()?.expose_secret().trim())),
        (None, None) => Ok(AmazonS3Builder::from_env()),
        _ => {
            let reason = "access_key_id and secret_access_key are given together or not at all";
            Err(Fault::Client { reason: reason.to_owned() })
        }
    }
}

impl S3 {
    pub fn new(name: &str, config: &S3Config) -> Result<Self, Fault> {
        let mut builder = credentials(config)?
            .with_bucket_name(&config.bucket)
            .with_region(&config.region)
            .with_http_connector(Guarded(client(config)?))
            // Attempts are the worker's.
            .with_retry(RetryConfig {
                max_retries: 0,
                retry_timeout: Duration::from_secs(TIMEOUT_SECS),
                backoff: BackoffConfig::default(),
            });
        if let Some(endpoint) = &config.endpoint_url {
            builder = builder.with_endpoint(endpoint);
        }
        // Its errors may quote what was configured.
        let reason = "the settings of S3 do not fit together";
        let unfit = |_| Fault::Client { reason: reason.to_owned() };
        Ok(Self {
            name: name.to_owned(),
            bucket: config.bucket.clone(),
            prefix: config.prefix.trim_matches('/').to_owned(),
            client: builder.build().map_err(unfit)?,
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

    fn failed(&self, error: &Error) -> DeliveryError {
        if let Some(refused) = refused(error) {
            return DeliveryError::Reject { reason: refused.to_string() };
        }
        let reason = |what: &str| format!("bucket {}: {what}", self.bucket);
        match error {
            Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => {
                DeliveryError::Reject { reason: reason("the credentials may not write to it") }
            }
            Error::NotFound { .. } => DeliveryError::Reject { reason: reason("there is none") },
            Error::NotSupported { .. } | Error::NotImplemented { .. } => DeliveryError::Reject {
                reason: reason("the server knows no conditional writes (If-None-Match)"),
            },
            _ => DeliveryError::retry(reason("no answer, or not with success")),
        }
    }
}

#[async_trait]
impl Sink for S3 {
    fn name(&self) -> &str {
        &self.name
    }

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
        let mut attributes = Attributes::new();
        attributes.insert(Attribute::ContentType, kind.into());
        let options = PutOptions { mode: PutMode::Create, attributes, ..PutOptions::default() };
        let body = self.pack(lines)?;
        match self.client.put_opts(&key, body.into(), options).await {
            // The key holds a digest of the lines: what is there is what would have been written.
            Ok(_) | Err(Error::AlreadyExists { .. }) => Ok(()),
            Err(error) => Err(self.failed(&error)),
        }
    }
}
