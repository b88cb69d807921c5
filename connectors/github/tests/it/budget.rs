//! How many calls a scan costs, counted at the server. The formula is in the manifest.

use headcount_sdk::Extent;
use headcount_simulator::github::{Hub, ORGANIZATION, Size};
use jiff::SignedDuration;

use crate::support::{Scanned, Source};

/// What the formula speaks of.
struct Counts {
    repositories: u64,
    environments: u64,
    holders: u64,
    apps: u64,
    pages: u64,
}

fn counts(source: &Source) -> Counts {
    source.server.read(|hub| {
        let org = hub.organization(ORGANIZATION).unwrap();
        let repositories = org.repositories.values();
        let lists = [
            org.members.len(),
            org.outside_collaborators.len(),
            org.installations.len(),
            org.token_grants.len(),
            org.token_requests.len(),
            org.authorizations.len(),
            org.stats.len(),
        ];
        Counts {
            repositories: org.repositories.len() as u64,
            environments: repositories.clone().map(|repo| repo.environments.len() as u64).sum(),
            holders: repositories.filter(|repo| !repo.deploy_keys.is_empty()).count() as u64,
            apps: org.installations.len() as u64,
            pages: lists.iter().map(|rows| (rows.saturating_sub(1) / 100) as u64).sum(),
        }
    })
}

impl Counts {
    fn budget(&self) -> u64 {
        let swept = |things: u64| (things.div_ceil(24) + 20).min(things);
        20 + 2 * self.repositories.div_ceil(100)
            + self.pages
            + 6 * swept(self.repositories)
            + swept(self.environments)
            + swept(self.holders)
            + self.apps.div_ceil(168)
    }

    fn first(&self) -> u64 {
        self.budget() + 2 * self.holders + self.apps + self.repositories.div_ceil(50)
    }
}

fn spent(source: &Source, scanned: &Scanned) -> String {
    let calls = source.server.calls();
    let each: Vec<String> = calls
        .actions()
        .into_iter()
        .map(|action| format!("{action} {}", calls.of(action)))
        .collect();
    format!("{} calls: {}", scanned.calls, each.join(", "))
}

async fn holds_for(repositories: usize) {
    let size = Size { repositories, members: 150, ..Size::small() };
    let mut source = Source::of(Hub::seeded(5, size)).await;
    let counts = counts(&source);
    let first = source.scan().await;
    let most = counts.first();
    assert!(first.calls <= most, "first, {most} allowed: {}", spent(&source, &first));
    for hours in [1, 5] {
        source.server.clock().advance(SignedDuration::from_hours(hours));
        let scanned = source.scan().await;
        for (scope, outcome) in &scanned.outcomes {
            assert!(outcome.is_ok(), "{scope}: {outcome:?}");
        }
        let most = counts.budget();
        assert!(
            scanned.calls <= most,
            "{hours} h later, {most} allowed: {}",
            spent(&source, &scanned)
        );
    }
}

#[tokio::test]
async fn the_budget_holds_for_few_and_for_many_repositories() {
    for repositories in [1, 30, 250] {
        holds_for(repositories).await;
    }
}

#[tokio::test]
async fn every_repository_is_visited_within_a_day_of_hourly_scans() {
    let mut source = Source::of(Hub::seeded(5, Size { repositories: 100, ..Size::small() })).await;
    let mut outstanding = u64::MAX;
    for _ in 0..24 {
        let scanned = source.scan().await;
        match scanned.complete("repository-webhooks").extent() {
            Extent::Parents { outstanding: left, .. } => {
                assert!(*left < outstanding, "the first round goes on");
                outstanding = *left;
            }
            Extent::Whole | Extent::Records(_) | Extent::AllBut { .. } => {
                panic!("a hundred are not read at once")
            }
        }
        if outstanding == 0 {
            break;
        }
        source.server.clock().advance(SignedDuration::from_hours(1));
    }
    assert_eq!(outstanding, 0);
}
