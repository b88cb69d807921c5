//! What is logged when the server answers nonsense: that it did, and nothing of what it said.

use std::io::{Result, Write};
use std::sync::{Arc, Mutex};

use headcount_simulator::{Fault, FaultPlan};
use tracing_subscriber::fmt::MakeWriter;

use crate::records::small;
use crate::support::Source;

#[derive(Clone, Default)]
struct Logs(Arc<Mutex<Vec<u8>>>);

impl Write for Logs {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Logs {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn no_answer_is_logged_that_was_not_understood() {
    let source = Source::of(small()).await;
    let logs = Logs::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::INFO)
        .with_writer(logs.clone())
        .finish();
    let _capturing = tracing::subscriber::set_default(subscriber);
    tracing::info!("logs are captured");
    for fault in [Fault::TruncatedBody, Fault::HtmlError, Fault::Denied] {
        source.server.inject(FaultPlan::new(fault).on("list serviceaccounts"));
        let scanned = source.scan().await;
        assert!(scanned.outcome("service-accounts").is_err());
        source.server.clear_faults();
    }
    let logs = String::from_utf8(logs.0.lock().unwrap().clone()).unwrap();
    assert!(logs.contains("logs are captured"));
    for piece in ["resourceVersion", "apiVersion", "shop", "<html"] {
        assert!(!logs.contains(piece), "{piece} was logged: {logs}");
    }
}
