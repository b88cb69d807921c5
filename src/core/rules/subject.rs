//! A record as rules look at it, and the few vendor words that rules know.

use std::collections::BTreeSet;

use headcount_sdk::model::{Class, Level, Status};

use super::{Verdict, Violation};
use crate::findings::{Certainty, Severity};
use crate::inventory::{Record, Surroundings};

/// Record kinds that some rule treats in a way of its own; connectors use these very words.
pub(super) mod kind {
    pub const ACCESS_KEY: &str = "access-key";
    /// Trust in an identity provider: it proves identities, but holds no secret that could age.
    pub const PROVIDERS: [&str; 2] = ["oidc-provider", "saml-provider"];
    /// The all-powerful login of an account. It belongs to the account, not to a team.
    pub const ROOT_USER: &str = "root-user";
}

/// Values of the attribute `trust_class`.
pub(super) mod trust_class {
    /// Made, changed and deleted by the vendor's service; the customer cannot edit it.
    pub const SERVICE_LINKED: &str = "service-linked";
    /// Made from a permission set, for people.
    pub const IDENTITY_CENTER: &str = "identity-center";
}

/// A record and its linked neighbourhood.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    pub record: &'a Record,
    /// The identity that it belongs to. `None` with `record.observation.parent` set means that
    /// the parent is not in the inventory (yet).
    pub parent: Option<&'a Record>,
    /// What its links reach, and what reaches it.
    pub around: &'a Surroundings,
}

impl Subject<'_> {
    pub(super) fn is_identity(&self) -> bool {
        self.record.observation.class == Class::Identity
    }

    pub(super) fn is_credential(&self) -> bool {
        self.record.observation.class == Class::Credential
    }

    pub(super) fn is_root(&self) -> bool {
        self.record.observation.kind == kind::ROOT_USER
    }

    /// Whether the identity belongs to one of these trust classes: `NotApplicable` if so,
    /// `Unknown` when that could not be read, `None` when the rule should go on.
    pub(super) fn exempt(&self, classes: &[&str]) -> Option<Verdict> {
        match self.record.observation.attributes.get("trust_class") {
            Some(class) => classes.contains(&class.as_str()).then_some(Verdict::NotApplicable),
            None => self.unread("attributes.trust_class"),
        }
    }

    /// `Unknown` when this scan could not read the field.
    pub(super) fn unread(&self, field: &str) -> Option<Verdict> {
        // Mostly the missing permission, but also why an answer was not understood.
        let why = self.record.observation.unread.get(field)?;
        Some(Verdict::unknown(format!("{field} ({why})")))
    }

    /// `Unknown` when the record belongs to one that the inventory does not have (yet).
    pub(super) fn parent_missing(&self) -> Option<Verdict> {
        let named = self.record.observation.parent.as_ref()?;
        self.parent.is_none().then(|| Verdict::unknown(format!("the identity {named}")))
    }

    /// How sure it is that the record can be used; `None` = it is switched off.
    ///
    /// Where the source does not say, it is taken as usable: to wait for an answer that never
    /// comes would hide the record for good.
    pub(super) fn usable(&self) -> Option<Certainty> {
        match self.record.observation.status {
            Status::Active => Some(Certainty::High),
            Status::Unknown => Some(Certainty::Medium),
            Status::Disabled => None,
        }
    }

    /// Whether the record is, or can make itself, an administrator, as far as known.
    pub(super) fn is_powerful(&self) -> bool {
        let privilege = self.record.observation.privilege.as_ref();
        privilege.is_some_and(|p| p.level >= Level::Escalating)
    }

    /// How a title names the record: `access-key AKIA… of ci-deploy in aws:123456789012`.
    pub(super) fn label(&self) -> String {
        let o = &self.record.observation;
        let name = if o.name.is_empty() { o.id.as_str() } else { &o.name };
        let of = self.parent.filter(|_| self.is_credential());
        let of = of.map_or(String::new(), |parent| format!(" of {}", parent.observation.name));
        format!("{} {name}{of} in {}", o.kind, self.record.scope.place)
    }

    /// A violation with the facts that every finding on a record carries.
    pub(super) fn violation(
        &self,
        severity: Severity,
        confidence: Certainty,
        title: String,
    ) -> Violation {
        let violation = Violation::new(severity, confidence, title)
            .fact("kind", &self.record.observation.kind)
            .fact("native", &self.record.observation.native)
            .fact("place", &self.record.scope.place);
        match &self.record.observation.parent {
            Some(parent) => violation.fact("identity", parent),
            None => violation,
        }
    }
}

/// Texts for a title: in one order, each once, so that the order of a source's answer is not news.
pub(super) fn listed<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    texts.into_iter().collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(", ")
}
