//! A host that a sink connects to by itself, not over HTTP: its addresses are judged before each
//! connection, and every failure names it.

use std::net::SocketAddr;

use serde::Deserialize;

use super::DeliveryError;
use super::guard::{Cidr, Guard, Transport, Unresolved};
use super::http::check_literal;
use super::sinks::Fault;

/// A host and a port, as configured.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct HostPort {
    pub host: String,
    pub port: u16,
}

impl TryFrom<String> for HostPort {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || "expected a host and a port, for example `logs.example.com:6514`".to_owned();
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let port = port.parse().map_err(|_| wrong())?;
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        if bare.is_empty() || bare.contains(['/', ' ', '@']) || (host == bare && host.contains(':'))
        {
            return Err(wrong());
        }
        Ok(Self { host: bare.to_owned(), port })
    }
}

impl HostPort {
    /// Why a text is none.
    pub fn check(text: &str) -> Result<(), String> {
        Self::try_from(text.to_owned()).map(drop)
    }
}

/// A host that may be connected to.
pub struct Host {
    name: String,
    port: u16,
    guard: Guard,
}

impl Host {
    /// Refuses an address that no sink may reach; a name is judged when it is looked up.
    pub fn new(
        (name, port): (&str, u16),
        allow_cidrs: &[Cidr],
        transport: Transport,
    ) -> Result<Self, Fault> {
        let guard = Guard::new(allow_cidrs, transport);
        check_literal(&guard, name)?;
        Ok(Self { name: name.to_owned(), port, guard })
    }

    /// Where it may be reached now; one address at least.
    pub async fn addresses(&self) -> Result<Vec<SocketAddr>, DeliveryError> {
        self.guard.look_up(&self.name, self.port).await.map_err(|error| match error {
            Unresolved::Refused(refused) => DeliveryError::Reject { reason: refused.to_string() },
            Unresolved::NoAddress => self.failed("the name cannot be resolved"),
        })
    }

    /// A failure that may pass.
    #[must_use]
    pub fn failed(&self, what: &str) -> DeliveryError {
        DeliveryError::retry(format!("{}: {what}", self.name))
    }

    /// A failure that somebody has to mend.
    #[must_use]
    pub fn rejected(&self, what: &str) -> DeliveryError {
        DeliveryError::Reject { reason: format!("{}: {what}", self.name) }
    }
}
