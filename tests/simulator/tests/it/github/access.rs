//! Who may ask what, and for how long.

use headcount_simulator::github::{Edition, Hub, ORGANIZATION, Size, Token};
use jiff::SignedDuration;
use serde_json::json;

use super::{desk, desk_of, header, jwt, read};

#[tokio::test]
async fn app_becomes_its_installation_by_a_token_that_ends() {
    let desk = desk().await;
    let jwt = jwt(json!(desk.reader.app_id), 1_800_000_000);
    let found = read(desk.send("/orgs/acme/installation", &jwt).await).await;
    assert_eq!(found["id"], json!(desk.reader.installation_id));
    let path = format!("/app/installations/{}/access_tokens", desk.reader.installation_id);
    let request = desk.client.post(format!("{}{path}", desk.server.url())).bearer_auth(&jwt);
    let response = request.send().await.unwrap();
    assert_eq!(response.status().as_u16(), 201);
    let issued = read(response).await;
    assert_eq!(issued["expires_at"], "2027-01-15T09:00:00Z", "in the client's time");
    let token = issued["token"].as_str().unwrap();
    assert_eq!(desk.send("/orgs/acme/members", token).await.status().as_u16(), 200);
    desk.server.clock().advance(SignedDuration::from_secs(3600));
    let ended = desk.send("/orgs/acme/members", token).await;
    assert_eq!(ended.status().as_u16(), 401);
    assert_eq!(read(ended).await["message"], "Bad credentials");
}

#[tokio::test]
async fn jwts_of_nobody_and_jwts_out_of_shape_are_refused() {
    let desk = desk().await;
    let good = jwt(json!(desk.reader.client_id), 0);
    assert_eq!(desk.send("/app", &good).await.status().as_u16(), 200);
    assert_eq!(desk.send("/app", &jwt(json!(1), 0)).await.status().as_u16(), 404);
    let unsigned = good.rsplit_once('.').unwrap().0.to_owned() + ".";
    for token in [unsigned, good.replacen('e', "!", 1), "made-up".to_owned()] {
        assert_eq!(desk.send("/app", &token).await.status().as_u16(), 401);
    }
    assert_eq!(desk.status("/app").await, 401, "an installation's token is no JWT");
    assert_eq!(desk.send("/orgs/acme/members", &good).await.status().as_u16(), 403);
}

#[tokio::test]
async fn revoked_tokens_and_suspended_installations_stop() {
    let desk = desk().await;
    let id = desk.reader.installation_id;
    desk.server.change().suspend(id, "founder").unwrap();
    assert_eq!(desk.status("/orgs/acme/members").await, 403);
    desk.server.change().unsuspend(id).unwrap();
    assert_eq!(desk.status("/orgs/acme/members").await, 200);
    desk.server.change().revoke_tokens();
    assert_eq!(desk.status("/orgs/acme/members").await, 401);
}

#[tokio::test]
async fn permission_decides_and_its_absence_names_itself() {
    let desk = desk().await;
    desk.server.change().forbid(desk.reader.installation_id, "organization_hooks").unwrap();
    let refused = desk.get("/orgs/acme/hooks").await;
    assert_eq!(refused.status().as_u16(), 403);
    assert_eq!(header(&refused, "x-accepted-github-permissions"), "organization_hooks=read");
    assert_eq!(read(refused).await["message"], "Resource not accessible by integration");
    assert_eq!(desk.status("/orgs/acme/members").await, 200);
    desk.server.change().hide("GET /orgs/{org}/members");
    assert_eq!(desk.status("/orgs/acme/members").await, 404);
    desk.server.change().allow("GET /orgs/{org}/members");
    desk.server.change().deny("GET /orgs/{org}/members");
    assert_eq!(desk.status("/orgs/acme/members").await, 403);
}

#[tokio::test]
async fn unselected_repositories_do_not_exist_for_an_installation() {
    let desk = desk().await;
    let only = "acme/service-00001";
    desk.server.change().select_repositories(desk.reader.installation_id, &[only]).unwrap();
    assert_eq!(desk.status("/repos/acme/service-00001/keys").await, 200);
    assert_eq!(desk.status("/repos/acme/service-00002/keys").await, 404);
    let all = desk.json("/installation/repositories").await;
    assert_eq!(all["total_count"], 1);
    assert_eq!(all["repository_selection"], "selected");
}

#[tokio::test]
async fn editions_have_their_own_endpoints() {
    let rows = [
        (Edition::Free, 404, 404, 200),
        (Edition::Team, 404, 404, 200),
        (Edition::EnterpriseCloud, 200, 200, 200),
        (Edition::Server, 404, 200, 404),
    ];
    for (edition, authorizations, audit, agents) in rows {
        let mut hub = Hub::seeded(3, Size::small());
        hub.edition = edition;
        let desk = desk_of(hub).await;
        let at = |tail: &str| format!("/orgs/{ORGANIZATION}/{tail}");
        assert_eq!(desk.status(&at("credential-authorizations")).await, authorizations);
        assert_eq!(desk.status(&at("audit-log")).await, audit);
        assert_eq!(desk.status(&at("agents/secrets")).await, agents);
    }
}

#[tokio::test]
async fn people_cannot_list_fine_grained_tokens() {
    let desk = desk().await;
    let org = desk.server.read(|hub| hub.organization(ORGANIZATION).unwrap().id);
    let owner = desk.server.change().token(Token::Owner(org));
    let path = "/orgs/acme/personal-access-tokens";
    assert_eq!(desk.send(path, &owner).await.status().as_u16(), 403);
    assert_eq!(desk.send("/orgs/acme/hooks", &owner).await.status().as_u16(), 200);
}

#[tokio::test]
async fn budget_is_spent_told_and_given_back_after_an_hour() {
    let desk = desk().await;
    desk.server.change().manners.budget = Some(2);
    let first = desk.get("/orgs/acme/hooks").await;
    assert_eq!(header(&first, "x-ratelimit-remaining"), "1");
    assert_eq!(desk.status("/orgs/acme/hooks").await, 200);
    let refused = desk.get("/orgs/acme/hooks").await;
    assert_eq!(refused.status().as_u16(), 403);
    assert_eq!(header(&refused, "x-ratelimit-remaining"), "0");
    assert_eq!(header(&refused, "x-ratelimit-resource"), "core");
    let reset: i64 = header(&refused, "x-ratelimit-reset").parse().unwrap();
    assert_eq!(reset, desk.server.clock().now().as_second() + 3600);
    desk.server.change().manners.spent_status = 429;
    assert_eq!(desk.status("/orgs/acme/hooks").await, 429);
    desk.server.clock().advance(SignedDuration::from_secs(3600));
    assert_eq!(desk.status("/orgs/acme/hooks").await, 200);
}
