//! A provider that answers whatever it is told to, for what the simulator never says: refusals for
//! good, and that our token is wrong.
//!
//! Never here: a provider that behaves like one ([`stack::provider`]).

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A provider with one answer.
#[derive(Debug)]
pub struct Refuser {
    /// Where it listens.
    pub address: SocketAddr,
    asked: Arc<Asked>,
}

/// What it was asked, and what it answers.
#[derive(Debug, Default)]
struct Asked {
    answer: Mutex<String>,
    posts: AtomicU64,
    /// The latest request to send a text.
    head: Mutex<String>,
    /// All that it was sent.
    everything: Mutex<String>,
}

impl Refuser {
    /// Answers every request with this status and JSON from here on, as long as the test runs or
    /// until it is told otherwise.
    ///
    /// # Panics
    /// When it can't listen.
    pub async fn start(status: u16, json: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Asked::default());
        *asked.answer.lock().unwrap() = answer(status, json);
        let counted = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&counted)));
            }
        });
        Self { address, asked }
    }

    /// Answers so from now on.
    ///
    /// # Panics
    /// Never: nobody panics while it is kept.
    pub fn answers(&self, status: u16, json: &str) {
        *self.asked.answer.lock().unwrap() = answer(status, json);
    }

    /// Requests to send a text so far.
    pub fn posts(&self) -> u64 {
        self.asked.posts.load(Ordering::Relaxed)
    }

    /// Every request so far, as it came.
    ///
    /// # Panics
    /// Never: nobody panics while it is kept.
    pub fn received(&self) -> String {
        self.asked.everything.lock().unwrap().clone()
    }

    /// A header of the latest request to send a text, if it had one.
    ///
    /// # Panics
    /// Never: nobody panics while it is kept.
    pub fn header(&self, name: &str) -> Option<String> {
        let head = self.asked.head.lock().unwrap();
        let field = |line: &str| {
            let (field, value) = line.split_once(':')?;
            field.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        };
        head.lines().find_map(field)
    }

    /// A field of the latest request to send a text, if it had one.
    ///
    /// # Panics
    /// Never: nobody panics while it is kept.
    pub fn field(&self, name: &str) -> Option<String> {
        let head = self.asked.head.lock().unwrap();
        let body = head.split_once("\r\n\r\n")?.1;
        let mut fields = form_urlencoded::parse(body.as_bytes());
        fields.find(|(field, _)| field == name).map(|(_, value)| value.into_owned())
    }
}

fn answer(status: u16, json: &str) -> String {
    format!(
        "HTTP/1.1 {status} As told\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{json}",
        json.len()
    )
}

async fn serve(mut stream: TcpStream, asked: Arc<Asked>) {
    let mut bytes = Vec::new();
    while let Ok(1..) = stream.read_buf(&mut bytes).await {
        while let Some(length) = request_length(&bytes) {
            let request: Vec<u8> = bytes.drain(..length).collect();
            *asked.everything.lock().unwrap() += &String::from_utf8_lossy(&request);
            if request.starts_with(b"POST") {
                *asked.head.lock().unwrap() = String::from_utf8_lossy(&request).into_owned();
                asked.posts.fetch_add(1, Ordering::Relaxed);
            }
            let answer = asked.answer.lock().unwrap().clone();
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    }
}

/// The length of the request at the front, once it is whole.
fn request_length(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&bytes[..head]).to_lowercase();
    let body = text.lines().find_map(|line| line.strip_prefix("content-length:"));
    let body: usize = body.map_or(0, |length| length.trim().parse().unwrap());
    (bytes.len() >= head + body).then_some(head + body)
}
