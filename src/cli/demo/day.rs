//! What happens to the simulated organisation on the day of the demo.

use headcount_simulator::github::{At, ORGANIZATION, Store};
use headcount_simulator::kubernetes::{Object, Resource, RoleRef, Subject};
use headcount_simulator::{ChangeError, Holder, Organization, Trust, aws_managed};
use jiff::SignedDuration;

use super::estate::{ACCOUNT, Estate, LEAVER, NAMESPACE, REPOSITORY};
use super::tenants;

/// One hour of the day: what somebody does, and what Headcount should make of it.
pub struct Hour {
    pub what: &'static str,
    /// How long after the hour before.
    pub later: SignedDuration,
    pub change: fn(&Estate, &Cast) -> Result<(), ChangeError>,
}

/// The accounts in which the day plays.
pub struct Cast {
    pub production: String,
    pub sandbox: String,
}

impl Cast {
    /// The first two member accounts; the management account where there are none.
    pub fn of(organization: &Organization) -> Self {
        let management = organization.management().to_owned();
        let mut members = organization.accounts().keys().filter(|id| **id != management).cloned();
        let production = members.next().unwrap_or_else(|| management.clone());
        let sandbox = members.next().unwrap_or(management);
        Self { production, sandbox }
    }
}

/// An account number that no organisation of the demo holds.
const STRANGER: &str = "999988887777";

const BOT: &str = "release-bot";
const VENDOR: &str = "vendor-monitoring";
const VENDOR_APP: &str = "Meeting notes AI";

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// A report of access keys may be four hours old at its source; the day waits for the next one.
const NEXT_REPORT: SignedDuration = SignedDuration::from_hours(5);

/// Long enough for what nobody uses to become stale.
const SEASON: SignedDuration = SignedDuration::from_hours(24 * 120);

pub static DAY: &[Hour] = &[
    Hour { what: "nothing happens", later: HOUR, change: |_, _| Ok(()) },
    Hour {
        what: "AWS: someone makes a user with an access key, and tells nobody who owns it",
        later: HOUR,
        change: |estate, cast| {
            let mut org = estate.aws.change();
            org.create_user(&cast.production, BOT)?;
            org.create_access_key(&cast.production, BOT)?;
            let admin = aws_managed(org.partition(), "AdministratorAccess");
            org.attach_policy(&cast.production, Holder::User(BOT), &admin)
        },
    },
    Hour {
        what: "AWS: a vendor gets a role, without an external id",
        later: HOUR,
        change: |estate, cast| {
            let mut org = estate.aws.change();
            org.create_role(&cast.production, VENDOR, &Trust::account(STRANGER))?;
            org.tag(&cast.production, Holder::Role(VENDOR), "Owner", "team-observability")
        },
    },
    Hour {
        what: "GitHub: a repository gets a static key of another cloud",
        later: HOUR,
        change: |estate, _| {
            let mut hub = estate.github.change();
            hub.set_secret(At::Repository(REPOSITORY), Store::Actions, "GOOGLE_CREDENTIALS")
        },
    },
    Hour {
        what: "Kubernetes: the shop's account is bound to cluster-admin, to see whether it helps",
        later: HOUR,
        change: |estate, _| {
            let admin = RoleRef::cluster_role("cluster-admin");
            let shop = Subject::account(NAMESPACE, ACCOUNT);
            let binding = Object::cluster_role_binding("just-for-today", admin, &[shop]);
            estate.cluster.change().create(binding).map(|_| ())
        },
    },
    Hour {
        what: "Kubernetes: the shop's account is deleted and made again; its bindings stay",
        later: HOUR,
        change: |estate, _| {
            let mut cluster = estate.cluster.change();
            cluster.recreate(Resource::ServiceAccounts, NAMESPACE, ACCOUNT).map(|_| ())
        },
    },
    Hour {
        what: "AWS: a permission is taken away in one account: iam:GetAccountAuthorizationDetails",
        later: HOUR,
        change: |estate, cast| {
            estate.aws.change().deny(&cast.sandbox, "iam:GetAccountAuthorizationDetails")
        },
    },
    Hour {
        what: "Kubernetes: the right to list service accounts is taken away",
        later: HOUR,
        change: |estate, _| {
            estate.cluster.change().deny("list", "serviceaccounts");
            Ok(())
        },
    },
    Hour {
        what: "both come back",
        later: HOUR,
        change: |estate, cast| {
            estate.cluster.change().allow("list", "serviceaccounts");
            estate.aws.change().allow(&cast.sandbox, "iam:GetAccountAuthorizationDetails")
        },
    },
    Hour {
        what: "GitHub: a member whose token deploys every night leaves",
        later: HOUR,
        change: |estate, _| estate.github.change().remove_member(ORGANIZATION, LEAVER),
    },
    Hour {
        what: "Entra: an administrator lets a note taker of another company read everyone's mail",
        later: HOUR,
        change: |estate, _| {
            estate.tenants.entra.change().consent(VENDOR_APP, "Mail.Read Mail.Send offline_access");
            Ok(())
        },
    },
    Hour {
        what: "Okta: the person leaves whose token exports the data warehouse every night",
        later: HOUR,
        change: |estate, _| {
            let mut okta = estate.tenants.okta.change();
            match okta.user(tenants::LEAVER) {
                Some(leaver) => okta.deprovision(&leaver),
                None => Ok(()),
            }
        },
    },
    Hour {
        what: "AWS: the user is deleted, and one of the same name is made",
        later: NEXT_REPORT,
        change: |estate, cast| estate.aws.change().recreate_user(&cast.production, BOT).map(|_| ()),
    },
    Hour {
        what: "AWS: someone signs the user: Owner = team-release",
        later: HOUR,
        change: |estate, cast| {
            let mut org = estate.aws.change();
            org.tag(&cast.production, Holder::User(BOT), "Owner", "team-release")
        },
    },
    Hour {
        what: "four months pass in which nobody uses anything",
        later: SEASON,
        change: |_, _| Ok(()),
    },
];
