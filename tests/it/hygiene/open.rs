//! What a program or a sender should never have said: refused, and written nowhere.

use serde_json::{Value, json};

use super::marks::{CONTROL, files, mark};
use super::run::Run;
use super::world::Search;
use crate::support::agent::Agent;
use crate::support::running::{get, post};

/// A token of a form that is known, with a mark in it.
fn token(place: &str) -> String {
    format!("ghp_{}", mark(&format!("{place}-EXAMPLE-EXAMPLE-EXAMPLE")))
}

/// A whole push, one field of its observation replaced.
fn lines(scan: &str, kind: &str, field: &str, value: &Value) -> String {
    let scope = json!({"place": "erp:prod", "kind": kind});
    let mut observation = json!({
        "id": "erp:prod:account/1", "class": "identity", "kind": "account",
        "name": format!("{CONTROL}{scan}"),
    });
    observation[field] = value.clone();
    [
        json!({"type": "begin", "schema": 1, "scan": scan}),
        json!({"type": "observation", "scope": scope, "observation": observation}),
        json!({"type": "complete", "scope": scope}),
    ]
    .map(|line| format!("{line}\n"))
    .concat()
}

/// What nobody may send, each with a mark in it.
fn refused() -> Vec<(&'static str, String)> {
    vec![
        ("name", lines("name", "accounts", "name", &token("name").into())),
        ("id", lines("id", "accounts", "id", &format!("erp:prod:account/{}", token("id")).into())),
        (
            "attribute",
            lines("attribute", "accounts", "attributes", &json!({"note": token("attribute")})),
        ),
        (
            "attribute's name",
            lines("named", "accounts", "attributes", &json!({token("named"): "x"})),
        ),
        ("field", lines("field", "accounts", "secret", &mark("field").into())),
        ("class", lines("class", "accounts", "class", &mark("class").into())),
        ("no JSON", format!("{{\"type\": {}", mark("no-json"))),
    ]
}

#[tokio::test]
async fn no_secret_that_a_program_or_a_sender_tells_is_written_down_anywhere() {
    let home = tempfile::tempdir().unwrap();
    let path = |name: &str| home.path().join(name);
    let own = mark("own-push-token");
    std::fs::write(path("token"), &own).unwrap();
    std::fs::create_dir(path("data")).unwrap();
    let mut sources = vec![json!({
        "name": "erp", "connector": "push", "schedule": "0 0 1 1 *",
        "tokens": [format!("file:{}", path("token").display())],
    })];
    for (number, (_, text)) in refused().into_iter().enumerate() {
        let file = path(&format!("said-{number}"));
        std::fs::write(&file, text).unwrap();
        let script = path(&format!("program-{number}"));
        let program = format!("echo {} >&2; cat '{}'", token("stderr"), file.display());
        std::fs::write(&script, program).unwrap();
        sources.push(json!({
            "name": format!("program-{number}"), "connector": "exec", "schedule": "0 0 1 1 *",
            "command": ["/bin/sh", script], "env": {"PATH": std::env::var("PATH").unwrap()},
            "secrets": {"OWN": format!("file:{}", path("token").display())},
        }));
    }
    let data = path("data");
    let agent = Agent::reading(home, &sources, None);
    let mut search = Search::new(&[]);
    let run = Run::start(&agent, sources.len()).await;
    let programs = sources.len() - 1;
    for (said, count) in [
        ("a line that looks like it holds a secret", programs),
        ("the program's output was refused", programs),
    ] {
        assert_eq!(run.count(said), count, "{said}");
    }

    let way = "/v1/observations/erp";
    let sent = |token: &str, body: String| {
        let headers = [("authorization".to_owned(), format!("Bearer {token}"))];
        let address = run.address.clone();
        async move { post(&address, way, &headers, body.as_bytes()).await }
    };
    let honest = lines("honest", "accounts", "status", &"active".into());
    let (status, answer) = sent(&own, honest.clone()).await;
    assert_eq!(status, 200, "{answer}");
    for (what, body) in refused() {
        let is_token = body.contains("ghp_");
        let (status, answer) = sent(&own, body).await;
        assert!((400..500).contains(&status), "{what}: {status} {answer}");
        assert_eq!(answer.contains("the value of a secret"), is_token, "{what}: {answer}");
        search.keep(&format!("the refusal of {what}"), answer.as_bytes());
    }
    let (status, answer) = sent(&mark("a-stranger-s-token"), honest).await;
    assert_eq!(status, 401);
    search.keep("what a stranger is told", answer.as_bytes());
    for page in ["/healthz", "/readyz", "/metrics"] {
        search.keep(page, get(&run.address, page).await.as_bytes());
    }
    // Written while the agent holds the store: the write-ahead log is still there.
    search.keep_all(files("while it runs", &data));
    run.end(&mut search).await;
    search.keep_all(files("data", &data));
    let listed = agent.run(&["inventory", "list", "--format", "ndjson"]).await;
    search.keep("inventory", listed.stdout.as_bytes());
    search.judge(&["data", "inventory"]);
}
