//! Sockets that listen, and the answer for connections that find no room.

use std::io;
use std::net::SocketAddr;
use std::sync::LazyLock;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::problem::{Code, Problem};
use super::request::RequestId;
use super::response::Response;

/// Connections that the kernel keeps for us while we are busy: a burst of a tenth of a second at
/// ten thousand a second. The kernel's own bound (`somaxconn`) may be lower.
const BACKLOG: i32 = 1_024;

/// Listens at an address. Port 0 takes a free one.
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart must not wait for old connections to time out.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// What a connection is told that finds no room. Made once, for it must cost nothing.
static FULL: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let detail = "Too many connections are open: try again in a moment.";
    let id = RequestId::random();
    let Response { body, .. } = Problem::new(Code::Overloaded, detail).respond(&id);
    let head = format!(
        "HTTP/1.1 503 Service Unavailable\r\n\
         content-type: application/problem+json\r\n\
         retry-after: 1\r\n\
         connection: close\r\n\
         x-request-id: {id}\r\n\
         content-length: {}\r\n\r\n",
        body.bytes().len()
    );
    [head.as_bytes(), body.bytes()].concat()
});

/// How long a connection without room may take to read its answer.
const TURN_AWAY_TIME: Duration = Duration::from_millis(500);

/// Tells a connection that there is no room, and closes it.
pub(super) async fn turn_away(mut stream: TcpStream) {
    let telling = async {
        stream.write_all(&FULL).await?;
        stream.shutdown().await?;
        // Closing with unread input would reset the connection before the answer is read.
        let mut scratch = [0; 4_096];
        while stream.read(&mut scratch).await? > 0 {}
        io::Result::Ok(())
    };
    let _either_way_it_is_closed = tokio::time::timeout(TURN_AWAY_TIME, telling).await;
}
