//! Takes messages over TCP: reads to the end, then closes, which is all the acknowledgement there is.

use std::sync::{Arc, Mutex};

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A running receiver; it ends when this is dropped.
pub struct Syslog {
    port: u16,
    received: Arc<Mutex<Vec<u8>>>,
    server: JoinHandle<()>,
}

impl Syslog {
    pub async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let received = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&received);
        let server = tokio::spawn(async move {
            // A sink has one connection at a time.
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut bytes = Vec::new();
                stream.read_to_end(&mut bytes).await.unwrap();
                log.lock().unwrap().extend(bytes);
            }
        });
        Self { port, received, server }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// What has come since the last call.
    pub fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.received.lock().unwrap())
    }
}

impl Drop for Syslog {
    fn drop(&mut self) {
        self.server.abort();
    }
}
