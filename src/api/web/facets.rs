//! What the inventory can be narrowed down to, with exact counts. Pure.
//!
//! The store counts records by source, class, kind, status and whether there is an owner. Any
//! choice among these five is a sum over those few rows, so no record is looked at. Words that are
//! searched for are not in the counts, and then no counts are shown.

use std::collections::BTreeMap;

use headcount_sdk::Class;
use serde::Deserialize;

use super::address::Address;
use crate::store::RecordCount;

/// What a person chose; empty means everything. The names are those of the address.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub struct Chosen {
    pub source: String,
    pub class: String,
    pub kind: String,
    pub status: String,
    /// `yes` or `no`.
    pub owned: String,
    /// Words to search for.
    pub q: String,
    pub sort: String,
    /// Where the page begins.
    pub after: String,
}

/// The dimensions in the order in which they are shown.
const DIMENSIONS: [(&str, &str); 5] = [
    ("class", "Class"),
    ("source", "Source"),
    ("kind", "Kind"),
    ("status", "Status"),
    ("owned", "Owner"),
];

/// One dimension.
#[derive(Debug)]
pub struct Facet {
    pub title: &'static str,
    pub values: Vec<Value>,
}

#[derive(Debug)]
pub struct Value {
    pub label: String,
    pub count: u64,
    pub is_chosen: bool,
    /// Chooses it, or takes the choice back.
    pub href: String,
}

impl Chosen {
    fn of(&self, dimension: &str) -> &str {
        match dimension {
            "source" => &self.source,
            "class" => &self.class,
            "kind" => &self.kind,
            "status" => &self.status,
            _ => &self.owned,
        }
    }

    /// The address of this choice with one dimension changed, at its first page.
    #[must_use]
    pub fn with(&self, dimension: &str, value: &str) -> String {
        let mut address = Address::of("/inventory");
        for (name, _) in DIMENSIONS {
            let chosen = if name == dimension { value } else { self.of(name) };
            address = address.with(name, chosen);
        }
        let others = [("q", &self.q), ("sort", &self.sort)];
        for (name, chosen) in others {
            address = address.with(name, if name == dimension { value } else { chosen });
        }
        address.into_text()
    }

    /// What was chosen, each with the address without it.
    #[must_use]
    pub fn chips(&self) -> Vec<(String, String)> {
        let mut chips = Vec::new();
        for (name, title) in DIMENSIONS {
            let value = self.of(name);
            if !value.is_empty() {
                chips.push((format!("{title}: {}", label(name, value)), self.with(name, "")));
            }
        }
        if !self.q.is_empty() {
            chips.push((format!("Search: {}", self.q), self.with("q", "")));
        }
        chips
    }

    /// Whether records counted by this row are shown.
    #[must_use]
    pub fn takes(&self, row: &RecordCount) -> bool {
        self.fits(row, "")
    }

    /// Whether records counted by this row fit, one dimension left out of account.
    fn fits(&self, row: &RecordCount, except: &str) -> bool {
        let others = DIMENSIONS.iter().map(|(name, _)| *name).filter(|name| *name != except);
        let fits = |name| self.of(name).is_empty() || self.of(name) == value(row, name);
        let is_shown = except == "class" || !self.class.is_empty() || is_counted(row);
        is_shown && others.into_iter().all(fits)
    }
}

/// People and workloads are kept, not counted: they show only when they are asked for.
fn is_counted(row: &RecordCount) -> bool {
    !matches!(row.class, Class::Principal | Class::Workload)
}

fn value<'a>(row: &'a RecordCount, dimension: &str) -> &'a str {
    match dimension {
        "source" => &row.source,
        "class" => row.class.as_str(),
        "kind" => &row.kind,
        "status" => &row.status,
        _ => {
            if row.owned {
                "yes"
            } else {
                "no"
            }
        }
    }
}

fn label(dimension: &str, value: &str) -> String {
    match (dimension, value) {
        ("class", "identity") => "identities".to_owned(),
        ("class", "ai_agent") => "AI agents".to_owned(),
        ("class", "credential") => "credentials".to_owned(),
        ("class", "grant") => "grants".to_owned(),
        ("class", "principal") => "people".to_owned(),
        ("class", "workload") => "workloads".to_owned(),
        ("owned", "yes") => "somebody is named".to_owned(),
        ("owned", "no") => "nobody is named".to_owned(),
        _ => value.to_owned(),
    }
}

/// How many records fit the choice, the words that are searched for left out of account.
#[must_use]
pub fn total(counts: &[RecordCount], chosen: &Chosen) -> u64 {
    counts.iter().filter(|row| chosen.takes(row)).map(|row| row.count).sum()
}

/// Every dimension with its values: the most frequent first, the chosen ones always there.
#[must_use]
pub fn facets(counts: &[RecordCount], chosen: &Chosen) -> Vec<Facet> {
    let facet = |(name, title): &(&'static str, &'static str)| {
        let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
        for row in counts.iter().filter(|row| chosen.fits(row, name)) {
            *sums.entry(value(row, name)).or_default() += row.count;
        }
        if !chosen.of(name).is_empty() {
            sums.entry(chosen.of(name)).or_default();
        }
        let mut sums: Vec<(&str, u64)> = sums.into_iter().collect();
        sums.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        let values = sums.into_iter().map(|(text, count)| {
            let is_chosen = chosen.of(name) == text;
            let href = chosen.with(name, if is_chosen { "" } else { text });
            Value { label: label(name, text), count, is_chosen, href }
        });
        Facet { title, values: values.collect() }
    };
    DIMENSIONS.iter().map(facet).filter(|facet| !facet.values.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(class: Class, kind: &str, owned: bool, count: u64) -> RecordCount {
        let (source, kind, status) = ("aws".to_owned(), kind.to_owned(), "active".to_owned());
        RecordCount { source, class, kind, status, owned, count }
    }

    fn rows() -> Vec<RecordCount> {
        vec![
            row(Class::Credential, "access-key", true, 5),
            row(Class::Identity, "iam-role", false, 7),
            row(Class::Identity, "iam-role", true, 11),
            row(Class::Identity, "iam-user", true, 2),
            row(Class::Principal, "iam-user", true, 100),
        ]
    }

    fn counts(facets: &[Facet], title: &str) -> Vec<(String, u64)> {
        let facet = facets.iter().filter(|facet| facet.title == title);
        facet.flat_map(|f| &f.values).map(|v| (v.label.clone(), v.count)).collect()
    }

    #[test]
    fn people_are_offered_and_not_counted() {
        let all = Chosen::default();
        assert_eq!(total(&rows(), &all), 25);
        let facets = facets(&rows(), &all);
        let classes = [("people", 100), ("identities", 20), ("credentials", 5)];
        assert_eq!(counts(&facets, "Class"), classes.map(|(l, n)| (l.to_owned(), n)));
        let kinds = [("iam-role", 18), ("access-key", 5), ("iam-user", 2)];
        assert_eq!(counts(&facets, "Kind"), kinds.map(|(l, n)| (l.to_owned(), n)));
    }

    #[test]
    fn a_dimension_counts_what_the_others_leave() {
        let chosen =
            Chosen { class: "identity".to_owned(), owned: "no".to_owned(), ..Chosen::default() };
        assert_eq!(total(&rows(), &chosen), 7);
        let facets = facets(&rows(), &chosen);
        let owned = [("somebody is named", 13), ("nobody is named", 7)];
        assert_eq!(counts(&facets, "Owner"), owned.map(|(l, n)| (l.to_owned(), n)));
        assert_eq!(counts(&facets, "Kind"), [("iam-role".to_owned(), 7)]);
    }

    #[test]
    fn a_choice_that_fits_nothing_can_be_taken_back() {
        let chosen = Chosen { kind: "gone".to_owned(), q: "a b".to_owned(), ..Chosen::default() };
        assert_eq!(total(&rows(), &chosen), 0);
        let facets = facets(&rows(), &chosen);
        assert!(counts(&facets, "Kind").contains(&("gone".to_owned(), 0)));
        let gone = facets.iter().flat_map(|f| &f.values).find(|v| v.is_chosen);
        assert_eq!(gone.map(|v| v.href.as_str()), Some("/inventory?q=a+b"));
        assert_eq!(chosen.chips()[1], ("Search: a b".to_owned(), chosen.with("q", "")));
    }
}
