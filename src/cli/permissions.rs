//! `headcount permissions`: what a connector must be allowed, generated from its manifest.

use std::io::Write;

use clap::Args;

use super::lines::write_json;
use super::{Exit, UsageError};
use crate::registry::{self, Who};

const EXAMPLES: &str = "\
Examples:
  headcount permissions aws > headcount-policy.json
  aws iam create-policy --policy-name headcount --policy-document file://headcount-policy.json
  headcount permissions aws --assume HeadcountReader    for an agent that reads other accounts

The first policy belongs to whoever reads an account: the agent itself, or the role that it assumes
there. The second belongs to the agent that assumes such roles.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct PermissionsArgs {
    /// The connector, for example `aws`
    connector: String,
    /// What the agent itself needs to read other accounts through a role of this name, instead
    /// of what the reader of an account needs
    #[arg(long, value_name = "ROLE")]
    assume: Option<String>,
}

pub fn run(args: &PermissionsArgs, out: &mut dyn Write) -> anyhow::Result<Exit> {
    let who = match &args.assume {
        Some(role) => Who::Agent { role },
        None => Who::Reader,
    };
    match registry::permissions(&args.connector, who) {
        Some(policy) => {
            write_json(out, &policy)?;
            Ok(Exit::Ok)
        }
        None => {
            let known: Vec<&str> = registry::manifests().iter().map(|m| m.connector).collect();
            let text = format!(
                "there is no connector `{}`; there are: {}",
                args.connector,
                known.join(", ")
            );
            Err(UsageError(text).into())
        }
    }
}
