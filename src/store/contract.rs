//! What every store must do, as tests against `&dyn Store`; each implementation runs them all.
//!
//! [`store_contract!`] makes one test of each function, so that a failure has a name. A function
//! gets a store that nothing was written to.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

pub mod deliveries;
pub mod findings;
pub mod graph;
pub mod history;
pub mod paging;
pub mod records;
pub mod service;
pub mod work;

use headcount_core::inventory::{Coverage, History, Origin, Owner, Record, ScopeState};
use headcount_core::reconcile;
use headcount_sdk::{
    Class, Confidence, Evidence, Link, LinkKind, Observation, OwnerBasis, OwnerEvidence, OwnerKind,
    Privilege, RecordId, Scope, Status, Usage,
};
use jiff::{SignedDuration, Timestamp};

use super::{Commit, RecordFilter, SourceState, Store, Written};

/// Runs every test of the contract; `$open` answers with a store and what keeps its place alive.
macro_rules! store_contract {
    ($open:path) => {
        store_contract! { $open;
            records: empty_store_knows_nothing
            records: records_come_back_as_they_were_written
            records: hostile_names_come_back_as_they_were_written
            records: fingerprints_come_in_key_order_and_stay_apart_by_scope
            records: many_fingerprints_come_back_whole
            records: use_moves_without_a_version
            records: judgements_move_owner_and_due_time
            records: unjudged_record_is_due_at_once
            records: due_records_come_earliest_first
            records: children_are_found_by_parent
            records: record_that_moves_to_another_scope_leaves_the_first
            records: counts_add_up
            records: states_and_caches_come_back
            graph: links_are_found_from_both_ends
            graph: links_that_change_or_go_are_found_no_more
            graph: of_each_key_only_the_first_are_named
            graph: what_is_remembered_comes_back_and_moves_in_place
            history: change_closes_the_version_before
            history: record_written_without_a_change_keeps_its_version
            history: vanished_records_are_found_by_id_and_name
            history: record_that_comes_back_opens_a_second_life
            history: clock_that_goes_back_never_makes_versions_overlap
            history: pages_of_the_past_follow_the_cursor
            history: filters_narrow_the_present_and_the_past
            history: search_takes_wildcards_as_letters_and_ignores_case
            history: drift_is_read_between_two_moments
            findings: finding_keeps_its_steps
            findings: findings_come_most_severe_first
            findings: step_taken_twice_leaves_nothing_of_its_commit
            paging: pages_of_records_follow_every_order
            paging: pages_stay_in_place_while_records_come_and_go
            paging: page_looks_at_a_bounded_number_of_rows
            paging: pages_of_findings_follow_both_orders
            paging: pages_of_drift_follow_the_lines
            service: tokens_are_found_by_hash_until_they_are_over
            service: audit_keeps_what_was_noted
            service: exception_makes_what_it_concerns_due
            service: exception_that_came_meanwhile_is_judged_again
            service: population_of_a_day_is_its_last_census
            service: past_coverage_is_what_was_known_then
            work: findings_are_paged_and_narrowed_by_owner
            work: unread_evidence_of_an_owner_is_told
            work: work_is_counted_by_owner_and_severity
            work: records_behind_a_count_are_paged
            deliveries: sequence_has_no_holes
            deliveries: commit_out_of_sequence_leaves_nothing
            deliveries: second_event_of_a_finding_waits_for_the_first
            deliveries: dead_letter_does_not_block_what_follows
            deliveries: retry_is_due_at_its_time
            deliveries: replayed_letter_goes_before_its_followers
            deliveries: replay_takes_only_what_failed_since
            deliveries: attempts_are_recorded_all_or_none
            deliveries: sinks_have_queues_of_their_own
            deliveries: sink_that_was_told_of_a_finding_is_told_how_it_ends
            deliveries: hundred_thousand_pending_are_drained_in_order_of_findings
        }
    };
    ($open:path; $($module:ident: $name:ident)*) => {
        $(
            #[tokio::test]
            async fn $name() {
                let (store, _place) = $open().await;
                $crate::store::contract::$module::$name(&store).await;
            }
        )*
    };
}
pub(crate) use store_contract;

pub const SOURCE: &str = "prod";
pub const PLACE: &str = "aws:111122223333";

/// Seconds after an arbitrary beginning.
pub fn moment(seconds: i64) -> Timestamp {
    let start: Timestamp = "2026-03-01T00:00:00.000000001Z".parse().unwrap();
    start.checked_add(SignedDuration::from_secs(seconds)).unwrap()
}

pub fn scope(kind: &str) -> Scope {
    Scope::new(PLACE, kind)
}

pub fn id(key: &str) -> RecordId {
    RecordId::new(PLACE, "role", key)
}

/// A record with something in most of its fields.
pub fn record(key: &str, name: &str, at: Timestamp) -> Record {
    let mut observation = Observation::new(id(key), Class::Identity, "iam-role", name);
    observation.native = format!("arn:aws:iam::111122223333:role/{name}");
    observation.status = Status::Active;
    observation.created_at = Some(moment(-1_000));
    observation.usage = Usage::LastUsed { at: moment(-10), resolution_secs: 900, lag_secs: 14_400 };
    observation.privilege = Some(Privilege {
        level: headcount_sdk::Level::Write,
        reason: "policy writer allows s3:* on *".to_owned(),
    });
    observation.owner_evidence = vec![OwnerEvidence {
        reference: "team-a".to_owned(),
        basis: OwnerBasis::Label,
        locator: "tag:Owner".to_owned(),
        kind: OwnerKind::Technical,
        standing: headcount_sdk::Standing::NotKnown,
    }];
    observation.links = vec![Link {
        kind: LinkKind::Trusts,
        to: headcount_sdk::Endpoint::Service { name: "ec2.amazonaws.com".to_owned() },
        trust: None,
        confidence: headcount_sdk::Confidence::CERTAIN,
    }];
    observation.labels.insert("Owner".to_owned(), "team-a".to_owned());
    observation.attributes.insert("path".to_owned(), "/".to_owned());
    observation.evidence = vec![Evidence {
        operation: "iam:ListRoles".to_owned(),
        object: observation.native.clone(),
        at,
    }];
    observation.unread.insert("purpose".to_owned(), "iam:ListRoleTags".to_owned());
    Record {
        history: History::first(&observation),
        observation,
        source: SOURCE.to_owned(),
        scope: scope("roles"),
        origin: Origin::Baseline,
        first_seen_at: at,
        changed_at: at,
        replaces: None,
        owner: Some(owner("team-a")),
    }
}

pub fn owner(reference: &str) -> Owner {
    Owner {
        reference: reference.to_owned(),
        kind: OwnerKind::Technical,
        basis: OwnerBasis::Label,
        locator: "tag:Owner".to_owned(),
        confidence: Confidence::percent(90),
        inherited_from: Some(RecordId::new(PLACE, "user", "AIDA1")),
        path: Vec::new(),
        standing: headcount_sdk::Standing::NotKnown,
    }
}

pub fn written(record: Record) -> Written {
    Written {
        fingerprint: reconcile::fingerprint(&record.observation),
        usage_hash: reconcile::usage_hash(&record.observation),
        record,
    }
}

pub fn commit(at: Timestamp) -> Commit {
    Commit { at, scan: "scan-1".to_owned(), source: SOURCE.to_owned(), ..Commit::default() }
}

pub fn commit_of(at: Timestamp, records: impl IntoIterator<Item = Record>) -> Commit {
    Commit { written: records.into_iter().map(written).collect(), ..commit(at) }
}

pub fn scope_state(kind: &str, coverage: Coverage) -> ScopeState {
    let state = ScopeState::unread(SOURCE, &scope(kind), moment(0));
    ScopeState { coverage, records: 3, ..state }
}

pub fn source_state(name: &str) -> SourceState {
    SourceState {
        name: name.to_owned(),
        connector: "aws".to_owned(),
        baselined_at: None,
        last_scan_started_at: Some(moment(1)),
        last_scan_finished_at: None,
        last_scan_complete: Some(false),
        last_complete_at: None,
        last_summary_at: None,
        rules_digest: Some("d".to_owned()),
    }
}

/// All records, now or then.
pub async fn everything(store: &dyn Store, at: Option<Timestamp>) -> Vec<Record> {
    let filter = RecordFilter { at, ..RecordFilter::default() };
    store.list_records(&filter, None, 10_000).await.unwrap()
}

pub fn names(records: &[Record]) -> Vec<&str> {
    records.iter().map(|record| record.observation.name.as_str()).collect()
}
