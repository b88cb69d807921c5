//! The figures: what a scan costs in CPU, memory and time, printed and never asserted.
//!
//! `cargo bench --bench figures` builds with optimisation and prints one line per figure. Each
//! measured part runs in a process of its own, so that the peak memory of one does not hide
//! another's, and so that the simulator's work is not charged to the agent.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a benchmark that cannot go on should stop"
)]
#![allow(clippy::disallowed_methods, reason = "measures by the real clock")]

mod agent;
mod cluster;
mod deliveries;
mod measure;
mod readers;
mod reconcile;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> =
        arguments.iter().map(String::as_str).filter(|a| *a != "--bench").collect();
    match words.as_slice() {
        // Run by this program itself.
        ["child", "load", directory] => reconcile::load(directory),
        ["child", "reconcile", directory] => reconcile::reconcile(directory),
        ["child", "simulate", users, roles] => agent::simulate(users, roles),
        ["child", "serve", directory] => readers::serve(directory),
        ["child", "receive"] => deliveries::receive(),
        ["child", "deliver", url] => deliveries::deliver(url),
        ["child", "run", program, rest @ ..] => measure::run_and_report(program, rest),
        chosen => figures(chosen),
    }
}

/// Prints the figures whose group is named, or all.
fn figures(chosen: &[&str]) {
    let groups: [(&str, fn()); 5] = [
        ("reconcile", reconcile::figures),
        ("agent", agent::figures),
        ("deliveries", deliveries::figures),
        ("cluster", cluster::figures),
        ("readers", readers::figures),
    ];
    println!("{:<58} {:>14}", "figure", "measured");
    for (name, print) in groups {
        if chosen.is_empty() || chosen.contains(&name) {
            print();
        }
    }
}
