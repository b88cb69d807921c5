//! One request as the operations see it, and the errors they answer with.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::organization::{Account, Organization};
use crate::page::Quirk;

/// A request, decoded.
#[derive(Debug)]
pub(crate) struct Request {
    /// The account whose credentials signed it.
    pub(crate) account: String,
    pub(crate) caller: Caller,
    /// `iam:ListRoles`, as permissions write it.
    pub(crate) action: String,
    pub(crate) params: BTreeMap<String, String>,
    /// What the client's clock said when it signed.
    pub(crate) signed_at: Option<Timestamp>,
    pub(crate) quirk: Option<Quirk>,
    /// Pages hold at most so many records, whatever was asked for: AWS may always give fewer.
    pub(crate) most: Option<usize>,
}

impl Request {
    pub(crate) fn param(&self, name: &str) -> Option<&str> {
        self.params.get(name).map(String::as_str)
    }

    pub(crate) fn require(&self, name: &str) -> Result<&str, ApiError> {
        self.param(name).ok_or_else(|| ApiError::validation(&format!("{name} is missing")))
    }

    /// `Filter.member.1`, `Filter.member.2` …
    pub(crate) fn list(&self, name: &str) -> Vec<&str> {
        let mut values = Vec::new();
        while let Some(value) = self.param(&format!("{name}.member.{}", values.len() + 1)) {
            values.push(value);
        }
        values
    }
}

/// Who signed a request.
#[derive(Clone, Debug)]
pub(crate) enum Caller {
    /// A key that the organisation did not issue: whoever runs the test.
    Ambient,
    Root,
    User {
        name: String,
    },
    Session {
        role: String,
        role_id: String,
        name: String,
    },
}

impl Caller {
    pub(crate) fn arn(&self, account: &Account) -> String {
        match self {
            Self::Ambient => account.arn("user/ambient"),
            Self::Root => account.arn("root"),
            Self::User { name } => {
                let path = account.users.get(name).map_or("/", |user| user.path.as_str());
                account.arn(&format!("user{path}{name}"))
            }
            Self::Session { role, name, .. } => {
                format!("arn:{}:sts::{}:assumed-role/{role}/{name}", account.partition, account.id)
            }
        }
    }
}

/// An error answer, before a protocol gives it a shape.
#[derive(Debug)]
pub(crate) struct ApiError {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl ApiError {
    pub(crate) fn new(status: u16, code: &'static str, message: &str) -> Self {
        Self { status, code, message: message.to_owned() }
    }

    pub(crate) fn validation(message: &str) -> Self {
        Self::new(400, "ValidationError", message)
    }

    pub(crate) fn invalid_marker(name: &str) -> Self {
        if name == "NextToken" {
            return Self::new(400, "InvalidInputException", "You specified an invalid value.");
        }
        Self::validation(&format!("Invalid {name}"))
    }

    pub(crate) fn no_such_entity(what: &str) -> Self {
        Self::new(404, "NoSuchEntity", &format!("{what} cannot be found."))
    }

    /// The sentence that AWS writes; readers take the missing permission from it.
    pub(crate) fn denied(caller: &str, action: &str, resource: &str) -> Self {
        let message = format!(
            "User: {caller} is not authorized to perform: {action} on resource: {resource} \
             because no identity-based policy allows the {action} action"
        );
        Self { status: 403, code: "AccessDenied", message }
    }

    pub(crate) fn throttled() -> Self {
        Self::new(400, "Throttling", "Rate exceeded")
    }
}

/// The account that a request belongs to. It can be missing only if the organisation is broken.
pub(crate) fn own<'a>(org: &'a Organization, request: &Request) -> Result<&'a Account, ApiError> {
    org.accounts.get(&request.account).ok_or_else(unknown_token)
}

pub(crate) fn unknown_token() -> ApiError {
    ApiError::new(
        403,
        "InvalidClientTokenId",
        "The security token included in the request is invalid.",
    )
}
