//! One failing call degrades one thing, and says which permission is missing.

use std::collections::BTreeMap;

use headcount_aws::MANIFEST;
use headcount_sdk::manifest::{Caller, Need};
use headcount_sdk::{Connector, Pass, ProbeOutcome, ScanContext, ScanError};
use headcount_simulator::{Fault, FaultPlan};

use crate::records::small;
use crate::support::Source;

#[tokio::test]
async fn each_denied_operation_fails_its_scopes_and_nothing_else() {
    for operation in MANIFEST.operations.iter().filter(|o| o.caller == Caller::Reader) {
        let mut source = Source::of(small()).await;
        let account = source.account();
        source.simulator.change().deny(&account, operation.name).unwrap();
        let scanned = source.scan().await;
        let failing: &[&str] = match operation.need {
            Need::Scopes(scopes) => scopes,
            Need::Access | Need::Enrichment(_) => &[],
        };
        for scope in MANIFEST.scopes {
            match scanned.outcome(scope.name) {
                Ok(_) => assert!(
                    !failing.contains(&scope.name),
                    "{} is complete without {}",
                    scope.name,
                    operation.name
                ),
                Err(error) => {
                    assert!(
                        failing.contains(&scope.name),
                        "{} fails without {}",
                        scope.name,
                        operation.name
                    );
                    let expected = ScanError::Denied {
                        operation: operation.name.to_owned(),
                        permission: operation.permission.to_owned(),
                    };
                    assert_eq!(*error, expected);
                }
            }
        }
        // Each fails something, or is an enrichment that was called and is missed.
        let degraded = scanned.outcomes.values().flatten().flat_map(|c| c.degradations());
        let missed = degraded.filter(|d| d.error.operation() == operation.name).count();
        let rare = operation.name == "iam:GetAccessKeyLastUsed";
        assert!(missed > 0 || !failing.is_empty() || rare, "{} is not missed", operation.name);
    }
}

#[tokio::test]
async fn check_names_the_permission_that_is_missing() {
    let mut source = Source::of(small()).await;
    let account = source.account();
    source.simulator.change().deny(&account, "iam:ListAccessKeys").unwrap();
    source.simulator.reset_calls();
    let cx = source.context(Pass::First);
    let probes = source.connector.check(&cx).await;
    for operation in MANIFEST.operations {
        let probe = probes.iter().find(|probe| probe.operation == operation.name);
        let outcome = probe.map(|probe| &probe.outcome);
        match operation.name {
            "organizations:ListAccounts" | "sts:AssumeRole" => assert_eq!(outcome, None),
            // There is no queue of events.
            "sqs:ReceiveMessage" | "sqs:DeleteMessageBatch" | "s3:GetObject" => {
                assert_eq!(outcome, None);
            }
            "iam:ListAccessKeys" => assert!(
                matches!(outcome, Some(ProbeOutcome::Failed(ScanError::Denied { .. }))),
                "{outcome:?}"
            ),
            // Nothing could tell of a key to try it on.
            "iam:GetAccessKeyLastUsed" => {
                assert!(matches!(outcome, Some(ProbeOutcome::NotTried(_))), "{outcome:?}");
            }
            name => assert_eq!(outcome, Some(&ProbeOutcome::Granted), "{name}"),
        }
    }
    for action in source.simulator.calls().actions() {
        assert_eq!(source.simulator.calls().of(action), 1, "{action}");
    }
    source.simulator.change().allow(&account, "iam:ListAccessKeys").unwrap();
    let probes = source.connector.check(&cx).await;
    let failed: Vec<_> = probes.iter().filter(|p| p.outcome != ProbeOutcome::Granted).collect();
    assert!(failed.is_empty(), "{failed:?}");
}

#[tokio::test]
async fn lists_that_lie_are_refused_by_every_scope_that_reads_them() {
    for (fault, operation, scope) in [
        (Fault::RepeatedMarker, "iam:GetAccountAuthorizationDetails", "users"),
        (Fault::MissingMarker, "iam:GetAccountAuthorizationDetails", "roles"),
        (Fault::TruncatedBody, "iam:GetAccountAuthorizationDetails", "grants"),
        (Fault::TruncatedBody, "iam:GetCredentialReport", "access-keys"),
        (Fault::TruncatedBody, "iam:ListServerCertificates", "server-certificates"),
        (Fault::RepeatedMarker, "iam:ListServerCertificates", "server-certificates"),
        (Fault::TruncatedBody, "iam:ListOpenIDConnectProviders", "oidc-providers"),
        (Fault::TruncatedBody, "iam:ListSAMLProviders", "saml-providers"),
        (Fault::TruncatedBody, "iam:ListSSHPublicKeys", "ssh-public-keys"),
        (Fault::TruncatedBody, "iam:ListAccessKeys", "access-keys"),
    ] {
        let mut source = Source::of(small()).await;
        source.simulator.inject(FaultPlan::new(fault).on(operation));
        let scanned = source.scan().await;
        match scanned.error(scope) {
            ScanError::Malformed { operation: of, .. } => assert_eq!(of, operation, "{fault:?}"),
            other => panic!("{fault:?} on {operation}: {other}"),
        }
    }
}

#[tokio::test]
async fn an_empty_page_in_the_middle_loses_nothing() {
    let mut source = Source::of(small()).await;
    let details = "iam:GetAccountAuthorizationDetails";
    source.simulator.inject(FaultPlan::new(Fault::EmptyPage).on(details).first(1));
    let scanned = source.scan().await;
    scanned.all_complete();
    assert_eq!(source.simulator.calls().of(details), 2);
    assert_eq!(scanned.of_kind("iam-role").len(), 3);
}

#[tokio::test]
async fn a_list_shorter_than_the_count_of_aws_is_not_complete() {
    let mut source = Source::of(small()).await;
    let account = source.account();
    let cx = source.context(Pass::First);
    let mut records = BTreeMap::new();
    source.observe(&cx, &source.scope("grants"), &mut records).await.unwrap();
    // The details are read; what comes now is in the count alone.
    source.simulator.change().create_user(&account, "late").unwrap();
    let users = source.observe(&cx, &source.scope("users"), &mut records).await;
    assert_eq!(
        users.unwrap_err().to_string(),
        "iam:GetAccountAuthorizationDetails answered in an unexpected shape at Users: 3 read, \
         4 counted by GetAccountSummary"
    );
    assert_eq!(source.simulator.calls().of("iam:GetAccountSummary"), 2, "the count is read again");
    source.simulator.change().delete_user(&account, "late").unwrap();
    let cx = ScanContext { memo: cx.memo, ..source.context(Pass::First) };
    let roles = source.observe(&cx, &source.scope("roles"), &mut records).await;
    assert_eq!(roles.unwrap().expected(), Some(3));
}

#[tokio::test]
async fn a_passing_fault_is_tried_again_and_leaves_no_trace() {
    for fault in [Fault::Throttle, Fault::Unavailable, Fault::HtmlError, Fault::Reset] {
        let mut source = Source::of(small()).await;
        source.simulator.inject(FaultPlan::new(fault).on("iam:ListRoles").first(1));
        source.scan().await.all_complete();
    }
}

#[tokio::test]
async fn services_are_asked_one_by_one_where_all_at_once_is_refused() {
    let mut source = Source::of(small()).await;
    source.simulator.change().refuse_all_services();
    let scanned = source.scan().await;
    let complete = scanned.complete("service-specific-credentials");
    assert_eq!(scanned.of_kind("service-specific-credential").len(), 1);
    assert_eq!(complete.degradations().len(), 1);
    assert!(matches!(complete.degradations()[0].error, ScanError::NotSupported { .. }));
}

#[tokio::test]
async fn an_account_without_iam_users_is_complete_and_empty_of_them() {
    let mut source = Source::of(headcount_simulator::Organization::empty(1)).await;
    let scanned = source.scan().await;
    scanned.all_complete();
    assert_eq!(scanned.records.len(), 1, "the root user");
    assert_eq!(scanned.complete("users").expected(), Some(1));
}

#[tokio::test]
async fn no_independent_count_is_stated_where_aws_gave_none() {
    let mut source = Source::of(small()).await;
    let counted = source.scan().await;
    assert_eq!(counted.complete("users").expected(), Some(4), "three users and root");
    let account = source.account();
    source.simulator.change().deny(&account, "iam:GetAccountSummary").unwrap();
    let uncounted = source.scan().await;
    for kind in ["users", "roles", "server-certificates"] {
        assert_eq!(uncounted.complete(kind).expected(), None, "{kind}");
    }
}
