//! The client against servers that misbehave: what is ambiguous and what is not, and its deadlines.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::*;

fn bounds(within: Duration) -> Bounds {
    Bounds {
        connect: Duration::from_secs(5),
        first_byte: within,
        total: within,
        response_bytes: 1_000,
        idle_connections: 1,
    }
}

fn client(within: Duration) -> Client {
    Client::new(&bounds(within), RootCertStore::empty()).unwrap()
}

async fn exchange(client: &Client, address: SocketAddr, body: Vec<u8>) -> Exchange {
    let body = Full::new(Bytes::from(body));
    let request = Request::post(format!("http://{address}/")).body(body).unwrap();
    client.exchange(request, TraceId::from_random(1)).await
}

/// Longer than anything takes here.
const LONG: Duration = Duration::from_secs(30);

/// What a request of these tests ends with.
const END: &[u8] = b"\r\n\r\nx";

/// Reads a request to its end; false where the connection ends before.
async fn read_request(stream: &mut TcpStream) -> bool {
    let mut read = Vec::new();
    while !read.ends_with(END) {
        match stream.read_buf(&mut read).await {
            Ok(0) | Err(_) => return false,
            Ok(_) => {}
        }
    }
    true
}

/// A provider that answers the first request of each connection, and ends the connection
/// after it has read the second one and said this. Counts what it has read.
async fn breaks_midway(listener: TcpListener, says: &'static [u8], read: Arc<AtomicUsize>) {
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let read = Arc::clone(&read);
        tokio::spawn(async move {
            for answer in [b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".as_slice(), says] {
                if !read_request(&mut stream).await {
                    return;
                }
                read.fetch_add(1, Ordering::SeqCst);
                stream.write_all(answer).await.unwrap();
            }
        });
    }
}

/// However long it might take until its answer begins: its lease is over after `total`.
#[tokio::test]
async fn who_is_silent_for_longer_than_an_exchange_may_take_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let patient = Bounds { first_byte: 100 * LONG, ..bounds(Duration::from_millis(200)) };
    let client = Client::new(&patient, RootCertStore::empty()).unwrap();
    let exchange = timeout(LONG, exchange(&client, address, b"x".to_vec()));
    let (exchange, _silent) = tokio::join!(exchange, listener.accept());
    assert_eq!(exchange.expect("it is given up"), Exchange::Lost);
}

/// What is still on its way when it is given up never arrives, however long the provider waits.
#[tokio::test]
async fn a_request_that_was_given_up_is_withdrawn() {
    const BODY: usize = 200_000;
    let socket = TcpSocket::new_v4().unwrap();
    // Less than a request: the rest waits on our side until the provider reads.
    socket.set_recv_buffer_size(4_096).unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let client = client(Duration::from_millis(200));
    let exchange = exchange(&client, address, vec![b'x'; BODY]);
    let (exchange, accepted) = tokio::join!(exchange, listener.accept());
    assert_eq!(exchange, Exchange::Lost);
    let mut read = Vec::new();
    let end = accepted.unwrap().0.read_to_end(&mut read).await;
    assert!(end.is_err() && read.len() < BODY, "{end:?} after {} bytes", read.len());
}

/// On a connection that was used before, where some clients would begin again unasked.
#[tokio::test]
async fn a_request_whose_connection_breaks_midway_is_lost_and_not_begun_again() {
    for says in [b"".as_slice(), b"HTTP/1.1 2", b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{"] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let read = Arc::new(AtomicUsize::new(0));
        let provider = tokio::spawn(breaks_midway(listener, says, Arc::clone(&read)));
        let client = client(LONG);
        let mut sent = 0;
        // Whether a connection is back in the pool yet is its own affair: soon one is.
        let end = loop {
            sent += 1;
            let end = exchange(&client, address, b"x".to_vec()).await;
            assert_eq!(read.load(Ordering::SeqCst), sent, "one was begun again");
            if !matches!(end, Exchange::Answered { .. }) {
                break end;
            }
            assert!(sent < 1_000, "no connection was used twice");
        };
        assert_eq!(end, Exchange::Lost);
        provider.abort();
    }
}

/// Nothing of it was written, and the same client gets through as soon as somebody listens.
#[tokio::test]
async fn who_cannot_be_connected_to_was_sent_nothing_and_may_be_asked_again() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    // Bound and not listening: nobody else's, and refused.
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    let client = client(LONG);
    let refused = exchange(&client, address, b"x".to_vec()).await;
    assert_eq!(refused, Exchange::NotConnected);
    let read = Arc::new(AtomicUsize::new(0));
    let listener = socket.listen(8).unwrap();
    let provider = tokio::spawn(breaks_midway(listener, b"", Arc::clone(&read)));
    let again = exchange(&client, address, b"x".to_vec()).await;
    assert!(matches!(again, Exchange::Answered { status: 200, .. }), "{again:?}");
    assert_eq!(read.load(Ordering::SeqCst), 1);
    provider.abort();
}
/// One that is as long as it may be is read to its end.
#[tokio::test]
async fn an_answer_that_is_too_long_is_lost() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let provider = tokio::spawn(async move {
        for length in [1_000, 1_001] {
            let (mut stream, _) = listener.accept().await.unwrap();
            assert!(read_request(&mut stream).await);
            let body = "x".repeat(length);
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}");
            let answer = format!("{head}\r\nconnection: close\r\n\r\n{body}");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    let client = client(LONG);
    let whole = exchange(&client, address, b"x".to_vec()).await;
    let is_whole = matches!(&whole, Exchange::Answered { body, .. } if body.len() == 1_000);
    assert!(is_whole, "{whole:?}");
    assert_eq!(exchange(&client, address, b"x".to_vec()).await, Exchange::Lost);
    provider.await.unwrap();
}
