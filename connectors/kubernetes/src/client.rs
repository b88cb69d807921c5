//! The only part that calls a cluster, one at a time or as a watcher.
//!
//! What the vendor's client logs of an answer it does not understand is the answer itself, so its
//! calls run without a subscriber ([`quiet`]); what happened is in the error that comes back.

pub(crate) mod error;
mod status;

use std::collections::{BTreeMap, BTreeSet};
use std::task::Poll;
use std::time::Duration;

use futures::future::BoxFuture;
use headcount_sdk::governor::{Governor, Limits};
use headcount_sdk::{Priority, ScanError};
use jiff::Timestamp;
use kube::client::{Body, ClientBuilder};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::ApiResource;
use kube::{Api, Client};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::OnceCell;
use tower::layer::layer_fn;
use tower::util::{AndThenLayer, MapRequestLayer};
use tracing::instrument::WithSubscriber as _;
use tracing::subscriber::NoSubscriber;

use self::error::{malformed, scan_error, unavailable};
use crate::config::Config;
use crate::id::Place;
use crate::kinds::{CERTIFICATES, Kind};
use crate::manifest::{GET_CLUSTER, GET_GROUPS, GET_ISSUER, GET_TRACKING, GET_VERSION, TRACKING};
use crate::normalize::secrets::day;
use crate::wire::Wire;

/// How patient the connector is.
#[derive(Clone, Copy, Debug)]
pub struct Tuning {
    /// Times that one list is begun, before its error stands.
    pub attempts: u32,
    /// Pause before the second attempt; doubles each time.
    pub backoff: Duration,
    /// Longest pause between attempts; five times as long where somebody must grant something.
    pub longest_backoff: Duration,
    /// Shortest time between the starts of two requests, those of watchers included.
    pub spacing: Duration,
    /// Objects per page of a list.
    pub page_size: u32,
    /// How long one kind may take to be listed.
    pub list_deadline: Duration,
    /// How long a scan waits for what is watched to be filled, before it lists for itself.
    pub settle: Duration,
    /// How long a streamed list may be silent before it is taken for one that never ends.
    pub stream_silence: Duration,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            attempts: 4,
            backoff: Duration::from_secs(1),
            longest_backoff: Duration::from_secs(60),
            spacing: Duration::from_millis(20),
            page_size: 500,
            list_deadline: Duration::from_secs(600),
            settle: Duration::from_secs(120),
            stream_silence: Duration::from_secs(30),
        }
    }
}

/// Longer than a watch lasts; without it, an answer that never comes would never end.
const READ_TIMEOUT: Duration = Duration::from_secs(320);

/// Lists of that many objects are no lists of anything that this can count.
pub(crate) const MOST_OBJECTS: usize = 5_000_000;

/// Runs a call of the vendor's client without letting it log.
pub(crate) async fn quiet<F: Future>(call: F) -> F::Output {
    call.with_subscriber(NoSubscriber::new()).await
}

/// A way into one cluster, opened at the first call.
pub(crate) struct Access {
    pub(crate) config: Config,
    pub(crate) tuning: Tuning,
    pub(crate) governor: Governor,
    given: Option<kube::Config>,
    client: OnceCell<Client>,
}

/// What the API server has, and in which version.
#[derive(Clone, Debug, Default)]
pub(crate) struct Discovered {
    groups: BTreeSet<String>,
    pod_certificates: Option<&'static str>,
}

impl Discovered {
    /// How to ask for a kind, if the server has it.
    pub(crate) fn api(&self, kind: Kind) -> Result<ApiResource, ScanError> {
        let resource = kind.resource();
        let version = if kind == Kind::PodCertificateRequests {
            self.pod_certificates
        } else {
            let is_there = resource.group.is_empty() || self.groups.contains(resource.group);
            resource.versions.first().copied().filter(|_| is_there)
        };
        let version = version.ok_or_else(|| ScanError::NotSupported {
            operation: resource.list.to_owned(),
            reason: format!("the API server has no {}", resource.plural),
        })?;
        Ok(resource.api(version))
    }
}

impl Access {
    pub(crate) fn new(config: Config, tuning: Tuning, given: Option<kube::Config>) -> Self {
        // Two lists at once and nothing in between: pages follow each other at the server's pace.
        let governor = Governor::new(Limits { concurrency: 2, spacing: Duration::ZERO });
        Self { config, tuning, governor, given, client: OnceCell::new() }
    }

    pub(crate) async fn client(&self) -> Result<Client, ScanError> {
        self.client.get_or_try_init(|| self.open()).await.cloned()
    }

    async fn open(&self) -> Result<Client, ScanError> {
        let mut config = match (&self.given, &self.config.kubeconfig) {
            (Some(given), _) => given.clone(),
            (None, Some(path)) => {
                let told = "the kubeconfig could not be read";
                let file =
                    Kubeconfig::read_from(path).map_err(|_| unavailable(GET_CLUSTER, told))?;
                let options = KubeConfigOptions {
                    context: self.config.context.clone(),
                    ..Default::default()
                };
                kube::Config::from_custom_kubeconfig(file, &options)
                    .await
                    .map_err(|_| unavailable(GET_CLUSTER, "the kubeconfig has no such context"))?
            }
            (None, None) => kube::Config::incluster().map_err(|_| {
                let told = "the agent does not run in a cluster; set `kubeconfig`";
                unavailable(GET_CLUSTER, told)
            })?,
        };
        config.read_timeout = Some(READ_TIMEOUT);
        let builder = ClientBuilder::try_from(config)
            .map_err(|_| unavailable(GET_CLUSTER, "the configuration leads to no API server"))?;
        let pace = Pace(Governor::new(Limits {
            // Only the pace is bounded: a proxy may keep a watch waiting for its first event.
            concurrency: 1_024,
            spacing: self.tuning.spacing,
        }));
        let builder = builder.with_layer(&AndThenLayer::new(status::told));
        let builder =
            builder.with_layer(&layer_fn(move |inner| Paced { inner, pace: pace.clone() }));
        Ok(builder.with_layer(&MapRequestLayer::new(most_recent)).build())
    }

    /// The cluster's lasting id.
    pub(crate) async fn place(&self, priority: Priority) -> Result<Place, ScanError> {
        let api: Api<Wire> =
            Api::all_with(self.client().await?, &Kind::Namespaces.resource().api("v1"));
        let found = {
            let _turn = self.governor.turn(priority).await;
            quiet(api.get("kube-system")).await
        };
        let found = found.map_err(|error| self.failed(GET_CLUSTER, &error))?;
        let uid = found.metadata.uid.filter(|uid| !uid.is_empty());
        let uid = uid.ok_or_else(|| malformed(GET_CLUSTER, "metadata.uid"))?;
        Ok(Place::new(&uid))
    }

    /// Asks which groups of the API there are, and where certificates of pods are among them.
    pub(crate) async fn discover(&self, priority: Priority) -> Result<Discovered, ScanError> {
        let client = self.client().await?;
        let _turn = self.governor.turn(priority).await;
        let groups = quiet(client.list_api_groups()).await;
        let groups = groups.map_err(|error| self.failed(GET_GROUPS, &error))?.groups;
        let mut found = Discovered::default();
        for group in groups {
            let served: BTreeSet<&str> =
                group.versions.iter().map(|version| version.version.as_str()).collect();
            if group.name == CERTIFICATES {
                found.pod_certificates = self.pod_certificates(&client, &served).await?;
            }
            found.groups.insert(group.name);
        }
        Ok(found)
    }

    /// A version may be there for another resource of the group.
    async fn pod_certificates(
        &self,
        client: &Client,
        served: &BTreeSet<&str>,
    ) -> Result<Option<&'static str>, ScanError> {
        let resource = Kind::PodCertificateRequests.resource();
        for version in resource.versions.iter().filter(|version| served.contains(*version)) {
            let group = format!("{}/{version}", resource.group);
            let list = quiet(client.list_api_group_resources(&group)).await;
            let list = list.map_err(|error| self.failed(GET_GROUPS, &error))?;
            if list.resources.iter().any(|found| found.name == resource.plural) {
                return Ok(Some(version));
            }
        }
        Ok(None)
    }

    /// Whether lists may be streamed, by version: on by default in 1.32 and again from 1.34 on.
    /// Whoever refuses nevertheless is asked for pages.
    pub(crate) async fn streams_lists(&self, priority: Priority) -> Result<bool, ScanError> {
        let client = self.client().await?;
        let _turn = self.governor.turn(priority).await;
        let version = quiet(client.apiserver_version()).await;
        let version = version.map_err(|error| self.failed(GET_VERSION, &error))?;
        let number = |text: &str| -> Option<u32> {
            text.trim_end_matches(|c: char| !c.is_ascii_digit()).parse().ok()
        };
        Ok(match (number(&version.major), number(&version.minor)) {
            (Some(1), Some(minor)) => minor == 32 || minor >= 34,
            _ => false,
        })
    }

    /// As whom the cluster signs the tokens of its service accounts.
    pub(crate) async fn issuer(&self, priority: Priority) -> Result<String, ScanError> {
        #[derive(Deserialize)]
        struct Issuer {
            issuer: String,
        }
        let found: Issuer =
            self.get(GET_ISSUER, "/.well-known/openid-configuration", priority).await?;
        let issuer = found.issuer.trim_end_matches('/');
        if !issuer.starts_with("https://") {
            return Err(malformed(GET_ISSUER, "issuer"));
        }
        Ok(issuer.to_owned())
    }

    /// Since when the API server notes the use of legacy tokens.
    pub(crate) async fn tracked_since(&self, priority: Priority) -> Result<Timestamp, ScanError> {
        #[derive(Deserialize)]
        struct Tracking {
            data: Option<BTreeMap<String, String>>,
        }
        let path = format!("/api/v1/namespaces/kube-system/configmaps/{TRACKING}");
        let found: Tracking = self.get(GET_TRACKING, &path, priority).await?;
        let since = found.data.as_ref().and_then(|data| data.get("since"));
        since.and_then(|since| day(since)).ok_or_else(|| malformed(GET_TRACKING, "data.since"))
    }

    async fn get<T: DeserializeOwned>(
        &self,
        operation: &str,
        path: &str,
        priority: Priority,
    ) -> Result<T, ScanError> {
        let client = self.client().await?;
        let request = http::Request::get(path)
            .body(Vec::new())
            .map_err(|_| unavailable(operation, "the request could not be made"))?;
        let _turn = self.governor.turn(priority).await;
        quiet(client.request(request)).await.map_err(|error| self.failed(operation, &error))
    }

    fn failed(&self, operation: &str, error: &kube::Error) -> ScanError {
        let error = scan_error(operation, error);
        self.heed(&error);
        error
    }

    /// A throttle stops every call for as long as the server asked.
    pub(crate) fn heed(&self, error: &ScanError) {
        if let ScanError::Throttled { retry_after_secs, .. } = error {
            let wait = retry_after_secs.map_or(self.tuning.backoff, Duration::from_secs);
            self.governor.back_off(wait.min(self.tuning.longest_backoff));
        }
    }
}

/// Keeps requests apart, also those that the vendor's watcher makes by itself: a proxy that ends
/// every watch at once would have it ask without a pause.
#[derive(Clone)]
struct Pace(Governor);

struct Paced<S> {
    inner: S,
    pace: Pace,
}

impl<S> tower::Service<http::Request<Body>> for Paced<S>
where
    S: tower::Service<http::Request<Body>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut std::task::Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let (answer, pace) = (self.inner.call(request), self.pace.clone());
        Box::pin(async move {
            let _turn = pace.0.turn(Priority::Scan).await;
            answer.await
        })
    }
}

/// The vendor's watcher streams a list from resource version 0, which means "from any cache, however
/// old". What such a list lacks is not proven to be gone, so the most recent is asked for.
/// <https://kubernetes.io/docs/reference/using-api/api-concepts/#streaming-lists>
fn most_recent(mut request: http::Request<Body>) -> http::Request<Body> {
    let text = request.uri().to_string();
    if text.contains("sendInitialEvents=true") {
        let asked = text.replace("resourceVersion=0", "resourceVersion=");
        if let Ok(uri) = asked.parse() {
            *request.uri_mut() = uri;
        }
    }
    request
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    #[test]
    fn a_streamed_list_is_asked_for_as_it_is_now_and_a_watch_from_where_it_was() {
        let asked = |uri: &str| {
            let request = http::Request::get(uri).body(Body::empty()).unwrap();
            most_recent(request).uri().to_string()
        };
        assert_eq!(
            asked("/api/v1/pods?watch=true&sendInitialEvents=true&resourceVersion=0"),
            "/api/v1/pods?watch=true&sendInitialEvents=true&resourceVersion="
        );
        let resumed = "/api/v1/pods?watch=true&resourceVersion=07";
        assert_eq!(asked(resumed), resumed);
    }

    #[test]
    fn what_the_server_does_not_have_is_not_supported() {
        let found = Discovered { groups: ["apps".to_owned()].into(), pod_certificates: None };
        assert!(found.api(Kind::Pods).is_ok());
        assert_eq!(found.api(Kind::Deployments).unwrap().api_version, "apps/v1");
        for absent in [Kind::RoleBindings, Kind::PodCertificateRequests] {
            let error = found.api(absent).unwrap_err();
            assert!(matches!(error, ScanError::NotSupported { .. }), "{error}");
        }
    }
}
