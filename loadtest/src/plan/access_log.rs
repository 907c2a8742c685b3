//! Access logs as traces: the combined (or common) format of web servers, and JSON with the usual
//! names of its fields.
//!
//! A log has no bodies, so only what reads is sent again unless asked otherwise; what no server can
//! have meant as a request (`-`, another protocol's bytes) is left out and counted. Never here:
//! traces written to be replayed (`trace`).

use std::path::Path;

use serde_json::{Map, Value};

use super::PlanError;
use super::at::{At, Timed};
use super::build::{Builder, Wanted};
use super::lines::Lines;
use super::trace::is_json;

const TIMES: [&str; 8] =
    ["time", "t", "ts", "timestamp", "@timestamp", "time_iso8601", "time_local", "msec"];
const METHODS: [&str; 2] = ["method", "request_method"];
const PATHS: [&str; 4] = ["path", "request_uri", "uri", "url"];

/// What a line says.
#[derive(Debug, PartialEq)]
struct Entry {
    at: At,
    /// Method and path, where it is a request.
    request: Option<(String, String)>,
}

/// Reads a log; the notes tell what was left out.
pub(super) fn read(
    file: &Path,
    builder: &mut Builder,
    all_methods: bool,
) -> Result<(Vec<Timed>, Vec<String>), PlanError> {
    let parse = if is_json(file)? { json } else { combined };
    let mut lines = Lines::open(file)?;
    let mut rows = Vec::new();
    let (mut writes, mut strange) = (LeftOut::default(), LeftOut::default());
    while let Some((number, text)) = lines.next()? {
        let entry = parse(&text).map_err(|what| lines.wrong(what))?;
        let Some((method, path)) = entry.request else {
            strange.count(number);
            continue;
        };
        if !all_methods && !matches!(method.as_str(), "GET" | "HEAD" | "OPTIONS") {
            writes.count(number);
            continue;
        }
        let wanted = Wanted { method: Some(method), path, ..Wanted::default() };
        match builder.request(wanted) {
            Ok(request) => rows.push(Timed { at: entry.at, line: number, request }),
            // Names that are too many are the reader's business, odd paths are the internet's.
            Err(what) if what.contains("--routes") => return Err(lines.wrong(what)),
            Err(_) => strange.count(number),
        }
    }
    let notes = [
        writes.note("write, and a log has no bodies; --all-methods sends them empty"),
        strange.note("are no request that can be sent again"),
    ];
    Ok((rows, notes.into_iter().flatten().collect()))
}

#[derive(Default)]
struct LeftOut {
    rows: u64,
    first: u64,
}

impl LeftOut {
    fn count(&mut self, line: u64) {
        if self.rows == 0 {
            self.first = line;
        }
        self.rows += 1;
    }

    fn note(&self, why: &str) -> Option<String> {
        let Self { rows, first } = self;
        (*rows > 0).then(|| format!("{rows} rows left out: they {why} (first in line {first})"))
    }
}

/// `host ident user [time] "request" status bytes …`
fn combined(line: &str) -> Result<Entry, String> {
    let usage = "is not the combined log format (host ident user [time] \"request\" status bytes)";
    let (_, rest) = line.split_once('[').ok_or(usage)?;
    let (time, rest) = rest.split_once(']').ok_or(usage)?;
    let at = At::parse_log(time)
        .ok_or_else(|| format!("the time {time:?} is not like 09/Mar/2027:10:00:00 +0100"))?;
    let request = rest.split('"').nth(1).ok_or(usage)?;
    Ok(Entry { at, request: request_line(request) })
}

/// `GET /path HTTP/1.1`
fn request_line(text: &str) -> Option<(String, String)> {
    let mut parts = text.split(' ');
    let (method, target, version) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || !version.starts_with("HTTP/") {
        return None;
    }
    Some((method.to_owned(), origin_form(target)?))
}

/// The path of a target; proxies log whole addresses.
fn origin_form(target: &str) -> Option<String> {
    if target.starts_with('/') {
        return Some(target.to_owned());
    }
    let (_, rest) = target.split_once("://")?;
    Some(rest.find('/').map_or("/".to_owned(), |slash| rest[slash..].to_owned()))
}

fn json(line: &str) -> Result<Entry, String> {
    let fields: Map<String, Value> = serde_json::from_str(line)
        .map_err(|e| format!("is no JSON object: {e} (a JSON log has one a line)"))?;
    let text = |names: &[&str]| {
        names.iter().find_map(|name| match fields.get(*name)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        })
    };
    let time = text(&TIMES).ok_or_else(|| format!("has no time; name it one of {TIMES:?}"))?;
    let at = At::parse(&time)
        .or_else(|| At::parse_log(&time))
        .ok_or_else(|| format!("the time {time:?} is neither seconds nor RFC 3339"))?;
    if let Some(request) = text(&["request"]) {
        return Ok(Entry { at, request: request_line(&request) });
    }
    let path =
        text(&PATHS).ok_or_else(|| format!("has no path; name it one of {PATHS:?}, or request"))?;
    let method = text(&METHODS).unwrap_or_else(|| "GET".to_owned());
    Ok(Entry { at, request: origin_form(&path).map(|path| (method, path)) })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write;

    use super::super::routes::Routes;
    use super::*;

    const AT: &str = "2027-03-09T09:00:00Z";

    fn entry(method: &str, path: &str) -> Entry {
        Entry { at: At::parse(AT).unwrap(), request: Some((method.into(), path.into())) }
    }

    #[test]
    fn both_forms_are_read() {
        let line =
            r#"1.2.3.4 - bob [09/Mar/2027:10:00:00 +0100] "GET /a?b=1 HTTP/1.1" 200 12 "-" "x""#;
        let read = combined(line).unwrap();
        assert_eq!(
            (read.at.ns, read.request),
            (entry("", "").at.ns, entry("GET", "/a?b=1").request)
        );
        for line in [
            r#"{"time":"2027-03-09T09:00:00Z","method":"POST","path":"/a"}"#,
            r#"{"ts":"2027-03-09T09:00:00Z","request_method":"POST","uri":"https://h/a"}"#,
            r#"{"@timestamp":"2027-03-09T09:00:00Z","request":"POST /a HTTP/2.0","status":200}"#,
        ] {
            assert_eq!(json(line).unwrap(), entry("POST", "/a"), "{line}");
        }
    }

    #[test]
    fn what_is_no_request_is_left_out_and_counted() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let line =
            |request: &str| format!("h - - [09/Mar/2027:10:00:00 +0100] \"{request}\" 200 1\n");
        let requests =
            ["GET /a HTTP/1.1", "-", "POST /a HTTP/1.1", r"\x16\x03\x01", "GET /b HTTP/1.0"];
        file.write_all(requests.map(line).concat().as_bytes()).unwrap();
        let read =
            |all| super::read(file.path(), &mut Builder::new(Routes::default()), all).unwrap();
        let (rows, notes) = read(false);
        assert_eq!(rows.iter().map(|row| row.line).collect::<Vec<_>>(), [1, 5]);
        assert_eq!(
            notes,
            [
                "1 rows left out: they write, and a log has no bodies; --all-methods sends them \
                 empty (first in line 3)",
                "2 rows left out: they are no request that can be sent again (first in line 2)",
            ]
        );
        assert_eq!(read(true).0.len(), 3);
    }

    #[test]
    fn a_line_of_another_form_says_so() {
        for (line, says) in [
            ("hello", "combined log format"),
            ("h - - [yesterday] \"GET / HTTP/1.1\" 200 1", "\"yesterday\" is not like"),
        ] {
            assert!(combined(line).unwrap_err().contains(says), "{line}");
        }
        for (line, says) in [
            ("{\"a\":1", "no JSON object"),
            ("{\"path\":\"/\"}", "has no time"),
            ("{\"time\":\"x\",\"path\":\"/\"}", "neither seconds nor"),
            ("{\"time\":1}", "has no path"),
        ] {
            assert!(json(line).unwrap_err().contains(says), "{line}");
        }
    }
}
