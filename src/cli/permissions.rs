//! `headcount permissions`: what a connector must be allowed, generated from its manifest.

use std::io::Write;

use clap::Args;

use super::{Exit, UsageError};
use crate::registry;

const EXAMPLES: &str = "\
Examples:
  headcount permissions aws > headcount-policy.json
  aws iam create-policy --policy-name headcount --policy-document file://headcount-policy.json";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct PermissionsArgs {
    /// The connector, for example `aws`
    connector: String,
}

pub fn run(args: &PermissionsArgs, out: &mut dyn Write) -> anyhow::Result<Exit> {
    match registry::permissions(&args.connector) {
        Some(policy) => {
            out.write_all(policy.as_bytes())?;
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
