//! Errors as the API answers them: `Status` objects.

use serde_json::{Value, json};

/// A failure.
#[derive(Clone, Debug)]
pub(crate) struct Status {
    pub(crate) code: u16,
    pub(crate) reason: &'static str,
    message: String,
    details: Value,
    /// A way to go on with an expired list, inconsistently.
    go_on: Option<String>,
}

impl Status {
    pub(crate) fn new(code: u16, reason: &'static str, message: &str) -> Self {
        Self { code, reason, message: message.to_owned(), details: json!({}), go_on: None }
    }

    pub(crate) fn bad_request(message: &str) -> Self {
        Self::new(400, "BadRequest", message)
    }

    pub(crate) fn unauthorized() -> Self {
        Self::new(401, "Unauthorized", "Unauthorized")
    }

    /// The sentence of the authoriser of RBAC.
    pub(crate) fn denied(verb: &str, group: &str, resource: &str, namespace: Option<&str>) -> Self {
        let user = "system:serviceaccount:headcount:headcount";
        if resource.starts_with('/') {
            let message = format!("forbidden: User \"{user}\" cannot {verb} path \"{resource}\"");
            return Self::new(403, "Forbidden", &message);
        }
        let place = match namespace {
            Some(namespace) => format!("in the namespace \"{namespace}\""),
            None => "at the cluster scope".to_owned(),
        };
        let full =
            if group.is_empty() { resource.to_owned() } else { format!("{resource}.{group}") };
        let message = format!(
            "{full} is forbidden: User \"{user}\" cannot {verb} resource \"{resource}\" \
             in API group \"{group}\" {place}"
        );
        let details = json!({ "group": group, "kind": resource });
        Self { details, ..Self::new(403, "Forbidden", &message) }
    }

    pub(crate) fn not_found(group: &str, resource: &str, name: &str) -> Self {
        let full =
            if group.is_empty() { resource.to_owned() } else { format!("{resource}.{group}") };
        let details = json!({ "name": name, "group": group, "kind": resource });
        Self { details, ..Self::new(404, "NotFound", &format!("{full} \"{name}\" not found")) }
    }

    pub(crate) fn nothing_here() -> Self {
        Self::new(404, "NotFound", "the server could not find the requested resource")
    }

    pub(crate) fn read_only() -> Self {
        let message = "the server does not allow this method on the requested resource";
        Self::new(405, "MethodNotAllowed", message)
    }

    pub(crate) fn not_acceptable() -> Self {
        Self::new(
            406,
            "NotAcceptable",
            "only the following media types are accepted: \
                                         application/json",
        )
    }

    pub(crate) fn conflict() -> Self {
        let message = "Operation cannot be fulfilled: the object has been modified; please apply \
                       your changes to the latest version and try again";
        Self::new(409, "Conflict", message)
    }

    pub(crate) fn expired(version: u64, oldest: u64) -> Self {
        let message = format!("too old resource version: {version} ({oldest})");
        Self::new(410, "Expired", &message)
    }

    /// A page that goes on in a list that is forgotten; `go_on` leads through the present one.
    pub(crate) fn expired_list(go_on: Option<String>) -> Self {
        let message = "The provided continue parameter is too old to display a consistent list \
                       result. You can start a new list without the continue parameter, or use \
                       the continue token in this response to retrieve the remainder of the \
                       results. Continuing with the provided token results in an inconsistent \
                       list - objects that were created, modified, or deleted between the time \
                       the first chunk was returned and now may show up in the list.";
        Self { go_on, ..Self::new(410, "Expired", message) }
    }

    pub(crate) fn invalid(message: &str) -> Self {
        Self::new(422, "Invalid", message)
    }

    pub(crate) fn throttled() -> Self {
        let message = "too many requests, please try again later";
        let details = json!({ "retryAfterSeconds": 1 });
        Self { details, ..Self::new(429, "TooManyRequests", message) }
    }

    pub(crate) fn internal() -> Self {
        Self::new(500, "InternalError", "Internal error occurred: etcdserver: leader changed")
    }

    pub(crate) fn unavailable() -> Self {
        Self::new(503, "ServiceUnavailable", "the server is currently unable to handle the request")
    }

    pub(crate) fn too_new(version: u64, current: u64) -> Self {
        let message = format!("Too large resource version: {version}, current: {current}");
        Self::new(504, "Timeout", &message)
    }

    /// Seconds after which to try again, for the header.
    pub(crate) fn retry_after(&self) -> Option<u64> {
        self.details.get("retryAfterSeconds").and_then(Value::as_u64)
    }

    pub(crate) fn to_json(&self) -> Value {
        let metadata = match &self.go_on {
            Some(token) => json!({ "continue": token }),
            None => json!({}),
        };
        json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": metadata,
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "details": self.details,
            "code": self.code,
        })
    }
}
