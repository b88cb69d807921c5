//! The reference page of the command line: every help text, as it is printed.

use clap::{Command, CommandFactory as _};

use crate::cli::Cli;

#[must_use]
pub fn page() -> String {
    let mut page = String::from(
        "# Command line\n\n\
         Generated from the program by `headcount docs generate`. Data goes to stdout, logs and \
         progress to stderr.\n",
    );
    let mut command = Cli::command().term_width(100);
    command.build();
    section(&mut command, "headcount", &mut page);
    page
}

fn section(command: &mut Command, path: &str, page: &mut String) {
    let level = if path.contains(' ') { "##" } else { "#" };
    if path != "headcount" {
        page.push_str(&format!("\n{level} `{path}`\n"));
    }
    // Plain text: the page must not depend on the terminal that generated it.
    let help = command.render_long_help().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    page.push_str(&format!("\n```text\n{}\n```\n", lines.join("\n").trim()));
    let names: Vec<String> = command
        .get_subcommands()
        .filter(|sub| !sub.is_hide_set())
        .map(|sub| sub.get_name().to_owned())
        .collect();
    for name in names {
        if let Some(sub) = command.find_subcommand_mut(&name) {
            section(sub, &format!("{path} {name}"), page);
        }
    }
}
