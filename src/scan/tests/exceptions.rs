//! What time does to a finding that was accepted.

use headcount_core::findings::exceptions::{Draft, Selection};
use headcount_core::findings::{TransitionKind, finding_id};

use super::*;
use crate::store::access::{AuditEntry, AuditOutcome};

const DAY: SignedDuration = SignedDuration::from_hours(24);

#[tokio::test]
async fn time_alone_ends_an_exception_and_the_finding_is_back() {
    let world = World::new().await;
    world.answers("users", Ok(vec![owned(user("1", "ci"), "team-a")]));
    world.answers("keys", Ok(vec![key("AK1", "1")]));
    world.scan().await;
    world.clock.advance(DAY * 120);
    world.engine.judge_due(&world.source).await.unwrap();
    let stale = ("stale-credential".to_owned(), "AK1".to_owned());
    assert!(world.open().await.contains(&stale));

    let now = world.clock.now();
    let subject = RecordId::new(PLACE, "key", "AK1").to_string();
    let draft = Draft {
        rule: "stale-credential".to_owned(),
        selection: Selection { subject: Some(subject.clone()), ..Selection::default() },
        reason: "goes in May".to_owned(),
        author: "token:ana".to_owned(),
        expires_at: now + DAY * 30,
    };
    let exception = draft.made("exc_1".to_owned(), now).unwrap();
    let entry = AuditEntry {
        at: now,
        actor: "token:ana".to_owned(),
        role: None,
        action: "exception.add".to_owned(),
        object: exception.id.clone(),
        outcome: AuditOutcome::Done,
        detail: None,
    };
    world.store.add_exception(&exception, &entry).await.unwrap();
    world.engine.judge_due(&world.source).await.unwrap();
    assert!(!world.open().await.contains(&stale), "what is accepted is not open");

    world.clock.set(exception.expires_at - SignedDuration::from_secs(1));
    world.engine.judge_due(&world.source).await.unwrap();
    assert!(!world.open().await.contains(&stale), "an exception holds to its last second");

    world.clock.set(exception.expires_at);
    world.engine.judge_due(&world.source).await.unwrap();
    assert!(world.open().await.contains(&stale), "no scan ran and nobody did anything");
    let id = finding_id("stale-credential", &subject);
    let (finding, steps) = world.store.finding(&id).await.unwrap().unwrap();
    assert!(finding.resolution.unwrap().contains("expired"), "it says why it is back");
    let kinds: Vec<TransitionKind> = steps.iter().map(|step| step.kind).collect();
    assert_eq!(
        kinds,
        [TransitionKind::Opened, TransitionKind::Suppressed, TransitionKind::Reopened]
    );
}
