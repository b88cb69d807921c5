//! CPU time and peak memory of a child process, as the kernel counts them.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use nix::sys::resource::{UsageWho, getrusage};

/// What one process used.
#[derive(Clone, Copy, Debug)]
pub struct Used {
    pub cpu_seconds: f64,
    pub peak_mib: f64,
}

pub fn line(figure: &str, measured: &str) {
    println!("{figure:<58} {measured:>14}");
}

pub fn print(figure: &str, used: Used) {
    line(&format!("{figure}, CPU"), &format!("{:.2} s", used.cpu_seconds));
    line(&format!("{figure}, peak memory"), &format!("{:.0} MiB", used.peak_mib));
}

/// This program again, as a child that does one part.
pub fn this_program(words: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg("child").args(words);
    command
}

/// Runs a program through a middleman whose only child it is, because the kernel counts peak
/// memory over all children together.
pub fn measured(program: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Used {
    let mut words = vec!["run", program];
    words.extend(arguments);
    let mut command = this_program(&words);
    let output =
        command.envs(environment.iter().copied()).stderr(Stdio::inherit()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let report = text.lines().find_map(|l| l.strip_prefix("used ")).unwrap_or_else(|| {
        panic!("the measured program said nothing of its use: {text}");
    });
    let mut numbers = report.split(' ').map(|n| n.parse::<f64>().unwrap());
    Used { cpu_seconds: numbers.next().unwrap(), peak_mib: numbers.next().unwrap() }
}

/// The middleman.
pub fn run_and_report(program: &str, arguments: &[&str]) {
    let status = Command::new(program).args(arguments).stdout(Stdio::null()).status().unwrap();
    let code = status.code();
    // 4 is "scan incomplete", which a benchmark must not pass over in silence.
    assert!(code == Some(0), "{program} ended with {code:?}");
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
    let seconds = |t: nix::sys::time::TimeVal| {
        let micros = f64::from(i32::try_from(t.tv_usec()).unwrap());
        f64::from(i32::try_from(t.tv_sec()).unwrap()) + micros / 1e6
    };
    let cpu = seconds(usage.user_time()) + seconds(usage.system_time());
    let peak = f64::from(i32::try_from(usage.max_rss()).unwrap()) / 1024.0;
    println!("used {cpu} {peak}");
}

/// A child that serves until it is dropped; its first line on stdout says where.
pub struct Server {
    child: Child,
    pub url: String,
}

impl Server {
    pub fn start(words: &[&str]) -> Self {
        let mut child = this_program(words).stdout(Stdio::piped()).spawn().unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut url).unwrap();
        Self { child, url: url.trim().to_owned() }
    }
}

impl Server {
    /// The most memory that it has held so far.
    pub fn peak_mib(&self) -> f64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        peak.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}
