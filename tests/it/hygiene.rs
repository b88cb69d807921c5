//! No secret that a source sends, and none that the agent holds, is ever written down.
//!
//! Every connector reads answers that are stuffed with marks: in the fields in which vendors send
//! secrets, in headers, links, addresses and error bodies. The real binary scans, fails, checks,
//! runs and is asked about everything, with the finest logs there are. Then the marks are looked
//! for in all that it wrote. Marks in people's own words must be found: the search works.

mod api;
mod marks;
mod open;
mod run;
mod serve;
mod stuff;
mod world;

use headcount_rest::catalog;
use headcount_simulator::kubernetes::Object;
use serde_json::{Value, json};

use self::marks::mark;
use self::run::Run;
use self::serve::{ROUNDS, Weather};
use self::world::World;
use crate::support::agent::Outcome;
use crate::support::running::{get, post};

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_of_a_source_or_of_the_agent_is_written_down_anywhere() {
    let mut world = World::new().await;
    let scan = ["scan", "--format", "json"];
    let checked = world.run("check", &["check", "--format", "json"]).await;
    let first = world.run("first scan", &scan).await;
    // Everything was read, or nothing is proved of what was not.
    assert_eq!((checked.code, first.code), (Some(0), Some(0)), "{}", told(&checked, &first));

    world.weather(Weather::Changed);
    world.hub.change().add_deploy_key("acme/everything", "made-now", "founder").unwrap();
    world.cluster.change().create(Object::service_account("default", "made-now")).unwrap();
    world.run("changed scan", &scan).await;

    for round in 0..ROUNDS {
        world.weather(Weather::Foul(round));
        let failed = world.run(&format!("foul scan {round}"), &scan).await;
        assert_eq!(failed.code, Some(4), "round {round} spoils something");
    }
    world.run("foul check", &["check"]).await;
    world.weather(Weather::Honest);

    while_running(&mut world).await;
    asked(&mut world).await;

    world.keep_files("the end");
    world.search.judge(&["data", "stdout", "file sink", "webhook", "inventory", "api"]);
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
    api::asked(world, &address).await;
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
    // One of each source is shown in full; the search of the store covers all.
    let mut sources = std::collections::BTreeSet::new();
    for (kind, id) in shown {
        if sources.insert(kind.split('/').next().unwrap().to_owned()) {
            world.ask(&format!("inventory show {kind}"), &["inventory", "show", &id]).await;
        }
    }
    for arguments in [
        &["inventory", "list", "--format", "csv"][..],
        &["findings", "--format", "ocsf"],
        &["findings", "--format", "json"],
        &["findings"],
        &["explain", "new-identity"],
        &["sinks", "list"],
        &["permissions", "vault"],
    ] {
        world.ask(&arguments.join(" "), arguments).await;
    }
}
