//! The suite on pushes: every scan is preceded by one, spoiled from the line on that it is told.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use headcount_open::PushConnector;
use headcount_open::push::Door;
use headcount_sdk::contract::Probe;
use headcount_sdk::testkit::{Bench, Fault, laws};
use headcount_sdk::{Complete, Connector, Manifest, Recorder, ScanContext, ScanError, Scope};
use jiff::Timestamp;
use serde_json::json;

use crate::lines::{MARKED, begin, spoiled, undisturbed};

#[derive(Default)]
struct Script {
    fault: Option<(Fault, u64)>,
    exchanges: u64,
    pushes: u64,
}

/// Whoever pushes, and the script that it goes by.
#[derive(Clone, Default)]
struct Sender(Arc<Mutex<Script>>);

impl Sender {
    /// What is sent; none = it breaks off.
    fn body(&self) -> Option<Vec<u8>> {
        let mut script = self.0.lock().unwrap();
        script.pushes += 1;
        let mut lines = vec![begin(&format!("push-{}", script.pushes))];
        lines.extend(undisturbed());
        let mut body = String::new();
        for line in lines {
            script.exchanges += 1;
            let text = match script.fault {
                Some((fault, from)) if script.exchanges >= from => spoiled(&line, fault)?,
                _ => line.to_string(),
            };
            body.push_str(&text);
            body.push('\n');
        }
        Some(body.into_bytes())
    }

    async fn push(&self, cx: &ScanContext) {
        let Some(body) = self.body() else { return };
        let mut spooler = Door::spooler(cx.now);
        spooler.feed(&body);
        spooler.end();
        if spooler.problems().is_empty() {
            Door::keep(&*cx.cache, spooler.finish(), cx.now).await.unwrap();
        }
    }
}

/// A source that is pushed to before each of its scans.
struct Pushed {
    sender: Sender,
    connector: PushConnector,
}

#[async_trait]
impl Connector for Pushed {
    fn manifest(&self) -> &'static Manifest {
        self.connector.manifest()
    }

    async fn scopes(&self, cx: &ScanContext) -> Result<Vec<Scope>, ScanError> {
        self.sender.push(cx).await;
        self.connector.scopes(cx).await
    }

    async fn observe(
        &self,
        cx: &ScanContext,
        scope: &Scope,
        recorder: Recorder<'_>,
    ) -> Result<Complete, ScanError> {
        self.connector.observe(cx, scope, recorder).await
    }

    async fn check(&self, cx: &ScanContext) -> Vec<Probe> {
        self.connector.check(cx).await
    }
}

#[async_trait]
impl Bench for Sender {
    async fn connector(&self) -> Arc<dyn Connector> {
        let config = serde_json::from_value(json!({"tokens": ["env:NOBODY"]})).unwrap();
        let connector = PushConnector::new(&config).unwrap();
        Arc::new(Pushed { sender: self.clone(), connector })
    }

    fn now(&self) -> Timestamp {
        "2026-03-10T12:00:00Z".parse().unwrap()
    }

    fn spoil(&self, fault: Option<(Fault, u64)>) {
        let mut script = self.0.lock().unwrap();
        (script.fault, script.exchanges) = (fault, 0);
    }

    fn exchanges(&self) -> u64 {
        self.0.lock().unwrap().exchanges
    }

    fn operations(&self) -> Vec<String> {
        vec!["push".to_owned()]
    }

    /// A body has no pages.
    fn page_size(&self, _most: Option<usize>) {}

    fn secrets(&self) -> Vec<String> {
        [MARKED, "<html"].map(str::to_owned).into()
    }
}

#[tokio::test]
async fn an_undisturbed_scan_is_complete_and_declared() {
    laws::an_undisturbed_scan_is_complete_and_declared(&Sender::default()).await;
}

#[tokio::test]
async fn scans_repeat_themselves() {
    laws::scans_repeat_themselves(&Sender::default()).await;
}

#[tokio::test]
async fn no_fault_makes_a_record_disappear() {
    laws::no_fault_makes_a_record_disappear(&Sender::default()).await;
}
