//! Kinds of records: those that others own are refused, and references lead to those there are.

use std::collections::BTreeSet;

use super::{Checked, fail};
use crate::describe::{Description, TargetOf};

/// Kinds of coded connectors that rules treat in a way of their own, and ask for attributes that
/// only those have.
const RESERVED: [&str; 25] = [
    "access-key",
    "actions-secret",
    "agents-secret",
    "app-installation",
    "app-user-token",
    "certificate-request",
    "classic-token",
    "codespaces-secret",
    "dependabot-secret",
    "environment",
    "fine-grained-token",
    "fine-grained-token-request",
    "oauth-token",
    "oidc-provider",
    "pod-certificate-request",
    "pull-secret",
    "repository",
    "root-user",
    "runner-group",
    "saml-provider",
    "self-hosted-runner",
    "service-account",
    "service-account-token",
    "webhook",
    "workload",
];

/// Refuses a kind that belongs to a coded connector.
pub fn are_free(kind: &str, at: &str) -> Checked {
    if RESERVED.contains(&kind) {
        let problem = format!("rules know {kind} from another system");
        return fail(at, &problem, "begin the kind with the vendor's name");
    }
    Ok(())
}

/// Parents and links must lead to kinds that there are.
pub fn lead_somewhere(description: &Description, kinds: &BTreeSet<&str>) -> Checked {
    for scope in &description.scopes {
        for record in &scope.records {
            let linked = record.links.iter().filter_map(|link| match &link.to {
                TargetOf::Record(record) => Some(record),
                _ => None,
            });
            let mut references = record.parent.iter().chain(linked);
            if let Some(strange) = references.find(|to| !kinds.contains(to.kind.as_str())) {
                let at = format!("scopes.{}.records.{}", scope.name, record.kind);
                let known = kinds.iter().copied().collect::<Vec<_>>().join(", ");
                let problem = format!("there is no kind {}", strange.kind);
                return fail(&at, &problem, &format!("known are: {known}"));
            }
        }
    }
    Ok(())
}
