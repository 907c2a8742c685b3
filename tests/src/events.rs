//! A reader of server-sent events, off a connection of its own.
//!
//! Never here: what an event should say.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::client::Client;
use crate::wait::soon;

/// A stream of events that are JSON. Dropping it leaves it.
#[derive(Debug)]
pub struct Events {
    stream: TcpStream,
    /// Read and not taken apart yet.
    bytes: Vec<u8>,
    /// Taken out of its chunks, and no whole event yet.
    text: String,
    has_ended: bool,
    /// The status that was answered.
    pub status: u16,
    /// The head, in lower case.
    pub head: String,
}

impl Client {
    /// Asks for a stream on the admin listener and reads the answer's head.
    ///
    /// # Panics
    /// When there is none soon.
    pub async fn events(&self, path: &str) -> Events {
        soon("a stream's head", Events::open(self.admin, path)).await
    }
}

impl Events {
    async fn open(address: SocketAddr, path: &str) -> Self {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        let end = loop {
            if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0, "closed without an answer");
        };
        let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
        bytes.drain(..end);
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap();
        Self { stream, bytes, text: String::new(), has_ended: false, status, head }
    }

    /// The next event's data.
    ///
    /// # Panics
    /// When there is none soon, or it isn't JSON.
    pub async fn next(&mut self) -> Value {
        soon("an event", async {
            loop {
                if let Some((event, rest)) = self.text.split_once("\n\n") {
                    let data = event.lines().find_map(|line| line.strip_prefix("data: "));
                    let value = serde_json::from_str(data.unwrap_or_default());
                    let value = value.unwrap_or_else(|error| panic!("{error}: {event}"));
                    self.text = rest.to_owned();
                    return value;
                }
                assert!(self.more().await, "the stream has ended");
            }
        })
        .await
    }

    /// Whether it ends soon, and in order: with the chunk that says so.
    pub async fn end(&mut self) -> bool {
        soon("the end of the stream", async { while self.more().await {} }).await;
        self.has_ended
    }

    /// Reads on; false at the end.
    async fn more(&mut self) -> bool {
        while !self.has_ended {
            let chunk = self.bytes.windows(2).position(|two| two == b"\r\n").and_then(|at| {
                let size = std::str::from_utf8(&self.bytes[..at]).unwrap();
                let size = usize::from_str_radix(size, 16).expect("a chunk's size");
                // Its line, its bytes and the line's end behind them.
                (self.bytes.len() >= at + 2 + size + 2).then_some((at + 2, size))
            });
            if let Some((from, size)) = chunk {
                self.text += std::str::from_utf8(&self.bytes[from..from + size]).unwrap();
                self.bytes.drain(..from + size + 2);
                self.has_ended = size == 0;
                return !self.has_ended;
            }
            match self.stream.read_buf(&mut self.bytes).await {
                Ok(0) | Err(_) => return false,
                Ok(_) => {}
            }
        }
        false
    }
}
