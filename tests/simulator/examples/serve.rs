//! Serves a seeded organisation until Ctrl-C, for measuring an agent in a process of its own.
//!
//! `cargo run -p headcount-simulator --example serve -- [USERS [ROLES [POLICIES [ACCOUNTS]]]]`
//! prints the environment that points AWS clients at it.
//!
//! With `--cluster KUBECONFIG [NAMESPACES [SERVICE_ACCOUNTS [PODS]]]` after that it serves a
//! cluster as well, whose service accounts use roles of the organisation, and writes the
//! kubeconfig that leads to it.

use headcount_simulator::kubernetes::{self, Cluster, ClusterServer, Setup};
use headcount_simulator::{Calls, Organization, Simulator, Size};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

#[tokio::main]
async fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (own, cluster) = match arguments.iter().position(|argument| argument == "--cluster") {
        Some(at) => (&arguments[..at], Some(&arguments[at + 1..])),
        None => (&arguments[..], None),
    };
    let organization = organization(own)?;
    let cluster = match cluster {
        Some(arguments) => Some(serve_cluster(&organization, arguments).await?),
        None => None,
    };
    let simulator = Simulator::start(organization).await?;
    for (name, value) in simulator.environment() {
        println!("export {name}={value}");
    }
    tokio::signal::ctrl_c().await?;
    print(&simulator.calls());
    simulator.stop().await;
    if let Some(cluster) = cluster {
        print(&cluster.calls());
        cluster.stop().await;
    }
    Ok(())
}

fn organization(arguments: &[String]) -> Outcome<Organization> {
    let counts = counts(arguments)?;
    let default = Size::default();
    let count = |place: usize, default| counts.get(place).copied().unwrap_or(default);
    let size = Size {
        users: count(0, default.users),
        roles: count(1, default.roles),
        customer_policies: count(2, default.customer_policies),
        accounts: count(3, 1),
    };
    Ok(Organization::seeded(1, size))
}

async fn serve_cluster(
    organization: &Organization,
    arguments: &[String],
) -> Outcome<ClusterServer> {
    let [file, arguments @ ..] = arguments else { return Err("--cluster needs a file".into()) };
    let counts = counts(arguments)?;
    let default = kubernetes::Size::default();
    let count = |place: usize, default| counts.get(place).copied().unwrap_or(default);
    let size = kubernetes::Size {
        namespaces: count(0, default.namespaces),
        service_accounts: count(1, default.service_accounts),
        pods: count(2, default.pods),
    };
    let account = organization.account(organization.management()).ok_or("no account")?;
    let roles = account.roles().values();
    let setup = Setup {
        clock: organization.clock().clone(),
        role_arns: roles
            .map(|role| account.arn(&format!("role{}{}", role.path, role.name)))
            .collect(),
        ..Setup::new(1)
    };
    let server = ClusterServer::start(Cluster::seeded_in(&setup, size)).await?;
    std::fs::write(file, server.kubeconfig())?;
    println!("export KUBECONFIG={file}");
    println!("# cluster {} at {}", server.read(Cluster::id), server.url());
    Ok(server)
}

fn counts(arguments: &[String]) -> Outcome<Vec<usize>> {
    Ok(arguments.iter().map(|count| count.parse()).collect::<Result<_, _>>()?)
}

fn print(calls: &Calls) {
    for (account, action, count) in calls.iter() {
        println!("{account} {action} {count}");
    }
}
