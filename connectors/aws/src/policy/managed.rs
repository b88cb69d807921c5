//! AWS-managed policies, judged by name: their documents are left out of the bulk call because
//! they would outweigh everything else in it.

use headcount_sdk::{Level, Privilege};

/// Names whose documents are well known
/// (<https://docs.aws.amazon.com/aws-managed-policy/latest/reference/policy-list.html>).
const KNOWN: &[(&str, Level)] = &[
    ("AWSCloudShellFullAccess", Level::Write),
    ("AWSCompromisedKeyQuarantine", Level::None),
    ("AWSCompromisedKeyQuarantineV2", Level::None),
    ("AWSCompromisedKeyQuarantineV3", Level::None),
    ("AWSDenyAll", Level::None),
    ("AWSLambdaBasicExecutionRole", Level::Write),
    ("AWSLambdaVPCAccessExecutionRole", Level::Write),
    ("AWSXRayDaemonWriteAccess", Level::Write),
    ("AdministratorAccess", Level::Admin),
    ("AdministratorAccess-AWSElasticBeanstalk", Level::Escalating),
    ("AdministratorAccess-Amplify", Level::Escalating),
    ("AmazonEC2ContainerRegistryPowerUser", Level::Write),
    ("AmazonECSTaskExecutionRolePolicy", Level::Write),
    ("AmazonEKSWorkerNodePolicy", Level::Read),
    ("AmazonEKS_CNI_Policy", Level::Write),
    ("AmazonSSMManagedInstanceCore", Level::Write),
    ("CloudWatchAgentServerPolicy", Level::Write),
    ("DataScientist", Level::Escalating),
    ("DatabaseAdministrator", Level::Write),
    ("IAMFullAccess", Level::Escalating),
    ("IAMUserChangePassword", Level::Write),
    ("NetworkAdministrator", Level::Write),
    ("PowerUserAccess", Level::Write),
    ("SecurityAudit", Level::Read),
    ("SystemAdministrator", Level::Write),
    ("ViewOnlyAccess", Level::Read),
];

/// Whether the policy is AWS's own, which has no account in its ARN.
pub(crate) fn is_aws_managed(arn: &str) -> bool {
    arn.split(':').nth(4) == Some("aws")
}

/// Judges an AWS-managed policy by its name; `None` when the ARN is a customer's.
pub(crate) fn managed(arn: &str) -> Option<Privilege> {
    if !is_aws_managed(arn) {
        return None;
    }
    let name = arn.rsplit('/').next().unwrap_or_default();
    let level = KNOWN
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, level)| *level)
        .or_else(|| by_habit(name));
    Some(match level {
        Some(level) => Privilege { level, reason: format!("AWS-managed policy {name}") },
        None => super::unknown(format!("AWS-managed policy {name}, whose document is not read")),
    })
}

/// What AWS means by the usual parts of its names.
fn by_habit(name: &str) -> Option<Level> {
    if name.contains("ReadOnly") || name.contains("ViewOnly") {
        return Some(Level::Read);
    }
    name.contains("FullAccess").then_some(Level::Write)
}
