//! `headcount tokens`: who may ask the agent over HTTP.

use std::io::{Write, stderr};

use clap::{Args, Subcommand};
use comfy_table::Cell;
use jiff::Timestamp;

use super::session::Session;
use super::style::{Style, lines};
use super::time::{self, Until};
use super::{Exit, Globals, UsageError};
use crate::api::auth::{PREFIX, Role, random};
use crate::store::access::{AuditEntry, AuditOutcome, Token, TokenHash, Written};

const EXAMPLES: &str = "\
Examples:
  headcount tokens create ci --role viewer --expires 90d      prints the token, this once
  curl -H \"Authorization: Bearer $TOKEN\" http://127.0.0.1:9464/v1/findings
  headcount tokens revoke ci                                  at once, also while an agent runs

A viewer reads, an auditor also exports the inventory and reads the audit, an operator also
accepts findings and starts scans.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct TokensArgs {
    #[command(subcommand)]
    command: Option<TokensCommand>,
}

#[derive(Debug, Subcommand)]
enum TokensCommand {
    /// List tokens and when they were last used (the same as no subcommand)
    List,
    /// Make a token and print it; only its hash is kept
    Create {
        /// What it is for; stands in the audit
        name: String,
        /// What its bearer may do
        #[arg(long, value_enum, default_value = "viewer")]
        role: Role,
        /// When it ends: a time, a day, or for how long (`90d`)
        #[arg(long, value_name = "TIME", value_parser = Until::parse, default_value = "90d")]
        expires: Until,
    },
    /// End a token now; sessions that it opened end with it
    Revoke {
        /// Its name or id
        name: String,
    },
}

pub async fn run(
    args: &TokensArgs,
    globals: &Globals,
    style: &Style,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<Exit> {
    match &args.command {
        None | Some(TokensCommand::List) => list(globals, *style, out).await?,
        Some(TokensCommand::Create { name, role, expires }) => {
            create((name, *role, *expires), globals, out).await?;
        }
        Some(TokensCommand::Revoke { name }) => {
            let session = Session::to_note(globals).await?;
            let entry = entry("token.revoke", name, session.now);
            if session.store.revoke_token(name, &entry).await? != Written::Done {
                return Err(UsageError(format!("there is no token `{name}` to revoke")).into());
            }
            writeln!(out, "`{name}` is revoked.")?;
        }
    }
    Ok(Exit::Ok)
}

fn entry(action: &str, object: &str, at: Timestamp) -> AuditEntry {
    AuditEntry {
        at,
        actor: "cli".to_owned(),
        role: None,
        action: action.to_owned(),
        object: object.to_owned(),
        outcome: AuditOutcome::Done,
        detail: None,
    }
}

async fn create(
    (name, role, expires): (&str, Role, Until),
    globals: &Globals,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<()> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.@".contains(c);
    if name.is_empty() || name.len() > 64 || !name.chars().all(is_plain) {
        let text = "a token's name has 1 to 64 letters, digits or any of `-_.@`";
        return Err(UsageError(text.to_owned()).into());
    }
    let session = Session::to_note(globals).await?;
    let expires_at = expires.resolve(session.now);
    if expires_at <= session.now {
        return Err(UsageError("the token would have expired already".to_owned()).into());
    }
    let text = random(PREFIX);
    let token = Token {
        id: random("tok_").chars().take(20).collect(),
        name: name.to_owned(),
        role,
        created_at: session.now,
        expires_at,
        revoked_at: None,
        used_at: None,
    };
    let mut entry = entry("token.create", name, session.now);
    entry.detail = Some(format!("{} until {expires_at}", role.as_str()));
    match session.store.add_token(&token, &TokenHash::of(&text), &entry).await? {
        Written::Done => {}
        Written::Taken | Written::NotThere => {
            let text = format!("there is a token `{name}` already; revoke it or take another name");
            return Err(UsageError(text).into());
        }
    }
    writeln!(out, "{text}")?;
    // The token alone goes to stdout, so that it can go straight to where it is kept.
    writeln!(
        stderr(),
        "`{name}` may act as {} until {}. The token is not kept and will not be shown again.",
        role.as_str(),
        time::minute(expires_at)
    )?;
    Ok(())
}

async fn list(globals: &Globals, style: Style, out: &mut (dyn Write + Send)) -> anyhow::Result<()> {
    let session = Session::to_read(globals).await?;
    let tokens = session.store.tokens().await?;
    if tokens.is_empty() {
        writeln!(out, "No tokens. `headcount tokens create NAME` makes one.")?;
        return Ok(());
    }
    let mut table = style.table(&["NAME", "ROLE", "STATUS", "EXPIRES", "LAST USED", "ID"]);
    for token in tokens {
        let status = match token.revoked_at {
            Some(_) => "revoked",
            None if token.is_valid(session.now) => "valid",
            None => "expired",
        };
        let used = token.used_at.map(|at| time::ago(at, session.now));
        table.add_row([
            Cell::new(&token.name),
            Cell::new(token.role.as_str()),
            Cell::new(status),
            Cell::new(time::minute(token.expires_at)),
            Cell::new(used.unwrap_or_else(|| "never".to_owned())),
            Cell::new(&token.id),
        ]);
    }
    write!(out, "{}", lines(table, 0))?;
    Ok(())
}
