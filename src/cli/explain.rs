//! `headcount explain`: the documentation of a rule, the same text as its reference page.

use std::io::Write;

use clap::Args;
use comfy_table::Cell;
use headcount_core::rules::{self, Meta, docs};

use super::style::{self, Style};
use super::{Exit, UsageError};
use crate::registry;

const EXAMPLES: &str = "\
Examples:
  headcount explain                    every rule in one line
  headcount explain stale-identity     one rule in full";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ExplainArgs {
    /// The rule's id; without one, the list of rules
    rule: Option<String>,
}

pub fn run(args: &ExplainArgs, style: &Style, out: &mut dyn Write) -> anyhow::Result<Exit> {
    match &args.rule {
        None => list(*style, out)?,
        Some(id) => match rules::find(id) {
            Some(rule) => one(rule.meta(), *style, out)?,
            None => return Err(unknown(id).into()),
        },
    }
    Ok(Exit::Ok)
}

/// Says which rule was probably meant.
#[must_use]
pub fn unknown(id: &str) -> UsageError {
    let hint = match rules::nearest(id) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`headcount explain` lists them".to_owned(),
    };
    UsageError(format!("there is no rule `{id}`; {hint}"))
}

fn list(style: Style, out: &mut dyn Write) -> std::io::Result<()> {
    let mut table = style.table(&["RULE", "SEVERITY", "REPORTS"]);
    for meta in registry::rules().iter().map(|rule| rule.meta()) {
        table.add_row(vec![
            Cell::new(meta.id),
            style::severity(meta.severity),
            Cell::new(meta.title),
        ]);
    }
    write!(out, "{}", style::lines(table, 0))?;
    writeln!(out, "\n{} headcount explain RULE", style.dim("In full:"))
}

fn one(meta: &Meta, style: Style, out: &mut dyn Write) -> std::io::Result<()> {
    writeln!(out, "{}  {}", style.bold(meta.id), meta.title)?;
    writeln!(out)?;
    let mut facts = style.table(&[]);
    let mut fact = |name: &str, value: String| {
        facts.add_row(vec![Cell::new(name), Cell::new(value)]);
    };
    fact("severity", meta.severity.as_str().to_owned());
    for id in meta.owasp {
        fact("OWASP NHI", format!("{id} {}", docs::owasp_name(id).unwrap_or_default()));
    }
    if !meta.controls.is_empty() {
        fact("controls", meta.controls.join(", "));
    }
    for setting in meta.settings {
        let value = format!("{} by default. {}", setting.default_text(), setting.about());
        fact(setting.key(), value);
    }
    write!(out, "{}", style::lines(facts, 0))?;
    writeln!(out)?;
    for line in docs::text(meta).lines() {
        match line.strip_prefix("### ").or_else(|| line.strip_prefix("## ")) {
            Some(heading) => writeln!(out, "{}", style.bold(heading))?,
            None if line.starts_with("```") => {}
            None => writeln!(out, "{line}")?,
        }
    }
    Ok(())
}
