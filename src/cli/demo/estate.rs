//! The simulated organisation of the demo: AWS accounts, a GitHub organisation, a Kubernetes
//! cluster and SaaS tenants that live by one clock and name each other, and the connectors that
//! read them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use headcount_aws::{AwsConnector, Credentials};
use headcount_github::{GithubConnector, Secrets};
use headcount_kubernetes::KubernetesConnector;
use headcount_simulator::github::{self, Hub, HubServer};
use headcount_simulator::kubernetes::{self, Cluster, ClusterServer, Object, PodTemplate, Setup};
use headcount_simulator::{
    AMBIENT_KEY, EXTERNAL_ID, NOT_A_SECRET, Organization, READER_ROLE, Simulator, Size, Trust,
};
use secrecy::SecretString;

use super::day::Cast;
use super::tenants::Tenants;
use crate::scan::Source;

/// The repository whose workflow the trail begins with.
pub const REPOSITORY: &str = "acme/checkout";
/// The role that its production environment deploys with.
pub const DEPLOYER: &str = "checkout-deploy";
/// Where the shop runs, and as whom.
pub const NAMESPACE: &str = "shop";
pub const ACCOUNT: &str = "checkout";
pub const WORKLOAD: &str = "shop/checkout";

/// A member of the GitHub organisation who owns a token.
pub const LEAVER: &str = "dana-example";

/// Everything that answers on 127.0.0.1.
pub struct Estate {
    pub aws: Simulator,
    pub github: HubServer,
    pub cluster: ClusterServer,
    pub tenants: Tenants,
    /// The id of the App by which GitHub is read.
    app_id: u64,
}

impl Estate {
    pub async fn start(accounts: usize, seed: u64) -> anyhow::Result<(Self, Cast)> {
        let size = Size { accounts, ..Size::default() };
        let mut organization = Organization::seeded(seed, size);
        let cast = Cast::of(&organization);
        let setup = Setup { clock: organization.clock().clone(), ..Setup::new(seed) };
        let mut cluster = Cluster::seeded_in(&setup, kubernetes::Size::default());
        deploy_shop(&mut organization, &mut cluster, &cast)?;
        let mut hub = Hub::for_organization(
            &organization,
            seed,
            github::Size { tokens: 8, ..github::Size::default() },
        );
        hub.add_member(github::ORGANIZATION, LEAVER)?;
        hub.grant_token(github::ORGANIZATION, LEAVER, "nightly-deployment")?;
        hub.set_property(REPOSITORY, "owner", "team-checkout")?;
        let app_id = hub.reader(github::ORGANIZATION)?.app_id;
        let tenants = Tenants::start(organization.clock()).await?;
        let estate = Self {
            tenants,
            aws: Simulator::start(organization).await?,
            github: HubServer::start(hub).await?,
            cluster: ClusterServer::start(cluster).await?,
            app_id,
        };
        Ok((estate, cast))
    }

    /// One source for each system, named after what it is.
    pub fn sources(&self, directory: &Path) -> anyhow::Result<Vec<Source>> {
        let kubeconfig = directory.join("kubeconfig");
        std::fs::write(&kubeconfig, self.cluster.kubeconfig())?;
        let cluster: headcount_kubernetes::Config = serde_json::from_value(
            serde_json::json!({"kubeconfig": kubeconfig, "secret_metadata": true}),
        )?;
        let cluster = KubernetesConnector::new(cluster).context("the cluster")?;
        let key = app_key()?;
        let github = self.github_connector(&key)?;
        let mut sources = vec![
            Source { name: "aws".to_owned(), connector: Arc::new(self.aws_connector()?) },
            Source { name: "github".to_owned(), connector: Arc::new(github) },
            Source { name: "cluster".to_owned(), connector: Arc::new(cluster) },
        ];
        sources.extend(self.tenants.sources(&key)?);
        Ok(sources)
    }

    /// Requests that each system has answered since the last call, in the order of the sources.
    pub fn take_calls(&self) -> Vec<u64> {
        let mut calls = vec![
            self.aws.calls().total(),
            self.github.calls().total(),
            self.cluster.calls().total(),
        ];
        calls.extend(self.tenants.take_calls());
        self.aws.reset_calls();
        self.github.reset_calls();
        self.cluster.reset_calls();
        calls
    }

    fn aws_connector(&self) -> anyhow::Result<AwsConnector> {
        let config: headcount_aws::Config = serde_json::from_value(serde_json::json!({
            "accounts": {"organization": {"role": READER_ROLE, "external_id": EXTERNAL_ID}},
            "endpoint_url": self.aws.url(),
            "region": "us-east-1",
        }))?;
        let credentials = Credentials::new(AMBIENT_KEY, NOT_A_SECRET, None, None, "demo");
        Ok(AwsConnector::with(config, headcount_aws::Tuning::default(), Some(credentials))?)
    }

    fn github_connector(&self, key: &str) -> anyhow::Result<GithubConnector> {
        let config: headcount_github::Config = serde_json::from_value(serde_json::json!({
            "organizations": [github::ORGANIZATION],
            "base_url": self.github.url(),
            "auth": {"app_id": self.app_id, "private_key": "env:NOT_READ_IN_THE_DEMO"},
        }))?;
        let secrets = Secrets { login: SecretString::from(key), webhook: None };
        // The real spacing is for GitHub's limit per minute; nobody else uses this one.
        let tuning = headcount_github::Tuning { spacing: Duration::ZERO, ..Default::default() };
        Ok(GithubConnector::with(config, tuning, Some(secrets))?)
    }
}

/// A private key for the App and for a service account, made for this run and known to nobody else.
fn app_key() -> anyhow::Result<String> {
    let pair = KeyPair::generate(KeySize::Rsa2048).context("no key could be made")?;
    let der: Pkcs8V1Der<'_> = pair.as_der().context("the key cannot be written")?;
    let label = "PRIVATE KEY";
    Ok(format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        STANDARD.encode(der.as_ref())
    ))
}

/// A shop in the cluster whose account becomes a role, and the role by which its repository
/// deploys: nobody has written an owner on either role.
fn deploy_shop(
    organization: &mut Organization,
    cluster: &mut Cluster,
    cast: &Cast,
) -> anyhow::Result<()> {
    let account = &cast.production;
    let subject = format!("repo:{REPOSITORY}:environment:production");
    organization.create_role(account, DEPLOYER, &Trust::github(Some(&subject)))?;

    let issuer = cluster.issuer().trim_start_matches("https://").to_owned();
    organization.create_oidc_provider(account, &issuer, &["sts.amazonaws.com"])?;
    let runtime = Trust::WebIdentity {
        issuer,
        subject: Some(format!("system:serviceaccount:{NAMESPACE}:{ACCOUNT}")),
        audience: Some("sts.amazonaws.com".to_owned()),
    };
    organization.create_role(account, "checkout-runtime", &runtime)?;
    let arn = format!("arn:{}:iam::{account}:role/checkout-runtime", organization.partition());

    cluster.create(Object::new_namespace(NAMESPACE).label("team", "team-checkout"))?;
    let served =
        Object::service_account(NAMESPACE, ACCOUNT).annotation("eks.amazonaws.com/role-arn", &arn);
    cluster.create(served)?;
    let template = PodTemplate::running_as(ACCOUNT);
    let deployment =
        Object::workload(kubernetes::Resource::Deployments, NAMESPACE, "checkout", template);
    cluster.create(deployment)?;
    Ok(())
}
