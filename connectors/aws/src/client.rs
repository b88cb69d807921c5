//! Everything that goes over the wire: sessions, accounts, and one function per operation.
//!
//! Nothing outside this module does I/O. Every call takes its turn at the account's governor,
//! every list is read through a [`page::Cursor`], every answer passes [`intact`], and every
//! failure becomes a [`ScanError`] in [`error`].

mod answers;
mod error;
mod http;
mod intact;
mod kept;
mod line;
mod page;
mod queue;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{Region, SdkConfig};
use aws_sdk_iam::config::{Credentials, SharedCredentialsProvider};
use aws_sdk_organizations::types::Account as ListedAccount;
use headcount_sdk::governor::{Governor, Limits};
use headcount_sdk::{ScanContext, ScanError};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::OnceCell;

pub(crate) use self::answers::{Detail, ReportAnswer};
pub(crate) use self::error::permission;
use self::intact::Intact;
use self::kept::Kept;
use self::line::Line;
use self::page::Cursor;
pub(crate) use self::queue::Queue;
use crate::config::{Accounts, Config};
use crate::id::Place;
use crate::normalize::timestamp;

/// An assumed session is used again only if it outlives a whole scan.
const SESSION_MARGIN: SignedDuration = SignedDuration::from_mins(35);

/// How patient the connector is. The defaults are for AWS; tests hurry.
#[derive(Clone, Copy, Debug)]
pub struct Tuning {
    /// Attempts per call, the first included.
    pub max_attempts: u32,
    /// Wait before the second attempt; doubled, with jitter, for each further one.
    pub initial_backoff: Duration,
    /// How long all calls to an account rest after one was throttled to the end of its attempts.
    pub throttle_pause: Duration,
    /// Wait between two looks at a credential report that is being built; doubled up to 16 s.
    pub report_poll: Duration,
    /// Looks at most.
    pub report_polls: u32,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            max_attempts: 4,
            initial_backoff: Duration::from_secs(1),
            throttle_pause: Duration::from_secs(5),
            report_poll: Duration::from_secs(2),
            report_polls: 8,
        }
    }
}

/// The way to AWS, with the agent's own credentials.
pub(crate) struct Cloud {
    pub(crate) config: Config,
    pub(crate) tuning: Tuning,
    credentials: Option<Credentials>,
    base: OnceCell<SdkConfig>,
    ambient: OnceCell<aws_sdk_iam::Client>,
    governors: Mutex<BTreeMap<String, Governor>>,
    sessions: Sessions,
    caller: tokio::sync::Mutex<Option<Kept<Place>>>,
    organization: tokio::sync::Mutex<Option<Kept<Organization>>>,
}

/// Assumed credentials, inside the client that uses them.
#[derive(Clone)]
struct Session {
    iam: aws_sdk_iam::Client,
    expires_at: Timestamp,
}

type Sessions = Arc<Mutex<BTreeMap<Place, Session>>>;

/// The organisation as the agent's account sees it.
#[derive(Debug)]
pub(crate) struct Organization {
    /// Whose credentials the agent has.
    pub(crate) caller: Arc<Place>,
    /// State of each account by id.
    pub(crate) accounts: BTreeMap<String, String>,
}

/// One account, ready to be read.
pub(crate) struct Account {
    pub(crate) place: Place,
    iam: aws_sdk_iam::Client,
    line: Line,
    pub(crate) tuning: Tuning,
}

impl Cloud {
    pub(crate) fn new(config: Config, tuning: Tuning, credentials: Option<Credentials>) -> Self {
        Self {
            config,
            tuning,
            credentials,
            base: OnceCell::new(),
            ambient: OnceCell::new(),
            governors: Mutex::default(),
            sessions: Arc::default(),
            caller: tokio::sync::Mutex::default(),
            organization: tokio::sync::Mutex::default(),
        }
    }

    /// Who the agent is, asked once per scan: credentials may be exchanged while it runs.
    pub(crate) async fn caller(&self, cx: &ScanContext) -> Result<Arc<Place>, ScanError> {
        const OPERATION: &str = "sts:GetCallerIdentity";
        let mut kept = self.caller.lock().await;
        if let Some(caller) = kept.as_ref().filter(|kept| kept.holds(cx)) {
            return Ok(Arc::clone(&caller.answer));
        }
        let request = self.sts().await.get_caller_identity();
        let identity = self.agent(cx).read(OPERATION, request.send()).await?;
        let caller = identity.arn().and_then(Place::of_arn).map(Arc::new);
        let caller = caller.ok_or_else(|| malformed(OPERATION, "Arn"))?;
        *kept = Some(Kept::new(cx, &caller));
        Ok(caller)
    }

    /// The accounts of the organisation, listed once per scan.
    pub(crate) async fn organization(
        &self,
        cx: &ScanContext,
    ) -> Result<Arc<Organization>, ScanError> {
        let mut kept = self.organization.lock().await;
        if let Some(organization) = kept.as_ref().filter(|kept| kept.holds(cx)) {
            return Ok(Arc::clone(&organization.answer));
        }
        let caller = self.caller(cx).await?;
        let accounts = self.list_accounts(cx).await?;
        let organization = Arc::new(Organization { caller, accounts });
        *kept = Some(Kept::new(cx, &organization));
        Ok(organization)
    }

    /// Forgets a list of accounts that is older than this pass. Whether there was one.
    pub(crate) async fn forget_organization(&self, cx: &ScanContext) -> bool {
        let mut kept = self.organization.lock().await;
        kept.take_if(|kept| !kept.is_of(cx)).is_some()
    }

    async fn list_accounts(&self, cx: &ScanContext) -> Result<BTreeMap<String, String>, ScanError> {
        const OPERATION: &str = "organizations:ListAccounts";
        let client = aws_sdk_organizations::Client::new(self.base().await);
        let line = self.agent(cx);
        let mut accounts = BTreeMap::new();
        let mut cursor = Cursor::new(OPERATION);
        while let Some(token) = cursor.next() {
            let page = client.list_accounts().max_results(20).set_next_token(token).send();
            let page = line.read(OPERATION, page).await?;
            // A page may be empty while there are more.
            let listed = page.accounts.ok_or_else(|| malformed(OPERATION, "Accounts"))?;
            for account in &listed {
                let id = account.id().ok_or_else(|| malformed(OPERATION, "Accounts/Id"))?;
                accounts.insert(id.to_owned(), state(account).to_owned());
            }
            cursor.advance(page.next_token.is_some(), page.next_token)?;
        }
        if accounts.is_empty() {
            return Err(malformed(OPERATION, "Accounts: none, not even the caller's own"));
        }
        Ok(accounts)
    }

    /// Opens one account: once per pass, failure included.
    pub(crate) async fn account(
        &self,
        cx: &ScanContext,
        place: &Place,
    ) -> Result<Arc<Account>, ScanError> {
        cx.memo.once(&format!("account {place}"), self.open(cx, place)).await
    }

    async fn open(&self, cx: &ScanContext, place: &Place) -> Result<Account, ScanError> {
        let iam = match &self.config.accounts {
            Accounts::Ambient => {
                let caller = self.caller(cx).await?;
                if *caller != *place {
                    return Err(unavailable(
                        "sts:GetCallerIdentity",
                        format!("the agent's credentials belong to {caller} now"),
                    ));
                }
                self.ambient().await
            }
            Accounts::Roles(accounts) => {
                let roles = accounts.places().unwrap_or_default();
                let role = roles.iter().find(|(known, _)| known == place).map(|(_, arn)| *arn);
                let role = role.ok_or_else(|| not_configured(place))?;
                self.assumed(cx, place, role, accounts.external_id.as_deref()).await?
            }
            Accounts::Organization(accounts) => {
                let organization = self.organization(cx).await?;
                match organization.accounts.get(place.account()).map(String::as_str) {
                    _ if *place == *organization.caller => self.ambient().await,
                    Some("ACTIVE" | "") => {
                        let role = place.role_arn(&accounts.role);
                        self.assumed(cx, place, &role, accounts.external_id.as_deref()).await?
                    }
                    Some(state) => {
                        let reason = format!("the account is {state} in its organisation");
                        return Err(unavailable("sts:AssumeRole", reason));
                    }
                    None => return Err(not_configured(place)),
                }
            }
        };
        let mut line = self.line(cx, &place.to_string());
        line.session = Some((place.clone(), Arc::clone(&self.sessions)));
        Ok(Account { place: place.clone(), iam, line, tuning: self.tuning })
    }

    async fn assumed(
        &self,
        cx: &ScanContext,
        place: &Place,
        role: &str,
        external_id: Option<&str>,
    ) -> Result<aws_sdk_iam::Client, ScanError> {
        const OPERATION: &str = "sts:AssumeRole";
        let kept = lock(&self.sessions).get(place).cloned();
        if let Some(session) = kept.filter(|s| s.expires_at > cx.now + SESSION_MARGIN) {
            return Ok(session.iam);
        }
        let request = self
            .sts()
            .await
            .assume_role()
            .role_arn(role)
            .role_session_name(session_name(&cx.scan))
            .set_external_id(external_id.map(str::to_owned));
        let answer = self.agent(cx).read(OPERATION, request.send()).await?;
        let given = answer.credentials.ok_or_else(|| malformed(OPERATION, "Credentials"))?;
        let expires_at = timestamp(given.expiration())
            .ok_or_else(|| malformed(OPERATION, "Credentials/Expiration"))?;
        let credentials = Credentials::new(
            given.access_key_id,
            given.secret_access_key,
            Some(given.session_token),
            None,
            "headcount",
        );
        let config = aws_sdk_iam::config::Builder::from(self.base().await)
            .credentials_provider(credentials)
            .interceptor(Intact)
            .build();
        let iam = aws_sdk_iam::Client::from_conf(config);
        lock(&self.sessions).insert(place.clone(), Session { iam: iam.clone(), expires_at });
        Ok(iam)
    }

    async fn ambient(&self) -> aws_sdk_iam::Client {
        let client = self.ambient.get_or_init(|| async {
            let config = aws_sdk_iam::config::Builder::from(self.base().await);
            aws_sdk_iam::Client::from_conf(config.interceptor(Intact).build())
        });
        client.await.clone()
    }

    async fn sts(&self) -> aws_sdk_sts::Client {
        let config = aws_sdk_sts::config::Builder::from(self.base().await);
        aws_sdk_sts::Client::from_conf(config.interceptor(Intact).build())
    }

    /// Region, endpoint, credentials and patience. Reads environment and profile, calls nothing:
    /// the region is not asked of the instance metadata, which would make every start elsewhere
    /// wait for it.
    async fn base(&self) -> &SdkConfig {
        self.base.get_or_init(|| self.load()).await
    }

    async fn load(&self) -> SdkConfig {
        let region = RegionProviderChain::first_try(self.config.region.clone().map(Region::new))
            .or_else(EnvironmentVariableRegionProvider::new())
            .or_else(ProfileFileRegionProvider::new())
            .or_else(Region::from_static("us-east-1"));
        let retry = RetryConfig::standard()
            .with_max_attempts(self.tuning.max_attempts)
            .with_initial_backoff(self.tuning.initial_backoff);
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(5))
            .read_timeout(Duration::from_secs(60))
            .operation_attempt_timeout(Duration::from_secs(90))
            .build();
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .region(region)
            .retry_config(retry)
            .timeout_config(timeouts)
            .http_client(http::shared());
        // Shown in the user agent, so that CloudTrail tells whose calls these are.
        if let Ok(name) = aws_config::AppName::new("headcount") {
            loader = loader.app_name(name);
        }
        if let Some(url) = &self.config.endpoint_url {
            loader = loader.endpoint_url(url);
        }
        if let Some(credentials) = &self.credentials {
            loader =
                loader.credentials_provider(SharedCredentialsProvider::new(credentials.clone()));
        }
        Box::pin(loader.load()).await
    }

    /// The queue of the agent's own credentials. Its calls are not counted against an account.
    fn agent(&self, cx: &ScanContext) -> Line {
        self.line(cx, "agent")
    }

    fn line(&self, cx: &ScanContext, credential: &str) -> Line {
        let limits = Limits { concurrency: self.config.concurrency, spacing: Duration::ZERO };
        let governor = lock(&self.governors)
            .entry(credential.to_owned())
            .or_insert_with(|| Governor::new(limits))
            .clone();
        Line {
            governor,
            priority: cx.priority,
            pause: self.tuning.throttle_pause,
            calls: Arc::default(),
            session: None,
        }
    }
}

impl Account {
    /// Calls made in this pass so far.
    pub(crate) fn calls(&self) -> u64 {
        self.line.calls()
    }
}

/// `State` is newer than `Status`, which AWS has retired; a server that gives neither leaves it to
/// `AssumeRole` to refuse.
fn state(account: &ListedAccount) -> &str {
    let state = account.state().map(|state| state.as_str());
    let status = account.status().map(|status| status.as_str());
    state.or(status).unwrap_or_default()
}

/// `headcount.<scan>`, in the characters and the length that STS takes.
fn session_name(scan: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    let scan = scan.chars().map(|c| if allowed(c) { c } else { '-' });
    "headcount.".chars().chain(scan).take(64).collect()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn unavailable(operation: &str, reason: String) -> ScanError {
    ScanError::Unavailable { operation: operation.to_owned(), reason }
}

pub(crate) fn not_configured(place: &impl std::fmt::Display) -> ScanError {
    ScanError::NotSupported {
        operation: "observe".to_owned(),
        reason: format!("account {place} is not one of this source's"),
    }
}

pub(crate) fn malformed(operation: &str, path: impl Into<String>) -> ScanError {
    ScanError::Malformed { operation: operation.to_owned(), path: path.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_names_fit_what_sts_takes() {
        assert_eq!(session_name("2026-01-15T09:00:00Z"), "headcount.2026-01-15T09-00-00Z");
        assert_eq!(session_name(&"x".repeat(100)).len(), 64);
    }
}
