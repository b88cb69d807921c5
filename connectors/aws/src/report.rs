//! The IAM credential report: one CSV row per user, read by column name.
//!
//! Pure. It refuses a report that lacks a column it needs, a row of another length, and a value
//! it does not know: a cell guessed to be "never" would call a key in daily use stale.
//! Format: <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_getting-report.html>.

use std::collections::{BTreeMap, HashMap};

use headcount_sdk::ScanError;
use jiff::Timestamp;

/// The name that the root user has in its row.
const ROOT: &str = "<root_account>";

/// A parsed report.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Report {
    /// When AWS built it; up to four hours before it was asked for.
    pub(crate) generated_at: Timestamp,
    /// Why there is no newer one, when one was due.
    pub(crate) outdated: Option<ScanError>,
    /// Absent from servers that do not model a root user.
    pub(crate) root: Option<Row>,
    /// By ARN, which the bulk details of users carry too.
    pub(crate) users: BTreeMap<String, Row>,
}

/// One user's row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    /// Tells a user from its namesake that was deleted before.
    pub(crate) created_at: Timestamp,
    /// `None` for the root user, whose password the report does not cover.
    pub(crate) password_enabled: Option<bool>,
    pub(crate) password_used: Use,
    pub(crate) mfa: bool,
    pub(crate) keys: [KeySlot; 2],
    pub(crate) certificates: [CertificateSlot; 2],
    /// What the report says of credentials beyond the two of each kind, if anything.
    pub(crate) additional: String,
}

/// An access key as the report shows it: by slot, without its id. Slots are no identity: which
/// key stands in which one is nowhere promised.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct KeySlot {
    pub(crate) active: bool,
    /// Creation or last rotation, which for an access key are the same thing.
    pub(crate) rotated_at: Option<Timestamp>,
    pub(crate) used: Use,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CertificateSlot {
    pub(crate) active: bool,
    pub(crate) rotated_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    At(Timestamp),
    /// `N/A` or `no_information`: no credential, or not used since tracking began.
    Never,
    /// `not_supported`: the report does not cover it.
    NotSupported,
}

impl Row {
    /// The columns that change when a key is made, switched, rotated or deleted. Two equal
    /// fingerprints stand for the same keys.
    pub(crate) fn key_fingerprint(&self) -> String {
        let slots = self.keys.iter().map(|slot| (slot.active, slot.rotated_at));
        fingerprint(slots, &self.additional)
    }

    /// The same for signing certificates.
    pub(crate) fn certificate_fingerprint(&self) -> String {
        let slots = self.certificates.iter().map(|slot| (slot.active, slot.rotated_at));
        fingerprint(slots, &self.additional)
    }

    pub(crate) fn shows_keys(&self) -> bool {
        self.keys.iter().any(|slot| slot.active || slot.rotated_at.is_some())
    }

    pub(crate) fn shows_certificates(&self) -> bool {
        self.certificates.iter().any(|slot| slot.active || slot.rotated_at.is_some())
    }

    /// Credentials beyond the two slots have no columns that could change.
    pub(crate) fn shows_more(&self) -> bool {
        !self.additional.is_empty()
    }
}

fn fingerprint(slots: impl Iterator<Item = (bool, Option<Timestamp>)>, additional: &str) -> String {
    let mut text = String::new();
    for (active, rotated_at) in slots {
        text.push_str(if active { "active " } else { "inactive " });
        text.push_str(&rotated_at.map_or_else(|| "-".to_owned(), |at| at.to_string()));
        text.push('|');
    }
    text + additional
}

/// Parses a report. The error names the row and column that were not understood, never a value.
pub(crate) fn parse(content: &[u8], generated_at: Timestamp) -> Result<Report, String> {
    let mut reader = csv::Reader::from_reader(content);
    let header = reader.headers().map_err(|_| "header".to_owned())?.clone();
    let columns: HashMap<&str, usize> =
        header.iter().enumerate().map(|(at, name)| (name, at)).collect();
    let mut report = Report { generated_at, ..Report::default() };
    for (number, record) in reader.records().enumerate() {
        let record = record.map_err(|_| format!("row {}", number + 1))?;
        let cells = Cells { columns: &columns, record: &record, number: number + 1 };
        let row = row(&cells)?;
        if cells.get("user")? == ROOT {
            report.root = Some(row);
        } else if report.users.insert(cells.get("arn")?.to_owned(), row).is_some() {
            return Err(format!("row {}, arn: twice", number + 1));
        }
    }
    Ok(report)
}

fn row(cells: &Cells<'_>) -> Result<Row, String> {
    let created_at = cells.time("user_creation_time")?.ok_or(cells.broken("user_creation_time"))?;
    Ok(Row {
        created_at,
        password_enabled: match cells.get("password_enabled")? {
            "not_supported" => None,
            _ => Some(cells.flag("password_enabled")?),
        },
        password_used: cells.used("password_last_used")?,
        mfa: cells.flag("mfa_active")?,
        keys: [key_slot(cells, 1)?, key_slot(cells, 2)?],
        certificates: [certificate_slot(cells, 1)?, certificate_slot(cells, 2)?],
        additional: cells.optional("additional_credentials_info").unwrap_or_default(),
    })
}

fn key_slot(cells: &Cells<'_>, slot: u8) -> Result<KeySlot, String> {
    let column = |name: &str| format!("access_key_{slot}_{name}");
    Ok(KeySlot {
        active: cells.flag(&column("active"))?,
        rotated_at: cells.time(&column("last_rotated"))?,
        used: cells.used(&column("last_used_date"))?,
    })
}

fn certificate_slot(cells: &Cells<'_>, slot: u8) -> Result<CertificateSlot, String> {
    Ok(CertificateSlot {
        active: cells.flag(&format!("cert_{slot}_active"))?,
        rotated_at: cells.time(&format!("cert_{slot}_last_rotated"))?,
    })
}

struct Cells<'a> {
    columns: &'a HashMap<&'a str, usize>,
    record: &'a csv::StringRecord,
    number: usize,
}

impl Cells<'_> {
    fn get(&self, column: &str) -> Result<&str, String> {
        self.columns
            .get(column)
            .and_then(|&at| self.record.get(at))
            .ok_or_else(|| format!("column {column}"))
    }

    /// A column that only informs: absent, empty and the sentinels are all "nothing".
    fn optional(&self, column: &str) -> Option<String> {
        let text = self.get(column).ok()?;
        (!matches!(text, "" | "N/A" | "not_supported" | "no_information")).then(|| text.to_owned())
    }

    fn flag(&self, column: &str) -> Result<bool, String> {
        match self.get(column)? {
            "true" | "TRUE" => Ok(true),
            // A root user without credentials of its own shows `N/A` here.
            "false" | "FALSE" | "N/A" | "not_supported" => Ok(false),
            _ => Err(self.broken(column)),
        }
    }

    fn time(&self, column: &str) -> Result<Option<Timestamp>, String> {
        match self.get(column)? {
            "N/A" | "not_supported" | "no_information" => Ok(None),
            text => text.parse().map(Some).map_err(|_| self.broken(column)),
        }
    }

    fn used(&self, column: &str) -> Result<Use, String> {
        match self.get(column)? {
            "N/A" | "no_information" => Ok(Use::Never),
            "not_supported" => Ok(Use::NotSupported),
            text => text.parse().map(Use::At).map_err(|_| self.broken(column)),
        }
    }

    fn broken(&self, column: &str) -> String {
        format!("row {}, column {column}", self.number)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    const HEADER: &str = "user,arn,user_creation_time,password_enabled,password_last_used,\
        password_last_changed,password_next_rotation,mfa_active,access_key_1_active,\
        access_key_1_last_rotated,access_key_1_last_used_date,access_key_1_last_used_region,\
        access_key_1_last_used_service,access_key_2_active,access_key_2_last_rotated,\
        access_key_2_last_used_date,access_key_2_last_used_region,access_key_2_last_used_service,\
        cert_1_active,cert_1_last_rotated,cert_2_active,cert_2_last_rotated";
    const ROOT_ROW: &str = "<root_account>,arn:aws:iam::123456789012:root,2020-01-01T00:00:00Z,\
        not_supported,2025-12-01T08:00:00Z,not_supported,not_supported,true,false,N/A,N/A,N/A,N/A,\
        false,N/A,N/A,N/A,N/A,false,N/A,false,N/A";
    const DEPLOY: &str = "deploy,arn:aws:iam::123456789012:user/deploy,2021-05-05T10:00:00+00:00,\
        false,N/A,N/A,N/A,false,true,2024-02-02T00:00:00Z,2026-01-01T09:15:00Z,eu-west-1,s3,\
        false,2022-01-01T00:00:00Z,N/A,N/A,N/A,false,N/A,false,N/A";

    fn parsed(rows: &[&str]) -> Result<Report, String> {
        let text = std::iter::once(HEADER).chain(rows.iter().copied()).collect::<Vec<_>>();
        parse((text.join("\n") + "\n").as_bytes(), Timestamp::UNIX_EPOCH)
    }

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn rows_are_read_by_column_and_root_apart() {
        let report = parsed(&[ROOT_ROW, DEPLOY]).unwrap();
        let root = report.root.unwrap();
        assert_eq!(root.password_enabled, None);
        assert_eq!(root.password_used, Use::At(time("2025-12-01T08:00:00Z")));
        assert!(!root.shows_keys());
        let row = &report.users["arn:aws:iam::123456789012:user/deploy"];
        assert_eq!(row.created_at, time("2021-05-05T10:00:00Z"));
        assert_eq!(row.password_enabled, Some(false));
        assert_eq!(row.keys[0].used, Use::At(time("2026-01-01T09:15:00Z")));
        assert_eq!(row.keys[1].used, Use::Never);
        assert!(row.shows_keys() && !row.shows_certificates() && !row.shows_more());
    }

    #[test]
    fn the_fingerprint_moves_with_the_keys_and_not_with_their_use() {
        let before = parsed(&[DEPLOY]).unwrap();
        let fingerprint = |report: &Report| report.users.values().next().unwrap().key_fingerprint();
        let used = parsed(&[&DEPLOY.replace("2026-01-01T09:15", "2026-01-02T10:30")]).unwrap();
        assert_eq!(fingerprint(&before), fingerprint(&used));
        for (from, to) in [
            ("true,2024-02-02", "false,2024-02-02"),
            ("2024-02-02", "2025-02-02"),
            ("false,2022-01-01T00:00:00Z", "false,N/A"),
        ] {
            let after = parsed(&[&DEPLOY.replace(from, to)]).unwrap();
            assert_ne!(fingerprint(&before), fingerprint(&after), "{from} -> {to}");
        }
    }

    #[test]
    fn more_than_two_keys_are_noticed() {
        let text = format!("{HEADER},additional_credentials_info\n{DEPLOY},2 more access keys\n");
        let report = parse(text.as_bytes(), Timestamp::UNIX_EPOCH).unwrap();
        assert!(report.users.values().next().unwrap().shows_more());
    }

    #[test]
    fn a_report_that_is_not_understood_is_refused_with_its_place() {
        assert_eq!(
            parsed(&[&DEPLOY.replace("2026-01-01T09:15:00Z", "soon")]).unwrap_err(),
            "row 1, column access_key_1_last_used_date"
        );
        assert_eq!(parsed(&[ROOT_ROW, "deploy,arn:aws"]).unwrap_err(), "row 2");
        assert_eq!(parsed(&[DEPLOY, DEPLOY]).unwrap_err(), "row 2, arn: twice");
        assert_eq!(
            parsed(&[&DEPLOY.replace("false,N/A,N/A,N/A,false", "perhaps,N/A,N/A,N/A,false")])
                .unwrap_err(),
            "row 1, column password_enabled"
        );
        let without_column = HEADER.replace("mfa_active", "mfa") + "\n" + DEPLOY + "\n";
        assert_eq!(
            parse(without_column.as_bytes(), Timestamp::UNIX_EPOCH).unwrap_err(),
            "column mfa_active"
        );
    }
}
