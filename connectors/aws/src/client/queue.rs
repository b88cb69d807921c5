//! The queue of events, and the files of a trail that its messages point to. All with the agent's
//! own credentials.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_iam::config::SharedCredentialsProvider;
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, MessageSystemAttributeName};
use headcount_sdk::{ScanContext, ScanError};
use object_store::aws::{AmazonS3, AmazonS3Builder, AwsCredential};
use object_store::{
    ClientOptions, CredentialProvider, Error, ObjectStoreExt, RetryConfig, path::Path,
};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::line::Line;
use super::{Cloud, lock, malformed, unavailable};
use crate::config::Events;
use crate::feed::Message;
use crate::feed::envelope::Object;

/// For how long a message that was received is shown to nobody else: settling, reading and a
/// commit fit in, and a message that failed is tried again this much later.
const HIDDEN_SECS: i32 = 300;

/// Messages per call: the most that SQS gives and deletes at once.
const BATCH: usize = 10;

/// How long SQS waits for messages before it answers that there are none.
const WAIT_SECS: i32 = 20;

/// CloudTrail closes a file long before.
const MOST_BYTES: u64 = 64 * 1024 * 1024;

/// Buckets whose client is kept.
const MOST_STORES: usize = 16;

/// For how long credentials for a trail's bucket are used before they are looked for again. The
/// providers hand none out that end sooner.
const CREDENTIALS_FOR: Duration = Duration::from_secs(60);

const FETCH: &str = "s3:GetObject";

/// One queue, ready to be read.
pub(crate) struct Queue {
    sqs: aws_sdk_sqs::Client,
    url: String,
    region: String,
    endpoint: Option<String>,
    bridge: Arc<Bridge>,
    stores: std::sync::Mutex<BTreeMap<(String, String), Arc<AmazonS3>>>,
    receiving: Line,
    deleting: Line,
    fetching: Line,
}

impl Cloud {
    pub(crate) async fn queue(&self, cx: &ScanContext, events: &Events) -> Queue {
        let base = self.base().await;
        let region = events.region().map(str::to_owned);
        let region = region.or_else(|| base.region().map(ToString::to_string)).unwrap_or_default();
        let config = aws_sdk_sqs::config::Builder::from(base)
            .region(aws_sdk_sqs::config::Region::new(region.clone()));
        Queue {
            sqs: aws_sdk_sqs::Client::from_conf(config.build()),
            url: events.queue_url.clone(),
            region,
            endpoint: base.endpoint_url().map(str::to_owned),
            bridge: Arc::new(Bridge {
                provider: base.credentials_provider(),
                kept: Mutex::default(),
            }),
            stores: std::sync::Mutex::default(),
            // Apart, so that a wait for messages holds up nothing else.
            receiving: self.line(cx, "queue/receive"),
            deleting: self.line(cx, "queue/delete"),
            fetching: self.line(cx, "queue/fetch"),
        }
    }
}

impl Queue {
    pub(crate) async fn receive(&self) -> Result<Vec<Message>, ScanError> {
        self.ask(BATCH, WAIT_SECS, HIDDEN_SECS).await
    }

    /// Whether messages may be received, without keeping one from whoever settles it.
    pub(crate) async fn try_out(&self) -> Result<(), ScanError> {
        self.ask(1, 0, 0).await.map(drop)
    }

    async fn ask(
        &self,
        most: usize,
        wait_secs: i32,
        hidden_secs: i32,
    ) -> Result<Vec<Message>, ScanError> {
        const OPERATION: &str = "sqs:ReceiveMessage";
        let request = self
            .sqs
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(i32::try_from(most).unwrap_or(1))
            .wait_time_seconds(wait_secs)
            .visibility_timeout(hidden_secs)
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount);
        let answer = self.receiving.read(OPERATION, request.send()).await?;
        let messages = answer.messages.unwrap_or_default().into_iter().map(|message| {
            let need = |value: Option<String>, member: &str| {
                value.ok_or_else(|| malformed(OPERATION, format!("Messages/{member}")))
            };
            let count = MessageSystemAttributeName::ApproximateReceiveCount;
            let receives = message.attributes.as_ref().and_then(|all| all.get(&count));
            let receives = receives.and_then(|count| count.parse().ok());
            Ok(Message {
                id: need(message.message_id, "MessageId")?,
                receipt: need(message.receipt_handle, "ReceiptHandle")?,
                body: need(message.body, "Body")?,
                receives: receives.ok_or_else(|| {
                    malformed(OPERATION, "Messages/Attributes/ApproximateReceiveCount")
                })?,
            })
        });
        messages.collect()
    }

    /// Gives how many were not deleted.
    pub(crate) async fn delete(&self, receipts: &[String]) -> Result<usize, ScanError> {
        const OPERATION: &str = "sqs:DeleteMessageBatch";
        let mut left = 0;
        for batch in receipts.chunks(BATCH) {
            let mut request = self.sqs.delete_message_batch().queue_url(&self.url);
            for (n, receipt) in batch.iter().enumerate() {
                let entry = DeleteMessageBatchRequestEntry::builder()
                    .id(n.to_string())
                    .receipt_handle(receipt);
                let entry = entry.build().map_err(|_| malformed(OPERATION, "Entries"))?;
                request = request.entries(entry);
            }
            let answer = self.deleting.read(OPERATION, request.send()).await?;
            left += answer.failed.len();
        }
        Ok(left)
    }

    pub(crate) async fn fetch(&self, object: &Object) -> Result<Vec<u8>, ScanError> {
        let store = self.store(object)?;
        let key = Path::parse(&object.key).map_err(|_| malformed(FETCH, "Key"))?;
        let _turn = self.fetching.turn().await;
        let answer = store.get(&key).await.map_err(|error| refused(&error))?;
        if answer.meta.size > MOST_BYTES {
            return Err(malformed(FETCH, "Content-Length: more than a trail writes"));
        }
        let body = answer.bytes().await.map_err(|error| refused(&error))?;
        Ok(body.into())
    }

    fn store(&self, object: &Object) -> Result<Arc<AmazonS3>, ScanError> {
        let region = object.region.clone().unwrap_or_else(|| self.region.clone());
        let name = (object.bucket.clone(), region.clone());
        let mut stores = lock(&self.stores);
        if let Some(store) = stores.get(&name) {
            return Ok(Arc::clone(store));
        }
        let endpoint = self.endpoint.clone().unwrap_or_else(|| s3_endpoint(&region));
        let options = ClientOptions::new()
            .with_allow_http(endpoint.starts_with("http://"))
            .with_connect_timeout(Duration::from_secs(5))
            .with_timeout(Duration::from_secs(90));
        let retry = RetryConfig { max_retries: 3, ..RetryConfig::default() };
        let store = AmazonS3Builder::new()
            .with_bucket_name(&object.bucket)
            .with_region(region)
            .with_endpoint(endpoint)
            .with_credentials(Arc::clone(&self.bridge) as _)
            .with_client_options(options)
            .with_retry(retry)
            .build()
            .map_err(|error| refused(&error))?;
        let store = Arc::new(store);
        if stores.len() >= MOST_STORES {
            stores.clear();
        }
        stores.insert(name, Arc::clone(&store));
        Ok(store)
    }
}

fn s3_endpoint(region: &str) -> String {
    let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    format!("https://s3.{region}.{suffix}")
}

/// Takes the kind of failure and nothing that was said.
fn refused(error: &Error) -> ScanError {
    match error {
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => ScanError::Denied {
            operation: FETCH.to_owned(),
            permission: super::permission(FETCH).to_owned(),
        },
        Error::NotFound { .. } => unavailable(FETCH, "HTTP 404".to_owned()),
        _ => unavailable(FETCH, "no answer, or not with success".to_owned()),
    }
}

/// The agent's credentials for the client of S3.
#[derive(Debug)]
struct Bridge {
    provider: Option<SharedCredentialsProvider>,
    kept: Mutex<Option<(Instant, Arc<AwsCredential>)>>,
}

#[async_trait]
impl CredentialProvider for Bridge {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let mut kept = self.kept.lock().await;
        if let Some((found_at, credential)) = kept.as_ref()
            && found_at.elapsed() < CREDENTIALS_FOR
        {
            return Ok(Arc::clone(credential));
        }
        let none = || Error::Generic { store: "S3", source: "no credentials".into() };
        let provider = self.provider.as_ref().ok_or_else(none)?;
        let found = provider.as_ref().provide_credentials().await.map_err(|_| none())?;
        let credential = Arc::new(AwsCredential {
            key_id: found.access_key_id().to_owned(),
            secret_key: found.secret_access_key().to_owned(),
            token: found.session_token().map(str::to_owned),
        });
        *kept = Some((Instant::now(), Arc::clone(&credential)));
        Ok(credential)
    }
}
