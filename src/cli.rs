//! The command line: parses, runs one subcommand, and turns its outcome into an exit code.
//!
//! Data goes to stdout, logs and progress to stderr. Exit codes: 0 ok · 1 runtime error · 2 usage
//! or configuration · 3 findings at or above `--fail-on` · 4 scan incomplete. 4 wins over 3: who
//! has not seen everything cannot say that he has seen the worst. One file per subcommand; start
//! at [`Command`].

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand};

use crate::config::Config;
use crate::config::problem::ConfigError;

pub mod backup;
pub mod check;
pub mod completions;
#[cfg(feature = "demo")]
pub mod demo;
pub mod diff;
pub mod docs;
pub mod exceptions;
pub mod explain;
pub mod findings;
pub mod format;
pub mod inventory;
pub mod lines;
pub mod output;
pub mod permissions;
pub mod progress;
pub mod restore;
pub mod run;
pub mod scan;
pub mod session;
pub mod sinks;
pub mod snapshot;
#[cfg(any(feature = "open", feature = "rest"))]
pub mod sources;
pub mod style;
pub mod time;
pub mod tokens;

use style::Style;

const EXAMPLES: &str = "\
Examples:
  headcount demo                         a simulated organisation, no credentials needed
  headcount scan                         count the AWS account of your ambient credentials
  headcount check --config org.yaml      prove every permission before the first scan
  headcount findings --format ndjson     open findings, one JSON object a line
  headcount inventory show deploy-bot    one record: owner, use, history, links, findings
  headcount explain stale-identity       why it matters, and how to fix it
  headcount diff 24h                     what changed since yesterday
  headcount run --config org.yaml        keep counting, and deliver what is found

Exit codes:
  0  ok, with or without findings
  1  runtime error
  2  wrong usage or configuration
  3  findings at or above --fail-on
  4  scan incomplete: something could not be read (wins over 3)

Data goes to stdout, logs and progress to stderr.";

/// A continuous head count of everything that can log in and is not a person.
///
/// Headcount reads cloud IAM with read-only access, keeps an inventory of roles, service
/// accounts, keys and grants, compares every scan with the one before, and says what is new,
/// stale or without an owner.
#[derive(Debug, Parser)]
#[command(
    name = "headcount",
    version,
    after_help = EXAMPLES,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    styles = STYLES,
    max_term_width = 100
)]
pub struct Cli {
    #[command(flatten)]
    pub globals: Globals,
    #[command(subcommand)]
    pub command: Command,
}

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// What every subcommand takes.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Global options")]
pub struct Globals {
    /// Configuration file (YAML or JSON); without one, the ambient AWS account
    #[arg(
        long,
        short,
        global = true,
        env = "HEADCOUNT_CONFIG",
        hide_env_values = true,
        value_name = "FILE"
    )]
    pub config: Option<PathBuf>,

    /// What is logged to stderr: error, warn, info, debug, trace, or a filter of targets. Libraries
    /// are heard from info up, because some print whole requests below it
    #[arg(
        long,
        global = true,
        env = "HEADCOUNT_LOG",
        hide_env_values = true,
        value_name = "LEVEL"
    )]
    pub log_level: Option<String>,

    /// No colours (the same as the environment variable NO_COLOR)
    #[arg(long, global = true)]
    pub no_color: bool,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Watch a simulated organisation change, and what Headcount finds
    #[cfg(feature = "demo")]
    Demo(demo::DemoArgs),
    /// Count once: scan every source, deliver what is new, print the result
    Scan(scan::ScanArgs),
    /// Keep counting: scan on schedule, deliver findings, serve the API, health and metrics
    Run(run::RunArgs),
    /// Prove the configuration, the secrets and every permission, without a scan
    Check(check::CheckArgs),
    /// Print the exact read-only permissions that a connector needs
    Permissions(permissions::PermissionsArgs),
    /// What there is: identities, credentials and grants, now or at any past moment
    Inventory(inventory::InventoryArgs),
    /// What is wrong: findings, their evidence and their history
    Findings(findings::FindingsArgs),
    /// What a rule reports, why it matters, and how to fix it
    Explain(explain::ExplainArgs),
    /// What changed between two moments
    Diff(diff::DiffArgs),
    /// The inventory of a moment as a file, with what was complete of it
    Snapshot(snapshot::SnapshotArgs),
    /// Findings that somebody takes on, with a reason and an end
    Exceptions(exceptions::ExceptionsArgs),
    /// Who may ask the agent over HTTP: bearer tokens
    Tokens(tokens::TokensArgs),
    /// Where findings go: queues, a test event, dead letters, replay
    Sinks(sinks::SinksArgs),
    /// Copy the whole inventory to a file, also while the agent runs
    Backup(backup::BackupArgs),
    /// Make a copy the inventory of an empty data directory
    Restore(restore::RestoreArgs),
    /// Sources without code: descriptions of SaaS APIs, and the lines of programs and pushes
    #[cfg(any(feature = "open", feature = "rest"))]
    Sources(sources::SourcesArgs),
    /// Generate the reference pages, the schema and the permission files
    Docs(docs::DocsArgs),
    /// Print a completion script for a shell
    Completions(completions::CompletionsArgs),
}

/// How a command ended without an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Ok,
    /// There are findings at or above `--fail-on`.
    Findings,
    /// Something that should have been read was not.
    Incomplete,
}

/// A request that cannot be met as it was made; ends with exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);

impl Globals {
    /// Reads the configuration; without a file, the defaults.
    pub fn load(&self) -> Result<Config, ConfigError> {
        Config::load(self.config.as_deref())
    }
}

/// Parses the arguments, runs the command, and says how it went.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let style = Style::of_stdout(cli.globals.no_color);
    let mut out = BufWriter::new(io::stdout());
    let outcome = execute(cli, &style, &mut out).and_then(|exit| {
        out.flush().context("standard output")?;
        Ok(exit)
    });
    match outcome {
        Ok(Exit::Ok) => ExitCode::SUCCESS,
        Ok(Exit::Findings) => ExitCode::from(3),
        Ok(Exit::Incomplete) => ExitCode::from(4),
        // The reader has seen enough (`| head`); nobody is left to tell.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            report(&error);
            if is_usage(&error) { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}

fn execute(cli: Cli, style: &Style, out: &mut (dyn Write + Send)) -> anyhow::Result<Exit> {
    let quiet = match cli.command {
        Command::Run(_) => "info",
        // It tells itself what cannot be read.
        #[cfg(feature = "demo")]
        Command::Demo(_) => "error",
        _ => "warn",
    };
    crate::telemetry::log_to_stderr(cli.globals.log_level.as_deref().unwrap_or(quiet));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the async runtime did not start")?;
    runtime.block_on(dispatch(cli, style, out))
}

async fn dispatch(cli: Cli, style: &Style, out: &mut (dyn Write + Send)) -> anyhow::Result<Exit> {
    let globals = &cli.globals;
    match cli.command {
        #[cfg(feature = "demo")]
        Command::Demo(args) => demo::run(&args, globals, style, out).await,
        Command::Scan(args) => scan::run(&args, globals, style, out).await,
        Command::Run(args) => run::run(&args, globals).await,
        Command::Check(args) => check::run(&args, globals, style, out).await,
        Command::Permissions(args) => permissions::run(&args, out),
        Command::Inventory(args) => inventory::run(&args, globals, style, out).await,
        Command::Findings(args) => findings::run(&args, globals, style, out).await,
        Command::Explain(args) => explain::run(&args, style, out),
        Command::Diff(args) => diff::run(&args, globals, style, out).await,
        Command::Snapshot(args) => snapshot::run(&args, globals, out).await,
        Command::Exceptions(args) => exceptions::run(&args, globals, style, out).await,
        Command::Tokens(args) => tokens::run(&args, globals, style, out).await,
        Command::Sinks(args) => sinks::run(&args, globals, style, out).await,
        Command::Backup(args) => backup::run(&args, globals, out).await,
        Command::Restore(args) => restore::run(&args, globals, out).await,
        #[cfg(any(feature = "open", feature = "rest"))]
        Command::Sources(args) => sources::run(&args, *style, out).await,
        Command::Docs(args) => docs::run(&args, out),
        Command::Completions(args) => completions::run(&args, out),
    }
}

/// Prints the whole chain of causes, once. A configuration prints one line per problem.
fn report(error: &anyhow::Error) {
    let stderr = io::stderr();
    let mut stderr = stderr.lock();
    // When stderr is gone as well, the exit code is all that is left.
    let _ = match error.downcast_ref::<ConfigError>() {
        Some(config) => writeln!(stderr, "{config}"),
        None => writeln!(stderr, "headcount: {error:#}"),
    };
}

fn is_usage(error: &anyhow::Error) -> bool {
    error.is::<ConfigError>() || error.is::<UsageError>()
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
            || cause
                .downcast_ref::<serde_json::Error>()
                .is_some_and(|e| e.io_error_kind() == Some(io::ErrorKind::BrokenPipe))
    })
}
