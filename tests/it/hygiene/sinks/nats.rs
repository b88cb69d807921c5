//! As much of a NATS server with JetStream as a sink talks to, which keeps every byte that it is
//! told: the real one (`tests/it/sinks/nats.rs`) does not show what it was told at the login.
//!
//! The protocol: <https://docs.nats.io/reference/reference-protocols/nats-protocol>

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::super::marks::mark;
use super::{Manners, taken};

/// Who logs in; the password is a mark.
pub const USER: &str = "agent";

#[derive(Default)]
struct Log {
    manners: Manners,
    received: Vec<u8>,
}

/// A running server; it ends when this is dropped.
pub struct Nats {
    port: u16,
    log: Arc<Mutex<Log>>,
    server: JoinHandle<()>,
}

impl Nats {
    pub async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let log = Arc::new(Mutex::new(Log::default()));
        let shared = Arc::clone(&log);
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let log = Arc::clone(&shared);
                tokio::spawn(async move {
                    // A client that is gone is no fault of anybody.
                    let _ = talk(stream, &log).await;
                });
            }
        });
        Self { port, log, server }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn manners(&self, manners: Manners) {
        self.log.lock().unwrap().manners = manners;
    }

    /// What has come since the last call, without the password at the login.
    pub fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.log.lock().unwrap().received)
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn talk(stream: TcpStream, log: &Mutex<Log>) -> std::io::Result<()> {
    let (reading, mut writing) = stream.into_split();
    let mut reading = BufReader::new(reading);
    let info = json!({
        "server_id": "EXAMPLE", "server_name": "EXAMPLE", "version": "2.10.0", "proto": 1,
        "go": "go1", "host": "127.0.0.1", "port": 0, "headers": true, "jetstream": true,
        "max_payload": 1 << 20, "auth_required": true,
    });
    writing.write_all(format!("INFO {info}\r\n").as_bytes()).await?;
    // Subjects with the numbers by which messages on them are sent.
    let mut subscribed: Vec<(String, String)> = Vec::new();
    let mut line = String::new();
    while {
        line.clear();
        reading.read_line(&mut line).await?
    } > 0
    {
        let words: Vec<&str> = line.split_whitespace().collect();
        let mut kept = line.clone();
        match words[..] {
            ["CONNECT", ..] => kept = taken(&line, "\"pass\":\"", "own-nats-password"),
            ["PING"] => writing.write_all(b"PONG\r\n").await?,
            ["SUB", subject, .., number] => {
                subscribed.push((subject.trim_end_matches('*').to_owned(), number.to_owned()));
            }
            ["HPUB" | "PUB", _, reply, .., bytes] => {
                let mut message = vec![0; bytes.parse::<usize>().unwrap() + 2];
                reading.read_exact(&mut message).await?;
                kept.push_str(&String::from_utf8_lossy(&message));
                let number = subscribed.iter().find(|(subject, _)| reply.starts_with(subject));
                let manners = log.lock().unwrap().manners;
                if manners == Manners::Rude {
                    let error = format!("-ERR '{}'\r\n", mark("server-error"));
                    writing.write_all(error.as_bytes()).await?;
                }
                let answer = answer(manners).to_string();
                let head = format!("MSG {reply} {} {}", number.unwrap().1, answer.len());
                writing.write_all(format!("{head}\r\n{answer}\r\n").as_bytes()).await?;
            }
            _ => {}
        }
        log.lock().unwrap().received.extend(kept.as_bytes());
    }
    Ok(())
}

/// What a stream says to a message.
fn answer(manners: Manners) -> Value {
    match manners {
        Manners::Kind => json!({"stream": "HEADCOUNT", "seq": 1}),
        Manners::Rude => json!({
            "error": {"code": 500, "err_code": 10_077, "description": mark("stream-error")},
        }),
    }
}
