//! Serves a seeded GitHub until Ctrl-C, and says how to reach it.
//!
//! `cargo run -p headcount-simulator --example serve_github -- [REPOSITORIES [MEMBERS]]`

use headcount_simulator::github::{Hub, HubServer, Links, ORGANIZATION, Size, Token};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let counts =
        std::env::args().skip(1).map(|count| count.parse()).collect::<Result<Vec<_>, _>>()?;
    let default = Size::default();
    let count = |place: usize, default| counts.get(place).copied().unwrap_or(default);
    let size = Size {
        repositories: count(0, default.repositories),
        members: count(1, default.members),
        ..default
    };
    let mut hub = Hub::seeded(1, size);
    let reader = hub.reader(ORGANIZATION)?;
    let token = hub.token(Token::Installation(reader.installation_id));
    let server = HubServer::start(hub).await?;
    server.set_links(Links::AsAsked);
    println!("organisation {ORGANIZATION}, App {}, token {token}", reader.app_id);
    println!("{}", server.url());
    tokio::signal::ctrl_c().await?;
    for (account, route, calls) in server.calls().iter() {
        println!("{account} {route} {calls}");
    }
    server.stop().await;
    Ok(())
}
