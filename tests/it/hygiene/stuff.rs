//! Stuffs answers: a mark in every field in which a vendor could send a secret, and in headers,
//! links and addresses beside them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::marks::{CONTROL, MARK, mark};

/// Names of fields that hold secrets in the answers of some vendor's reading calls, or look as if
/// they could. Every object gets those that it does not have.
const FIELDS: [&str; 45] = [
    "ClientSecret",
    "SecretAccessKey",
    "ServicePassword",
    "SessionToken",
    "accessToken",
    "access_token",
    "accessor",
    "apiKey",
    "api_key",
    "authorization",
    "clientSecret",
    "client_secret",
    "client_token",
    "credential",
    "custom_headers",
    "encrypted_value",
    "hashed_token",
    "headers",
    "hint",
    "id_token",
    "integration_key",
    "keyString",
    "partial_key_hint",
    "passphrase",
    "password",
    "plaintext",
    "privateKey",
    "privateKeyData",
    "private_key",
    "redacted_value",
    "refresh_token",
    "routing_key",
    "runners_token",
    "secret",
    "secretText",
    "secret_id",
    "secret_id_accessor",
    "secret_key",
    "session",
    "signing_secret",
    "stringData",
    "token",
    "token_secret",
    "value",
    "verification_token",
];

/// Objects whose entries people name: what stands in them is there to be shown. In Kubernetes
/// `metadata` is none of them.
const FREE: [&str; 6] =
    ["annotations", "labels", "matchLabels", "meta", "metadata", "nodeSelector"];

/// Stuffs an answer in JSON, as `path` was answered by it.
pub fn json(path: &str, value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| json(path, item)),
        Value::Object(fields) => object(path, fields),
        // What fixtures mark is marked for this search as well.
        Value::String(text) if text.contains("MARKED") && !text.contains(MARK) => {
            *text = text.replace("MARKED", &mark("fixture"));
        }
        _ => {}
    }
}

fn object(path: &str, fields: &mut Map<String, Value>) {
    for (name, value) in fields.iter_mut() {
        let is_kubernetes = path.starts_with("/api");
        if FREE.contains(&name.as_str()) && !(is_kubernetes && name == "metadata") {
            continue;
        }
        json(path, value);
    }
    if path.contains("/secrets") {
        let encoded = STANDARD.encode(mark("secret-data"));
        // Also where metadata alone was asked for.
        let is_one = fields.contains_key("metadata") && !fields.contains_key("items");
        if is_one || fields.contains_key("data") || fields.contains_key("type") {
            let data = json!({"password": encoded, "tls.key": mark("secret-data-plain")});
            fields.insert("data".to_owned(), data);
        }
    }
    if path.contains("/variables") && fields.contains_key("updated_at") {
        fields.insert("value".to_owned(), mark("variable").into());
    }
    annotated(fields);
    hook(fields);
    contained(fields);
    // A map of names to objects is left alone: another entry would be another item.
    let is_map = !fields.is_empty() && fields.values().all(Value::is_object);
    if !is_map {
        for name in FIELDS {
            fields.entry(name).or_insert_with(|| mark(name).into());
        }
    }
}

/// `kubectl apply` leaves the whole of a Secret behind in an annotation.
fn annotated(fields: &mut Map<String, Value>) {
    let Some(Value::Object(metadata)) = fields.get_mut("metadata") else { return };
    if !metadata.contains_key("uid") {
        return;
    }
    let annotations = metadata.entry("annotations").or_insert_with(|| json!({}));
    if let Value::Object(annotations) = annotations {
        let applied = json!({"data": {"password": mark("last-applied")}}).to_string();
        let name = "kubectl.kubernetes.io/last-applied-configuration";
        annotations.insert(name.to_owned(), applied.into());
    }
}

/// An address of a webhook with everything in it that people put there.
fn hook(fields: &mut Map<String, Value>) {
    let Some(Value::Object(config)) = fields.get_mut("config") else { return };
    if config.contains_key("url") {
        let (user, password) = (mark("user"), mark("password"));
        let rest = format!("{}?token={}#{}", mark("path"), mark("query"), mark("fragment"));
        let url = format!("https://{user}:{password}@hook.example.com/services/{rest}");
        config.insert("url".to_owned(), url.into());
        config.insert("secret".to_owned(), mark("hook-secret").into());
    }
}

/// What people write into the containers of a workload.
fn contained(fields: &mut Map<String, Value>) {
    for name in ["containers", "initContainers"] {
        let Some(Value::Array(containers)) = fields.get_mut(name) else { continue };
        for container in containers.iter_mut().filter_map(Value::as_object_mut) {
            let env = json!([{"name": "DB_PASSWORD", "value": mark("env")}]);
            container.insert("env".to_owned(), env);
            let argument = format!("--token={}", mark("argument"));
            container.insert("args".to_owned(), json!([argument.clone()]));
            container.insert("command".to_owned(), json!(["run", argument]));
        }
    }
}

/// Stuffs an answer of AWS's query protocol.
pub fn xml(text: &str) -> String {
    let mut stuffed = text.to_owned();
    for name in ["SecretAccessKey", "SessionToken"] {
        stuffed = replace_element(&stuffed, name);
    }
    let beside: String = [
        "SecretAccessKey",
        "SessionToken",
        "ClientSecret",
        "value",
        "ServicePassword",
        "ServiceCredentialSecret",
        "PrivateKey",
        "Password",
        "Base32StringSeed",
    ]
    .map(|name| format!("<{name}>{}</{name}>", mark(name)))
    .concat();
    for after in ["</UserName>", "</AccessKeyId>", "</RoleId>", "</RequestId>"] {
        stuffed = stuffed.replace(after, &format!("{after}{beside}"));
    }
    // A secret that the simulator made is looked for by its mark.
    stuffed
}

fn replace_element(text: &str, name: &str) -> String {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let mut parts = text.split(open.as_str());
    let mut stuffed = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.split_once(close.as_str()).map_or("", |(_, rest)| rest);
        stuffed.push_str(&format!("{open}{}{close}{rest}", mark(name)));
    }
    stuffed
}

/// Numbers and truths of an answer become marks, so that a parser has something to complain of.
pub fn mistype(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(mistype),
        Value::Object(fields) => fields.values_mut().for_each(mistype),
        Value::Number(_) | Value::Bool(_) => *value = mark("mistyped").into(),
        _ => {}
    }
}

/// The same for an answer of AWS's query protocol.
pub fn mistype_xml(text: &str) -> String {
    let typed = ["CreateDate", "LastUsedDate", "MaxSessionDuration", "IsTruncated", "UploadDate"];
    typed.iter().fold(text.to_owned(), |text, name| replace_element(&text, name))
}

/// What changes in a second scan: the words that people see.
pub fn rename(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(rename),
        Value::Object(fields) => {
            for (name, value) in fields.iter_mut() {
                match value {
                    Value::String(text)
                        if ["displayName", "display_name", "label"].contains(&name.as_str()) =>
                    {
                        *text = format!("{text}, {CONTROL}renamed");
                    }
                    other => rename(other),
                }
            }
        }
        _ => {}
    }
}

/// Headers that no answer should have, and that some have.
pub fn headers(authorization: Option<&str>) -> Vec<(&'static str, String)> {
    let mut headers = vec![
        ("set-cookie", format!("session={}; HttpOnly", mark("cookie"))),
        ("authorization", format!("Bearer {}", mark("echo"))),
        ("www-authenticate", format!("Bearer realm=\"{}\"", mark("realm"))),
        ("x-auth-token", mark("header")),
        ("x-amz-security-token", mark("session-header")),
        ("x-debug-query", format!("?access_token={}", mark("header-query"))),
    ];
    // Proxies echo what they were asked with.
    headers.extend(authorization.map(|echo| ("x-echo", echo.to_owned())));
    headers
}

/// A mark in the address of every page that follows.
pub fn link(header: &str) -> String {
    header.replace(">; rel=\"next\"", &format!("&{TRACE}>; rel=\"next\""))
}

/// What was added to addresses by [`link`], to be taken off again.
pub const TRACE: &str = "trace=HYGIENE-MARK-link";
