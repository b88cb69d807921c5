//! `check`: proves each permission with the first call that a scan would make, and no other.

use std::collections::BTreeMap;
use std::sync::Arc;

use headcount_sdk::contract::{Probe, ProbeOutcome};
use headcount_sdk::{ScanContext, ScanError};
use serde_json::Value;

use crate::client::Client;
use crate::list::List;
use crate::map::Variables;
use crate::read::{choose, nested, settings, with};

/// What was learnt, one operation after the other.
pub struct Probing<'a> {
    client: &'a Client,
    cx: &'a ScanContext,
    place: String,
    /// The first page of each operation that was tried.
    pages: BTreeMap<String, Vec<Arc<Value>>>,
    probes: Vec<Probe>,
}

impl<'a> Probing<'a> {
    pub fn new(client: &'a Client, cx: &'a ScanContext, place: &str) -> Self {
        let place = place.to_owned();
        Self { client, cx, place, pages: BTreeMap::new(), probes: Vec::new() }
    }

    /// Tries every operation of every scope.
    pub async fn run(mut self) -> Vec<Probe> {
        if let Some(operation) = self.client.description.place.operation.as_deref() {
            self.note(operation, ProbeOutcome::Granted);
        }
        for (index, scope) in self.client.description.scopes.iter().enumerate() {
            if !scope.is_wanted(&self.client.settings) {
                continue;
            }
            let mut variables = Some(settings(self.client));
            for (depth, step) in scope.steps.iter().enumerate() {
                let Some(above) = variables.take() else {
                    step.operation.iter().for_each(|operation| self.not_tried(operation));
                    continue;
                };
                let items = match &step.operation {
                    Some(operation) => self.first(operation, above.clone()).await,
                    None => nested(self.client, self.cx, (index, depth), above.clone())
                        .await
                        .unwrap_or_default(),
                };
                let items = with(&above, step, items);
                let chosen = choose(self.client, self.cx, (index, depth), items).await;
                variables = chosen.unwrap_or_default().wanted.into_iter().next();
            }
            for lookup in &scope.lookups {
                self.first(&lookup.operation, settings(self.client)).await;
            }
            for enrich in &scope.enrich {
                match &variables {
                    Some(variables) => drop(self.first(&enrich.operation, variables.clone()).await),
                    None => self.not_tried(&enrich.operation),
                }
            }
        }
        self.probes
    }

    /// The items of an operation's first page, tried once.
    async fn first(&mut self, name: &str, variables: Variables) -> Vec<Arc<Value>> {
        if let Some(page) = self.pages.get(name) {
            return page.clone();
        }
        let (page, outcome) = match self.page(name, variables).await {
            Ok(page) => (page, ProbeOutcome::Granted),
            Err(error) => (Vec::new(), ProbeOutcome::Failed(error)),
        };
        self.probes.retain(|probe| probe.operation != name);
        self.note(name, outcome);
        self.pages.insert(name.to_owned(), page.clone());
        page
    }

    async fn page(&self, name: &str, variables: Variables) -> Result<Vec<Arc<Value>>, ScanError> {
        let mut list = List::open(self.client, self.cx, name, variables).await?;
        let items = list.next().await?.unwrap_or_default();
        Ok(items.into_iter().map(Arc::new).collect())
    }

    fn not_tried(&mut self, name: &str) {
        if !self.probes.iter().any(|probe| probe.operation == name) {
            let why = "nothing was there to try it on".to_owned();
            self.note(name, ProbeOutcome::NotTried(why));
        }
    }

    fn note(&mut self, name: &str, outcome: ProbeOutcome) {
        let operation = self.client.description.operations.get(name);
        self.probes.push(Probe {
            place: self.place.clone(),
            operation: name.to_owned(),
            permission: operation.map(|op| op.permission.clone()).unwrap_or_default(),
            outcome,
        });
    }
}
