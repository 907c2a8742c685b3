//! Which form of an answer a caller likes best, by `Accept` (RFC 9110, section 12.5.1).
//!
//! Never here: what the forms look like.

use http::HeaderMap;
use http::header::ACCEPT;

use super::problem::{Code, Problem};

/// A form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// For programs.
    Json,
    /// For spreadsheets.
    Csv,
}

impl Format {
    /// The better liked one is the first where both are liked as well.
    const ALL: [Self; 2] = [Self::Json, Self::Csv];

    /// The media type as it is answered.
    pub(crate) const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Csv => "text/csv; charset=utf-8; header=present",
        }
    }

    const fn media_type(self) -> (&'static str, &'static str) {
        match self {
            Self::Json => ("application", "json"),
            Self::Csv => ("text", "csv"),
        }
    }

    /// The form that a request likes best; JSON where it doesn't say.
    ///
    /// # Errors
    /// It accepts neither.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let mut ranges = Vec::new();
        for value in headers.get_all(ACCEPT) {
            // What is no text names nothing that is answered here.
            ranges.extend(value.to_str().unwrap_or("-").split(',').map(str::trim));
        }
        ranges.retain(|range| !range.is_empty());
        if ranges.is_empty() {
            return Ok(Self::Json);
        }
        let ranges: Vec<Range<'_>> = ranges.into_iter().filter_map(Range::of).collect();
        let liked = Self::ALL.map(|format| (format, liking(format, &ranges)));
        let best = liked.into_iter().filter(|(_, thousandths)| *thousandths > 0);
        // Of equals the last is the greatest one: the first shall be.
        best.rev().max_by_key(|(_, thousandths)| *thousandths).map(|(format, _)| format).ok_or_else(
            || {
                let detail = "Accept application/json or text/csv; nothing else is answered here.";
                Problem::new(Code::NotAcceptable, detail)
            },
        )
    }
}

/// A media range and how well it is liked, in thousandths.
struct Range<'a> {
    kind: &'a str,
    subtype: &'a str,
    thousandths: u16,
}

impl<'a> Range<'a> {
    /// None for what isn't one.
    fn of(text: &'a str) -> Option<Self> {
        let mut parameters = text.split(';').map(str::trim);
        let (kind, subtype) = parameters.next()?.split_once('/')?;
        if kind.is_empty() || subtype.is_empty() || (kind == "*" && subtype != "*") {
            return None;
        }
        let q = parameters.find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            name.eq_ignore_ascii_case("q").then_some(value)
        });
        let thousandths = q.map_or(Some(1_000), thousandths)?;
        Some(Self { kind, subtype, thousandths })
    }

    /// How closely it names a form: 0 not at all.
    fn closeness(&self, format: Format) -> u8 {
        let (kind, subtype) = format.media_type();
        if self.kind == "*" {
            1
        } else if !self.kind.eq_ignore_ascii_case(kind) {
            0
        } else if self.subtype == "*" {
            2
        } else if self.subtype.eq_ignore_ascii_case(subtype) {
            3
        } else {
            0
        }
    }
}

/// The range that names a form most closely says how well it is liked.
fn liking(format: Format, ranges: &[Range<'_>]) -> u16 {
    let named = ranges.iter().filter(|range| range.closeness(format) > 0);
    named.max_by_key(|range| range.closeness(format)).map_or(0, |range| range.thousandths)
}

/// `0`, `0.5`, `1.000`: at most three places, at most one.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, places) = text.split_once('.').unwrap_or((text, ""));
    let is_sane = places.len() <= 3 && places.bytes().all(|b| b.is_ascii_digit());
    let whole = match whole {
        "0" => 0,
        "1" => 1_000,
        _ => return None,
    };
    let part: u16 = if is_sane { format!("{places:0<3}").parse().ok()? } else { return None };
    Some(whole + part).filter(|thousandths| *thousandths <= 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&str]) -> Option<Format> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(ACCEPT, value.parse().unwrap());
        }
        Format::of(&headers).ok()
    }

    #[test]
    fn what_is_liked_best_is_answered() {
        for (accept, expected) in [
            (&[] as &[&str], Some(Format::Json)),
            (&[""], Some(Format::Json)),
            (&["*/*"], Some(Format::Json)),
            (&["text/csv"], Some(Format::Csv)),
            (&["TEXT/CSV;header=present"], Some(Format::Csv)),
            (&["text/*"], Some(Format::Csv)),
            (&["text/csv, application/json"], Some(Format::Json)),
            (&["text/csv, application/json;q=0.999"], Some(Format::Csv)),
            (&["application/json; Q=0.2", "text/csv;q=0.3"], Some(Format::Csv)),
            (&["application/json;q=0, */*;q=0.1"], Some(Format::Csv)),
            (&["text/html, application/xhtml+xml, */*;q=0.8"], Some(Format::Json)),
            (&["text/html"], None),
            (&["text/csv;q=0"], None),
            (&["*/*;q=0"], None),
            (&["nonsense"], None),
            (&["*/csv"], None),
            (&["text/csv;q=2"], None),
            (&["text/csv;q=0.1234"], None),
            (&["text/csv;q=1.001"], None),
            (&["text/csv;q="], None),
        ] {
            assert_eq!(of(accept), expected, "{accept:?}");
        }
    }

    #[test]
    fn neither_is_one_clear_line() {
        let mut headers = HeaderMap::new();
        headers.append(ACCEPT, "image/png".parse().unwrap());
        let problem = Format::of(&headers).unwrap_err();
        assert_eq!(problem.status(), 406);
        assert!(problem.detail.contains("text/csv") && !problem.detail.contains('\n'));
    }
}
