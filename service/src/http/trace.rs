//! `traceparent`: which trace a request belongs to, by W3C Trace Context, level 1. A proper one is
//! continued; anything else is as if it had not been sent, and is never echoed.

use http::HeaderMap;

use crate::obs::exemplar::TraceId;

/// The caller's trace, or a new one.
pub(super) fn of(headers: &HeaderMap) -> TraceId {
    continued(headers).unwrap_or_else(|| TraceId::from_random(rand::random()))
}

/// Exactly one header, in its exact form.
fn continued(headers: &HeaderMap) -> Option<TraceId> {
    let mut given = headers.get_all("traceparent").iter();
    let (first, second) = (given.next()?, given.next());
    if second.is_some() {
        return None;
    }
    parse(first.to_str().ok()?)
}

/// `version-trace_id-parent_id-flags`, lower case. A later version may go on after a dash.
fn parse(text: &str) -> Option<TraceId> {
    let mut parts = text.splitn(5, '-');
    let (version, trace) = (parts.next()?, parts.next()?);
    let (parent, flags, more) = (parts.next()?, parts.next()?, parts.next());
    let is_known = version == "00";
    let is_proper = is_hex(version, 2)
        && version != "ff"
        && is_hex(parent, 16)
        && parent.bytes().any(|b| b != b'0')
        && is_hex(flags, 2)
        && !(is_known && more.is_some());
    is_proper.then(|| TraceId::parse(trace)).flatten()
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    fn headers(values: &[&str]) -> HeaderMap {
        values.iter().map(|v| (http::header::HeaderName::from_static("traceparent"), v)).fold(
            HeaderMap::new(),
            |mut map, (name, value)| {
                map.append(name, value.parse().unwrap());
                map
            },
        )
    }

    #[test]
    fn a_proper_one_is_continued() {
        for good in [
            format!("00-{TRACE}-00f067aa0ba902b7-01"),
            format!("00-{TRACE}-00f067aa0ba902b7-00"),
            format!("cc-{TRACE}-00f067aa0ba902b7-01"),
            format!("cc-{TRACE}-00f067aa0ba902b7-01-what-the-future-brings"),
        ] {
            assert_eq!(of(&headers(&[&good])).to_string(), TRACE, "{good}");
        }
    }

    #[test]
    fn anything_else_is_not() {
        let good = format!("00-{TRACE}-00f067aa0ba902b7-01");
        for bad in [
            String::new(),
            "00".into(),
            format!("ff-{TRACE}-00f067aa0ba902b7-01"),
            format!("00-{TRACE}-00f067aa0ba902b7-01-more"),
            format!("00-{TRACE}-00f067aa0ba902b7"),
            format!("00-{TRACE}-0000000000000000-01"),
            format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
            format!("00-{}-00f067aa0ba902b7-01", TRACE.to_uppercase()),
            format!("00-{TRACE}-00f067aa0ba902b7-0"),
            format!("00-{TRACE}-00f067aa0ba902b7-01 "),
            format!("0-{TRACE}-00f067aa0ba902b7-01"),
            format!("cc-{TRACE}-00f067aa0ba902b7-01x"),
        ] {
            assert_eq!(continued(&headers(&[&bad])), None, "{bad}");
        }
        assert_eq!(continued(&headers(&[])), None);
        assert_eq!(continued(&headers(&[&good, &good])), None, "two of them");
        assert_ne!(of(&headers(&[])), of(&headers(&[])), "each its own");
    }
}
