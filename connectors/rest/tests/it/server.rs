//! A server of lists: every style of paging, faults on demand, and what was asked of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, StatusCode, Uri, header};
use headcount_sdk::testkit::Fault;
use serde_json::{Value, json};

/// How a list is cut into pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// `{data, meta: {next}}`, the token in the query or the body.
    Cursor,
    /// A list and `Link`.
    Link,
    /// `{data, links: {next}}`.
    Url,
    /// A list, `page` counts from 1.
    Page,
    /// `{data, total}`.
    Offset,
    /// No list: the first item alone.
    One,
}

#[derive(Clone, Debug)]
pub struct List {
    pub operation: String,
    pub style: Style,
    pub items: Vec<Value>,
}

/// Status, headers and body.
type Instead = (u16, Vec<(&'static str, String)>, Value);

#[derive(Debug, Default)]
pub struct Script {
    pub lists: BTreeMap<String, List>,
    pub fault: Option<(Fault, u64)>,
    pub most: Option<usize>,
    pub exchanges: u64,
    pub operations: Vec<String>,
    /// Answers by path that are given instead: status, headers, body.
    pub instead: BTreeMap<String, Instead>,
    /// What the clients must send.
    pub authorization: String,
}

#[derive(Clone)]
pub struct Server {
    pub url: String,
    pub script: Arc<Mutex<Script>>,
}

impl Server {
    pub async fn start(authorization: &str) -> Self {
        let script = Script { authorization: authorization.to_owned(), ..Script::default() };
        let script = Arc::new(Mutex::new(script));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new().fallback(answer).with_state((url.clone(), Arc::clone(&script)));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, script }
    }

    /// From now on answers a path so.
    pub fn instead(&self, path: &str, status: u16, headers: &[(&'static str, &str)], body: Value) {
        let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        self.script.lock().unwrap().instead.insert(path.to_owned(), (status, headers, body));
    }

    pub fn list(&self, path: &str, operation: &str, style: Style, items: &[Value]) {
        let list = List { operation: operation.to_owned(), style, items: items.to_vec() };
        self.script.lock().unwrap().lists.insert(path.to_owned(), list);
    }
}

type Shared = (String, Arc<Mutex<Script>>);

async fn answer(
    State((url, script)): State<Shared>,
    _method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let mut script = script.lock().unwrap();
    script.exchanges += 1;
    let fault = script.fault.filter(|(_, from)| script.exchanges >= *from).map(|(fault, _)| fault);
    let list = script.lists.get(uri.path()).cloned();
    if let Some((status, headers, body)) = script.instead.get(uri.path()) {
        let reply = Response::builder().status(*status);
        let reply = headers.iter().fold(reply, |reply, (name, value)| reply.header(*name, value));
        return reply.body(Body::from(body.to_string())).unwrap();
    }
    if let Some(list) = &list {
        script.operations.push(list.operation.clone());
    }
    let authorized = headers.get("authorization").and_then(|v| v.to_str().ok())
        == Some(script.authorization.as_str());
    let right = match list {
        _ if !authorized => plain(StatusCode::UNAUTHORIZED, &json!({"error": "MARKED who"})),
        None => plain(StatusCode::NOT_FOUND, &json!({"error": "MARKED nothing there"})),
        Some(list) => serve(&url, &uri, &body, &list, script.most),
    };
    spoil(fault, right)
}

fn spoil(fault: Option<Fault>, right: Reply) -> Response<Body> {
    match fault {
        None => respond(right),
        Some(Fault::Denied) => {
            respond(plain(StatusCode::FORBIDDEN, &json!({"error": "MARKED no"})))
        }
        Some(Fault::NotFound) => {
            respond(plain(StatusCode::NOT_FOUND, &json!({"error": "MARKED gone"})))
        }
        Some(Fault::Throttled) => {
            respond(plain(StatusCode::TOO_MANY_REQUESTS, &json!({"error": "MARKED slow"})))
        }
        Some(Fault::ServerError) => {
            let html = "<html>MARKED</html>".to_owned();
            respond((StatusCode::INTERNAL_SERVER_ERROR, None, html))
        }
        Some(Fault::CutBody) => {
            let (status, link, body) = right;
            let half = body.len() / 2;
            respond((status, link, body.chars().take(half).collect()))
        }
        Some(Fault::Reset) => {
            let parts = [Ok(Bytes::from_static(b"[")), Err(std::io::Error::other("reset"))];
            Response::new(Body::from_stream(futures::stream::iter(parts)))
        }
    }
}

type Reply = (StatusCode, Option<String>, String);

fn plain(status: StatusCode, body: &Value) -> Reply {
    (status, None, body.to_string())
}

fn respond((status, link, body): Reply) -> Response<Body> {
    let mut response = Response::builder().status(status);
    if let Some(link) = link {
        response = response.header(header::LINK, link);
    }
    response.body(Body::from(body)).unwrap()
}

fn serve(base: &str, uri: &Uri, body: &Bytes, list: &List, most: Option<usize>) -> Reply {
    let query: BTreeMap<String, String> =
        url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
            .into_owned()
            .collect();
    let posted: Value = serde_json::from_slice(body).unwrap_or_default();
    let number = |name: &str| {
        let posted = posted.get(name).and_then(Value::as_str).map(str::to_owned);
        query.get(name).cloned().or(posted).and_then(|text| text.parse::<usize>().ok())
    };
    let asked = number("limit").or(number("size")).unwrap_or(3);
    let size = most.map_or(asked, |most| asked.min(most)).max(1);
    let from = match list.style {
        Style::Page => (number("page").unwrap() - 1) * size,
        Style::Offset => number("offset").unwrap(),
        _ => number("cursor").unwrap_or(0),
    };
    let page: Vec<Value> = list.items.iter().skip(from).take(size).cloned().collect();
    let next = (from + size < list.items.len()).then_some(from + size);
    let address = next.map(|next| format!("{base}{}?cursor={next}&limit={asked}", uri.path()));
    let ok = |body: Value| plain(StatusCode::OK, &body);
    match list.style {
        Style::Cursor => ok(
            json!({"data": page, "meta": {"next": next.map(|n| n.to_string())}, "secret": "MARKED"}),
        ),
        Style::Link => {
            let link = address.map(|to| format!("<{base}>; rel=\"self\", <{to}>; rel=\"next\""));
            (StatusCode::OK, link, json!(page).to_string())
        }
        Style::Url => ok(json!({"data": page, "links": {"next": address}})),
        Style::Page => ok(json!(page)),
        Style::Offset => ok(json!({"data": page, "total": list.items.len()})),
        Style::One => ok(list.items.first().cloned().unwrap_or_default()),
    }
}
