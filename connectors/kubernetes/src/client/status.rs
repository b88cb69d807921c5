//! Puts the status of HTTP where the vendor's client looks for it.
//!
//! That client knows a failure from the `Status` object in the body alone, in which `code` may be
//! missing. A refusal without it would pass for a bad day, and be asked again instead of told. "A
//! reason clarifies an HTTP status code but does not override it", and neither does a code.
//! <https://kubernetes.io/docs/reference/generated/kubernetes-api/v1.34/#status-v1-meta>

use http::{Response, StatusCode};
use http_body_util::{BodyExt as _, Either};
use kube::client::{Body, DynBody};
use serde_json::Value;
use tower::BoxError;

/// An answer as it came, or what is told in place of a failure.
pub(super) type Told = Response<Either<Box<DynBody>, Body>>;

/// Gives every failure that is JSON the code of its HTTP status.
///
/// # Errors
///
/// That of the connection, when the body of a failure breaks off.
pub(super) async fn told(answer: Response<Box<DynBody>>) -> Result<Told, BoxError> {
    let status = answer.status();
    if !status.is_client_error() && !status.is_server_error() {
        return Ok(answer.map(Either::Left));
    }
    let (head, body) = answer.into_parts();
    let text = body.collect().await?.to_bytes();
    let body = coded(&text, status).unwrap_or_else(|| text.to_vec());
    Ok(Response::from_parts(head, Either::Right(body.into())))
}

fn coded(text: &[u8], status: StatusCode) -> Option<Vec<u8>> {
    let mut told: Value = serde_json::from_slice(text).ok()?;
    told.as_object_mut()?.insert("code".to_owned(), status.as_u16().into());
    serde_json::to_vec(&told).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use serde_json::json;

    use super::*;

    async fn heard(status: u16, body: &str) -> String {
        let body: Box<DynBody> = Box::new(Body::from(body.as_bytes().to_vec()).map_err(Into::into));
        let answer = Response::builder().status(status).body(body).unwrap();
        let text = told(answer).await.unwrap().into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(text.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn the_status_of_http_is_the_code_of_a_failure_and_all_else_is_left() {
        for body in [json!({"reason": "Forbidden"}), json!({"reason": "Forbidden", "code": 500})] {
            let told: Value = serde_json::from_str(&heard(403, &body.to_string()).await).unwrap();
            assert_eq!(told, json!({"reason": "Forbidden", "code": 403}));
        }
        for (status, body) in [(200, "{\"items\":[]}"), (502, "<html>"), (500, ""), (403, "[1]")] {
            assert_eq!(heard(status, body).await, body);
        }
    }
}
