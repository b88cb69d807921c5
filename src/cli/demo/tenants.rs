//! The SaaS tenants of the demo, which live by the organisation's clock, and the described sources
//! that read them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use headcount_rest::{Http, RestConnector, Settings, Tuning, catalog};
use headcount_simulator::Clock;
use headcount_simulator::saas::{GitLab, Google, Graph, Okta, SaasServer, Slack};
use secrecy::SecretString;

use crate::scan::Source;

/// Who in Okta leaves during the day, and what acts in their name.
pub const LEAVER: &str = "noor@example.com";
pub const TOKEN: &str = "nightly-export";

/// One tenant of each vendor.
pub struct Tenants {
    pub okta: SaasServer<Okta>,
    pub gitlab: SaasServer<GitLab>,
    pub slack: SaasServer<Slack>,
    pub entra: SaasServer<Graph>,
    pub gcp: SaasServer<Google>,
}

impl Tenants {
    pub async fn start(clock: &Clock) -> anyhow::Result<Self> {
        let mut okta = Okta::seeded(clock)?;
        let leaver = okta.add_user(LEAVER);
        okta.make_token(&leaver, TOKEN);
        Ok(Self {
            okta: SaasServer::start(okta).await?,
            gitlab: SaasServer::start(GitLab::seeded(clock)?).await?,
            slack: SaasServer::start(Slack::seeded(clock)?).await?,
            entra: SaasServer::start(Graph::seeded(clock)?).await?,
            gcp: SaasServer::start(Google::seeded(clock)?).await?,
        })
    }

    /// One source for each, named after its description.
    pub fn sources(&self, private_key: &str) -> anyhow::Result<Vec<Source>> {
        let http = Arc::new(Http::new().context("TLS cannot be set up")?);
        let group = GitLab::GROUP.to_string();
        let token_url = format!("{}/{}/oauth2/v2.0/token", self.entra.origin(), Graph::TENANT);
        let tenants = [
            Tenant {
                name: "okta",
                settings: &[("domain", "acme.okta.example.com")],
                secret: ("api_token", Okta::TOKEN),
                at: (self.okta.url(), None),
            },
            Tenant {
                name: "gitlab",
                settings: &[("group", &group)],
                secret: ("token", GitLab::TOKEN),
                at: (self.gitlab.url(), None),
            },
            Tenant {
                name: "slack",
                settings: &[("team_id", Slack::TEAM)],
                secret: ("token", Slack::TOKEN),
                at: (self.slack.url(), None),
            },
            Tenant {
                name: "entra",
                settings: &[("tenant", Graph::TENANT), ("client_id", Graph::READER)],
                secret: ("client_secret", Graph::SECRET),
                at: (self.entra.url(), Some(token_url)),
            },
            Tenant {
                name: "gcp",
                settings: &[("project", Google::PROJECT), ("client_email", Google::READER)],
                secret: ("private_key", private_key),
                at: (self.gcp.url(), Some(format!("{}/token", self.gcp.origin()))),
            },
        ];
        tenants.into_iter().map(|tenant| tenant.source(&http)).collect()
    }

    /// Requests that each has answered since the last call, in the order of the sources.
    pub fn take_calls(&self) -> [u64; 5] {
        let calls = [
            self.okta.exchanges(),
            self.gitlab.exchanges(),
            self.slack.exchanges(),
            self.entra.exchanges(),
            self.gcp.exchanges(),
        ];
        self.okta.reset_calls();
        self.gitlab.reset_calls();
        self.slack.reset_calls();
        self.entra.reset_calls();
        self.gcp.reset_calls();
        calls
    }
}

/// How one tenant is read.
struct Tenant<'a> {
    name: &'a str,
    settings: &'a [(&'a str, &'a str)],
    secret: (&'a str, &'a str),
    /// Where its API is, and where it gives tokens.
    at: (String, Option<String>),
}

impl Tenant<'_> {
    fn source(self, http: &Arc<Http>) -> anyhow::Result<Source> {
        let name = self.name;
        let described = catalog::load(name).with_context(|| format!("no description {name}"))??;
        let values = self.settings.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        let (base_url, token_url) = self.at;
        let settings = Settings {
            values: values.collect(),
            base_url: Some(base_url),
            token_url,
            ..Settings::default()
        };
        let (secret, value) = self.secret;
        let secrets = BTreeMap::from([(secret.to_owned(), SecretString::from(value))]);
        // The real spacing spares others on the same limit; nobody else uses this one.
        let tuning = Tuning { spacing: Some(Duration::ZERO), ..Tuning::default() };
        let over = (Arc::clone(http) as Arc<_>, tuning);
        let connector = RestConnector::with(&described, &settings, Arc::new(secrets), over)?;
        Ok(Source { name: name.to_owned(), connector: Arc::new(connector) })
    }
}
