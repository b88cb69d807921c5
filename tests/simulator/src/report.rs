//! The credential report: one stored copy per account, made at most every four hours.
//!
//! The copy is bytes, made once. What changes afterwards does not change it, so a key deleted
//! since is still in it and a user made since is not: what readers of the real one live with.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};

use crate::call::{ApiError, Request, own};
use crate::organization::{AccessKey, Account, User};
use crate::server::World;
use crate::xml::{Xml, iso};

/// How long a report is kept before AWS makes another.
const LIFETIME: SignedDuration = SignedDuration::from_hours(4);

/// The header, word for word
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_getting-report.html>).
pub(crate) const HEADER: &str = "user,arn,user_creation_time,password_enabled,password_last_used,\
password_last_changed,password_next_rotation,mfa_active,access_key_1_active,\
access_key_1_last_rotated,access_key_1_last_used_date,access_key_1_last_used_region,\
access_key_1_last_used_service,access_key_2_active,access_key_2_last_rotated,\
access_key_2_last_used_date,access_key_2_last_used_region,access_key_2_last_used_service,\
cert_1_active,cert_1_last_rotated,cert_2_active,cert_2_last_rotated";

/// A stored report.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    base64: String,
    generated_at: Timestamp,
    /// Requests that will still hear that it is in progress.
    pending: u32,
}

pub(crate) fn generate(world: &mut World, request: &Request) -> Result<String, ApiError> {
    let now = world.org.now();
    let delay = world.org.report_delay;
    let account = world.org.accounts.get_mut(&request.account);
    let account = account.ok_or_else(crate::call::unknown_token)?;
    let (state, description) = match &mut account.report {
        Some(report) if report.pending > 0 => {
            report.pending -= 1;
            ("INPROGRESS", None)
        }
        Some(report) if now.duration_since(report.generated_at) < LIFETIME => ("COMPLETE", None),
        _ => {
            let base64 = STANDARD.encode(csv(account));
            account.report = Some(Report { base64, generated_at: now, pending: delay });
            ("STARTED", Some("No report exists. Starting a new report generation task"))
        }
    };
    let mut xml = Xml::new();
    xml.text("State", state);
    xml.maybe("Description", description);
    Ok(xml.into_string())
}

pub(crate) fn get(world: &mut World, request: &Request) -> Result<String, ApiError> {
    let now = world.org.now();
    own(world.org, request)?;
    let report = world.org.accounts.get_mut(&request.account).and_then(|a| a.report.as_mut());
    let Some(report) = report else {
        return Err(ApiError::new(410, "ReportNotPresent", "No report exists."));
    };
    if report.pending > 0 {
        report.pending -= 1;
        return Err(ApiError::new(404, "ReportInProgress", "The report is being generated."));
    }
    if now.duration_since(report.generated_at) >= LIFETIME {
        return Err(ApiError::new(410, "ReportExpired", "The report has expired."));
    }
    let mut xml = Xml::new();
    xml.open("Content");
    xml.raw(&report.base64);
    xml.close("Content");
    xml.text("ReportFormat", "text/csv");
    xml.time("GeneratedTime", report.generated_at);
    Ok(xml.into_string())
}

/// The report as bytes: root first, then users by name; no newline at the end.
pub(crate) fn csv(account: &Account) -> String {
    let mut lines = Vec::with_capacity(account.users.len() + 2);
    lines.push(HEADER.to_owned());
    lines.push(root_row(account));
    lines.extend(account.users.values().map(|user| user_row(account, user)));
    lines.join("\n")
}

fn root_row(account: &Account) -> String {
    let root = &account.root;
    let mut row = vec![
        "<root_account>".to_owned(),
        account.arn("root"),
        iso(root.created_at),
        "not_supported".to_owned(),
        root.password_last_used.map_or_else(|| "no_information".to_owned(), iso),
        "not_supported".to_owned(),
        "not_supported".to_owned(),
        root.mfa.to_string(),
    ];
    key_columns(&mut row, account, &root.access_keys);
    certificate_columns(&mut row, &[]);
    row.join(",")
}

fn user_row(account: &Account, user: &User) -> String {
    let mut row = vec![
        user.name.clone(),
        account.arn(&format!("user{}{}", user.path, user.name)),
        iso(user.created_at),
    ];
    match &user.password {
        Some(password) => row.extend([
            "true".to_owned(),
            password.last_used.map_or_else(|| "no_information".to_owned(), iso),
            iso(password.changed_at),
            "N/A".to_owned(),
        ]),
        None => row.extend(["false", "N/A", "N/A", "N/A"].map(str::to_owned)),
    }
    row.push(user.mfa.to_string());
    key_columns(&mut row, account, &user.access_keys);
    let certificates: Vec<_> = user
        .signing_certificates
        .iter()
        .map(|certificate| (certificate.active, certificate.uploaded_at))
        .collect();
    certificate_columns(&mut row, &certificates);
    row.join(",")
}

/// Two slots in ascending order of key id, as observed on the live service: a key can change
/// its slot when another one comes or goes. An inactive key keeps its rotation time.
fn key_columns(row: &mut Vec<String>, account: &Account, ids: &[String]) {
    let mut keys: Vec<&AccessKey> =
        ids.iter().filter_map(|id| account.access_keys.get(id)).collect();
    keys.sort_by(|a, b| a.id.cmp(&b.id));
    for slot in 0..2 {
        let Some(key) = keys.get(slot) else {
            row.extend(["false", "N/A", "N/A", "N/A", "N/A"].map(str::to_owned));
            continue;
        };
        row.extend([key.active.to_string(), iso(key.created_at)]);
        match &key.last_used {
            Some(used) => row.extend([iso(used.at), used.region.clone(), used.service.clone()]),
            None => row.extend(["N/A", "N/A", "N/A"].map(str::to_owned)),
        }
    }
}

fn certificate_columns(row: &mut Vec<String>, certificates: &[(bool, Timestamp)]) {
    for slot in 0..2 {
        match certificates.get(slot) {
            Some((active, uploaded_at)) => row.extend([active.to_string(), iso(*uploaded_at)]),
            None => row.extend(["false", "N/A"].map(str::to_owned)),
        }
    }
}
