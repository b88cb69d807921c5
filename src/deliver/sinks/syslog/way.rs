//! How messages get to a receiver: datagrams, or a stream that is closed after each batch.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, crypto};
use rustls_platform_verifier::BuilderVerifierExt as _;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::{DeliveryError, Fault, SyslogConfig};
use crate::deliver::guard::Transport as Privacy;
use crate::deliver::host::Host;
use crate::deliver::http::tls_fault;

/// For a connection, for what is written, and for the receiver to close.
const PATIENCE: Duration = Duration::from_secs(10);

/// How messages get there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    #[default]
    Tls,
    Tcp,
    Udp,
}

pub(super) struct Way {
    host: Host,
    transport: Transport,
    /// Only for TLS.
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Way {
    pub(super) fn new(config: &SyslogConfig) -> Result<Self, Fault> {
        let (privacy, tls) = match config.transport {
            Transport::Tls => (Privacy::Tls, Some(tls(&config.address.host)?)),
            Transport::Tcp | Transport::Udp => (Privacy::Plain, None),
        };
        let place = (config.address.host.as_str(), config.address.port);
        let host = Host::new(place, &config.allow_cidrs, privacy)?;
        Ok(Self { host, transport: config.transport, tls })
    }

    /// Hands messages over, in order.
    pub(super) async fn send(&self, messages: &[String]) -> Result<(), DeliveryError> {
        if self.transport == Transport::Udp {
            return self.send_datagrams(messages).await;
        }
        let framed = |message: &String| format!("{} {message}", message.len());
        self.send_stream(messages.iter().map(framed).collect::<String>().as_bytes()).await
    }

    fn broken(&self, error: &io::Error) -> DeliveryError {
        self.host.failed(&tls_fault(error).unwrap_or_else(|| error.kind().to_string()))
    }

    async fn send_stream(&self, frames: &[u8]) -> Result<(), DeliveryError> {
        let late = |_| self.host.failed("no connection in time");
        let addresses = self.host.addresses().await?;
        let connected = timeout(PATIENCE, TcpStream::connect(&*addresses)).await.map_err(late)?;
        let stream = connected.map_err(|error| self.broken(&error))?;
        match &self.tls {
            None => self.hand_over(stream, frames).await,
            Some((connector, name)) => {
                let shaken = timeout(PATIENCE, connector.connect(name.clone(), stream)).await;
                let stream = shaken.map_err(late)?.map_err(|error| self.broken(&error))?;
                self.hand_over(stream, frames).await
            }
        }
    }

    /// Writes everything, closes our side, and waits until the receiver has read it and closes its.
    async fn hand_over(
        &self,
        mut stream: impl AsyncRead + AsyncWrite + Unpin + Send,
        frames: &[u8],
    ) -> Result<(), DeliveryError> {
        let written = timeout(PATIENCE, async {
            stream.write_all(frames).await?;
            stream.flush().await?;
            stream.shutdown().await
        });
        let late = |_| self.host.failed("the receiver does not read");
        written.await.map_err(late)?.map_err(|error| self.broken(&error))?;
        let closed = timeout(PATIENCE, async {
            let mut rest = [0; 512];
            loop {
                match stream.read(&mut rest).await {
                    Ok(0) => return Ok(()),
                    Ok(_) => {}
                    // Many receivers close a connection without TLS's word for it.
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
                    Err(error) => return Err(error),
                }
            }
        });
        let late =
            |_| self.host.failed("the receiver did not close, so nobody knows that it has read");
        closed.await.map_err(late)?.map_err(|error| self.broken(&error))
    }

    async fn send_datagrams(&self, messages: &[String]) -> Result<(), DeliveryError> {
        let addresses = self.host.addresses().await?;
        let Some(address) = addresses.first() else { return Err(self.host.failed("no address")) };
        let any: SocketAddr =
            if address.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0_u16; 8], 0).into() };
        let broken = |error| self.broken(&error);
        let socket = UdpSocket::bind(any).await.map_err(broken)?;
        socket.connect(address).await.map_err(broken)?;
        for message in messages {
            socket.send(message.as_bytes()).await.map_err(broken)?;
        }
        Ok(())
    }
}

fn tls(host: &str) -> Result<(TlsConnector, ServerName<'static>), Fault> {
    let fault = |reason: String| Fault::Client { reason };
    let provider = Arc::new(crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_platform_verifier())
        .map_err(|error| fault(error.to_string()))?
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| fault("the host is neither a name nor an address".to_owned()))?;
    Ok((TlsConnector::from(Arc::new(config)), name))
}
