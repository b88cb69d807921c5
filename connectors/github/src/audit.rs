//! The audit log as a feed of hints: it knows what no webhook tells, such as secrets, webhooks and
//! runners. Polled, because GitHub pushes it to object stores only.
//!
//! The cursor is the time of recording (`created_at`), kept in the cache, and moved only when what
//! the entries named is committed. Entries may be recorded late, so each look goes back a little
//! and leaves out what it has seen, by `_document_id`.

use std::collections::{BTreeMap, BTreeSet};

use headcount_sdk::{Handled, Hint, Hints, Priority, ScanContext, ScanError, Scope};
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::client::{Hub, List, segment};
use crate::wire::AuditEntry;

const AUDIT: &str = "GET /orgs/{org}/audit-log";

/// How far each look goes back behind the last entry.
const OVERLAP: SignedDuration = SignedDuration::from_mins(5);

/// Where the log is at.
struct Tail {
    /// Recording time of the newest entry, in milliseconds.
    cursor: i64,
    /// Entries within the overlap, by id.
    seen: BTreeMap<String, i64>,
}

/// Looks again and again, until the agent stops or GitHub fails.
pub(crate) async fn poll(
    hub: &Hub,
    cx: &ScanContext,
    login: &str,
    hints: &Hints,
) -> Result<(), ScanError> {
    let started = Instant::now();
    let key = format!("github audit log of {login}");
    let kept = cx.cache.get(&key).await.and_then(|bytes| String::from_utf8(bytes).ok());
    let cursor = kept.and_then(|text| text.parse().ok());
    let mut tail =
        Tail { cursor: cursor.unwrap_or(cx.now.as_millisecond()), seen: BTreeMap::new() };
    loop {
        let passed = SignedDuration::try_from(started.elapsed()).unwrap_or_default();
        let now = cx.now.checked_add(passed).unwrap_or(cx.now);
        let at = ScanContext { now, priority: Priority::Hint, ..cx.clone() };
        match look(hub, &at, login, &mut tail, hints).await {
            Ok(()) => cx.cache.put(&key, tail.cursor.to_string().into_bytes()).await,
            Err(error @ ScanError::NotSupported { .. }) => {
                tracing::info!(organization = login, %error, "no audit log here: changes without a webhook wait for the next scan");
                std::future::pending::<()>().await;
            }
            Err(error) => return Err(error),
        }
        tokio::time::sleep(hub.tuning.audit_poll).await;
    }
}

/// One look, and what follows from it.
async fn look(
    hub: &Hub,
    cx: &ScanContext,
    login: &str,
    tail: &mut Tail,
    hints: &Hints,
) -> Result<(), ScanError> {
    let organization = hub.organization(cx, login).await?;
    let since = Timestamp::from_millisecond(tail.cursor).unwrap_or(cx.now) - OVERLAP;
    let since = Timestamp::from_second(since.as_second()).unwrap_or(since);
    let phrase = segment(&format!("created:>={since}"));
    let path = organization.path(&format!("/audit-log?include=web&order=asc&phrase={phrase}"));
    let list = List { operation: AUDIT, path: &path, key: None };
    let entries: Vec<AuditEntry> = organization.list(list).await?;
    let (news, next) = news(&entries, tail);
    let place = organization.place.to_string();
    let dirty: BTreeSet<Hint> = news.iter().flat_map(|entry| marks(entry, &place)).collect();
    if !dirty.is_empty() && hints.settle(dirty.into_iter().collect()).await == Handled::Failed {
        // The cursor stays: the same entries are met at the next look.
        return Ok(());
    }
    *tail = next;
    Ok(())
}

/// Entries that were not met before, and where the log is at when they are dealt with.
fn news<'e>(entries: &'e [AuditEntry], tail: &Tail) -> (Vec<&'e AuditEntry>, Tail) {
    let mut seen = tail.seen.clone();
    let mut cursor = tail.cursor;
    let mut news = Vec::new();
    for entry in entries {
        let at = entry.created_at.unwrap_or(tail.cursor);
        cursor = cursor.max(at);
        let known = match &entry.document_id {
            Some(id) => seen.insert(id.clone(), at).is_some(),
            // Without an id it cannot be recognised; to read again does no harm.
            None => false,
        };
        if !known {
            news.push(entry);
        }
    }
    let oldest = cursor - 2 * i64::try_from(OVERLAP.as_millis()).unwrap_or(i64::MAX);
    seen.retain(|_, at| *at >= oldest);
    (news, Tail { cursor, seen })
}

/// What an action makes dirty (<https://docs.github.com/organizations/keeping-your-organization-secure/managing-security-settings-for-your-organization/audit-log-events-for-your-organization>).
fn marks(entry: &AuditEntry, place: &str) -> Vec<Hint> {
    let action = entry.action.as_deref().unwrap_or_default();
    let (family, what) = action.split_once('.').unwrap_or((action, ""));
    let subject = entry.repo_id.map(|id| id.to_string()).or_else(|| entry.repo.clone());
    let whole = |kind: &str| Hint::whole(Scope::new(place, kind));
    // With the repository where the entry names one, else everything.
    let within = |kind: &str| match &subject {
        Some(subject) => Hint::new(Scope::new(place, kind), subject),
        None => whole(kind),
    };
    match family {
        "integration_installation" | "integration" => vec![whole("app-installations")],
        "personal_access_token" => {
            vec![whole("fine-grained-tokens"), whole("fine-grained-token-requests")]
        }
        "org_credential_authorization" => vec![whole("authorized-credentials")],
        "public_key" | "deploy_key" => vec![within("deploy-keys")],
        "hook" if subject.is_some() => vec![within("repository-webhooks")],
        "hook" => vec![whole("webhooks")],
        "environment" if what.ends_with("_actions_secret") => vec![within("environment-secrets")],
        "environment" if matches!(what, "create" | "delete") => {
            vec![whole("environments"), within("environment-secrets")]
        }
        "org" => of_organization(what).iter().map(|kind| whole(kind)).collect(),
        "repo" => of_repository(what)
            .iter()
            .map(|kind| within(kind))
            .chain(
                matches!(
                    what,
                    "create"
                        | "destroy"
                        | "transfer"
                        | "access"
                        | "rename"
                        | "archived"
                        | "unarchived"
                )
                .then(|| whole("repositories")),
            )
            .collect(),
        _ => Vec::new(),
    }
}

fn of_organization(what: &str) -> &'static [&'static str] {
    match what {
        "create_actions_secret" | "update_actions_secret" | "remove_actions_secret" => {
            &["actions-secrets"]
        }
        "create_integration_secret" | "update_integration_secret" | "remove_integration_secret" => {
            &["dependabot-secrets", "codespaces-secrets", "agents-secrets"]
        }
        "register_self_hosted_runner" | "remove_self_hosted_runner" => &["self-hosted-runners"],
        what if what.starts_with("runner_group_") => &["self-hosted-runners"],
        "add_member" | "remove_member" => &["members", "fine-grained-tokens"],
        "add_outside_collaborator" | "remove_outside_collaborator" => &["outside-collaborators"],
        _ => &[],
    }
}

fn of_repository(what: &str) -> &'static [&'static str] {
    match what {
        "create_actions_secret" | "update_actions_secret" | "remove_actions_secret" => {
            &["repository-actions-secrets"]
        }
        "create_integration_secret" | "update_integration_secret" | "remove_integration_secret" => {
            &["repository-dependabot-secrets", "repository-agents-secrets"]
        }
        "register_self_hosted_runner" | "remove_self_hosted_runner" => &["repository-runners"],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: &str, action: &str, at: i64, repo_id: Option<u64>) -> AuditEntry {
        AuditEntry {
            document_id: Some(id.to_owned()),
            action: Some(action.to_owned()),
            actor: None,
            created_at: Some(at),
            repo: None,
            repo_id,
            name: None,
            integration: None,
        }
    }

    #[test]
    fn entries_are_met_once_however_often_the_overlap_shows_them() {
        let tail = Tail { cursor: 1_000_000, seen: BTreeMap::new() };
        let entries = [
            entry("a", "hook.create", 1_000_100, None),
            entry("b", "hook.create", 1_000_200, None),
        ];
        let (first, tail) = news(&entries, &tail);
        assert_eq!((first.len(), tail.cursor), (2, 1_000_200));
        let late = [
            entry("a", "hook.create", 1_000_100, None),
            entry("c", "hook.create", 1_000_050, None),
        ];
        let (second, tail) = news(&late, &tail);
        assert_eq!(second.len(), 1, "recorded late, and not met before");
        assert_eq!(tail.cursor, 1_000_200);
        let (_, tail) = news(&[entry("z", "hook.create", 10_000_000, None)], &tail);
        assert_eq!(tail.seen.len(), 1, "what is older than the overlap is forgotten");
    }

    #[test]
    fn actions_name_what_is_dirty() {
        let rows: [(&str, Option<u64>, &[&str]); 12] = [
            ("integration_installation.create", None, &["app-installations "]),
            (
                "personal_access_token.access_revoked",
                None,
                &["fine-grained-tokens ", "fine-grained-token-requests "],
            ),
            ("public_key.create", Some(7), &["deploy-keys 7"]),
            ("public_key.create", None, &["deploy-keys "]),
            ("repo.create_actions_secret", Some(7), &["repository-actions-secrets 7"]),
            ("org.update_actions_secret", None, &["actions-secrets "]),
            ("environment.create_actions_secret", Some(7), &["environment-secrets 7"]),
            ("hook.create", Some(7), &["repository-webhooks 7"]),
            ("hook.create", None, &["webhooks "]),
            ("repo.destroy", Some(7), &["repositories "]),
            ("org.runner_group_created", None, &["self-hosted-runners "]),
            ("team.create", None, &[]),
        ];
        for (action, repo, expected) in rows {
            let found: Vec<String> = marks(&entry("x", action, 0, repo), "github:1")
                .iter()
                .map(|hint| format!("{} {}", hint.scope.kind, hint.subject))
                .collect();
            assert_eq!(found, expected, "{action}");
        }
    }
}
