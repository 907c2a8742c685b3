//! Requests byte by byte, for those that no sane client sends.
//!
//! Never here: requests that a client can make ([`crate::client`]).

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::wait::soon;

/// A connection on which bytes are written by hand.
#[derive(Debug)]
pub struct Wire(TcpStream);

/// An answer as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raw {
    /// The status.
    pub status: u16,
    /// The head, in lower case.
    pub head: String,
    /// The body.
    pub body: String,
}

impl Wire {
    /// Connects.
    ///
    /// # Panics
    /// When it can't.
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self(stream)
    }

    /// Writes bytes.
    ///
    /// # Panics
    /// When the other side has closed.
    pub async fn write(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    /// Writes bytes to a side that may have closed.
    pub async fn try_write(&mut self, bytes: &[u8]) -> bool {
        self.0.write_all(bytes).await.is_ok()
    }

    /// Reads one answer, by its stated length; none if the connection was closed without one.
    ///
    /// # Panics
    /// When it isn't HTTP, or there is nothing soon.
    pub async fn answer(&mut self) -> Option<Raw> {
        soon("an answer or its end", self.read()).await
    }

    async fn read(&mut self) -> Option<Raw> {
        let mut bytes = Vec::new();
        loop {
            if let Some(raw) = parse(&bytes) {
                return Some(raw);
            }
            match self.0.read_buf(&mut bytes).await {
                Ok(0) | Err(_) if bytes.is_empty() => return None,
                Ok(0) | Err(_) => panic!("half an answer: {}", String::from_utf8_lossy(&bytes)),
                Ok(_) => {}
            }
        }
    }

    /// Whether the other side closes within a bound, without a word.
    pub async fn closes_within(&mut self, within: Duration) -> bool {
        let mut byte = [0];
        match tokio::time::timeout(within, self.0.read(&mut byte)).await {
            Ok(Ok(0) | Err(_)) => true,
            Ok(Ok(_)) | Err(_) => false,
        }
    }
}

/// An answer, once it is whole.
fn parse(bytes: &[u8]) -> Option<Raw> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let head = head.to_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"))
        .map_or(0, |length| length.trim().parse().expect("a length"));
    let status = head.split(' ').nth(1)?.parse().expect("a status");
    (body.len() >= length).then(|| Raw {
        status,
        head: head.clone(),
        body: body[..length].to_owned(),
    })
}

/// Sends one request on a connection of its own and reads its answer.
pub async fn once(address: SocketAddr, request: &str) -> Option<Raw> {
    let mut wire = Wire::connect(address).await;
    wire.write(request.as_bytes()).await;
    wire.answer().await
}
