//! A rsyslog of one's own: UDP, TCP and TLS on loopback, everything it takes in a file.
//!
//! The machine's own, or else Debian's packages, unpacked below the build directory: nothing is
//! installed, and nobody has to be root.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::testbed;

const PACKAGES: [&str; 5] =
    ["rsyslog", "rsyslog-openssl", "libestr0", "libfastjson4", "liblognorm5"];
const PATIENCE: Duration = Duration::from_secs(60);

/// A server that ends when this is dropped.
pub struct Rsyslog {
    folder: tempfile::TempDir,
    server: Child,
    pub udp: u16,
    pub tcp: u16,
    pub tls: u16,
}

impl Rsyslog {
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (path, udp) = (folder.path(), testbed::free_port());
        certify(path);
        let config =
            CONFIG.replace("FOLDER", path.to_str().unwrap()).replace("UDP", &udp.to_string());
        fs::write(path.join("rsyslog.conf"), config).unwrap();
        let server = rsyslogd()
            .arg("-n")
            .arg("-f")
            .arg(path.join("rsyslog.conf"))
            .arg("-i")
            .arg(path.join("pid"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(path.join("log")).unwrap())
            .spawn()
            .unwrap();
        let mut rsyslog = Self { folder, server, udp, tcp: 0, tls: 0 };
        rsyslog.tcp = rsyslog.port("tcp").await;
        rsyslog.tls = rsyslog.port("tls").await;
        rsyslog
    }

    /// What the server's certificate is signed with.
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// The first so many messages, as rsyslog has understood them.
    pub async fn messages(&self, count: usize) -> Vec<Value> {
        let file = self.folder.path().join("out");
        self.until(|| {
            let text = fs::read_to_string(&file).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            let whole = lines.len() >= count && text.ends_with('\n');
            whole.then(|| lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect())
        })
        .await
    }

    async fn port(&self, name: &str) -> u16 {
        let file = self.folder.path().join(name);
        self.until(|| fs::read_to_string(&file).ok()?.trim().parse().ok()).await
    }

    /// rsyslog tells nobody when it is ready or when it has written, so its files are looked at.
    async fn until<T>(&self, found: impl Fn() -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = found() {
                return found;
            }
            let log = || fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "rsyslog did not do it. It said:\n{}", log());
            sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Rsyslog {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

const CONFIG: &str = r#"
global(workDirectory="FOLDER" maxMessageSize="64k"
    defaultNetstreamDriverCAFile="FOLDER/ca.pem"
    defaultNetstreamDriverCertFile="FOLDER/cert.pem"
    defaultNetstreamDriverKeyFile="FOLDER/cert.key")
module(load="imtcp")
module(load="imudp")
template(name="line" type="list" option.jsonf="on") {
    property(outname="pri" name="pri" format="jsonf")
    property(outname="time" name="timereported" dateFormat="rfc3339" format="jsonf")
    property(outname="host" name="hostname" format="jsonf")
    property(outname="app" name="app-name" format="jsonf")
    property(outname="msgid" name="msgid" format="jsonf")
    property(outname="data" name="structured-data" format="jsonf")
    property(outname="msg" name="msg" format="jsonf")
    property(outname="by" name="inputname" format="jsonf")
}
input(type="imudp" address="127.0.0.1" port="UDP" name="udp")
input(type="imtcp" address="127.0.0.1" port="0" listenPortFileName="FOLDER/tcp" name="tcp")
input(type="imtcp" address="127.0.0.1" port="0" listenPortFileName="FOLDER/tls" name="tls"
    streamDriver.name="ossl" streamDriver.mode="1" streamDriver.authMode="anon")
action(type="omfile" file="FOLDER/out" template="line" flushOnTXEnd="on")
"#;

/// An authority and its certificate for `localhost`, made now: none stands in the repository.
fn certify(folder: &Path) {
    let of_localhost = [
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca.key",
        "-addext",
        "basicConstraints=critical,CA:FALSE",
        "-addext",
        "subjectAltName=DNS:localhost,IP:127.0.0.1",
    ];
    for (name, more) in [("ca", &[][..]), ("cert", &of_localhost[..])] {
        let mut tried = String::new();
        let mut openssl = Command::new("openssl");
        openssl
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
            .args(["-nodes", "-days", "2", "-subj", "/CN=localhost"])
            .args(["-keyout", &format!("{name}.key"), "-out", &format!("{name}.pem")])
            .args(more)
            .current_dir(folder);
        let made = testbed::attempt(&mut openssl, &mut tried);
        assert!(made, "the test makes a certificate with `openssl` (3). Tried:\n{tried}");
    }
}

/// The machine's own rsyslog if it can do TLS, else the one that is unpacked.
fn rsyslogd() -> Command {
    if libraries(Path::new("/")).is_some() {
        return Command::new("/usr/sbin/rsyslogd");
    }
    let root = unpacked();
    let libraries = libraries(&root).unwrap();
    let mut command = Command::new(root.join("usr/sbin/rsyslogd"));
    command.env("LD_LIBRARY_PATH", &libraries).arg("-M").arg(libraries.join("rsyslog"));
    command
}

/// Where the libraries are, if rsyslog's module for TLS is among them.
fn libraries(root: &Path) -> Option<PathBuf> {
    let folders = fs::read_dir(root.join("usr/lib")).ok()?;
    let mut folders = folders.filter_map(|entry| Some(entry.ok()?.path()));
    folders.find(|folder| folder.join("rsyslog/lmnsd_ossl.so").exists())
}

fn unpacked() -> PathBuf {
    let beds = testbed::beds();
    let bed = beds.join("rsyslog");
    // Tests run in parallel, in one process and in several: one of them unpacks.
    let lock = File::create(beds.join("rsyslog.lock")).unwrap();
    lock.lock().unwrap();
    let (root, ready) = (bed.join("root"), bed.join("installed.txt"));
    if ready.exists() {
        return root;
    }
    if bed.exists() {
        fs::remove_dir_all(&bed).unwrap();
    }
    fs::create_dir_all(&bed).unwrap();
    let mut tried = String::new();
    let mut fetch = Command::new("apt-get");
    let mut fetched =
        testbed::attempt(fetch.arg("download").args(PACKAGES).current_dir(&bed), &mut tried);
    for package in fs::read_dir(&bed).unwrap().map(|entry| entry.unwrap().path()) {
        if package.extension().is_some_and(|extension| extension == "deb") {
            let mut unpack = Command::new("dpkg-deb");
            fetched &= testbed::attempt(unpack.arg("-x").arg(&package).arg(&root), &mut tried);
        }
    }
    assert!(
        fetched && root.join("usr/sbin/rsyslogd").exists(),
        "the test needs rsyslog with TLS: install `rsyslog` and `rsyslog-openssl`, or let \
         `apt-get download` reach Debian's packages (nothing is installed).\n\nTried:\n{tried}"
    );
    fs::write(&ready, "").unwrap();
    root
}
