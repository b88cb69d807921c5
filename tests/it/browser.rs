//! The page in a real browser: the binary on a simulated organisation, and Chromium, which walks
//! through it by `tests/it/browser/walk.mjs`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use headcount_simulator::{AMBIENT_KEY, Holder, NOT_A_SECRET, Organization, Setup, Simulator};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::support::agent::Agent;
use crate::support::debian::Root;
use crate::support::moto::Key;
use crate::support::npm;
use crate::support::running::Running;

/// A name that a page must not believe.
const HOSTILE: &str = "<img src onerror=alert(1)>";

/// What the walk needs from npm, pinned.
const MODULES: [&str; 2] = ["playwright-core@1.60.0", "axe-core@4.14.1"];

/// Half a year ago somebody made a key that nobody used since; and a user with a name that a page
/// must not believe.
async fn organization() -> Simulator {
    let began = Timestamp::now() - SignedDuration::from_hours(180 * 24);
    let mut organization = Organization::set_up(Setup { start: began, ..Setup::new(7) });
    let account = organization.management().to_owned();
    organization.create_user(&account, "nightly-export").unwrap();
    organization.tag(&account, Holder::User("nightly-export"), "Owner", "team-data").unwrap();
    let key = organization.create_access_key(&account, "nightly-export").unwrap();
    organization.use_access_key(&key, "s3", "us-east-1").unwrap();
    organization.create_user(&account, HOSTILE).unwrap();
    organization.create_access_key(&account, HOSTILE).unwrap();
    let script = "<script>alert(1)</script>";
    organization.tag(&account, Holder::User(HOSTILE), "note", script).unwrap();
    organization.clock().advance(SignedDuration::from_hours(180 * 24));
    Simulator::start(organization).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_walked_in_a_real_browser() {
    let chromium = chromium();
    let modules = npm::modules("page", &MODULES);
    let simulator = organization().await;
    let (id, secret) = (AMBIENT_KEY.to_owned(), NOT_A_SECRET.to_owned());
    let agent = Agent::new(&simulator.url(), None).with_key(Key { id, secret, token: None });
    let mut running = Running::start(&agent);
    let said = running.log("headcount is running").await;
    let base = format!("http://{}", said["listen"].as_str().unwrap());
    running.log("scan finished").await;

    let pictures = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pages");
    std::fs::create_dir_all(&pictures).unwrap();
    let told = json!({
        "base": base,
        "chromium": chromium.program,
        "environment": chromium.environment,
        "operator": token(&agent, "ana", "operator").await,
        "hostile": HOSTILE,
        "viewer": token(&agent, "vic", "viewer").await,
        "modules": modules,
        "pictures": pictures,
    });
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/browser/walk.mjs");
    let walk = tokio::task::spawn_blocking(move || {
        Command::new("node")
            .arg(script)
            .arg(told.to_string())
            .stdin(Stdio::null())
            .output()
            .expect("the test of the page needs node (Debian: apt-get install nodejs)")
    });
    let walk = walk.await.unwrap();
    let (said, wrong) =
        (String::from_utf8_lossy(&walk.stdout), String::from_utf8_lossy(&walk.stderr));
    assert!(walk.status.success(), "{said}\n{wrong}");
    assert_eq!(said.lines().filter(|line| line.starts_with("ok: ")).count(), 8, "{said}");
}

/// A browser, and what has to stand in its environment.
struct Chromium {
    program: PathBuf,
    environment: BTreeMap<&'static str, String>,
}

/// The machine's own Chromium, else Debian's.
fn chromium() -> Chromium {
    let installed = PathBuf::from("/usr/bin/chromium");
    if installed.exists() {
        return Chromium { program: installed, environment: BTreeMap::new() };
    }
    let root = Root::of("chromium", &["chromium", "fonts-dejavu-core"]);
    let fonts = root.join("fonts.conf");
    let folder = root.join("usr/share/fonts");
    let config = format!("<fontconfig><dir>{}</dir></fontconfig>", folder.display());
    std::fs::write(&fonts, config).unwrap();
    Chromium {
        program: root.join("usr/lib/chromium/chromium"),
        environment: BTreeMap::from([
            ("LD_LIBRARY_PATH", root.libraries()),
            ("FONTCONFIG_FILE", fonts.to_str().unwrap().to_owned()),
        ]),
    }
}

/// A new token, as an operator of the agent makes one.
async fn token(agent: &Agent, name: &str, role: &str) -> String {
    let arguments = ["tokens", "create", name, "--role", role];
    let made = agent.run(&arguments).await.ending(0);
    let found = made.stdout.split_whitespace().find(|word| word.starts_with("hct_"));
    found.unwrap_or_else(|| panic!("no token in {}", made.stdout)).to_owned()
}
