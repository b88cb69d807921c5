//! What the container image holds, without a container engine: `deploy/image-root`, which the
//! Dockerfile runs too, makes the root of the image, and the program is run in it as the image's
//! user, with the root mounted read-only.
//!
//! The program is the one under test, which links what a release build links and saves a second
//! build of everything; `HEADCOUNT_RELEASE_BINARY` names a release build to take instead.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use headcount_simulator::{Organization, Simulator, Size};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use super::chart::root;
use crate::support::running::{get, terminate};
use crate::support::tools::{self, CHECKOV, SBOM};

/// The user of the image.
const USER: &str = "65532";

/// How long an orchestrator waits after SIGTERM; the agent promises 10 s.
const GRACE: Duration = Duration::from_secs(10);

fn program() -> PathBuf {
    std::env::var_os("HEADCOUNT_RELEASE_BINARY")
        .map_or_else(|| env!("CARGO_BIN_EXE_headcount").into(), PathBuf::from)
}

/// The root of the image in a folder that everybody may enter.
fn image() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let mut make = Command::new(root().join("deploy/image-root"));
    tools::output(make.arg(program()).arg(folder.path()));
    folder
}

/// Paths of a folder's files, from its root on.
fn files(root: &Path) -> BTreeSet<String> {
    let mut files = BTreeSet::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.insert(format!("/{}", path.strip_prefix(root).unwrap().display()));
            }
        }
    }
    files
}

#[test]
fn the_image_holds_the_program_its_libraries_and_a_handful_of_files() {
    let image = image();
    let files = files(image.path());
    for needed in ["/usr/bin/headcount", "/etc/ssl/certs/ca-certificates.crt", "/etc/nsswitch.conf"]
    {
        assert!(files.contains(needed), "{needed} is missing: {files:?}");
    }
    let programs: Vec<&String> = files.iter().filter(|path| path.contains("bin/")).collect();
    assert_eq!(programs, ["/usr/bin/headcount"], "no shell, no package manager");
    let libraries = files.iter().filter(|path| path.contains(".so")).count();
    assert!((3..=6).contains(&libraries), "{files:?}");

    // Nothing in it can be changed by the image's user, but for its two folders.
    let writable = ["/var/lib/headcount", "/tmp"];
    for path in files.iter().chain(&writable.map(str::to_owned)) {
        let mode = fs::metadata(image.path().join(&path[1..])).unwrap().permissions().mode();
        let is_free = mode & 0o022 != 0;
        assert!(!is_free || path == "/tmp", "{path} has mode {mode:o}");
    }
}

#[test]
fn the_dockerfile_ships_that_root_and_nothing_else() {
    let dockerfile = fs::read_to_string(root().join("deploy/Dockerfile")).unwrap();
    let last = dockerfile.rsplit("\nFROM ").next().unwrap();
    assert!(last.starts_with("scratch\n"), "{last}");
    let copied: Vec<&str> = last.lines().filter(|line| line.starts_with("COPY")).collect();
    assert_eq!(copied, ["COPY --from=build /root-of-image /"]);
    assert!(!last.contains("\nRUN") && !last.contains("\nADD"), "{last}");
    assert!(last.contains(&format!("\nUSER {USER}:{USER}\n")));
    assert!(dockerfile.contains("\nRUN deploy/image-root /headcount /root-of-image\n"));

    let path = root().join("deploy/Dockerfile");
    let said = tools::output(CHECKOV.python().script("run.py").arg("dockerfile").arg(path));
    let failed: Vec<&str> = said.lines().filter_map(|line| line.split('\t').next()).collect();
    // It asks for a version of `scratch`, which has none.
    assert_eq!(failed, ["CKV_DOCKER_7"], "{said}");
}

/// What the machine lets this process do: mount, change its root and become another user; or all of
/// it but mount, as in a container without further rights; or nothing, without root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rights {
    Mount,
    ChangeRoot,
    None,
}

fn rights() -> Rights {
    let may = |program: &str, arguments: &[&str]| {
        let mut tried = Command::new(program);
        tried.args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
        tried.status().is_ok_and(|status| status.success())
    };
    if !may("chroot", &["--userspec=65532:65532", "/", "/bin/true"]) {
        return Rights::None;
    }
    let mounts = may("unshare", &["--mount", "mount", "--bind", "/tmp", "/tmp"]);
    if mounts { Rights::Mount } else { Rights::ChangeRoot }
}

#[tokio::test]
async fn the_image_starts_scans_and_stops_without_privileges_and_with_a_root_it_cannot_write() {
    let rights = rights();
    if rights == Rights::None {
        eprintln!("skipped: to change the root needs root, as .ci/run has it");
        return;
    }
    let simulator =
        Simulator::start(Organization::seeded(4, Size::account(8, 8, 2))).await.unwrap();
    let image = image();
    let config = json!({
        "data_dir": "/var/lib/headcount/data",
        "server": {"listen": "127.0.0.1:0"},
        "sources": [{"name": "aws", "connector": "aws", "endpoint_url": simulator.url()}],
    });
    fs::write(image.path().join("etc/headcount/headcount.yaml"), config.to_string()).unwrap();

    let (program, arguments) = match rights {
        Rights::Mount => ("unshare", &["--mount", "sh", "-euc", READ_ONLY, "sh"][..]),
        Rights::ChangeRoot | Rights::None => ("sh", &["-euc", AS_IT_IS, "sh"][..]),
    };
    let mut agent = tokio::process::Command::new(program)
        .args(arguments)
        .arg(image.path())
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("HEADCOUNT_CONFIG", "/etc/headcount/headcount.yaml")
        .env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
        .env("AWS_SECRET_ACCESS_KEY", "not-a-secret")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let pid = agent.id().unwrap();
    let mut logs = BufReader::new(agent.stderr.take().unwrap()).lines();
    let mut said = String::new();
    let mut address = None;
    loop {
        let line = logs.next_line().await.unwrap().unwrap_or_else(|| panic!("it ended:\n{said}"));
        said.push_str(&line);
        said.push('\n');
        let entry: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{said}"));
        if entry["message"] == "headcount is running" {
            address = entry["listen"].as_str().map(str::to_owned);
        }
        if entry["message"] == "scan finished" {
            assert_eq!(entry["complete"], true, "{entry}");
            break;
        }
    }
    assert!(get(&address.unwrap(), "/readyz").await.starts_with("HTTP/1.1 200"));

    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let of = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(of("Uid:"), [USER; 4], "{status}");
    assert_eq!(of("CapEff:"), ["0000000000000000"], "{status}");
    if rights == Rights::Mount {
        let mounts = fs::read_to_string(format!("/proc/{pid}/mountinfo")).unwrap();
        let of_root = mounts.lines().find(|line| line.split(' ').nth(4) == Some("/")).unwrap();
        assert!(of_root.split(' ').nth(5).unwrap().starts_with("ro"), "{of_root}");
    }

    terminate(pid);
    let ended = tokio::time::timeout(GRACE, agent.wait()).await.unwrap().unwrap();
    assert_eq!(ended.code(), Some(0));
    let kept = image.path().join("var/lib/headcount/data/headcount.db");
    assert!(fs::metadata(kept).unwrap().len() > 0, "the inventory outlives the process");
}

/// The image's root read-only, the inventory's folder writable, and no privileges. `exec` throughout,
/// so that the agent has the process that was started and hears its signals.
const READ_ONLY: &str = r#"
mount --bind "$1" "$1"
mount --bind "$1/var/lib/headcount" "$1/var/lib/headcount"
mount -o remount,bind,ro "$1"
exec chroot --userspec=65532:65532 "$1" /usr/bin/headcount run
"#;

/// The same without mounts: what holds is that the user owns none of the image's files.
const AS_IT_IS: &str = r#"
exec chroot --userspec=65532:65532 "$1" /usr/bin/headcount run
"#;

#[test]
fn the_bill_of_materials_names_what_is_linked_and_follows_its_schema() {
    let image = image();
    let path = image.path().join("sbom.cdx.json");
    // Validates what it writes against the schema that CycloneDX publishes.
    let mut write = SBOM.python().script("sbom.py");
    tools::output(write.arg("--root").arg(image.path()).arg("--output").arg(&path));
    let bill: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(bill["specVersion"], "1.6");
    assert_eq!(bill["metadata"]["component"]["version"], env!("CARGO_PKG_VERSION"));
    let listed: BTreeSet<String> = bill["components"]
        .as_array()
        .unwrap()
        .iter()
        .map(|component| component["purl"].as_str().unwrap().to_owned())
        .collect();

    let tree = tools::output(
        Command::new("cargo")
            .args(["tree", "--locked", "--package", "headcount", "--edges", "normal"])
            .args(["--prefix", "none"])
            .current_dir(root()),
    );
    let linked: BTreeSet<String> = tree
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with("headcount v"))
        .map(|line| {
            let mut words = line.split(' ');
            let name = words.next().unwrap();
            format!("pkg:cargo/{name}@{}", words.next().unwrap().trim_start_matches('v'))
        })
        .collect();
    let crates: BTreeSet<String> =
        listed.iter().filter(|purl| purl.starts_with("pkg:cargo/")).cloned().collect();
    // A `+` in a version is escaped in a purl.
    let escaped: BTreeSet<String> = linked.iter().map(|purl| purl.replace('+', "%2B")).collect();
    assert_eq!(crates, escaped);
    assert!(!listed.iter().any(|purl| purl.contains("/proptest@")), "only what is linked");

    // On Debian and its kin, the packages that the libraries are from.
    let is_debian = Command::new("dpkg-query").arg("--version").output().is_ok();
    let has_glibc = listed.iter().any(|purl| purl.starts_with("pkg:deb/debian/libc6@"));
    assert_eq!(is_debian, has_glibc, "{listed:?}");
}
