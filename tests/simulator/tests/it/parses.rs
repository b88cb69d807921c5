//! Every operation gives what the official client can read, and the record that is there.

use aws_sdk_iam::types::{EntityType, SummaryKeyType};
use headcount_simulator::{
    GITHUB_ISSUER, Holder, Organization, Power, Simulator, Trust, aws_managed,
};

use crate::client::{iam, organizations, sts};

#[tokio::test]
async fn summary_counts_what_is_there() {
    let mut org = Organization::empty(1);
    let account = org.management().to_owned();
    org.create_user(&account, "jane").unwrap();
    org.create_role(&account, "reader", &Trust::service("ec2.amazonaws.com")).unwrap();
    org.create_instance_profile(&account, "reader").unwrap();
    org.create_root_access_key(&account).unwrap();
    let simulator = Simulator::start(org).await.unwrap();
    let answer = iam(&simulator).get_account_summary().send().await.unwrap();
    let map = answer.summary_map().unwrap();
    for (key, count) in [
        (SummaryKeyType::Users, 1),
        (SummaryKeyType::Roles, 1),
        (SummaryKeyType::AccountAccessKeysPresent, 1),
        (SummaryKeyType::Providers, 0),
        ("InstanceProfiles".into(), 1),
    ] {
        assert_eq!(map.get(&key), Some(&count), "{key:?}");
    }
}

#[tokio::test]
async fn details_carry_what_lists_leave_out() {
    let mut org = Organization::empty(1);
    let account = org.management().to_owned();
    let id =
        org.create_role(&account, "/team/deployer", &Trust::github(Some("repo:a/b:*"))).unwrap();
    org.describe_role(&account, "deployer", "deploys <everything> & more").unwrap();
    org.tag(&account, Holder::Role("deployer"), "Owner", "jane@example.com").unwrap();
    org.put_policy(&account, Holder::Role("deployer"), "all", &Power::Admin.document(0)).unwrap();
    let read_only = aws_managed("aws", "ReadOnlyAccess");
    org.attach_policy(&account, Holder::Role("deployer"), &read_only).unwrap();
    org.set_boundary(&account, Holder::Role("deployer"), &read_only).unwrap();
    org.create_instance_profile(&account, "deployer").unwrap();
    org.use_role(&account, "deployer", "eu-west-1").unwrap();
    let now = org.clock().now();
    let simulator = Simulator::start(org).await.unwrap();
    let client = iam(&simulator);

    let details = client.get_account_authorization_details().send().await.unwrap();
    let role = &details.role_detail_list()[0];
    assert_eq!(role.role_id(), Some(id.as_str()));
    assert_eq!(role.path(), Some("/team/"));
    assert_eq!(role.arn(), Some(format!("arn:aws:iam::{account}:role/team/deployer").as_str()));
    let used = role.role_last_used().unwrap();
    assert_eq!(used.last_used_date().unwrap().secs(), now.as_second());
    assert_eq!(used.region(), Some("eu-west-1"));
    assert_eq!(role.tags()[0].value(), "jane@example.com");
    assert_eq!(role.attached_managed_policies()[0].policy_name(), Some("ReadOnlyAccess"));
    let boundary = role.permissions_boundary().unwrap();
    assert_eq!(boundary.permissions_boundary_arn(), Some(read_only.as_str()));
    let trust = role.assume_role_policy_document().unwrap();
    assert!(trust.starts_with("%7B%22") && !trust.contains('{'), "encoded: {trust}");
    assert!(role.role_policy_list()[0].policy_document().unwrap().contains("%2A"));
    let profile = &role.instance_profile_list()[0];
    assert_eq!(profile.instance_profile_name(), "deployer");
    assert_eq!(profile.roles()[0].role_id(), id);
    let managed = &details.policies()[0];
    assert_eq!(managed.arn(), Some(read_only.as_str()));
    assert_eq!(managed.attachment_count(), Some(1));

    let listed = client.list_roles().send().await.unwrap();
    let role = &listed.roles()[0];
    assert_eq!(role.description(), Some("deploys <everything> & more"));
    assert_eq!(role.max_session_duration(), Some(3600));
    assert!(role.role_last_used().is_none() && role.tags().is_empty());
}

#[tokio::test]
async fn details_of_users_groups_and_policies_parse() {
    let mut org = Organization::empty(1);
    let account = org.management().to_owned();
    org.create_user(&account, "/people/jane").unwrap();
    org.create_group(&account, "admins").unwrap();
    org.join_group(&account, "jane", "admins").unwrap();
    org.put_policy(&account, Holder::Group("admins"), "all", &Power::Admin.document(0)).unwrap();
    let arn = org.create_policy(&account, "deploy", &Power::Write.document(0)).unwrap();
    org.create_policy_version(&account, "deploy", &Power::Read.document(0)).unwrap();
    org.attach_policy(&account, Holder::User("jane"), &arn).unwrap();
    org.tag(&account, Holder::User("jane"), "team", "data").unwrap();
    let simulator = Simulator::start(org).await.unwrap();
    let details = iam(&simulator)
        .get_account_authorization_details()
        .filter(EntityType::User)
        .filter(EntityType::Group)
        .filter(EntityType::LocalManagedPolicy)
        .send()
        .await
        .unwrap();
    let user = &details.user_detail_list()[0];
    assert_eq!(user.group_list(), ["admins"]);
    assert_eq!(user.attached_managed_policies()[0].policy_arn(), Some(arn.as_str()));
    assert_eq!(user.tags()[0].key(), "team");
    assert_eq!(details.group_detail_list()[0].group_policy_list()[0].policy_name(), Some("all"));
    let policy = &details.policies()[0];
    assert_eq!(policy.default_version_id(), Some("v2"));
    assert_eq!(policy.attachment_count(), Some(1));
    let default = policy.policy_version_list().iter().find(|v| v.is_default_version()).unwrap();
    assert!(default.document().unwrap().contains("s3%3AGetObject"));
}

#[tokio::test]
async fn credentials_of_a_user_parse() {
    let mut org = Organization::empty(1);
    let account = org.management().to_owned();
    let start = org.clock().now();
    org.create_user(&account, "bot").unwrap();
    let used = org.create_access_key(&account, "bot").unwrap();
    let unused = org.create_access_key(&account, "bot").unwrap();
    org.use_access_key(&used, "s3", "eu-west-1").unwrap();
    org.deactivate_access_key(&unused).unwrap();
    let ssh = org.upload_ssh_key(&account, "bot").unwrap();
    let certificate = org.upload_signing_certificate(&account, "bot").unwrap();
    let bedrock = "bedrock.amazonaws.com";
    let bearer = org.create_service_credential(&account, "bot", bedrock, Some(start)).unwrap();
    let simulator = Simulator::start(org).await.unwrap();
    let client = iam(&simulator);

    let keys = client.list_access_keys().user_name("bot").send().await.unwrap();
    let states: Vec<_> = keys
        .access_key_metadata()
        .iter()
        .map(|key| (key.access_key_id().unwrap(), key.status().unwrap().as_str()))
        .collect();
    assert_eq!(states, [(used.as_str(), "Active"), (unused.as_str(), "Inactive")]);

    let last = client.get_access_key_last_used().access_key_id(&used).send().await.unwrap();
    assert_eq!(last.user_name(), Some("bot"));
    let last = last.access_key_last_used().unwrap();
    assert_eq!(last.last_used_date().unwrap().secs(), start.as_second());
    assert_eq!((last.service_name(), last.region()), ("s3", "eu-west-1"));
    let never = client.get_access_key_last_used().access_key_id(&unused).send().await.unwrap();
    let never = never.access_key_last_used().unwrap();
    assert!(never.last_used_date().is_none());
    assert_eq!((never.service_name(), never.region()), ("N/A", "N/A"));

    let keys = client.list_ssh_public_keys().user_name("bot").send().await.unwrap();
    assert_eq!(keys.ssh_public_keys()[0].ssh_public_key_id(), ssh);
    let certificates = client.list_signing_certificates().user_name("bot").send().await.unwrap();
    assert_eq!(certificates.certificates()[0].certificate_id(), certificate);
    let all = client.list_service_specific_credentials().all_users(true).send().await.unwrap();
    let credential = &all.service_specific_credentials()[0];
    assert_eq!(credential.service_specific_credential_id(), bearer);
    assert_eq!(credential.user_name(), "bot");
    assert_eq!(credential.expiration_date().unwrap().secs(), start.as_second());
}

#[tokio::test]
async fn service_credentials_can_be_read_per_user_and_per_service() {
    let mut org = Organization::empty(1);
    let account = org.management().to_owned();
    for user in ["a", "b"] {
        org.create_user(&account, user).unwrap();
        for service in ["bedrock.amazonaws.com", "codecommit.amazonaws.com"] {
            org.create_service_credential(&account, user, service, None).unwrap();
        }
    }
    org.refuse_all_services();
    let simulator = Simulator::start(org).await.unwrap();
    let client = iam(&simulator);
    let of_user = client.list_service_specific_credentials().user_name("a").send().await.unwrap();
    assert_eq!(of_user.service_specific_credentials().len(), 2);
    let all = || client.list_service_specific_credentials().all_users(true);
    let of_service = all().service_name("codecommit.amazonaws.com").send().await.unwrap();
    assert_eq!(of_service.service_specific_credentials().len(), 2);
    let refused = all().send().await.unwrap_err().into_service_error();
    assert_eq!(refused.meta().code(), Some("InvalidInput"));
}

#[tokio::test]
async fn identity_providers_and_certificates_parse() {
    let mut org = Organization::empty(1);
    let account = org.management().to_owned();
    let start = org.clock().now();
    let oidc = org.create_oidc_provider(&account, GITHUB_ISSUER, &["sts.amazonaws.com"]).unwrap();
    let saml = org.create_saml_provider(&account, "corp").unwrap();
    let certificate = org.upload_server_certificate(&account, "www", start).unwrap();
    org.set_alias(&account, "acme").unwrap();
    let simulator = Simulator::start(org).await.unwrap();
    let client = iam(&simulator);

    let listed = client.list_open_id_connect_providers().send().await.unwrap();
    assert_eq!(listed.open_id_connect_provider_list()[0].arn(), Some(oidc.as_str()));
    let got = client.get_open_id_connect_provider().open_id_connect_provider_arn(&oidc);
    let got = got.send().await.unwrap();
    assert_eq!(got.url(), Some(GITHUB_ISSUER));
    assert_eq!(got.client_id_list(), ["sts.amazonaws.com"]);
    assert_eq!(got.thumbprint_list()[0].len(), 40);

    let listed = client.list_saml_providers().send().await.unwrap();
    assert_eq!(listed.saml_provider_list()[0].arn(), Some(saml.as_str()));
    let got = client.get_saml_provider().saml_provider_arn(&saml).send().await.unwrap();
    assert_eq!(got.create_date().unwrap().secs(), start.as_second());
    assert_eq!(got.saml_provider_uuid().unwrap().len(), 36);

    let listed = client.list_server_certificates().send().await.unwrap();
    let found = &listed.server_certificate_metadata_list()[0];
    assert_eq!(found.server_certificate_id(), certificate);
    assert_eq!(found.expiration().unwrap().secs(), start.as_second());
    let aliases = client.list_account_aliases().send().await.unwrap();
    assert_eq!(aliases.account_aliases(), ["acme"]);
}

#[tokio::test]
async fn users_are_listed_with_their_sign_in_and_without_tags() {
    let mut org = Organization::empty(1);
    let account = org.management().to_owned();
    org.create_user(&account, "jane").unwrap();
    org.set_password(&account, "jane").unwrap();
    org.use_password(&account, "jane").unwrap();
    org.tag(&account, Holder::User("jane"), "team", "data").unwrap();
    let now = org.clock().now();
    let simulator = Simulator::start(org).await.unwrap();
    let listed = iam(&simulator).list_users().send().await.unwrap();
    assert_eq!(listed.users()[0].password_last_used().unwrap().secs(), now.as_second());
    assert!(listed.users()[0].tags().is_empty());
}

#[tokio::test]
async fn caller_and_organisation_parse() {
    let mut org = Organization::empty(1);
    let member = org.add_account("production");
    org.tag_account(&member, "Owner", "jane@example.com").unwrap();
    org.suspend_account(&member).unwrap();
    let (id, management) = (org.id().to_owned(), org.management().to_owned());
    let simulator = Simulator::start(org).await.unwrap();

    let caller = sts(&simulator).get_caller_identity().send().await.unwrap();
    assert_eq!(caller.account(), Some(management.as_str()));

    let client = organizations(&simulator);
    let described = client.describe_organization().send().await.unwrap();
    assert_eq!(described.organization().unwrap().id(), Some(id.as_str()));
    let listed = client.list_accounts().send().await.unwrap();
    let accounts = listed.accounts();
    assert_eq!(accounts.len(), 2);
    let found = accounts.iter().find(|account| account.id() == Some(&member)).unwrap();
    assert_eq!(found.state().unwrap().as_str(), "SUSPENDED");
    assert_eq!(found.name(), Some("production"));
    assert!(found.joined_timestamp().is_some());
    let tags = client.list_tags_for_resource().resource_id(&member).send().await.unwrap();
    assert_eq!(tags.tags()[0].key(), "Owner");
}
