//! A record as rules look at it, and the few vendor words that rules know.

use std::collections::BTreeSet;

use headcount_sdk::model::{Class, Expiry, Level, Status};
use jiff::{SignedDuration, Timestamp};

use super::{Judgement, Verdict, Violation};
use crate::findings::{Certainty, Severity};
use crate::inventory::{Record, Surroundings};

/// Record kinds that some rule treats in a way of its own; connectors use these very words.
pub(super) mod kind {
    pub const ACCESS_KEY: &str = "access-key";
    pub const APP_INSTALLATION: &str = "app-installation";
    /// Secrets that a code host hands to its jobs. Their names are listed, their values never.
    pub const CI_SECRETS: [&str; 4] =
        ["actions-secret", "agents-secret", "codespaces-secret", "dependabot-secret"];
    pub const CERTIFICATE_REQUEST: &str = "certificate-request";
    /// Certificates that the kubelet asks for on behalf of a pod, one after another.
    pub const POD_CERTIFICATE_REQUEST: &str = "pod-certificate-request";
    /// A stage of a repository's jobs, with secrets and subjects of its own.
    pub const ENVIRONMENT: &str = "environment";
    /// Trust in an identity provider: it proves identities, but holds no secret that could age.
    pub const PROVIDERS: [&str; 2] = ["oidc-provider", "saml-provider"];
    pub const OAUTH_TOKEN: &str = "oauth-token";
    pub const REPOSITORY: &str = "repository";
    /// The all-powerful login of an account. It belongs to the account, not to a team.
    pub const ROOT_USER: &str = "root-user";
    /// Machines that run jobs, and the groups that stand for them. They come and go, and their
    /// source has no place to write an owner.
    pub const RUNNERS: [&str; 2] = ["runner-group", "self-hosted-runner"];
    pub const SERVICE_ACCOUNT: &str = "service-account";
    pub const SERVICE_ACCOUNT_TOKEN: &str = "service-account-token";
    /// Tokens that could have been given an expiry.
    pub const TOKENS: [&str; 4] =
        ["app-user-token", "classic-token", "fine-grained-token", OAUTH_TOKEN];
    /// What was asked for. The credential itself is not in the inventory, or not made yet.
    pub const REQUESTS: [&str; 3] = [CERTIFICATE_REQUEST, POD_CERTIFICATE_REQUEST, TOKEN_REQUEST];
    /// Somebody asks for a token; nobody has it yet.
    pub const TOKEN_REQUEST: &str = "fine-grained-token-request";
    pub const WEBHOOK: &str = "webhook";
}

/// Attributes that any source may set, and that rules read whatever the kind of the record. The
/// readme of the REST connector says what each means.
pub(super) mod attribute {
    /// `true`: an administrator consented for everybody, or for no person at all.
    pub const ADMIN_CONSENT: &str = "admin_consent";
    /// The AI platform that a key opens.
    pub const AI_PROVIDER: &str = "ai_provider";
    /// The id by which a client asks for consent.
    pub const APP_ID: &str = "app_id";
    /// `true`: whoever made it could have given it an expiry.
    pub const CAN_EXPIRE: &str = "can_expire";
    /// So many days without use, and it ends by itself.
    pub const ENDS_WHEN_IDLE: &str = "expires_when_idle_days";
    /// `true`: whoever holds it renews it, and so moves its end.
    pub const EXPIRY_MOVES: &str = "expiry_moves";
    /// `true`: it belongs to the vendor of the source itself.
    pub const FIRST_PARTY: &str = "first_party";
    /// `true`: each client is meant to have one of its own.
    pub const PER_CLIENT: &str = "per_client";
    /// The person who consented.
    pub const PRINCIPAL_ID: &str = "principal_id";
    /// Whether a key opens only some APIs or operations.
    pub const RESTRICTED_APIS: &str = "restricted_apis";
    /// Whether a key works only for some callers: networks, sites, apps.
    pub const RESTRICTED_CALLERS: &str = "restricted_callers";
    /// What it may do, as its source writes it.
    pub const SCOPES: &str = "scopes";
    /// `true`: it belongs to another organisation.
    pub const THIRD_PARTY: &str = "third_party";
}

/// Values of the attribute `trust_class`.
pub(super) mod trust_class {
    /// Made, changed and deleted by the vendor's service; the customer cannot edit it.
    pub const SERVICE_LINKED: &str = "service-linked";
    /// Made from a permission set, for people.
    pub const IDENTITY_CENTER: &str = "identity-center";
}

/// The longest life of a credential that needs no watching: it is gone before anybody looks.
const SHORT_LIFE: SignedDuration = SignedDuration::from_hours(24);

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
        self.record.observation.class.is_identity()
    }

    pub(super) fn is_credential(&self) -> bool {
        self.record.observation.class == Class::Credential
    }

    pub(super) fn is_grant(&self) -> bool {
        self.record.observation.class == Class::Grant
    }

    pub(super) fn is_root(&self) -> bool {
        self.is_kind(kind::ROOT_USER)
    }

    pub(super) fn is_kind(&self, kind: &str) -> bool {
        self.record.observation.kind == kind
    }

    pub(super) fn is_one_of(&self, kinds: &[&str]) -> bool {
        kinds.contains(&self.record.observation.kind.as_str())
    }

    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.record.observation.attributes.get(name).map(String::as_str)
    }

    /// An attribute that the rule cannot do without, or `Unknown` why it is not there.
    pub(super) fn told(&self, name: &str) -> Result<&str, Verdict> {
        let field = format!("attributes.{name}");
        match (self.unread(&field), self.attribute(name)) {
            (Some(unread), _) => Err(unread),
            (None, Some(value)) => Ok(value),
            (None, None) => Err(Verdict::unknown(field)),
        }
    }

    /// Whether an attribute that few kinds have is `true`; `None` = it has no such attribute.
    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, Verdict> {
        match self.unread(&format!("attributes.{name}")) {
            Some(unread) => Err(unread),
            None => Ok(self.attribute(name).map(|value| value == "true")),
        }
    }

    /// Whether the cluster made it for itself and makes it again: like a service-linked role,
    /// nobody in the organisation answers for it or can change it.
    pub(super) fn is_system(&self) -> bool {
        self.attribute("system") == Some("true")
    }

    /// Whether it is the account that each namespace has without anybody asking.
    pub(super) fn is_namespace_default(&self) -> bool {
        self.attribute("is_default") == Some("true")
    }

    /// Whether to ask for its owner is to ask for another record's: a namespace's, a repository's.
    pub(super) fn belongs_elsewhere(&self) -> bool {
        self.is_namespace_default() || self.is_one_of(&kind::RUNNERS)
    }

    /// Whether it belongs to an identity that is counted, which is then the one to judge.
    pub(super) fn has_parent_identity(&self) -> bool {
        self.parent.is_some_and(|parent| parent.observation.class.is_identity())
    }

    /// Whether the credential ends by itself within a day of being made.
    pub(super) fn is_short_lived(&self) -> bool {
        let observation = &self.record.observation;
        let made = observation.created_at.unwrap_or(self.record.first_seen_at);
        match observation.expiry {
            Expiry::At { at } => at.duration_since(made) <= SHORT_LIFE,
            Expiry::Never | Expiry::NotApplicable | Expiry::Unknown => false,
        }
    }

    /// The verdict as it stands until the credential ends by itself; what has ended does no harm.
    pub(super) fn until_it_ends(&self, verdict: Verdict, now: Timestamp) -> Judgement {
        match (&verdict, &self.record.observation.expiry) {
            (Verdict::Violation(_), Expiry::At { at }) if *at <= now => {
                Judgement::steady(Verdict::Clear)
            }
            (Verdict::Violation(_), Expiry::At { at }) => Judgement::until(verdict, *at),
            _ => Judgement::steady(verdict),
        }
    }

    /// Whether the identity belongs to one of these trust classes: `NotApplicable` if so,
    /// `Unknown` when that could not be read, `None` when the rule should go on.
    ///
    /// What a cluster makes for itself stands with what a vendor's service makes for itself.
    pub(super) fn exempt(&self, classes: &[&str]) -> Option<Verdict> {
        if self.is_system() && classes.contains(&trust_class::SERVICE_LINKED) {
            return Some(Verdict::NotApplicable);
        }
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
