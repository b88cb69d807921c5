//! What is brought instead of fetched: taken at once, scope by scope, and ageing from then on.

use super::*;

impl World {
    /// Takes what the script holds of one kind, as if it had been pushed.
    async fn take(&self, kind: &str) -> ScanReport {
        self.clock.advance(SignedDuration::from_hours(1));
        self.engine.take(&self.source, &[scope(kind)]).await.unwrap()
    }

    async fn state(&self) -> crate::store::SourceState {
        let states = self.store.source_states().await.unwrap();
        states.into_iter().find(|state| state.name == self.source.name).unwrap()
    }
}

#[tokio::test]
async fn what_is_taken_first_is_a_baseline_and_news_after_that() {
    let world = World::new().await;
    world.answers("users", Ok(vec![owned(user("1", "ci"), "team-a")]));
    assert!(world.take("users").await.is_baseline);
    assert!(world.open().await.is_empty());
    assert_eq!(world.delivered().await, ["dev.headcount.scan.baseline.v1"]);
    world.answers("users", Ok(vec![owned(user("1", "ci"), "team-a"), user("2", "cd")]));
    let second = world.take("users").await;
    assert!(!second.is_baseline);
    assert_eq!(world.open().await, pairs(&[("new-identity", "cd"), ("ownerless-identity", "cd")]));
}

#[tokio::test]
async fn one_scope_that_is_taken_says_nothing_of_the_others() {
    let world = World::new().await;
    world.answers("users", Ok(vec![user("1", "ci")]));
    world.answers("keys", Ok(vec![key("k", "1")]));
    world.scan().await;
    world.answers("keys", Err(unavailable()));
    world.scan().await;
    let before = world.state().await;
    let report = world.take("users").await;
    assert_eq!(report.scopes.len(), 1);
    assert!(report.is_complete(), "what was taken is");
    let after = world.state().await;
    assert_eq!(after.last_scan_complete, Some(false), "the keys are still unread");
    assert_eq!(after.last_complete_at, before.last_complete_at);
    assert_eq!(world.names().await.len(), 2);
}

#[tokio::test]
async fn a_place_that_another_source_reads_is_not_taken_from_it() {
    let world = World::new().await;
    world.answers("users", Ok(vec![user("1", "ci")]));
    world.scan().await;
    let mut settings = world.engine.settings().clone();
    settings.sources.push("t".to_owned());
    let clock = Arc::new(world.clock.clone());
    let engine = Engine::new(world.store.clone(), settings, clock, CancellationToken::new());
    let intruder = Source { name: "t".to_owned(), connector: world.script.clone() };
    world.answers("users", Ok(Vec::new()));
    let report = engine.take(&intruder, &[scope("users")]).await.unwrap();
    assert!(report.scopes[0].coverage.is_short());
    assert_eq!(world.names().await, BTreeSet::from(["ci".to_owned()]));
}

#[cfg(feature = "open")]
mod ageing {
    use headcount_open::push::Door;
    use headcount_open::{PushConnector, push};
    use serde_json::json;

    use super::*;

    const DAY: i64 = 24;

    /// A source that expects a push once in so many days.
    async fn world(days: i64) -> World {
        let mut world = World::new().await;
        let config = json!({"tokens": ["env:NOBODY"], "expect_every_secs": days * DAY * 3600});
        let config: push::Config = serde_json::from_value(config).unwrap();
        world.source.connector = Arc::new(PushConnector::new(&config).unwrap());
        world
    }

    /// Pushes one user, last used then.
    async fn push(world: &World, scan: &str, used: Timestamp) -> ScanReport {
        let mut spooler = Door::spooler(world.clock.now());
        let scope = scope("users");
        for line in [
            json!({"type": "begin", "schema": 1, "scan": scan}),
            json!({"type": "observation", "scope": scope, "observation": {
                "id": "test:1:user/1", "class": "identity", "kind": "user", "name": "ci",
                "usage": {"state": "last_used", "at": used, "resolution_secs": 1, "lag_secs": 0}}}),
            json!({"type": "complete", "scope": scope}),
        ] {
            spooler.feed(format!("{line}\n").as_bytes());
        }
        let cache = world.engine.feed_context(&world.source).cache;
        let scopes = Door::keep(&*cache, spooler.finish(), world.clock.now()).await.unwrap();
        world.engine.take(&world.source, &scopes).await.unwrap()
    }

    #[tokio::test]
    async fn when_pushes_stay_away_coverage_falls_and_every_record_stays() {
        let world = world(1).await;
        assert!(world.scan().await.unreachable.is_some(), "nothing was pushed yet");
        assert!(world.state().await.baselined_at.is_none());
        let start = world.clock.now();
        assert!(push(&world, "one", start).await.is_complete());
        for _ in 0..24 {
            assert!(world.scan().await.is_complete(), "the last push is read again");
        }
        for _ in 0..3 {
            assert!(!world.scan().await.is_complete());
        }
        assert_eq!(world.names().await, BTreeSet::from(["ci".to_owned()]));
        let coverage = ("coverage-lost".to_owned(), "test:1/users".to_owned());
        assert!(world.open().await.contains(&coverage), "{:?}", world.open().await);
        assert!(push(&world, "two", start).await.is_complete());
        assert!(!world.open().await.contains(&coverage), "pushed again, resolved again");
    }

    #[tokio::test]
    async fn reading_an_old_answer_again_is_no_look_at_the_source() {
        let world = world(100).await;
        let start = world.clock.now();
        push(&world, "one", start).await;
        for _ in 0..40 {
            world.clock.advance(SignedDuration::from_hours(DAY));
            world.scan().await;
        }
        let used = world.clock.now();
        world.clock.advance(SignedDuration::from_hours(DAY));
        push(&world, "two", used).await;
        let id = RecordId::from_stored("test:1:user/1".to_owned());
        let record = world.store.records(&[id]).await.unwrap().remove(0);
        assert_eq!(record.history.last_known_use, Some(used));
        assert_eq!(record.history.silence, None, "nobody has looked between the two pushes");
    }
}
