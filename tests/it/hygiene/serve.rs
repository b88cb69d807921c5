//! Stands in front of the simulators, and serves the fixtures of the catalogue: every answer is
//! stuffed, and some are spoiled.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, Uri};
use futures::stream;
use serde_json::{Value, json};

use super::fields::Sent;
use super::marks::{CONTROL, mark};
use super::stuff;

/// What happens to answers beside being stuffed.
#[derive(Clone, Copy, Debug, Default)]
pub enum Weather {
    #[default]
    Honest,
    /// Words that people see have changed.
    Changed,
    /// A quarter of the calls go wrong, in every way: in each of four rounds another quarter.
    Foul(u64),
}

/// What happens to one answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mood {
    Honest,
    Changed,
    Denied,
    NotJson,
    Redirected,
    Mistyped,
    Broken,
}

/// How many rounds of foul weather there are.
pub const ROUNDS: u64 = 4;

/// Shared by all servers of a test.
#[derive(Default)]
pub struct Sky {
    pub weather: Mutex<Weather>,
    pub sent: Sent,
}

/// Where answers come from before they are stuffed.
enum Behind {
    Upstream(String),
    Fixtures(BTreeMap<String, Vec<Fixture>>),
}

#[derive(Clone, Debug, serde::Deserialize)]
struct Fixture {
    request: String,
    asks: Option<String>,
    #[serde(default = "ok")]
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Value,
}

const fn ok() -> u16 {
    200
}

struct Inside {
    behind: Behind,
    url: String,
    sky: Arc<Sky>,
    client: reqwest::Client,
    /// The one call that has a bad day: clients try it again and again, with pauses.
    broken: OnceLock<String>,
}

/// A running server; it ends when this is dropped.
pub struct Stuffed {
    url: String,
    server: tokio::task::JoinHandle<()>,
}

impl Stuffed {
    /// In front of a simulator.
    pub async fn before(upstream: &str, sky: &Arc<Sky>) -> Self {
        Self::start(Behind::Upstream(upstream.to_owned()), sky).await
    }

    /// All fixtures of the catalogue, each description below its name.
    pub async fn catalogue(folder: &Path, sky: &Arc<Sky>) -> Self {
        let mut fixtures = BTreeMap::new();
        for name in headcount_rest::catalog::names() {
            let mut all = Vec::new();
            for entry in std::fs::read_dir(folder.join(name).join("fixtures")).unwrap() {
                let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
                all.extend(serde_json::from_str::<Vec<Fixture>>(&text).unwrap());
            }
            fixtures.insert(name.to_owned(), all);
        }
        Self::start(Behind::Fixtures(fixtures), sky).await
    }

    async fn start(behind: Behind, sky: &Arc<Sky>) -> Self {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        let client = client.build().unwrap();
        let (sky, broken) = (Arc::clone(sky), OnceLock::new());
        let inside = Arc::new(Inside { behind, url: url.clone(), sky, client, broken });
        let router = Router::new().fallback(answer).with_state(inside);
        let server = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Self { url, server }
    }

    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Stuffed {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn answer(
    State(inside): State<Arc<Inside>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let weather = *inside.sky.weather.lock().unwrap();
    let told = headers.get("authorization").and_then(|value| value.to_str().ok());
    let added = stuff::headers(told);
    // One path of AWS is every call there is: what is asked stands in the body.
    let asked = format!("{} {}", uri.path(), String::from_utf8_lossy(&body[..body.len().min(60)]));
    let mood = mood(weather, &asked, &inside.broken);
    let mut response = match spoiled(mood, &asked) {
        Some(response) => response,
        None => match &inside.behind {
            Behind::Upstream(upstream) => {
                let request = (method, uri, headers, body);
                passed(&inside, upstream, request, mood).await
            }
            Behind::Fixtures(all) => fixture(&inside, all, (&method, &uri, &body), mood),
        },
    };
    for (name, value) in added {
        response.headers_mut().append(name, value.parse().unwrap());
    }
    response
}

fn mood(weather: Weather, asked: &str, broken: &OnceLock<String>) -> Mood {
    let round = match weather {
        Weather::Honest => return Mood::Honest,
        Weather::Changed => return Mood::Changed,
        Weather::Foul(round) => round,
    };
    let mut hasher = DefaultHasher::new();
    asked.hash(&mut hasher);
    let hash = hasher.finish();
    let slot = (hash + round * ROUNDS) % (ROUNDS * ROUNDS);
    // A watch that breaks is tried again as well: few do.
    let is_few = (hash / (ROUNDS * ROUNDS)).is_multiple_of(4);
    let is_watched = asked.starts_with("/api");
    match slot {
        0 => Mood::Denied,
        1..=3 if is_watched && !is_few => Mood::Honest,
        1 => Mood::NotJson,
        2 => Mood::Redirected,
        3 => Mood::Mistyped,
        4 if broken.get_or_init(|| asked.to_owned()) == asked => Mood::Broken,
        _ => Mood::Honest,
    }
}

fn spoiled(mood: Mood, asked: &str) -> Option<Response<Body>> {
    // The one word by which a cluster says that it refuses.
    let reason = if asked.starts_with("/api") { "Forbidden".to_owned() } else { mark("reason") };
    let body = json!({
        "message": mark("error-message"),
        "error": mark("error"),
        "errors": [mark("errors")],
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "code": 403,
        "reason": reason,
        "metadata": {},
        "details": {"name": mark("details")},
    })
    .to_string();
    let response = match mood {
        Mood::Denied => Response::builder().status(403).body(body),
        Mood::Broken => Response::builder().status(500).body(format!("<html>{}", mark("page"))),
        Mood::Redirected => Response::builder()
            .status(302)
            .header("location", format!("https://example.com/?token={}", mark("redirect")))
            .body(body),
        Mood::NotJson => {
            let page = format!("<html lang=\"{}\">{}", mark("attribute"), mark("not-json"));
            Response::builder().body(page)
        }
        _ => return None,
    };
    Some(response.unwrap().map(Body::from))
}

/// Stuffs a body and does to it what else happens.
fn changed(path: &str, text: &[u8], mood: Mood) -> Vec<u8> {
    if text.starts_with(b"<") {
        let stuffed = stuff::xml(&String::from_utf8_lossy(text));
        let is_mistyped = mood == Mood::Mistyped;
        return if is_mistyped { stuff::mistype_xml(&stuffed) } else { stuffed }.into_bytes();
    }
    let Ok(mut value) = serde_json::from_slice::<Value>(text) else { return text.to_vec() };
    stuff::json(path, &mut value);
    match mood {
        Mood::Changed => stuff::rename(&mut value),
        Mood::Mistyped => stuff::mistype(&mut value),
        _ => {}
    }
    value.to_string().into_bytes()
}

/// As [`changed`]; what stood in it is remembered.
fn sent(inside: &Inside, path: &str, text: &[u8], mood: Mood) -> Vec<u8> {
    let body = changed(path, text, mood);
    inside.sky.sent.note(path, &body);
    body
}

type Asked = (Method, Uri, HeaderMap, Bytes);

async fn passed(
    inside: &Inside,
    upstream: &str,
    (method, uri, headers, body): Asked,
    mood: Mood,
) -> Response<Body> {
    let path = uri.path().to_owned();
    let asked = uri.path_and_query().map_or(path.as_str(), |both| both.as_str());
    // Whoever follows a stuffed link asks with the mark in it.
    let asked = asked.replace(&format!("&{}", stuff::TRACE), "");
    let mut request = inside.client.request(method, format!("{upstream}{asked}")).body(body);
    for (name, value) in &headers {
        if !["host", "content-length", "connection", "accept-encoding"].contains(&name.as_str()) {
            request = request.header(name, value);
        }
    }
    let answer = request.send().await.unwrap();
    let mut response = Response::builder().status(answer.status());
    for (name, value) in answer.headers() {
        let value = match name.as_str() {
            "content-length" | "transfer-encoding" | "connection" => continue,
            "link" => stuff::link(value.to_str().unwrap()).parse().unwrap(),
            _ => value.clone(),
        };
        response = response.header(name, value);
    }
    let body = if asked.contains("watch=") {
        watched(path, answer)
    } else {
        Body::from(sent(inside, &path, &answer.bytes().await.unwrap(), mood))
    };
    response.body(body).unwrap()
}

/// A watch has no end: each of its lines is stuffed as it comes.
fn watched(path: String, answer: reqwest::Response) -> Body {
    let lines = stream::unfold((answer, Vec::new()), move |(mut answer, mut held)| {
        let path = path.clone();
        async move {
            loop {
                if let Some(end) = held.iter().position(|byte| *byte == b'\n') {
                    let line: Vec<u8> = held.drain(..=end).collect();
                    let mut line = changed(&path, &line, Mood::Honest);
                    line.push(b'\n');
                    return Some((Ok::<_, Infallible>(line), (answer, held)));
                }
                held.extend_from_slice(&answer.chunk().await.ok()??);
            }
        }
    });
    Body::from_stream(lines)
}

fn fixture(
    inside: &Inside,
    all: &BTreeMap<String, Vec<Fixture>>,
    (method, uri, body): (&Method, &Uri, &Bytes),
    mood: Mood,
) -> Response<Body> {
    let path = uri.path().trim_start_matches('/');
    let (name, path) = path.split_once('/').unwrap_or((path, ""));
    if name == "token" {
        let token = json!({"access_token": mark("access-token"), "expires_in": 3600});
        return Response::new(Body::from(token.to_string()));
    }
    let query = uri.query().unwrap_or_default().replace(stuff::TRACE, "");
    let (exact, any) = (key(method, path, &query), key(method, path, ""));
    let body = String::from_utf8_lossy(body);
    // What a list was stuffed with is asked for in turn.
    let asked = |asks: &String| body.contains(&asks.replace("MARKED", &mark("fixture")));
    let fits = |one: &&Fixture| one.asks.as_ref().is_none_or(asked);
    let found = [exact, any].into_iter().find_map(|key| {
        let mut same = all.get(name)?.iter().filter(|one| described(&one.request) == key);
        same.find(fits)
    });
    let Some(found) = found else {
        let missing = format!("{} {name}/{path}?{query}", mark("no-fixture"));
        return Response::builder().status(404).body(Body::from(missing)).unwrap();
    };
    let mut response = Response::builder().status(found.status);
    for (header, value) in &found.headers {
        response = response.header(header, stuff::link(&moved(value, &inside.url, name)));
    }
    let text = moved(&found.body.to_string(), &inside.url, name);
    // People's own words, which are kept: the search must see them.
    let text = text.replace("\"machines\"", &format!("\"machines {CONTROL}purpose\""));
    // A described number is a text as well: what is mistyped would be an id.
    let mood = if mood == Mood::Mistyped { Mood::Honest } else { mood };
    let path = format!("/{name}/{path}");
    response.body(Body::from(sent(inside, &path, text.as_bytes(), mood))).unwrap()
}

/// Addresses of the vendor as addresses of this server.
fn moved(text: &str, url: &str, name: &str) -> String {
    let hosts = ["api.atlassian.com", "graph.microsoft.com", "gitlab.com", "acme.okta.com"];
    hosts.iter().fold(text.to_owned(), |text, host| {
        text.replace(&format!("https://{host}/"), &format!("{url}/{name}/"))
    })
}

fn described(request: &str) -> String {
    let (method, path) = request.split_once(' ').unwrap();
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    key(&method, path.trim_start_matches('/'), query)
}

/// Method, path and query, in an order of its own and without escapes.
fn key(method: &Method, path: &str, query: &str) -> String {
    let address = format!("http://fixture.invalid/{path}?{query}");
    let url = reqwest::Url::parse(&address).unwrap();
    let mut query: Vec<String> = url
        .query_pairs()
        .filter(|(name, _)| !name.is_empty())
        .map(|(n, v)| format!("{n}={v}"))
        .collect();
    query.sort();
    format!("{method} {} {}", url.path(), query.join("&"))
}
