//! Scopes whose finds do not fit into one commit.

use super::*;

fn users(count: usize) -> Vec<Observation> {
    (0..count).map(|n| user(&format!("{n:05}"), &format!("user-{n:05}"))).collect()
}

#[tokio::test]
async fn a_large_scope_is_committed_in_blocks_and_counted_once() {
    let world = World::new().await;
    world.answers("users", Ok(users(3_000)));
    let report = world.scan().await;
    let scope = &report.scopes[0];
    assert_eq!((scope.appeared, scope.records), (3_000, 3_000));
    assert_eq!(
        world.delivered().await,
        ["dev.headcount.scan.baseline.v1"],
        "no flood, one summary"
    );

    let mut later = users(2_900);
    for user in &mut later[..1_500] {
        user.usage =
            Usage::LastUsed { at: at("2026-01-01T00:00:00Z"), resolution_secs: 900, lag_secs: 0 };
    }
    for user in &mut later[1_500..] {
        user.name.push('x');
    }
    world.answers("users", Ok(later));
    let report = world.scan().await;
    let scope = &report.scopes[0];
    assert_eq!((scope.appeared, scope.changed, scope.disappeared), (0, 1_400, 100));
    assert_eq!(scope.records, 2_900);
    let report = world.scan().await;
    let scope = &report.scopes[0];
    assert_eq!((scope.appeared, scope.changed, scope.disappeared), (0, 0, 0));
}

#[tokio::test]
async fn a_large_reading_that_the_brake_holds_is_neither_lost_nor_applied() {
    let world = World::new().await;
    world.answers("users", Ok(users(2_000)));
    world.scan().await;
    let half = |from: usize| users(2_000).into_iter().skip(from).take(1_000).collect::<Vec<_>>();
    world.answers_once("users", Ok(half(0)));
    world.answers_once("users", Ok(half(1_000)));
    let report = world.scan().await;
    assert_eq!(report.scopes[0].coverage.as_str(), "held");
    assert_eq!(report.scopes[0].records, 2_000);
}
