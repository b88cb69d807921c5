//! Pure: what the reader must be allowed, in the form in which the vendor grants it, from the
//! permissions that the operations name.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::describe::{Description, PermissionForm};

/// Capabilities of a policy that change nothing; `update` is what a lookup by POST takes.
/// <https://openbao.org/docs/concepts/policies/#capabilities>
const CAPABILITIES: [&str; 4] = ["list", "read", "sudo", "update"];

/// The permissions of everything that is read, scopes on request by their settings in `with`.
/// `None`: no scope is read on request by such a setting.
pub fn of(description: &Description, with: &[&str]) -> Option<Value> {
    let known = |name: &&str| description.scopes.iter().any(|s| s.only_if.as_deref() == Some(name));
    if !with.iter().all(known) {
        return None;
    }
    let asked = |name: &String| with.contains(&name.as_str());
    let scopes = description.scopes.iter().filter(|s| s.only_if.as_ref().is_none_or(asked));
    let called: BTreeSet<&str> = scopes
        .flat_map(|scope| scope.operations())
        .chain(description.place.operation.as_deref())
        .collect();
    let operations = description.operations.iter().filter(|(name, _)| called.contains(&***name));
    let permissions: BTreeSet<&str> = operations.map(|(_, op)| op.permission.as_str()).collect();
    Some(match description.permission_form {
        PermissionForm::Names => {
            json!({ "permissions": permissions.iter().filter(|p| **p != "none").collect::<Vec<_>>() })
        }
        PermissionForm::VaultPolicy => vault(&permissions),
    })
}

/// <https://openbao.org/docs/concepts/policies/>: a policy may be written as JSON.
fn vault(permissions: &BTreeSet<&str>) -> Value {
    let mut paths: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    // Whoever loaded the description has seen to it that each is a rule.
    for (path, capabilities) in permissions.iter().filter_map(|p| rule(p).ok().flatten()) {
        paths.entry(path).or_default().extend(capabilities);
    }
    let entry = |(path, capabilities)| (path, json!({ "capabilities": capabilities }));
    json!({ "path": paths.into_iter().map(entry).collect::<BTreeMap<String, Value>>() })
}

/// A path and its capabilities; nothing where no permission is needed.
///
/// # Errors
///
/// What to write instead.
pub fn rule(permission: &str) -> Result<Option<(String, Vec<String>)>, String> {
    if permission == "none" {
        return Ok(None);
    }
    let (capabilities, path) = permission
        .split_once(" on ")
        .ok_or_else(|| "write `read on PATH`, `list, sudo on PATH` or `none`".to_owned())?;
    let capabilities: Vec<String> = capabilities.split(", ").map(str::to_owned).collect();
    if let Some(odd) = capabilities.iter().find(|c| !CAPABILITIES.contains(&c.as_str())) {
        return Err(format!("`{odd}` is none of {}", CAPABILITIES.join(", ")));
    }
    // A star stands for the rest of a path, and lets in more than is read.
    if path.is_empty() || path.contains(['*', ' ']) {
        return Err("name one path; `+` stands for one segment".to_owned());
    }
    Ok(Some((path.to_owned(), capabilities)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

    use super::*;

    #[test]
    fn a_permission_is_a_rule_of_a_policy_or_refused() {
        let is = |path: &str, capabilities: &[&str]| {
            let capabilities = capabilities.iter().map(|c| (*c).to_owned()).collect();
            Ok(Some((path.to_owned(), capabilities)))
        };
        assert_eq!(rule("read on a/+/b"), is("a/+/b", &["read"]));
        assert_eq!(rule("list, sudo on a"), is("a", &["list", "sudo"]));
        assert_eq!(rule("none"), Ok(None));
        for odd in ["read a", "read on a/*", "read on ", "delete on a", "read and list on a"] {
            assert!(rule(odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn what_is_read_on_request_is_granted_on_request() {
        let vault = crate::catalog::load("vault").unwrap().unwrap();
        let paths = |with: &[&str]| -> Vec<String> {
            let policy = vault.permissions(with).unwrap();
            policy["path"].as_object().unwrap().keys().cloned().collect()
        };
        let (fewer, more) = (paths(&[]), paths(&["token_accessors"]));
        assert!(fewer.iter().all(|path| more.contains(path)));
        assert!(!fewer.iter().any(|path| path.starts_with("auth/token/")), "{fewer:?}");
        let added: Vec<&String> = more.iter().filter(|path| !fewer.contains(path)).collect();
        assert_eq!(added, ["auth/token/accessors", "auth/token/lookup-accessor"]);
        assert_eq!(vault.permissions(&["everything"]), None);
        let gitlab = crate::catalog::load("gitlab").unwrap().unwrap();
        let asks = |with: &[&str], for_what: &str| {
            let permissions = gitlab.permissions(with).unwrap();
            permissions["permissions"].as_array().unwrap().contains(&json!(for_what))
        };
        let (people, groups) = ("read_api, as administrator", "read_api, as owner of each group");
        assert!(!asks(&[], people) && !asks(&[], groups));
        assert!(asks(&["administrator"], people) && !asks(&["administrator"], groups));
        let both = ["administrator", "each_access_token"];
        assert!(asks(&both, people) && asks(&both, groups));
        let okta = crate::catalog::load("okta").unwrap().unwrap();
        let names = okta.permissions(&[]).unwrap();
        assert!(names["permissions"].as_array().unwrap().len() > 3, "{names}");
    }
}
