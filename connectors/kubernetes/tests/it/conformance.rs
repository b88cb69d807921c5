//! The suite of `headcount_sdk::testkit` on this connector.

use std::sync::Arc;

use async_trait::async_trait;
use headcount_kubernetes::KubernetesConnector;
use headcount_sdk::Connector;
use headcount_sdk::testkit::{self, Bench, laws};
use headcount_simulator::kubernetes::{BEARER, ClusterServer, MARKED_SECRET};
use headcount_simulator::{Fault, FaultPlan};
use jiff::Timestamp;

use crate::records::small;
use crate::support::{HURRIED, way_to, with_secrets};

struct Kubernetes(ClusterServer);

async fn bench() -> Kubernetes {
    Kubernetes(ClusterServer::start(small()).await.unwrap())
}

#[async_trait]
impl Bench for Kubernetes {
    async fn connector(&self) -> Arc<dyn Connector> {
        let way = way_to(&self.0).await;
        Arc::new(KubernetesConnector::with(with_secrets(), HURRIED, Some(way)).unwrap())
    }

    fn now(&self) -> Timestamp {
        self.0.clock().now()
    }

    fn spoil(&self, fault: Option<(testkit::Fault, u64)>) {
        self.0.reset_calls();
        self.0.clear_faults();
        if let Some((fault, from)) = fault {
            let fault = match fault {
                testkit::Fault::Denied => Fault::Denied,
                testkit::Fault::NotFound => Fault::NotFound,
                testkit::Fault::Throttled => Fault::Throttle,
                testkit::Fault::ServerError => Fault::HtmlError,
                testkit::Fault::CutBody => Fault::TruncatedBody,
                testkit::Fault::Reset => Fault::Reset,
            };
            self.0.inject(FaultPlan::new(fault).from_exchange(from));
        }
    }

    fn exchanges(&self) -> u64 {
        self.0.exchanges()
    }

    fn operations(&self) -> Vec<String> {
        let calls = self.0.calls();
        let named = calls.actions().into_iter().map(|action| {
            // The resources of a group are asked for under the group's address.
            if action.starts_with("get /apis/") { "get /apis" } else { action }
        });
        named.map(str::to_owned).collect()
    }

    fn page_size(&self, most: Option<usize>) {
        self.0.limit_pages(most);
    }

    fn secrets(&self) -> Vec<String> {
        [BEARER, MARKED_SECRET, "<html", "\"kind\"", "resourceVersion="].map(str::to_owned).into()
    }
}

#[tokio::test]
async fn an_undisturbed_scan_is_complete_and_declared() {
    laws::an_undisturbed_scan_is_complete_and_declared(&bench().await).await;
}

#[tokio::test]
async fn scans_repeat_themselves() {
    laws::scans_repeat_themselves(&bench().await).await;
}

#[tokio::test]
async fn page_sizes_change_nothing() {
    laws::page_sizes_change_nothing(&bench().await).await;
}

#[tokio::test]
async fn no_fault_makes_a_record_disappear() {
    laws::no_fault_makes_a_record_disappear(&bench().await).await;
}
