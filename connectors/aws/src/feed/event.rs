//! One CloudTrail record into hints: which subjects an IAM event makes dirty, and who made them.
//!
//! Pure. Nothing of the record is believed but names: what is named is read again. The creator of
//! a user, role or OIDC provider is the one fact that is kept, because IAM itself forgets it.

use std::collections::BTreeSet;

use headcount_sdk::{Hint, OwnerBasis, OwnerEvidence, OwnerKind, RecordId, Scope, Standing};
use serde_json::Value;

use crate::id::{Place, is_account};

/// What one record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) place: Place,
    pub(crate) hints: BTreeSet<Hint>,
    pub(crate) creator: Option<Creator>,
}

/// Who made a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Creator {
    pub(crate) of: RecordId,
    pub(crate) evidence: OwnerEvidence,
}

/// Which of the names in a record its event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum About {
    /// The user's record.
    User,
    /// The user's record and grants.
    UserGrants,
    Role,
    RoleGrants,
    /// Users in a group, and their grants.
    Group,
    /// Whoever holds a managed policy, and their grants.
    Policy,
    /// A credential that is listed per user; the scope.
    Of(&'static str),
    OidcProvider,
    SamlProvider,
    ServerCertificate,
}

/// The part of <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html>
/// that changes what is counted.
const EVENTS: &[(About, &[&str])] = &[
    (
        About::User,
        &[
            "CreateUser",
            "DeleteUser",
            "UpdateUser",
            "TagUser",
            "UntagUser",
            "PutUserPermissionsBoundary",
            "DeleteUserPermissionsBoundary",
            "CreateLoginProfile",
            "UpdateLoginProfile",
            "DeleteLoginProfile",
        ],
    ),
    (
        About::UserGrants,
        &[
            "AttachUserPolicy",
            "DetachUserPolicy",
            "PutUserPolicy",
            "DeleteUserPolicy",
            "AddUserToGroup",
            "RemoveUserFromGroup",
        ],
    ),
    (
        About::Role,
        &[
            "CreateRole",
            "CreateServiceLinkedRole",
            "DeleteRole",
            "DeleteServiceLinkedRole",
            "UpdateRole",
            "UpdateRoleDescription",
            "UpdateAssumeRolePolicy",
            "TagRole",
            "UntagRole",
            "PutRolePermissionsBoundary",
            "DeleteRolePermissionsBoundary",
            "AddRoleToInstanceProfile",
            "RemoveRoleFromInstanceProfile",
        ],
    ),
    (
        About::RoleGrants,
        &["AttachRolePolicy", "DetachRolePolicy", "PutRolePolicy", "DeleteRolePolicy"],
    ),
    (
        About::Group,
        &[
            "AttachGroupPolicy",
            "DetachGroupPolicy",
            "PutGroupPolicy",
            "DeleteGroupPolicy",
            "UpdateGroup",
        ],
    ),
    (About::Policy, &["CreatePolicyVersion", "SetDefaultPolicyVersion"]),
    (About::Of("access-keys"), &["CreateAccessKey", "UpdateAccessKey", "DeleteAccessKey"]),
    (
        About::Of("ssh-public-keys"),
        &["UploadSSHPublicKey", "UpdateSSHPublicKey", "DeleteSSHPublicKey"],
    ),
    (
        About::Of("signing-certificates"),
        &["UploadSigningCertificate", "UpdateSigningCertificate", "DeleteSigningCertificate"],
    ),
    (
        About::Of("service-specific-credentials"),
        &[
            "CreateServiceSpecificCredential",
            "ResetServiceSpecificCredential",
            "UpdateServiceSpecificCredential",
            "DeleteServiceSpecificCredential",
        ],
    ),
    (
        About::OidcProvider,
        &[
            "CreateOpenIDConnectProvider",
            "DeleteOpenIDConnectProvider",
            "UpdateOpenIDConnectProviderThumbprint",
            "AddClientIDToOpenIDConnectProvider",
            "RemoveClientIDFromOpenIDConnectProvider",
            "TagOpenIDConnectProvider",
            "UntagOpenIDConnectProvider",
        ],
    ),
    (
        About::SamlProvider,
        &[
            "CreateSAMLProvider",
            "UpdateSAMLProvider",
            "DeleteSAMLProvider",
            "TagSAMLProvider",
            "UntagSAMLProvider",
        ],
    ),
    (
        About::ServerCertificate,
        &["UploadServerCertificate", "UpdateServerCertificate", "DeleteServerCertificate"],
    ),
];

fn about(event: &str) -> Option<About> {
    EVENTS.iter().find(|(_, names)| names.contains(&event)).map(|(about, _)| *about)
}

/// What a record makes dirty. `None`: nothing that is counted. An error names the member that an
/// event of its kind always has.
pub(crate) fn read(record: &Value) -> Result<Option<Event>, &'static str> {
    let is_change = text(record, "/eventSource") == Some("iam.amazonaws.com")
        && record.get("readOnly").and_then(Value::as_bool) != Some(true)
        && record.get("errorCode").is_none_or(Value::is_null);
    let name = text(record, "/eventName");
    let (true, Some(name)) = (is_change, name) else { return Ok(None) };
    let Some(about) = about(name) else { return Ok(None) };
    let account = text(record, "/recipientAccountId").filter(|id| is_account(id));
    let account = account.ok_or("recipientAccountId")?;
    let region = text(record, "/awsRegion").ok_or("awsRegion")?;
    let place = Place::new(partition(region), account);
    let Some(subjects) = subjects(record, about)? else { return Ok(None) };
    let scope = |kind: &str| Scope::new(&place.to_string(), kind);
    let hints = subjects.into_iter().map(|(kind, subject)| Hint { scope: scope(kind), subject });
    let hints = hints.collect();
    let creator = creator(record, name, &place);
    Ok(Some(Event { place, hints, creator }))
}

type Subjects = Vec<(&'static str, String)>;

/// Scopes and what to read in them. `None`: the event is about the root user, whose credentials
/// only the credential report tells.
fn subjects(record: &Value, about: About) -> Result<Option<Subjects>, &'static str> {
    let request = |name: &str| text(record, &format!("/requestParameters/{name}"));
    let subjects = match about {
        About::User | About::UserGrants => {
            let renamed = request("newUserName").map(named).transpose()?;
            let user = named(request("userName").ok_or("requestParameters.userName")?)?;
            let grants = (about == About::UserGrants).then(|| ("grants", format!("user/{user}")));
            let users = [Some(user), renamed].into_iter().flatten().map(|name| ("users", name));
            users.chain(grants).collect()
        }
        About::Role | About::RoleGrants => {
            let made = || text(record, "/responseElements/role/roleName");
            let role = request("roleName").or_else(made).ok_or("requestParameters.roleName")?;
            let role = named(role)?;
            let grants = (about == About::RoleGrants).then(|| ("grants", format!("role/{role}")));
            std::iter::once(("roles", role)).chain(grants).collect()
        }
        About::Group => {
            let group = request("newGroupName").or_else(|| request("groupName"));
            let group = format!("group/{}", named(group.ok_or("requestParameters.groupName")?)?);
            vec![("users", group.clone()), ("grants", group)]
        }
        About::Policy => {
            let arn = arn(request("policyArn").ok_or("requestParameters.policyArn")?)?;
            let policy = format!("policy/{arn}");
            ["users", "roles", "grants"].map(|kind| (kind, policy.clone())).into()
        }
        About::Of(kind) => match holder(record)? {
            Some(user) => vec![(kind, user)],
            None => return Ok(None),
        },
        About::OidcProvider => vec![("oidc-providers", provider(record, OIDC_ARN)?)],
        About::SamlProvider => vec![("saml-providers", provider(record, SAML_ARN)?)],
        About::ServerCertificate => {
            let name = request("serverCertificateName");
            let name = name.ok_or("requestParameters.serverCertificateName")?;
            vec![("server-certificates", named(name)?)]
        }
    };
    Ok(Some(subjects))
}

/// The user whose credential changed. Whoever acts on its own need not be named; `None` for root.
fn holder(record: &Value) -> Result<Option<String>, &'static str> {
    const ANSWERED: [&str; 4] =
        ["accessKey", "sSHPublicKey", "certificate", "serviceSpecificCredential"];
    let answered =
        || ANSWERED.iter().find_map(|of| text(record, &format!("/responseElements/{of}/userName")));
    let kind = text(record, "/userIdentity/type");
    let own = || text(record, "/userIdentity/userName").filter(|_| kind == Some("IAMUser"));
    let user = text(record, "/requestParameters/userName").or_else(answered).or_else(own);
    match user {
        Some(user) => named(user).map(Some),
        None if kind == Some("Root") => Ok(None),
        None => Err("requestParameters.userName"),
    }
}

const OIDC_ARN: &str = "openIDConnectProviderArn";
const SAML_ARN: &str = "sAMLProviderArn";

fn provider(record: &Value, member: &'static str) -> Result<String, &'static str> {
    let of = |part: &str| text(record, &format!("/{part}/{member}"));
    arn(of("requestParameters").or_else(|| of("responseElements")).ok_or(member)?)
}

fn text<'v>(value: &'v Value, pointer: &str) -> Option<&'v str> {
    value.pointer(pointer)?.as_str()
}

/// A name as IAM gives them. Whatever else comes is no name, and is handed to nobody.
fn named(name: &str) -> Result<String, &'static str> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    let fits = (1..=128).contains(&name.len()) && name.chars().all(allowed);
    if fits { Ok(name.to_owned()) } else { Err("a name that IAM does not give") }
}

fn arn(arn: &str) -> Result<String, &'static str> {
    let fits =
        arn.starts_with("arn:") && arn.len() <= 2048 && arn.chars().all(|c| c.is_ascii_graphic());
    if fits { Ok(arn.to_owned()) } else { Err("an ARN that is none") }
}

/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html>
fn partition(region: &str) -> &'static str {
    const BY_REGION: &[(&str, &str)] = &[
        ("cn-", "aws-cn"),
        ("us-gov-", "aws-us-gov"),
        ("us-iso-", "aws-iso"),
        ("us-isob-", "aws-iso-b"),
        ("eu-isoe-", "aws-iso-e"),
        ("us-isof-", "aws-iso-f"),
        ("eusc-", "aws-eusc"),
    ];
    BY_REGION.iter().find(|(begin, _)| region.starts_with(begin)).map_or("aws", |(_, name)| name)
}

/// Whoever made what the answer holds by its unique id. A credential follows the owner of its
/// user, so that nobody is remembered as the maker of one.
fn creator(record: &Value, event: &str, place: &Place) -> Option<Creator> {
    let answered = |path: &str| {
        let id = text(record, &format!("/responseElements/{path}"))?;
        (id.len() <= 512 && id.chars().all(|c| c.is_ascii_graphic())).then_some(id)
    };
    let of = match event {
        "CreateUser" => place.user(answered("user/userId")?),
        "CreateRole" | "CreateServiceLinkedRole" => place.role(answered("role/roleId")?),
        "CreateOpenIDConnectProvider" => place.oidc_provider(answered(OIDC_ARN)?),
        _ => return None,
    };
    let evidence = OwnerEvidence {
        reference: who(record)?,
        basis: OwnerBasis::Creator,
        locator: format!("cloudtrail:{event}"),
        kind: OwnerKind::Technical,
        standing: Standing::NotKnown,
    };
    Some(Creator { of, evidence })
}

/// The person or machine behind a call, as CloudTrail names them
/// (<https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html>).
fn who(record: &Value) -> Option<String> {
    let identity = |path: &str| text(record, &format!("/userIdentity/{path}"));
    let tail = |of: &str| identity(of)?.rsplit('/').next();
    let name = match identity("type")? {
        "AssumedRole" => {
            let issuer = identity("sessionContext/sessionIssuer/userName");
            let session = tail("arn");
            // Identity Center, and people who assume a role, put who they are into the session.
            let is_person = issuer.is_some_and(|role| role.starts_with("AWSReservedSSO_"))
                || session.is_some_and(|session| session.contains('@'));
            let person = session.filter(|_| is_person);
            identity("sessionContext/sourceIdentity").or(person).or(issuer).or(session)
        }
        "Root" => Some("root"),
        "AWSService" => identity("invokedBy"),
        "FederatedUser" => tail("arn"),
        _ => identity("userName").or_else(|| tail("arn")),
    };
    let name = name?.trim();
    let fits = (1..=256).contains(&name.len()) && !name.chars().any(char::is_control);
    fits.then(|| name.to_owned())
}

#[cfg(test)]
mod tests;
