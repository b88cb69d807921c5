//! One bucket: who may write to it, over which connections, and what its errors mean.

use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::client::{HttpClient, HttpConnector};
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, BackoffConfig, ClientOptions, Error, ObjectStore as _, PutMode,
    PutOptions, RetryConfig,
};
use reqwest::Url;
use secrecy::ExposeSecret as _;

use super::{DeliveryError, Fault, S3Config};
use crate::deliver::http::{Limits, TIMEOUT_SECS, refused};

#[derive(Debug)]
pub(super) struct Bucket {
    name: String,
    client: AmazonS3,
}

impl Bucket {
    pub(super) fn new(config: &S3Config) -> Result<Self, Fault> {
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
        Ok(Self { name: config.bucket.clone(), client: builder.build().map_err(unfit)? })
    }

    /// Writes an object unless there is one of this key, which counts as written.
    pub(super) async fn put_if_absent(
        &self,
        key: &Path,
        body: Vec<u8>,
        kind: &'static str,
    ) -> Result<(), DeliveryError> {
        let mut attributes = Attributes::new();
        attributes.insert(Attribute::ContentType, kind.into());
        let options = PutOptions { mode: PutMode::Create, attributes, ..PutOptions::default() };
        match self.client.put_opts(key, body.into(), options).await {
            Ok(_) | Err(Error::AlreadyExists { .. }) => Ok(()),
            Err(error) => Err(self.failed(&error)),
        }
    }

    fn failed(&self, error: &Error) -> DeliveryError {
        if let Some(refused) = refused(error) {
            return DeliveryError::Reject { reason: refused.to_string() };
        }
        let reason = |what: &str| format!("bucket {}: {what}", self.name);
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
    Limits::of(&config.allow_cidrs).client(&url)
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
