//! What depends on an enrichment must be named as unread without it: a field that is not named
//! would be claimed from nothing when the enrichment fails.

use super::{Checked, fail};
use crate::describe::{RecordOf, ScopeOf, TargetOf};
use crate::expr::Expr;

/// Fields that are never unread: without them there is no record, or another one.
const FIXED: [&str; 7] = ["when", "key", "name", "native", "parent", "status", "created_at"];

/// Checks every field of a record against the enrichments that its expressions use.
pub fn check(scope: &ScopeOf, record: &RecordOf, at: &str) -> Checked {
    for (field, variables) in uses(record) {
        for variable in &variables {
            let Some(named) = brought(scope, record, variable) else { continue };
            if FIXED.contains(&field.as_str()) {
                let problem = format!("{field} depends on {variable}, which may fail");
                return fail(at, &problem, "take it from the item of a step");
            }
            // Without evidence there is no standing either.
            let is_named = |name: &str| named.iter().any(|n| n == name);
            let covered =
                is_named(&field) || field == "owner_standing" && is_named("owner_evidence");
            if !covered {
                let problem = format!("{field} depends on {variable}, which does not name it");
                return fail(at, &problem, &format!("add {field} to its `fields`"));
            }
        }
    }
    Ok(())
}

/// The fields that an enrichment names, if the variable is one.
fn brought<'a>(scope: &'a ScopeOf, record: &RecordOf, variable: &str) -> Option<&'a [String]> {
    if let Some(enrich) = scope.enrich.iter().find(|enrich| enrich.item == variable) {
        return Some(&enrich.fields);
    }
    let with = record.with.get(variable)?;
    let lookup = scope.lookups.iter().find(|lookup| lookup.table == with.lookup)?;
    Some(&lookup.fields)
}

type Uses = Vec<(String, Vec<String>)>;

fn uses(record: &RecordOf) -> Uses {
    let mut uses = single(record);
    let mut add = |field: &str, expr: Option<&Expr>| {
        uses.extend(expr.map(|expr| (field.to_owned(), expr.variables().to_vec())));
    };
    for case in &record.usage {
        add("usage", case.when.as_ref());
        add("usage", case.last_used.as_ref().map(|used| &used.at));
        add("usage", case.never_since.as_ref().map(|never| &never.since));
    }
    for owner in &record.owners {
        add("owner_evidence", Some(&owner.reference));
        add("owner_standing", owner.standing.as_ref());
    }
    for link in &record.links {
        add("links", link.when.as_ref());
        add(
            "links",
            match &link.to {
                TargetOf::Record(to) => Some(&to.key),
                TargetOf::Native { native, .. } => Some(native),
                TargetOf::Federation { issuer } => Some(issuer),
                TargetOf::Service { name } => Some(name),
            },
        );
    }
    for case in &record.privilege {
        add("privilege", case.when.as_ref());
    }
    let reasons = record.privilege.iter().map(|case| case.reason.variables());
    uses.extend(reasons.map(|variables| ("privilege".to_owned(), variables)));
    uses
}

fn single(record: &RecordOf) -> Uses {
    let mut uses = Uses::new();
    let mut add = |field: &str, expr: Option<&Expr>| {
        uses.extend(expr.map(|expr| (field.to_owned(), expr.variables().to_vec())));
    };
    add("when", record.when.as_ref());
    add("key", Some(&record.key));
    add("name", Some(&record.name));
    add("native", record.native.as_ref());
    add("parent", record.parent.as_ref().map(|parent| &parent.key));
    add("status", record.status.as_ref());
    add("created_at", record.created_at.as_ref());
    add("expiry", record.expiry.at.as_ref());
    add("purpose", record.purpose.as_ref().map(|purpose| &purpose.text));
    add("labels", record.labels.as_ref());
    for (name, expr) in &record.attributes {
        add(&format!("attributes.{name}"), Some(expr));
    }
    uses
}
