//! A machine as node_exporter tells of it: the series that dashboards and alerts ask for, with the
//! names and labels that they have there.
//!
//! Never here: what a process of the service tells of its machine itself.

use std::net::SocketAddr;
use std::time::Instant;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A machine with one disk.
#[derive(Debug)]
pub struct Machine {
    /// Where it is scraped.
    pub address: SocketAddr,
}

impl Machine {
    /// Answers scrapes from here on, as long as the test runs.
    ///
    /// # Panics
    /// When it can't listen.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("it listens");
        let since = Instant::now();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, since));
            }
        });
        Self { address }
    }
}

/// Answers one scrape after the other. A scrape has no body, so it ends with its head.
async fn serve(mut stream: TcpStream, since: Instant) {
    let mut bytes = Vec::new();
    while let Ok(1..) = stream.read_buf(&mut bytes).await {
        if !bytes.ends_with(b"\r\n\r\n") {
            continue;
        }
        bytes.clear();
        let text = exposition(since.elapsed().as_secs_f64());
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\n\
             Content-Length: {}\r\n\r\n{text}",
            text.len()
        );
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// What it tells after so many seconds: a tenth of its processor is busy, its disk half as much.
fn exposition(seconds: f64) -> String {
    let disk = r#"device="/dev/sda1",device_error="",fstype="ext4",mountpoint="/""#;
    let series = [
        (r#"node_cpu_seconds_total{cpu="0",mode="idle"}"#.to_owned(), 0.9 * seconds),
        (r#"node_cpu_seconds_total{cpu="0",mode="user"}"#.to_owned(), 0.1 * seconds),
        (r#"node_disk_io_time_seconds_total{device="sda"}"#.to_owned(), 0.05 * seconds),
        (format!("node_filesystem_avail_bytes{{{disk}}}"), 6e10),
        (format!("node_filesystem_size_bytes{{{disk}}}"), 1e11),
        ("node_memory_MemAvailable_bytes".to_owned(), 3e9),
        ("node_memory_MemTotal_bytes".to_owned(), 4e9),
    ];
    series.map(|(name, value)| format!("{name} {value}\n")).concat()
}
