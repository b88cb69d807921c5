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
fn about(event: &str) -> Option<About> {
    Some(match event {
        "CreateUser"
        | "DeleteUser"
        | "UpdateUser"
        | "TagUser"
        | "UntagUser"
        | "PutUserPermissionsBoundary"
        | "DeleteUserPermissionsBoundary"
        | "CreateLoginProfile"
        | "UpdateLoginProfile"
        | "DeleteLoginProfile" => About::User,
        "AttachUserPolicy"
        | "DetachUserPolicy"
        | "PutUserPolicy"
        | "DeleteUserPolicy"
        | "AddUserToGroup"
        | "RemoveUserFromGroup" => About::UserGrants,
        "CreateRole"
        | "CreateServiceLinkedRole"
        | "DeleteRole"
        | "DeleteServiceLinkedRole"
        | "UpdateRole"
        | "UpdateRoleDescription"
        | "UpdateAssumeRolePolicy"
        | "TagRole"
        | "UntagRole"
        | "PutRolePermissionsBoundary"
        | "DeleteRolePermissionsBoundary"
        | "AddRoleToInstanceProfile"
        | "RemoveRoleFromInstanceProfile" => About::Role,
        "AttachRolePolicy" | "DetachRolePolicy" | "PutRolePolicy" | "DeleteRolePolicy" => {
            About::RoleGrants
        }
        "AttachGroupPolicy" | "DetachGroupPolicy" | "PutGroupPolicy" | "DeleteGroupPolicy"
        | "UpdateGroup" => About::Group,
        "CreatePolicyVersion" | "SetDefaultPolicyVersion" => About::Policy,
        "CreateAccessKey" | "UpdateAccessKey" | "DeleteAccessKey" => About::Of("access-keys"),
        "UploadSSHPublicKey" | "UpdateSSHPublicKey" | "DeleteSSHPublicKey" => {
            About::Of("ssh-public-keys")
        }
        "UploadSigningCertificate" | "UpdateSigningCertificate" | "DeleteSigningCertificate" => {
            About::Of("signing-certificates")
        }
        "CreateServiceSpecificCredential"
        | "ResetServiceSpecificCredential"
        | "UpdateServiceSpecificCredential"
        | "DeleteServiceSpecificCredential" => About::Of("service-specific-credentials"),
        "CreateOpenIDConnectProvider"
        | "DeleteOpenIDConnectProvider"
        | "UpdateOpenIDConnectProviderThumbprint"
        | "AddClientIDToOpenIDConnectProvider"
        | "RemoveClientIDFromOpenIDConnectProvider"
        | "TagOpenIDConnectProvider"
        | "UntagOpenIDConnectProvider" => About::OidcProvider,
        "CreateSAMLProvider" | "UpdateSAMLProvider" | "DeleteSAMLProvider" | "TagSAMLProvider"
        | "UntagSAMLProvider" => About::SamlProvider,
        "UploadServerCertificate" | "UpdateServerCertificate" | "DeleteServerCertificate" => {
            About::ServerCertificate
        }
        _ => return None,
    })
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
    let response = |path: &str| text(record, &format!("/responseElements/{path}"));
    let subjects = match about {
        About::User | About::UserGrants => {
            let renamed = request("newUserName").map(named).transpose()?;
            let user = named(request("userName").ok_or("requestParameters.userName")?)?;
            let mut subjects: Subjects = vec![("users", user.clone())];
            subjects.extend(renamed.map(|name| ("users", name)));
            if about == About::UserGrants {
                subjects.push(("grants", format!("user/{user}")));
            }
            subjects
        }
        About::Role | About::RoleGrants => {
            let role = request("roleName").or_else(|| response("role/roleName"));
            let role = named(role.ok_or("requestParameters.roleName")?)?;
            let mut subjects: Subjects = vec![("roles", role.clone())];
            if about == About::RoleGrants {
                subjects.push(("grants", format!("role/{role}")));
            }
            subjects
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
        About::Of(kind) => {
            let own = || {
                let is_user = text(record, "/userIdentity/type") == Some("IAMUser");
                text(record, "/userIdentity/userName").filter(|_| is_user)
            };
            let answered =
                ["accessKey", "sSHPublicKey", "certificate", "serviceSpecificCredential"]
                    .into_iter()
                    .find_map(|of| response(&format!("{of}/userName")));
            match request("userName").or(answered).or_else(own) {
                Some(user) => vec![(kind, named(user)?)],
                None if text(record, "/userIdentity/type") == Some("Root") => return Ok(None),
                None => return Err("requestParameters.userName"),
            }
        }
        About::OidcProvider => {
            let member = "openIDConnectProviderArn";
            let provider = request(member).or_else(|| response(member)).ok_or(member)?;
            vec![("oidc-providers", arn(provider)?)]
        }
        About::SamlProvider => {
            let member = "sAMLProviderArn";
            let provider = request(member).or_else(|| response(member)).ok_or(member)?;
            vec![("saml-providers", arn(provider)?)]
        }
        About::ServerCertificate => {
            let name = request("serverCertificateName");
            let name = name.ok_or("requestParameters.serverCertificateName")?;
            vec![("server-certificates", named(name)?)]
        }
    };
    Ok(Some(subjects))
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
        "CreateOpenIDConnectProvider" => place.oidc_provider(answered("openIDConnectProviderArn")?),
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
