//! A moto server of one's own, and boto3 to change what is in it.

use std::io::Write as _;
use std::process::{Child, Stdio};

use serde::Deserialize;
use serde_json::{Value, json};

use super::testbed::{self, Python};

/// moto's account, when nothing says otherwise.
pub const ACCOUNT: &str = "123456789012";

/// An access key, or the credentials of a session.
#[derive(Clone, Debug, Deserialize, serde::Serialize)]
pub struct Key {
    pub id: String,
    pub secret: String,
    pub token: Option<String>,
}

impl Key {
    /// Takes the key out of an answer to `create_access_key` or `assume_role`.
    pub fn of(answer: &Value) -> Self {
        let (key, token) = match answer.get("AccessKey") {
            Some(key) => (key, None),
            None => (&answer["Credentials"], answer["Credentials"]["SessionToken"].as_str()),
        };
        let text = |name: &str| key[name].as_str().unwrap().to_owned();
        Self {
            id: text("AccessKeyId"),
            secret: text("SecretAccessKey"),
            token: token.map(str::to_owned),
        }
    }
}

/// One boto3 call: service, operation in snake case, arguments.
pub type Call<'a> = (&'a str, &'a str, Value);

/// A running server. It ends when this is dropped, and when the test process ends.
pub struct Moto {
    python: Python,
    server: Child,
    url: String,
}

impl Moto {
    pub fn start() -> Self {
        let python = testbed::MOTO.python();
        let mut server = python
            .script("serve.py")
            // Without it, AWS's managed policies cannot be attached.
            .env("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = server.stderr.take().unwrap();
        let url = testbed::address(&mut server, said, ("moto", "Running on "));
        Self { python, server, url }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Makes boto3 calls as somebody who may do anything. Panics when one is refused.
    pub fn call<const N: usize>(&self, calls: [Call<'_>; N]) -> [Value; N] {
        let answers: [Value; N] = self.attempt(None, &calls).try_into().unwrap();
        for (answer, (_, call, _)) in answers.iter().zip(&calls) {
            assert!(answer.get("error").is_none(), "{call}: {answer}");
        }
        answers
    }

    /// Makes boto3 calls with a key; a refusal is an answer.
    pub fn attempt(&self, key: Option<&Key>, calls: &[Call<'_>]) -> Vec<Value> {
        let calls: Vec<Value> = calls
            .iter()
            .map(|(service, call, with)| json!({"service": service, "call": call, "with": with}))
            .collect();
        let order = json!({"endpoint": self.url, "key": key, "calls": calls});
        serde_json::from_value(self.script("call.py", &order)).unwrap()
    }

    /// Fills the account with one of everything (`populate.py`); gives the ids by name.
    pub fn populate(&self) -> Value {
        let certificate = include_str!("../moto/certificate.pem");
        self.script("populate.py", &json!({"endpoint": self.url, "certificate": certificate}))
    }

    /// Puts a file of CloudTrail records into a bucket.
    pub fn put_trail(&self, bucket: &str, key: &str, records: &[Value]) {
        let order = json!({"endpoint": self.url, "bucket": bucket, "key": key, "records": records});
        self.script("trail.py", &order);
    }

    fn script(&self, name: &str, order: &Value) -> Value {
        let mut script = self
            .python
            .script(name)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        script.stdin.take().unwrap().write_all(order.to_string().as_bytes()).unwrap();
        let output = script.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name} with {order}:\n{stderr}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// From now on signatures are checked and policies enforced.
    pub async fn enforce_policies(&self) {
        self.set_unchecked_requests("0").await;
    }

    /// From now on everybody may do anything.
    pub async fn allow_everything(&self) {
        self.set_unchecked_requests("inf").await;
    }

    /// <https://docs.getmoto.org/en/latest/docs/iam.html>
    async fn set_unchecked_requests(&self, count: &'static str) {
        reqwest::Client::builder()
            .build()
            .unwrap()
            .post(format!("{}/moto-api/reset-auth", self.url))
            .header("content-type", "text/plain")
            .body(count)
            .send()
            .await
            .unwrap()
            .error_for_status()
            .unwrap();
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
