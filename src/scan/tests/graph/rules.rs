//! Rules that only two sources together can answer, through the whole of a scan.

use super::*;

/// What an open finding of the rule says of the account.
async fn told(three: &Three, rule: &str) -> Option<String> {
    let filter = FindingFilter {
        rule: Some(rule.to_owned()),
        status: Some(FindingStatus::Open),
        ..FindingFilter::default()
    };
    let findings = three.world.store.list_findings(&filter).await.unwrap();
    findings.first().map(|finding| finding.title.clone())
}

#[tokio::test]
async fn an_account_whose_role_is_missing_or_trusts_others_is_told_until_it_is_mended() {
    const RULE: &str = "broken-federation";
    let three = Three::new().await;
    let roles = |roles| three.answers("aws", (ACCOUNT, "roles"), roles);
    let presenting = || {
        let mut account = account();
        let (issuer, subject) = (GITHUB.to_owned(), account.native.clone());
        account.subjects = vec![FederatedSubject { issuer, subject }];
        account
    };
    // Before and just after the annotation nobody can say whether the role is there.
    roles(Ok(vec![role("other", "x")]));
    three.scan("aws").await;
    three.accounts(Ok(vec![presenting()]));
    three.scan("k8s").await;
    assert_eq!(told(&three, RULE).await, None);
    // Access is lost and comes back: still no role.
    roles(lost());
    three.scan("aws").await;
    assert_eq!(told(&three, RULE).await, None);
    roles(Ok(vec![role("other", "x")]));
    three.scan("aws").await;
    let missing =
        format!("service-account shop/web in {CLUSTER} points to {CHECKOUT}, which does not exist");
    assert_eq!(told(&three, RULE).await, Some(missing));
    // It is made, for somebody else; then for the account; then it goes again.
    roles(Ok(vec![role("other", "x"), role("checkout", "repo:acme/shop:*")]));
    three.scan("aws").await;
    assert!(told(&three, RULE).await.unwrap().ends_with("which does not trust it"));
    let good = || role("checkout", "system:serviceaccount:shop:*");
    roles(Ok(vec![role("other", "x"), good()]));
    three.scan("aws").await;
    assert_eq!(told(&three, RULE).await, None);
    roles(lost());
    three.scan("aws").await;
    assert_eq!(told(&three, RULE).await, None, "lost access is no lost role");
    roles(Ok(vec![role("other", "x")]));
    three.scan("aws").await;
    assert!(told(&three, RULE).await.unwrap().ends_with("which does not exist"));
}

#[tokio::test]
async fn a_role_is_missed_by_the_next_reading_although_that_shows_nothing_new() {
    let three = Three::new().await;
    three.answers("aws", (ACCOUNT, "roles"), Ok(vec![role("other", "x")]));
    three.scan("aws").await;
    three.accounts(Ok(vec![account()]));
    three.scan("k8s").await;
    three.scan("aws").await;
    three.scan("k8s").await;
    assert!(told(&three, "broken-federation").await.is_some());
}

#[tokio::test]
async fn an_account_that_two_applications_run_as_is_shared_until_one_of_them_moves() {
    let running = |name: &str, application: &str| {
        let mut workload = deployment(name);
        workload.attributes.insert("application".to_owned(), application.to_owned());
        workload
    };
    let three = Three::new().await;
    three.accounts(Ok(vec![account()]));
    three.workloads(vec![running("shop/web", "shop"), running("shop/job", "shop")]);
    three.scan("k8s").await;
    assert_eq!(told(&three, "shared-identity").await, None);
    three.workloads(vec![running("shop/web", "shop"), running("shop/job", "mail")]);
    three.scan("k8s").await;
    assert!(told(&three, "shared-identity").await.is_some());
    three.workloads(vec![running("shop/web", "shop")]);
    three.scan("k8s").await;
    assert_eq!(told(&three, "shared-identity").await, None);
}
