//! `headcount demo`: a simulated organisation, and what Headcount finds in it.

use std::io::Write;

use clap::Args;

use super::style::Style;
use super::{Exit, Globals};

#[derive(Debug, Args)]
pub struct DemoArgs {}

pub async fn run(
    _args: &DemoArgs,
    _globals: &Globals,
    _style: &Style,
    _out: &mut (dyn Write + Send),
) -> anyhow::Result<Exit> {
    anyhow::bail!("not built yet")
}
