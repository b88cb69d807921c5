//! Programs from Debian's packages for machines that lack them, unpacked below the build directory:
//! nothing is installed, and nobody has to be root.
//!
//! apt works in folders of this bed's own, so it needs neither the machine's list of packages nor its
//! lock; what the packages depend on comes along unless the machine has it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::testbed::{self, Wanted};

/// A folder that looks like the root of a file system, with what some packages put there.
#[derive(Clone, Debug)]
pub struct Root(PathBuf);

impl Root {
    /// Unpacks packages into a bed of this name when no test before did.
    pub fn of(bed: &str, packages: &[&str]) -> Self {
        let pinned = packages.join(" ");
        let needs = format!("{pinned}, or `apt-get` to fetch them with, which installs nothing");
        let wanted = Wanted { bed, pinned: &pinned, needs: &needs };
        let bed = testbed::once(&wanted, |bed, tried| unpack(bed, packages, tried));
        Self(bed.join("root"))
    }

    pub fn join(&self, path: &str) -> PathBuf {
        self.0.join(path)
    }

    /// A program of these packages, which finds their libraries.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.join(program));
        command.env("LD_LIBRARY_PATH", self.libraries());
        command
    }

    /// What `LD_LIBRARY_PATH` has to be: some packages keep libraries of their own a folder deeper.
    pub fn libraries(&self) -> String {
        let mut folders = Vec::new();
        for lib in ["usr/lib", "lib"] {
            let folder = self.join(&format!("{lib}/{}", triplet()));
            let Ok(entries) = fs::read_dir(&folder) else { continue };
            let entries = entries.map(|entry| entry.unwrap().path());
            folders.extend(entries.filter(|path| path.is_dir()));
            folders.insert(0, folder);
        }
        let folders: Vec<&str> = folders.iter().map(|folder| folder.to_str().unwrap()).collect();
        folders.join(":")
    }
}

/// What Debian calls this machine's kind of libraries.
pub fn triplet() -> String {
    format!("{}-linux-gnu", std::env::consts::ARCH)
}

fn unpack(bed: &Path, packages: &[&str], tried: &mut String) -> bool {
    let apt = bed.join("apt");
    let archives = apt.join("cache/archives");
    for folder in ["state/lists/partial", "cache/archives/partial"] {
        fs::create_dir_all(apt.join(folder)).unwrap();
    }
    let command = || {
        let mut command = Command::new("apt-get");
        command.args(["-qq", "-o", "Debug::NoLocking=1", "-o", "APT::Sandbox::User=root"]);
        command.args(["-o", "Dir::State::status=/var/lib/dpkg/status"]);
        for (name, folder) in [("State", "state"), ("Cache", "cache")] {
            command.arg("-o").arg(format!("Dir::{name}={}", apt.join(folder).display()));
        }
        command
    };
    // One source of several that cannot be reached need not matter.
    testbed::attempt(command().arg("update"), tried);
    let mut fetch = command();
    fetch.args(["install", "--yes", "--download-only", "--reinstall", "--no-install-recommends"]);
    let mut done = testbed::attempt(fetch.args(packages), tried);
    for archive in fs::read_dir(&archives).unwrap().map(|entry| entry.unwrap().path()) {
        if archive.extension().is_some_and(|extension| extension == "deb") {
            let mut unpack = Command::new("dpkg-deb");
            done &= testbed::attempt(unpack.arg("-x").arg(archive).arg(bed.join("root")), tried);
        }
    }
    fs::remove_dir_all(&apt).unwrap();
    done
}
