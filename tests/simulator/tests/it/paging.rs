//! Pages give every record once, in any size, and markers mean nothing elsewhere.

use std::collections::BTreeSet;

use aws_sdk_iam::error::ProvideErrorMetadata;
use aws_sdk_iam::types::EntityType;
use headcount_simulator::{Organization, Simulator, Size};

use crate::client::{iam, organizations};

/// Ids of everything in the details, in the order served, and the number of pages.
async fn details(simulator: &Simulator, size: i32, kinds: &[EntityType]) -> (Vec<String>, usize) {
    let client = iam(simulator);
    let (mut ids, mut marker, mut pages) = (Vec::new(), None, 0);
    loop {
        let answer = client
            .get_account_authorization_details()
            .set_filter(Some(kinds.to_vec()))
            .max_items(size)
            .set_marker(marker)
            .send()
            .await
            .unwrap();
        pages += 1;
        ids.extend(answer.user_detail_list().iter().map(|user| user.user_id().unwrap().to_owned()));
        ids.extend(
            answer.group_detail_list().iter().map(|group| group.group_id().unwrap().to_owned()),
        );
        ids.extend(answer.role_detail_list().iter().map(|role| role.role_id().unwrap().to_owned()));
        ids.extend(answer.policies().iter().map(|policy| policy.policy_id().unwrap().to_owned()));
        if !answer.is_truncated() {
            assert!(answer.marker().is_none());
            return (ids, pages);
        }
        marker = Some(answer.marker().unwrap().to_owned());
    }
}

#[tokio::test]
async fn every_page_size_gives_every_record_once() {
    let org = Organization::seeded(3, Size::account(60, 45, 17));
    let account = org.accounts()[org.management()].clone_ids();
    let simulator = Simulator::start(org).await.unwrap();
    for size in [1, 7, 50, 1000] {
        let kinds =
            [EntityType::User, EntityType::Group, EntityType::Role, EntityType::LocalManagedPolicy];
        let (ids, pages) = details(&simulator, size, &kinds).await;
        assert_eq!(ids.iter().cloned().collect::<BTreeSet<_>>(), account);
        assert_eq!(ids.len(), account.len(), "none twice");
        assert_eq!(pages, account.len().div_ceil(size as usize), "pages are full");
    }
}

trait Ids {
    fn clone_ids(&self) -> BTreeSet<String>;
}

impl Ids for headcount_simulator::Account {
    fn clone_ids(&self) -> BTreeSet<String> {
        let users = self.users().values().map(|user| user.id.clone());
        let groups = self.groups().values().map(|group| group.id.clone());
        let roles = self.roles().values().map(|role| role.id.clone());
        let policies = self.policies().values().map(|policy| policy.id.clone());
        users.chain(groups).chain(roles).chain(policies).collect()
    }
}

#[tokio::test]
async fn page_is_filled_over_what_the_filter_selects() {
    let org = Organization::seeded(3, Size::account(60, 45, 17));
    let simulator = Simulator::start(org).await.unwrap();
    let (ids, pages) = details(&simulator, 100, &[EntityType::User, EntityType::Role]).await;
    assert_eq!((ids.len(), pages), (105, 2));
    assert!(ids[..60].iter().all(|id| id.starts_with("AIDA")), "users come first");
    assert!(ids[60..].iter().all(|id| id.starts_with("AROA")));
}

#[tokio::test]
async fn roles_and_users_page_by_a_hundred_unless_asked() {
    let org = Organization::seeded(3, Size::account(120, 230, 0));
    let simulator = Simulator::start(org).await.unwrap();
    let client = iam(&simulator);
    let mut names = BTreeSet::new();
    let mut pages = client.list_roles().into_paginator().send();
    let mut sizes = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        sizes.push(page.roles().len());
        names.extend(page.roles().iter().map(|role| role.role_name().to_owned()));
    }
    assert_eq!(sizes, [100, 100, 30]);
    assert_eq!(names.len(), 230);
    let users = client.list_users().max_items(1000).send().await.unwrap();
    assert_eq!((users.users().len(), users.is_truncated()), (120, false));
}

#[tokio::test]
async fn keys_of_one_user_page_too() {
    let mut org = Organization::empty(3);
    let account = org.management().to_owned();
    org.create_user(&account, "bot").unwrap();
    let first = org.create_access_key(&account, "bot").unwrap();
    let second = org.create_access_key(&account, "bot").unwrap();
    let simulator = Simulator::start(org).await.unwrap();
    let client = iam(&simulator);
    let page = client.list_access_keys().user_name("bot").max_items(1).send().await.unwrap();
    assert_eq!(page.access_key_metadata()[0].access_key_id(), Some(first.as_str()));
    let marker = page.marker().unwrap();
    let page = client.list_access_keys().user_name("bot").marker(marker).send().await.unwrap();
    assert_eq!(page.access_key_metadata()[0].access_key_id(), Some(second.as_str()));
    assert!(!page.is_truncated());
}

#[tokio::test]
async fn marker_works_again_but_not_for_another_action() {
    let org = Organization::seeded(3, Size::account(20, 20, 0));
    let simulator = Simulator::start(org).await.unwrap();
    let client = iam(&simulator);
    let first = client.list_roles().max_items(5).send().await.unwrap();
    let marker = first.marker().unwrap();
    let again = || client.list_roles().marker(marker).max_items(5).send();
    let (one, two) = (again().await.unwrap(), again().await.unwrap());
    assert_eq!(one.roles(), two.roles());
    for wrong in [marker, "5", "unknown"] {
        let error = client.list_users().marker(wrong).send().await.unwrap_err();
        assert_eq!(error.code(), Some("ValidationError"), "{wrong}");
    }
}

#[tokio::test]
async fn page_size_beyond_the_limit_is_refused() {
    let simulator = Simulator::start(Organization::empty(1)).await.unwrap();
    for size in [0, 1001] {
        let error = iam(&simulator).list_roles().max_items(size).send().await.unwrap_err();
        assert_eq!(error.code(), Some("ValidationError"), "{size}");
    }
}

#[tokio::test]
async fn accounts_come_twenty_at_a_time() {
    let size = Size { accounts: 45, users: 0, roles: 1, customer_policies: 0 };
    let org = Organization::seeded(3, size);
    let simulator = Simulator::start(org).await.unwrap();
    let client = organizations(&simulator);
    let mut pages = client.list_accounts().into_paginator().send();
    let (mut sizes, mut ids) = (Vec::new(), BTreeSet::new());
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        sizes.push(page.accounts().len());
        ids.extend(page.accounts().iter().map(|account| account.id().unwrap().to_owned()));
    }
    assert_eq!(sizes, [20, 20, 5]);
    assert_eq!(ids.len(), 45);
    let error = client.list_accounts().next_token("20").send().await.unwrap_err();
    assert!(error.into_service_error().is_invalid_input_exception());
}

#[tokio::test]
async fn record_deleted_between_pages_does_not_shift_the_next_one() {
    let org = Organization::seeded(3, Size::account(0, 12, 0));
    let account = org.management().to_owned();
    let names: Vec<String> = org.accounts()[&account].roles().keys().cloned().collect();
    let simulator = Simulator::start(org).await.unwrap();
    let client = iam(&simulator);
    let first = client.list_roles().max_items(5).send().await.unwrap();
    simulator.change().delete_role(&account, &names[2]).unwrap();
    simulator.change().delete_role(&account, &names[4]).unwrap();
    let next =
        client.list_roles().marker(first.marker().unwrap()).max_items(5).send().await.unwrap();
    assert_eq!(next.roles()[0].role_name(), names[5]);
}
