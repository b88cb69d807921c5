//! A trail as lines of text.

use std::io::Write;

use headcount_core::inventory::Record;

use crate::cli::style::{Style, safe};
use crate::view::trail::{Accountable, Branch, Branches, Trail, percent};

/// Prints both directions; what lies in another place than the record says so.
pub fn print(trail: &Trail, of: &Record, style: Style, out: &mut dyn Write) -> std::io::Result<()> {
    let mut lines = Lines { style, out };
    lines.branches(&trail.reached_by, "←", 1, &of.scope.place)?;
    lines.branches(&trail.reaches, "→", 1, &of.scope.place)
}

struct Lines<'a> {
    style: Style,
    out: &'a mut dyn Write,
}

impl Lines<'_> {
    fn branches(
        &mut self,
        branches: &Branches,
        arrow: &str,
        depth: usize,
        place: &str,
    ) -> std::io::Result<()> {
        let style = self.style;
        let margin = "  ".repeat(depth);
        for branch in &branches.records {
            let named = format!("{} {}", branch.kind, safe(&branch.name));
            write!(self.out, "{margin}{arrow} {} {}", branch.link, style.bold(named))?;
            if branch.place != place {
                write!(self.out, "  {}", style.dim(format!("in {}", branch.place)))?;
            }
            if let Some(basis) = &branch.basis {
                let basis = format!("({}{})", safe(basis), sure(branch));
                write!(self.out, "  {}", style.dim(basis))?;
            }
            if let Some(owner) = &branch.owner {
                write!(self.out, "  owner {}", words(owner))?;
            }
            writeln!(self.out)?;
            self.branches(&branch.then, arrow, depth + 1, &branch.place)?;
        }
        if branches.omitted > 0 {
            let more = format!("… {} more", branches.omitted);
            writeln!(self.out, "{margin}{}", style.dim(more))?;
        }
        Ok(())
    }
}

/// `, 90 %`, or nothing where it is certain.
fn sure(branch: &Branch) -> String {
    if branch.confidence < 1.0 {
        format!(", {}", percent(branch.confidence))
    } else {
        String::new()
    }
}

/// `team-a (85 %, from repository acme/shop)`
fn words(owner: &Accountable) -> String {
    let from = owner.from.as_ref().map_or(String::new(), |from| format!(", from {}", safe(from)));
    format!("{} ({}{from})", safe(&owner.reference), percent(owner.confidence))
}
