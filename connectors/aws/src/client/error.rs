//! The one place where a failed call becomes a [`ScanError`].
//!
//! Takes the error code and the HTTP status, and nothing else: messages and bodies of AWS carry
//! ARNs, and bodies of whoever answers in its place carry anything.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use headcount_sdk::ScanError;

use super::{malformed, unavailable};
use crate::manifest::MANIFEST;

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html>
const DENIED: &[&str] =
    &["AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "NotAuthorized"];

const THROTTLED: &[&str] = &[
    "BandwidthLimitExceeded",
    "LimitExceeded",
    "LimitExceededException",
    "PriorRequestNotComplete",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "TooManyRequestsException",
];

/// Maps a failed call of `operation`, named as in the manifest.
pub(super) fn scan_error<E: ProvideErrorMetadata>(
    operation: &'static str,
    error: &SdkError<E, HttpResponse>,
) -> ScanError {
    match error {
        SdkError::ServiceError(service) => {
            let response = service.raw();
            let status = response.status().as_u16();
            let code = service.err().code().or_else(|| wrapped_code(response));
            answered(operation, status, code, retry_after(response))
        }
        SdkError::ResponseError(response) => {
            let raw = response.raw();
            answered(operation, raw.status().as_u16(), None, retry_after(raw))
        }
        SdkError::TimeoutError(_) => unavailable(operation, "no answer in time".to_owned()),
        SdkError::DispatchFailure(failure) => {
            let reason = if failure.is_timeout() {
                "no answer in time"
            } else if failure.is_io() {
                "the connection failed"
            } else {
                // Before anything is sent, credentials are looked for.
                "no credentials, or no way to send the request"
            };
            unavailable(operation, reason.to_owned())
        }
        _ => unavailable(operation, "no credentials, or no way to build the request".to_owned()),
    }
}

fn answered(
    operation: &'static str,
    status: u16,
    code: Option<&str>,
    retry_after_secs: Option<u64>,
) -> ScanError {
    let code = code.map(|code| code.rsplit('#').next().unwrap_or(code));
    match code {
        Some(code) if DENIED.contains(&code) => ScanError::Denied {
            operation: operation.to_owned(),
            permission: permission(operation).to_owned(),
        },
        Some(code) if THROTTLED.contains(&code) => throttled(operation, retry_after_secs),
        _ if status == 429 => throttled(operation, retry_after_secs),
        _ if (200..300).contains(&status) => malformed(operation, "the answer"),
        Some(code) if is_code(code) => unavailable(operation, format!("HTTP {status} {code}")),
        _ => unavailable(operation, format!("HTTP {status}")),
    }
}

fn throttled(operation: &str, retry_after_secs: Option<u64>) -> ScanError {
    ScanError::Throttled { operation: operation.to_owned(), retry_after_secs }
}

/// Servers that stand in for AWS wrap the error once more (`<Errors><Error>`), where the SDK does
/// not look; a missing permission would then pass for an outage.
fn wrapped_code(response: &HttpResponse) -> Option<&str> {
    let body = std::str::from_utf8(response.body().bytes()?).ok()?;
    let (code, _) = body.split_once("<Code>")?.1.split_once("</Code>")?;
    is_code(code).then_some(code)
}

/// AWS sends none, but what stands before it may.
fn retry_after(response: &HttpResponse) -> Option<u64> {
    response.headers().get("retry-after")?.parse().ok()
}

pub(crate) fn permission(operation: &'static str) -> &'static str {
    MANIFEST.operation(operation).map_or(operation, |known| known.permission)
}

/// Whether AWS no longer takes the credentials of the call.
pub(super) fn is_expired<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    let code = error.as_service_error().and_then(ProvideErrorMetadata::code);
    matches!(code, Some("ExpiredToken" | "ExpiredTokenException" | "InvalidClientTokenId"))
}

/// A word of AWS's vocabulary, not something a page in between made up.
fn is_code(code: &str) -> bool {
    (1..=64).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use aws_smithy_runtime_api::http::StatusCode;
    use aws_smithy_types::body::SdkBody;

    use super::*;

    fn shown(status: u16, code: Option<&str>) -> String {
        answered("iam:ListRoles", status, code, None).to_string()
    }

    #[test]
    fn a_code_is_found_in_a_wrapped_error_and_never_in_a_page() {
        let rows = [
            ("<ErrorResponse><Errors><Error><Code>AccessDenied</Code>", Some("AccessDenied")),
            ("<html><Code>let x = 1;</Code></html>", None),
            ("<Code>", None),
            ("", None),
        ];
        for (body, expected) in rows {
            let status = StatusCode::try_from(403).unwrap();
            let response = HttpResponse::new(status, SdkBody::from(body));
            assert_eq!(wrapped_code(&response), expected, "{body}");
        }
    }

    #[test]
    fn each_failure_has_its_answer() {
        let rows = [
            (
                403,
                Some("AccessDenied"),
                "iam:ListRoles was denied: permission iam:ListRoles is missing",
            ),
            (
                400,
                Some("AccessDeniedException"),
                "iam:ListRoles was denied: permission iam:ListRoles is missing",
            ),
            (400, Some("Throttling"), "iam:ListRoles was throttled"),
            (429, None, "iam:ListRoles was throttled"),
            (500, None, "iam:ListRoles is unavailable: HTTP 500"),
            (
                503,
                Some("ServiceUnavailable"),
                "iam:ListRoles is unavailable: HTTP 503 ServiceUnavailable",
            ),
            (403, None, "iam:ListRoles is unavailable: HTTP 403"),
            (403, Some("<b>leaked token</b>"), "iam:ListRoles is unavailable: HTTP 403"),
            (200, None, "iam:ListRoles answered in an unexpected shape at the answer"),
        ];
        for (status, code, expected) in rows {
            assert_eq!(shown(status, code), expected);
        }
    }
}
