//! The rules of a role, reduced to one level and the one fact that decided it.
//!
//! An upper bound: admission policies and authorisers other than RBAC are not known here. A power
//! that reaches other accounts makes an administrator where it holds for the whole cluster or for
//! `kube-system`, whose accounts hold the cluster; inside of any other namespace it is no more than
//! that namespace.

use headcount_sdk::Level;

use crate::keep::PolicyRule;

/// How far a binding gives its role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach<'a> {
    Cluster,
    Namespace(&'a str),
}

/// A level, and what decided it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Power {
    pub(crate) level: Level,
    pub(crate) what: String,
}

/// One way to become more than one is.
struct Way {
    verbs: &'static [&'static str],
    groups: &'static [&'static str],
    resources: &'static [&'static str],
    /// Whether it is a way also when it is limited to named objects.
    when_named: bool,
    what: &'static str,
}

const RBAC: &[&str] = &["rbac.authorization.k8s.io"];
const CORE: &[&str] = &[""];
const WRITE: &[&str] = &["create", "update", "patch"];
const READ: &[&str] = &["get", "list", "watch"];

/// <https://kubernetes.io/docs/concepts/security/rbac-good-practices/#privilege-escalation-risks>,
/// the plainest first.
const WAYS: &[Way] = &[
    Way {
        verbs: &["escalate"],
        groups: RBAC,
        resources: &["roles", "clusterroles"],
        when_named: true,
        what: "may write roles beyond its own power (escalate)",
    },
    Way {
        verbs: &["bind"],
        groups: RBAC,
        resources: &["roles", "clusterroles"],
        when_named: true,
        what: "may bind roles beyond its own power (bind)",
    },
    Way {
        verbs: &["impersonate"],
        groups: &["", "authentication.k8s.io"],
        resources: &["users", "groups", "serviceaccounts", "uids", "userextras"],
        when_named: true,
        what: "may act as others (impersonate)",
    },
    Way {
        verbs: &["create"],
        groups: CORE,
        resources: &["serviceaccounts/token"],
        when_named: true,
        what: "makes tokens of service accounts (create serviceaccounts/token)",
    },
    Way {
        verbs: READ,
        groups: CORE,
        resources: &["secrets"],
        when_named: false,
        what: "reads secrets",
    },
    Way {
        // A command is run by POST or, over a websocket, by GET.
        verbs: &["create", "get"],
        groups: CORE,
        resources: &["pods/exec", "pods/attach"],
        when_named: false,
        what: "runs commands in pods (pods/exec)",
    },
    Way {
        verbs: &["update", "patch"],
        groups: CORE,
        resources: &["pods/ephemeralcontainers"],
        when_named: false,
        what: "puts containers into pods (pods/ephemeralcontainers)",
    },
    Way {
        verbs: &["create", "get"],
        groups: CORE,
        resources: &["nodes/proxy"],
        when_named: false,
        what: "runs commands through nodes (nodes/proxy)",
    },
    Way {
        verbs: &["create"],
        groups: CORE,
        resources: &["pods", "replicationcontrollers"],
        when_named: false,
        what: "runs pods as any service account (create pods)",
    },
    Way {
        verbs: WRITE,
        groups: &["apps", "batch"],
        resources: &[
            "deployments",
            "statefulsets",
            "daemonsets",
            "replicasets",
            "jobs",
            "cronjobs",
        ],
        when_named: false,
        what: "runs pods as any service account (writes workloads)",
    },
    Way {
        verbs: &["approve"],
        groups: &["certificates.k8s.io"],
        resources: &["signers"],
        when_named: false,
        what: "approves certificates of any user",
    },
    Way {
        verbs: WRITE,
        groups: &["admissionregistration.k8s.io"],
        resources: &["mutatingwebhookconfigurations", "validatingwebhookconfigurations"],
        when_named: false,
        what: "puts itself between everyone and the API server (admission webhooks)",
    },
];

/// Every user may ask what it may do; that is no power.
const REVIEWS: &[&str] =
    &["selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews"];

/// What a role's rules come to where its binding reaches. The strongest rule decides.
pub(crate) fn assess(rules: &[PolicyRule], reach: Reach<'_>) -> Power {
    let mut strongest = Power { level: Level::None, what: "no rules".to_owned() };
    let mut rank = (Level::None, usize::MAX);
    for rule in rules {
        let (level, way, what) = judge(rule);
        let level = limited(level, reach);
        // Of two of one level the plainer way is told.
        if level > rank.0 || (level == rank.0 && way < rank.1) {
            rank = (level, way);
            strongest = Power { level, what };
        }
    }
    if let Reach::Namespace(namespace) = reach {
        strongest.what = format!("{} in namespace {namespace}", strongest.what);
    }
    strongest
}

fn limited(level: Level, reach: Reach<'_>) -> Level {
    match reach {
        Reach::Cluster => level,
        Reach::Namespace("kube-system") => level.min(Level::Escalating),
        Reach::Namespace(_) => level.min(Level::Write),
    }
}

/// Level, place in the order of telling, words.
fn judge(rule: &PolicyRule) -> (Level, usize, String) {
    if !rule.urls.is_empty() && rule.resources.is_empty() {
        return judge_urls(rule);
    }
    if is_any(&rule.verbs) && is_any(&rule.groups) && is_any(&rule.resources) {
        if rule.names.is_empty() {
            return (Level::Admin, 0, "everything (* on *)".to_owned());
        }
        return (Level::Write, 0, "everything on named objects".to_owned());
    }
    let mut ways = WAYS.iter().enumerate();
    if let Some((at, way)) = ways.find(|(_, way)| way.is_in(rule)) {
        return (Level::Escalating, at + 1, way.what.to_owned());
    }
    let subject = format!("{} on {}", list(&rule.verbs), list(&rule.resources));
    let last = WAYS.len() + 1;
    if rule.verbs.is_empty() || rule.resources.is_empty() {
        return (Level::None, last, "an empty rule".to_owned());
    }
    if rule.resources.iter().all(|resource| REVIEWS.contains(&resource.as_str())) {
        return (Level::None, last, "asks what it may do".to_owned());
    }
    if rule.verbs.iter().all(|verb| READ.contains(&verb.as_str())) {
        return (Level::Read, last, subject);
    }
    (Level::Write, last, subject)
}

/// Paths that are no resources: health, versions, metrics.
fn judge_urls(rule: &PolicyRule) -> (Level, usize, String) {
    let last = WAYS.len() + 1;
    if rule.verbs.iter().all(|verb| matches!(verb.as_str(), "get" | "head" | "options")) {
        return (Level::None, last, "reads paths of the API server that are no objects".to_owned());
    }
    (Level::Write, last, format!("{} on paths of the API server", list(&rule.verbs)))
}

impl Way {
    fn is_in(&self, rule: &PolicyRule) -> bool {
        (rule.names.is_empty() || self.when_named)
            && holds(&rule.verbs, self.verbs)
            && holds(&rule.groups, self.groups)
            && self.resources.iter().any(|resource| covers(&rule.resources, resource))
    }
}

fn is_any(words: &[String]) -> bool {
    words.iter().any(|word| word == "*")
}

fn holds(words: &[String], wanted: &[&str]) -> bool {
    words.iter().any(|word| word == "*" || wanted.contains(&word.as_str()))
}

/// `*` is everything, `pods/*` every part of pods, `*/scale` that part of everything.
fn covers(resources: &[String], wanted: &str) -> bool {
    resources.iter().any(|resource| {
        if resource == "*" || resource == wanted {
            return true;
        }
        let (Some((whole, part)), Some((wanted_whole, wanted_part))) =
            (resource.split_once('/'), wanted.split_once('/'))
        else {
            return false;
        };
        (whole == "*" || whole == wanted_whole) && (part == "*" || part == wanted_part)
    })
}

/// The first few, sorted.
fn list(words: &[String]) -> String {
    let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
    words.sort_unstable();
    words.dedup();
    let more = words.len().saturating_sub(4);
    words.truncate(4);
    if more == 0 { words.join(", ") } else { format!("{} and {more} more", words.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(groups: &[&str], resources: &[&str], verbs: &[&str]) -> PolicyRule {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        PolicyRule {
            groups: owned(groups),
            resources: owned(resources),
            verbs: owned(verbs),
            ..PolicyRule::default()
        }
    }

    fn named(rule: PolicyRule) -> PolicyRule {
        PolicyRule { names: vec!["one".to_owned()], ..rule }
    }

    #[test]
    fn each_way_to_power_has_its_level_and_reason() {
        let rbac = "rbac.authorization.k8s.io";
        let rows = [
            (rule(&["*"], &["*"], &["*"]), Level::Admin, "everything"),
            (rule(&[rbac], &["clusterroles"], &["escalate"]), Level::Escalating, "(escalate)"),
            (rule(&[rbac], &["roles"], &["get", "bind"]), Level::Escalating, "(bind)"),
            (rule(&[rbac], &["*"], &["*"]), Level::Escalating, "(escalate)"),
            (rule(&[""], &["users"], &["impersonate"]), Level::Escalating, "impersonate"),
            (
                rule(&["authentication.k8s.io"], &["userextras"], &["impersonate"]),
                Level::Escalating,
                "impersonate",
            ),
            (rule(&[""], &["serviceaccounts/token"], &["create"]), Level::Escalating, "tokens"),
            (rule(&[""], &["serviceaccounts/*"], &["create"]), Level::Escalating, "tokens"),
            (rule(&[""], &["serviceaccounts"], &["create"]), Level::Write, "create on serviceac"),
            (rule(&[""], &["secrets"], &["list"]), Level::Escalating, "reads secrets"),
            (rule(&[""], &["*"], &["get"]), Level::Escalating, "reads secrets"),
            (rule(&[""], &["secrets"], &["create"]), Level::Write, "create on secrets"),
            (rule(&[""], &["pods/exec"], &["create"]), Level::Escalating, "pods/exec"),
            (rule(&[""], &["*/exec"], &["get"]), Level::Escalating, "pods/exec"),
            (rule(&[""], &["pods"], &["create"]), Level::Escalating, "create pods"),
            (rule(&["apps"], &["deployments"], &["patch"]), Level::Escalating, "workloads"),
            (rule(&["apps"], &["deployments/scale"], &["patch"]), Level::Write, "scale"),
            (rule(&[""], &["pods"], &["get", "list", "watch"]), Level::Read, "get, list, watch"),
            (rule(&["apps"], &["*"], &["get"]), Level::Read, "get on *"),
            (rule(&[""], &["configmaps"], &["update"]), Level::Write, "update on configmaps"),
            (
                rule(&["authorization.k8s.io"], &["selfsubjectaccessreviews"], &["create"]),
                Level::None,
                "asks",
            ),
            (rule(&["example.com"], &["secrets"], &["get"]), Level::Read, "get on secrets"),
            (rule(&[""], &["pods"], &[]), Level::None, "empty"),
            (named(rule(&[""], &["secrets"], &["get"])), Level::Read, "get on secrets"),
            (named(rule(&[rbac], &["clusterroles"], &["bind"])), Level::Escalating, "bind"),
            (
                named(rule(&[""], &["serviceaccounts/token"], &["create"])),
                Level::Escalating,
                "tokens",
            ),
            (named(rule(&["*"], &["*"], &["*"])), Level::Write, "named"),
        ];
        for (rule, level, reason) in rows {
            let power = assess(std::slice::from_ref(&rule), Reach::Cluster);
            assert_eq!(power.level, level, "{rule:?}");
            assert!(power.what.contains(reason), "{rule:?}: {}", power.what);
        }
    }

    #[test]
    fn paths_that_are_no_objects_give_no_power_unless_more_than_read() {
        let urls = |verbs: &[&str]| PolicyRule {
            urls: vec!["/healthz".to_owned()],
            ..rule(&[], &[], verbs)
        };
        assert_eq!(assess(&[urls(&["get"])], Reach::Cluster).level, Level::None);
        assert_eq!(assess(&[urls(&["*"])], Reach::Cluster).level, Level::Write);
    }

    #[test]
    fn inside_a_namespace_nobody_becomes_an_administrator_but_in_kube_system() {
        let everything = [rule(&["*"], &["*"], &["*"])];
        let rows = [
            (Reach::Cluster, Level::Admin),
            (Reach::Namespace("kube-system"), Level::Escalating),
            (Reach::Namespace("shop"), Level::Write),
        ];
        for (reach, level) in rows {
            assert_eq!(assess(&everything, reach).level, level, "{reach:?}");
        }
        let told = assess(&everything, Reach::Namespace("shop")).what;
        assert_eq!(told, "everything (* on *) in namespace shop");
    }

    #[test]
    fn the_strongest_rule_decides_whatever_the_order() {
        let read = rule(&[""], &["pods"], &["get"]);
        let exec = rule(&[""], &["pods/exec"], &["create"]);
        let secrets = rule(&[""], &["secrets"], &["get"]);
        let one = assess(&[read.clone(), exec.clone(), secrets.clone()], Reach::Cluster);
        let other = assess(&[secrets, read, exec], Reach::Cluster);
        assert_eq!(one, other);
        assert_eq!(one.what, "reads secrets");
        assert_eq!(assess(&[], Reach::Cluster).level, Level::None);
    }
}
