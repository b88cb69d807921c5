//! Expressions as descriptions use them, and shapes that have overflowed smaller stacks.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

use serde_json::json;

use super::*;

async fn run(source: &str, variables: &[(&'static str, Value)]) -> Result<Value, EvalError> {
    let expr = Expr::compile(source).expect(source);
    let variables = variables.to_vec();
    evaluate(move || {
        let mut scope = Scope::new();
        for (name, value) in &variables {
            scope.set(name, value);
        }
        expr.run(&scope)
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn expressions_read_answers_and_reckon_with_times() {
    let token = json!({"expiresAt": "2026-03-31T00:00:00.000Z", "window": "P30D", "n": 3,
        "owner": null, "scopes": ["b", "a"], "at": 1_700_000_000});
    for (source, expected) in [
        ("token.n > 2 ? 'many' : 'few'", json!("many")),
        ("token.owner == null", json!(true)),
        ("has(token.gone)", json!(false)),
        ("token.scopes.exists(s, s.startsWith('a'))", json!(true)),
        ("token.scopes.filter(s, s != 'a')", json!(["b"])),
        ("minus(token.expiresAt, token.window)", json!("2026-03-01T00:00:00Z")),
        ("plus('2026-01-01T00:00:00Z', 'PT90M')", json!("2026-01-01T01:30:00Z")),
        ("epoch(token.at)", json!("2023-11-14T22:13:20Z")),
        ("epoch_ms(1700000000000)", json!("2023-11-14T22:13:20Z")),
        ("after('2026-01-02T00:00:00Z', '2026-01-01T23:00:00-02:00')", json!(false)),
        ("near('2026-01-01T00:00:00Z', '2026-01-01T00:00:59Z', 'PT1M')", json!(true)),
        ("days('P30D')", json!(30)),
        ("days('PT47H')", json!(1)),
        ("indices(token.scopes)", json!([0, 1])),
        // printf '%s' 'what do ya want for nothing?' | openssl dgst -sha256 -hmac Jefe (RFC 4231)
        (
            "digest('Jefe', 'what do ya want for nothing?')",
            json!("5bdcc146bf60754e6a042426089575c7"),
        ),
        ("'x' + string(token.n)", json!("x3")),
        ("token.window.matches('^P[0-9]+D$')", json!(true)),
    ] {
        assert_eq!(run(source, &[("token", token.clone())]).await, Ok(expected), "{source}");
    }
}

#[tokio::test]
async fn failures_name_no_value() {
    let token = json!({"id": "MARKED"});
    for source in [
        "token.gone",
        "token.id + 1",
        "minus(token.id, 'P1D')",
        "days(token.id)",
        "nobody.id",
        "{}[token.id]",
    ] {
        let error = run(source, &[("token", token.clone())]).await.expect_err(source);
        assert!(!error.to_string().contains("MARKED"), "{source}: {error}");
    }
}

/// Shapes that made the interpreter overflow smaller stacks, at the very bounds and beyond: each
/// is refused or survives; none may take the process down.
#[tokio::test]
async fn hostile_shapes_are_refused_or_survived() {
    let repeated = |head: &str, piece: &str, tail: &str, times: usize| {
        format!("{head}{}{}", piece.repeat(times), tail.repeat(times))
    };
    let mut admitted = 0;
    for times in [1, 4, 8, 15, 16, 17, 60, 119, 120, 200, 239, 240, 241, 500, 1000, 4000] {
        for (what, source) in [
            ("sum", repeated("1", "+1", "", times)),
            ("and", repeated("true", "&&true", "", times)),
            ("fields", repeated("a", ".a", "", times)),
            ("parentheses", format!("{}1{}", "(".repeat(times), ")".repeat(times))),
            ("lists", format!("{}1{}", "[".repeat(times), "]".repeat(times))),
            ("maps", format!("{}1{}", "{1:".repeat(times), "}".repeat(times))),
            ("nots", repeated("", "!", "", times) + "true"),
            ("minuses", repeated("", "-", "", times) + "1"),
            ("choices", repeated("", "true?1:", "", times) + "1"),
            ("indices", repeated("a", "[0]", "", times)),
            ("calls", format!("{}1{}", "int(".repeat(times), ")".repeat(times))),
            ("macros", repeated("[1]", ".map(x,x)", "", times)),
            ("nested macros", format!("{}1{}", "[1].map(x,".repeat(times), ")".repeat(times))),
            ("text with brackets", format!("'{}'", "(".repeat(times))),
            ("raw text", format!("r'\\'+{}1{}+'", "(".repeat(times), ")".repeat(times))),
            ("triple quotes", format!("'''\"'''+{}1{}", "(".repeat(times), ")".repeat(times))),
            ("open brackets", "(".repeat(times)),
        ] {
            let Ok(expr) = Expr::compile(&source) else { continue };
            admitted += 1;
            let outcome = evaluate(move || {
                let mut scope = Scope::new();
                scope.set("a", &json!([0]));
                expr.run(&scope).is_ok()
            });
            assert!(outcome.await.is_ok(), "{what} times {times} stopped the evaluator");
        }
    }
    assert!(admitted > 50, "hardly anything was tried: {admitted}");
    assert_eq!(run("1 + 1", &[]).await, Ok(json!(2)), "the evaluator is gone");
}

#[test]
fn what_is_too_much_is_said_with_a_remedy() {
    for (source, part) in [
        (String::new(), "leave the key out"),
        ("a".repeat(1025), "longer than 1024"),
        (format!("{}1{}", "(".repeat(17), ")".repeat(17)), "nested deeper"),
        ("1".to_owned() + &"+1".repeat(241), "operators"),
        ("1 +".to_owned(), "not an expression in CEL"),
    ] {
        let error = Expr::compile(&source).expect_err(part);
        assert!(error.contains(part), "{error}");
    }
}

#[tokio::test]
async fn templates_are_filled_in_and_escaped() {
    let template = Template::compile("/v1/${app.id}/${+app.id}/x${app.n}").unwrap();
    let filled = evaluate(move || {
        let mut scope = Scope::new();
        scope.set("app", &json!({"id": "a/b", "n": 7}));
        template.fill(&scope, |text, span| match span {
            Span::Segment => Some(text.replace('/', "%2F")),
            Span::Segments => Some(text.to_owned()),
        })
    });
    assert_eq!(filled.await.unwrap().unwrap(), "/v1/a%2Fb/a/b/x7");
    assert!(Template::compile("/v1/${app.id").unwrap_err().contains("close it"));
}
