//! `application/x-www-form-urlencoded`, both ways, as browsers and Twilio do it.
//!
//! Here belongs the encoding alone (WHATWG URL standard, section 5); which fields there are is in
//! `twilio` and `callbacks`.

use std::borrow::Cow;
use std::fmt::Write;

use super::hex;

/// The decoded name and value pairs of a form or a query, in order. What is no UTF-8 becomes
/// U+FFFD and a stray `%` stands for itself, as the standard has it.
pub(crate) fn pairs(form: &[u8]) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    form.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).map(|pair| {
        let mut halves = pair.splitn(2, |byte| *byte == b'=');
        let name = halves.next().unwrap_or_default();
        (decode(name), decode(halves.next().unwrap_or_default()))
    })
}

/// Appends `name=value` to a form.
pub(crate) fn push(form: &mut String, name: &str, value: &str) {
    if !form.is_empty() {
        form.push('&');
    }
    encode(form, name);
    form.push('=');
    encode(form, value);
}

fn decode(text: &[u8]) -> Cow<'_, str> {
    if !text.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return String::from_utf8_lossy(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, tail)) = rest.split_first() {
        let (decoded, left) = match (byte, tail) {
            (b'+', _) => (b' ', tail),
            (b'%', &[high, low, ref left @ ..]) => match hex::byte(high, low) {
                Some(decoded) => (decoded, left),
                None => (b'%', tail),
            },
            (_, _) => (byte, tail),
        };
        bytes.push(decoded);
        rest = left;
    }
    Cow::Owned(match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    })
}

fn encode(form: &mut String, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'*' | b'-' | b'.' | b'_' => {
                form.push(char::from(byte));
            }
            b' ' => form.push('+'),
            _ => write!(form, "%{byte:02X}").expect("a String takes whatever is written"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(form: &str) -> Vec<(String, String)> {
        pairs(form.as_bytes()).map(|(name, value)| (name.into(), value.into())).collect()
    }

    #[test]
    fn decodes_what_clients_send() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            decoded("To=%2B99912345678&Body=a+b%20c%26d%3D%C3%A9&&Empty=&Bare"),
            [
                pair("To", "+99912345678"),
                pair("Body", "a b c&d=é"),
                pair("Empty", ""),
                pair("Bare", ""),
            ]
        );
        assert_eq!(decoded("DateSent>=2026-01-02"), [pair("DateSent>", "2026-01-02")]);
        assert_eq!(decoded("a=%zz%4&b=%ff"), [pair("a", "%zz%4"), pair("b", "\u{fffd}")]);
    }

    #[test]
    fn round_trips() {
        let mut form = String::new();
        push(&mut form, "Body", "Größe & 100 % = \u{1f44d}\n~");
        push(&mut form, "To", "+999");
        assert!(form.is_ascii());
        assert_eq!(decoded(&form)[0].1, "Größe & 100 % = \u{1f44d}\n~");
        assert_eq!(decoded(&form)[1].1, "+999");
    }
}
