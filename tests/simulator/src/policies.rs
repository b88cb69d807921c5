//! Policy documents: the AWS managed ones that organisations attach most, and one of each power.

use serde_json::{Value, json};

/// How much a policy document allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Power {
    /// Everything, everywhere.
    Admin,
    /// Not everything, but enough to become admin.
    Escalating,
    /// Writes data of one service.
    Write,
    /// Reads data of one service.
    Read,
    /// Allows by exception (`NotAction`), which a reader must not take for nothing.
    AllBut,
    /// Denies only.
    Deny,
}

impl Power {
    /// A document of this power. `variant` picks among several ways to write it.
    pub fn document(self, variant: usize) -> String {
        let statement = match self {
            Self::Admin => allow(json!("*"), json!("*")),
            Self::Escalating => escalating(variant),
            Self::Write => write(variant),
            Self::Read => read(variant),
            Self::AllBut => {
                json!({ "Effect": "Allow", "NotAction": ["iam:*", "organizations:*"], "Resource": "*" })
            }
            Self::Deny => {
                json!({ "Effect": "Deny", "Action": "ec2:TerminateInstances", "Resource": "*" })
            }
        };
        policy(statement)
    }
}

fn policy(statement: Value) -> String {
    json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string()
}

fn allow(action: Value, resource: Value) -> Value {
    json!({ "Effect": "Allow", "Action": action, "Resource": resource })
}

fn escalating(variant: usize) -> Value {
    match variant % 4 {
        0 => allow(
            json!(["iam:PassRole", "lambda:CreateFunction", "lambda:InvokeFunction"]),
            json!("*"),
        ),
        1 => allow(json!("iam:CreatePolicyVersion"), json!("*")),
        2 => allow(json!(["iam:AttachUserPolicy", "iam:AttachRolePolicy"]), json!("*")),
        _ => allow(json!("iam:*"), json!("*")),
    }
}

fn write(variant: usize) -> Value {
    match variant % 3 {
        0 => allow(
            json!(["s3:PutObject", "s3:DeleteObject"]),
            json!(format!("arn:aws:s3:::artifacts-{variant}/*")),
        ),
        1 => allow(json!(["dynamodb:PutItem", "dynamodb:UpdateItem"]), json!("*")),
        _ => allow(json!("sqs:*"), json!(format!("arn:aws:sqs:*:*:jobs-{variant}"))),
    }
}

fn read(variant: usize) -> Value {
    match variant % 3 {
        0 => allow(json!(["s3:GetObject", "s3:ListBucket"]), json!("*")),
        1 => allow(json!(["ec2:Describe*", "cloudwatch:Get*", "cloudwatch:List*"]), json!("*")),
        _ => allow(
            json!("secretsmanager:GetSecretValue"),
            json!(format!("arn:aws:secretsmanager:*:*:secret:app-{variant}-*")),
        ),
    }
}

/// A policy that AWS owns: it has no account in its ARN and nobody here can change it.
#[derive(Debug)]
pub(crate) struct AwsManaged {
    pub(crate) name: &'static str,
    pub(crate) path: &'static str,
    pub(crate) id: &'static str,
    action: &'static [&'static str],
}

impl AwsManaged {
    pub(crate) fn arn(&self, partition: &str) -> String {
        format!("arn:{partition}:iam::aws:policy{}{}", self.path, self.name)
    }

    pub(crate) fn document(&self) -> String {
        policy(allow(json!(self.action), json!("*")))
    }
}

/// The ARN of an AWS managed policy by name (`AdministratorAccess`, `ReadOnlyAccess` …).
pub fn aws_managed(partition: &str, name: &str) -> String {
    match AWS_MANAGED.iter().find(|policy| policy.name == name) {
        Some(policy) => policy.arn(partition),
        None => format!("arn:{partition}:iam::aws:policy/{name}"),
    }
}

/// In the order in which they are listed. Names are unique: paging relies on it.
pub(crate) const AWS_MANAGED: &[AwsManaged] = &[
    managed(
        "AWSLambdaBasicExecutionRole",
        "/service-role/",
        "ANPASIMULATEDLAMBDA01",
        &["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
    ),
    managed("AdministratorAccess", "/", "ANPASIMULATEDADMIN001", &["*"]),
    managed("AmazonS3FullAccess", "/", "ANPASIMULATEDS3FULL01", &["s3:*", "s3-object-lambda:*"]),
    managed("AmazonS3ReadOnlyAccess", "/", "ANPASIMULATEDS3READ01", &["s3:Get*", "s3:List*"]),
    managed(
        "CloudWatchReadOnlyAccess",
        "/",
        "ANPASIMULATEDCWREAD01",
        &["cloudwatch:Get*", "cloudwatch:List*", "logs:Get*"],
    ),
    managed("IAMFullAccess", "/", "ANPASIMULATEDIAMFULL1", &["iam:*"]),
    managed(
        "PowerUserAccess",
        "/",
        "ANPASIMULATEDPOWER001",
        &["ec2:*", "s3:*", "lambda:*", "rds:*"],
    ),
    managed(
        "ReadOnlyAccess",
        "/",
        "ANPASIMULATEDREAD0001",
        &["ec2:Describe*", "iam:Get*", "iam:List*", "s3:Get*", "s3:List*"],
    ),
    managed(
        "SecurityAudit",
        "/",
        "ANPASIMULATEDAUDIT001",
        &["iam:Get*", "iam:List*", "config:Describe*"],
    ),
];

const fn managed(
    name: &'static str,
    path: &'static str,
    id: &'static str,
    action: &'static [&'static str],
) -> AwsManaged {
    AwsManaged { name, path, id, action }
}
