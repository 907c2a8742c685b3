//! Free ports on loopback for servers that must know their port before they start.
//!
//! What belongs here: choosing a port. What never does: servers that can bind port 0 and tell
//! (the service and the simulator); those need none of this and have no race.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::StackError;

/// Below the range from which systems take the ports of outgoing connections (Linux 32768 and
/// up, macOS 49152 and up): a port here isn't lost to a client while its server restarts.
const FIRST: u16 = 20_000;
/// Another process may take a port between our look and the server's start.
const STARTS_MAX: u32 = 5;
/// Number of ports to choose from.
const COUNT: u16 = 10_000;

/// A port of 127.0.0.1 that nobody listens on, and that this process was not given
/// before (until all have been given once).
///
/// Another process may still take it before the caller does; who starts a server with it tries
/// again with the next.
pub fn free_port() -> Result<u16, StackError> {
    // A random start keeps processes that run side by side apart.
    static NEXT: OnceLock<AtomicU32> = OnceLock::new();
    let next = NEXT.get_or_init(|| AtomicU32::new(u32::from(rand::random::<u16>())));
    (0..COUNT)
        .map(|_| next.fetch_add(1, Ordering::Relaxed) % u32::from(COUNT))
        .map(|offset| FIRST + u16::try_from(offset).expect("a remainder of COUNT, which is a u16"))
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .ok_or_else(|| StackError::Missing {
            what: format!("no free port between {FIRST} and {} on 127.0.0.1", FIRST + (COUNT - 1)),
            remedy: "end some of the servers that listen there".to_owned(),
        })
}

/// Starts a server that must know its port beforehand; with the next port where it ended instead,
/// as most likely somebody else took that one.
pub async fn on_a_free_port<T>(
    start: impl AsyncFn(SocketAddr) -> Result<T, StackError>,
) -> Result<(SocketAddr, T), StackError> {
    let mut tries = 1;
    loop {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        match start(address).await {
            Ok(server) => return Ok((address, server)),
            Err(StackError::Failed { .. }) if tries < STARTS_MAX => tries += 1,
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn ports_differ_and_lie_below_the_ephemeral_range() {
        let first = free_port().unwrap();
        let second = free_port().unwrap();
        assert_ne!(first, second);
        assert!((20_000..30_000).contains(&first));
    }

    #[test]
    fn a_port_in_use_is_not_handed_out() {
        let port = free_port().unwrap();
        let _held = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        assert!((0..50).all(|_| free_port().unwrap() != port));
    }
}
