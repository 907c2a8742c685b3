//! `punctual health`: whether the process with these settings lives, by its exit status. Containers
//! ask this way, as their images have no other client.
//!
//! Never here: whether it can do its work now, which is `/readyz`: restarting a process that waits
//! for its database helps nobody.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use contract::Endpoint;

use super::Exit;

/// For each of connecting, asking and being answered. A process that lives answers at once: a
/// second of a machine that is busy with something else is not its end.
const PATIENCE: Duration = Duration::from_secs(1);

/// Enough for the line that says how it is.
const LINE_BYTES_MAX: u64 = 1_024;

/// Asks the admin listener.
pub(super) fn run(admin: SocketAddr) -> Exit {
    let answered = ask(reachable(admin)).map_err(|error| error.to_string());
    match answered {
        Ok(line) if line.split(' ').nth(1) == Some("200") => Exit::Done,
        Ok(said) | Err(said) => {
            complain!("punctual: {admin}: {said}");
            Exit::Failed
        }
    }
}

/// The first line of the answer.
fn ask(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let path = Endpoint::ReadHealth.spec().path;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut line = String::new();
    match BufReader::new(stream.take(LINE_BYTES_MAX)).read_line(&mut line)? {
        0 => Ok("it closed the connection".to_owned()),
        _ => Ok(line.trim_end().to_owned()),
    }
}

/// Who listens on every address is reached on loopback.
fn reachable(admin: SocketAddr) -> SocketAddr {
    let ip = match admin.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, admin.port())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// Answers one request so, and returns how the question ended.
    fn answered(answer: &'static [u8]) -> Exit {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = BufReader::new(&stream).lines().map(Result::unwrap);
            assert_eq!(asked.next().unwrap(), "GET /healthz HTTP/1.1");
            asked.find(String::is_empty).expect("an end of the head");
            stream.write_all(answer).unwrap();
        });
        let exit = run(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), address.port()));
        server.join().unwrap();
        exit
    }

    #[test]
    fn only_who_says_so_lives() {
        assert_eq!(answered(b"HTTP/1.1 200 OK\r\n\r\n"), Exit::Done);
        assert_eq!(answered(b"HTTP/1.1 503 Service Unavailable\r\n\r\n"), Exit::Failed);
        assert_eq!(answered(b""), Exit::Failed);
        let nobody = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
        assert_eq!(run(nobody), Exit::Failed);
    }
}
