//! A development server of OpenBao of one's own, and its API as whoever may do anything.

use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use reqwest::{Client, Method};
use serde_json::{Value, json};

use super::testbed;

/// A running server. It ends when this is dropped, and when the test process ends.
pub struct Bao {
    server: Child,
    /// Its root token, which opens no other.
    root: String,
    url: String,
    client: Client,
}

impl Bao {
    /// Starts it with an AppRole mount.
    pub async fn start() -> Self {
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let nth = STARTED.fetch_add(1, Ordering::Relaxed);
        let root = format!("root-EXAMPLE-{}-{nth}", std::process::id());
        let mut server = testbed::OPENBAO
            .python()
            .script("serve.py")
            .arg(&root)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = server.stderr.take().unwrap();
        let url = testbed::address(&mut server, said, ("OpenBao", "Listening on "));
        let bao = Self { server, root, url, client: Client::builder().build().unwrap() };
        bao.write("sys/auth/approle", json!({"type": "approle", "description": "machines"})).await;
        bao
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Writes; gives what is answered, `null` where nothing is.
    pub async fn write(&self, path: &str, body: Value) -> Value {
        self.ask(Method::POST, path, Some(body)).await
    }

    pub async fn read(&self, path: &str) -> Value {
        self.ask(Method::GET, path, None).await
    }

    pub async fn delete(&self, path: &str) {
        self.ask(Method::DELETE, path, None).await;
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let mut request = self.client.request(method, format!("{}/v1/{path}", self.url));
        request = request.header("X-Vault-Token", &self.root);
        if let Some(body) = body {
            request = request.body(body.to_string());
        }
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// An AppRole; gives its role id.
    pub async fn approle(&self, name: &str, policy: &str) -> String {
        let path = format!("auth/approle/role/{name}");
        self.write(&path, json!({"token_policies": policy, "secret_id_ttl": "720h"})).await;
        let answer = self.read(&format!("{path}/role-id")).await;
        answer["data"]["role_id"].as_str().unwrap().to_owned()
    }

    /// A secret id of an AppRole.
    pub async fn secret_id(&self, role: &str) -> SecretId {
        let answer = self.write(&format!("auth/approle/role/{role}/secret-id"), json!({})).await;
        let text = |name: &str| answer["data"][name].as_str().unwrap().to_owned();
        SecretId {
            role: role.to_owned(),
            value: text("secret_id"),
            accessor: text("secret_id_accessor"),
        }
    }

    pub async fn destroy(&self, secret: &SecretId) {
        let path = format!("auth/approle/role/{}/secret-id-accessor/destroy", secret.role);
        self.write(&path, json!({"secret_id_accessor": secret.accessor})).await;
    }

    /// An entity whose alias is the role id of an AppRole.
    pub async fn entity(&self, name: &str, metadata: Value, role_id: &str) {
        let made = self.write("identity/entity", json!({"name": name, "metadata": metadata})).await;
        let mounts = self.read("sys/auth").await;
        let alias = json!({
            "name": role_id,
            "canonical_id": made["data"]["id"],
            "mount_accessor": mounts["data"]["approle/"]["accessor"],
        });
        self.write("identity/entity-alias", alias).await;
    }

    /// Writes the policy `headcount`; tokens have what it says at once.
    pub async fn grant(&self, policy: &Value) {
        self.write("sys/policies/acl/headcount", json!({"policy": policy.to_string()})).await;
    }

    /// A token with the policy `headcount` and no other.
    pub async fn reader(&self) -> Token {
        let order = json!({"policies": ["headcount"], "no_default_policy": true});
        self.token(order).await
    }

    pub async fn token(&self, order: Value) -> Token {
        let made = self.write("auth/token/create-orphan", order).await;
        let text = |name: &str| made["auth"][name].as_str().unwrap().to_owned();
        Token { value: text("client_token"), accessor: text("accessor") }
    }
}

impl Drop for Bao {
    fn drop(&mut self) {
        // The script ends the server when its standard input closes.
        drop(self.server.stdin.take());
        let _ = self.server.wait();
    }
}

/// A secret id that was made.
pub struct SecretId {
    role: String,
    pub value: String,
    pub accessor: String,
}

/// A token that was made.
pub struct Token {
    pub value: String,
    pub accessor: String,
}
