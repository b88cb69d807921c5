//! What can go wrong on the way, and when. A plan picks exchanges; its fault spoils them.

use std::ops::RangeInclusive;
use std::time::Duration;

/// How an exchange is spoiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// HTTP 400 `Throttling` (`TooManyRequestsException` from Organizations): how AWS throttles.
    /// From Kubernetes HTTP 429.
    Throttle,
    /// HTTP 429 with the same error: how a proxy in between throttles.
    TooManyRequests,
    /// HTTP 403 `AccessDenied`, as if the permission had been taken away.
    Denied,
    /// HTTP 404 with an error of a kind that no operation declares.
    NotFound,
    /// HTTP 401 `Unauthorized`: a token that ran out. Kubernetes only.
    Unauthorized,
    /// HTTP 409 `Conflict`. Kubernetes only.
    Conflict,
    /// HTTP 410 `Expired`: a snapshot that is forgotten. Kubernetes only.
    Expired,
    /// HTTP 500 `InternalFailure`.
    ServerError,
    /// HTTP 503 `ServiceUnavailable`.
    Unavailable,
    /// HTTP 500 with an HTML page instead of an error document.
    HtmlError,
    /// The right answer, but the connection breaks in the middle of its body.
    CutConnection,
    /// The first half of the right answer, framed as if it were all of it. AWS's own Rust client
    /// (aws-sdk-iam 1.133) reads half an XML list as a short one that has no next page.
    TruncatedBody,
    /// The connection is reset before a byte of the answer.
    Reset,
    /// The right answer, late.
    Latency(Duration),
    /// A page that says that there is more under the very marker it was asked for.
    RepeatedMarker,
    /// A page that says that there is more and gives no marker.
    MissingMarker,
    /// A page without records that is not the last one: nothing is lost, the next one goes on.
    EmptyPage,
}

/// A fault and the exchanges that it spoils: all of them until one of the methods says less.
#[derive(Clone, Debug)]
pub struct FaultPlan {
    fault: Fault,
    action: Option<String>,
    account: Option<String>,
    by: Counted,
    which: RangeInclusive<u64>,
    matched: u64,
}

/// What the fault plans decided for one exchange.
#[derive(Debug, Default)]
pub(crate) struct Spoil {
    pub(crate) latency: Duration,
    pub(crate) fault: Option<Fault>,
}

impl Spoil {
    /// Of several plans that pick an exchange the first wins; latencies add up.
    pub(crate) fn decide(
        plans: &mut [FaultPlan],
        exchange: u64,
        account: &str,
        action: &str,
    ) -> Self {
        let mut spoil = Self::default();
        for plan in plans {
            match plan.strike(exchange, account, action) {
                Some(Fault::Latency(late)) => spoil.latency += late,
                Some(fault) if spoil.fault.is_none() => spoil.fault = Some(fault),
                _ => {}
            }
        }
        spoil
    }
}

#[derive(Clone, Copy, Debug)]
enum Counted {
    /// All exchanges since the counts were last reset.
    Exchanges,
    /// Only those that the plan's action and account select, since it was injected.
    Calls,
}

impl FaultPlan {
    /// Spoils every exchange.
    pub fn new(fault: Fault) -> Self {
        Self {
            fault,
            action: None,
            account: None,
            by: Counted::Calls,
            which: 1..=u64::MAX,
            matched: 0,
        }
    }

    /// Only this action, written like the permission: `iam:ListRoles`, `list pods`.
    pub fn on(mut self, action: &str) -> Self {
        self.action = Some(action.to_owned());
        self
    }

    /// Only requests of this account.
    pub fn in_account(mut self, account: &str) -> Self {
        self.account = Some(account.to_owned());
        self
    }

    /// Only exchange `k`, counted over all exchanges since the last reset. The first is 1.
    pub fn at_exchange(self, k: u64) -> Self {
        self.exchanges(k..=k)
    }

    /// Exchange `k` and all after it.
    pub fn from_exchange(self, k: u64) -> Self {
        self.exchanges(k..=u64::MAX)
    }

    /// Only the `n`th call that matches action and account. The first is 1.
    pub fn at_call(self, n: u64) -> Self {
        self.calls(n..=n)
    }

    /// The `n`th call that matches action and account, and all after it.
    pub fn from_call(self, n: u64) -> Self {
        self.calls(n..=u64::MAX)
    }

    /// The first `n` calls that match action and account; then it is over.
    pub fn first(self, n: u64) -> Self {
        self.calls(1..=n)
    }

    fn exchanges(mut self, which: RangeInclusive<u64>) -> Self {
        (self.by, self.which) = (Counted::Exchanges, which);
        self
    }

    fn calls(mut self, which: RangeInclusive<u64>) -> Self {
        (self.by, self.which) = (Counted::Calls, which);
        self
    }

    /// The fault, if this exchange is to be spoiled. Counts the call.
    fn strike(&mut self, exchange: u64, account: &str, action: &str) -> Option<Fault> {
        if self.action.as_ref().is_some_and(|only| only != action)
            || self.account.as_ref().is_some_and(|only| only != account)
        {
            return None;
        }
        self.matched += 1;
        let number = match self.by {
            Counted::Exchanges => exchange,
            Counted::Calls => self.matched,
        };
        self.which.contains(&number).then_some(self.fault)
    }
}
