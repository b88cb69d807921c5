//! The laws that hold for every connector.

use std::sync::Arc;

use async_trait::async_trait;
use headcount_sdk::Connector;
use headcount_sdk::testkit::{self, Bench, laws};
use headcount_simulator::github::{HOOK_PATH, Hub, HubServer, Size, VARIABLE_VALUE};
use headcount_simulator::{Fault, FaultPlan};
use jiff::Timestamp;

use crate::support::{WEBHOOK_SECRET, app};

struct GitHub(HubServer);

/// One or two of everything: the sweep scans it once for every fault and exchange.
fn least() -> Size {
    Size { members: 4, repositories: 2, apps: 2, tokens: 2 }
}

async fn bench() -> GitHub {
    GitHub(HubServer::start(Hub::seeded(3, least())).await.unwrap())
}

#[async_trait]
impl Bench for GitHub {
    async fn connector(&self) -> Arc<dyn Connector> {
        Arc::new(app(&self.0))
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
        self.0.calls().actions().into_iter().map(str::to_owned).collect()
    }

    fn page_size(&self, most: Option<usize>) {
        self.0.limit_pages(most);
    }

    fn secrets(&self) -> Vec<String> {
        let words = [
            VARIABLE_VALUE,
            HOOK_PATH,
            WEBHOOK_SECRET,
            "Bearer",
            "<html",
            "documentation_url",
            "per_page",
            "127.0.0.1",
        ];
        words.map(str::to_owned).into()
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
