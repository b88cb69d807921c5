//! A referee between a client and a simulated system: prism holds every request and every answer
//! to the vendor's own description.
//!
//! [`Referee`] is one address. What the description has goes through `prism proxy --errors`; what
//! it does not have (GraphQL, and lists that were cut away) goes straight to the simulator, and
//! both are counted, so that nothing passes for held that was not. Where the description itself is
//! wrong, a [`Mend`] says what and why; everything else is still held.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, Uri};
use serde_json::Value;

use super::npm::{self, Package};
use super::testbed;

/// Where prism comes from.
const PRISM: Package =
    Package { name: "@stoplight/prism-cli", version: "5.16.0", program: "prism" };

/// A vendor's description, beside the project. `None` says so in the test's output.
pub fn description(file: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/specs").join(file);
    if path.exists() {
        return Some(path);
    }
    println!("SKIPPED: {} is not here, so nothing was held to it", path.display());
    None
}

/// A place where a vendor's description does not describe what the vendor does.
#[derive(Clone, Debug)]
pub struct Mend {
    /// A JSON pointer, which must lead somewhere.
    pub at: &'static str,
    /// What to put there; null takes it out.
    pub put: Value,
    /// For whoever reads the test: what the vendor does in truth, and where that is said.
    pub why: &'static str,
}

/// The description with its mends, in a file that goes with the folder.
fn mended(description: &Path, mends: &[Mend], folder: &Path) -> PathBuf {
    let text = std::fs::read_to_string(description).unwrap();
    let mut document: Value = serde_json::from_str(&text).unwrap();
    for Mend { at, put, why } in mends {
        assert!(!why.is_empty(), "{at}: say why");
        let place = document.pointer_mut(at);
        let place = place.unwrap_or_else(|| panic!("{at} is not in {}", description.display()));
        assert_ne!(place, put, "{at} needs no mend any more");
        *place = put.clone();
    }
    if let Some(paths) = document["paths"].as_object_mut() {
        paths.retain(|_, item| !item.is_null());
    }
    let path = folder.join("description.json");
    std::fs::write(&path, document.to_string()).unwrap();
    path
}

/// A running prism in front of `upstream`. It ends when this is dropped.
struct Prism {
    child: Child,
    url: String,
}

impl Prism {
    fn start(description: &Path, upstream: &str) -> Self {
        npm::needs_node("prism", (20, 19));
        let mut child = Command::new(PRISM.program())
            .args(["proxy", "--errors", "--host", "127.0.0.1", "--port", "0"])
            .arg(description)
            .arg(upstream)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let said = child.stdout.take().unwrap();
        let url = testbed::address(&mut child, said, ("prism", "Prism is listening on "));
        Self { child, url }
    }
}

impl Drop for Prism {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What went through, so far.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Templates of the description that were held.
    pub held: BTreeSet<String>,
    /// Paths that the description does not have, which were not held.
    pub past: BTreeSet<String>,
    /// What departed from the description: method and path, and prism's reasons.
    pub departures: Vec<String>,
}

struct Inside {
    prism: Prism,
    /// Holds the description, which prism watches for as long as it runs.
    _folder: tempfile::TempDir,
    upstream: String,
    templates: Vec<String>,
    client: reqwest::Client,
    seen: Mutex<Seen>,
}

/// The address to point a client at.
pub struct Referee {
    inside: Arc<Inside>,
    url: String,
    server: tokio::task::JoinHandle<()>,
}

impl Referee {
    /// Stands in front of `upstream`, on the tokio runtime of the caller.
    pub async fn start(description: &Path, upstream: &str) -> Self {
        Self::with(description, &[], upstream).await
    }

    /// The same, with a description that is wrong in these places.
    pub async fn with(description: &Path, mends: &[Mend], upstream: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let description = mended(description, mends, folder.path());
        let text = std::fs::read_to_string(&description).unwrap();
        let document: Value = serde_json::from_str(&text).unwrap();
        let templates = document["paths"].as_object().unwrap().keys().cloned().collect();
        let inside = Arc::new(Inside {
            prism: Prism::start(&description, upstream),
            _folder: folder,
            upstream: upstream.to_owned(),
            templates,
            client: reqwest::Client::builder().build().unwrap(),
            seen: Mutex::default(),
        });
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(pass).with_state(Arc::clone(&inside));
        let server = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Self { inside, url, server }
    }

    /// Where a client finds the simulated system.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What went through since the last call.
    pub fn take(&self) -> Seen {
        std::mem::take(&mut *self.inside.seen.lock().unwrap())
    }
}

impl Drop for Referee {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn pass(
    State(inside): State<Arc<Inside>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let path = uri.path();
    let template = inside.templates.iter().find(|template| fits(template, path)).cloned();
    let base = if template.is_some() { &inside.prism.url } else { &inside.upstream };
    let target = format!("{base}{}", uri.path_and_query().map_or(path, |both| both.as_str()));
    let mut request = inside.client.request(method.clone(), target).body(body);
    for (name, value) in &headers {
        if !["host", "content-length", "connection"].contains(&name.as_str()) {
            request = request.header(name, value);
        }
    }
    let answer = request.send().await.unwrap();
    let mut response = Response::builder().status(answer.status());
    for (name, value) in answer.headers() {
        if !["content-length", "transfer-encoding", "connection"].contains(&name.as_str()) {
            response = response.header(name, value);
        }
    }
    let body = answer.bytes().await.unwrap();
    let mut seen = inside.seen.lock().unwrap();
    match template {
        Some(template) => drop(seen.held.insert(template)),
        None => drop(seen.past.insert(path.to_owned())),
    }
    if let Some(reasons) = departure(&body) {
        seen.departures.push(format!("{method} {path}: {reasons}"));
    }
    drop(seen);
    response.body(Body::from(body)).unwrap()
}

/// Whether a path is one of a template's.
fn fits(template: &str, path: &str) -> bool {
    let (template, path): (Vec<_>, Vec<_>) =
        (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len()
        && template.iter().zip(&path).all(|(own, part)| own.starts_with('{') || own == part)
}

/// What prism says in place of an answer that departs from the description.
fn departure(body: &[u8]) -> Option<String> {
    let problem: Value = serde_json::from_slice(body).ok()?;
    let kind = problem["type"].as_str()?;
    if !kind.contains("stoplight.io/prism") {
        return None;
    }
    let reasons = problem["validation"].as_array().cloned().unwrap_or_default();
    let reasons: Vec<String> = reasons
        .iter()
        .take(5)
        .map(|reason| format!("{} at {}", reason["message"], reason["location"]))
        .collect();
    Some(format!("{} {}", problem["title"], reasons.join("; ")))
}
