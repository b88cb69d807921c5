//! Field names and paths of the catalogue against the vendors' own descriptions, where those are.

use std::path::PathBuf;

use headcount_rest::catalog;
use headcount_rest::describe::{Answer, Operation};
use serde_json::Value;

/// The trimmed descriptions stand beside the project, and are not part of it.
fn vendor(file: &str) -> Option<Value> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let found =
        ["../shared/specs", "../../shared/specs"].map(|folder| root.join(folder).join(file));
    let text = found.iter().find_map(|path| std::fs::read_to_string(path).ok());
    if text.is_none() {
        eprintln!("skipped: {file} is not there");
    }
    text.map(|text| serde_json::from_str(&text).unwrap())
}

/// A schema with its references followed and its parts put together.
fn properties(spec: &Value, schema: &Value, name: &str, depth: u8) -> Vec<Value> {
    if depth == 0 {
        return Vec::new();
    }
    let schema = match schema["$ref"].as_str() {
        Some(at) => spec.pointer(at.trim_start_matches('#')).cloned().unwrap_or_default(),
        None => schema.clone(),
    };
    let mut found: Vec<Value> = schema["properties"].get(name).cloned().into_iter().collect();
    for part in ["allOf", "oneOf", "anyOf"] {
        for inner in schema[part].as_array().into_iter().flatten() {
            found.extend(properties(spec, inner, name, depth - 1));
        }
    }
    // A subtype adds what its parent does not have.
    for subtype in schema["discriminator"]["mapping"].as_object().into_iter().flatten() {
        let subtype = serde_json::json!({"$ref": subtype.1});
        found.extend(properties(spec, &subtype, name, depth - 1));
    }
    if schema["type"] == "array" {
        found.extend(properties(spec, &schema["items"], name, depth - 1));
    }
    found
}

fn is_known(spec: &Value, schemas: &[Value], path: &[&str]) -> bool {
    let Some((name, rest)) = path.split_first() else { return true };
    schemas.iter().any(|schema| {
        let below = properties(spec, schema, name.trim_end_matches("[]"), 6);
        // What the vendor leaves open cannot be checked further down.
        let open = |s: &Value| s["type"] == "object" && s.get("properties").is_none();
        !below.is_empty() && (below.iter().any(open) || is_known(spec, &below, rest))
    })
}

/// Whether two paths are one, when a parameter of either stands for any segment.
fn is_same(one: &str, other: &str) -> bool {
    let parameter = |part: &str| part.starts_with(['{', '$']);
    let (one, other): (Vec<&str>, Vec<&str>) =
        (one.split('/').collect(), other.split('/').collect());
    let same = |(a, b): (&&str, &&str)| a == b || parameter(a) || parameter(b);
    one.len() == other.len() && one.iter().zip(&other).all(same)
}

/// Fields of an operation that the vendor's description of it does not have.
fn strange(spec: &Value, name: &str, operation: &Operation) -> Vec<String> {
    let wanted = operation.path.source();
    let paths = spec["paths"].as_object().unwrap();
    let Some((_, found)) = paths.iter().find(|(path, _)| is_same(path, wanted)) else {
        return vec![format!("{name}: no path {wanted}")];
    };
    let method = operation.method.as_str().to_lowercase();
    let schema = &found[method]["responses"]["200"]["content"]["application/json"]["schema"];
    let mut schemas = vec![schema.clone()];
    for step in operation.items.iter().flat_map(|items| items.split('.')) {
        schemas = schemas.iter().flat_map(|schema| properties(spec, schema, step, 6)).collect();
    }
    let fields = operation.required.iter().chain(&operation.optional);
    let odd =
        fields.filter(|field| !is_known(spec, &schemas, &field.split('.').collect::<Vec<_>>()));
    odd.map(|field| format!("{name}: {field}")).collect()
}

fn check(name: &str, file: &str, except: &[&str]) {
    let Some(spec) = vendor(file) else { return };
    let described = catalog::load(name).unwrap().unwrap();
    let operations = described.description().operations.iter();
    let checked = operations.filter(|(name, operation)| {
        operation.base_url.is_none()
            && operation.answer != Answer::Entries
            && !except.contains(&name.as_str())
    });
    let mut count = 0;
    let odd: Vec<String> =
        checked.inspect(|_| count += 1).flat_map(|(name, op)| strange(&spec, name, op)).collect();
    let odd: Vec<String> =
        odd.into_iter().filter(|odd| !except.iter().any(|known| odd.starts_with(known))).collect();
    assert_eq!(odd, Vec::<String>::new(), "{name}: the vendor knows no such thing");
    assert!(count > 1, "{name}: nothing was checked");
}

#[test]
fn okta_has_what_is_asked_of_it() {
    // The endpoints of service accounts were trimmed from the vendor's description.
    // So were the parts of OpenID Connect apps.
    let trimmed = [
        "listAppServiceAccounts",
        "listApplications: settings.oauthClient",
        "listApplications: credentials.oauthClient",
    ];
    check("okta", "okta-nhi.json", &trimmed);
}

#[test]
fn microsoft_has_what_is_asked_of_it() {
    // The vendor's description is of 2021.
    let newer = [
        "organization",
        "agentIdentities.list",
        "federatedIdentityCredentials.list",
        "oauth2PermissionGrants.list",
        "applications.list: serviceManagementReference",
        // Owners are of a base type there, which only has an id.
        "applications.list: owners[].",
        "servicePrincipals.list: owners[].",
    ];
    check("entra", "graph-nhi.json", &newer);
}

#[test]
fn google_has_what_is_asked_of_it() {
    check(
        "gcp",
        "iam.v1.oas.json",
        &["iam.projects.locations.workloadIdentityPools.providers.list"],
    );
}
