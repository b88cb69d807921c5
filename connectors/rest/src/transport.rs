//! One exchange with a server: sent once, answered whole or broken. Nothing here retries, and
//! nothing prints a request or an answer.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

/// The largest answer that is read.
const MOST_BYTES: usize = 64 * 1024 * 1024;

/// A request. Not printable: it carries secrets.
pub struct Request {
    pub method: &'static str,
    pub url: Url,
    pub headers: Vec<(String, SecretString)>,
    pub body: Option<Body>,
}

/// What is sent with a request.
pub enum Body {
    Json(serde_json::Value),
    /// An encoded form: a request for a token.
    Form(SecretString),
}

/// What a server answered.
pub struct Answer {
    pub status: u16,
    /// By lower-case name; of several with one name, joined with commas.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    #[error("it could not be reached")]
    Unreachable,
    #[error("it did not answer in time")]
    TimedOut,
    #[error("the connection broke")]
    Cut,
    #[error("the answer is larger than 64 MiB")]
    TooLarge,
    #[error("the fixtures have no answer to it")]
    NoFixture,
}

/// Exchanges a request for an answer: over HTTP, or from a folder of fixtures.
#[async_trait]
pub trait Transport: Send + Sync {
    async fn exchange(&self, request: Request) -> Result<Answer, Broken>;
}

/// HTTP, without redirects: a token would go wherever they lead.
pub struct Http(reqwest::Client);

impl Http {
    /// A client with deadlines.
    ///
    /// # Errors
    ///
    /// When the machine's TLS cannot be set up.
    pub fn new() -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(10))
            .timeout(Duration::from_secs(60))
            .user_agent(concat!("headcount/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self(client))
    }
}

#[async_trait]
impl Transport for Http {
    async fn exchange(&self, request: Request) -> Result<Answer, Broken> {
        let method = reqwest::Method::from_bytes(request.method.as_bytes());
        let mut sent = self.0.request(method.map_err(|_| Broken::Unreachable)?, request.url);
        for (name, value) in &request.headers {
            let value = reqwest::header::HeaderValue::from_str(value.expose_secret());
            let mut value = value.map_err(|_| Broken::Unreachable)?;
            value.set_sensitive(true);
            sent = sent.header(name, value);
        }
        sent = match request.body {
            None => sent,
            Some(Body::Json(body)) => {
                sent.header("content-type", "application/json").body(body.to_string())
            }
            Some(Body::Form(form)) => sent
                .header("content-type", "application/x-www-form-urlencoded")
                .body(form.expose_secret().to_owned()),
        };
        let mut response = sent.send().await.map_err(|error| broken(&error))?;
        let status = response.status().as_u16();
        let headers = headers(response.headers());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| broken(&error))? {
            if body.len() + chunk.len() > MOST_BYTES {
                return Err(Broken::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, headers, body })
    }
}

fn headers(received: &reqwest::header::HeaderMap) -> BTreeMap<String, String> {
    let mut headers = BTreeMap::<String, String>::new();
    for (name, value) in received {
        let Ok(value) = value.to_str() else { continue };
        let entry = headers.entry(name.as_str().to_owned()).or_default();
        if !entry.is_empty() {
            entry.push_str(", ");
        }
        entry.push_str(value);
    }
    headers
}

fn broken(error: &reqwest::Error) -> Broken {
    if error.is_timeout() {
        Broken::TimedOut
    } else if error.is_connect() {
        Broken::Unreachable
    } else {
        Broken::Cut
    }
}
