//! Installs what the tests need from a package registry, once, below the build directory.
//!
//! The machine's own `pip` does it, with the index it is configured for. What is installed is
//! pinned in `tests/it/moto/requirements.txt`; a changed file is a new installation.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const REQUIREMENTS: &str = include_str!("../moto/requirements.txt");

/// A Python that can import what is pinned.
#[derive(Clone, Debug)]
pub struct Python {
    program: PathBuf,
    /// Where the packages are, when they are not in the program's own environment.
    path: Option<PathBuf>,
}

impl Python {
    /// A command that runs a script of `tests/it/moto`.
    pub fn script(&self, name: &str) -> Command {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/moto").join(name);
        let mut command = Command::new(&self.program);
        // Neither the caches of Python nor its output buffering belong into a test.
        command.arg("-B").arg("-u").arg(script);
        for (name, _) in std::env::vars_os() {
            if is_for_aws_or_python(&name) {
                command.env_remove(name);
            }
        }
        if let Some(path) = &self.path {
            command.env("PYTHONPATH", path);
        }
        command.env("AWS_EC2_METADATA_DISABLED", "true");
        command
    }
}

fn is_for_aws_or_python(name: &OsString) -> bool {
    let name = name.to_string_lossy();
    ["AWS_", "MOTO_", "PYTHON"].iter().any(|prefix| name.starts_with(prefix))
}

/// Where everything is installed.
pub fn beds() -> PathBuf {
    let beds = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("testbeds");
    fs::create_dir_all(&beds).unwrap();
    beds
}

/// The Python with moto in it. Installs it when no test before did.
pub fn python() -> Python {
    let beds = beds();
    let bed = beds.join(format!("moto-{}", version()));
    // Tests run in parallel, in one process and in several: one of them installs.
    let lock = File::create(beds.join(format!("moto-{}.lock", version()))).unwrap();
    lock.lock().unwrap();
    let ready = bed.join("installed.txt");
    if fs::read_to_string(&ready).is_ok_and(|installed| installed == REQUIREMENTS) {
        return installed(&bed);
    }
    if bed.exists() {
        fs::remove_dir_all(&bed).unwrap();
    }
    if let Err(tried) = install(&bed) {
        panic!(
            "moto {} could not be installed into {}.\n\
             The tests against it need `python3` (3.11 or newer) with `venv` or `pip`, and a \
             package index that pip can reach\n(Debian: apt-get install python3-venv).\n\nTried:\n{tried}",
            version(),
            bed.display(),
        );
    }
    fs::write(&ready, REQUIREMENTS).unwrap();
    installed(&bed)
}

/// The pinned version of moto.
pub fn version() -> &'static str {
    REQUIREMENTS.lines().find_map(|line| line.strip_prefix("moto==")).unwrap()
}

fn installed(bed: &Path) -> Python {
    let packages = bed.join("packages");
    if packages.exists() {
        return Python { program: "python3".into(), path: Some(packages) };
    }
    Python { program: bed.join("bin/python"), path: None }
}

/// A virtual environment; where Python has no `ensurepip`, a folder beside the system's packages.
fn install(bed: &Path) -> Result<(), String> {
    let requirements = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/moto/requirements.txt");
    let mut tried = String::new();
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    let in_venv = attempt(Command::new("python3").args(["-m", "venv"]).arg(bed), &mut tried)
        && attempt(
            Command::new(bed.join("bin/python")).args(pip).arg("-r").arg(&requirements),
            &mut tried,
        );
    if in_venv {
        return Ok(());
    }
    let _ = fs::remove_dir_all(bed);
    let beside = attempt(
        Command::new("python3")
            .args(pip)
            .arg("--target")
            .arg(bed.join("packages"))
            .arg("-r")
            .arg(&requirements),
        &mut tried,
    );
    if beside { Ok(()) } else { Err(tried) }
}

/// Runs a command and notes what came of it.
pub fn attempt(command: &mut Command, tried: &mut String) -> bool {
    let ending = match command.output() {
        Ok(Output { status, .. }) if status.success() => return true,
        Ok(Output { status, stdout, stderr }) => {
            let said = [stdout, stderr].concat();
            format!("{status}\n{}", String::from_utf8_lossy(&said).trim())
        }
        Err(error) => error.to_string(),
    };
    tried.push_str(&format!("  {command:?}: {ending}\n"));
    false
}
