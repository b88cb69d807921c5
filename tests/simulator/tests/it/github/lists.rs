//! Lists, their pages, and what changes in them.

use headcount_simulator::github::{At, HOOK_PATH, Links, Store, VARIABLE_VALUE};

use super::{desk, next_of, read};

#[tokio::test]
async fn pages_lead_by_number_and_by_another_path() {
    let desk = desk().await;
    let (all, pages) = desk.pages("/orgs/acme/members?per_page=4").await;
    assert_eq!((all.len(), pages), (9, 3), "8 members, founder, bot, less the one who left");
    let first = desk.get("/orgs/acme/members?per_page=4").await;
    let org = desk.server.read(|hub| hub.organization("acme").unwrap().id);
    let next = format!("{}/organizations/{org}/members?page=2&per_page=4", desk.server.url());
    assert_eq!(next_of(&first), Some(next));
    desk.server.set_links(Links::OtherHost);
    let elsewhere = next_of(&desk.get("/orgs/acme/members?per_page=4").await).unwrap();
    assert!(!elsewhere.starts_with(&desk.server.url()));
}

#[tokio::test]
async fn no_page_is_larger_than_a_hundred_or_the_limit() {
    let desk = desk().await;
    for n in 0..130 {
        desk.server.change().add_member("acme", &format!("extra-{n}")).unwrap();
    }
    let page = desk.json("/orgs/acme/members?per_page=500").await;
    assert_eq!(page.as_array().unwrap().len(), 100);
    desk.server.limit_pages(Some(7));
    let page = desk.json("/orgs/acme/members?per_page=500").await;
    assert_eq!(page.as_array().unwrap().len(), 7);
    let (all, _) = desk.pages("/orgs/acme/members?per_page=100").await;
    assert_eq!(all.len(), 139);
}

#[tokio::test]
async fn pages_of_a_repository_lead_by_its_id() {
    let desk = desk().await;
    for n in 0..3 {
        desk.server
            .change()
            .add_deploy_key("acme/service-00000", &n.to_string(), "founder")
            .unwrap();
    }
    let (keys, pages) = desk.pages("/repos/acme/service-00000/keys?per_page=2").await;
    assert_eq!((keys.len(), pages), (4, 2));
}

#[tokio::test]
async fn audit_log_leads_by_cursor_through_what_was_scripted() {
    let desk = desk().await;
    let here = At::Organization("acme");
    for n in 0..5 {
        let name = format!("SECRET_{n}");
        desk.server.change().set_secret(here, Store::Actions, &name).unwrap();
    }
    desk.server.change().remove_secret(here, Store::Actions, "SECRET_0").unwrap();
    let now = desk.server.clock().now();
    let path = format!(
        "/orgs/acme/audit-log?per_page=2&order=asc&phrase=created:%3E%3D{now}%20\
         action:org.create_actions_secret%20action:org.remove_actions_secret"
    );
    let (entries, pages) = desk.pages(&path).await;
    assert_eq!((entries.len(), pages), (6, 3));
    assert_eq!(entries[5]["action"], "org.remove_actions_secret");
    assert_eq!(desk.status("/orgs/acme/audit-log?after=bm90aGluZw").await, 400);
    assert_eq!(desk.status("/orgs/acme/audit-log?phrase=what").await, 422);
}

#[tokio::test]
async fn what_a_reader_must_not_repeat_is_where_github_shows_it() {
    let desk = desk().await;
    let variables = desk.json("/orgs/acme/actions/variables").await;
    assert_eq!(variables["variables"][0]["value"], VARIABLE_VALUE);
    let hooks = desk.json("/orgs/acme/hooks").await;
    assert!(hooks[0]["config"]["url"].as_str().unwrap().contains(HOOK_PATH));
    let secrets = desk.json("/orgs/acme/actions/secrets").await;
    assert_eq!(secrets["total_count"], 3);
    assert!(!secrets.to_string().contains("value"));
}

#[tokio::test]
async fn script_changes_what_is_read_next() {
    let desk = desk().await;
    let repo = "acme/service-00000";
    let keys = "/repos/acme/service-00000/keys";
    let old = desk.json(keys).await[0]["id"].as_u64().unwrap();
    let new = desk.server.change().rotate_deploy_key(repo, old).unwrap();
    let found = desk.json(keys).await;
    assert_eq!(found[0]["id"].as_u64(), Some(new));
    assert_eq!(found.as_array().unwrap().len(), 1);
    desk.server.change().add_organization("other").unwrap();
    desk.server.change().transfer_repository(repo, "other").unwrap();
    assert_eq!(desk.status(keys).await, 404);
    desk.server.change().rename_repository("acme/service-00001", "renamed").unwrap();
    assert_eq!(desk.status("/repos/acme/renamed/keys").await, 200);
    let leaver = "member-002";
    assert_eq!(desk.get("/orgs/acme/members/member-002").await.status().as_u16(), 204);
    desk.server.change().remove_member("acme", leaver).unwrap();
    let gone = desk.get("/orgs/acme/members/member-002").await;
    assert_eq!(gone.status().as_u16(), 404);
    assert!(read(gone).await["message"].as_str().unwrap().contains("not a member"));
}

#[tokio::test]
async fn calls_are_counted_by_route() {
    let desk = desk().await;
    desk.pages("/orgs/acme/members?per_page=4").await;
    desk.status("/repos/acme/service-00000/keys").await;
    let calls = desk.server.calls();
    assert_eq!(calls.in_account("acme", "GET /orgs/{org}/members"), 3);
    assert_eq!(calls.of("GET /repos/{owner}/{repo}/keys"), 1);
    assert_eq!(calls.total(), 4);
    desk.server.reset_calls();
    assert_eq!(desk.server.exchanges(), 0);
}
