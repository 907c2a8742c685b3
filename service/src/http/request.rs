//! What a handler is given: a request that is complete, within its limits, and whose caller is
//! known.

use std::borrow::Cow;
use std::fmt;
use std::time::Instant;

use bytes::Bytes;
use contract::Endpoint;
use contract::endpoint::{Access, Spec};
use http::HeaderMap;
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use serde::de::DeserializeOwned;

use super::json;
use super::path::PathParams;
use super::problem::{Code, Problem};
use super::route::Found;

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Principal {
    /// Nobody in particular.
    Anonymous,
    /// Holds the admin key.
    Admin,
    /// Holds a key of the practice in the path.
    Practice {
        /// Whose key.
        practice_id: i64,
        /// Which of its keys.
        key_id: i32,
    },
    /// Says that it is a provider: the handler checks its signature over the body.
    Provider,
}

/// As in the log.
impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("anonymous"),
            Self::Admin => f.write_str("admin"),
            Self::Practice { practice_id, key_id } => write!(f, "pk_{practice_id}_{key_id}"),
            Self::Provider => f.write_str("provider"),
        }
    }
}

/// Names a request in logs and answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RequestId(Cow<'static, str>);

impl RequestId {
    /// The caller's own name for it, if it is short and plain, else a random one of 128 bits.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let given = headers.get("x-request-id").and_then(|value| value.to_str().ok());
        match given {
            Some(text) if Self::is_sane(text) => Self(text.to_owned().into()),
            Some(_) | None => Self::random(),
        }
    }

    /// One of 128 random bits.
    pub(super) fn random() -> Self {
        Self(format!("{:032x}", rand::random::<u128>()).into())
    }

    /// For tests and for work that no request asked for.
    #[cfg(test)]
    pub(crate) const fn made(id: &'static str) -> Self {
        Self(Cow::Borrowed(id))
    }

    /// As it is answered and logged.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Letters, digits and a few marks. Not a run of digits only, which could be a phone number.
    fn is_sane(text: &str) -> bool {
        (8..=64).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
            && text.bytes().any(|b| b.is_ascii_alphabetic())
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The parameters after a question mark, decoded, in their order.
pub(crate) type QueryParams = Vec<(String, String)>;

/// Reads the parameters after a path's question mark. Refuses those that the endpoint doesn't have,
/// and any that stands twice: whoever misspells one would else get an answer to another question,
/// or have done what was to be tried out. A provider may add its own.
pub(super) fn query_params(spec: &Spec, query: Option<&str>) -> Result<QueryParams, Problem> {
    let parsed = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let found: QueryParams = parsed.into_owned().collect();
    if spec.access == Access::Provider {
        return Ok(found);
    }
    for (i, (name, _)) in found.iter().enumerate() {
        if !spec.params.contains(&name.as_str()) {
            let known = if spec.params.is_empty() { "none".into() } else { spec.params.join(", ") };
            let detail = format!("A query parameter is not known; known here: {known}");
            return Err(Problem::new(Code::BadQuery, detail));
        }
        if found[..i].iter().any(|(earlier, _)| earlier == name) {
            return Err(Problem::new(Code::BadQuery, format!("{name} stands twice")));
        }
    }
    Ok(found)
}

/// A request that is ready to be answered.
#[derive(Debug)]
pub(crate) struct Request {
    /// Which endpoint it is for.
    pub(crate) endpoint: Endpoint,
    /// The parameters of its path.
    pub(crate) path: PathParams,
    /// The parameters after the question mark, decoded, in their order.
    pub(crate) query: QueryParams,
    /// Its headers, `Authorization` apart.
    pub(crate) headers: HeaderMap,
    /// Its whole body.
    pub(crate) body: Bytes,
    /// When its head had been read.
    pub(crate) received_at: Instant,
    /// Path and query as they were sent, for signatures.
    pub(crate) uri_path_and_query: String,
}

impl Request {
    /// Of a head and a body. What is kept of the head is copied: a slice of it would hold the
    /// connection's buffer of 8 kB for as long as the request waits, and hyper would take a second
    /// one.
    pub(super) fn new(
        found: Found,
        query: QueryParams,
        head: Parts,
        body: Bytes,
        received_at: Instant,
    ) -> Self {
        let Parts { uri, mut headers, .. } = head;
        // Who calls is known by now.
        headers.remove(AUTHORIZATION);
        for value in headers.values_mut() {
            if let Ok(copy) = HeaderValue::from_bytes(value.as_bytes()) {
                *value = copy;
            }
        }
        Self {
            endpoint: found.endpoint,
            path: found.path,
            query,
            uri_path_and_query: uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
            headers,
            body,
            received_at,
        }
    }

    /// A query parameter, the first of that name.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// A query parameter in its form; `expected` says in words what that is.
    pub(crate) fn query_as<T: std::str::FromStr>(
        &self,
        name: &'static str,
        expected: &str,
    ) -> Result<Option<T>, Problem> {
        let Some(text) = self.query(name) else {
            return Ok(None);
        };
        let wrong = || Problem::new(Code::BadQuery, format!("{name} must be {expected}"));
        text.parse().map(Some).map_err(|_| wrong())
    }

    /// The body as JSON of a shape.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let kind = self.media_type();
        if kind != "application/json" && !kind.is_empty() {
            let detail = "Send the body with Content-Type: application/json";
            return Err(Problem::new(Code::UnsupportedMediaType, detail));
        }
        self.only_plain_utf8()?;
        json::parse(&self.body).map_err(Problem::from)
    }

    /// Refuses a body that is stated to be packed, or in other letters than UTF-8: its bytes mean
    /// something else than they would be read as.
    pub(crate) fn only_plain_utf8(&self) -> Result<(), Problem> {
        let refused = |detail: &'static str| Err(Problem::new(Code::UnsupportedMediaType, detail));
        let is_plain = |coding: &str| coding.is_empty() || coding.eq_ignore_ascii_case("identity");
        let is_unpacked = |value: &HeaderValue| {
            value.to_str().is_ok_and(|codings| codings.split(',').map(str::trim).all(is_plain))
        };
        if !self.headers.get_all(CONTENT_ENCODING).iter().all(is_unpacked) {
            return refused("Send the body as it is, without Content-Encoding.");
        }
        let value = self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let mut parameters = value.unwrap_or_default().split(';').skip(1);
        let is_utf8 = |parameter: &str| {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let known = ["utf-8", "utf8", "us-ascii"];
            let value = value.trim().trim_matches('"');
            !name.trim().eq_ignore_ascii_case("charset")
                || known.iter().any(|known| value.eq_ignore_ascii_case(known))
        };
        if !parameters.all(is_utf8) {
            return refused("Send the body in UTF-8, and say no other charset in Content-Type.");
        }
        Ok(())
    }

    /// The body's media type in lower case without its parameters; empty if none is stated.
    pub(crate) fn media_type(&self) -> String {
        let value = self.headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok());
        let kind = value.unwrap_or_default().split(';').next().unwrap_or_default();
        kind.trim().to_ascii_lowercase()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(endpoint: Endpoint, query: &str) -> Result<QueryParams, Code> {
        query_params(&endpoint.spec(), Some(query)).map_err(|problem| problem.code)
    }

    #[test]
    fn only_parameters_of_the_row_are_taken_and_each_once() {
        for &endpoint in Endpoint::ALL {
            let spec = endpoint.spec();
            let is_providers = spec.access == Access::Provider;
            let its_own: Vec<String> = spec.params.iter().map(|name| format!("{name}=1")).collect();
            let all = asked(endpoint, &its_own.join("&")).unwrap();
            assert_eq!(all.len(), spec.params.len(), "{}", endpoint.name());
            assert!(query_params(&spec, None).unwrap().is_empty());
            for wrong in ["nobody_knows=1", "nobody_knows", "=1", "%6eobody"] {
                let taken = asked(endpoint, wrong);
                let expected = if is_providers { Ok(1) } else { Err(Code::BadQuery) };
                assert_eq!(taken.map(|taken| taken.len()), expected, "{} {wrong}", endpoint.name());
            }
            for name in spec.params {
                let twice = asked(endpoint, &format!("{name}=1&{name}=1"));
                assert_eq!(twice, Err(Code::BadQuery), "{} {name}", endpoint.name());
            }
        }
    }

    fn id_of(value: &str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert("x-request-id", value.parse().unwrap());
        RequestId::of(&headers).as_str().to_owned()
    }

    #[test]
    fn a_callers_own_id_is_kept_if_it_is_plain() {
        assert_eq!(id_of("0af7651916cd43dd-8448"), "0af7651916cd43dd-8448");
        for bad in ["short", "has spaces in it", "99912345678901", &"x".repeat(65)] {
            let made = id_of(bad);
            assert_eq!(made.len(), 32, "{bad}");
            assert!(made.bytes().all(|b| b.is_ascii_hexdigit()));
        }
    }
}
