//! `headcount permissions`: what a connector must be allowed, generated from its manifest.

use std::collections::BTreeMap;
use std::io::Write;

use clap::Args;
use headcount_sdk::Manifest;
use headcount_sdk::manifest::{Caller, Need};
use serde_json::{Value, json};

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
  headcount permissions okta                            scopes, each with the calls that need it
  headcount permissions gitlab --with administrator     the same with what is read on request alone

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
    /// `token_accessors` of `vault`. May be given several times
    #[arg(long, value_name = "SETTING", conflicts_with_all = ["assume", "secret_metadata"])]
    with: Vec<String>,
}

pub fn run(args: &PermissionsArgs, out: &mut dyn Write) -> anyhow::Result<Exit> {
    let settings: Vec<&str> = args.with.iter().map(String::as_str).collect();
    let who = match (&args.assume, settings.as_slice()) {
        (Some(role), _) => Who::Agent { role },
        (None, []) if args.secret_metadata => Who::SecretMetadata,
        (None, []) => Who::Reader,
        (None, settings) => Who::Asking { settings },
    };
    let described = registry::described();
    let of_description = || {
        let manifest = described.iter().find(|manifest| manifest.connector == args.connector)?;
        (who == Who::Reader).then(|| scopes(manifest))
    };
    match registry::permissions(&args.connector, who).or_else(of_description) {
        Some(policy) => {
            write_json(out, &policy)?;
            Ok(Exit::Ok)
        }
        None => {
            let connectors = registry::manifests();
            let known: Vec<&str> =
                connectors.iter().chain(&described).map(|m| m.connector).collect();
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

/// The permissions (most vendors say OAuth scopes) that a description needs, each with the
/// operations that need it.
#[must_use]
pub fn scopes(manifest: &Manifest) -> Value {
    let mut by_permission: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for operation in manifest.operations.iter().filter(|o| o.caller != Caller::Free) {
        let without = match operation.need {
            Need::Access => "nothing can be read".to_owned(),
            Need::Scopes(scopes) => format!("incomplete: {}", scopes.join(", ")),
            Need::Enrichment(field) => format!("not known: {field}"),
        };
        by_permission.entry(operation.permission).or_default().push(json!({
            "operation": operation.name, "why": operation.why, "without_it": without,
        }));
    }
    let permissions: Vec<Value> = by_permission
        .into_iter()
        .map(|(permission, needed_by)| json!({"permission": permission, "needed_by": needed_by}))
        .collect();
    json!({
        "description": manifest.connector,
        "title": manifest.title,
        "permissions": permissions,
    })
}
