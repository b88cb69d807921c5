//! Reads one scope to its end: lookups, then the loops, then the enrichments of each item, then
//! the mapping. What fails in a loop fails the scope; what fails beside it leaves fields unread.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::pin::Pin;
use std::sync::Arc;

use headcount_sdk::model::Observation;
use headcount_sdk::{Complete, RecordId, Recorder, ScanContext, ScanError};
use serde_json::Value;

use crate::client::{Client, malformed, unavailable};
use crate::describe::{Enrich, ScopeOf, Step};
use crate::expr::evaluate;
use crate::id;
use crate::list::{List, changed};
use crate::map::{self, Job, Table, Variables};

/// One scope that is being read.
pub struct Reading<'a, 'r> {
    pub client: &'a Client,
    pub cx: &'a ScanContext,
    /// Which scope of the description.
    pub index: usize,
    pub scope: &'a ScopeOf,
    pub place: String,
    recorder: Recorder<'r>,
    tables: Arc<BTreeMap<String, Table>>,
    /// Fields that no record of this scope can have now, with the permission.
    missing: BTreeMap<String, String>,
    /// Enrichments that will not work for any item.
    given_up: BTreeMap<String, ScanError>,
    degraded: BTreeSet<String>,
    /// Items that could not be asked, by the value of the attribute that names them.
    unasked: BTreeSet<String>,
    /// What was recorded, by a fingerprint of its content.
    seen: BTreeMap<RecordId, u64>,
}

/// Items that coverage names of those that could not be asked.
const NAMED: usize = 5;

type Boxed<'f> = Pin<Box<dyn Future<Output = Result<(), ScanError>> + Send + 'f>>;

impl<'a, 'r> Reading<'a, 'r> {
    pub fn new(
        client: &'a Client,
        cx: &'a ScanContext,
        (index, scope): (usize, &'a ScopeOf),
        (place, recorder): (String, Recorder<'r>),
    ) -> Self {
        Self {
            client,
            cx,
            index,
            scope,
            place,
            recorder,
            tables: Arc::default(),
            missing: BTreeMap::new(),
            given_up: BTreeMap::new(),
            degraded: BTreeSet::new(),
            unasked: BTreeSet::new(),
            seen: BTreeMap::new(),
        }
    }

    /// Reads it to its end, or says why not.
    pub async fn run(mut self) -> Result<Complete, ScanError> {
        self.look_ups().await?;
        let variables = settings(self.client);
        self.level(0, variables).await?;
        Ok(self.complete())
    }

    /// Proves the scope, but for what hangs on items that could not be asked.
    fn complete(self) -> Complete {
        let mut steps = self.scope.steps.iter();
        let unasked = steps.by_ref().find_map(|step| step.unasked.as_ref());
        let Some(unasked) = unasked else { return self.recorder.complete() };
        let next = steps.find_map(|step| step.operation.clone()).unwrap_or_default();
        let some: Vec<&str> = self.unasked.iter().take(NAMED).map(String::as_str).collect();
        let more = if self.unasked.len() > NAMED { ", …" } else { "" };
        let because = ScanError::NotSupported {
            operation: next,
            reason: format!(
                "{}: {} of {} ({}{more}) not asked, and what they held stays",
                unasked.because,
                self.unasked.len(),
                unasked.attribute,
                some.join(", "),
            ),
        };
        self.recorder.complete_all_but((&unasked.attribute, self.unasked), because)
    }

    async fn look_ups(&mut self) -> Result<(), ScanError> {
        let mut tables = BTreeMap::new();
        for (n, lookup) in self.scope.lookups.iter().enumerate() {
            match self.table(n).await {
                Ok(table) => drop(tables.insert(lookup.table.clone(), table)),
                Err(error) => self.degrade(&lookup.operation, &lookup.fields, &error),
            }
        }
        self.tables = Arc::new(tables);
        Ok(())
    }

    /// Reads the list of a lookup and keys its rows.
    async fn table(&mut self, n: usize) -> Result<Table, ScanError> {
        let Some(lookup) = self.scope.lookups.get(n) else { return Ok(Table::new()) };
        let rows = items(self.client, self.cx, &lookup.operation, settings(self.client)).await?;
        let description = Arc::clone(&self.client.description);
        let (index, now) = (self.index, self.cx.now);
        let keyed = evaluate(move || {
            let lookup = description.scopes.get(index)?.lookups.get(n)?;
            let mut table = Table::new();
            for row in rows {
                let variables = Variables::from([("row".to_owned(), Arc::clone(&row))]);
                let key = lookup.key.run(&map::scope(&variables, now)).ok()?;
                table.insert(id::text(&key)?, Value::clone(&row));
            }
            Some(table)
        });
        let keyed =
            keyed.await.map_err(|error| unavailable(&lookup.operation, &error.to_string()))?;
        keyed.ok_or_else(|| malformed(&lookup.operation, "key of a row"))
    }

    /// One level of the loops, for one item of the level above.
    fn level<'f>(&'f mut self, depth: usize, variables: Variables) -> Boxed<'f> {
        Box::pin(async move {
            let scope = self.scope;
            let Some(step) = scope.steps.get(depth) else { return Ok(()) };
            let (client, cx) = (self.client, self.cx);
            let Some(name) = &step.operation else {
                let items = nested(client, cx, (self.index, depth), variables.clone()).await?;
                return self.page(depth, &variables, items).await;
            };
            let operation = client.description.operations.get(name);
            if operation.is_some_and(|operation| operation.shared) {
                let items = items(client, cx, name, variables.clone()).await?;
                return self.page(depth, &variables, items).await;
            }
            let mut list = List::open(client, cx, name, variables.clone()).await?;
            let numbered = list.is_numbered();
            let mut rows = BTreeSet::new();
            while let Some(items) = list.next().await? {
                if numbered && !items.iter().all(|item| rows.insert(fingerprint(item))) {
                    return Err(changed(name));
                }
                let items = items.into_iter().map(Arc::new).collect();
                self.page(depth, &variables, items).await?;
            }
            Ok(())
        })
    }

    async fn page(
        &mut self,
        depth: usize,
        variables: &Variables,
        items: Vec<Arc<Value>>,
    ) -> Result<(), ScanError> {
        let scope = self.scope;
        let Some(step) = scope.steps.get(depth) else { return Ok(()) };
        let items = with(variables, step, items);
        let Chosen { wanted, unasked } =
            choose(self.client, self.cx, (self.index, depth), items).await?;
        self.unasked.extend(unasked);
        if depth + 1 < scope.steps.len() {
            for variables in wanted {
                self.level(depth + 1, variables).await?;
            }
            return Ok(());
        }
        let mut jobs = Vec::with_capacity(wanted.len());
        for variables in wanted {
            jobs.push(self.enriched(variables).await?);
        }
        let mapped = evaluate(move || jobs.iter().map(map::records).collect::<Result<Vec<_>, _>>());
        let mapped =
            mapped.await.map_err(|error| unavailable(name_of(scope, depth), &error.to_string()))?;
        let mapped = mapped.map_err(|misfit| malformed(name_of(scope, depth), &misfit.0))?;
        mapped.into_iter().flatten().try_for_each(|record| self.record(record))
    }

    /// Makes the calls for one item.
    async fn enriched(&mut self, mut variables: Variables) -> Result<Job, ScanError> {
        let mut missing = self.missing.clone();
        let scope = self.scope;
        for (n, enrich) in scope.enrich.iter().enumerate() {
            let found = match self.given_up.get(&enrich.operation).cloned() {
                Some(error) => Err(error),
                None => self.enrichment(n, enrich, &variables).await,
            };
            let value = match found {
                Ok(items) => items,
                Err(error) => {
                    let permission = self.permission(&enrich.operation);
                    missing.extend(enrich.fields.iter().map(|f| (f.clone(), permission.clone())));
                    self.note(&enrich.fields, &error);
                    // Another item would meet the same; one that is gone says nothing of others.
                    if !matches!(error, ScanError::Unavailable { .. } | ScanError::Malformed { .. })
                    {
                        self.given_up.insert(enrich.operation.clone(), error);
                    }
                    Value::Null
                }
            };
            variables.insert(enrich.item.clone(), Arc::new(value));
        }
        Ok(Job {
            description: Arc::clone(&self.client.description),
            scope: self.index,
            place: self.place.clone(),
            now: self.cx.now,
            variables,
            tables: Arc::clone(&self.tables),
            missing,
        })
    }

    async fn enrichment(
        &mut self,
        n: usize,
        enrich: &Enrich,
        variables: &Variables,
    ) -> Result<Value, ScanError> {
        if enrich.when.is_some() {
            let description = Arc::clone(&self.client.description);
            let (index, now, seen) = (self.index, self.cx.now, variables.clone());
            let holds = evaluate(move || {
                let enrich = description.scopes.get(index)?.enrich.get(n)?;
                map::holds(&map::scope(&seen, now), enrich.when.as_ref()).ok()
            });
            let holds =
                holds.await.map_err(|error| unavailable(&enrich.operation, &error.to_string()))?;
            if !holds.ok_or_else(|| malformed(&enrich.operation, "when"))? {
                return Ok(Value::Array(Vec::new()));
            }
        }
        let items = items(self.client, self.cx, &enrich.operation, variables.clone()).await?;
        Ok(Value::Array(items.into_iter().map(Arc::unwrap_or_clone).collect()))
    }

    fn permission(&self, operation: &str) -> String {
        let operation = self.client.description.operations.get(operation);
        operation.map(|operation| operation.permission.clone()).unwrap_or_default()
    }

    /// An enrichment of the whole scope failed.
    fn degrade(&mut self, operation: &str, fields: &[String], error: &ScanError) {
        let permission = self.permission(operation);
        self.missing.extend(fields.iter().map(|field| (field.clone(), permission.clone())));
        self.note(fields, error);
    }

    /// States once per field that it is unread.
    fn note(&mut self, fields: &[String], error: &ScanError) {
        for field in fields {
            if self.degraded.insert(field.clone()) {
                self.recorder.degrade(field, error.clone());
            }
        }
    }

    fn record(&mut self, record: Observation) -> Result<(), ScanError> {
        let print = fingerprint(&record);
        match self.seen.insert(record.id.clone(), print) {
            None => self.recorder.record(record),
            // The same record under two parents, or a page that was served twice.
            Some(before) if before == print => {}
            Some(_) => {
                let operation = self.scope.calls().last();
                let path = format!("{}.key: two items have the same", record.kind);
                return Err(malformed(operation.unwrap_or_default(), &path));
            }
        }
        Ok(())
    }
}

/// What expressions see from the beginning.
pub fn settings(client: &Client) -> Variables {
    Variables::from([("settings".to_owned(), Arc::clone(&client.settings))])
}

/// All items of a list; of a shared one, those that were read before.
pub async fn items(
    client: &Client,
    cx: &ScanContext,
    name: &str,
    variables: Variables,
) -> Result<Vec<Arc<Value>>, ScanError> {
    let read = async {
        let items = List::open(client, cx, name, variables).await?.all().await?;
        Ok::<Vec<Arc<Value>>, ScanError>(items.into_iter().map(Arc::new).collect())
    };
    let shared = client.description.operations.get(name).is_some_and(|operation| operation.shared);
    if shared {
        let kept = cx.memo.once(&format!("rest:{name}"), read).await?;
        return Ok(Vec::clone(&kept));
    }
    read.await
}

/// The variables for each item of a step.
pub fn with(variables: &Variables, step: &Step, items: Vec<Arc<Value>>) -> Vec<Variables> {
    let add = |item| {
        let mut variables = variables.clone();
        variables.insert(step.item.clone(), item);
        variables
    };
    items.into_iter().map(add).collect()
}

/// The call that the items of a step come from.
fn name_of(scope: &ScopeOf, depth: usize) -> &str {
    let steps = scope.steps.get(..=depth).unwrap_or_default();
    steps.iter().rev().find_map(|step| step.operation.as_deref()).unwrap_or_default()
}

/// The items of a list within an item.
pub async fn nested(
    client: &Client,
    cx: &ScanContext,
    (index, depth): (usize, usize),
    variables: Variables,
) -> Result<Vec<Arc<Value>>, ScanError> {
    let Some(scope) = client.description.scopes.get(index) else { return Ok(Vec::new()) };
    let name = name_of(scope, depth);
    let (description, now) = (Arc::clone(&client.description), cx.now);
    let found = evaluate(move || {
        let list = description.scopes.get(index)?.steps.get(depth)?.list.as_ref()?;
        match list.run(&map::scope(&variables, now)).ok()? {
            Value::Array(items) => Some(items),
            _ => None,
        }
    });
    let found = found.await.map_err(|error| unavailable(name, &error.to_string()))?;
    let found = found.ok_or_else(|| malformed(name, "a list within an item"))?;
    Ok(found.into_iter().map(Arc::new).collect())
}

/// The items of a step, by what becomes of them.
#[derive(Default)]
pub struct Chosen {
    /// Those that go on.
    pub wanted: Vec<Variables>,
    /// Those that cannot be asked, by the value of the attribute that names them.
    unasked: BTreeSet<String>,
}

/// Says which items of a step go on.
pub async fn choose(
    client: &Client,
    cx: &ScanContext,
    (index, depth): (usize, usize),
    items: Vec<Variables>,
) -> Result<Chosen, ScanError> {
    let all = |wanted| Ok(Chosen { wanted, ..Chosen::default() });
    let Some(scope) = client.description.scopes.get(index) else { return all(items) };
    let chooses = |step: &&Step| step.when.is_some() || step.unasked.is_some();
    let Some(step) = scope.steps.get(depth).filter(chooses) else { return all(items) };
    let name = name_of(scope, depth);
    let (description, now) = (Arc::clone(&client.description), cx.now);
    let chosen = evaluate(move || {
        let step = description.scopes.get(index)?.steps.get(depth)?;
        let mut chosen = Chosen::default();
        for variables in items {
            let seen = map::scope(&variables, now);
            let unasked = match &step.unasked {
                Some(unasked) if map::holds(&seen, Some(&unasked.when)).ok()? => Some(unasked),
                _ => None,
            };
            if let Some(unasked) = unasked {
                chosen.unasked.insert(id::text(&unasked.is.run(&seen).ok()?)?);
            } else if map::holds(&seen, step.when.as_ref()).ok()? {
                chosen.wanted.push(variables);
            }
        }
        Some(chosen)
    });
    let chosen = chosen.await.map_err(|error| unavailable(name, &error.to_string()))?;
    chosen.ok_or_else(|| malformed(name, &format!("{}: when", step.item)))
}

fn fingerprint(value: &impl serde::Serialize) -> u64 {
    let mut hasher = DefaultHasher::new();
    serde_json::to_vec(value).unwrap_or_default().hash(&mut hasher);
    hasher.finish()
}
