//! Serves a seeded organisation until Ctrl-C, for measuring an agent in a process of its own.
//!
//! `cargo run -p headcount-simulator --example serve -- [USERS [ROLES [POLICIES [ACCOUNTS]]]]`
//! prints the environment that points AWS clients at it.

use headcount_simulator::{Organization, Simulator, Size};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let counts =
        std::env::args().skip(1).map(|count| count.parse()).collect::<Result<Vec<_>, _>>()?;
    let default = Size::default();
    let count = |place: usize, default| counts.get(place).copied().unwrap_or(default);
    let size = Size {
        users: count(0, default.users),
        roles: count(1, default.roles),
        customer_policies: count(2, default.customer_policies),
        accounts: count(3, 1),
    };
    let simulator = Simulator::start(Organization::seeded(1, size)).await?;
    for (name, value) in simulator.environment() {
        println!("export {name}={value}");
    }
    tokio::signal::ctrl_c().await?;
    for (account, action, calls) in simulator.calls().iter() {
        println!("{account} {action} {calls}");
    }
    simulator.stop().await;
    Ok(())
}
