//! `headcount completions`: what a shell needs to complete our arguments.

use std::io::Write;

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::{Cli, Exit};

const EXAMPLES: &str = "\
Examples:
  headcount completions bash > /etc/bash_completion.d/headcount
  headcount completions zsh > \"${fpath[1]}/_headcount\"
  headcount completions fish > ~/.config/fish/completions/headcount.fish";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct CompletionsArgs {
    /// Which shell
    shell: Shell,
}

pub fn run(args: &CompletionsArgs, out: &mut dyn Write) -> anyhow::Result<Exit> {
    // Generated in memory first: clap's writer panics on a closed pipe.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "headcount", &mut script);
    out.write_all(&script)?;
    Ok(Exit::Ok)
}
