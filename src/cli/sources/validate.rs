//! `headcount sources validate`: checks lines of observations as the agent would, and says what it
//! would make of each scope. Nothing is kept.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use anyhow::Context as _;
use headcount_open::spool::{Ending, Limits, Spooler};

use crate::cli::style::{self, Style, safe};
use crate::cli::{Exit, UsageError};
use crate::clock::{Clock as _, SystemClock};

/// After so many wrong lines the rest is hardly better.
const MAX_PROBLEMS: usize = 100;

pub(super) fn run(
    lines: Option<&Path>,
    style: Style,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<Exit> {
    let mut spooler = Spooler::new(Limits::default(), SystemClock.now());
    match lines.filter(|path| *path != Path::new("-")) {
        Some(path) => {
            let mut file = File::open(path).with_context(|| path.display().to_string())?;
            read(&mut file, &mut spooler).with_context(|| path.display().to_string())?;
        }
        None => read(&mut std::io::stdin().lock(), &mut spooler).context("standard input")?,
    }
    spooler.end();
    let problems = spooler.problems().to_vec();
    for refused in problems.iter().take(MAX_PROBLEMS) {
        let place = style.bold(safe(&refused.path()));
        writeln!(out, "{place}: {}", safe(&refused.wrong.problem))?;
        writeln!(out, "  {}", style.dim(safe(&refused.wrong.remedy)))?;
    }
    let spool = spooler.finish();
    let mut is_open = false;
    for (scope, batch) in &spool.batches {
        let ending = match &batch.ending {
            Ending::Complete { .. } => style.green("complete"),
            Ending::Failed { error } => {
                style.yellow(format!("not read to its end: {}", safe(&error.to_string())))
            }
            Ending::Open => {
                is_open = true;
                style.red("no `complete` and no `failed`: nothing in it could disappear")
            }
        };
        let records = style::count(batch.count, "record");
        writeln!(out, "{}  {records}  {}", style.bold(scope), ending)?;
    }
    if !problems.is_empty() {
        let count = style::count(problems.len() as u64, "problem");
        let told = format!("{count} found; a scan or a push stops at the first");
        return Err(UsageError(told).into());
    }
    Ok(if is_open { Exit::Incomplete } else { Exit::Ok })
}

fn read(input: &mut dyn Read, spooler: &mut Spooler) -> std::io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let length = input.read(&mut buffer)?;
        if length == 0 || spooler.problems().len() >= MAX_PROBLEMS {
            return Ok(());
        }
        spooler.feed(buffer.get(..length).unwrap_or_default());
    }
}
