//! Everything that the API tells whoever may see everything.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::world::World;

/// How much of the stream of events is read: it has no end.
const EVENTS: usize = 200_000;

/// Asks every page that the document tells of, and one record of each source in full.
pub async fn asked(world: &mut World, address: &str) {
    let made =
        world.agent.run(&["tokens", "create", "reader", "--role", "operator"]).await.ending(0);
    let token = made.stdout.trim().to_owned();
    let http = reqwest::Client::new();
    let ask = |path: &str| http.get(format!("http://{address}{path}")).bearer_auth(&token).send();
    let document = include_str!("../../../docs/reference/openapi.json");
    let document: Value = serde_json::from_str(document).unwrap();
    let mut answers: BTreeMap<String, String> = BTreeMap::new();
    let (streamed, paths): (Vec<_>, Vec<_>) = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(path, item)| item["get"].is_object() && !path.contains('{'))
        .map(|(path, _)| path.as_str())
        .partition(|path| *path == "/v1/events");
    for path in paths {
        let answer = ask(path).await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        // Some ask for a time; what they say to that is searched as well.
        assert!(status.is_success() || status.as_u16() == 400, "{path}: {status} {text}");
        answers.insert(path.to_owned(), text);
    }
    for path in ids(&answers["/v1/inventory"], &answers["/v1/findings"]) {
        let answer = ask(&path).await.unwrap();
        assert_eq!(answer.status().as_u16(), 200, "{path}");
        answers.insert(path, answer.text().await.unwrap());
    }
    for path in streamed {
        let mut answer = ask(&format!("{path}?after=0")).await.unwrap();
        let mut text = Vec::new();
        while text.len() < EVENTS {
            text.extend_from_slice(&answer.chunk().await.unwrap().unwrap());
        }
        answers.insert(path.to_owned(), String::from_utf8_lossy(&text).into_owned());
    }
    assert!(answers.len() > 30, "{:?}", answers.keys());
    for (path, text) in answers {
        world.search.keep(&format!("api: {path}"), text.as_bytes());
    }
}

/// One record of each source, its links, and some findings.
fn ids(inventory: &str, findings: &str) -> Vec<String> {
    let mut sources = BTreeSet::new();
    let mut paths = Vec::new();
    for line in inventory.lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        let Some(id) = record["id"].as_str() else { continue };
        if sources.insert(id.split(':').next().unwrap().to_owned()) {
            let id = id.replace('%', "%25").replace('/', "%2F").replace('?', "%3F");
            paths.push(format!("/v1/records/{id}"));
            paths.push(format!("/v1/records/{id}/links"));
        }
    }
    let findings: Value = serde_json::from_str(findings).unwrap();
    let items = findings["items"].as_array().unwrap().iter().take(10);
    paths.extend(items.map(|item| format!("/v1/findings/{}", item["id"].as_str().unwrap())));
    paths
}
