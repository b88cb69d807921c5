//! Who is told of what: the filters of sinks, applied where events are queued.

use headcount_core::findings::Severity;
use headcount_core::rules::RuleSettings;

use super::*;
use crate::deliver::Filter;

fn sink(name: &str, filter: Filter) -> Subscriber {
    Subscriber { name: name.to_owned(), filter }
}

impl World {
    /// From now on with other sinks and rules.
    fn reconfigure(&mut self, change: impl FnOnce(&mut Settings)) {
        let mut settings = self.engine.settings().clone();
        change(&mut settings);
        let (store, clock) = (self.store.clone(), Arc::new(self.clock.clone()));
        self.engine = Engine::new(store, settings, clock, CancellationToken::new());
    }

    /// Takes everything that is queued for the sink, as the last word of its type and its rule.
    async fn taken(&self, sink: &str) -> Vec<String> {
        let mut taken = Vec::new();
        loop {
            let due = self.store.due_deliveries(sink, Timestamp::MAX, 100).await.unwrap();
            if due.is_empty() {
                return taken;
            }
            for delivery in due {
                let body: serde_json::Value = serde_json::from_str(&delivery.event.body).unwrap();
                let kind = delivery.event.kind.trim_end_matches(".v1");
                let kind = kind.rsplit('.').next().unwrap_or_default();
                let rule = body["data"]["metadata"]["event_code"].as_str().unwrap_or("-");
                taken.push(format!("{kind} {rule}"));
                let sequence = delivery.event.sequence;
                let outcome = crate::store::Outcome::Delivered;
                let attempt = crate::store::Attempt { sequence, at: self.clock.now(), outcome };
                self.store.record_attempts(sink, &[attempt]).await.unwrap();
            }
        }
    }
}

#[tokio::test]
async fn what_a_filter_leaves_out_is_never_queued() {
    let mut world = World::new().await;
    let only = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
    world.reconfigure(|settings| {
        settings.sinks = vec![
            sink("all", Filter::default()),
            sink("news", Filter { rules: only(&["new-identity"]), ..Filter::default() }),
            sink("severe", Filter { at_least: Some(Severity::Critical), ..Filter::default() }),
            sink("elsewhere", Filter { sources: only(&["other"]), ..Filter::default() }),
            sink("team", Filter { owners: only(&["team-*"]), ..Filter::default() }),
            sink("unowned", Filter { owners: only(&["nobody"]), ..Filter::default() }),
        ];
    });
    world.answers("users", Ok(vec![owned(user("1", "ci"), "team-a")]));
    world.scan().await;
    let (owned, unowned) = (owned(user("2", "cd"), "team-a"), user("3", "bot"));
    world.answers("users", Ok(vec![user("1", "ci"), owned, unowned]));
    world.scan().await;

    let mut all = world.taken("all").await;
    all.sort();
    let expected = [
        "baseline -",
        "opened new-identity",
        "opened new-identity",
        "opened ownerless-identity",
        "opened ownerless-identity",
    ];
    assert_eq!(all, expected);
    assert_eq!(world.taken("news").await, ["opened new-identity"; 2]);
    assert_eq!(world.taken("severe").await, [""; 0]);
    assert_eq!(world.taken("elsewhere").await, [""; 0]);
    assert_eq!(world.taken("team").await, ["opened new-identity"]);
    assert_eq!(world.taken("unowned").await.len(), 3, "two findings of one user, one of another");
}

#[tokio::test]
async fn a_finding_that_falls_below_the_filter_is_followed_to_its_end() {
    let mut world = World::new().await;
    let at = |severity| {
        let settings = RuleSettings { severity: Some(severity), ..RuleSettings::default() };
        RuleConfig([("ownerless-identity".to_owned(), settings)].into())
    };
    let urgent = Filter { at_least: Some(Severity::High), ..Filter::default() };
    world.reconfigure(|settings| {
        settings.rules = at(Severity::High);
        settings.sinks = vec![sink("pager", urgent)];
    });
    world.answers("users", Ok(vec![owned(user("1", "ci"), "team-a")]));
    world.scan().await;
    assert_eq!(world.taken("pager").await, [""; 0], "a summary wakes nobody");
    world.answers("users", Ok(vec![user("1", "ci")]));
    world.scan().await;
    assert_eq!(world.taken("pager").await, ["opened ownerless-identity"]);
    world.reconfigure(|settings| settings.rules = at(Severity::Low));
    world.scan().await;
    assert_eq!(world.taken("pager").await, ["updated ownerless-identity"]);
    world.answers("users", Ok(vec![owned(user("1", "ci"), "team-a")]));
    world.scan().await;
    assert_eq!(world.taken("pager").await, ["resolved ownerless-identity"]);
    world.answers("users", Ok(vec![user("1", "ci")]));
    world.scan().await;
    assert_eq!(
        world.taken("pager").await,
        [""; 0],
        "its new life is of low severity from the start"
    );
}
