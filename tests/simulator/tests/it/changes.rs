//! What the script does while the simulator runs is what the client reads next.

use headcount_simulator::{
    ChangeError, Holder, Organization, Power, Simulator, Trust, aws_managed,
};
use jiff::SignedDuration;

use crate::client::iam;

async fn empty() -> (Simulator, String) {
    let org = Organization::empty(9);
    let account = org.management().to_owned();
    (Simulator::start(org).await.unwrap(), account)
}

#[tokio::test]
async fn recreated_names_have_new_ids_and_old_grants() {
    let (simulator, account) = empty().await;
    let trust = Trust::service("ec2.amazonaws.com");
    let arn = aws_managed("aws", "ReadOnlyAccess");
    let (user, role) = {
        let mut org = simulator.change();
        let user = org.create_user(&account, "/svc/bot").unwrap();
        org.create_access_key(&account, "bot").unwrap();
        let role = org.create_role(&account, "worker", &trust).unwrap();
        for holder in [Holder::User("bot"), Holder::Role("worker")] {
            org.attach_policy(&account, holder, &arn).unwrap();
        }
        (user, role)
    };
    let new_user = simulator.change().recreate_user(&account, "bot").unwrap();
    let new_role = simulator.change().recreate_role(&account, "worker").unwrap();
    assert!(new_user != user && new_role != role);
    let client = iam(&simulator);
    let details = client.get_account_authorization_details().send().await.unwrap();
    let user = &details.user_detail_list()[0];
    assert_eq!(user.user_id(), Some(new_user.as_str()));
    assert_eq!(user.path(), Some("/svc/"));
    assert_eq!(user.attached_managed_policies()[0].policy_arn(), Some(arn.as_str()));
    assert_eq!(details.role_detail_list()[0].role_id(), Some(new_role.as_str()));
    assert_eq!(details.policies()[0].attachment_count(), Some(2));
    let keys = client.list_access_keys().user_name("bot").send().await.unwrap();
    assert!(keys.access_key_metadata().is_empty());
}

#[tokio::test]
async fn rotated_key_replaces_the_old_one() {
    let (simulator, account) = empty().await;
    simulator.change().create_user(&account, "bot").unwrap();
    let old = simulator.change().create_access_key(&account, "bot").unwrap();
    simulator.clock().advance(SignedDuration::from_hours(1));
    let new = simulator.change().rotate_access_key(&old).unwrap();
    let keys = iam(&simulator).list_access_keys().user_name("bot").send().await.unwrap();
    let key = &keys.access_key_metadata()[0];
    assert_eq!(key.access_key_id(), Some(new.as_str()));
    assert_eq!(key.create_date().unwrap().secs(), simulator.clock().now().as_second());
    assert_eq!(keys.access_key_metadata().len(), 1);
}

#[tokio::test]
async fn only_the_first_use_in_a_quarter_of_an_hour_is_recorded() {
    let (simulator, account) = empty().await;
    simulator.change().create_user(&account, "bot").unwrap();
    let key = simulator.change().create_access_key(&account, "bot").unwrap();
    let used = || {
        simulator.read(|org| org.account(&account).unwrap().access_keys()[&key].last_used.clone())
    };
    simulator.change().use_access_key(&key, "s3", "eu-west-1").unwrap();
    let first = used();
    simulator.clock().advance(SignedDuration::from_mins(14));
    simulator.change().use_access_key(&key, "sqs", "eu-west-1").unwrap();
    assert_eq!(used(), first);
    simulator.clock().advance(SignedDuration::from_mins(1));
    simulator.change().use_access_key(&key, "sqs", "eu-west-1").unwrap();
    assert_eq!(used().map(|used| used.at), Some(simulator.clock().now()));
}

#[tokio::test]
async fn tags_policies_and_trust_come_and_go() {
    let (simulator, account) = empty().await;
    let role = Holder::Role("worker");
    let policy = {
        let mut org = simulator.change();
        org.create_role(&account, "worker", &Trust::PodIdentity).unwrap();
        org.tag(&account, role, "Owner", "jane@example.com").unwrap();
        let policy = org.create_policy(&account, "p", &Power::Admin.document(0)).unwrap();
        org.attach_policy(&account, role, &policy).unwrap();
        org.put_policy(&account, role, "q", &Power::Read.document(0)).unwrap();
        policy
    };
    {
        let mut org = simulator.change();
        org.untag(&account, role, "Owner").unwrap();
        org.detach_policy(&account, role, &policy).unwrap();
        org.delete_inline_policy(&account, role, "q").unwrap();
        org.set_trust(&account, "worker", &Trust::account("*")).unwrap();
    }
    let details = iam(&simulator).get_account_authorization_details().send().await.unwrap();
    let role = &details.role_detail_list()[0];
    assert!(role.tags().is_empty() && role.role_policy_list().is_empty());
    assert!(role.attached_managed_policies().is_empty());
    assert!(role.assume_role_policy_document().unwrap().contains("%22AWS%22%3A%22%2A%22"));
    assert_eq!(details.policies()[0].attachment_count(), Some(0));
}

#[tokio::test]
async fn use_of_a_role_is_forgotten_after_four_hundred_days() {
    let (simulator, account) = empty().await;
    simulator.change().create_role(&account, "worker", &Trust::PodIdentity).unwrap();
    simulator.change().use_role(&account, "worker", "eu-west-1").unwrap();
    let client = iam(&simulator);
    for (days, known) in [(400, true), (1, false)] {
        simulator.clock().advance(SignedDuration::from_hours(24 * days));
        let details = client.get_account_authorization_details().send().await.unwrap();
        let used = details.role_detail_list()[0].role_last_used().unwrap();
        assert_eq!(used.last_used_date().is_some(), known);
    }
}

#[tokio::test]
async fn deleted_user_takes_its_credentials_along() {
    let (simulator, account) = empty().await;
    let key = {
        let mut org = simulator.change();
        org.create_user(&account, "bot").unwrap();
        org.create_service_credential(&account, "bot", "bedrock.amazonaws.com", None).unwrap();
        org.create_access_key(&account, "bot").unwrap()
    };
    simulator.change().delete_user(&account, "bot").unwrap();
    let client = iam(&simulator);
    let all = client.list_service_specific_credentials().all_users(true).send().await.unwrap();
    assert!(all.service_specific_credentials().is_empty());
    let error = client.get_access_key_last_used().access_key_id(&key).send().await;
    assert!(error.is_err());
    let gone = simulator.change().use_access_key(&key, "s3", "eu-west-1").unwrap_err();
    assert_eq!(gone, ChangeError::NoSuch { kind: "access key", name: key });
}

#[tokio::test]
async fn change_that_cannot_be_says_why() {
    let mut org = Organization::empty(1);
    let account = org.management().to_owned();
    org.create_user(&account, "bot").unwrap();
    let taken = org.create_user(&account, "bot").unwrap_err();
    assert_eq!(taken, ChangeError::Exists("bot".to_owned()));
    org.create_access_key(&account, "bot").unwrap();
    org.create_access_key(&account, "bot").unwrap();
    let third = org.create_access_key(&account, "bot").unwrap_err();
    assert_eq!(third, ChangeError::Quota("access keys"));
    assert!(org.create_user("000000000000", "bot").is_err());
}
