//! Colours and tables, so that every subcommand looks alike. Colours only where a person looks.

use std::fmt::Display;
use std::io::IsTerminal as _;

use comfy_table::{Attribute, Cell, Color, ColumnConstraint, ContentArrangement, Table, presets};
use headcount_core::findings::Severity;

use crate::config;
pub use crate::view::text::{count, safe, short};

/// What stdout can show.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    has_color: bool,
    /// Columns of the terminal; `None` when nobody's terminal sets a limit.
    width: Option<u16>,
}

impl Style {
    /// Looks at stdout and at what the environment wants.
    #[must_use]
    pub fn of_stdout(no_color: bool) -> Self {
        let is_terminal = std::io::stdout().is_terminal();
        let unwanted = no_color || config::is_color_unwanted();
        let width = if is_terminal { Table::new().width() } else { None };
        Self { has_color: is_terminal && !unwanted, width }
    }

    /// No colours, no limit: files, pipes and tests.
    #[must_use]
    pub const fn plain() -> Self {
        Self { has_color: false, width: None }
    }

    fn paint(self, code: &str, text: impl Display) -> String {
        if self.has_color { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_string() }
    }

    #[must_use]
    pub fn bold(self, text: impl Display) -> String {
        self.paint("1", text)
    }

    #[must_use]
    pub fn dim(self, text: impl Display) -> String {
        self.paint("2", text)
    }

    #[must_use]
    pub fn red(self, text: impl Display) -> String {
        self.paint("31", text)
    }

    #[must_use]
    pub fn yellow(self, text: impl Display) -> String {
        self.paint("33", text)
    }

    #[must_use]
    pub fn green(self, text: impl Display) -> String {
        self.paint("32", text)
    }

    #[must_use]
    pub fn cyan(self, text: impl Display) -> String {
        self.paint("36", text)
    }

    /// A table without lines; columns are two spaces apart.
    #[must_use]
    pub fn table(self, header: &[&str]) -> Table {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        match self.width {
            Some(width) => {
                table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
            }
            None => {
                table.set_content_arrangement(ContentArrangement::Disabled);
            }
        }
        if self.has_color {
            table.enforce_styling();
        } else {
            table.force_no_tty();
        }
        if !header.is_empty() {
            table.set_header(header.iter().map(|h| Cell::new(h).add_attribute(Attribute::Dim)));
        }
        table
    }
}

/// Ends a table: first column at the margin, two spaces between, no spaces at line ends.
#[must_use]
pub fn lines(mut table: Table, indent: usize) -> String {
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let margin = " ".repeat(indent);
    let mut text = String::new();
    for line in table.to_string().lines() {
        let line = format!("{margin}{line}");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Keeps columns in one piece however narrow the terminal is: what people copy must not break.
pub fn unbroken(table: &mut Table, columns: &[usize]) {
    for column in columns {
        if let Some(column) = table.column_mut(*column) {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
}

#[must_use]
pub fn severity(severity: Severity) -> Cell {
    let cell = Cell::new(severity.as_str());
    match severity {
        Severity::Critical => cell.fg(Color::Red).add_attribute(Attribute::Bold),
        Severity::High => cell.fg(Color::Red),
        Severity::Medium => cell.fg(Color::Yellow),
        Severity::Low => cell.fg(Color::Cyan),
        Severity::Info => cell,
    }
}
