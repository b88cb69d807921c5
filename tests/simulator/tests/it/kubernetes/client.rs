//! The official client pointed at a cluster.

use std::pin::pin;
use std::time::Duration;

use futures::{Stream, StreamExt};
use headcount_simulator::kubernetes::{Cluster, ClusterServer};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::watcher::{self, Event};
use kube::{Client, Config, ResourceExt};

pub async fn started(cluster: Cluster) -> (ClusterServer, Client) {
    let server = ClusterServer::start(cluster).await.unwrap();
    let client = client(&server).await;
    (server, client)
}

/// A client by the server's own kubeconfig, which tries nothing again.
pub async fn client(server: &ClusterServer) -> Client {
    let file = Kubeconfig::from_yaml(&server.kubeconfig()).unwrap();
    let options = KubeConfigOptions::default();
    let mut config = Config::from_custom_kubeconfig(file, &options).await.unwrap();
    config.default_retry = false;
    Client::try_from(config).unwrap()
}

/// The `Status` of a failure: code and reason.
pub fn status<T: std::fmt::Debug>(outcome: Result<T, kube::Error>) -> (u16, String) {
    match outcome.unwrap_err() {
        kube::Error::Api(status) => (status.code, status.reason.clone()),
        other => panic!("no status: {other}"),
    }
}

/// A plain GET of the client's own.
pub fn http(path: &str, accept: &str) -> axum::http::Request<Vec<u8>> {
    axum::http::Request::get(path).header("accept", accept).body(Vec::new()).unwrap()
}

/// Keeps a watcher going while `until` comes about. It must have nothing to tell meanwhile.
pub async fn driven<K: ResourceExt>(
    stream: &mut (impl Stream<Item = Result<Event<K>, watcher::Error>> + Unpin),
    until: impl Future,
) {
    tokio::select! {
        seen = next(stream, 1) => panic!("{seen} came uncalled for"),
        _ = until => {}
    }
}

/// The next `count` events, in words: `init`, `+name` while it begins, `done`, `=name`, `-name`,
/// `! 410`.
pub async fn next<K: ResourceExt>(
    stream: &mut (impl Stream<Item = Result<Event<K>, watcher::Error>> + Unpin),
    count: usize,
) -> String {
    let mut words = Vec::new();
    for _ in 0..count {
        let next = tokio::time::timeout(Duration::from_secs(20), pin!(stream.next())).await;
        let event = next.unwrap_or_else(|_| panic!("nothing after {words:?}")).unwrap();
        words.push(match event {
            Ok(Event::Init) => "init".to_owned(),
            Ok(Event::InitApply(one)) => format!("+{}", one.name_any()),
            Ok(Event::InitDone) => "done".to_owned(),
            Ok(Event::Apply(one)) => format!("={}", one.name_any()),
            Ok(Event::Delete(one)) => format!("-{}", one.name_any()),
            Err(error) => format!("! {}", of(&error)),
        });
    }
    words.join(" ")
}

fn of(error: &watcher::Error) -> String {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status)) => {
            format!("list {}", status.code)
        }
        watcher::Error::WatchStartFailed(kube::Error::Api(status)) => {
            format!("start {}", status.code)
        }
        watcher::Error::WatchError(status) => format!("event {}", status.code),
        watcher::Error::WatchFailed(_) => "failed".to_owned(),
        watcher::Error::InitialListFailed(_) => "list failed".to_owned(),
        watcher::Error::WatchStartFailed(_) => "start failed".to_owned(),
        watcher::Error::NoResourceVersion => "no version".to_owned(),
    }
}
