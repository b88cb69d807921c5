//! An agent that serves, and the tokens to ask it with.

use headcount_simulator::{Organization, Simulator, Size};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::Value;

use super::agent::Agent;
use super::running::Running;

/// A running agent that has scanned a small account once.
pub struct Service {
    pub agent: Agent,
    pub running: Running,
    pub simulator: Simulator,
    pub address: String,
    http: reqwest::Client,
}

impl Service {
    pub async fn start() -> Self {
        Self::with(&Value::Null).await
    }

    /// With these settings under `server`.
    pub async fn with(server: &Value) -> Self {
        let organization = Organization::seeded(3, Size::account(12, 12, 3));
        let simulator = Simulator::start(organization).await.unwrap();
        let agent = Agent::new(&simulator.url(), None).serving(server);
        let mut running = Running::start(&agent);
        let said = running.log("headcount is running").await;
        let address = said["listen"].as_str().unwrap().to_owned();
        running.log("scan finished").await;
        Self { agent, running, simulator, address, http: reqwest::Client::new() }
    }

    /// Makes a token beside the running agent.
    pub async fn token(&self, name: &str, role: &str) -> String {
        let made = self.agent.run(&["tokens", "create", name, "--role", role]).await.ending(0);
        made.stdout.trim().to_owned()
    }

    pub fn request(&self, method: Method, path: &str, token: &str) -> RequestBuilder {
        self.http.request(method, format!("http://{}{path}", self.address)).bearer_auth(token)
    }

    /// The status and the JSON of an answer; `null` where it is none.
    pub async fn get(&self, path: &str, token: &str) -> (StatusCode, Value) {
        read(self.request(Method::GET, path, token)).await
    }

    /// As `get`, of an answer that must be 200.
    pub async fn see(&self, path: &str, token: &str) -> Value {
        let (status, answer) = self.get(path, token).await;
        assert_eq!(status, StatusCode::OK, "{path}: {answer}");
        answer
    }

    pub async fn post(&self, path: &str, token: &str, body: &Value) -> (StatusCode, Value) {
        read(self.request(Method::POST, path, token).json(body)).await
    }
}

pub async fn read(request: RequestBuilder) -> (StatusCode, Value) {
    let answer = request.send().await.unwrap();
    let status = answer.status();
    let text = answer.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

/// The name that a record of a list goes by.
pub fn names(list: &Value) -> Vec<String> {
    let items = list["items"].as_array().unwrap();
    items.iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
}
