//! The simulated GitHub read by plain requests, over HTTP.

mod access;
mod faults;
mod graphql;
mod lists;
mod seeded;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use headcount_simulator::github::{Hub, HubServer, ORGANIZATION, Reader, Size, Token};
use reqwest::{Client, Response};
use serde_json::{Value, json};

/// A server with an organisation on it, and a token of its reader.
struct Desk {
    server: HubServer,
    client: Client,
    reader: Reader,
    token: String,
}

async fn desk() -> Desk {
    desk_of(Hub::seeded(3, Size::small())).await
}

async fn desk_of(mut hub: Hub) -> Desk {
    let reader = hub.reader(ORGANIZATION).unwrap();
    let token = hub.token(Token::Installation(reader.installation_id));
    let server = HubServer::start(hub).await.unwrap();
    // Redirects and deadlines do not matter on loopback.
    let client = Client::builder().build().unwrap();
    Desk { server, client, reader, token }
}

impl Desk {
    async fn send(&self, path: &str, token: &str) -> Response {
        let url = match path.starts_with("http") {
            true => path.to_owned(),
            false => format!("{}{path}", self.server.url()),
        };
        self.client.get(url).bearer_auth(token).send().await.unwrap()
    }

    async fn get(&self, path: &str) -> Response {
        self.send(path, &self.token).await
    }

    async fn json(&self, path: &str) -> Value {
        let response = self.get(path).await;
        assert_eq!(response.status().as_u16(), 200, "{path}");
        read(response).await
    }

    async fn status(&self, path: &str) -> u16 {
        self.get(path).await.status().as_u16()
    }

    async fn query(&self, query: &str, variables: Value) -> Value {
        let body = json!({"query": query, "variables": variables}).to_string();
        let request = self.client.post(self.server.graphql_url()).bearer_auth(&self.token);
        read(request.body(body).send().await.unwrap()).await
    }

    /// The rows of all pages, and how many pages there were.
    async fn pages(&self, path: &str) -> (Vec<Value>, usize) {
        let (mut rows, mut pages, mut next) = (Vec::new(), 0, Some(path.to_owned()));
        while let Some(path) = next {
            let response = self.get(&path).await;
            next = next_of(&response);
            let page = read(response).await;
            rows.extend(page.as_array().unwrap().iter().cloned());
            pages += 1;
            assert!(pages < 100, "the list has an end");
        }
        (rows, pages)
    }
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

fn next_of(response: &Response) -> Option<String> {
    let link = header(response, "link");
    let (address, rest) = link.strip_prefix('<')?.split_once('>')?;
    assert!(rest.contains("rel=\"next\""));
    Some(address.to_owned())
}

async fn read(response: Response) -> Value {
    serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
}

/// A JWT in shape; nothing signed it.
fn jwt(iss: Value, iat: i64) -> String {
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let head = part(json!({"alg": "RS256", "typ": "JWT"}));
    let claims = part(json!({"iss": iss, "iat": iat, "exp": iat + 540}));
    format!("{head}.{claims}.{}", "s".repeat(342))
}
