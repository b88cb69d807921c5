//! Pure: an item and what belongs to it → records, as the description says.
//!
//! Runs on the thread for expressions. An expression that fails is an answer that was not
//! understood, never a default; only fields whose enrichment failed are left out, by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use headcount_sdk::model::{
    Confidence, Endpoint, Evidence, Expiry, Link, Nature, Observation, OwnerEvidence, Privilege,
    Purpose, Standing, Status, Usage,
};
use jiff::Timestamp;
use serde_json::Value;

use crate::describe::{
    Description, ExpiryOtherwise, LinkOf, OwnerOf, RecordOf, RecordRef, TargetOf, UsageCase,
};
use crate::expr::{Expr, Scope, Template};
use crate::id;

/// Values of variables; items are shared between the calls of a loop.
pub type Variables = BTreeMap<String, Arc<Value>>;
/// Rows of a lookup by key.
pub type Table = BTreeMap<String, Value>;

/// What one mapping needs.
pub struct Job {
    pub description: Arc<Description>,
    /// Which of its scopes.
    pub scope: usize,
    pub place: String,
    pub now: Timestamp,
    pub variables: Variables,
    /// Lookups that were read.
    pub tables: Arc<BTreeMap<String, Table>>,
    /// Fields that cannot be read now, with the permission that is missing.
    pub missing: BTreeMap<String, String>,
}

/// Where in the mapping something did not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit(pub String);

type Mapped<T> = Result<T, Misfit>;

/// The variables as expressions see them.
pub(crate) fn scope(variables: &Variables, now: Timestamp) -> Scope {
    let mut scope = Scope::new();
    scope.set("now", &Value::String(now.to_string()));
    for (name, value) in variables {
        scope.set(name, value);
    }
    scope
}

/// The records that an item becomes.
pub(crate) fn records(job: &Job) -> Mapped<Vec<Observation>> {
    let Some(described) = job.description.scopes.get(job.scope) else { return Ok(Vec::new()) };
    let mut records = Vec::new();
    for record in &described.records {
        let mut scope = scope(&job.variables, job.now);
        let mapping = Mapping { job, record };
        if mapping.holds(&scope, record.when.as_ref(), "when")? {
            mapping.look_up(&mut scope)?;
            records.push(mapping.observation(&scope)?);
        }
    }
    Ok(records)
}

/// Whether a condition holds; none always does.
pub(crate) fn holds(scope: &Scope, when: Option<&Expr>) -> Mapped<bool> {
    match when.map(|when| when.run(scope)) {
        None => Ok(true),
        Some(Ok(Value::Bool(holds))) => Ok(holds),
        Some(_) => Err(Misfit("when".to_owned())),
    }
}

struct Mapping<'a> {
    job: &'a Job,
    record: &'a RecordOf,
}

impl Mapping<'_> {
    fn misfit(&self, what: &str) -> Misfit {
        Misfit(format!("{}.{what}", self.record.kind))
    }

    fn holds(&self, scope: &Scope, when: Option<&Expr>, what: &str) -> Mapped<bool> {
        holds(scope, when).map_err(|_| self.misfit(what))
    }

    fn run(&self, scope: &Scope, expr: &Expr, what: &str) -> Mapped<Value> {
        expr.run(scope).map_err(|_| self.misfit(what))
    }

    fn text(&self, scope: &Scope, expr: &Expr, what: &str) -> Mapped<Option<String>> {
        match self.run(scope, expr, what)? {
            Value::Null => Ok(None),
            Value::String(text) => Ok(Some(text)),
            Value::Number(number) => Ok(Some(number.to_string())),
            Value::Bool(is) => Ok(Some(is.to_string())),
            _ => Err(self.misfit(what)),
        }
    }

    /// A text, several, or none.
    fn texts(&self, scope: &Scope, expr: &Expr, what: &str) -> Mapped<Vec<String>> {
        let texts = match self.run(scope, expr, what)? {
            Value::Array(items) => items,
            one => vec![one],
        };
        let text = |value: Value| match value {
            Value::Null => None,
            Value::String(text) if text.trim().is_empty() => None,
            Value::String(text) => Some(Ok(text.trim().to_owned())),
            Value::Number(number) => Some(Ok(number.to_string())),
            _ => Some(Err(self.misfit(what))),
        };
        texts.into_iter().filter_map(text).collect()
    }

    fn time(&self, scope: &Scope, expr: &Expr, what: &str) -> Mapped<Option<Timestamp>> {
        let text = self.text(scope, expr, what)?.filter(|text| !text.is_empty());
        text.map(|text| text.parse().map_err(|_| self.misfit(what))).transpose()
    }

    fn fill(&self, scope: &Scope, template: &Template, what: &str) -> Mapped<String> {
        template.fill(scope, |text, _| Some(text.to_owned())).map_err(|_| self.misfit(what))
    }

    fn unread(&self, field: &str) -> bool {
        self.job.missing.contains_key(field)
    }

    fn look_up(&self, scope: &mut Scope) -> Mapped<()> {
        let mut rows = Vec::new();
        for (name, with) in &self.record.with {
            let key = self.run(scope, &with.key, &format!("with.{name}"))?;
            let table = self.job.tables.get(&with.lookup);
            let row = id::text(&key).and_then(|key| table.and_then(|table| table.get(&key)));
            rows.push((name, row.cloned().unwrap_or(Value::Null)));
        }
        rows.into_iter().for_each(|(name, row)| scope.set(name, &row));
        Ok(())
    }

    fn observation(&self, scope: &Scope) -> Mapped<Observation> {
        let record = self.record;
        let key = self.run(scope, &record.key, "key")?;
        let record_id = id::record(&self.job.place, &record.kind, &key);
        let record_id = record_id.ok_or_else(|| self.misfit("key"))?;
        let name = self.text(scope, &record.name, "name")?;
        let name = name.ok_or_else(|| self.misfit("name"))?;
        let mut seen = Observation::new(record_id, record.class, &record.kind, &name);
        seen.native = match &record.native {
            Some(native) => self.text(scope, native, "native")?.unwrap_or_default(),
            None => id::text(&key).unwrap_or_default(),
        };
        seen.parent = match &record.parent {
            Some(parent) => self.reference(scope, parent, "parent")?.into_iter().next(),
            None => None,
        };
        seen.status = self.status(scope)?;
        if let Some(created) = &record.created_at {
            seen.created_at = self.time(scope, created, "created_at")?;
        }
        self.claims(scope, &mut seen)?;
        self.facts(scope, &mut seen)?;
        seen.nature = record.nature.as_ref().map(|nature| Nature {
            kind: nature.kind,
            basis: nature.basis.clone(),
            confidence: Confidence::percent(nature.confidence),
        });
        seen.unread = self.job.missing.clone();
        self.evidence(&mut seen);
        Ok(seen)
    }

    /// Expiry, use, privilege, owners and links: what rules judge.
    fn claims(&self, scope: &Scope, seen: &mut Observation) -> Mapped<()> {
        if !self.unread("expiry") {
            seen.expiry = self.expiry(scope)?;
        }
        seen.usage = if self.unread("usage") {
            Usage::NotObservable { reason: "not read".to_owned() }
        } else {
            self.usage(scope)?
        };
        if !self.unread("privilege") {
            seen.privilege = self.privilege(scope)?;
        }
        if !self.unread("owner_evidence") {
            for owner in &self.record.owners {
                seen.owner_evidence.extend(self.owner(scope, owner)?);
            }
        }
        if !self.unread("links") {
            for link in &self.record.links {
                seen.links.extend(self.link(scope, link)?);
            }
        }
        Ok(())
    }

    /// Purpose, attributes and labels: what people look at.
    fn facts(&self, scope: &Scope, seen: &mut Observation) -> Mapped<()> {
        if let Some(purpose) = self.record.purpose.as_ref().filter(|_| !self.unread("purpose")) {
            let text = self.text(scope, &purpose.text, "purpose")?;
            seen.purpose = text
                .filter(|text| !text.trim().is_empty())
                .map(|text| Purpose { text, locator: purpose.locator.clone() });
        }
        for (name, expr) in &self.record.attributes {
            let field = format!("attributes.{name}");
            if self.unread(&field) {
                continue;
            }
            let value = match self.run(scope, expr, &field)? {
                Value::Null => continue,
                Value::String(text) => text,
                Value::Number(number) => number.to_string(),
                Value::Bool(is) => is.to_string(),
                Value::Array(_) => {
                    let mut texts = self.texts(scope, expr, &field)?;
                    texts.sort();
                    texts.dedup();
                    texts.join(",")
                }
                Value::Object(_) => return Err(self.misfit(&field)),
            };
            if !value.is_empty() {
                seen.attributes.insert(name.clone(), value);
            }
        }
        if let Some(labels) = self.record.labels.as_ref().filter(|_| !self.unread("labels")) {
            seen.labels = self.labels(scope, labels)?;
        }
        Ok(())
    }

    fn labels(&self, scope: &Scope, expr: &Expr) -> Mapped<BTreeMap<String, String>> {
        let Value::Object(fields) = self.run(scope, expr, "labels")? else {
            return Err(self.misfit("labels"));
        };
        let text = |value: Value| match value {
            Value::String(text) => Ok(text),
            Value::Number(number) => Ok(number.to_string()),
            Value::Bool(is) => Ok(is.to_string()),
            Value::Null => Ok(String::new()),
            _ => Err(self.misfit("labels")),
        };
        fields.into_iter().map(|(name, value)| Ok((name, text(value)?))).collect()
    }

    fn status(&self, scope: &Scope) -> Mapped<Status> {
        let Some(status) = &self.record.status else { return Ok(Status::Unknown) };
        match self.text(scope, status, "status")?.as_deref() {
            Some("active") => Ok(Status::Active),
            Some("disabled") => Ok(Status::Disabled),
            Some("unknown") => Ok(Status::Unknown),
            _ => Err(self.misfit("status")),
        }
    }

    fn expiry(&self, scope: &Scope) -> Mapped<Expiry> {
        let expiry = &self.record.expiry;
        let at = match &expiry.at {
            Some(at) => self.time(scope, at, "expiry")?,
            None => None,
        };
        Ok(match (at, expiry.otherwise) {
            (Some(at), _) => Expiry::At { at },
            (None, ExpiryOtherwise::Never) => Expiry::Never,
            (None, ExpiryOtherwise::NotApplicable) => Expiry::NotApplicable,
            (None, ExpiryOtherwise::Unknown) => Expiry::Unknown,
        })
    }

    fn usage(&self, scope: &Scope) -> Mapped<Usage> {
        for (n, case) in self.record.usage.iter().enumerate() {
            let what = format!("usage[{n}]");
            if self.holds(scope, case.when.as_ref(), &what)? {
                return self.usage_case(scope, case, &what);
            }
        }
        Err(self.misfit("usage"))
    }

    fn usage_case(&self, scope: &Scope, case: &UsageCase, what: &str) -> Mapped<Usage> {
        let time = |expr| self.time(scope, expr, what)?.ok_or_else(|| self.misfit(what));
        match (&case.last_used, &case.never_since, &case.not_observable) {
            (Some(used), _, _) => Ok(Usage::LastUsed {
                at: time(&used.at)?,
                resolution_secs: used.resolution_secs,
                lag_secs: used.lag_secs,
            }),
            (_, Some(never), _) => Ok(Usage::NeverSince {
                tracking_start: time(&never.since)?,
                lag_secs: never.lag_secs,
            }),
            (_, _, Some(reason)) => Ok(Usage::NotObservable { reason: reason.clone() }),
            _ => Err(self.misfit(what)),
        }
    }

    fn privilege(&self, scope: &Scope) -> Mapped<Option<Privilege>> {
        for case in &self.record.privilege {
            if self.holds(scope, case.when.as_ref(), "privilege")? {
                let reason = self.fill(scope, &case.reason, "privilege")?;
                return Ok(Some(Privilege { level: case.level, reason }));
            }
        }
        Ok(None)
    }

    fn owner(&self, scope: &Scope, owner: &OwnerOf) -> Mapped<Vec<OwnerEvidence>> {
        let references = self.texts(scope, &owner.reference, "owners")?;
        let standing = match owner.standing.as_ref().filter(|_| !self.unread("owner_standing")) {
            None => Standing::NotKnown,
            Some(_) if references.is_empty() => Standing::NotKnown,
            Some(standing) => match self.text(scope, standing, "owners.standing")?.as_deref() {
                Some("present") => Standing::Present,
                Some("left") => Standing::Left,
                Some("not_known") => Standing::NotKnown,
                _ => return Err(self.misfit("owners.standing")),
            },
        };
        let evidence = |reference| OwnerEvidence {
            reference,
            basis: owner.basis,
            locator: owner.locator.clone(),
            kind: owner.kind,
            standing,
        };
        Ok(references.into_iter().map(evidence).collect())
    }

    fn link(&self, scope: &Scope, link: &LinkOf) -> Mapped<Vec<Link>> {
        if !self.holds(scope, link.when.as_ref(), "links")? {
            return Ok(Vec::new());
        }
        let ends: Vec<Endpoint> = match &link.to {
            TargetOf::Record(record) => {
                let ids = self.reference(scope, record, "links")?;
                ids.into_iter().map(|id| Endpoint::Record { id }).collect()
            }
            TargetOf::Native { place, native } => {
                let natives = self.texts(scope, native, "links")?;
                let place = if natives.is_empty() {
                    String::new()
                } else {
                    self.fill(scope, place, "links")?
                };
                let end = |native| Endpoint::Native { place: place.clone(), native };
                natives.into_iter().map(end).collect()
            }
            TargetOf::Federation { issuer } => {
                let issuers = self.texts(scope, issuer, "links")?;
                let end = |url: String| Endpoint::Federation {
                    issuer: url.trim_end_matches('/').to_owned(),
                };
                issuers.into_iter().map(end).collect()
            }
            TargetOf::Service { name } => {
                let names = self.texts(scope, name, "links")?;
                names.into_iter().map(|name| Endpoint::Service { name }).collect()
            }
        };
        Ok(ends.into_iter().map(|end| Link::new(link.kind, end)).collect())
    }

    fn reference(
        &self,
        scope: &Scope,
        to: &RecordRef,
        what: &str,
    ) -> Mapped<Vec<headcount_sdk::RecordId>> {
        let keys = self.texts(scope, &to.key, what)?;
        let id = |key: String| id::record(&self.job.place, &to.kind, &Value::String(key));
        Ok(keys.into_iter().filter_map(id).collect())
    }

    fn evidence(&self, seen: &mut Observation) {
        let described = self.job.description.scopes.get(self.job.scope);
        let operation = described.and_then(|scope| scope.calls().last());
        seen.evidence = vec![Evidence {
            operation: operation.unwrap_or_default().to_owned(),
            object: seen.native.clone(),
            at: self.job.now,
        }];
    }
}
