//! Finds the endpoint of a method and a path. The routes are the endpoint table's; a path is split
//! at its slashes first and decoded then, so that an encoded slash is data.

use std::sync::LazyLock;

use contract::Endpoint;
use contract::endpoint::{Listener, Method};
use percent_encoding::percent_decode_str;

use super::path::PathParams;
use super::problem::{Code, Problem};

/// A piece of a path template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    Fixed(&'static str),
    Param(&'static str),
}

struct Route {
    endpoint: Endpoint,
    pieces: Vec<Piece>,
}

static ROUTES: LazyLock<Vec<Route>> = LazyLock::new(|| {
    let route = |&endpoint: &Endpoint| Route { endpoint, pieces: pieces(endpoint.spec().path) };
    Endpoint::ALL.iter().map(route).collect()
});

fn pieces(template: &'static str) -> Vec<Piece> {
    let piece = |text: &'static str| {
        let inner = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
        inner.map_or(Piece::Fixed(text), Piece::Param)
    };
    template[1..].split('/').map(piece).collect()
}

/// What a path leads to.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) endpoint: Endpoint,
    pub(super) path: PathParams,
}

/// Finds the endpoint. HEAD leads where GET does.
///
/// # Errors
/// The problem to answer: no such path, no such method on it (with `Allow`), no valid encoding.
pub(super) fn find(
    listener: Listener,
    method: &http::Method,
    path: &str,
) -> Result<Found, Problem> {
    let segments = decode(path)?;
    let is_head = method == http::Method::HEAD;
    let mut allowed = Vec::new();
    for route in ROUTES.iter().filter(|route| route.endpoint.spec().listener == listener) {
        let Some(params) = matched(&route.pieces, &segments) else {
            continue;
        };
        let has = route.endpoint.spec().method;
        if has.name() == method.as_str() || (is_head && has == Method::Get) {
            return Ok(Found { endpoint: route.endpoint, path: PathParams::new(params) });
        }
        allowed.push(has.name());
        if has == Method::Get {
            allowed.push("HEAD");
        }
    }
    if allowed.is_empty() {
        let detail = "No endpoint has this path; /v1/openapi.json describes those that there are.";
        return Err(Problem::new(Code::UnknownPath, detail));
    }
    let allowed = allowed.join(", ");
    let mut problem = Problem::new(Code::MethodNotAllowed, format!("Allowed here: {allowed}."));
    problem.allow = Some(allowed);
    Err(problem)
}

fn matched(pieces: &[Piece], segments: &[String]) -> Option<Vec<(&'static str, String)>> {
    if pieces.len() != segments.len() {
        return None;
    }
    let mut params = Vec::new();
    for (piece, segment) in pieces.iter().zip(segments) {
        match piece {
            Piece::Fixed(text) if text == segment => {}
            Piece::Param(name) if !segment.is_empty() => params.push((*name, segment.clone())),
            Piece::Fixed(_) | Piece::Param(_) => return None,
        }
    }
    Some(params)
}

/// The segments of a path, decoded.
fn decode(path: &str) -> Result<Vec<String>, Problem> {
    let bad = |what: &str| Problem::new(Code::BadRequest, format!("The path {what}."));
    let path = path.strip_prefix('/').ok_or_else(|| bad("must begin with a slash"))?;
    let segment = |text: &str| {
        if !text.contains('%') {
            return Ok(text.to_owned());
        }
        if !is_encoded(text.as_bytes()) {
            return Err(bad("has a percent sign that is not followed by two hex digits"));
        }
        let decoded = percent_decode_str(text).decode_utf8();
        match decoded {
            Ok(text) if !text.chars().any(char::is_control) => Ok(text.into_owned()),
            Ok(_) => Err(bad("has a control character")),
            Err(_) => Err(bad("is not UTF-8")),
        }
    };
    path.split('/').map(segment).collect()
}

fn is_encoded(text: &[u8]) -> bool {
    let percents = text.iter().enumerate().filter(|(_, byte)| **byte == b'%');
    percents.into_iter().all(|(at, _)| {
        text.get(at + 1..at + 3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(path: &str) -> Result<Found, Problem> {
        find(Listener::Public, &http::Method::GET, path)
    }

    #[test]
    fn every_endpoint_is_found_by_its_own_path() {
        for &endpoint in Endpoint::ALL {
            let spec = endpoint.spec();
            let path: Vec<String> = pieces(spec.path)
                .iter()
                .map(|piece| match piece {
                    Piece::Fixed(text) => (*text).to_owned(),
                    Piece::Param(name) => format!("a-{name}"),
                })
                .collect();
            let method: http::Method = spec.method.name().parse().unwrap();
            let found = find(spec.listener, &method, &format!("/{}", path.join("/"))).unwrap();
            assert_eq!(found.endpoint, endpoint);
            for piece in pieces(spec.path) {
                if let Piece::Param(name) = piece {
                    assert_eq!(found.path.str(name), format!("a-{name}"));
                }
            }
        }
    }

    #[test]
    fn a_listener_has_only_its_own() {
        let other = find(Listener::Admin, &http::Method::GET, "/v1/practices/1");
        assert_eq!(other.unwrap_err().code, Code::UnknownPath);
        assert_eq!(get("/metrics").unwrap_err().code, Code::UnknownPath);
    }

    #[test]
    fn slashes_and_encodings() {
        let found = get("/v1/%70ractices/7/appointments/a%2Fb").unwrap();
        assert_eq!(found.endpoint, Endpoint::ReadAppointment);
        assert_eq!(found.path.str("appointment_id"), "a/b");
        assert_eq!(
            get("/v1/practices/7/appointments/%C3%A4").unwrap().path.str("appointment_id"),
            "ä"
        );
        for unknown in [
            "/",
            "",
            "/v1/practices/7/",
            "//v1/practices/7",
            "/v1/practices//messages",
            "/v1/practices/7/x",
        ] {
            let code = get(unknown).unwrap_err().code;
            assert!(matches!(code, Code::UnknownPath | Code::BadRequest), "{unknown}");
        }
        for bad in
            ["/v1/practices/%", "/v1/practices/%zz", "/v1/practices/%ff", "/v1/practices/%00", "*"]
        {
            assert_eq!(get(bad).unwrap_err().code, Code::BadRequest, "{bad}");
        }
    }

    #[test]
    fn methods() {
        let head = find(Listener::Public, &http::Method::HEAD, "/v1/practices/7").unwrap();
        assert_eq!(head.endpoint, Endpoint::ReadPractice);
        let problem = find(Listener::Public, &http::Method::PATCH, "/v1/practices/7").unwrap_err();
        assert_eq!(problem.code, Code::MethodNotAllowed);
        assert_eq!(problem.allow.as_deref(), Some("PUT, GET, HEAD"));
    }
}
