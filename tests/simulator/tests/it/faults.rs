//! Faults strike the exchanges they are aimed at, in the way they say, and no others.

use std::time::Duration;

use aws_sdk_iam::config::interceptors::AfterDeserializationInterceptorContextRef;
use aws_sdk_iam::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_iam::error::{BoxError, ProvideErrorMetadata, SdkError};
use aws_sdk_iam::operation::list_roles::{ListRolesError, ListRolesOutput};
use headcount_simulator::{Fault, FaultPlan, Organization, Simulator, Size};

use crate::client::{iam, organizations};

type Outcome = Result<ListRolesOutput, SdkError<ListRolesError>>;

async fn started() -> Simulator {
    Simulator::start(Organization::seeded(4, Size::account(10, 25, 3))).await.unwrap()
}

async fn roles(simulator: &Simulator) -> Outcome {
    iam(simulator).list_roles().max_items(10).send().await
}

/// HTTP status and error code of a failure that had an answer.
fn answer(outcome: Outcome) -> (u16, Option<String>) {
    let error = outcome.unwrap_err();
    let status = error.raw_response().expect("an answer").status().as_u16();
    (status, error.code().map(str::to_owned))
}

#[tokio::test]
async fn service_errors_have_their_status_and_code() {
    let simulator = started().await;
    for (fault, status, code) in [
        (Fault::Throttle, 400, Some("Throttling")),
        (Fault::TooManyRequests, 429, Some("Throttling")),
        (Fault::Denied, 403, Some("AccessDenied")),
        (Fault::NotFound, 404, Some("NotFound")),
        (Fault::ServerError, 500, Some("InternalFailure")),
        (Fault::Unavailable, 503, Some("ServiceUnavailable")),
        (Fault::HtmlError, 500, None),
    ] {
        simulator.clear_faults();
        simulator.inject(FaultPlan::new(fault));
        let expected = (status, code.map(str::to_owned));
        assert_eq!(answer(roles(&simulator).await), expected, "{fault:?}");
    }
    simulator.clear_faults();
    assert_eq!(roles(&simulator).await.unwrap().roles().len(), 10);
}

#[tokio::test]
async fn organizations_throttles_in_its_own_words() {
    let simulator = started().await;
    simulator.inject(FaultPlan::new(Fault::Throttle).on("organizations:ListAccounts"));
    let error = organizations(&simulator).list_accounts().send().await.unwrap_err();
    assert!(error.into_service_error().is_too_many_requests_exception());
}

#[tokio::test]
async fn broken_connections_leave_no_answer_to_read() {
    let simulator = started().await;
    for fault in [Fault::CutConnection, Fault::Reset] {
        simulator.clear_faults();
        simulator.inject(FaultPlan::new(fault));
        let error = roles(&simulator).await.unwrap_err();
        let broken = matches!(error, SdkError::DispatchFailure(_) | SdkError::ResponseError(_));
        assert!(broken, "{fault:?}: {error:?}");
    }
    simulator.clear_faults();
    roles(&simulator).await.unwrap();
}

/// Refuses an answer that has lost its end.
#[derive(Debug)]
struct EndsWhole;

impl Intercept for EndsWhole {
    fn name(&self) -> &'static str {
        "EndsWhole"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let body = context.response().body().bytes().ok_or("the body was not kept")?;
        if body.ends_with(b"Response>") { Ok(()) } else { Err("the body has lost its end".into()) }
    }
}

/// The client's XML reader takes the end of the bytes for the end of the document, so a reader
/// that must not take a part for the whole has to look at the bytes itself.
#[tokio::test]
async fn truncated_body_passes_for_a_short_list_unless_its_end_is_looked_for() {
    let simulator = started().await;
    let request = || iam(&simulator).list_roles().max_items(10);
    let whole = request().customize().interceptor(EndsWhole).send().await.unwrap();
    assert_eq!((whole.roles().len(), whole.is_truncated()), (10, true));
    simulator.inject(FaultPlan::new(Fault::TruncatedBody));
    let part = request().send().await.unwrap();
    assert!(part.roles().len() < 10 && !part.is_truncated(), "{} roles", part.roles().len());
    request().customize().interceptor(EndsWhole).send().await.unwrap_err();
}

#[tokio::test]
async fn repeated_marker_answers_with_the_marker_it_was_asked_for() {
    let simulator = started().await;
    simulator.inject(FaultPlan::new(Fault::RepeatedMarker).on("iam:ListRoles").from_call(2));
    let first = roles(&simulator).await.unwrap();
    let marker = first.marker().unwrap();
    for _ in 0..3 {
        let next = iam(&simulator).list_roles().marker(marker).send().await.unwrap();
        assert!(next.is_truncated());
        assert_eq!(next.marker(), Some(marker));
    }
}

#[tokio::test]
async fn missing_marker_says_more_without_saying_where() {
    let simulator = started().await;
    simulator.inject(FaultPlan::new(Fault::MissingMarker));
    let page = roles(&simulator).await.unwrap();
    assert!(page.is_truncated() && page.marker().is_none());
}

#[tokio::test]
async fn empty_page_loses_nothing() {
    let simulator = started().await;
    simulator.inject(FaultPlan::new(Fault::EmptyPage).at_exchange(2));
    let (mut sizes, mut marker) = (Vec::new(), None);
    loop {
        let request = iam(&simulator).list_roles().max_items(10).set_marker(marker);
        let page = request.send().await.unwrap();
        sizes.push(page.roles().len());
        marker = page.marker().map(str::to_owned);
        if !page.is_truncated() {
            break;
        }
    }
    assert_eq!(sizes, [10, 0, 10, 5]);
    simulator.clear_faults();
    simulator.inject(FaultPlan::new(Fault::EmptyPage).on("organizations:ListAccounts").first(1));
    let client = organizations(&simulator);
    let empty = client.list_accounts().send().await.unwrap();
    assert!(empty.accounts().is_empty());
    let rest = client.list_accounts().next_token(empty.next_token().unwrap()).send().await.unwrap();
    assert_eq!((rest.accounts().len(), rest.next_token()), (1, None));
}

#[tokio::test]
async fn late_answer_is_the_right_one() {
    let simulator = started().await;
    simulator.inject(FaultPlan::new(Fault::Latency(Duration::from_millis(5))));
    assert_eq!(roles(&simulator).await.unwrap().roles().len(), 10);
}

#[tokio::test]
async fn plans_aim_by_exchange_by_call_and_by_account() {
    let simulator = started().await;
    let account = simulator.read(|org| org.management().to_owned());
    let denied = || FaultPlan::new(Fault::Denied);
    for (plan, expected) in [
        (denied().at_exchange(2), "ok no ok ok"),
        (denied().from_exchange(3), "ok ok no no"),
        (denied().on("iam:ListUsers"), "ok no ok no"),
        (denied().on("iam:ListUsers").at_call(2), "ok ok ok no"),
        (denied().on("iam:ListRoles").first(1), "no ok ok ok"),
        (denied().on("iam:ListRoles").from_call(2), "ok ok no ok"),
        (denied().in_account(&account), "no no no no"),
        (denied().in_account("000000000000"), "ok ok ok ok"),
    ] {
        simulator.clear_faults();
        simulator.reset_calls();
        simulator.inject(plan.clone());
        let client = iam(&simulator);
        let mut outcome = Vec::new();
        for n in 0..4 {
            let ok = match n % 2 {
                0 => client.list_roles().send().await.is_ok(),
                _ => client.list_users().send().await.is_ok(),
            };
            outcome.push(if ok { "ok" } else { "no" });
        }
        assert_eq!(outcome.join(" "), expected, "{plan:?}");
        assert_eq!(simulator.exchanges(), 4);
    }
}

#[tokio::test]
async fn counts_are_by_account_and_action_and_begin_anew() {
    let simulator = started().await;
    let account = simulator.read(|org| org.management().to_owned());
    roles(&simulator).await.unwrap();
    roles(&simulator).await.unwrap();
    iam(&simulator).list_users().send().await.unwrap();
    let calls = simulator.calls();
    assert_eq!(calls.total(), 3);
    assert_eq!(calls.in_account(&account, "iam:ListRoles"), 2);
    assert_eq!(calls.actions(), ["iam:ListRoles", "iam:ListUsers"]);
    simulator.reset_calls();
    assert_eq!((simulator.calls().total(), simulator.exchanges()), (0, 0));
}

#[tokio::test]
async fn stopped_simulator_answers_nobody() {
    let simulator = started().await;
    let client = iam(&simulator);
    client.list_roles().send().await.unwrap();
    simulator.stop().await;
    assert!(client.list_roles().send().await.is_err());
}
