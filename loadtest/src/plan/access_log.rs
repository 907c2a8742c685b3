//! Access logs as traces: the combined (or common) format of web servers, and JSON with the usual
//! names of its fields.
//!
//! A log has no bodies, so only what reads is sent again unless asked otherwise; what no server can
//! have meant as a request (`-`, another protocol's bytes) is left out and counted, and so are a
//! few lines that somebody else wrote into it. Never here: traces written to be replayed (`trace`).

use std::path::Path;

use serde_json::{Map, Value};

use super::PlanError;
use super::at::{At, Timed};
use super::build::{Builder, Refused, Wanted};
use super::lines::Lines;
use super::trace::enter;
use crate::report::units::count;

const TIMES: [&str; 8] =
    ["time", "t", "ts", "timestamp", "@timestamp", "time_iso8601", "time_local", "msec"];
const METHODS: [&str; 2] = ["method", "request_method"];
const PATHS: [&str; 4] = ["path", "request_uri", "uri", "url"];

/// Lines that others wrote into a log, at the most: so many, or this share of all.
const FOREIGN_MAX: u64 = 10;
const FOREIGN_SHARE_MAX: u64 = 100;

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
    let mut lines = Lines::open(file)?;
    let mut rows = Vec::new();
    let [mut writes, mut strange, mut foreign] = [const { LeftOut::NONE }; 3];
    let (mut all, mut first_wrong) = (0, None);
    while let Some((number, text)) = lines.next()? {
        all += 1;
        let parse = if text.trim_start().starts_with('{') { json } else { combined };
        let entry = match parse(&text) {
            Ok(entry) => entry,
            Err(what) => {
                foreign.count(number);
                first_wrong.get_or_insert_with(|| lines.wrong(what));
                continue;
            }
        };
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
            Ok(request) => enter(&mut rows, Timed { at: entry.at, line: number, request }, file)?,
            // What is too much is the reader's business, odd paths are the internet's.
            Err(Refused::TooMuch(what)) => return Err(lines.wrong(what)),
            Err(Refused::Bad(_)) => strange.count(number),
        }
    }
    let few = foreign.rows < all && foreign.rows <= FOREIGN_MAX.max(all / FOREIGN_SHARE_MAX);
    if let Some(wrong) = first_wrong.filter(|_| !few) {
        return Err(foreign.too_many(wrong, all));
    }
    let notes = [
        writes.note("write, and a log has no bodies; --all-methods sends them empty"),
        strange.note("are no request that can be sent again"),
        foreign.note("are of another form"),
    ];
    Ok((rows, notes.into_iter().flatten().collect()))
}

struct LeftOut {
    rows: u64,
    first: u64,
}

impl LeftOut {
    const NONE: Self = Self { rows: 0, first: 0 };

    /// What is wrong with the first of them, and how many there are where it isn't the only one.
    fn too_many(&self, first: PlanError, all: u64) -> PlanError {
        match first {
            PlanError::Line { file, line, what } if self.rows > 1 => {
                let rows = format!("{} of {} lines are so", count(self.rows), count(all));
                PlanError::Line { file, line, what: format!("{what}; {rows}") }
            }
            other => other,
        }
    }

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
    // Caddy has the request's own fields in an object.
    let within = fields.get("request").and_then(Value::as_object);
    let text = |names: &[&str]| {
        let field =
            |name: &str| within.and_then(|fields| fields.get(name)).or_else(|| fields.get(name));
        names.iter().find_map(|name| match field(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        })
    };
    let time = text(&TIMES).ok_or_else(|| format!("has no time; name it one of {TIMES:?}"))?;
    let at = At::parse(&time)
        .or_else(|| At::parse_log(&time))
        .or_else(|| At::parse_epoch(&time))
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
            r#"{"ts":1804582800.0,"request":{"method":"POST","uri":"/a","headers":{}},"status":2}"#,
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

    /// A part of a log is other work than the log.
    #[test]
    fn what_is_too_much_is_no_strange_line() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let line = |n: usize| {
            format!("h - - [09/Mar/2027:10:00:00 +0100] \"GET /a/{n} HTTP/1.1\" 200 1\n")
        };
        file.write_all((100..200).map(line).collect::<String>().as_bytes()).unwrap();
        let read = |bytes_max| {
            let mut builder = Builder::new(Routes::default()).holding(bytes_max);
            super::read(file.path(), &mut builder, false)
        };
        let error = read(100).unwrap_err().to_string();
        assert!(error.contains("paths, headers and bodies up to here are more than"), "{error}");
        assert_eq!(read(1 << 20).unwrap().0.len(), 100);
    }

    #[test]
    fn an_epoch_may_be_finer_than_seconds() {
        for time in ["1804582800", "1804582800000", "1804582800000000", "1804582800000000000"] {
            let line = format!(r#"{{"time":{time},"method":"POST","path":"/a"}}"#);
            assert_eq!(json(&line).unwrap().at.ns, At::parse(AT).unwrap().ns, "{line}");
        }
        let finer = json(r#"{"time":"1804582800001.5","path":"/a"}"#).unwrap();
        assert_eq!(finer.at.ns - At::parse(AT).unwrap().ns, 1_500_000);
    }

    #[test]
    fn a_few_lines_of_another_form_are_left_out_and_many_are_none_of_a_log() {
        let read = |ours: usize, foreign: usize| {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            let line = "h - - [09/Mar/2027:10:00:00 +0100] \"GET /a HTTP/1.1\" 200 1\n";
            let text = ["turned over\n".repeat(foreign), line.repeat(ours)].concat();
            file.write_all(text.as_bytes()).unwrap();
            let read = super::read(file.path(), &mut Builder::new(Routes::default()), false);
            read.map_err(|error| error.to_string())
        };
        let (rows, notes) = read(1, 10).unwrap();
        assert_eq!((rows.len(), rows[0].line), (1, 11));
        assert_eq!(notes, ["10 rows left out: they are of another form (first in line 1)"]);
        let error = read(100, 11).unwrap_err();
        assert!(
            error.contains(":1: is not the combined") && error.contains("11 of 111"),
            "{error}"
        );
        assert_eq!(read(1_100, 11).unwrap().0.len(), 1_100);
        assert!(read(0, 1).unwrap_err().ends_with("status bytes)"));
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
