//! Names for made-up people, teams, machines and accounts.

const FIRST: [&str; 16] = [
    "ada",
    "alan",
    "barbara",
    "claude",
    "dennis",
    "edsger",
    "frances",
    "grace",
    "hedy",
    "john",
    "katherine",
    "ken",
    "leslie",
    "margaret",
    "niklaus",
    "radia",
];
const LAST: [&str; 12] = [
    "allen", "baker", "chen", "diaz", "evans", "fischer", "garcia", "haddad", "ito", "jones",
    "kaya", "lopez",
];
const TEAMS: [&str; 8] =
    ["payments", "platform", "data", "security", "search", "mobile", "growth", "identity"];
const PURPOSES: [&str; 14] = [
    "billing-export",
    "ci-deploy",
    "backup",
    "log-shipper",
    "etl",
    "image-resize",
    "mail-relay",
    "metrics",
    "terraform",
    "partner-feed",
    "report-builder",
    "queue-worker",
    "model-serving",
    "audit-sync",
];
const ACCOUNTS: [&str; 7] =
    ["management", "production", "staging", "data", "security", "sandbox", "shared-services"];

/// The SAML provider that Identity Center keeps in every account.
pub(crate) const SSO_PROVIDER: &str = "AWSSSO_0f1e2d3c4b5a6978_DO_NOT_DELETE";

/// `ada.allen`, and from the 192nd person on with a number.
pub(crate) fn person(n: usize) -> String {
    let (first, last) = (FIRST[n % FIRST.len()], LAST[n / FIRST.len() % LAST.len()]);
    match n / (FIRST.len() * LAST.len()) {
        0 => format!("{first}.{last}"),
        round => format!("{first}.{last}{}", round + 1),
    }
}

pub(crate) fn email(n: usize) -> String {
    format!("{}@example.com", person(n % (FIRST.len() * LAST.len())))
}

pub(crate) fn team(n: usize) -> &'static str {
    TEAMS[n / 2 % TEAMS.len()]
}

pub(crate) fn purpose(n: usize) -> &'static str {
    PURPOSES[n % PURPOSES.len()]
}

pub(crate) fn account(n: usize) -> String {
    match ACCOUNTS.get(n) {
        Some(name) => (*name).to_owned(),
        None => format!("team-{}-{n}", team(n)),
    }
}

/// The OIDC issuer of a made-up EKS cluster.
pub(crate) fn eks_issuer(n: usize) -> String {
    format!("oidc.eks.eu-west-1.amazonaws.com/id/{:032X}", 0xC1A5_7E12_0000_u64 + n as u64)
}
