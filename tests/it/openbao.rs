//! The real binary against OpenBao, a real server, read with nothing but the policy that
//! `headcount permissions vault` prints. The server is installed below `target/` by the first test.

mod permissions;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use aws_lc_rs::hmac;
use serde_json::{Value, json};

use crate::support::agent::Agent;
use crate::support::openbao::{Bao, SecretId};
use crate::support::receiver::{Received, Receiver};

/// A server with a few roles, and the agent that reads it.
struct Read {
    bao: Bao,
    agent: Agent,
    receiver: Receiver,
    /// Where the agent keeps what it finds.
    data: PathBuf,
}

/// What `headcount permissions vault` prints, which needs neither configuration nor credentials.
async fn printed_policy(arguments: &[&str]) -> Value {
    let agent = Agent::new("http://127.0.0.1:1", None);
    let arguments = [&["permissions", "vault"], arguments].concat();
    let output = agent.command(&arguments).output().await.unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

impl Read {
    /// Eight roles `app-0` … with a secret id each, read with this policy and no other.
    async fn new(policy: &Value, settings: Value) -> Self {
        let bao = Bao::start().await;
        bao.grant(policy).await;
        for n in 0..8 {
            let name = format!("app-{n}");
            bao.approle(&name, "app-read").await;
            bao.secret_id(&name).await;
        }
        let (home, receiver) = (tempfile::tempdir().unwrap(), Receiver::start().await);
        let token = home.path().join("token");
        std::fs::write(&token, bao.reader().await.value).unwrap();
        let mut settings = settings;
        settings["address"] = json!(bao.url());
        let source = json!({
            "name": "bao",
            "connector": "rest",
            "description": "vault",
            "settings": settings,
            "secrets": {"token": format!("file:{}", token.display())},
        });
        let data = home.path().join("data");
        let agent = Agent::reading(home, &[source], Some(&receiver));
        Self { bao, agent, receiver, data }
    }

    async fn scan(&self) -> BTreeSet<String> {
        ids(&self.agent.scan().await)
    }

    /// What opened since the last look: rule and name of the subject.
    fn opened(&self) -> BTreeSet<(String, String)> {
        let told = self.receiver.take();
        let opened = told.iter().filter(|r| r.kind() == "dev.headcount.finding.opened.v1");
        opened.map(|r| (r.rule().unwrap().to_owned(), named(r))).collect()
    }
}

fn named(received: &Received) -> String {
    received.event["data"]["resources"][0]["name"].as_str().unwrap().to_owned()
}

fn ids(records: &[Value]) -> BTreeSet<String> {
    records.iter().map(|record| record["id"].as_str().unwrap().to_owned()).collect()
}

fn of_kind(ids: &BTreeSet<String>, kind: &str) -> BTreeSet<String> {
    ids.iter().filter(|id| id.contains(&format!(":{kind}/"))).cloned().collect()
}

/// What one set has and the other has not.
fn beyond(more: &BTreeSet<String>, less: &BTreeSet<String>) -> Vec<String> {
    more.difference(less).cloned().collect()
}

#[tokio::test]
async fn what_happens_to_roles_and_secret_ids_is_found_by_the_next_scan() {
    let read = Read::new(&printed_policy(&[]).await, json!({})).await;
    let first = read.scan().await;
    let count = |kind| of_kind(&first, kind).len();
    assert_eq!((count("approle"), count("secret-id")), (8, 8), "{first:?}");
    read.receiver.take();

    // A role is made.
    let role_id = read.bao.approle("made-now", "root-of-all").await;
    let made = read.scan().await;
    let new = beyond(&made, &first);
    assert_eq!(new.len(), 1, "{new:?}");
    assert!(new[0].ends_with(&format!(":approle/{role_id}")), "{new:?}");
    assert_eq!(beyond(&first, &made), Vec::<String>::new());
    assert!(read.opened().contains(&("new-identity".to_owned(), "made-now".to_owned())));

    // A secret id is made, and then destroyed: its record goes, and no other.
    let secret: SecretId = read.bao.secret_id("made-now").await;
    let with = read.scan().await;
    let new = beyond(&with, &made);
    assert_eq!(new, [secret_record(&read.bao, &role_id, &secret.accessor).await]);
    assert!(read.opened().contains(&("new-credential".to_owned(), "made-now".to_owned())));
    read.bao.destroy(&secret).await;
    assert_eq!(read.scan().await, made);

    // A secret id is rotated: one comes, one goes.
    let old = read.bao.secret_id("made-now").await;
    let before = read.scan().await;
    let young = read.bao.secret_id("made-now").await;
    read.bao.destroy(&old).await;
    let after = read.scan().await;
    let (came, went) = (beyond(&after, &before), beyond(&before, &after));
    assert_eq!(came, [secret_record(&read.bao, &role_id, &young.accessor).await]);
    assert_eq!(went, [secret_record(&read.bao, &role_id, &old.accessor).await]);

    // A role is deleted, and its secret ids with it.
    read.bao.delete("auth/approle/role/made-now").await;
    assert_eq!(read.scan().await, first);

    // The name comes back as somebody else.
    let again = read.bao.approle("made-now", "root-of-all").await;
    assert_ne!(again, role_id);
    let last = read.scan().await;
    assert!(beyond(&last, &first)[0].ends_with(&again));

    for (what, value) in [
        ("secret id", &secret.value),
        ("accessor", &secret.accessor),
        ("accessor", &old.accessor),
        ("accessor", &young.accessor),
    ] {
        assert!(!is_kept(&read.data, value), "the {what} is in the data directory");
    }
    assert!(is_kept(&read.data, &role_id), "the search finds what is there");
}

/// The id of the record of a secret id: by what its page says, with another library's hand.
async fn secret_record(bao: &Bao, role_id: &str, accessor: &str) -> String {
    let health = bao.read("sys/health").await;
    let cluster = health["cluster_id"].as_str().unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, role_id.as_bytes());
    let tag = hmac::sign(&key, accessor.as_bytes());
    let digest: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("vault:{cluster}:secret-id/{}", &digest[..32])
}

/// Whether a text is in any file of a folder, in use or freed.
fn is_kept(folder: &Path, text: &str) -> bool {
    std::fs::read_dir(folder).unwrap().any(|entry| {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}

#[tokio::test]
async fn an_entity_hands_its_owner_to_the_role_that_logs_in_as_it() {
    let read = Read::new(&printed_policy(&[]).await, json!({})).await;
    let role_id = read.bao.approle("shop", "shop-read").await;
    read.bao.secret_id("shop").await;
    let metadata = json!({"owner": "ana@example.com", "team": "payments"});
    read.bao.entity("shop-machine", metadata, &role_id).await;
    read.bao.entity("nobodys", Value::Null, "some-other-role-id").await;
    let records = read.agent.scan().await;
    let owner = |kind: &str, name: &str| -> Value {
        let is_it = |record: &&Value| record["kind"] == kind && record["name"] == name;
        records.iter().find(is_it).unwrap_or_else(|| panic!("{kind} {name}: {records:#?}"))["owner"]
            .clone()
    };
    assert_eq!(owner("entity", "shop-machine")["ref"], "ana@example.com");
    assert_eq!(owner("approle", "shop")["ref"], "ana@example.com", "over the alias");
    assert_eq!(
        owner("secret-id", "shop")["ref"],
        "ana@example.com",
        "and on to what it logs in by"
    );
    assert_eq!(owner("approle", "app-0"), Value::Null);
    assert_eq!(owner("entity", "nobodys"), Value::Null);
    let mounts: BTreeSet<&str> = records
        .iter()
        .filter(|record| record["kind"] == "auth-mount")
        .map(|record| record["name"].as_str().unwrap())
        .collect();
    assert_eq!(mounts, BTreeSet::from(["approle/", "token/"]));
}

#[tokio::test]
async fn tokens_are_read_on_request_and_their_accessors_are_not_kept() {
    // Asked for: a token that somebody made is a credential, and its accessor is nowhere.
    let asked = json!({"token_accessors": "true"});
    let policy = printed_policy(&["--with", "token_accessors"]).await;
    let read = Read::new(&policy, asked).await;
    let order = json!({"display_name": "backup", "meta": {"owner": "ben@example.com"}});
    let made = read.bao.token(order).await;
    let records = read.agent.scan().await;
    let tokens: Vec<&Value> = records.iter().filter(|r| r["kind"] == "vault-token").collect();
    let backup = tokens.iter().find(|r| r["name"] == "token-backup").expect("the token");
    assert_eq!(backup["owner"]["ref"], "ben@example.com");
    // The server's own root token, the agent's and the one that was made.
    assert_eq!(tokens.len(), 3, "{tokens:#?}");
    for value in [&made.value, &made.accessor] {
        assert!(!is_kept(&read.data, value), "a token or its accessor is kept");
    }

    // Not asked for, it would be denied, and is not missed: nothing of it is called.
    let read = Read::new(&printed_policy(&[]).await, json!({})).await;
    let records = read.agent.scan().await;
    assert!(records.iter().all(|record| record["kind"] != "vault-token"));
    let refused = Read::new(&printed_policy(&[]).await, json!({"token_accessors": "true"})).await;
    refused.agent.scan_incomplete().await;
}
