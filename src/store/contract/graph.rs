//! Links between records of any source, and what is remembered of a record.

use headcount_core::graph::{self, Key};
use headcount_core::inventory::{Growth, Silence};
use headcount_sdk::{Endpoint, FederatedSubject, Level, Trust};

use super::*;
use crate::store::Used;

const ISSUER: &str = "https://token.actions.githubusercontent.com";

/// A record that uses another by its handle.
fn user(key: &str, of: &Record) -> Record {
    let mut user = record(key, key, moment(0));
    user.observation.links = vec![Link::new(
        LinkKind::Uses,
        Endpoint::Native { place: of.scope.place.clone(), native: of.observation.native.clone() },
    )];
    user
}

fn trusting(key: &str, pattern: &str) -> Record {
    let mut role = record(key, key, moment(0));
    let trust = Trust {
        subjects: vec![pattern.to_owned()],
        audiences: Vec::new(),
        external_id: headcount_sdk::ExternalId::NotApplicable,
        narrowed_by: Vec::new(),
    };
    let to = Endpoint::Federation { issuer: ISSUER.to_owned() };
    role.observation.links = vec![Link { trust: Some(trust), ..Link::new(LinkKind::Trusts, to) }];
    role
}

fn repository(key: &str, subject: &str) -> Record {
    let mut repository = record(key, key, moment(0));
    repository.observation.links.clear();
    repository.observation.subjects =
        vec![FederatedSubject { issuer: ISSUER.to_owned(), subject: subject.to_owned() }];
    repository
}

async fn named(store: &dyn Store, found: Vec<(Key, RecordId)>) -> Vec<String> {
    let ids: Vec<RecordId> = found.into_iter().map(|(_, id)| id).collect();
    let records = store.records(&ids).await.unwrap();
    records.into_iter().map(|r| r.observation.name).collect()
}

/// Names of the records that link to this one.
async fn before(store: &dyn Store, record: &Record) -> Vec<String> {
    let keys: Vec<Key> = graph::answered(record).into_iter().collect();
    named(store, store.linking(&keys, 100).await.unwrap()).await
}

/// Names of the records that this one links to, ids apart.
async fn behind(store: &dyn Store, record: &Record) -> Vec<String> {
    let keys: Vec<Key> = graph::sought(record).into_iter().collect();
    named(store, store.answering(&keys, 100).await.unwrap()).await
}

pub async fn links_are_found_from_both_ends(store: &dyn Store) {
    let role = record("1", "role", moment(0));
    let (first, second) = (user("2", &role), user("3", &role));
    let (ci, shop) = (trusting("4", "repo:acme/shop:*"), repository("5", "repo:acme/shop:*"));
    let other = repository("6", "repo:acme/other:*");
    let all = [&role, &first, &second, &ci, &shop, &other];
    store.commit(&commit_of(moment(0), all.map(Clone::clone))).await.unwrap();
    assert_eq!(before(store, &role).await, ["2", "3"]);
    assert_eq!(behind(store, &first).await, ["role"]);
    assert_eq!(before(store, &shop).await, ["4"]);
    assert_eq!(behind(store, &ci).await, ["5"]);
    assert!(before(store, &other).await.is_empty());
    assert!(store.linking(&[], 10).await.unwrap().is_empty());
    assert!(store.answering(&[], 10).await.unwrap().is_empty());
}

pub async fn links_that_change_or_go_are_found_no_more(store: &dyn Store) {
    let role = record("1", "role", moment(0));
    let (one, two) = (user("2", &role), user("3", &role));
    let shop = repository("4", "repo:acme/shop:*");
    let all = [role.clone(), one, two.clone(), shop.clone()];
    store.commit(&commit_of(moment(0), all)).await.unwrap();

    // One link moves to a trust in the repository, the role gets another handle.
    let moved = Record { changed_at: moment(1), ..trusting("2", "repo:acme/*") };
    let mut renamed = Record { changed_at: moment(1), ..role.clone() };
    renamed.observation.native = "arn:aws:iam::111122223333:role/renamed".to_owned();
    store.commit(&commit_of(moment(1), [moved, renamed])).await.unwrap();
    assert_eq!(before(store, &role).await, ["3"]);
    assert_eq!(before(store, &shop).await, ["2"]);
    assert!(behind(store, &two).await.is_empty());

    let gone = Commit { removed: vec![id("3"), id("4")], ..commit(moment(2)) };
    store.commit(&gone).await.unwrap();
    assert!(before(store, &role).await.is_empty());
    assert!(behind(store, &trusting("2", "repo:acme/*")).await.is_empty());
}

pub async fn of_each_key_only_the_first_are_named(store: &dyn Store) {
    let (role, other) = (record("1", "role", moment(0)), record("2", "other", moment(0)));
    let mut all = vec![role.clone(), other.clone()];
    all.extend((10..20).map(|n| user(&n.to_string(), &role)));
    all.extend((20..23).map(|n| user(&n.to_string(), &other)));
    store.commit(&commit_of(moment(0), all)).await.unwrap();
    let keys: Vec<Key> = [graph::handle(&role), graph::handle(&other)].map(Option::unwrap).into();
    let found = store.linking(&keys, 4).await.unwrap();
    let of = |key: Key| found.iter().filter(|(k, _)| *k == key).count();
    assert_eq!((of(keys[0]), of(keys[1])), (4, 3));
    assert_eq!(found, store.linking(&keys, 4).await.unwrap(), "always the same ones");
}

pub async fn what_is_remembered_comes_back_and_moves_in_place(store: &dyn Store) {
    let mut written = record("1", "a", moment(0));
    let growth = Growth { at: moment(-5), from: Level::Read, to: Level::Admin };
    written.history.growth = Some(growth.clone());
    store.commit(&commit_of(moment(0), [written.clone()])).await.unwrap();
    assert_eq!(everything(store, None).await, vec![written.clone()]);

    let at = moment(5_000_000);
    let mut history = written.history.clone();
    history.silence = Some(Silence { from: moment(-10), until: at });
    history.last_known_use = Some(at);
    let usage = Usage::LastUsed { at, resolution_secs: 900, lag_secs: 14_400 };
    let used = Used { id: id("1"), usage, usage_hash: 7, history: history.clone() };
    store.commit(&Commit { used: vec![used], ..commit(moment(1)) }).await.unwrap();
    assert_eq!(everything(store, None).await[0].history, history);
    assert_eq!(store.versions(&id("1")).await.unwrap().len(), 1);

    // The source stops telling; the record goes, and is remembered with all that.
    let silent = Usage::NotObservable { reason: "not told".to_owned() };
    let used = Used { id: id("1"), usage: silent, usage_hash: 8, history: history.clone() };
    store.commit(&Commit { used: vec![used], ..commit(moment(2)) }).await.unwrap();
    assert_eq!(everything(store, None).await[0].history, history);
    store.commit(&Commit { removed: vec![id("1")], ..commit(moment(3)) }).await.unwrap();
    assert_eq!(store.vanished(&[id("1")]).await.unwrap()[0].history, history);
}
