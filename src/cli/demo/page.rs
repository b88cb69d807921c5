//! The end of the demo: the page, on what the demo has just lived through.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::Context as _;
use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use super::{SINK, Stage};
use crate::api::auth::{Role, random};
use crate::api::hooks::Hooks;
use crate::api::limits::Limits;
use crate::api::observations::Doors;
use crate::api::sessions::{Sessions, Transport};
use crate::api::{self, Control, Face};
use crate::cli::style::Style;
use crate::config::ServerConfig;
use crate::scan::agent::{Inbox, Scheduled};
use crate::store::access::{AuditEntry, AuditOutcome, Token, TokenHash};
use crate::telemetry::Metrics;

/// Serves the page until `cancel`, and prints the address that opens it, once.
pub async fn open(
    stage: &Stage,
    style: Style,
    out: &mut (dyn Write + Send),
    cancel: CancellationToken,
) -> anyhow::Result<()> {
    let listener = api::listen(SocketAddr::from(([127, 0, 0, 1], 0)))
        .await
        .context("the page cannot be served on 127.0.0.1")?;
    let address = listener.local_addr()?;
    let face = face(stage, cancel.clone());
    let token = token(stage).await?;
    let once = face.sessions.link(&token);
    writeln!(out, "\n{}", style.bold("The page is open, full of this organisation:"))?;
    writeln!(out, "\n    {}\n", style.cyan(format!("http://{address}/login?once={once}")))?;
    writeln!(out, "The address logs one browser in, once. Ctrl-C ends the demo.")?;
    out.flush()?;
    api::serve(listener, face, cancel).await.context("the page failed")
}

fn face(stage: &Stage, stopping: CancellationToken) -> Face {
    let engine = Arc::clone(&stage.engine);
    let control = |source: &crate::scan::Source| {
        let scheduled = Scheduled {
            source: source.clone(),
            schedule: "as the demo goes".to_owned(),
            jitter: Duration::ZERO,
        };
        (source.name.clone(), Control::new(&scheduled, &Inbox::default()))
    };
    let sources: BTreeMap<String, Control> = stage.sources.iter().map(control).collect();
    Face {
        store: Arc::clone(&stage.store),
        metrics: Arc::new(Metrics::counting(stage.deliverer.counters())),
        sinks: vec![SINK.to_owned()],
        clock: Arc::clone(&stage.clock),
        is_ready: Arc::new(AtomicBool::new(true)),
        hooks: Arc::new(Hooks::new(Arc::clone(&engine), [])),
        engine,
        sources: Arc::new(sources),
        sessions: Arc::new(Sessions::new(Transport::Loopback)),
        limits: Arc::new(Limits::new(&ServerConfig::default())),
        stopping,
        observations: Arc::new(Doors::new(Arc::clone(&stage.engine), [])),
    }
}

/// A token for the session to stand for; nobody gets to see it.
async fn token(stage: &Stage) -> anyhow::Result<Token> {
    let now = stage.clock.now();
    let token = Token {
        id: random("tok_"),
        name: "demo".to_owned(),
        role: Role::Operator,
        created_at: now,
        expires_at: now.checked_add(SignedDuration::from_hours(24))?,
        revoked_at: None,
        used_at: None,
    };
    let entry = AuditEntry {
        at: now,
        actor: "demo".to_owned(),
        role: None,
        action: "token.create".to_owned(),
        object: token.id.clone(),
        outcome: AuditOutcome::Done,
        detail: None,
    };
    stage.store.add_token(&token, &TokenHash::of(&random("")), &entry).await?;
    Ok(token)
}
