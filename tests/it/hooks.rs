//! A source that tells what happened: GitHub's webhook to the real agent, honest and forged.

use std::time::Duration;

use headcount_simulator::github::{About, Hub, HubServer, ORGANIZATION, Size, Token, delivery};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::agent::Agent;
use crate::support::receiver::Receiver;
use crate::support::running::{Running, post};

/// Far more than an event takes; only a hang gets here.
const PATIENCE: Duration = Duration::from_secs(120);

/// Shared with the simulated GitHub; opens nothing.
const SECRET: &str = "EXAMPLE of a webhook secret";

#[tokio::test]
async fn a_message_from_the_source_is_a_finding_and_a_forged_one_is_nothing() {
    let mut hub = Hub::seeded(3, Size::small());
    let reader = hub.reader(ORGANIZATION).unwrap();
    let token = hub.token(Token::Installation(reader.installation_id));
    let repository = hub.organization(ORGANIZATION).unwrap().repositories.values().next().unwrap();
    let repository = format!("{ORGANIZATION}/{}", repository.name);
    let server = HubServer::start(hub).await.unwrap();
    let receiver = Receiver::start().await;
    let home = tempfile::tempdir().unwrap();
    let (login, shared) = (home.path().join("token"), home.path().join("webhook"));
    std::fs::write(&login, &token).unwrap();
    std::fs::write(&shared, SECRET).unwrap();
    let source = json!({
        "name": "github",
        "connector": "github",
        "organizations": [ORGANIZATION],
        "base_url": server.url(),
        "auth": {"token": format!("file:{}", login.display())},
        "webhook_secret": format!("file:{}", shared.display()),
        // Once a year: what is found is found by the message.
        "schedule": "0 0 1 1 *",
    });
    let agent = Agent::reading(home, &[source], Some(&receiver));
    let mut running = Running::start(&agent);
    let address = running.log("headcount is running").await["listen"].as_str().unwrap().to_owned();
    running.log("scan finished").await;

    let key = server.change().add_deploy_key(&repository, "made-now", "founder").unwrap();
    let about = About::DeployKey(&repository, key);
    let payload = server.read(|hub| hub.event(ORGANIZATION, "created", about).unwrap());
    let send = async |secret: &str, path: &str| {
        let message = delivery("deploy_key", &payload, secret.as_bytes());
        let headers: Vec<(String, String)> = message
            .headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        post(&address, path, &headers, &message.body).await
    };

    server.reset_calls();
    assert_eq!(send("somebody else's EXAMPLE", "/v1/hooks/github/github").await.0, 401);
    assert_eq!(send(SECRET, "/v1/hooks/github/nobody").await.0, 404);
    assert_eq!(send(SECRET, "/v1/hooks/aws/github").await.0, 404);
    assert_eq!(server.calls().total(), 0, "nothing is read for a message that proves nothing");

    // Strangers who announce more than fits in are told so before they send it, and hold up nobody.
    let mut strangers = Vec::new();
    let mut told = Vec::new();
    for megabytes in [26, 24, 24, 24] {
        let (stranger, status) = announce(&address, megabytes * 1024 * 1024).await;
        strangers.push(stranger);
        told.push(status);
    }
    assert_eq!(told, ["413", "100", "100", "503"]);

    for _ in 0..2 {
        let (status, answer) = send(SECRET, "/v1/hooks/github/github").await;
        assert_eq!(status, 202, "{answer}");
    }
    let found = receiver
        .until(PATIENCE, |events| {
            events.iter().any(|e| {
                e.rule() == Some("new-credential") && e.event.to_string().contains("made-now")
            })
        })
        .await;
    let told = found.iter().filter(|e| e.event.to_string().contains("made-now"));
    assert_eq!(told.filter(|e| e.rule() == Some("new-credential")).count(), 1, "told once");
}

/// Announces a message of so many bytes and sends none of it; gives the first status that comes back.
async fn announce(address: &str, bytes: usize) -> (TcpStream, String) {
    let mut stranger = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /v1/hooks/github/github HTTP/1.1\r\nHost: agent\r\nContent-Length: {bytes}\r\n\
         Expect: 100-continue\r\n\r\n"
    );
    stranger.write_all(head.as_bytes()).await.unwrap();
    let mut start = [0; "HTTP/1.1 100".len()];
    stranger.read_exact(&mut start).await.unwrap();
    let status = String::from_utf8_lossy(&start[start.len() - 3..]).into_owned();
    (stranger, status)
}
