//! What a single action, or a pattern of actions, lets its holder do.

/// What an action does, as far as its name tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    /// `*`.
    Everything,
    /// Gives its holder more power wherever it is allowed.
    Escalates,
    /// Gives its holder more power when it is allowed on everything.
    EscalatesAnywhere,
    Writes,
    Reads,
}

/// IAM actions by which a holder makes itself an administrator, from the catalogues that attackers
/// and defenders share (<https://pathfinding.cloud>, Rhino Security Labs' list of 2018).
const ESCALATES: &[&str] = &[
    "iam:AddUserToGroup",
    "iam:AttachGroupPolicy",
    "iam:AttachRolePolicy",
    "iam:AttachUserPolicy",
    "iam:CreateAccessKey",
    "iam:CreateLoginProfile",
    "iam:CreatePolicyVersion",
    "iam:DeleteRolePermissionsBoundary",
    "iam:DeleteUserPermissionsBoundary",
    "iam:PutGroupPolicy",
    "iam:PutRolePolicy",
    "iam:PutUserPolicy",
    "iam:SetDefaultPolicyVersion",
    "iam:UpdateAssumeRolePolicy",
    "iam:UpdateLoginProfile",
];

/// Take over the role of code or machines that are there already; harmless on one's own.
const ESCALATES_ANYWHERE: &[&str] = &[
    "lambda:UpdateFunctionCode",
    "ssm:SendCommand",
    "ssm:StartSession",
    "glue:UpdateDevEndpoint",
    "cloudformation:SetStackPolicy",
];

/// Run code under a role that was passed to it.
pub(super) const RUNS_AS_ROLE: &[&str] = &[
    "ec2:RunInstances",
    "lambda:CreateFunction",
    "ecs:RunTask",
    "ecs:CreateService",
    "cloudformation:CreateStack",
    "glue:CreateJob",
    "glue:CreateDevEndpoint",
    "codebuild:CreateProject",
    "datapipeline:CreatePipeline",
    "sagemaker:CreateNotebookInstance",
    "sagemaker:CreateTrainingJob",
    "bedrock-agentcore:CreateCodeInterpreter",
];

/// Verbs that AWS gives to actions which change nothing.
const READS: &[&str] = &[
    "BatchDescribe",
    "BatchGet",
    "Check",
    "Describe",
    "Detect",
    "Discover",
    "Estimate",
    "Filter",
    "Get",
    "Head",
    "List",
    "Lookup",
    "Preview",
    "Query",
    "Read",
    "Retrieve",
    "Scan",
    "Search",
    "Select",
    "Simulate",
    "StartQuery",
    "TransactGet",
    "Validate",
    "Verify",
    "View",
];

/// Called "Get", but what they get is a credential to act with.
const MINTS: &[&str] = &[
    "sts:GetFederationToken",
    "sts:GetWebIdentityToken",
    "sso:GetRoleCredentials",
    "redshift:GetClusterCredentials",
    "cognito-identity:GetCredentialsForIdentity",
];

/// Sorts an action or pattern. `None` when it is neither.
pub(super) fn classify(action: &str) -> Option<Verb> {
    if action.chars().all(|c| c == '*') && !action.is_empty() || action == "*:*" {
        return Some(Verb::Everything);
    }
    let (service, name) = action.split_once(':')?;
    if service.is_empty() || name.is_empty() {
        return None;
    }
    if ESCALATES.iter().any(|known| matches(action, known)) {
        return Some(Verb::Escalates);
    }
    if ESCALATES_ANYWHERE.iter().any(|known| matches(action, known)) {
        return Some(Verb::EscalatesAnywhere);
    }
    let literal = name.split(['*', '?']).next().unwrap_or_default().to_ascii_lowercase();
    let reads = READS.iter().any(|verb| literal.starts_with(&verb.to_ascii_lowercase()))
        || matches(action, "iam:GenerateCredentialReport") && !name.contains('*');
    let mints = MINTS.iter().any(|known| action.eq_ignore_ascii_case(known));
    Some(if reads && !mints { Verb::Reads } else { Verb::Writes })
}

/// Managing one's own credentials: the usual self-service policy.
pub(super) fn harmless_on_oneself(action: &str) -> bool {
    let own = ["iam:CreateAccessKey", "iam:CreateLoginProfile", "iam:UpdateLoginProfile"];
    let touches = ESCALATES.iter().filter(|known| matches(action, known));
    touches.into_iter().all(|known| own.contains(known))
}

/// Whether an action pattern (`*` and `?`, any case) covers a concrete action.
pub(crate) fn matches(pattern: &str, action: &str) -> bool {
    wildcard(pattern.as_bytes(), action.as_bytes())
}

/// Greedy with one step back, so that no pattern takes more than pattern × text steps.
fn wildcard(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                back = Some((p, t));
                p += 1;
            }
            Some(c) if *c == b'?' || c.eq_ignore_ascii_case(&text[t]) => {
                p += 1;
                t += 1;
            }
            _ => match back {
                Some((star, from)) => {
                    back = Some((star, from + 1));
                    p = star + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}
