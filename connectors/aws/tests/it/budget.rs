//! How many calls a scan costs, counted at the server. The formula is in the manifest.

use headcount_simulator::{Organization, Size};
use jiff::SignedDuration;

use crate::support::{Scanned, Source};

struct Account {
    source: Source,
    users: u64,
    roles: u64,
    policies: u64,
    holders: u64,
}

async fn account(users: usize, roles: usize, policies: usize) -> Account {
    let org = Organization::seeded(5, Size::account(users, roles, policies));
    let source = Source::of(org).await;
    let id = source.account();
    let (users, roles, policies, holders) = source.simulator.read(|org| {
        let account = org.account(&id).unwrap();
        let keys = account.users().values().filter(|user| !user.access_keys.is_empty()).count();
        let certificates =
            account.users().values().filter(|user| !user.signing_certificates.is_empty()).count();
        (
            account.users().len(),
            account.roles().len(),
            account.policies().len(),
            keys + certificates,
        )
    });
    let [users, roles, policies, holders] = [users, roles, policies, holders].map(|n| n as u64);
    Account { source, users, roles, policies, holders }
}

impl Account {
    fn budget(&self) -> u64 {
        let records = self.users + self.roles + self.policies;
        16 + records.div_ceil(1000) + self.roles.div_ceil(1000) + self.users.div_ceil(168)
    }

    fn spent(&self, scanned: &Scanned) -> String {
        let calls = self.source.simulator.calls();
        let actions: Vec<String> = calls
            .actions()
            .into_iter()
            .map(|action| format!("{action} {}", calls.of(action)))
            .collect();
        format!("{} calls: {}", scanned.calls, actions.join(", "))
    }
}

async fn holds_for(users: usize, roles: usize, policies: usize) {
    let mut account = account(users, roles, policies).await;
    let first = account.source.scan().await;
    first.all_complete_but_swept();
    let most = account.budget() + account.holders;
    assert!(first.calls <= most, "first scan, {most} allowed: {}", account.spent(&first));
    for hours in [1, 5] {
        account.source.simulator.clock().advance(SignedDuration::from_hours(hours));
        let scanned = account.source.scan().await;
        scanned.all_complete_but_swept();
        let most = account.budget();
        assert!(
            scanned.calls <= most,
            "{hours} h later, {most} allowed: {}",
            account.spent(&scanned)
        );
    }
}

#[tokio::test]
async fn the_budget_holds_for_2000_users() {
    holds_for(2_000, 1_000, 50).await;
}

#[tokio::test]
async fn the_budget_holds_for_5000_users() {
    holds_for(5_000, 2_500, 200).await;
}

#[tokio::test]
async fn the_budget_holds_for_a_few_users() {
    for users in [0, 1, 6, 40] {
        holds_for(users, 45, 3).await;
    }
}

#[tokio::test]
async fn every_ssh_key_is_found_within_a_week_of_hourly_scans() {
    let mut account = account(300, 20, 2).await;
    let id = account.source.account();
    let there: usize = account.source.simulator.read(|org| {
        org.account(&id).unwrap().users().values().map(|user| user.ssh_keys.len()).sum()
    });
    assert!(there > 0);
    let mut found = std::collections::BTreeSet::new();
    let mut outstanding = u64::MAX;
    for _ in 0..168 {
        let scanned = account.source.scan().await;
        found.extend(scanned.of_kind("ssh-public-key").into_iter().map(|key| key.id.clone()));
        if let headcount_sdk::Extent::Parents { outstanding: left, .. } =
            scanned.complete("ssh-public-keys").extent()
        {
            assert!(*left <= outstanding, "the first round goes backwards");
            outstanding = *left;
        }
        if outstanding == 0 {
            break;
        }
        account.source.simulator.clock().advance(SignedDuration::from_hours(1));
    }
    assert_eq!((outstanding, found.len()), (0, there));
}
