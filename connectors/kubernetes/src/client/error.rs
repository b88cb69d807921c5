//! The one place where a failed call becomes a [`ScanError`].
//!
//! Takes the HTTP status and the `reason` of Kubernetes' vocabulary, and nothing else: messages
//! name objects, and bodies of whoever answers in the server's place carry anything.

use headcount_sdk::ScanError;
use kube::Error;
use kube::core::response::Status;
use kube::runtime::watcher;

use crate::manifest::permission;

/// Maps a failed call of `operation`, named as in the manifest.
pub(crate) fn scan_error(operation: &str, error: &Error) -> ScanError {
    match error {
        Error::Api(status) => answered(operation, status),
        Error::SerdeError(_) | Error::FromUtf8(_) | Error::LinesCodecMaxLineLengthExceeded => {
            malformed(operation, "the answer")
        }
        Error::Auth(_) => unavailable(operation, "there are no credentials that work"),
        Error::Service(_) | Error::HyperError(_) | Error::ReadEvents(_) => {
            unavailable(operation, "the connection failed")
        }
        _ => unavailable(operation, "the request could not be made"),
    }
}

/// Maps what a watcher reports, on `list` or `watch` as it was doing.
pub(crate) fn watch_error(list: &str, watch: &str, error: &watcher::Error) -> ScanError {
    match error {
        watcher::Error::InitialListFailed(error) => scan_error(list, error),
        watcher::Error::WatchStartFailed(error) | watcher::Error::WatchFailed(error) => {
            scan_error(watch, error)
        }
        watcher::Error::WatchError(status) => answered(watch, status),
        watcher::Error::NoResourceVersion => malformed(list, "metadata.resourceVersion"),
    }
}

/// Whether the stream merely broke off: what follows is resumed where it was, and nothing is lost.
/// A line that was not understood is lost, so that does not count.
pub(crate) fn is_break(error: &watcher::Error) -> bool {
    matches!(
        error,
        watcher::Error::WatchFailed(
            Error::ReadEvents(_) | Error::HyperError(_) | Error::Service(_)
        )
    )
}

/// Whether the server no longer has that version, in a page or in a watch, and the watcher begins
/// anew by itself.
pub(crate) fn is_expired(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::WatchError(status) => status.code == 410,
        watcher::Error::InitialListFailed(Error::Api(status)) => status.code == 410,
        _ => false,
    }
}

/// The same, where the watcher would ask for the version for ever.
pub(crate) fn is_expired_for_good(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::WatchStartFailed(Error::Api(status))
        | watcher::Error::WatchFailed(Error::Api(status)) => status.code == 410,
        _ => false,
    }
}

/// Whether the server does not know streaming lists: it refuses the request, for no other reason.
pub(crate) fn refuses_streaming(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::WatchStartFailed(Error::Api(status)) => {
            matches!(status.code, 400 | 405 | 406 | 422)
        }
        _ => false,
    }
}

fn answered(operation: &str, status: &Status) -> ScanError {
    match status.code {
        403 if status.reason == "Forbidden" => ScanError::Denied {
            operation: operation.to_owned(),
            permission: permission(operation).to_owned(),
        },
        429 => ScanError::Throttled {
            operation: operation.to_owned(),
            retry_after_secs: status
                .details
                .as_ref()
                .map(|details| u64::from(details.retry_after_seconds))
                .filter(|seconds| *seconds > 0),
        },
        404 => ScanError::NotSupported {
            operation: operation.to_owned(),
            reason: "the API server has no such thing (HTTP 404)".to_owned(),
        },
        code if is_reason(&status.reason) => {
            unavailable(operation, &format!("HTTP {code} {}", status.reason))
        }
        code => unavailable(operation, &format!("HTTP {code}")),
    }
}

/// A word of Kubernetes' vocabulary, not something a page in between made up.
fn is_reason(reason: &str) -> bool {
    (1..=64).contains(&reason.len()) && reason.bytes().all(|b| b.is_ascii_alphabetic())
}

pub(crate) fn unavailable(operation: &str, reason: &str) -> ScanError {
    ScanError::Unavailable { operation: operation.to_owned(), reason: reason.to_owned() }
}

pub(crate) fn malformed(operation: &str, path: &str) -> ScanError {
    ScanError::Malformed { operation: operation.to_owned(), path: path.to_owned() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    fn shown(code: u16, reason: &str) -> String {
        let status = Status::failure("secrets \"leaked\" is forbidden", reason).with_code(code);
        scan_error("list pods", &Error::Api(status.boxed())).to_string()
    }

    #[test]
    fn each_failure_has_its_answer() {
        let rows = [
            (403, "Forbidden", "list pods was denied: permission list pods is missing"),
            (403, "Failed to parse error data", "list pods is unavailable: HTTP 403"),
            (401, "Unauthorized", "list pods is unavailable: HTTP 401 Unauthorized"),
            (429, "TooManyRequests", "list pods was throttled"),
            (410, "Expired", "list pods is unavailable: HTTP 410 Expired"),
            (500, "InternalError", "list pods is unavailable: HTTP 500 InternalError"),
            (502, "<b>leaked</b>", "list pods is unavailable: HTTP 502"),
        ];
        for (code, reason, expected) in rows {
            assert_eq!(shown(code, reason), expected);
        }
        assert!(shown(404, "NotFound").starts_with("list pods is not supported"));
    }

    #[test]
    fn what_was_not_understood_is_malformed_and_not_a_mere_break() {
        let broken = serde_json::from_str::<u8>("leaked").unwrap_err();
        let error = watcher::Error::WatchFailed(Error::SerdeError(broken));
        assert!(!is_break(&error));
        let shown = watch_error("list pods", "watch pods", &error).to_string();
        assert_eq!(shown, "watch pods answered in an unexpected shape at the answer");
    }
}
