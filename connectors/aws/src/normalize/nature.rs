//! Is a user a person or a machine?
//!
//! IAM does not say; passwords, keys, names, paths and tags hint at it. What somebody stated in
//! a tag or path outweighs what the credentials suggest, and those outweigh the name.

use std::collections::BTreeMap;

use headcount_sdk::{Confidence, Nature, NatureKind};

use super::owner::is_email;
use crate::report::Row;

/// Words in a name that people do not carry.
const MACHINE_WORDS: &[&str] = &[
    "api",
    "app",
    "automation",
    "backup",
    "bedrockapikey",
    "bot",
    "build",
    "ci",
    "cicd",
    "cron",
    "daemon",
    "deploy",
    "deployer",
    "deployment",
    "exporter",
    "github",
    "gitlab",
    "integration",
    "jenkins",
    "job",
    "lambda",
    "machine",
    "monitoring",
    "pipeline",
    "robot",
    "runner",
    "s3",
    "scanner",
    "server",
    "service",
    "ses",
    "smtp",
    "svc",
    "sync",
    "system",
    "terraform",
    "uploader",
    "worker",
];
const MACHINE_PATHS: &[&str] = &[
    "automation",
    "bots",
    "ci",
    "machine",
    "machines",
    "robots",
    "service",
    "services",
    "svc",
    "system",
];
const PERSON_PATHS: &[&str] = &["employees", "human", "humans", "people", "staff"];
const MACHINE_VALUES: &[&str] = &[
    "bot",
    "machine",
    "non-human",
    "nonhuman",
    "robot",
    "service",
    "service-account",
    "system",
    "workload",
];
const PERSON_VALUES: &[&str] = &["employee", "human", "person", "user"];
/// Tags that state the nature outright.
const NATURE_TAGS: &[&str] = &["type", "kind", "usertype", "accounttype", "identitytype", "nature"];

/// Judges a user. Without its row of the credential report only name, path and tags speak.
pub(crate) fn judge(
    name: &str,
    path: &str,
    tags: &BTreeMap<String, String>,
    row: Option<&Row>,
) -> Nature {
    stated(path, tags).unwrap_or_else(|| match row {
        Some(row) => from_credentials(name, row),
        None => from_name(name),
    })
}

fn nature(kind: NatureKind, percent: u8, basis: String) -> Nature {
    Nature { kind, basis, confidence: Confidence::percent(percent) }
}

fn stated(path: &str, tags: &BTreeMap<String, String>) -> Option<Nature> {
    for (key, value) in tags {
        let folded: String =
            key.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
        let value = value.trim().to_ascii_lowercase();
        let says = |kind| Some(nature(kind, 95, format!("tag {key}={value}")));
        let is_stating = NATURE_TAGS.contains(&folded.as_str());
        match (folded.as_str(), value.as_str()) {
            ("human", "true" | "yes") => return says(NatureKind::Person),
            ("human", "false" | "no") => return says(NatureKind::Machine),
            (_, v) if is_stating && PERSON_VALUES.contains(&v) => return says(NatureKind::Person),
            (_, v) if is_stating && MACHINE_VALUES.contains(&v) => {
                return says(NatureKind::Machine);
            }
            _ => {}
        }
    }
    let first = path.split('/').find(|segment| !segment.is_empty())?.to_ascii_lowercase();
    let says = |kind| Some(nature(kind, 85, format!("path {path}")));
    if PERSON_PATHS.contains(&first.as_str()) {
        return says(NatureKind::Person);
    }
    if MACHINE_PATHS.contains(&first.as_str()) { says(NatureKind::Machine) } else { None }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum NameHint {
    Person,
    Machine,
    Neither,
}

fn hint(name: &str) -> NameHint {
    if is_email(name) {
        return NameHint::Person;
    }
    let lower = name.to_ascii_lowercase();
    let mut words = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    if words.clone().any(|word| {
        let unnumbered = word.trim_end_matches(|c: char| c.is_ascii_digit());
        MACHINE_WORDS.contains(&word) || MACHINE_WORDS.contains(&unnumbered)
    }) {
        return NameHint::Machine;
    }
    let two_names = lower.contains('.')
        && words.clone().count() == 2
        && words.all(|word| word.len() > 1 && word.chars().all(char::is_alphabetic));
    if two_names { NameHint::Person } else { NameHint::Neither }
}

fn from_credentials(name: &str, row: &Row) -> Nature {
    use NatureKind::{Machine, Person};
    let password = row.password_enabled == Some(true);
    let active_key = row.keys.iter().any(|key| key.active);
    let facts = format!(
        "{}; {}; {}",
        if password { "console password" } else { "no console password" },
        if row.mfa { "MFA" } else { "no MFA" },
        if active_key { "active access key" } else { "no active access key" },
    );
    let hinted = hint(name);
    let (kind, percent) = match (password, row.mfa, active_key, hinted) {
        (true, true, _, NameHint::Machine) => (Person, 70),
        (true, true, _, _) => (Person, 95),
        (true, false, true, NameHint::Machine) => (Machine, 60),
        (true, false, true, _) => (Person, 75),
        (true, false, false, NameHint::Machine) => (Person, 60),
        (true, false, false, _) => (Person, 85),
        (false, _, true, NameHint::Machine) => (Machine, 95),
        // People who work with the command line alone, behind MFA.
        (false, true, true, NameHint::Person) => (Person, 60),
        (false, _, true, NameHint::Person) => (Machine, 60),
        (false, _, true, NameHint::Neither) => (Machine, 85),
        (false, _, false, NameHint::Machine) => (Machine, 80),
        (false, true, false, _) | (false, _, false, NameHint::Person) => (Person, 60),
        (false, false, false, NameHint::Neither) => (Machine, 50),
    };
    nature(kind, percent, facts)
}

/// A machine until shown otherwise: an identity that is not counted is the worse mistake.
fn from_name(name: &str) -> Nature {
    let basis = "name only: the credential report was not read";
    match hint(name) {
        NameHint::Machine => nature(NatureKind::Machine, 50, basis.to_owned()),
        NameHint::Person | NameHint::Neither => nature(NatureKind::Machine, 20, basis.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::report::{CertificateSlot, KeySlot, Use};

    fn row(password: bool, mfa: bool, key: bool) -> Row {
        let slot = |active| KeySlot { active, rotated_at: None, used: Use::Never };
        let certificate = CertificateSlot { active: false, rotated_at: None };
        Row {
            created_at: Timestamp::UNIX_EPOCH,
            password_enabled: Some(password),
            password_used: Use::Never,
            mfa,
            keys: [slot(key), slot(false)],
            certificates: [certificate.clone(), certificate],
            additional: String::new(),
        }
    }

    fn kind(name: &str, path: &str, tag: Option<(&str, &str)>, row: Option<&Row>) -> NatureKind {
        let tags = tag.map(|(k, v)| (k.to_owned(), v.to_owned())).into_iter().collect();
        judge(name, path, &tags, row).kind
    }

    #[test]
    fn credentials_tell_people_from_machines() {
        use NatureKind::{Machine, Person};
        let rows = [
            ("ana", row(true, true, false), Person),
            ("ana", row(true, true, true), Person),
            ("ana", row(true, false, true), Person),
            ("deploy-bot", row(true, false, true), Machine),
            ("deploy-bot", row(false, false, true), Machine),
            ("x7", row(false, false, true), Machine),
            ("ana.silva", row(false, true, true), Person),
            ("ana.silva", row(false, false, true), Machine),
            ("svc-export", row(false, false, false), Machine),
            ("ana@example.com", row(false, false, false), Person),
        ];
        for (name, row, expected) in rows {
            assert_eq!(kind(name, "/", None, Some(&row)), expected, "{name} {row:?}");
        }
    }

    #[test]
    fn a_statement_outweighs_the_credentials() {
        use NatureKind::{Machine, Person};
        let person = row(true, true, false);
        assert_eq!(kind("ana", "/", Some(("Type", "service")), Some(&person)), Machine);
        assert_eq!(kind("ana", "/bots/", None, Some(&person)), Machine);
        assert_eq!(kind("x", "/people/emea/", None, Some(&row(false, false, true))), Person);
        assert_eq!(kind("x", "/bots/", Some(("human", "yes")), None), Person);
    }

    #[test]
    fn without_a_report_a_user_stays_counted_and_doubtful() {
        let nature = judge("ana.silva", "/", &BTreeMap::new(), None);
        assert_eq!(nature.kind, NatureKind::Machine);
        assert!(nature.confidence.as_percent() <= 20);
    }
}
