//! `headcount run`: the agent.

use clap::Args;

use super::{Exit, Globals};

const EXAMPLES: &str = "\
Examples:
  headcount run --config org.yaml        until it is told to stop (SIGTERM or Ctrl-C)
  curl http://127.0.0.1:9464/readyz      whether it is ready
  curl http://127.0.0.1:9464/metrics     its metrics, for Prometheus

Every source is scanned at the start and then on its schedule. Logs go to stderr: text on a
terminal, one JSON object a line otherwise.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct RunArgs {}

pub async fn run(_args: &RunArgs, globals: &Globals) -> anyhow::Result<Exit> {
    let _config = globals.load()?;
    anyhow::bail!("not built yet")
}
