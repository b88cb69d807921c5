//! An identity is judged by what belongs to it: by what comes, changes and goes there.

use super::*;

const SECRETS: &str = "multiple-active-secrets";

fn is_open(open: &BTreeSet<(String, String)>) -> bool {
    open.contains(&(SECRETS.to_owned(), "ci".to_owned()))
}

/// Keys that have been there long enough to be told.
fn old(id: &str) -> Observation {
    let mut key = key(id, "1");
    key.created_at = Some(at("2025-06-01T00:00:00Z"));
    key
}

/// Two scopes, so that the identity is not read again with its keys.
async fn with_keys(keys: Vec<Observation>) -> World {
    let world = World::new().await;
    world.answers("users", Ok(vec![owned(user("1", "ci"), "team-a")]));
    world.answers("keys", Ok(keys));
    world.scan().await;
    world
}

#[tokio::test]
async fn an_identity_is_judged_again_when_a_key_comes_changes_or_goes() {
    let world = with_keys(vec![old("AKIA1")]).await;
    assert!(!is_open(&world.open().await));
    world.answers("keys", Ok(vec![old("AKIA1"), old("AKIA2")]));
    world.scan().await;
    assert!(is_open(&world.open().await), "a second key came");

    let mut off = old("AKIA2");
    off.status = Status::Disabled;
    world.answers("keys", Ok(vec![old("AKIA1"), off]));
    world.scan().await;
    assert!(!is_open(&world.open().await), "the second key was switched off");

    world.answers("keys", Ok(vec![old("AKIA1"), old("AKIA2")]));
    world.scan().await;
    assert!(is_open(&world.open().await), "and on again");
    world.answers("keys", Ok(vec![old("AKIA1")]));
    world.scan().await;
    assert!(!is_open(&world.open().await), "the second key is gone");
}

#[tokio::test]
async fn keys_that_could_not_be_read_still_count() {
    let world = with_keys(vec![old("AKIA1"), old("AKIA2")]).await;
    assert!(is_open(&world.open().await));
    world.answers("keys", Err(denied()));
    world.answers("users", Ok(vec![owned(user("1", "ci"), "team-b")]));
    world.scan().await;
    assert!(is_open(&world.open().await), "nothing was proven to be gone");
}

#[tokio::test]
async fn a_key_that_is_given_to_another_is_theirs() {
    let world = World::new().await;
    let users = vec![owned(user("1", "ci"), "team-a"), owned(user("2", "cd"), "team-a")];
    world.answers("users", Ok(users));
    world.answers("keys", Ok(vec![old("AKIA1"), old("AKIA2")]));
    world.scan().await;
    assert!(is_open(&world.open().await));
    let mut moved = old("AKIA2");
    moved.parent = Some(RecordId::new(PLACE, "user", "2"));
    world.answers("keys", Ok(vec![old("AKIA1"), moved]));
    world.scan().await;
    assert!(!is_open(&world.open().await));
}

/// Nothing is scanned: the time for a rotation runs out.
#[tokio::test]
async fn time_alone_ends_a_rotation() {
    let young = {
        let mut key = key("AKIA2", "1");
        key.created_at = Some(at("2026-01-01T00:00:00Z"));
        key
    };
    let world = with_keys(vec![old("AKIA1"), young]).await;
    assert!(!is_open(&world.open().await));
    world.clock.advance(SignedDuration::from_hours(24 * 15));
    world.engine.judge_due(&world.source).await.unwrap();
    assert!(is_open(&world.open().await));
}
