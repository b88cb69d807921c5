//! A rsyslog of one's own: UDP, TCP and TLS on loopback, everything it takes in a file.
//!
//! The machine's own, or else the one of Debian's packages.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::debian::{self, Root};
use super::testbed;

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
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let server = CertificateParams::new(names).unwrap().signed_by(&key, &authority).unwrap();
    for (name, text) in
        [("ca.pem", authority.pem()), ("cert.pem", server.pem()), ("cert.key", key.serialize_pem())]
    {
        fs::write(folder.join(name), text).unwrap();
    }
}

/// The machine's own rsyslog if it can do TLS, else Debian's.
fn rsyslogd() -> Command {
    let module = format!("usr/lib/{}/rsyslog/lmnsd_ossl.so", debian::triplet());
    if Path::new("/").join(&module).exists() {
        return Command::new("/usr/sbin/rsyslogd");
    }
    let root = Root::of("rsyslog", &["rsyslog", "rsyslog-openssl"]);
    let mut command = root.command("usr/sbin/rsyslogd");
    command.arg("-M").arg(root.join(&module).parent().unwrap());
    command
}
