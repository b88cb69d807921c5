//! From HTTP to a [`Request`]: AWS Query (form) and AWS JSON 1.1.

use std::collections::BTreeMap;

use axum::http::HeaderMap;
use jiff::civil::DateTime;
use jiff::{Timestamp, tz::TimeZone};
use serde_json::Value;

use crate::call::{ApiError, Caller, Request, unknown_token};
use crate::iam;
use crate::organization::{AccountState, Organization};

/// How a request is written and its answer must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    IamQuery,
    StsQuery,
    Json,
}

/// A request as far as it could be read. The action is known even when the caller is not.
#[derive(Debug)]
pub struct Decoded {
    pub(crate) protocol: Protocol,
    pub(crate) action: String,
    pub(crate) request: Result<Request, ApiError>,
}

pub(crate) fn decode(org: &Organization, headers: &HeaderMap, body: &[u8]) -> Decoded {
    let (protocol, action, params) = match header(headers, "x-amz-target") {
        Some(target) => {
            let operation = target.rsplit('.').next().unwrap_or(target);
            (Protocol::Json, format!("organizations:{operation}"), json_params(body))
        }
        None => {
            let params = form_params(body);
            let is_iam = params.get("Version").is_none_or(|version| version == iam::VERSION);
            let (protocol, service) =
                if is_iam { (Protocol::IamQuery, "iam") } else { (Protocol::StsQuery, "sts") };
            let operation = params.get("Action").map_or("", String::as_str);
            (protocol, format!("{service}:{operation}"), params)
        }
    };
    let request = access_key(headers).and_then(|key| {
        let (account, caller) = identify(org, key)?;
        let signed_at = header(headers, "x-amz-date").and_then(signing_time);
        let action = action.clone();
        Ok(Request { account, caller, action, params, signed_at, quirk: None, most: None })
    });
    Decoded { protocol, action, request }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn form_params(body: &[u8]) -> BTreeMap<String, String> {
    url::form_urlencoded::parse(body).into_owned().collect()
}

fn json_params(body: &[u8]) -> BTreeMap<String, String> {
    let Ok(Value::Object(members)) = serde_json::from_slice(body) else {
        return BTreeMap::new();
    };
    let text = |value: Value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    members.into_iter().map(|(name, value)| (name, text(value))).collect()
}

/// `AWS4-HMAC-SHA256 Credential=AKIA…/20260115/us-east-1/iam/aws4_request, …` → `AKIA…`
fn access_key(headers: &HeaderMap) -> Result<&str, ApiError> {
    header(headers, "authorization")
        .and_then(|value| value.split_once("Credential="))
        .and_then(|(_, rest)| rest.split('/').next())
        .ok_or_else(|| {
            ApiError::new(
                403,
                "MissingAuthenticationToken",
                "Request is missing Authentication Token",
            )
        })
}

/// A key that nobody here issued belongs to whoever runs the test: the management account.
fn identify(org: &Organization, key: &str) -> Result<(String, Caller), ApiError> {
    if let Some(session) = org.sessions.get(key) {
        if session.expired {
            let message = "The security token included in the request is expired";
            return Err(ApiError::new(403, "ExpiredToken", message));
        }
        let active = |id: &String| {
            org.accounts.get(id).is_some_and(|account| account.state == AccountState::Active)
        };
        if !active(&session.account) {
            return Err(unknown_token());
        }
        let caller = Caller::Session {
            role: session.role.clone(),
            role_id: session.role_id.clone(),
            name: session.name.clone(),
        };
        return Ok((session.account.clone(), caller));
    }
    let Some(home) = org.key_home.get(key) else {
        return Ok((org.management.clone(), Caller::Ambient));
    };
    let record = org.accounts.get(home).and_then(|account| account.access_keys.get(key));
    let record = record.filter(|record| record.active).ok_or_else(unknown_token)?;
    let caller = match &record.user {
        Some(name) => Caller::User { name: name.clone() },
        None => Caller::Root,
    };
    Ok((home.clone(), caller))
}

/// `20260115T090000Z`
fn signing_time(text: &str) -> Option<Timestamp> {
    let civil = DateTime::strptime("%Y%m%dT%H%M%SZ", text).ok()?;
    Some(civil.to_zoned(TimeZone::UTC).ok()?.timestamp())
}
