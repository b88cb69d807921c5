//! STS: who am I, and let me be a role of another account.

use jiff::SignedDuration;
use serde_json::Value;

use crate::call::{ApiError, Caller, Request, own};
use crate::iam::unknown_action;
use crate::organization::{Account, AccountState, Role, RoleUse, Session};
use crate::server::World;
use crate::xml::Xml;

/// The XML namespace of every answer.
pub(crate) const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// The secret half of every credential that this simulator issues. It opens nothing: signatures
/// are not checked.
pub const NOT_A_SECRET: &str = "simulated-and-therefore-not-a-secret";

pub(crate) fn answer(world: &mut World, request: &Request) -> Result<String, ApiError> {
    match request.action.as_str() {
        "sts:GetCallerIdentity" => get_caller_identity(world, request),
        "sts:AssumeRole" => assume_role(world, request),
        _ => Err(unknown_action(&request.action)),
    }
}

fn get_caller_identity(world: &mut World, request: &Request) -> Result<String, ApiError> {
    let account = own(world.org, request)?;
    let id = match &request.caller {
        Caller::Ambient => "AIDASIMULATORAMBIENT1".to_owned(),
        Caller::Root => account.id.clone(),
        Caller::User { name } => {
            account.users.get(name).map(|user| user.id.clone()).unwrap_or_default()
        }
        Caller::Session { role_id, name, .. } => format!("{role_id}:{name}"),
    };
    let mut xml = Xml::new();
    xml.text("Arn", &request.caller.arn(account));
    xml.text("UserId", &id);
    xml.text("Account", &account.id);
    Ok(xml.into_string())
}

/// Issues a session if the account is active, the role exists and its trust policy lets the
/// caller in. All three failures look alike from outside, as they do on the live service.
fn assume_role(world: &mut World, request: &Request) -> Result<String, ApiError> {
    let arn = request.require("RoleArn")?.to_owned();
    let name = session_name(request)?;
    let duration = duration(request)?;
    let caller = request.caller.arn(own(world.org, request)?);
    let denied = || ApiError::denied(&caller, "sts:AssumeRole", &arn);
    let (account, role_name) = split_arn(&arn).ok_or_else(denied)?;
    let account = world.org.accounts.get_mut(account).ok_or_else(denied)?;
    let role = account.roles.get(role_name).ok_or_else(denied)?;
    let trusted = account.arn(&format!("role{}{}", role.path, role.name)) == arn
        && trusts(account, role, request, &caller);
    if account.state != AccountState::Active || !trusted {
        return Err(denied());
    }
    let session = Session {
        account: account.id.clone(),
        role: role.name.clone(),
        role_id: role.id.clone(),
        name,
        expired: false,
    };
    let used = RoleUse { at: world.org.clock.now(), region: "us-east-1".to_owned() };
    if let Some(role) = account.roles.get_mut(role_name) {
        role.last_used = Some(used);
    }
    Ok(issue(world, request, session, duration))
}

/// The end is told by the client's own clock (from its signature): SDKs throw away credentials
/// that seem to have ended, and the simulated clock may be years from theirs.
fn issue(
    world: &mut World,
    request: &Request,
    session: Session,
    duration: SignedDuration,
) -> String {
    let org = &mut world.org;
    let key = world.pages.session_key();
    let from = request.signed_at.unwrap_or_else(|| org.clock.now());
    let who = format!("{}:{}", session.role_id, session.name);
    let arn = format!(
        "arn:{}:sts::{}:assumed-role/{}/{}",
        org.partition, session.account, session.role, session.name
    );
    org.sessions.insert(key.clone(), session);
    let mut xml = Xml::new();
    xml.nest("AssumedRoleUser", |xml| {
        xml.text("AssumedRoleId", &who);
        xml.text("Arn", &arn);
    });
    xml.nest("Credentials", |xml| {
        xml.text("AccessKeyId", &key);
        xml.text("SecretAccessKey", NOT_A_SECRET);
        xml.text("SessionToken", NOT_A_SECRET);
        xml.time("Expiration", from + duration);
    });
    xml.into_string()
}

fn session_name(request: &Request) -> Result<String, ApiError> {
    let name = request.require("RoleSessionName")?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    if (2..=64).contains(&name.len()) && name.chars().all(allowed) {
        return Ok(name.to_owned());
    }
    Err(ApiError::validation("roleSessionName must be 2 to 64 characters of [\\w+=,.@-]"))
}

fn duration(request: &Request) -> Result<SignedDuration, ApiError> {
    let seconds = request.param("DurationSeconds").unwrap_or("3600").parse::<i64>();
    match seconds {
        Ok(seconds) if (900..=43_200).contains(&seconds) => Ok(SignedDuration::from_secs(seconds)),
        _ => Err(ApiError::validation("durationSeconds is out of range")),
    }
}

/// `arn:aws:iam::123456789012:role/path/name` → account and name.
fn split_arn(arn: &str) -> Option<(&str, &str)> {
    let mut parts = arn.splitn(6, ':').skip(4);
    let account = parts.next()?;
    let name = parts.next()?.strip_prefix("role/")?.rsplit('/').next()?;
    Some((account, name))
}

fn trusts(account: &Account, role: &Role, request: &Request, caller: &str) -> bool {
    let Ok(document) = serde_json::from_str::<Value>(&role.trust) else {
        return false;
    };
    let root = format!("arn:{}:iam::{}:root", account.partition, request.account);
    let is_caller =
        |name: &str| [root.as_str(), request.account.as_str(), caller, "*"].contains(&name);
    document["Statement"].as_array().into_iter().flatten().any(|statement| {
        let principal = match &statement["Principal"] {
            Value::Object(kinds) => kinds.get("AWS").unwrap_or(&Value::Null),
            other => other,
        };
        let wanted = &statement["Condition"]["StringEquals"]["sts:ExternalId"];
        statement["Effect"] == "Allow"
            && strings(&statement["Action"]).any(|action| action == "sts:AssumeRole")
            && strings(principal).any(is_caller)
            && (wanted.is_null()
                || strings(wanted).any(|id| request.param("ExternalId") == Some(id)))
    })
}

/// A policy element is one string or a list of them.
fn strings(value: &Value) -> impl Iterator<Item = &str> {
    let one = value.as_str();
    let many = value.as_array().into_iter().flatten().filter_map(Value::as_str);
    one.into_iter().chain(many)
}
