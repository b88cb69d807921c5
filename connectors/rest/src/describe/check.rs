//! What the types of the format cannot say: that names meet, and that nothing is claimed twice.

use std::collections::{BTreeMap, BTreeSet};

use headcount_sdk::model::{Class, NatureKind};

use super::load::LoadError;
use super::{
    Answer, Description, LinkOf, Operation, Paging, PermissionForm, RecordOf, ScopeOf, TargetOf,
    UsageCase,
};
use crate::expr::{Expr, Template};
use crate::policy;
use crate::shape::{bare, steps};

mod depends;
mod kinds;

type Checked = Result<(), LoadError>;

/// Variables that every expression sees.
const GIVEN: [&str; 2] = ["settings", "now"];
/// Fields that an enrichment may leave unread, beside `attributes.NAME`.
const FIELDS: [&str; 8] = [
    "expiry",
    "labels",
    "links",
    "owner_evidence",
    "owner_standing",
    "privilege",
    "purpose",
    "usage",
];

pub fn check(description: &Description) -> Checked {
    kebab("name", &description.name)?;
    if description.cannot_see.is_empty() {
        return fail("cannot_see", "nothing is said to be out of sight", "name the blind spots");
    }
    if description.auth.is_empty() {
        return fail("auth", "there is no way to prove who asks", "add one");
    }
    if !(1..=10).contains(&description.limits.concurrency) || description.limits.pages == 0 {
        return fail("limits", "nothing could be read", "concurrency is 1 to 10, pages at least 1");
    }
    template(&description.base_url, "base_url", &["settings"])?;
    place(description)?;
    for (name, operation) in &description.operations {
        check_operation(description, name, operation)?;
    }
    if description.scopes.is_empty() {
        return fail("scopes", "nothing is read", "add a scope");
    }
    let mut names = BTreeSet::new();
    let mut classes = BTreeMap::new();
    for scope in &description.scopes {
        if !names.insert(&scope.name) {
            return fail("scopes", &format!("{} is there twice", scope.name), "rename one");
        }
        check_scope(description, scope)?;
        for record in &scope.records {
            if *classes.entry(&record.kind).or_insert(record.class) != record.class {
                let problem = format!("{} has two classes", record.kind);
                return fail(&format!("scopes.{}", scope.name), &problem, "use two kinds");
            }
        }
    }
    kinds::lead_somewhere(description, &classes.into_keys().map(String::as_str).collect())?;
    all_used(description)
}

fn place(description: &Description) -> Checked {
    let mut seen = vec!["settings"];
    if let Some(operation) = &description.place.operation {
        known_operation(description, "place", operation)?;
        seen.push("answer");
    }
    template(&description.place.id, "place.id", &seen)
}

fn check_operation(description: &Description, name: &str, operation: &Operation) -> Checked {
    let at = format!("operations.{name}");
    if !operation.path.source().starts_with('/') || operation.path.source().contains('?') {
        return fail(&at, "the path is not one", "begin with `/`; queries have a key of their own");
    }
    if description.permission_form == PermissionForm::VaultPolicy {
        policy::rule(&operation.permission)
            .map_err(|remedy| LoadError::at(&at, "the permission makes no policy", &remedy))?;
    }
    if (operation.answer == Answer::Rows) == operation.columns.is_empty() {
        return fail(&at, "rows have columns, and nothing else has", "give both or neither");
    }
    let fields = operation.fields();
    for path in fields.clone().chain(&operation.items) {
        if let Some(denied) =
            steps(path).into_iter().find(|part| description.deny.iter().any(|d| d == bare(part)))
        {
            let problem = format!("`{path}` is asked for, and `{denied}` is denied");
            return fail(&at, &problem, "leave it out of one of the lists");
        }
        if path.starts_with('.') || path.ends_with('.') || path.contains("..") {
            return fail(&at, &format!("`{path}` is no path"), "write it as `a.b`");
        }
    }
    let mut seen = BTreeSet::new();
    if let Some(twice) = fields.clone().find(|path| !seen.insert(*path)) {
        return fail(
            &at,
            &format!("`{twice}` is listed twice"),
            "a field is required, nullable or optional",
        );
    }
    if let Some(Paging::Cursor { within: super::TokenIn::Body, .. }) = &operation.paging
        && operation.method != super::Method::Post
    {
        return fail(&at, "a token in a body needs a body", "use `method: POST` or `in: query`");
    }
    Ok(())
}

fn check_scope(description: &Description, scope: &ScopeOf) -> Checked {
    let at = format!("scopes.{}", scope.name);
    kebab(&at, &scope.name)?;
    if let Some(name) = &scope.only_if {
        let setting = description.settings.get(name);
        if setting.and_then(|setting| setting.default.as_deref()) != Some("false") {
            let problem = format!("{name} is no setting that is false unless somebody asks");
            return fail(&at, &problem, "add the setting with `default: \"false\"`");
        }
    }
    if scope.steps.is_empty() || scope.records.is_empty() {
        return fail(&at, "nothing is read or recorded", "it needs steps and records");
    }
    let mut seen: Vec<&str> = GIVEN.to_vec();
    for step in &scope.steps {
        let at = format!("{at}.steps.{}", step.item);
        match (&step.operation, &step.list) {
            (Some(operation), None) => {
                known_operation(description, &at, operation)?;
                request(description, &at, operation, &seen)?;
            }
            (None, Some(list)) if seen.len() > GIVEN.len() => expression(list, &at, &seen)?,
            _ => {
                let remedy = "give `operation`, or a `list` within an item of the step before";
                return fail(&at, "a step is a call or a list", remedy);
            }
        }
        new_variable(&at, &step.item, &seen)?;
        seen.push(&step.item);
        optional(step.when.as_ref(), &format!("{at}.when"), &seen)?;
        if let Some(unasked) = &step.unasked {
            expression(&unasked.when, &format!("{at}.unasked.when"), &seen)?;
            expression(&unasked.is, &format!("{at}.unasked.is"), &seen)?;
        }
    }
    unasked(scope, &at)?;
    for lookup in &scope.lookups {
        let at = format!("{at}.lookups.{}", lookup.table);
        known_operation(description, &at, &lookup.operation)?;
        request(description, &at, &lookup.operation, &GIVEN)?;
        expression(&lookup.key, &format!("{at}.key"), &["settings", "now", "row"])?;
        enriched(&at, &lookup.fields)?;
    }
    for enrich in &scope.enrich {
        let at = format!("{at}.enrich.{}", enrich.item);
        known_operation(description, &at, &enrich.operation)?;
        request(description, &at, &enrich.operation, &seen)?;
        optional(enrich.when.as_ref(), &format!("{at}.when"), &seen)?;
        enriched(&at, &enrich.fields)?;
        if scope.calls().any(|operation| operation == enrich.operation) {
            let problem = format!("{} is a step and an enrichment", enrich.operation);
            return fail(&at, &problem, "it is one or the other");
        }
    }
    for enrich in &scope.enrich {
        new_variable(&at, &enrich.item, &seen)?;
        seen.push(&enrich.item);
    }
    scope.records.iter().try_for_each(|record| check_record(scope, record, &at, &seen))
}

/// What hangs on an item can be told by its attribute, in every record of the scope.
fn unasked(scope: &ScopeOf, at: &str) -> Checked {
    let mut all =
        scope.steps.iter().enumerate().filter_map(|(n, s)| Some((n, s.unasked.as_ref()?)));
    let Some((depth, unasked)) = all.next() else { return Ok(()) };
    let at = format!("{at}.steps.unasked");
    if all.next().is_some() || depth + 1 == scope.steps.len() {
        let remedy = "one step has it, and another step follows";
        return fail(&at, "there is nothing to be asked of these items", remedy);
    }
    let names = |record: &RecordOf| record.attributes.contains_key(&unasked.attribute);
    match scope.records.iter().find(|record| !names(record)) {
        None => Ok(()),
        Some(record) => {
            let problem = format!("{} has no attribute {}", record.kind, unasked.attribute);
            fail(&at, &problem, "add it, so that it is known what stays")
        }
    }
}

fn check_record(scope: &ScopeOf, record: &RecordOf, at: &str, seen: &[&str]) -> Checked {
    let at = &format!("{at}.records.{}", record.kind);
    kebab(at, &record.kind)?;
    kinds::are_free(&record.kind, at)?;
    let mut seen = seen.to_vec();
    for (name, with) in &record.with {
        if !scope.lookups.iter().any(|lookup| lookup.table == with.lookup) {
            return fail(at, &format!("there is no lookup {}", with.lookup), "add it to the scope");
        }
        expression(&with.key, &format!("{at}.with.{name}"), &seen)?;
    }
    for name in record.with.keys() {
        new_variable(at, name, &seen)?;
        seen.push(name);
    }
    let seen = &seen[..];
    for (what, expr) in plain(record) {
        expression(expr, &format!("{at}.{what}"), seen)?;
    }
    usage(&record.usage, at, seen)?;
    for case in &record.privilege {
        optional(case.when.as_ref(), &format!("{at}.privilege"), seen)?;
        template(&case.reason, &format!("{at}.privilege"), seen)?;
    }
    for owner in &record.owners {
        expression(&owner.reference, &format!("{at}.owners"), seen)?;
        optional(owner.standing.as_ref(), &format!("{at}.owners"), seen)?;
    }
    record.links.iter().try_for_each(|link| check_link(link, at, seen))?;
    depends::check(scope, record, at)?;
    let person = record.nature.as_ref().is_some_and(|nature| nature.kind == NatureKind::Person);
    if record.class == Class::Principal && !person || person && record.class != Class::Principal {
        return fail(at, "class and nature disagree", "people are of class `principal`");
    }
    Ok(())
}

/// The expressions of a record that stand alone.
fn plain(record: &RecordOf) -> Vec<(&str, &Expr)> {
    let mut all = vec![("key", &record.key), ("name", &record.name)];
    let singles = [
        ("when", &record.when),
        ("native", &record.native),
        ("status", &record.status),
        ("created_at", &record.created_at),
        ("expiry", &record.expiry.at),
        ("labels", &record.labels),
    ];
    all.extend(singles.into_iter().filter_map(|(name, e)| e.as_ref().map(|e| (name, e))));
    all.extend(record.parent.as_ref().map(|parent| ("parent", &parent.key)));
    all.extend(record.purpose.as_ref().map(|purpose| ("purpose", &purpose.text)));
    all.extend(record.attributes.iter().map(|(name, expr)| (name.as_str(), expr)));
    all
}

fn check_link(link: &LinkOf, at: &str, seen: &[&str]) -> Checked {
    let at = &format!("{at}.links");
    optional(link.when.as_ref(), at, seen)?;
    match &link.to {
        TargetOf::Record(record) => expression(&record.key, at, seen),
        TargetOf::Native { place, native } => {
            template(place, at, seen)?;
            expression(native, at, seen)
        }
        TargetOf::Federation { issuer } => expression(issuer, at, seen),
        TargetOf::Service { name } => expression(name, at, seen),
    }
}

fn usage(cases: &[UsageCase], at: &str, seen: &[&str]) -> Checked {
    let at = &format!("{at}.usage");
    let Some((last, others)) = cases.split_last() else {
        return fail(at, "nothing is said of use", "at least say `not_observable` and why");
    };
    if last.when.is_some() || others.iter().any(|case| case.when.is_none()) {
        return fail(at, "some item fits no case, or no other", "only the last has no `when`");
    }
    for case in cases {
        let said =
            [case.last_used.is_some(), case.never_since.is_some(), case.not_observable.is_some()];
        if said.into_iter().filter(|is| *is).count() != 1 {
            return fail(at, "a case says nothing or two things", "give one outcome to each");
        }
        optional(case.when.as_ref(), at, seen)?;
        optional(case.last_used.as_ref().map(|used| &used.at), at, seen)?;
        optional(case.never_since.as_ref().map(|never| &never.since), at, seen)?;
    }
    Ok(())
}

/// The expressions of a request must only need what is known when it is sent.
fn request(description: &Description, at: &str, name: &str, seen: &[&str]) -> Checked {
    let Some(operation) = description.operations.get(name) else { return Ok(()) };
    template(&operation.path, &format!("{at}, path of {name}"), seen)?;
    for filled in operation.query.values().chain(operation.body.values()) {
        template(filled, &format!("{at}, request of {name}"), seen)?;
    }
    let fixed = |t: &Template| t.variables().iter().all(|v| v == "settings" || v == "now");
    let templates = || operation.query.values().chain(operation.body.values());
    if operation.shared && !(fixed(&operation.path) && templates().all(fixed)) {
        return fail(at, &format!("{name} is shared and differs per item"), "share it or loop it");
    }
    Ok(())
}

fn enriched(at: &str, fields: &[String]) -> Checked {
    if fields.is_empty() {
        return fail(at, "it adds nothing", "name the fields that are unread without it");
    }
    let odd = fields
        .iter()
        .find(|field| !field.starts_with("attributes.") && !FIELDS.contains(&field.as_str()));
    odd.map_or(Ok(()), |field| {
        let known = FIELDS.join(", ");
        fail(
            at,
            &format!("{field} is no field of a record"),
            &format!("use {known}, attributes.NAME"),
        )
    })
}

fn all_used(description: &Description) -> Checked {
    let used: BTreeSet<&str> = description
        .scopes
        .iter()
        .flat_map(ScopeOf::operations)
        .chain(description.place.operation.as_deref())
        .collect();
    let unused = description.operations.keys().find(|name| !used.contains(name.as_str()));
    unused.map_or(Ok(()), |name| {
        fail(
            &format!("operations.{name}"),
            "nothing calls it",
            "leave it out: it asks for a permission",
        )
    })
}

fn known_operation(description: &Description, at: &str, name: &str) -> Checked {
    if description.operations.contains_key(name) {
        return Ok(());
    }
    let known: Vec<&str> = description.operations.keys().map(String::as_str).collect();
    fail(at, &format!("there is no operation {name}"), &format!("known are: {}", known.join(", ")))
}

fn new_variable(at: &str, name: &str, seen: &[&str]) -> Checked {
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if !plain || matches!(name, "row" | "answer") {
        return fail(
            at,
            &format!("`{name}` cannot be a variable"),
            "use another name: a-z, 0-9, _",
        );
    }
    if seen.contains(&name) {
        return fail(at, &format!("`{name}` is there already"), "use another name");
    }
    Ok(())
}

fn optional(expr: Option<&Expr>, at: &str, seen: &[&str]) -> Checked {
    expr.map_or(Ok(()), |expr| expression(expr, at, seen))
}

fn expression(expr: &Expr, at: &str, seen: &[&str]) -> Checked {
    known_variables(expr.variables(), at, seen)
}

fn template(template: &Template, at: &str, seen: &[&str]) -> Checked {
    known_variables(&template.variables(), at, seen)
}

fn known_variables(asked: &[String], at: &str, seen: &[&str]) -> Checked {
    let strange = asked.iter().find(|name| !seen.contains(&name.as_str()));
    strange.map_or(Ok(()), |name| {
        let known = seen.join(", ");
        fail(at, &format!("there is no variable `{name}`"), &format!("known here are: {known}"))
    })
}

fn kebab(at: &str, name: &str) -> Checked {
    let fits = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if fits {
        Ok(())
    } else {
        fail(at, &format!("`{name}` is not in kebab case"), "use a-z, 0-9, -")
    }
}

fn fail(at: &str, problem: &str, remedy: &str) -> Checked {
    Err(LoadError::at(at, problem, remedy))
}
