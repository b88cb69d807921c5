//! Which addresses a sink may reach.
//!
//! Whoever can name a sink's URL, or a name server on the way, could otherwise point the agent at
//! services that trust the machine it runs on. So every address is judged at the moment of
//! connecting, inside the resolver that the HTTP client uses, or where a socket is opened: a check
//! before that could be answered differently from the connection.
//!
//! Sinks come from the operator's own configuration and often stand in private networks, which
//! are allowed. Loopback has to be named in `allow_cidrs`. What no sink can be (metadata
//! services, link-local, multicast) cannot be allowed at all. Without TLS, only addresses in
//! `allow_cidrs` are reached.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A network in CIDR notation, or a single address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Cidr(IpNet);

#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no network: write an address or CIDR notation such as 127.0.0.0/8")]
pub struct CidrError(String);

impl FromStr for Cidr {
    type Err = CidrError;

    fn from_str(text: &str) -> Result<Self, CidrError> {
        let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        network.map(Self).map_err(|_| CidrError(text.to_owned()))
    }
}

impl TryFrom<String> for Cidr {
    type Error = CidrError;

    fn try_from(text: String) -> Result<Self, CidrError> {
        text.parse()
    }
}

impl From<Cidr> for String {
    fn from(cidr: Cidr) -> Self {
        cidr.0.to_string()
    }
}

/// Whether the connection proves who answers and hides what is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    Tls,
    Plain,
}

/// Why an address is not reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("{0} is never a sink")]
    Never(&'static str),
    #[error("a loopback address has to be named in allow_cidrs")]
    Loopback,
    #[error("without TLS the address has to be named in allow_cidrs")]
    Plain,
}

/// A host that has no address a sink may reach.
#[derive(Debug, thiserror::Error)]
#[error("{host} is refused: {refusal}")]
pub struct Refused {
    pub host: String,
    pub refusal: Refusal,
}

/// Judges addresses for one sink; also the resolver of its HTTP client.
#[derive(Clone, Debug)]
pub struct Guard {
    allowed: Arc<[Cidr]>,
    transport: Transport,
}

impl Guard {
    #[must_use]
    pub fn new(allowed: &[Cidr], transport: Transport) -> Self {
        Self { allowed: allowed.into(), transport }
    }

    /// Whether a connection to this address may be made.
    pub fn check(&self, address: IpAddr) -> Result<(), Refusal> {
        let address = canonical(address);
        if let Some(name) = never(address) {
            return Err(Refusal::Never(name));
        }
        if self.allowed.iter().any(|cidr| cidr.0.contains(&address)) {
            Ok(())
        } else if address.is_loopback() {
            Err(Refusal::Loopback)
        } else if self.transport == Transport::Plain {
            Err(Refusal::Plain)
        } else {
            Ok(())
        }
    }

    /// Keeps the addresses that may be reached, if there is one.
    fn admit(
        &self,
        host: &str,
        found: impl Iterator<Item = SocketAddr>,
    ) -> Result<Vec<SocketAddr>, Unresolved> {
        let mut admitted = Vec::new();
        let mut refused = None;
        for address in found {
            match self.check(address.ip()) {
                Ok(()) => admitted.push(address),
                Err(refusal) => refused = Some(refusal),
            }
        }
        match refused {
            Some(refusal) if admitted.is_empty() => {
                Err(Unresolved::Refused(Refused { host: host.to_owned(), refusal }))
            }
            _ if admitted.is_empty() => Err(Unresolved::NoAddress),
            _ => Ok(admitted),
        }
    }
}

/// Why a name led to no connection.
#[derive(Debug, thiserror::Error)]
pub enum Unresolved {
    #[error(transparent)]
    Refused(Refused),
    #[error("the name has no address")]
    NoAddress,
}

impl Guard {
    /// Where a host may be reached; a literal address is judged like any other.
    pub async fn look_up(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Unresolved> {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let found = tokio::net::lookup_host((host, port)).await;
        self.admit(host, found.map_err(|_| Unresolved::NoAddress)?)
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            // The port is the URL's; the client puts it in.
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let admitted = guard.admit(name.as_str(), found)?;
            Ok(Box::new(admitted.into_iter()) as Addrs)
        })
    }
}

/// The address that is reached in the end: IPv4 inside IPv6 is judged as IPv4.
fn canonical(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    if v6.is_loopback() || v6.is_unspecified() {
        return address;
    }
    embedded(v6).map_or(address, IpAddr::V4)
}

/// The IPv4 address that a gateway or the system takes out of an IPv6 address: mapped (RFC 4291),
/// NAT64 (RFC 6052), 6to4 (RFC 3056), and the old compatible form.
fn embedded(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let tail = |v6: Ipv6Addr| {
        let [.., a, b, c, d] = v6.octets();
        Ipv4Addr::new(a, b, c, d)
    };
    match v6.segments() {
        [0, 0, 0, 0, 0, 0 | 0xffff, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => Some(tail(v6)),
        [0x2002, ..] => {
            let [_, _, a, b, c, d, ..] = v6.octets();
            Some(Ipv4Addr::new(a, b, c, d))
        }
        _ => None,
    }
}

/// What an address is called if no webhook can ever be there.
fn never(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(v4) => never_v4(v4),
        IpAddr::V6(v6) => never_v6(v6),
    }
}

fn never_v4(v4: Ipv4Addr) -> Option<&'static str> {
    match v4.octets() {
        // AWS, Google Cloud, Azure and others answer at 169.254.169.254.
        [169, 254, ..] => Some("a link-local or metadata address"),
        // Alibaba Cloud; Azure's WireServer.
        [100, 100, 100, 200] | [168, 63, 129, 16] => Some("a metadata address"),
        [0, ..] => Some("an unspecified address"),
        [224..=239, ..] => Some("a multicast address"),
        [240..=255, ..] => Some("a broadcast or reserved address"),
        _ => None,
    }
}

fn never_v6(v6: Ipv6Addr) -> Option<&'static str> {
    match v6.segments() {
        [0xfe80..=0xfebf, ..] => Some("a link-local address"),
        // AWS (instances, EKS pods); Google Cloud.
        [0xfd00, 0xec2, ..] | [0xfd20, 0xce, ..] => Some("a metadata address"),
        [0, 0, 0, 0, 0, 0, 0, 0] => Some("an unspecified address"),
        [0xff00..=0xffff, ..] => Some("a multicast address"),
        _ => None,
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    fn guard(allowed: &[&str], transport: Transport) -> Guard {
        let allowed: Vec<Cidr> = allowed.iter().map(|text| text.parse().unwrap()).collect();
        Guard::new(&allowed, transport)
    }

    fn verdict(guard: &Guard, address: &str) -> &'static str {
        match guard.check(address.parse().unwrap()) {
            Ok(()) => "reached",
            Err(Refusal::Never(_)) => "never",
            Err(Refusal::Loopback) => "loopback",
            Err(Refusal::Plain) => "plain",
        }
    }

    #[test]
    fn addresses_are_judged_by_where_they_lead() {
        let closed = guard(&[], Transport::Tls);
        let open = guard(&["0.0.0.0/0", "::/0"], Transport::Tls);
        let table = [
            ("93.184.215.14", "reached", "reached"),
            ("10.1.2.3", "reached", "reached"),
            ("192.168.0.1", "reached", "reached"),
            ("2606:2800::1", "reached", "reached"),
            ("fd12:3456::1", "reached", "reached"),
            ("127.0.0.1", "loopback", "reached"),
            ("127.255.0.9", "loopback", "reached"),
            ("::1", "loopback", "reached"),
            ("::ffff:127.0.0.1", "loopback", "reached"),
            ("::127.0.0.1", "loopback", "reached"),
            ("64:ff9b::127.0.0.1", "loopback", "reached"),
            ("2002:7f00:1::1", "loopback", "reached"),
            ("169.254.169.254", "never", "never"),
            ("::ffff:169.254.169.254", "never", "never"),
            ("64:ff9b::169.254.169.254", "never", "never"),
            ("2002:a9fe:a9fe::", "never", "never"),
            ("169.254.0.1", "never", "never"),
            ("100.100.100.200", "never", "never"),
            ("fd00:ec2::254", "never", "never"),
            ("fe80::1", "never", "never"),
            ("0.0.0.0", "never", "never"),
            ("::", "never", "never"),
            ("224.0.0.1", "never", "never"),
            ("255.255.255.255", "never", "never"),
            ("ff02::1", "never", "never"),
        ];
        for (address, by_default, when_allowed) in table {
            assert_eq!(verdict(&closed, address), by_default, "{address}");
            assert_eq!(verdict(&open, address), when_allowed, "{address} in allow_cidrs");
        }
    }

    #[test]
    fn plain_text_reaches_only_what_is_allowed() {
        let guard = guard(&["10.0.0.0/8", "127.0.0.1"], Transport::Plain);
        assert_eq!(verdict(&guard, "10.9.9.9"), "reached");
        assert_eq!(verdict(&guard, "127.0.0.1"), "reached");
        assert_eq!(verdict(&guard, "127.0.0.2"), "loopback");
        assert_eq!(verdict(&guard, "93.184.215.14"), "plain");
    }

    #[test]
    fn a_name_is_refused_only_when_no_address_is_left() {
        let guard = guard(&[], Transport::Tls);
        let sockets = |texts: &[&str]| -> Vec<SocketAddr> {
            texts.iter().map(|t| SocketAddr::new(t.parse().unwrap(), 0)).collect()
        };
        let admit = |texts: &[&str]| guard.admit("hook.test", sockets(texts).into_iter());
        assert_eq!(admit(&["::1", "10.0.0.1"]).unwrap(), sockets(&["10.0.0.1"]));
        let refused = admit(&["::1", "127.0.0.1"]).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "hook.test is refused: a loopback address has to be named in allow_cidrs"
        );
        assert!(matches!(admit(&[]), Err(Unresolved::NoAddress)));
    }

    #[test]
    fn networks_are_read_with_and_without_a_length() {
        assert_eq!("127.0.0.1".parse::<Cidr>().unwrap().to_string(), "127.0.0.1/32");
        assert_eq!("fd00::/8".parse::<Cidr>().unwrap().to_string(), "fd00::/8");
        assert!("localhost".parse::<Cidr>().is_err());
    }
}
