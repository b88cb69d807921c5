//! Requests through octocrab: its App tokens, its headers, its base addresses; nothing of its
//! retries, redirects or logs.
//!
//! octocrab's own `build_with_reqwest` wraps every call in a tracing layer that logs whole URLs
//! and each failure as an error. The stack here leaves that layer out: what a failure means is
//! decided, and logged once, where it is handled.

use std::sync::Arc;
use std::time::Duration;

use octocrab::models::AppId;
use octocrab::service::middleware::base_uri::BaseUriLayer;
use octocrab::service::middleware::extra_headers::ExtraHeadersLayer;
use octocrab::service::middleware::reqwest_connector::ReqwestConnector;
use octocrab::{AuthState, Octocrab, OctocrabBuilder};
use reqwest::header::{ACCEPT, HeaderMap, HeaderValue, USER_AGENT};
use secrecy::SecretString;
use serde_json::Value;

use crate::config::{Address, ConfigError};

/// More than any page of 100 rows has.
const MOST_BYTES: usize = 32 << 20;

/// GitHub gives up on a request of its own after ten seconds.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Which of the two APIs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Api {
    Rest,
    Graphql,
}

/// The HTTP client, shared by all credentials.
#[derive(Clone, Debug)]
pub(super) struct Transport {
    http: reqwest::Client,
    address: Address,
}

/// Both APIs with one credential.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    rest: Octocrab,
    graphql: Octocrab,
}

/// What came back, whatever the status.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// Why nothing came back. Says no address, because that may carry a cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// No answer, or not all of it.
    Connection,
    Timeout,
    TooLarge,
}

impl Lost {
    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::Connection => "the connection failed",
            Self::Timeout => "no answer in time",
            Self::TooLarge => "the answer is larger than any page",
        }
    }
}

impl Transport {
    pub(super) fn new(address: &Address) -> Result<Self, ConfigError> {
        let origin = address.origin.clone();
        // A repository or organisation that was renamed answers with a redirect to its numeric id.
        let same_host = reqwest::redirect::Policy::custom(move |attempt| {
            let there = attempt.url().origin().ascii_serialization() == origin;
            if there && attempt.previous().len() <= 3 { attempt.follow() } else { attempt.stop() }
        });
        let http = reqwest::Client::builder()
            .redirect(same_host)
            .timeout(TIMEOUT)
            .connect_timeout(Duration::from_secs(10))
            .build()
            .map_err(|_| ConfigError::Client)?;
        Ok(Self { http, address: address.clone() })
    }

    /// As the App itself, with a fresh JWT for every request.
    pub(super) fn app(&self, app_id: u64, key: &octocrab::EncodingKey) -> Result<Caller, Lost> {
        let auth = octocrab::auth::AppAuth { app_id: AppId(app_id), key: key.clone() };
        self.caller(AuthState::App(auth))
    }

    pub(super) fn token(&self, token: SecretString) -> Result<Caller, Lost> {
        self.caller(AuthState::AccessToken { token })
    }

    fn caller(&self, auth: AuthState) -> Result<Caller, Lost> {
        let rest = self.crab(&self.address.rest, auth.clone())?;
        // Two clients, because octocrab adds credentials to paths below its base alone, and a
        // server's GraphQL is not below its REST.
        let graphql = self.crab(&self.address.graphql, auth)?;
        Ok(Caller { rest, graphql })
    }

    fn crab(&self, base: &str, auth: AuthState) -> Result<Octocrab, Lost> {
        let base = base.try_into().map_err(|_| Lost::Connection)?;
        let headers = vec![
            (
                USER_AGENT,
                HeaderValue::from_static(concat!("headcount/", env!("CARGO_PKG_VERSION"))),
            ),
            (ACCEPT, HeaderValue::from_static("application/vnd.github+json")),
        ];
        let built = OctocrabBuilder::new_empty()
            .with_service(ReqwestConnector::new(self.http.clone()))
            .with_layer(&ExtraHeadersLayer::new(Arc::new(headers)))
            .with_layer(&BaseUriLayer::new(base))
            .with_auth(auth)
            .build();
        built.map_err(|never| match never {})
    }
}

/// A request without what makes it authentic.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) api: Api,
    /// With its query; never with a host, so that credentials stay where they belong.
    pub(super) path: String,
    /// `Some`: a POST.
    pub(super) body: Option<Value>,
}

impl Caller {
    pub(super) async fn send(&self, call: &Call) -> Result<Answer, Lost> {
        let crab = match call.api {
            Api::Rest => &self.rest,
            Api::Graphql => &self.graphql,
        };
        let path = call.path.as_str();
        let answer = match &call.body {
            Some(body) => crab._post(path, Some(body)).await,
            None => crab._get(path).await,
        };
        let answer = answer.map_err(|error| lost(&error))?;
        let mut answer = reqwest::Response::from(answer.map(reqwest::Body::wrap));
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let mut body = Vec::new();
        loop {
            match answer.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() > MOST_BYTES => {
                    return Err(Lost::TooLarge);
                }
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => return Ok(Answer { status, headers, body }),
                Err(_) => return Err(Lost::Connection),
            }
        }
    }
}

fn lost(error: &octocrab::Error) -> Lost {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        if error.downcast_ref::<reqwest::Error>().is_some_and(reqwest::Error::is_timeout) {
            return Lost::Timeout;
        }
        cause = error.source();
    }
    Lost::Connection
}
