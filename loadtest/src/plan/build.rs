//! Puts a plan together: requests are checked, named and kept once however often they are sent.
//!
//! Never here: reading a particular format, or deciding when something is sent.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};

use super::routes::{NAMES, Routes, is_name};
use super::{
    About, Arrival, BODY_BYTES_MAX, BYTES_MAX, Kind, NAMES_MAX, Plan, PlanError, Planned, digest,
};
use crate::report::units::count;

/// A request as a source writes it.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    /// GET if not given.
    pub(super) method: Option<String>,
    pub(super) path: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    /// By the routes if not given.
    pub(super) name: Option<String>,
}

/// Why a request is not taken: what is wrong, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    /// It is none that can be sent; others may be.
    #[error("{0}")]
    Bad(String),
    /// The plan has no room for it, and would be a part of what was asked for without it.
    #[error("{0}")]
    TooMuch(String),
}

impl From<String> for Refused {
    fn from(what: String) -> Self {
        Self::Bad(what)
    }
}

/// Where the one is as bad as the other.
impl From<Refused> for String {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Bad(what) | Refused::TooMuch(what) => what,
        }
    }
}

/// A plan in the making.
#[derive(Debug)]
pub(super) struct Builder {
    routes: Routes,
    kinds: Vec<Kind>,
    requests: Vec<Planned>,
    known: HashMap<Key, u32>,
    bytes: usize,
    bytes_max: usize,
    /// Rows with a header that is the connection's own.
    of_connection: u64,
}

/// What HTTP itself says of a request: the connection writes that, or none.
fn is_of_connection(name: &HeaderName) -> bool {
    [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING].contains(name)
}

type Key = (usize, Method, Uri, String, Bytes);

impl Builder {
    pub(super) fn new(routes: Routes) -> Self {
        Self {
            routes,
            kinds: vec![],
            requests: vec![],
            known: HashMap::new(),
            bytes: 0,
            bytes_max: BYTES_MAX,
            of_connection: 0,
        }
    }

    /// With room for so much.
    #[cfg(test)]
    pub(super) fn holding(self, bytes_max: usize) -> Self {
        Self { bytes_max, ..self }
    }

    /// Takes a request and gives its position.
    pub(super) fn request(&mut self, wanted: Wanted) -> Result<u32, Refused> {
        let method = wanted.method.as_deref().unwrap_or("GET").to_ascii_uppercase();
        let method = Method::from_bytes(method.as_bytes())
            .map_err(|_| format!("{method:?} is no HTTP method"))?;
        let uri = uri(&wanted.path)?;
        if wanted.body.len() > BODY_BYTES_MAX {
            return Err(Refused::Bad(format!(
                "its body has {} bytes, {BODY_BYTES_MAX} at most; leave the row out",
                wanted.body.len()
            )));
        }
        let headers = headers(&wanted.headers)?;
        self.of_connection += u64::from(headers.len() < wanted.headers.len());
        let kind = self.kind(&method, &wanted)?;
        let written = format!("{headers:?}");
        let body = Bytes::from(wanted.body);
        let key = (kind, method, uri, written, body);
        if let Some(known) = self.known.get(&key) {
            return Ok(*known);
        }
        self.bytes += key.4.len() + wanted.path.len() + key.3.len();
        if self.bytes > self.bytes_max {
            return Err(Refused::TooMuch(format!(
                "paths, headers and bodies up to here are more than {} MiB; give a part of the \
                 file",
                self.bytes_max >> 20
            )));
        }
        let (_, method, uri, _, body) = key.clone();
        let position = self.requests.len() as u32;
        self.requests.push(Planned { kind, method, uri, headers: Arc::new(headers), body });
        self.known.insert(key, position);
        Ok(position)
    }

    fn kind(&mut self, method: &Method, wanted: &Wanted) -> Result<usize, Refused> {
        let (name, method) = match &wanted.name {
            Some(name) if is_name(name) => (name.clone(), method.as_str().to_owned()),
            Some(name) => {
                let what = format!("the name {name:?} has characters logs can't carry; {NAMES}");
                return Err(Refused::Bad(what));
            }
            None => self.routes.name(method.as_str(), &wanted.path),
        };
        if let Some(known) = self.kinds.iter_mut().position(|kind| kind.name == name) {
            let known_kind = &mut self.kinds[known];
            if known_kind.method != method {
                "*".clone_into(&mut known_kind.method);
            }
            return Ok(known);
        }
        if self.kinds.len() == NAMES_MAX {
            return Err(Refused::TooMuch(format!(
                "{name:?} is the {}th name, {NAMES_MAX} at most; group paths with --routes FILE",
                NAMES_MAX + 1
            )));
        }
        self.kinds.push(Kind { name, method });
        Ok(self.kinds.len() - 1)
    }

    /// Ends it with its schedule.
    pub(super) fn plan(
        self,
        arrivals: Vec<Arrival>,
        span: Duration,
        mut about: About,
    ) -> Result<Plan, PlanError> {
        if arrivals.is_empty() {
            return Err(PlanError::Wrong(format!("{}: nothing to send", about.source)));
        }
        let Self { kinds, requests, of_connection, .. } = self;
        if of_connection > 0 {
            about.notes.push(format!(
                "{} rows have headers that are the connection's own (content-length, connection, \
                 transfer-encoding): these are left out, as it writes them itself",
                count(of_connection)
            ));
        }
        let hash = digest::hash(&kinds, &requests, &arrivals, span);
        Ok(Plan { kinds, requests, arrivals, span, hash, about })
    }
}

fn uri(path: &str) -> Result<Uri, String> {
    if !path.starts_with('/') {
        return Err(format!(
            "the path {:?} doesn't begin with a slash; give path and query, the host is --target's",
            shown(path)
        ));
    }
    let path_and_query: PathAndQuery = path
        .parse()
        .map_err(|_| format!("the path {:?} has characters to be percent-encoded", shown(path)))?;
    Ok(Uri::from(path_and_query))
}

/// The connection's own headers are left to it.
fn headers(given: &[(String, String)]) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in given {
        let name: HeaderName =
            name.parse().map_err(|_| format!("{:?} is no header name", shown(name)))?;
        if is_of_connection(&name) {
            continue;
        }
        let mut value = HeaderValue::from_str(value)
            .map_err(|_| format!("the header {name} has characters that no header takes"))?;
        value.set_sensitive(false);
        headers.append(name, value);
    }
    Ok(headers)
}

fn shown(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn wanted(path: &str) -> Wanted {
        Wanted { path: path.into(), ..Wanted::default() }
    }

    #[test]
    fn a_request_is_kept_once_and_named() {
        let mut builder = Builder::new(Routes::default());
        let first = builder.request(wanted("/a/1")).unwrap();
        assert_eq!(builder.request(wanted("/a/1")), Ok(first));
        assert_eq!(builder.request(wanted("/a/2")), Ok(1));
        let header = ("X-A".to_owned(), "b".to_owned());
        let other = Wanted { headers: vec![header], ..wanted("/a/2") };
        assert_eq!(builder.request(other), Ok(2));
        let kinds: Vec<_> = builder.kinds.iter().map(|kind| kind.name.as_str()).collect();
        assert_eq!(kinds, ["GET:/a/{id}"]);
    }

    #[test]
    fn headers_of_the_connection_are_left_out_and_counted() {
        let mut builder = Builder::new(Routes::default());
        for name in ["Content-Length", "connection", "x-a"] {
            let headers = vec![(name.to_owned(), "5".to_owned()), ("x-b".to_owned(), "c".into())];
            builder.request(Wanted { headers, ..wanted("/a") }).unwrap();
        }
        let arrivals = vec![Arrival { intended_ns: 0, request: 0 }];
        let plan = builder.plan(arrivals, Duration::ZERO, About::default()).unwrap();
        let [note] = &plan.about().notes[..] else { panic!("{:?}", plan.about()) };
        assert!(
            note.starts_with("2 rows have headers") && note.contains("content-length"),
            "{note}"
        );
        assert_eq!(plan.requests()[0].headers.len(), 1);
    }

    #[test]
    fn the_hash_is_that_of_what_is_sent() {
        let plan = |path: &str, at: u64, source: &str| {
            let mut builder = Builder::new(Routes::default());
            let request = builder.request(wanted(path)).unwrap();
            let arrivals = vec![Arrival { intended_ns: at, request }];
            let about = About { source: source.into(), ..About::default() };
            builder.plan(arrivals, Duration::from_secs(1), about).unwrap().hash().to_owned()
        };
        assert_eq!(plan("/a", 1, "x"), plan("/a", 1, "y"));
        assert_ne!(plan("/a", 1, "x"), plan("/a", 2, "x"));
        assert_ne!(plan("/a", 1, "x"), plan("/b", 1, "x"));
        // A known value: a change here changes every plan's hash and must be meant.
        assert!(plan("/a", 1, "x").starts_with(KNOWN), "{}", plan("/a", 1, "x"));
    }

    const KNOWN: &str = "e2446390569dc82a";

    #[test]
    fn a_request_that_is_none_says_what_to_do() {
        let mut builder = Builder::new(Routes::default());
        let huge = Wanted { body: vec![b'x'; BODY_BYTES_MAX + 1], ..wanted("/") };
        let bad_header = Wanted { headers: vec![("a b".into(), "c".into())], ..wanted("/") };
        let bad_name = Wanted { name: Some("a b".into()), ..wanted("/") };
        let bad_method = Wanted { method: Some("GE T".into()), ..wanted("/") };
        for (request, says) in [
            (wanted("http://host/a"), "the host is --target's"),
            (wanted("/a b"), "percent-encoded"),
            (huge, "1048577 bytes, 1048576 at most"),
            (bad_header, "no header name"),
            (bad_name, "use letters, digits"),
            (bad_method, "no HTTP method"),
        ] {
            let error = builder.request(request).unwrap_err();
            let Refused::Bad(what) = &error else { panic!("another one may be good: {error}") };
            assert!(what.contains(says), "{error}");
        }
        for i in 0..NAMES_MAX {
            let name = Some(format!("n{i}"));
            builder.request(Wanted { name, ..wanted("/") }).unwrap();
        }
        let error = builder.request(wanted("/one/more")).unwrap_err();
        let Refused::TooMuch(what) = &error else { panic!("the next one won't be good: {error}") };
        assert!(what.contains("--routes"), "{error}");
    }
}
