//! Logs and metrics: every metric name the agent exposes, in one place.
//!
//! No metric carries the id or the name of a record: label values are sources, scopes, rules and
//! sinks, all of them bounded by configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use headcount_core::findings::Severity;
use headcount_core::inventory::ScopeState;
use jiff::Timestamp;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, fmt};

use crate::deliver::Counters;
use crate::scan::agent::Observer;
use crate::scan::{EngineError, ScanReport};
use crate::store::{QueueState, RecordCount, Store, StoreError};

/// Sends logs to stderr: text for a person, JSON for a collector.
pub fn log_to_stderr(level: &str) {
    let heard = heard(level);
    let lines = fmt::layer().with_writer(std::io::stderr);
    // A second subscriber is refused; the first one (a test's) stays.
    let _ = if std::io::stderr().is_terminal() {
        heard.with(lines.with_target(false)).try_init()
    } else {
        heard.with(lines.json().flatten_event(true)).try_init()
    };
}

/// What is logged at a level, or by directives in the form of `RUST_LOG`.
fn heard(level: &str) -> impl Subscriber + for<'a> LookupSpan<'a> + Send + Sync + use<> {
    let filter = EnvFilter::try_new(level).unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::registry().with(filter).with(filter_fn(may_be_heard))
}

/// What others say below `info` is never heard, whatever the level: the SDK of AWS prints whole
/// requests and answers at `trace`, headers and cookies included, and what a library prints in its
/// next release nobody can promise.
fn may_be_heard(metadata: &Metadata<'_>) -> bool {
    let target = metadata.target();
    if target.starts_with("headcount") {
        return true;
    }
    *metadata.level() <= Level::INFO && !REPEATING.iter().any(|name| target.starts_with(name))
}

/// Libraries that repeat what a server answered even at `info` and above, and so are never heard:
/// the client of NATS the server's errors, the SDK of AWS what it could not read. What failed there
/// is in a line of ours.
const REPEATING: [&str; 2] = ["async_nats", "aws_smithy"];

type Labels = Vec<(&'static str, String)>;

/// What is counted as it happens. Everything else is read from the store at each scrape.
#[derive(Debug, Default)]
pub struct Metrics {
    scans: Family<Labels, Counter>,
    scan_seconds: Mutex<BTreeMap<String, f64>>,
    hints: Family<Labels, Counter>,
    refreshes: Family<Labels, Counter>,
    feed_ends: Family<Labels, Counter>,
    deliveries: Arc<Counters>,
}

impl Observer for Metrics {
    fn scanned(&self, report: &ScanReport) {
        let outcome = if report.is_complete() { "complete" } else { "incomplete" };
        self.count_scan(&report.source, outcome);
        let seconds = report.finished_at.duration_since(report.started_at).as_secs_f64();
        self.scan_seconds
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(report.source.clone(), seconds);
    }

    fn failed(&self, source: &str, _error: &EngineError) {
        self.count_scan(source, "failed");
    }

    fn hinted(&self, source: &str, count: u64) {
        self.hints.get_or_create(&vec![("source", source.to_owned())]).inc_by(count);
    }

    fn refreshed(&self, source: &str, outcome: &'static str) {
        let labels = vec![("source", source.to_owned()), ("outcome", outcome.to_owned())];
        self.refreshes.get_or_create(&labels).inc();
    }

    fn feed_ended(&self, source: &str) {
        self.feed_ends.get_or_create(&vec![("source", source.to_owned())]).inc();
    }
}

impl Metrics {
    /// Metrics that also show what the deliverer counts.
    #[must_use]
    pub fn counting(deliveries: Arc<Counters>) -> Self {
        Self { deliveries, ..Self::default() }
    }

    fn count_scan(&self, source: &str, outcome: &str) {
        let labels = vec![("source", source.to_owned()), ("outcome", outcome.to_owned())];
        self.scans.get_or_create(&labels).inc();
    }
}

/// What the store says at the time of a scrape.
#[derive(Debug, Default)]
pub struct Reading {
    pub records: Vec<RecordCount>,
    pub findings: BTreeMap<(String, Severity, String), u64>,
    pub scopes: Vec<ScopeState>,
    pub queues: Vec<(String, QueueState)>,
}

impl Reading {
    pub async fn take(store: &dyn Store, sinks: &[String]) -> Result<Self, StoreError> {
        let mut queues = Vec::with_capacity(sinks.len());
        for sink in sinks {
            queues.push((sink.clone(), store.queue(sink).await?));
        }
        Ok(Self {
            records: store.count_records().await?,
            findings: store.count_open_findings().await?,
            scopes: store.scope_states(None).await?,
            queues,
        })
    }
}

impl Metrics {
    /// The metrics page in the OpenMetrics text format.
    #[must_use]
    pub fn render(&self, reading: &Reading, now: Timestamp) -> String {
        let mut registry = Registry::with_prefix("headcount");
        registry.register("scans", "Scans that ended, by outcome", self.scans.clone());
        registry.register("hints", "Hints that came in", self.hints.clone());
        registry.register(
            "hint_refreshes",
            "Scopes re-read for hints: their subjects, the whole, or not yet or not at all",
            self.refreshes.clone(),
        );
        registry.register("feed_ends", "Times that a feed of hints ended", self.feed_ends.clone());
        self.register_build(&mut registry);
        self.register_scans(&mut registry, reading);
        register_inventory(&mut registry, reading);
        register_sinks(&mut registry, reading, now);
        self.register_deliveries(&mut registry, reading);
        let mut page = String::new();
        // Encoding into a String fails only if a metric is malformed, which is a bug to see.
        if let Err(error) = encode(&mut page, &registry) {
            let _ = writeln!(page, "# the metrics could not be encoded: {error}");
        }
        page
    }

    fn register_deliveries(&self, registry: &mut Registry, reading: &Reading) {
        let attempts: Family<Labels, Counter> = Family::default();
        for ((sink, outcome), count) in self.deliveries.attempts() {
            let labels = vec![("sink", sink), ("outcome", outcome.to_owned())];
            attempts.get_or_create(&labels).inc_by(count);
        }
        registry.register("sink_deliveries", "Attempts to deliver, by outcome", attempts);
        let up = gauges();
        for (sink, _) in &reading.queues {
            let is_up = f64::from(u8::from(!self.deliveries.is_failing(sink)));
            up.get_or_create(&vec![("sink", sink.clone())]).set(is_up);
        }
        registry.register("sink_up", "Whether the sink's last attempts worked", up);
    }

    fn register_build(&self, registry: &mut Registry) {
        let build = gauges();
        build.get_or_create(&vec![("version", env!("CARGO_PKG_VERSION").to_owned())]).set(1.0);
        registry.register("build_info", "The running version", build);
    }

    fn register_scans(&self, registry: &mut Registry, reading: &Reading) {
        let complete = gauges();
        let success = gauges();
        let failures = gauges();
        for state in &reading.scopes {
            let labels = vec![("source", state.source.clone()), ("scope", state.scope.to_string())];
            let is_complete = f64::from(u8::from(!state.coverage.is_short()));
            complete.get_or_create(&labels).set(is_complete);
            failures.get_or_create(&labels).set(f64::from(state.failures_in_a_row));
            if let Some(at) = state.last_complete_at {
                success.get_or_create(&labels).set(seconds(at));
            }
        }
        registry.register(
            "scan_complete",
            "Whether the scope was last read to its end (1) or not (0)",
            complete,
        );
        registry.register(
            "scan_last_success_timestamp_seconds",
            "When the scope was last read to its end",
            success,
        );
        registry.register(
            "scan_failures_in_a_row",
            "Readings of the scope in a row that were not complete",
            failures,
        );
        let duration = gauges();
        for (source, seconds) in
            self.scan_seconds.lock().unwrap_or_else(PoisonError::into_inner).iter()
        {
            duration.get_or_create(&vec![("source", source.clone())]).set(*seconds);
        }
        registry.register("scan_duration_seconds", "How long the last scan took", duration);
    }
}

/// A page of OpenMetrics in the text format that Prometheus had before it: there a counter's family
/// is called like its samples, and nothing marks the end.
///
/// <https://github.com/prometheus/docs/blob/main/docs/instrumenting/exposition_formats.md>
#[must_use]
pub fn plain(open_metrics: &str) -> String {
    let counters: BTreeSet<&str> = open_metrics
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter"))
        .collect();
    let mut page = String::with_capacity(open_metrics.len());
    for line in open_metrics.lines().filter(|line| *line != "# EOF") {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some(what), Some(name), Some(rest)) if counters.contains(name) => {
                let _ = writeln!(page, "# {what} {name}_total {rest}");
            }
            _ => {
                let _ = writeln!(page, "{line}");
            }
        }
    }
    page
}

fn register_inventory(registry: &mut Registry, reading: &Reading) {
    let records = gauges();
    let mut identities: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for count in &reading.records {
        let labels = vec![
            ("source", count.source.clone()),
            ("class", count.class.as_str().to_owned()),
            ("kind", count.kind.clone()),
            ("status", count.status.clone()),
        ];
        let gauge = records.get_or_create(&labels);
        gauge.set(gauge.get() + number(count.count));
        if count.class.is_identity() {
            let (all, owned) = identities.entry(&count.source).or_default();
            *all += count.count;
            *owned += if count.owned { count.count } else { 0 };
        }
    }
    registry.register("records", "Records in the inventory", records);

    let ownerless = gauges();
    for (source, (all, owned)) in identities.into_iter().filter(|(_, (all, _))| *all > 0) {
        let share = 1.0 - number(owned) / number(all);
        ownerless.get_or_create(&vec![("source", source.to_owned())]).set(share);
    }
    registry.register("ownerless_ratio", "Share of identities without an owner", ownerless);

    let findings = gauges();
    for ((rule, severity, source), count) in &reading.findings {
        let labels = vec![
            ("rule", rule.clone()),
            ("severity", severity.as_str().to_owned()),
            ("source", source.clone()),
        ];
        findings.get_or_create(&labels).set(number(*count));
    }
    registry.register("findings_open", "Open findings", findings);
}

fn register_sinks(registry: &mut Registry, reading: &Reading, now: Timestamp) {
    let (depth, dead, oldest, delivered) = (gauges(), gauges(), gauges(), gauges());
    for (sink, queue) in &reading.queues {
        let labels = vec![("sink", sink.clone())];
        depth.get_or_create(&labels).set(number(queue.pending));
        dead.get_or_create(&labels).set(number(queue.dead));
        delivered.get_or_create(&labels).set(number(queue.delivered));
        let age = queue.oldest_pending_at.map_or(0.0, |at| now.duration_since(at).as_secs_f64());
        oldest.get_or_create(&labels).set(age);
    }
    registry.register("sink_queue_depth", "Deliveries that wait", depth);
    registry.register("sink_dead_letters", "Deliveries given up, to be replayed", dead);
    registry.register("sink_oldest_pending_seconds", "Age of the oldest waiting delivery", oldest);
    registry.register("sink_delivered", "Events that the sink has taken", delivered);
}

fn gauges() -> Family<Labels, Gauge<f64, AtomicU64>> {
    Family::default()
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn number(count: u64) -> f64 {
    count as f64
}

fn seconds(at: Timestamp) -> f64 {
    at.as_duration().as_secs_f64()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::fmt;
    use tracing_subscriber::layer::SubscriberExt as _;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// What is written of one line of ours and of lines of libraries, each below another span.
    fn written(level: &str) -> String {
        let page = Page::default();
        let writer = page.clone();
        let lines = fmt::layer().with_writer(move || writer.clone()).with_ansi(false);
        tracing::subscriber::with_default(super::heard(level).with(lines), || {
            tracing::trace!(target: "headcount_aws::client", "ours");
            let call =
                tracing::trace_span!(target: "aws_smithy_runtime", "call", answer = "leaked");
            let _inside = call.enter();
            tracing::trace!(target: "aws_smithy_runtime::client", "leaked");
            tracing::debug!(target: "hyper_util::client", "leaked");
            tracing::debug!(target: "kube_client", answer = "leaked", "an answer");
            tracing::error!(target: "aws_smithy_runtime_api::client", "leaked");
            tracing::info!(target: "async_nats", "leaked");
            tracing::info!(target: "kube_client", "theirs");
        });
        let bytes = page.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn libraries_are_heard_from_info_up_whatever_is_asked_for() {
        for level in [
            "trace",
            "debug,aws_smithy_runtime=trace,hyper_util=trace,headcount=trace",
            "headcount=trace,kube_client=debug",
            "[call]=trace,info,headcount=trace",
            "[{answer=leaked}]=trace,headcount=trace,info",
        ] {
            let text = written(level);
            assert!(!text.contains("leaked"), "{level}: {text}");
            assert!(text.contains("ours") && text.contains("theirs"), "{level}: {text}");
        }
        assert!(!written("info").contains("ours"));
    }

    #[test]
    fn counters_keep_their_whole_name_in_the_older_format() {
        let open = "# HELP scans Scans that ended.\n# TYPE scans counter\n\
                    scans_total{source=\"aws\"} 1\n# HELP up Whether.\n# TYPE up gauge\nup 1\n# EOF\n";
        let expected = "# HELP scans_total Scans that ended.\n# TYPE scans_total counter\n\
                     scans_total{source=\"aws\"} 1\n# HELP up Whether.\n# TYPE up gauge\nup 1\n";
        assert_eq!(super::plain(open), expected);
    }
}
