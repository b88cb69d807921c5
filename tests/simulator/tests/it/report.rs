//! The credential report: its columns, its sentinels and its age.

use aws_sdk_iam::error::ProvideErrorMetadata;
use headcount_simulator::{Organization, Simulator, Size};
use jiff::SignedDuration;

use crate::client::iam;

async fn report(client: &aws_sdk_iam::Client) -> String {
    let report = client.get_credential_report().send().await.unwrap();
    assert_eq!(report.report_format().unwrap().as_str(), "text/csv");
    String::from_utf8(report.content().unwrap().clone().into_inner()).unwrap()
}

async fn state(client: &aws_sdk_iam::Client) -> String {
    let answer = client.generate_credential_report().send().await.unwrap();
    answer.state().unwrap().as_str().to_owned()
}

#[tokio::test]
async fn rows_hold_what_happened_and_sentinels_for_what_did_not() {
    let mut org = Organization::empty(1);
    let account = org.management().to_owned();
    org.create_user(&account, "/svc/bot").unwrap();
    let one = org.create_access_key(&account, "bot").unwrap();
    let two = org.create_access_key(&account, "bot").unwrap();
    // Slots follow the ids, not the order of creation.
    let (low, high) = if one < two { (one, two) } else { (two, one) };
    org.use_access_key(&low, "s3", "eu-west-1").unwrap();
    org.deactivate_access_key(&high).unwrap();
    org.upload_signing_certificate(&account, "bot").unwrap();
    org.create_user(&account, "jane").unwrap();
    org.set_password(&account, "jane").unwrap();
    org.enable_mfa(&account, "jane").unwrap();
    let simulator = Simulator::start(org).await.unwrap();
    let client = iam(&simulator);
    assert_eq!(state(&client).await, "STARTED");
    let now = "2026-01-15T09:00:00Z";
    let none = "false,N/A,N/A,N/A,N/A";
    let expected = [
        "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,\
         password_next_rotation,mfa_active,access_key_1_active,access_key_1_last_rotated,\
         access_key_1_last_used_date,access_key_1_last_used_region,access_key_1_last_used_service,\
         access_key_2_active,access_key_2_last_rotated,access_key_2_last_used_date,\
         access_key_2_last_used_region,access_key_2_last_used_service,cert_1_active,\
         cert_1_last_rotated,cert_2_active,cert_2_last_rotated"
            .to_owned(),
        format!(
            "<root_account>,arn:aws:iam::{account}:root,{now},not_supported,no_information,\
             not_supported,not_supported,false,{none},{none},false,N/A,false,N/A"
        ),
        format!(
            "bot,arn:aws:iam::{account}:user/svc/bot,{now},false,N/A,N/A,N/A,false,\
             true,{now},{now},eu-west-1,s3,false,{now},N/A,N/A,N/A,true,{now},false,N/A"
        ),
        format!(
            "jane,arn:aws:iam::{account}:user/jane,{now},true,no_information,{now},N/A,true,\
             {none},{none},false,N/A,false,N/A"
        ),
    ];
    assert_eq!(report(&client).await, expected.join("\n"));
}

#[tokio::test]
async fn stored_report_survives_changes_for_four_hours() {
    let org = Organization::seeded(2, Size::account(5, 1, 0));
    let account = org.management().to_owned();
    let simulator = Simulator::start(org).await.unwrap();
    let client = iam(&simulator);
    let missing = client.get_credential_report().send().await.unwrap_err();
    assert_eq!(missing.raw_response().unwrap().status().as_u16(), 410);
    assert!(missing.into_service_error().is_credential_report_not_present_exception());
    assert_eq!(state(&client).await, "STARTED");
    let before = report(&client).await;
    simulator.change().create_user(&account, "late").unwrap();
    simulator.clock().advance(SignedDuration::from_mins(239));
    assert_eq!(state(&client).await, "COMPLETE");
    assert_eq!(report(&client).await, before);
    simulator.clock().advance(SignedDuration::from_mins(1));
    let expired = client.get_credential_report().send().await.unwrap_err();
    assert!(expired.into_service_error().is_credential_report_expired_exception());
    assert_eq!(state(&client).await, "STARTED");
    assert!(report(&client).await.contains("\nlate,"));
}

#[tokio::test]
async fn delayed_report_is_in_progress_first() {
    let mut org = Organization::empty(1);
    org.delay_reports(2);
    let simulator = Simulator::start(org).await.unwrap();
    let client = iam(&simulator);
    assert_eq!(state(&client).await, "STARTED");
    let early = client.get_credential_report().send().await.unwrap_err();
    assert_eq!(early.raw_response().unwrap().status().as_u16(), 404);
    assert_eq!(early.code(), Some("ReportInProgress"));
    assert_eq!(state(&client).await, "INPROGRESS");
    assert_eq!(report(&client).await.lines().count(), 2);
}
