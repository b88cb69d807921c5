//! Trust policies: who may become a role. One variant per way that organisations use in practice.

use serde_json::{Map, Value, json};

/// Who may assume a role. [`Trust::document`] turns it into the policy JSON.
#[derive(Clone, Debug)]
pub enum Trust {
    /// An AWS service such as `lambda.amazonaws.com`.
    Service(String),
    /// Whole accounts (12 digits), principals (an ARN) or everybody (`*`).
    Accounts {
        /// 12-digit account ids, ARNs or `*`.
        principals: Vec<String>,
        /// The `sts:ExternalId` demanded, if any.
        external_id: Option<String>,
    },
    /// An OIDC issuer that is registered in the role's own account.
    WebIdentity {
        /// Issuer without scheme: `token.actions.githubusercontent.com`.
        issuer: String,
        /// The `<issuer>:sub` condition; one with `*` or `?` becomes `StringLike`.
        subject: Option<String>,
        /// The `<issuer>:aud` condition.
        audience: Option<String>,
    },
    /// A SAML provider of the role's own account, by name.
    Saml(String),
    /// EKS Pod Identity (`pods.eks.amazonaws.com`).
    PodIdentity,
    /// IAM Roles Anywhere, bound to a trust anchor ARN where one is given.
    RolesAnywhere {
        /// The `aws:SourceArn` condition.
        trust_anchor: Option<String>,
    },
    /// Any document, as it stands.
    Document(String),
}

impl Trust {
    /// Trust in an AWS service.
    pub fn service(host: &str) -> Self {
        Self::Service(host.to_owned())
    }

    /// Trust in one account or principal without an external id.
    pub fn account(principal: &str) -> Self {
        Self::Accounts { principals: vec![principal.to_owned()], external_id: None }
    }

    /// Trust in one account or principal that must present `external_id`.
    pub fn account_with_external_id(principal: &str, external_id: &str) -> Self {
        Self::Accounts {
            principals: vec![principal.to_owned()],
            external_id: Some(external_id.to_owned()),
        }
    }

    /// Trust in GitHub Actions with the usual audience and the given subject condition.
    pub fn github(subject: Option<&str>) -> Self {
        Self::WebIdentity {
            issuer: GITHUB_ISSUER.to_owned(),
            subject: subject.map(str::to_owned),
            audience: Some("sts.amazonaws.com".to_owned()),
        }
    }

    /// The policy document for a role in `account` of `partition`.
    pub fn document(&self, partition: &str, account: &str) -> String {
        let statement = match self {
            Self::Document(json) => return json.clone(),
            Self::Service(host) => statement(json!({ "Service": host }), "sts:AssumeRole", None),
            Self::Accounts { principals, external_id } => {
                let principals = principals.iter().map(|p| principal(partition, p)).collect();
                let condition = external_id
                    .as_ref()
                    .map(|id| json!({ "StringEquals": { "sts:ExternalId": id } }));
                statement(json!({ "AWS": one_or_many(principals) }), "sts:AssumeRole", condition)
            }
            Self::WebIdentity { issuer, subject, audience } => {
                let provider = format!("arn:{partition}:iam::{account}:oidc-provider/{issuer}");
                statement(
                    json!({ "Federated": provider }),
                    "sts:AssumeRoleWithWebIdentity",
                    web_condition(issuer, subject.as_deref(), audience.as_deref()),
                )
            }
            Self::Saml(name) => {
                let provider = format!("arn:{partition}:iam::{account}:saml-provider/{name}");
                let audience = json!({ "SAML:aud": "https://signin.aws.amazon.com/saml" });
                statement(
                    json!({ "Federated": provider }),
                    "sts:AssumeRoleWithSAML",
                    Some(json!({ "StringEquals": audience })),
                )
            }
            Self::PodIdentity => session_statement("pods.eks.amazonaws.com", None),
            Self::RolesAnywhere { trust_anchor } => session_statement(
                "rolesanywhere.amazonaws.com",
                trust_anchor.as_ref().map(|arn| json!({ "ArnEquals": { "aws:SourceArn": arn } })),
            ),
        };
        json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string()
    }
}

/// The issuer of GitHub Actions tokens, without scheme.
pub const GITHUB_ISSUER: &str = "token.actions.githubusercontent.com";

fn statement(principal: Value, action: &str, condition: Option<Value>) -> Value {
    let mut statement = json!({ "Effect": "Allow", "Principal": principal, "Action": action });
    if let Some(condition) = condition {
        statement["Condition"] = condition;
    }
    statement
}

fn session_statement(service: &str, condition: Option<Value>) -> Value {
    let mut statement = statement(json!({ "Service": service }), "sts:AssumeRole", condition);
    statement["Action"] = json!(["sts:AssumeRole", "sts:TagSession"]);
    statement
}

fn principal(partition: &str, name: &str) -> String {
    if name.len() == 12 && name.bytes().all(|b| b.is_ascii_digit()) {
        format!("arn:{partition}:iam::{name}:root")
    } else {
        name.to_owned()
    }
}

/// IAM keeps a single principal as a string, several as a list; readers must take both.
fn one_or_many(mut values: Vec<String>) -> Value {
    if values.len() == 1 { json!(values.remove(0)) } else { json!(values) }
}

fn web_condition(issuer: &str, subject: Option<&str>, audience: Option<&str>) -> Option<Value> {
    let (mut equals, mut like) = (Map::new(), Map::new());
    if let Some(audience) = audience {
        equals.insert(format!("{issuer}:aud"), json!(audience));
    }
    if let Some(subject) = subject {
        let wild = subject.contains(['*', '?']);
        let block = if wild { &mut like } else { &mut equals };
        block.insert(format!("{issuer}:sub"), json!(subject));
    }
    let mut condition = Map::new();
    for (operator, block) in [("StringEquals", equals), ("StringLike", like)] {
        if !block.is_empty() {
            condition.insert(operator.to_owned(), Value::Object(block));
        }
    }
    (!condition.is_empty()).then_some(Value::Object(condition))
}
