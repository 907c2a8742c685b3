//! Where a process tells its metrics, and with which headers it is asked.
//!
//! Never here: what it tells.

use std::fmt;
use std::str::FromStr;

use http::HeaderMap;

use crate::client::Client;
use crate::exit::Failure;

/// Where metrics are, unless the address says otherwise.
const PATH: &str = "/metrics";

/// A process.
#[derive(Debug, Clone)]
pub struct Place {
    /// `host:port`.
    pub address: String,
    /// The path of its metrics.
    pub path: String,
    /// Headers of every question; values are never printed.
    pub headers: HeaderMap,
}

impl Place {
    /// A process of the reminder service, by its admin listener.
    #[must_use]
    pub fn admin(address: &str) -> Self {
        let (address, path) = (address.to_owned(), PATH.to_owned());
        Self { address, path, headers: HeaderMap::new() }
    }

    /// A client of it.
    pub(super) fn client(&self) -> Result<Client, Failure> {
        Ok(Client::new(&self.address, None)?.with_headers(self.headers.clone()))
    }
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with("https://") {
            return Err("HTTPS isn't spoken here; name the plain listener".to_owned());
        }
        if let Some((scheme, _)) = text.split_once("://").filter(|(scheme, _)| *scheme != "http") {
            return Err(format!("{scheme}:// isn't spoken here; write http://HOST:PORT"));
        }
        let text = text.strip_prefix("http://").unwrap_or(text);
        let (address, path) = match text.find('/') {
            Some(at) if &text[at..] != "/" => text.split_at(at),
            Some(at) => (&text[..at], PATH),
            None => (text, PATH),
        };
        let usage = || "write http://HOST:PORT or http://HOST:PORT/PATH".to_owned();
        let authority = address.parse::<http::uri::Authority>().map_err(|_| usage())?;
        path.parse::<http::Uri>().map_err(|_| usage())?;
        let port = authority.port_u16().unwrap_or(80);
        let address = format!("{}:{port}", authority.host());
        Ok(Self { address, path: path.to_owned(), headers: HeaderMap::new() })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.address, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_an_address_and_a_path() {
        for (text, place) in [
            ("127.0.0.1:9090", "http://127.0.0.1:9090/metrics"),
            ("http://host/", "http://host:80/metrics"),
            ("http://[::1]:9/a/b?c=d", "http://[::1]:9/a/b?c=d"),
        ] {
            assert_eq!(text.parse::<Place>().map(|p| p.to_string()).as_deref(), Ok(place));
        }
        assert!("https://host".parse::<Place>().is_err_and(|e| e.contains("plain listener")));
        assert!("ftp://host".parse::<Place>().is_err_and(|e| e.contains("http://HOST:PORT")));
        assert!("http://a b".parse::<Place>().is_err());
    }
}
