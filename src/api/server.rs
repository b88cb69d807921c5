//! Accepts connections and lets none of them hold the agent up.
//!
//! Not `axum::serve`, because that waits for a request's head for as long as a client likes: some
//! thousand idle connections would keep everybody else out.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::{Face, routes};

/// The longest that a client may take for the head of a request.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// Connections held at once; more wait to be accepted.
const CONNECTIONS: usize = 2_048;
/// After an error of the machine (too many open files), before the next try.
const PAUSE: Duration = Duration::from_millis(200);
/// What is under way at the end may take this long.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

/// Serves until `cancel`, and then what is under way.
pub async fn serve(
    listener: TcpListener,
    face: Face,
    cancel: CancellationToken,
) -> std::io::Result<()> {
    let app = routes(face);
    let connections = Arc::new(Semaphore::new(CONNECTIONS));
    let graceful = GracefulShutdown::new();
    let mut http = Builder::new(TokioExecutor::new());
    http.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIME);
    http.http2().timer(TokioTimer::new()).max_concurrent_streams(100);
    loop {
        let accepted = async {
            let place = Arc::clone(&connections).acquire_owned().await;
            (place, listener.accept().await)
        };
        let Some((place, accepted)) = cancel.run_until_cancelled(accepted).await else { break };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // A connection that its client gave up already, or no more file descriptors.
                tracing::debug!(%error, "a connection was not accepted");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let service = TowerToHyperService::new(at(&app, peer));
        let connection = http.serve_connection_with_upgrades(io(stream), service);
        let connection = graceful.watch(connection.into_owned());
        tokio::spawn(async move {
            let _place = place;
            // What a client breaks off is its own affair.
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
        });
    }
    let _ = tokio::time::timeout(LAST_ANSWERS, graceful.shutdown()).await;
    Ok(())
}

fn io(stream: TcpStream) -> TokioIo<TcpStream> {
    // Small answers go out at once. If the socket refuses, they go out a little later.
    let _ = stream.set_nodelay(true);
    TokioIo::new(stream)
}

/// The routes, told who is at the other end.
fn at(app: &Router, peer: SocketAddr) -> Router {
    app.clone().layer(axum::Extension(ConnectInfo(peer)))
}
