//! SaaS APIs that are read from a description: the catalogue, a start for a new one, and a rehearsal
//! of one on made-up answers.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use headcount_rest::{Described, catalog, rehearse};
use jiff::Timestamp;

use crate::cli::lines::write_json;
use crate::cli::style::{self, Style, safe};
use crate::cli::{Exit, UsageError};
use crate::clock::{Clock as _, SystemClock};

pub(super) fn list(style: Style, out: &mut (dyn Write + Send)) -> anyhow::Result<Exit> {
    let mut table = style.table(&["DESCRIPTION", "READS"]);
    for name in catalog::names() {
        let Some(described) = catalog::load(name) else { continue };
        let described = described.with_context(|| format!("the catalogue's {name}"))?;
        table.add_row(vec![name, described.manifest().about]);
    }
    write!(out, "{}", style::lines(table, 0))?;
    Ok(Exit::Ok)
}

pub(super) fn new(name: &str, out: &mut (dyn Write + Send)) -> anyhow::Result<Exit> {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || !name.chars().all(is_plain) {
        return Err(UsageError(format!(
            "`{name}` is no name for a description: use lower case letters, digits and dashes"
        ))
        .into());
    }
    let (description, answer) = catalog::scaffold(name);
    let file = PathBuf::from(format!("{name}.yaml"));
    let folder = PathBuf::from(name);
    for path in [&file, &folder] {
        if path.exists() {
            return Err(UsageError(format!("{} is there already", path.display())).into());
        }
    }
    std::fs::create_dir(&folder).with_context(|| folder.display().to_string())?;
    std::fs::write(&file, description).with_context(|| file.display().to_string())?;
    let answers = folder.join("items.json");
    std::fs::write(&answers, answer).with_context(|| answers.display().to_string())?;
    writeln!(out, "wrote {} and {}", file.display(), answers.display())?;
    writeln!(out, "next: headcount sources test {} --fixture {name}", file.display())?;
    Ok(Exit::Ok)
}

pub(super) async fn test(
    description: &Path,
    fixture: &Path,
    json: bool,
    style: Style,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<Exit> {
    let text =
        std::fs::read_to_string(description).with_context(|| description.display().to_string())?;
    let described = Described::load(&text)
        .map_err(|error| UsageError(format!("{}: {error}", description.display())))?;
    let now: Timestamp = SystemClock.now();
    let rehearsal = rehearse(&described, fixture, now).await?;
    if json {
        write_json(out, &rehearsal)?;
    } else {
        for scope in &rehearsal.scopes {
            let coverage = match &scope.error {
                None => style.green("complete"),
                Some(error) => style.red(format!("not read to its end: {error}")),
            };
            writeln!(out, "{}  {coverage}", style.bold(safe(&scope.scope)))?;
            for (field, error) in &scope.degraded {
                writeln!(out, "  without {field}: {error}")?;
            }
            for record in &scope.records {
                writeln!(
                    out,
                    "  {:<10} {:<24} {}  {}",
                    record.class.as_str(),
                    record.kind,
                    safe(&record.name),
                    style.dim(record.usage.state())
                )?;
            }
        }
        for file in &rehearsal.unasked {
            writeln!(out, "{}", style.yellow(format!("nothing asked for {file}")))?;
        }
    }
    let is_complete = rehearsal.scopes.iter().all(|scope| scope.complete);
    Ok(if is_complete { Exit::Ok } else { Exit::Incomplete })
}
