//! Whose request it is, and what is refused.

use aws_config::SdkConfig;
use aws_sdk_iam::config::{Credentials, SharedCredentialsProvider};
use aws_sdk_iam::error::ProvideErrorMetadata;
use headcount_simulator::{EXTERNAL_ID, Organization, READER_ROLE, Simulator, Size, Trust};

use crate::client::{config, iam, iam_with, organizations, sts};

async fn assume(
    simulator: &Simulator,
    account: &str,
    external_id: Option<&str>,
) -> Result<SdkConfig, String> {
    let answer = sts(simulator)
        .assume_role()
        .role_arn(format!("arn:aws:iam::{account}:role/{READER_ROLE}"))
        .role_session_name("headcount.test")
        .set_external_id(external_id.map(str::to_owned))
        .send()
        .await
        .map_err(|error| error.code().unwrap_or("none").to_owned())?;
    let credentials = answer.credentials().unwrap();
    let credentials = Credentials::new(
        credentials.access_key_id(),
        credentials.secret_access_key(),
        Some(credentials.session_token().to_owned()),
        None,
        "test",
    );
    let provider = SharedCredentialsProvider::new(credentials);
    Ok(config(simulator, "replaced").into_builder().credentials_provider(provider).build())
}

fn two_accounts() -> (Organization, String) {
    let size = Size { accounts: 2, users: 3, roles: 3, customer_policies: 1 };
    let org = Organization::seeded(5, size);
    let member = org.accounts().keys().find(|id| *id != org.management()).unwrap().clone();
    (org, member)
}

#[tokio::test]
async fn session_speaks_for_the_account_of_its_role() {
    let (org, member) = two_accounts();
    let simulator = Simulator::start(org).await.unwrap();
    let session = assume(&simulator, &member, Some(EXTERNAL_ID)).await.unwrap();
    let who = aws_sdk_sts::Client::new(&session).get_caller_identity().send().await.unwrap();
    assert_eq!(who.account(), Some(member.as_str()));
    assert!(who.arn().unwrap().ends_with(&format!("assumed-role/{READER_ROLE}/headcount.test")));
    aws_sdk_iam::Client::new(&session).list_roles().send().await.unwrap();
    assert_eq!(simulator.calls().in_account(&member, "iam:ListRoles"), 1);
    let now = simulator.clock().now();
    let used =
        simulator.read(|org| org.account(&member).unwrap().roles()[READER_ROLE].last_used.clone());
    assert_eq!(used.map(|used| used.at), Some(now));
}

#[tokio::test]
async fn session_ends_in_the_future_of_the_client_not_of_the_simulation() {
    let (org, member) = two_accounts();
    let simulator = Simulator::start(org).await.unwrap();
    let answer = sts(&simulator)
        .assume_role()
        .role_arn(format!("arn:aws:iam::{member}:role/{READER_ROLE}"))
        .role_session_name("headcount.test")
        .external_id(EXTERNAL_ID)
        .send()
        .await
        .unwrap();
    let ends = answer.credentials().unwrap().expiration().secs();
    assert!(ends > jiff::Timestamp::now().as_second() + 3000);
}

#[tokio::test]
async fn role_is_refused_without_its_external_id() {
    let (org, member) = two_accounts();
    let simulator = Simulator::start(org).await.unwrap();
    for external_id in [None, Some("wrong")] {
        let refused = assume(&simulator, &member, external_id).await.unwrap_err();
        assert_eq!(refused, "AccessDenied", "{external_id:?}");
    }
}

#[tokio::test]
async fn role_that_trusts_somebody_else_is_refused() {
    let (mut org, member) = two_accounts();
    org.set_trust(&member, READER_ROLE, &Trust::account("012345678901")).unwrap();
    let simulator = Simulator::start(org).await.unwrap();
    assert_eq!(assume(&simulator, &member, Some(EXTERNAL_ID)).await.unwrap_err(), "AccessDenied");
}

#[tokio::test]
async fn missing_role_and_suspended_account_look_alike() {
    let (org, member) = two_accounts();
    let management = org.management().to_owned();
    let simulator = Simulator::start(org).await.unwrap();
    let before = assume(&simulator, &member, Some(EXTERNAL_ID)).await.unwrap();
    simulator.change().delete_role(&management, READER_ROLE).unwrap();
    simulator.change().suspend_account(&member).unwrap();
    for account in [&management, &member] {
        let refused = assume(&simulator, account, Some(EXTERNAL_ID)).await.unwrap_err();
        assert_eq!(refused, "AccessDenied");
    }
    let cut_off = aws_sdk_iam::Client::new(&before).list_roles().send().await.unwrap_err();
    assert_eq!(cut_off.code(), Some("InvalidClientTokenId"));
}

#[tokio::test]
async fn ended_session_is_told_apart_from_a_denied_one() {
    let (org, member) = two_accounts();
    let simulator = Simulator::start(org).await.unwrap();
    let session = assume(&simulator, &member, Some(EXTERNAL_ID)).await.unwrap();
    simulator.change().expire_sessions();
    let ended = aws_sdk_iam::Client::new(&session).list_roles().send().await.unwrap_err();
    assert_eq!(ended.code(), Some("ExpiredToken"));
}

#[tokio::test]
async fn denied_action_names_itself_and_comes_back_when_allowed() {
    let org = Organization::seeded(5, Size::account(1, 1, 1));
    let account = org.management().to_owned();
    let simulator = Simulator::start(org).await.unwrap();
    let client = iam(&simulator);
    simulator.change().deny(&account, "iam:ListRoles").unwrap();
    let error = client.list_roles().send().await.unwrap_err();
    assert_eq!(error.raw_response().unwrap().status().as_u16(), 403);
    assert_eq!(error.code(), Some("AccessDenied"));
    assert!(error.message().unwrap().contains("is not authorized to perform: iam:ListRoles"));
    client.list_users().send().await.unwrap();
    simulator.change().allow(&account, "iam:ListRoles").unwrap();
    assert_eq!(client.list_roles().send().await.unwrap().roles().len(), 1);
}

#[tokio::test]
async fn organizations_denies_in_its_own_words() {
    let (org, member) = two_accounts();
    let management = org.management().to_owned();
    let simulator = Simulator::start(org).await.unwrap();
    simulator.change().deny(&management, "organizations:ListAccounts").unwrap();
    let error = organizations(&simulator).list_accounts().send().await.unwrap_err();
    assert!(error.into_service_error().is_access_denied_exception());
    let session = assume(&simulator, &member, Some(EXTERNAL_ID)).await.unwrap();
    let as_member = aws_sdk_organizations::Client::new(&session);
    let error = as_member.list_accounts().send().await.unwrap_err();
    assert!(error.into_service_error().is_access_denied_exception());
    as_member.describe_organization().send().await.unwrap();
}

#[tokio::test]
async fn lone_account_has_no_organisation() {
    let simulator = Simulator::start(Organization::empty(1).without_organizations()).await.unwrap();
    let error = organizations(&simulator).list_accounts().send().await.unwrap_err();
    assert!(error.into_service_error().is_aws_organizations_not_in_use_exception());
}

#[tokio::test]
async fn key_of_a_user_speaks_for_the_users_account_until_it_is_switched_off() {
    let (mut org, member) = two_accounts();
    org.create_user(&member, "bot").unwrap();
    let key = org.create_access_key(&member, "bot").unwrap();
    let simulator = Simulator::start(org).await.unwrap();
    let client = iam_with(&simulator, &key);
    let own = client.list_access_keys().send().await.unwrap();
    assert_eq!(own.access_key_metadata()[0].access_key_id(), Some(key.as_str()));
    assert_eq!(simulator.calls().of_account(&member), 1);
    simulator.change().deactivate_access_key(&key).unwrap();
    let error = client.list_access_keys().send().await.unwrap_err();
    assert_eq!(error.code(), Some("InvalidClientTokenId"));
}

#[tokio::test]
async fn what_does_not_exist_is_said_so() {
    let simulator = Simulator::start(Organization::empty(1)).await.unwrap();
    let client = iam(&simulator);
    let error = client.list_access_keys().user_name("nobody").send().await.unwrap_err();
    assert!(error.into_service_error().is_no_such_entity_exception());
    let error = client.get_access_key_last_used().access_key_id("AKIAUNKNOWNUNKNOWN00");
    assert_eq!(error.send().await.unwrap_err().code(), Some("NoSuchEntity"));
    let error = client.get_account_password_policy().send().await.unwrap_err();
    assert_eq!(error.code(), Some("InvalidAction"));
}
