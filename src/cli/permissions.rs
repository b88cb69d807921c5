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
  headcount permissions github                          the manifest of a GitHub App
  headcount permissions kubernetes | kubectl apply -f - the ClusterRole
  headcount permissions vault                           a policy, as `bao policy write` takes it

The first policy belongs to whoever reads an account: the agent itself, or the role that it assumes
there. The second belongs to the agent that assumes such roles.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct PermissionsArgs {
    /// The connector, or the description of a REST source, for example `aws` or `vault`
    connector: String,
    /// What the agent itself needs to read other accounts through a role of this name, instead
    /// of what the reader of an account needs
    #[arg(long, value_name = "ROLE")]
    assume: Option<String>,
    /// What the reader of a cluster needs with `secret_metadata: true`. Kubernetes cannot limit the
    /// right to list secrets to their metadata
    #[arg(long, conflicts_with = "assume")]
    secret_metadata: bool,
    /// What the reader of a described source needs with this setting at `true`, for example
    /// `token_accessors` of `vault`
    #[arg(long, value_name = "SETTING", conflicts_with_all = ["assume", "secret_metadata"])]
    with: Option<String>,
}

pub fn run(args: &PermissionsArgs, out: &mut dyn Write) -> anyhow::Result<Exit> {
    let who = match (&args.assume, &args.with) {
        (Some(role), _) => Who::Agent { role },
        (None, Some(setting)) => Who::Asking { setting },
        (None, None) if args.secret_metadata => Who::SecretMetadata,
        (None, None) => Who::Reader,
    };
    match registry::permissions(&args.connector, who) {
        Some(policy) => {
            write_json(out, &policy)?;
            Ok(Exit::Ok)
        }
        None => {
            let all = registry::manifests().into_iter().chain(registry::described());
            let known: Vec<&str> = all.map(|manifest| manifest.connector).collect();
            let text = if known.contains(&args.connector.as_str()) {
                format!("the connector `{}` has no such reader", args.connector)
            } else {
                let known = known.join(", ");
                format!("there is no connector `{}`; there are: {known}", args.connector)
            };
            Err(UsageError(text).into())
        }
    }
}
