//! `headcount demo`: a simulated organisation, and what Headcount finds in it.
//!
//! Everything but the far end is real: the connectors through their vendors' clients over HTTP,
//! the store, the rules, the signed deliveries. The organisation answers on 127.0.0.1 and lives by
//! a clock that the demo moves.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use headcount_sdk::Class;
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use super::inventory;
use super::style::Style;
use super::{Exit, Globals};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::deliver::{Deliverer, Pace};
use crate::registry;
use crate::scan::{Engine, ScanReport, Settings, Silent, Source};
use crate::store::{FindingFilter, RecordFilter, Store};
use crate::view::trail::trail;

mod day;
mod estate;
mod page;
mod receiver;
mod tenants;

use estate::Estate;
use receiver::{Received, Receiver};

const EXAMPLES: &str = "\
Needs no cloud account, no credentials and no network but 127.0.0.1. At its end it prints the
address of the page and serves it until Ctrl-C. The inventory it makes is thrown away.";

/// The demo's webhook secret: it signs nothing but the demo.
const SECRET: &str = "whsec_aGVhZGNvdW50LWRlbW8td2ViaG9vay1zZWNyZXQ=";

const SINK: &str = "demo";

/// Finding lines printed per step before the rest is summed up.
const LINES: usize = 8;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct DemoArgs {
    /// Accounts of the simulated organisation
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(3..=200))]
    accounts: u16,
    /// Another seed makes another organisation of the same size
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// End after the last hour, without the page
    #[arg(long)]
    no_page: bool,
}

/// The simulated organisation's clock, as the agent's.
struct SimulatedClock(headcount_simulator::Clock);

impl Clock for SimulatedClock {
    fn now(&self) -> Timestamp {
        self.0.now()
    }
}

/// Everything that runs during the demo.
struct Stage {
    estate: Estate,
    cast: day::Cast,
    receiver: Receiver,
    engine: Arc<Engine>,
    clock: Arc<dyn Clock>,
    deliverer: Deliverer,
    store: Arc<dyn Store>,
    sources: Vec<Source>,
    /// Verified deliveries by event type.
    verified: BTreeMap<String, u64>,
    _data_dir: tempfile::TempDir,
}

pub async fn run(
    args: &DemoArgs,
    _globals: &Globals,
    style: &Style,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<Exit> {
    let cancel = CancellationToken::new();
    tokio::select! {
        done = play(args, *style, out, cancel.clone()) => done?,
        _ = tokio::signal::ctrl_c() => {
            cancel.cancel();
        }
    }
    Ok(Exit::Ok)
}

async fn play(
    args: &DemoArgs,
    style: Style,
    out: &mut (dyn Write + Send),
    cancel: CancellationToken,
) -> anyhow::Result<()> {
    let mut stage = Stage::set(args, cancel.clone()).await?;
    writeln!(
        out,
        "{}",
        style.bold(format!(
            "A simulated organisation answers on 127.0.0.1: {} AWS accounts, a GitHub organisation,\n\
             a Kubernetes cluster, and tenants of Okta, GitLab, Slack, Entra ID and Google Cloud.",
            args.accounts
        ))
    )?;
    writeln!(out, "The connectors, the store, the rules and the signatures are real.\n")?;
    stage.scene("the first scan: a baseline", style, out).await?;
    for hour in day::DAY {
        stage.estate.aws.clock().advance(hour.later);
        (hour.change)(&stage.estate, &stage.cast)?;
        stage.scene(hour.what, style, out).await?;
    }
    stage.trail(style, out).await?;
    stage.close(style, out).await?;
    if !args.no_page {
        page::open(&stage, style, out, cancel).await?;
    }
    Ok(())
}

impl Stage {
    async fn set(args: &DemoArgs, cancel: CancellationToken) -> anyhow::Result<Self> {
        let (estate, cast) = Estate::start(usize::from(args.accounts), args.seed).await?;
        let receiver = Receiver::start(SECRET).await?;
        let data_dir = tempfile::tempdir().context("no temporary directory for the demo")?;
        let secret = data_dir.path().join("webhook-secret");
        std::fs::write(&secret, SECRET)?;
        let config = config(&receiver.url, &secret)?;
        let store = registry::store_to_write(&data_dir.path().join("data")).await?;
        let deliverer = Deliverer::new(
            Arc::clone(&store),
            registry::sinks(&config)?,
            Arc::new(SystemClock),
            Pace::default(),
        );
        let sources = estate.sources(data_dir.path())?;
        let names = sources.iter().map(|source| source.name.clone()).collect();
        let settings = Settings { sources: names, ..Settings::from(&config) };
        let clock: Arc<dyn Clock> = Arc::new(SimulatedClock(estate.aws.clock().clone()));
        let engine =
            Arc::new(Engine::new(Arc::clone(&store), settings, Arc::clone(&clock), cancel));
        Ok(Self {
            estate,
            cast,
            receiver,
            engine,
            clock,
            deliverer,
            store,
            sources,
            verified: BTreeMap::new(),
            _data_dir: data_dir,
        })
    }

    /// Scans, delivers, and prints what arrived.
    async fn scene(
        &mut self,
        what: &str,
        style: Style,
        out: &mut (dyn Write + Send),
    ) -> anyhow::Result<()> {
        self.estate.take_calls();
        let mut reports = Vec::with_capacity(self.sources.len());
        for source in &self.sources {
            reports.push(self.engine.scan(source, &Silent).await?);
        }
        let calls = self.estate.take_calls();
        self.deliverer.drain(SignedDuration::from_secs(5)).await?;
        let received = self.receiver.take();
        for event in &received {
            *self.verified.entry(event.kind.clone()).or_default() += 1;
        }
        let now = self.estate.aws.clock().now().strftime("%Y-%m-%d %H:%M");
        writeln!(out, "{}  {}", style.dim(now.to_string()), style.bold(what))?;
        let scanned: Vec<_> = reports.iter().zip(calls).collect();
        let (moved, same): (Vec<_>, Vec<_>) =
            scanned.into_iter().partition(|(report, _)| has_moved(report));
        for (report, calls) in moved {
            writeln!(out, "    {}", style.dim(summary(report, calls)))?;
            short_scopes(report, style, out)?;
        }
        if !same.is_empty() {
            writeln!(out, "    {}", style.dim(unmoved(&same)))?;
        }
        print_received(&received, style, out)?;
        if reports.iter().any(|report| report.is_baseline) {
            self.posture(out).await?;
        }
        writeln!(out)?;
        out.flush()?;
        Ok(())
    }

    /// The posture findings of the baseline, which are kept and not sent one by one.
    async fn posture(&self, out: &mut (dyn Write + Send)) -> anyhow::Result<()> {
        let findings = self.store.list_findings(&FindingFilter::default()).await?;
        let mut by_rule: BTreeMap<&str, u64> = BTreeMap::new();
        for finding in &findings {
            *by_rule.entry(&finding.rule).or_default() += 1;
        }
        writeln!(out, "    {} posture findings, sent as one summary per source:", findings.len())?;
        for (rule, count) in by_rule {
            writeln!(out, "      {count:>4}  {rule}")?;
        }
        Ok(())
    }

    /// From the workflow of a repository, and from what runs in the cluster, to the roles that they
    /// become and to whom those belong.
    async fn trail(&self, style: Style, out: &mut (dyn Write + Send)) -> anyhow::Result<()> {
        for (kind, name) in [("repository", estate::REPOSITORY), ("workload", estate::WORKLOAD)] {
            let filter = RecordFilter {
                kind: Some(kind.to_owned()),
                text: Some(name.to_owned()),
                ..RecordFilter::default()
            };
            let found = self.store.list_records(&filter, None, 10).await?;
            let start = found.iter().find(|r| r.observation.name == name);
            let start = start.with_context(|| format!("{kind} {name} is not counted"))?;
            writeln!(out, "{}", style.bold(format!("The trail of {kind} {name}")))?;
            let trail = trail(&*self.store, start).await?;
            inventory::trail::print(&trail, start, style, out)?;
            writeln!(out)?;
        }
        Ok(())
    }

    async fn close(&self, style: Style, out: &mut (dyn Write + Send)) -> anyhow::Result<()> {
        let counts = self.store.count_records().await?;
        let described = headcount_rest::catalog::names();
        let total =
            |class| counts.iter().filter(|c| c.class == class).map(|c| c.count).sum::<u64>();
        let in_saas = |class| {
            let saas = counts.iter().filter(|c| described.contains(&c.source.as_str()));
            saas.filter(|c| c.class == class).map(|c| c.count).sum::<u64>()
        };
        writeln!(out, "{}", style.bold("At the end of the day"))?;
        writeln!(
            out,
            "    {} identities, {} credentials, {} grants; {} people, kept but not counted",
            total(Class::Identity) + total(Class::AiAgent),
            total(Class::Credential),
            total(Class::Grant),
            total(Class::Principal),
        )?;
        writeln!(
            out,
            "    of these in SaaS tenants: {} identities, {} credentials, {} grants",
            in_saas(Class::Identity),
            in_saas(Class::Credential),
            in_saas(Class::Grant),
        )?;
        for (kind, count) in &self.verified {
            writeln!(out, "    {count:>4} deliveries verified: {kind}")?;
        }
        let refused = self.receiver.refused();
        writeln!(out, "    {refused:>4} deliveries with a bad signature")?;
        anyhow::ensure!(refused == 0, "the receiver refused {refused} deliveries");
        writeln!(
            out,
            "\nNext: `headcount scan` counts the AWS account of your ambient credentials;\n      \
             `headcount explain stale-identity` tells what a finding means and how to fix it."
        )?;
        Ok(())
    }
}

fn config(url: &str, secret: &std::path::Path) -> anyhow::Result<Config> {
    let text = serde_json::json!({
        "agent": "demo",
        "sinks": [{
            "name": SINK,
            "type": "webhook",
            "url": url,
            "secrets": [format!("file:{}", secret.display())],
            "allow_cidrs": ["127.0.0.0/8"],
        }],
    });
    Ok(Config::parse(&text.to_string(), "demo")?)
}

/// What could not be read, and that nothing was thereby lost.
fn short_scopes(
    report: &ScanReport,
    style: Style,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<()> {
    let short: Vec<_> = report.scopes.iter().filter(|s| s.coverage.is_short()).collect();
    if short.is_empty() {
        return Ok(());
    }
    let kept: u64 = short.iter().map(|s| s.records).sum();
    let line = format!(
        "{} of its scopes could not be read; their {kept} records stay, nothing is reported as gone",
        short.len()
    );
    writeln!(out, "    {}", style.yellow(&line))?;
    Ok(())
}

/// Whether there is more to say of a scan than that nothing happened.
fn has_moved(report: &ScanReport) -> bool {
    let moved = |s: &crate::scan::ScopeReport| s.appeared + s.changed + s.disappeared > 0;
    report.is_baseline || report.scopes.iter().any(|s| moved(s) || s.coverage.is_short())
}

/// One line for all sources in which nothing happened.
fn unmoved(same: &[(&ScanReport, u64)]) -> String {
    let names: Vec<&str> = same.iter().map(|(report, _)| report.source.as_str()).collect();
    let scopes = same.iter().flat_map(|(report, _)| &report.scopes);
    let records: u64 = scopes.map(|scope| scope.records).sum();
    let calls: u64 = same.iter().map(|(_, calls)| calls).sum();
    format!("{}: {records} records, none moved · {calls} API calls", names.join(", "))
}

fn summary(report: &ScanReport, calls: u64) -> String {
    let sum = |of: fn(&crate::scan::ScopeReport) -> u64| report.scopes.iter().map(of).sum::<u64>();
    format!(
        "{:<8} {} records, {} appeared, {} changed, {} disappeared · {calls} API calls",
        report.source,
        sum(|s| s.records),
        sum(|s| s.appeared),
        sum(|s| s.changed),
        sum(|s| s.disappeared),
    )
}

fn print_received(
    received: &[Received],
    style: Style,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<()> {
    let verified = style.green("✔ verified");
    if received.len() <= LINES {
        for event in received {
            writeln!(out, "    {verified}  {}", described(event))?;
        }
        return Ok(());
    }
    let mut alike: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for event in received {
        *alike.entry((event.verb(), &event.rule)).or_default() += 1;
    }
    for ((verb, rule), count) in alike {
        let what = if rule.is_empty() { verb.to_owned() } else { format!("{rule} {verb}") };
        writeln!(out, "    {verified}  {count:>3} × {what}")?;
    }
    Ok(())
}

fn described(event: &Received) -> String {
    match event.verb() {
        "opened" => {
            format!("{:<8} {}: {}", event.severity.to_lowercase(), event.rule, event.message)
        }
        "baseline" => "one summary of a baseline".to_owned(),
        verb => format!("{verb:<8} {}: {}", event.rule, event.message),
    }
}
