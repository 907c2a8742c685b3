//! Signatures: made with the library that TLS needs anyway, compared in constant time.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes whatever is written");
        text
    })
}

/// The bytes that hexadecimal digits stand for.
pub(super) fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let nibble = |digit: u8| (digit as char).to_digit(16).and_then(|n| u8::try_from(n).ok());
    digits.chunks_exact(2).map(|pair| Some(nibble(pair[0])? << 4 | nibble(pair[1])?)).collect()
}

/// Twilio's: base64 of the HMAC-SHA1, keyed by the account's token, of the whole address and then
/// each field's name and value in the order of the names
/// (twilio.com/docs/usage/security#validating-requests).
pub(super) fn twilio_is_right(
    key: &hmac::Key,
    url: &str,
    fields: &[(String, String)],
    signature: &str,
) -> bool {
    let Ok(tag) = STANDARD.decode(signature) else { return false };
    let mut sorted: Vec<&(String, String)> = fields.iter().collect();
    sorted.sort();
    sorted.dedup();
    let mut signed = url.to_owned();
    for (name, value) in sorted {
        signed.push_str(name);
        signed.push_str(value);
    }
    hmac::verify(key, signed.as_bytes(), &tag).is_ok()
}

/// Our own for JSON, as others have it too: `sha256=` and the HMAC-SHA256 of the body in hex.
pub(super) fn of_json(key: &hmac::Key, body: &[u8]) -> String {
    format!("sha256={}", hex(hmac::sign(key, body).as_ref()))
}

/// Whether that is the signature of the body.
pub(super) fn json_is_right(key: &hmac::Key, body: &[u8], signature: &str) -> bool {
    signature
        .strip_prefix("sha256=")
        .and_then(from_hex)
        .is_some_and(|tag| hmac::verify(key, body, &tag).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twilios_own_example() {
        // From Twilio's documentation and the tests of its client libraries.
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, b"12345");
        let fields = [
            ("To", "+18005551212"),
            ("From", "+14158675309"),
            ("Digits", "1234"),
            ("Caller", "+14158675309"),
            ("CallSid", "CA1234567890ABCDE"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let url = "https://mycompany.com/myapp.php?foo=1&bar=2";
        let signature = "RSOYDt4T1cUTdK1PDd93/VVr8B8=";
        assert!(twilio_is_right(&key, url, &fields, signature));
        assert!(!twilio_is_right(&key, &url[1..], &fields, signature));
        assert!(!twilio_is_right(&key, url, &fields[1..], signature));
        assert!(!twilio_is_right(&key, url, &fields, "not base64!"));
    }

    #[test]
    fn json_signatures_are_of_the_exact_body() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"secret");
        let signature = of_json(&key, b"{}");
        assert!(json_is_right(&key, b"{}", &signature));
        assert!(json_is_right(&key, b"{}", &signature.to_uppercase().replace("SHA256", "sha256")));
        for wrong in
            ["", "sha256=", "sha256=zz", &signature[7..], &signature[..signature.len() - 2]]
        {
            assert!(!json_is_right(&key, b"{}", wrong), "{wrong}");
        }
        assert!(!json_is_right(&key, b"{ }", &signature));
    }

    #[test]
    fn hexadecimal_there_and_back() {
        assert_eq!(hex(&[0, 15, 255]), "000fff");
        assert_eq!(from_hex("000fff"), Some(vec![0, 15, 255]));
        assert_eq!(from_hex("0"), None);
        assert_eq!(from_hex("+f"), None);
        assert_eq!(from_hex("é"), None);
    }
}
