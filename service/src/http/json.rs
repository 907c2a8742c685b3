//! Reads JSON and says what is wrong with it and where: field, line and column, what was expected.
//! Never what stood there: it may be a phone number or a text.

use std::fmt;

use jiff::Timestamp;
use serde::de::{self, DeserializeOwned, Deserializer, Unexpected, Visitor};

use super::problem::{Code, Problem};

/// Why a text is not the JSON that was expected, without any of its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Where in the document, such as `[3].starts_at`; empty at its top.
    pub(crate) field: String,
    /// What is wrong.
    pub(crate) what: String,
    /// Line, from 1.
    pub(crate) line: usize,
    /// Column, from 1; 0 before the first.
    pub(crate) column: usize,
}

/// Reads a whole document.
pub(crate) fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, Fault> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let value = serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| Fault::of(&error.path().to_string(), error.inner()))?;
    deserializer.end().map_err(|error| Fault::of("", &error))?;
    Ok(value)
}

/// An instant, for fields; what serde has for it doesn't say what is expected.
pub(crate) fn instant<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    struct Instant;
    impl Visitor<'_> for Instant {
        type Value = Timestamp;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(
                "a date and time that exist, with their offset (RFC 3339), such as \
                 2026-05-20T14:30:00-03:00",
            )
        }
        fn visit_str<E: de::Error>(self, text: &str) -> Result<Timestamp, E> {
            let shown = Unexpected::Other("other text");
            text.parse().map_err(|_| E::invalid_value(shown, &self))
        }
    }
    deserializer.deserialize_str(Instant)
}

impl Fault {
    /// The same of a text that so many lines of the whole come before.
    pub(crate) fn after(self, lines: usize) -> Self {
        Self { line: self.line + lines, ..self }
    }

    fn of(path: &str, error: &serde_json::Error) -> Self {
        let field = if is_harmless(path) { path } else { "" };
        Self {
            field: field.trim_matches('.').to_owned(),
            what: what(error),
            line: error.line(),
            column: error.column(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        write!(f, "{} (line {}, column {})", self.what, self.line, self.column)
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        Self::new(Code::BadJson, fault.to_string())
    }
}

/// serde's message without the value in it. serde writes `invalid type: string "…", expected X`;
/// X and the names of our own fields are ours, what stands before is the caller's.
fn what(error: &serde_json::Error) -> String {
    if !error.is_data() {
        return syntax(&error.to_string());
    }
    let message = error.to_string();
    let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(before, _)| before);
    for kind in ["missing field `", "duplicate field `"] {
        if message.starts_with(kind) {
            return message.to_owned();
        }
    }
    if let Some(rest) = message.strip_prefix("unknown field `") {
        let name = rest.split('`').next().unwrap_or_default();
        let known = rest.rsplit_once("`, ").map_or("", |(_, known)| known);
        let named = if is_harmless(name) && !name.contains(['[', '.']) {
            format!("unknown field `{name}`")
        } else {
            "unknown field".to_owned()
        };
        // The known names begin after the last piece of the caller's text.
        let known = rest.find("`, expected ").map_or(known, |at| &rest[at + 3..]);
        return format!("{named}, {known}").trim_end_matches([',', ' ']).to_owned();
    }
    let kind = ["invalid type", "invalid value", "invalid length", "unknown variant"]
        .into_iter()
        .find(|kind| message.starts_with(kind));
    match (kind, message.rsplit_once(", expected ")) {
        (Some(kind), Some((_, expected))) => format!("{kind}, expected {}", plain(expected)),
        (Some(kind), None) => kind.to_owned(),
        (None, _) => "not valid here".to_owned(),
    }
}

/// The names of Rust's types in words that every client knows.
fn plain(expected: &str) -> &str {
    match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, not negative",
        "i8" | "i16" | "i32" | "i64" => "a whole number",
        "f32" | "f64" => "a number",
        "a sequence" => "an array",
        "a map" => "an object",
        _ if expected.starts_with("struct ") => "an object",
        _ => expected,
    }
}

/// serde_json's own messages are fixed texts; only their end repeats line and column.
fn syntax(message: &str) -> String {
    let text = message.rsplit_once(" at line ").map_or(message, |(before, _)| before);
    format!("not JSON: {text}")
}

/// True for a path of plain field names and indexes, which can't hold anyone's data.
fn is_harmless(path: &str) -> bool {
    let digits_in_a_row = path.split(|c: char| !c.is_ascii_digit()).map(str::len).max();
    path.len() <= 120
        && digits_in_a_row.unwrap_or(0) <= 5
        && path.bytes().all(|b| {
            b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'.' | b'[' | b']')
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its shape matters")]
    struct Item {
        phone: crate::phone::Phone,
        version: u32,
        #[serde(default)]
        kind: Option<Kind>,
        #[serde(default = "epoch", deserialize_with = "instant")]
        at: Timestamp,
    }

    fn epoch() -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        Booked,
        Cancelled,
    }

    fn fault(text: &str) -> String {
        parse::<Vec<Item>>(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn says_where_and_what_was_expected_and_never_what_stood_there() {
        let cases = [
            r#"[{"phone":"+99987654321","version":"87654321"}]"#,
            r#"[{"phone":"99987654321","version":1}]"#,
            r#"[{"phone":"+99987654321","version":1,"secret, expected 99987654321":1}]"#,
            r#"[{"phone":"+99987654321","version":1,"verson":2}]"#,
            r#"[{"phone":"+99987654321"}]"#,
            r#"[{"phone":"+99987654321","version":1,"kind":"99987654321, expected 5"}]"#,
            r#"[{"phone":"+99987654321","version":1,"at":"2026-02-30T14:30:00-03:00"}]"#,
            r#"[{"phone":"+99987654321","version":1,"at":"2026-05-20T24:00:00Z"}]"#,
            r#"[{"phone":"+99987654321","version":1,"at":"2026-05-20T14:30:00"}]"#,
            r#"[{"phone":"+99987654321","version":1,"at":99987654321}]"#,
            r#"[{"phone":"+99987654321","version":1}"#,
            r#"[{"phone":"+99987654321","version":1}] 99987654321"#,
            "[{phone}]",
            "",
        ];
        let said: Vec<String> = cases.iter().map(|case| fault(case)).collect();
        for line in &said {
            assert!(!line.contains("87654321"), "{line}");
        }
        expect_test::expect_file!["expected/json_faults.txt"].assert_eq(&(said.join("\n") + "\n"));
    }

    #[test]
    fn a_good_document_is_read() {
        let items: Vec<Item> =
            parse(br#"[{"phone":"+99987654321","version":1,"kind":"booked"}] "#).unwrap();
        assert_eq!(items.len(), 1);
        assert!(matches!(items[0].kind, Some(Kind::Booked)));
    }
}
