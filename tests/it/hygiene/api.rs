//! Everything that the API tells whoever may see everything.

use std::collections::BTreeMap;

use serde_json::Value;

use super::marks::CONTROL;
use super::world::World;

/// How much of the stream of events is read: it has no end.
const EVENTS: usize = 200_000;

/// Ids of what was found: one record of each source and kind, one finding of each rule.
pub struct Known {
    pub records: Vec<String>,
    pub findings: Vec<String>,
}

/// A token for the API, which stands nowhere but where it was handed out.
pub async fn token(world: &mut World) -> String {
    let create = ["tokens", "create", "reader", "--role", "operator", "--log-level", "trace"];
    let made = world.agent.run(&create).await.ending(0);
    let token = made.stdout.trim().to_owned();
    world.search.also("a token of the API", &token);
    world.search.keep("tokens create: stderr", made.stderr.as_bytes());
    token
}

/// Asks for everything that the document tells of, and for records and findings in full.
pub async fn asked(world: &mut World, address: &str, token: &str) -> Known {
    let http = reqwest::Client::new();
    let ask = |path: &str| http.get(format!("http://{address}{path}")).bearer_auth(token).send();
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
    let known = known(&answers["/v1/inventory"], &answers["/v1/findings"]);
    for path in paths_of(&known) {
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
    known
}

fn known(inventory: &str, findings: &str) -> Known {
    let (mut records, mut rules) = (BTreeMap::new(), BTreeMap::new());
    for line in inventory.lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        let Some(id) = record["id"].as_str() else { continue };
        let source = id.split(':').next().unwrap();
        records.entry(format!("{source}/{}", record["kind"])).or_insert_with(|| id.to_owned());
    }
    let findings: Value = serde_json::from_str(findings).unwrap();
    for finding in findings["items"].as_array().unwrap() {
        let id = finding["id"].as_str().unwrap();
        // Those with people's own words in the title show that the search works.
        let has_words = finding["title"].to_string().contains(&CONTROL.to_lowercase());
        rules.entry((finding["rule"].to_string(), has_words)).or_insert_with(|| id.to_owned());
    }
    Known { records: records.into_values().collect(), findings: rules.into_values().collect() }
}

fn paths_of(known: &Known) -> Vec<String> {
    let records = known.records.iter().flat_map(|id| {
        let id = id.replace('%', "%25").replace('/', "%2F").replace('?', "%3F");
        [format!("/v1/records/{id}"), format!("/v1/records/{id}/links")]
    });
    records.chain(known.findings.iter().map(|id| format!("/v1/findings/{id}"))).collect()
}
