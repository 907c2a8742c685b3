//! A server that answers as it is told to, by the head of each request.
//!
//! Never here: what a test expects of it.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// The answer to a request, by its head.
type Answers = dyn Fn(&str) -> String + Send + Sync;

/// The server; it is gone when this is dropped.
pub(super) struct Toy {
    pub(super) address: String,
    /// How many requests were answered.
    pub(super) answered: watch::Receiver<usize>,
    heads: Arc<Mutex<Vec<String>>>,
    _serving: JoinSet<()>,
}

impl Toy {
    pub(super) async fn start(answers: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (count, answered) = watch::channel(0);
        let (answers, count) = (Arc::new(answers), Arc::new(count));
        let heads = Arc::new(Mutex::new(Vec::new()));
        let seen = heads.clone();
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, answers.clone(), count.clone(), seen.clone()));
            }
        });
        Self { address, answered, heads, _serving: serving }
    }

    /// The heads of all requests so far.
    pub(super) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

async fn serve(
    mut stream: TcpStream,
    answers: Arc<Answers>,
    count: Arc<watch::Sender<usize>>,
    seen: Arc<Mutex<Vec<String>>>,
) {
    let mut bytes = Vec::new();
    while let Ok(1..) = stream.read_buf(&mut bytes).await {
        while let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head: Vec<u8> = bytes.drain(..end + 4).collect();
            let head = String::from_utf8(head).unwrap();
            let answer = answers(&head);
            seen.lock().unwrap().push(head);
            count.send_modify(|count| *count += 1);
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    }
}

/// A whole answer.
pub(super) fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len())
}

/// A header's value.
pub(super) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let of =
        |line: &'a str| line.split_once(": ").filter(|(own, _)| own.eq_ignore_ascii_case(name));
    head.lines().find_map(of).map(|(_, value)| value)
}
