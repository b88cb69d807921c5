//! Serves one tenant of each vendor until Ctrl-C, for a look with curl.

use headcount_simulator::Clock;
use headcount_simulator::saas::{GitLab, Google, Graph, Okta, SaasServer, Slack};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let clock = Clock::at("2026-03-10T12:00:00Z".parse()?);
    let okta = SaasServer::start(Okta::seeded(&clock)?).await?;
    println!("okta    {}  Authorization: SSWS {}", okta.url(), Okta::TOKEN);
    let gitlab = SaasServer::start(GitLab::seeded(&clock)?).await?;
    println!("gitlab  {}  PRIVATE-TOKEN: {}", gitlab.url(), GitLab::TOKEN);
    let slack = SaasServer::start(Slack::seeded(&clock)?).await?;
    println!("slack   {}  Authorization: Bearer {}", slack.url(), Slack::TOKEN);
    let graph = SaasServer::start(Graph::seeded(&clock)?).await?;
    let token = graph.change().give_token();
    println!("graph   {}  Authorization: Bearer {token}", graph.url());
    let google = SaasServer::start(Google::seeded(&clock)?).await?;
    let token = google.change().give_token();
    println!("google  {}  Authorization: Bearer {token}", google.url());
    tokio::signal::ctrl_c().await?;
    Ok(())
}
