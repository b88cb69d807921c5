//! What happens to the simulated organisation on the day of the demo.

use headcount_simulator::{ChangeError, Holder, Organization, Trust, aws_managed};
use jiff::SignedDuration;

/// One hour of the day: what somebody does, and what Headcount should make of it.
pub struct Hour {
    pub what: &'static str,
    /// How long after the hour before.
    pub later: SignedDuration,
    pub change: fn(&mut Organization, &Cast) -> Result<(), ChangeError>,
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

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// A report of access keys may be four hours old at its source; the day waits for the next one.
const NEXT_REPORT: SignedDuration = SignedDuration::from_hours(5);

/// Long enough for what nobody uses to become stale.
const SEASON: SignedDuration = SignedDuration::from_hours(24 * 120);

pub static DAY: &[Hour] = &[
    Hour { what: "nothing happens", later: HOUR, change: |_, _| Ok(()) },
    Hour {
        what: "someone makes a user with an access key, and tells nobody who owns it",
        later: HOUR,
        change: |org, cast| {
            org.create_user(&cast.production, BOT)?;
            org.create_access_key(&cast.production, BOT)?;
            let admin = aws_managed(org.partition(), "AdministratorAccess");
            org.attach_policy(&cast.production, Holder::User(BOT), &admin)
        },
    },
    Hour {
        what: "a vendor gets a role, without an external id",
        later: HOUR,
        change: |org, cast| {
            org.create_role(&cast.production, VENDOR, &Trust::account(STRANGER))?;
            org.tag(&cast.production, Holder::Role(VENDOR), "Owner", "team-observability")
        },
    },
    Hour {
        what: "a pipeline role lets every repository of an organisation in",
        later: HOUR,
        change: |org, cast| {
            let trust = Trust::github(Some("repo:example-org/*"));
            org.create_role(&cast.sandbox, "pipeline", &trust)?;
            org.tag(&cast.sandbox, Holder::Role("pipeline"), "Owner", "team-platform")
        },
    },
    Hour {
        what: "a permission is taken away in one account: iam:GetAccountAuthorizationDetails",
        later: HOUR,
        change: |org, cast| org.deny(&cast.sandbox, "iam:GetAccountAuthorizationDetails"),
    },
    Hour {
        what: "the permission comes back",
        later: HOUR,
        change: |org, cast| org.allow(&cast.sandbox, "iam:GetAccountAuthorizationDetails"),
    },
    Hour {
        what: "the user is deleted, and one of the same name is made",
        later: NEXT_REPORT,
        change: |org, cast| org.recreate_user(&cast.production, BOT).map(|_| ()),
    },
    Hour {
        what: "someone signs the user: Owner = team-release",
        later: HOUR,
        change: |org, cast| org.tag(&cast.production, Holder::User(BOT), "Owner", "team-release"),
    },
    Hour {
        what: "four months pass in which nobody uses anything",
        later: SEASON,
        change: |_, _| Ok(()),
    },
];
