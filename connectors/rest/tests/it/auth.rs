//! Tokens that are exchanged: once, again when they are refused, and signed as the server checks.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _,
    RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey, VerificationAlgorithm,
};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use headcount_rest::{Described, Http, RestConnector, Settings};
use headcount_sdk::contract::{Memo, MemoryCache, Pass, Priority};
use headcount_sdk::{Connector as _, Recorder, ScanContext, ScanError};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::conformance::tuning;

/// What the token server was asked, and which of its tokens holds.
#[derive(Default)]
struct Tokens {
    forms: Vec<HashMap<String, String>>,
    headers: Vec<HeaderMap>,
    holds: usize,
    refuse: bool,
}

type Shared = Arc<Mutex<Tokens>>;

async fn start() -> (String, Shared) {
    let tokens = Shared::default();
    let app = Router::new()
        .route("/token", post(grant))
        .route("/keys", get(keys))
        .with_state(Arc::clone(&tokens));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, tokens)
}

async fn grant(
    State(tokens): State<Shared>,
    headers: HeaderMap,
    Form(form): Form<HashMap<String, String>>,
) -> (StatusCode, Json<Value>) {
    let mut tokens = tokens.lock().unwrap();
    tokens.forms.push(form);
    tokens.headers.push(headers);
    if tokens.refuse {
        return (StatusCode::UNAUTHORIZED, Json(json!({"error": "MARKED"})));
    }
    tokens.holds = tokens.forms.len();
    let token = format!("t{}-EXAMPLE", tokens.holds);
    (StatusCode::OK, Json(json!({"access_token": token, "expires_in": 3600})))
}

async fn keys(State(tokens): State<Shared>, headers: HeaderMap) -> (StatusCode, Json<Value>) {
    let expected = format!("Bearer t{}-EXAMPLE", tokens.lock().unwrap().holds);
    match headers.get("authorization").and_then(|value| value.to_str().ok()) {
        Some(sent) if sent == expected => (StatusCode::OK, Json(json!([{"id": "k1"}]))),
        _ => (StatusCode::UNAUTHORIZED, Json(json!({}))),
    }
}

fn connector(url: &str, how: &str, secret: &str) -> RestConnector {
    let text = format!(
        "
name: exchange
title: Exchange
about: Tokens.
settings: {{url: {{about: Where., example: x}}}}
base_url: ${{settings.url}}
place: {{id: here}}
auth: [{{name: a, about: b, how: {{{how}}}}}]
deny: []
operations: {{list: {{path: /keys, required: [id], permission: p, why: w}}}}
scopes:
  - name: keys
    about: Keys.
    steps: [{{operation: list, as: key}}]
    records: [{{kind: key, class: credential, about: A., key: key.id, name: key.id, expiry: {{otherwise: never}}, usage: [{{not_observable: no}}]}}]
call_budget: one
cannot_see: [all else]
"
    );
    let described = Described::load(&text).unwrap_or_else(|error| panic!("{error}"));
    let values = BTreeMap::from([("url".to_owned(), url.to_owned())]);
    let settings = Settings { values, ..Settings::default() };
    let secrets = BTreeMap::from([("it".to_owned(), SecretString::from(secret))]);
    let over = (Arc::new(Http::new().unwrap()) as Arc<_>, tuning());
    RestConnector::with(&described, &settings, Arc::new(secrets), over).unwrap()
}

async fn read(connector: &RestConnector) -> Result<u64, ScanError> {
    let cx = ScanContext {
        scan: "one".to_owned(),
        source: "exchange".to_owned(),
        now: "2026-03-10T12:00:00Z".parse().unwrap(),
        priority: Priority::Scan,
        pass: Pass::First,
        cache: Arc::new(MemoryCache::default()),
        memo: Memo::default(),
    };
    let scope = connector.scopes(&cx).await.unwrap().remove(0);
    let mut sink = |_| {};
    let complete = connector.observe(&cx, &scope, Recorder::new(scope.clone(), &mut sink)).await?;
    Ok(complete.recorded())
}

const SECRET: &str = "client_credentials: {token_url: '${settings.url}/token', client_id: c1, secret: it, scope: 'a b', secret_in: body}";

#[tokio::test]
async fn a_token_is_exchanged_once_and_again_when_it_is_refused() {
    let (url, tokens) = start().await;
    let connector = connector(&url, SECRET, "hush-EXAMPLE");
    assert_eq!(read(&connector).await, Ok(1));
    assert_eq!(read(&connector).await, Ok(1));
    assert_eq!(tokens.lock().unwrap().forms.len(), 1, "a token was not kept");
    let form = tokens.lock().unwrap().forms[0].clone();
    let sent = |name: &str| form.get(name).map(String::as_str);
    assert_eq!(sent("grant_type"), Some("client_credentials"));
    assert_eq!(sent("client_secret"), Some("hush-EXAMPLE"));
    assert_eq!(sent("scope"), Some("a b"));
    // The server revokes it before its time.
    tokens.lock().unwrap().holds = 99;
    assert_eq!(read(&connector).await, Ok(1));
    assert_eq!(tokens.lock().unwrap().forms.len(), 2);
}

#[tokio::test]
async fn a_client_that_is_refused_is_denied_without_its_secret() {
    let (url, tokens) = start().await;
    let connector = connector(&url, SECRET, "hush-EXAMPLE");
    tokens.lock().unwrap().refuse = true;
    let error = read(&connector).await.unwrap_err();
    assert!(matches!(&error, ScanError::Denied { operation, .. } if operation == "token"));
    assert!(!error.to_string().contains("hush") && !error.to_string().contains("MARKED"));
    assert!(connector.manifest().operation("token").is_some(), "it is not in the manifest");
}

#[tokio::test]
async fn a_secret_in_the_header_is_not_in_the_body() {
    let (url, tokens) = start().await;
    let how = "client_credentials: {token_url: '${settings.url}/token', client_id: c1, secret: it}";
    assert_eq!(read(&connector(&url, how, "hush-EXAMPLE")).await, Ok(1));
    let tokens = tokens.lock().unwrap();
    assert!(!tokens.forms[0].contains_key("client_secret"));
    let expected = format!("Basic {}", STANDARD.encode("c1:hush-EXAMPLE"));
    assert_eq!(tokens.headers[0]["authorization"], expected.as_str());
}

fn pem(der: &[u8]) -> String {
    // In two parts, so that nobody takes this file for one that holds a key.
    let name = concat!("PRIVATE", " KEY");
    format!("-----BEGIN {name}-----\n{}\n-----END {name}-----\n", STANDARD.encode(der))
}

/// The claims of a JWT whose signature holds.
fn verified(
    jwt: &str,
    key: &[u8],
    algorithm: &'static dyn VerificationAlgorithm,
) -> (Value, Value) {
    let (signed, signature) = jwt.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    UnparsedPublicKey::new(algorithm, key).verify(signed.as_bytes(), &signature).unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    let parse =
        |part: &str| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
    (parse(header), parse(claims))
}

#[tokio::test]
async fn an_assertion_is_signed_as_the_server_checks_it() {
    let (url, tokens) = start().await;
    let rsa = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let der: Pkcs8V1Der<'_> = rsa.as_der().unwrap();
    let how = "signed_jwt: {token_url: '${settings.url}/token', client_id: c1, secret: it, algorithm: RS256, key_id: kid-1, scope: 'a b'}";
    assert_eq!(read(&connector(&url, how, &pem(der.as_ref()))).await, Ok(1));
    let form = tokens.lock().unwrap().forms[0].clone();
    assert_eq!(form["grant_type"], "client_credentials");
    assert_eq!(form["scope"], "a b");
    let public = rsa.public_key().as_ref();
    let (header, claims) = verified(&form["client_assertion"], public, &RSA_PKCS1_2048_8192_SHA256);
    assert_eq!(header, json!({"alg": "RS256", "typ": "JWT", "kid": "kid-1"}));
    assert_eq!((&claims["iss"], &claims["sub"]), (&json!("c1"), &json!("c1")));
    assert_eq!(claims["aud"], json!(format!("{url}/token")));
    let now = "2026-03-10T12:00:00Z".parse::<jiff::Timestamp>().unwrap().as_second();
    assert!(claims["iat"].as_i64().unwrap() <= now && claims["exp"].as_i64().unwrap() > now);
}

#[tokio::test]
async fn a_signed_grant_carries_its_scope_and_acts_as_nobody_else() {
    let (url, tokens) = start().await;
    let random = aws_lc_rs::rand::SystemRandom::new();
    let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.as_ref()).unwrap();
    let how = "signed_jwt: {token_url: '${settings.url}/token', client_id: c1, secret: it, algorithm: ES256, scope: s, grant: jwt_bearer}";
    assert_eq!(read(&connector(&url, how, &pem(der.as_ref()))).await, Ok(1));
    let form = tokens.lock().unwrap().forms[0].clone();
    assert_eq!(form["grant_type"], "urn:ietf:params:oauth:grant-type:jwt-bearer");
    let public = pair.public_key().as_ref();
    let (_, claims) = verified(&form["assertion"], public, &ECDSA_P256_SHA256_FIXED);
    assert_eq!(claims["scope"], json!("s"));
    assert_eq!(claims.get("sub"), None);
    let error = read(&connector(&url, how, "no key at all")).await.unwrap_err();
    assert!(matches!(&error, ScanError::Denied { .. }), "{error}");
    assert!(!error.to_string().contains("no key at all"));
}
