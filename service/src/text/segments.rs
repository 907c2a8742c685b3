//! How many SMS segments a text takes: 3GPP TS 23.038 (the GSM-7 alphabet) and TS 23.040
//! (concatenation). The unit in which providers count and charge.

/// Septets in a text that needs no other, and in each part of one that does: the header of a part
/// takes the place of seven.
const GSM_ALONE: usize = 160;
const GSM_PART: usize = 153;
/// The same in UTF-16 code units, for texts with a character that GSM-7 lacks.
const UCS2_ALONE: usize = 70;
const UCS2_PART: usize = 67;

/// How many segments a text takes; an empty one takes one.
pub(crate) fn segments(text: &str) -> i16 {
    let sizes: Option<Vec<usize>> = text.chars().map(septets).collect();
    let count = match sizes {
        Some(sizes) => count(sizes.into_iter(), GSM_ALONE, GSM_PART),
        None => count(text.chars().map(char::len_utf16), UCS2_ALONE, UCS2_PART),
    };
    i16::try_from(count).unwrap_or(i16::MAX)
}

/// Fills parts one after the other: an escaped character or a surrogate pair is never split.
fn count(sizes: impl Iterator<Item = usize>, alone: usize, part: usize) -> usize {
    let (mut total, mut parts, mut filled) = (0, 1, 0);
    for size in sizes {
        total += size;
        if filled + size > part {
            parts += 1;
            filled = 0;
        }
        filled += size;
    }
    if total <= alone { 1 } else { parts }
}

/// How many septets a character takes in GSM-7: one, two behind an escape, or it isn't in there.
const fn septets(c: char) -> Option<usize> {
    match c {
        'A'..='Z' | 'a'..='z' | '0'..='9' => Some(1),
        ' ' | '\n' | '\r' | '!' | '"' | '#' | '$' | '%' | '&' | '\'' | '(' | ')' | '*' | '+'
        | ',' | '-' | '.' | '/' | ':' | ';' | '<' | '=' | '>' | '?' | '@' | '_' => Some(1),
        '£' | '¥' | 'è' | 'é' | 'ù' | 'ì' | 'ò' | 'Ç' | 'Ø' | 'ø' | 'Å' | 'å' | 'Δ' | 'Φ' | 'Γ'
        | 'Λ' | 'Ω' | 'Π' | 'Ψ' | 'Σ' | 'Θ' | 'Ξ' | 'Æ' | 'æ' | 'ß' | 'É' | '¤' | '¡' | 'Ä'
        | 'Ö' | 'Ñ' | 'Ü' | '§' | '¿' | 'ä' | 'ö' | 'ñ' | 'ü' | 'à' => Some(1),
        '^' | '{' | '}' | '\\' | '[' | '~' | ']' | '|' | '€' | '\u{c}' => Some(2),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_known_length() {
        let table: &[(String, i16)] = &[
            (String::new(), 1),
            ("x".repeat(160), 1),
            ("x".repeat(161), 2),
            ("x".repeat(306), 2),
            ("x".repeat(307), 3),
            // The euro sign takes two septets.
            ("€".repeat(80), 1),
            ("€".repeat(81), 2),
            // 153 is odd: the 77th euro sign doesn't fit into the first part with 76 before it.
            (format!("{}{}", "€".repeat(76), "x".repeat(8)), 1),
            (format!("{}{}", "€".repeat(77), "x".repeat(152)), 3),
            (format!("{}{}", "€".repeat(77), "x".repeat(151)), 2),
            // One character outside GSM-7 makes the whole text UCS-2.
            ("ã".repeat(70), 1),
            ("ã".repeat(71), 2),
            ("ã".repeat(134), 2),
            ("ã".repeat(135), 3),
            (format!("ã{}", "x".repeat(69)), 1),
            (format!("ã{}", "x".repeat(70)), 2),
            // A character outside the basic plane takes two units and isn't split.
            ("😀".repeat(35), 1),
            ("😀".repeat(36), 2),
            ("😀".repeat(66), 2),
            ("😀".repeat(67), 3),
            ("àéìòùÄÖÜäöüß".to_owned(), 1),
        ];
        for (text, expected) in table {
            assert_eq!(segments(text), *expected, "{} characters", text.chars().count());
        }
    }
}
