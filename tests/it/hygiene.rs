//! No secret that a source sends, and none that the agent holds, is ever written down.
//!
//! Every connector reads answers that are stuffed with marks: in the fields in which vendors send
//! secrets, in headers, links, addresses and error bodies. The real binary scans, fails, checks,
//! runs and is asked about everything, with the finest logs there are. What proves the agent itself
//! to sources and sinks is marked as well, and each field in which vendors are known to send a secret
//! must have been sent with a mark ([`fields`]).
//!
//! Then the marks are looked for in all that it wrote: the store with its write-ahead log and its
//! backup, standard output and error of every command, logs, the API ([`api`]), every page that a
//! browser is shown ([`page`]), snapshots in each form ([`copies`]), and whatever each kind of sink sent
//! ([`sinks`]), also when sources and sinks answer badly. Marks in people's own words must be found
//! in each of these: the search works, and there was something to search.

mod api;
mod copies;
mod fields;
mod marks;
mod open;
mod page;
mod run;
mod serve;
mod sinks;
mod stuff;
mod world;

use headcount_rest::catalog;
use headcount_simulator::github::{About, ORGANIZATION, delivery};
use headcount_simulator::kubernetes::Object;
use serde_json::{Value, json};

use self::marks::{CONTROL, mark};
use self::run::Run;
use self::serve::{ROUNDS, Weather};
use self::sinks::{ANSWERED, Manners, RECEIVED};
use self::world::World;
use crate::support::agent::Outcome;
use crate::support::running::{get, post};

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_of_a_source_or_of_the_agent_is_written_down_anywhere() {
    let mut world = World::new().await;
    let scan = ["scan", "--format", "json"];
    let checked = world.ask("check", &["check", "--format", "json"]).await;
    let first = world.run("first scan", &scan).await;
    // Everything was read, or nothing is proved of what was not.
    assert_eq!((checked.code, first.code), (Some(0), Some(0)), "{}", told(&checked, &first));

    world.weather(Weather::Changed);
    // News, few and with people's own words in them: every sink names these.
    let name = CONTROL.to_lowercase() + "made-now";
    world.hub.change().add_deploy_key("acme/everything", &name, "founder").unwrap();
    world.cluster.change().create(Object::service_account("default", &name)).unwrap();
    world.run("changed scan", &scan).await;

    for round in 0..ROUNDS {
        world.weather(Weather::Foul(round));
        let failed = world.ask(&format!("foul scan {round}"), &scan).await;
        assert_eq!(failed.code, Some(4), "round {round} spoils something");
    }
    world.run("foul check", &["check"]).await;
    world.weather(Weather::Honest);

    while_running(&mut world).await;
    asked(&mut world).await;
    copies::taken(&mut world).await;
    refused(&mut world).await;

    world.sky.sent.judge();
    world.keep_files("the end");
    let kept = ["data", "stdout", "inventory", "api", "rows of parquet", "backup"];
    let pages = ["page /inventory", "page /record", "page /findings", "page /finding"];
    let snapshots = ["snapshot as ndjson: inventory", "snapshot as csv: inventory"];
    world.search.judge(&[&kept[..], &pages, &snapshots, &RECEIVED].concat());
}

/// Receivers that refuse, and say why with marks: no error repeats them, nor what a sink holds.
async fn refused(world: &mut World) {
    world.sinks.manners(Manners::Rude);
    for sink in ANSWERED {
        let outcome = world.ask(&format!("sinks test {sink}"), &["sinks", "test", sink]).await;
        assert_eq!(outcome.code, Some(1), "{sink}: {}", outcome.stdout);
    }
    world.sinks.manners(Manners::Kind);
}

fn told(checked: &Outcome, first: &Outcome) -> String {
    let lines: Vec<Value> = serde_json::from_str(&checked.stdout).unwrap_or_default();
    let failed: Vec<&Value> = lines.iter().filter(|line| line["outcome"] == "failed").collect();
    let warned =
        first.stderr.lines().filter(|line| line.contains("\"WARN\"") || line.contains("\"ERROR\""));
    format!("check: {failed:#?}\nscan: {}", warned.collect::<Vec<_>>().join("\n"))
}

/// `headcount run` with everything that can be asked of it over HTTP.
async fn while_running(world: &mut World) {
    let run = Run::start(&world.agent, 3 + catalog::names().len()).await;
    let address = run.address.clone();

    // What a watch tells is stuffed as well.
    world.cluster.change().create(Object::service_account("default", "watched")).unwrap();
    let asking = |n: usize| [("x-api-key".to_owned(), mark(&format!("asking-{n}")))];
    for page in ["/healthz", "/readyz", "/metrics", "/v1/identities", "/v1/nothing"] {
        let answer = get(&address, &format!("{page}?token={}", mark("asked-query"))).await;
        world.search.keep(&format!("run: {page}"), answer.as_bytes());
    }
    let token = api::token(world).await;
    let known = api::asked(world, &address, &token).await;
    page::walked(world, &address, &token, &known).await;
    told_by_github(world, &address).await;
    for (n, hook) in ["github/github", "github/nobody", "rest/okta"].iter().enumerate() {
        let body = json!({"secret": mark("hook-body")}).to_string();
        let mut headers = asking(n).to_vec();
        headers.push(("x-hub-signature-256".to_owned(), format!("sha256={}", mark("signature"))));
        headers.push(("authorization".to_owned(), format!("Bearer {}", mark("asked-bearer"))));
        let path = format!("/v1/hooks/{hook}");
        let (status, answer) = post(&address, &path, &headers, body.as_bytes()).await;
        assert!((400..500).contains(&status), "{hook}: {status}");
        world.search.keep(&format!("run: {path}"), answer.as_bytes());
    }
    // Written while the agent holds the store: the write-ahead log is still there.
    world.keep_files("run");
    run.end(&mut world.search).await;
    world.keep_files("after run");
}

/// A message that GitHub signed, stuffed as its answers are.
async fn told_by_github(world: &mut World, address: &str) {
    let repository = "acme/everything";
    let key = world.hub.change().add_deploy_key(repository, "made-while-running", "founder");
    let about = About::DeployKey(repository, key.unwrap());
    let mut payload = world.hub.read(|hub| hub.event(ORGANIZATION, "created", about).unwrap());
    stuff::json("/hook", &mut payload);
    let message = delivery("deploy_key", &payload, mark("own-webhook-secret").as_bytes());
    let headers: Vec<(String, String)> =
        message.headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let path = "/v1/hooks/github/github";
    let (status, answer) = post(address, path, &headers, &message.body).await;
    assert_eq!(status, 202, "{answer}");
    world.search.keep("run: what GitHub is answered", answer.as_bytes());
}

/// Everything that can be asked on the command line.
async fn asked(world: &mut World) {
    let listed = world.ask("inventory", &["inventory", "list", "--format", "ndjson"]).await;
    let mut shown = std::collections::BTreeMap::new();
    for record in listed.lines() {
        let place = record["id"].as_str().unwrap().split(':').next().unwrap().to_owned();
        let kind = format!("{place}/{}", record["kind"].as_str().unwrap());
        shown.entry(kind).or_insert_with(|| record["id"].as_str().unwrap().to_owned());
    }
    assert!(shown.len() > 30, "{shown:?}");
    // One of each connector is shown in full; the API and the page show one of each kind.
    for connector in ["aws/", "github/", "kubernetes/", "entra/"] {
        let (kind, id) = shown.iter().find(|(kind, _)| kind.starts_with(connector)).unwrap();
        world.ask(&format!("inventory show {kind}"), &["inventory", "show", id]).await;
    }
    for arguments in [
        &["inventory", "list", "--format", "csv"][..],
        &["findings", "--format", "ocsf"],
        &["findings", "--format", "json"],
        &["findings"],
        &["explain", "new-identity"],
        &["sinks", "list"],
        &["diff", "--format", "ndjson"],
        &["permissions", "vault"],
    ] {
        world.ask(&arguments.join(" "), arguments).await;
    }
}
