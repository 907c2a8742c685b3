//! Hexadecimal, both ways: for references, signatures and percent-encoding.

/// The value of two hexadecimal digits.
pub(crate) fn byte(high: u8, low: u8) -> Option<u8> {
    Some(digit(high)? << 4 | digit(low)?)
}

/// The bytes of a text of digits, if it is one.
pub(crate) fn bytes(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| byte(*high, *low)).collect())?
}

/// The lower-case digits of bytes.
pub(crate) fn text(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| digits(*byte)).map(char::from).collect()
}

/// The two lower-case digits of a byte.
pub(crate) fn digits(byte: u8) -> [u8; 2] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]
}

fn digit(character: u8) -> Option<u8> {
    char::from(character).to_digit(16).map(|digit| digit as u8)
}

#[cfg(test)]
mod tests {
    #[test]
    fn both_ways() {
        assert_eq!(super::text(&[0x00, 0xaf, 0x10]), "00af10");
        assert_eq!(super::bytes("00Af10"), Some(vec![0x00, 0xaf, 0x10]));
        assert_eq!(super::bytes("abc"), None);
        assert_eq!(super::bytes("zz"), None);
    }
}
