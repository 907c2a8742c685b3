//! How many SMS segments a text takes: GSM 03.38 where every character is in it, else UCS-2.
//!
//! Here belongs the simulator's own count, so that the service's can be checked against it.

/// Characters of the GSM 03.38 basic table that aren't ASCII letters or digits.
const GSM_BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./:;<=>?¡ÄÖÑÜ§¿äöñüà";

/// Characters of its extension table: an escape and one more septet.
const GSM_EXTENSION: &str = "^{}\\[~]|€\u{c}";

/// A lone segment holds 160 septets or 70 UTF-16 units; one of several loses six octets to its
/// header (3GPP TS 23.040, section 9.2.3.24).
const GSM_SEGMENT: [usize; 2] = [160, 153];
const UCS2_SEGMENT: [usize; 2] = [70, 67];

/// The number of segments, at least one.
pub(crate) fn count(text: &str) -> usize {
    let gsm = text.chars().map(septets).collect::<Option<Vec<_>>>();
    match gsm {
        Some(units) => fill(units.into_iter(), GSM_SEGMENT),
        None => fill(text.chars().map(char::len_utf16), UCS2_SEGMENT),
    }
}

/// Fills segments with characters of one or two units; a character is never split.
fn fill(units: impl Iterator<Item = usize> + Clone, [alone, joined]: [usize; 2]) -> usize {
    if units.clone().sum::<usize>() <= alone {
        return 1;
    }
    let (full, _) = units.fold((0, 0), |(full, used), unit| {
        if used + unit > joined { (full + 1, unit) } else { (full, used + unit) }
    });
    full + 1
}

fn septets(character: char) -> Option<usize> {
    if character.is_ascii_alphanumeric() || GSM_BASIC.contains(character) {
        Some(1)
    } else if GSM_EXTENSION.contains(character) {
        Some(2)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn boundaries() {
        let cases = [
            ("", 1),
            (&"a".repeat(160), 1),
            (&"a".repeat(161), 2),
            (&"a".repeat(306), 2),
            (&"a".repeat(307), 3),
            (&"€".repeat(80), 1),
            (&"€".repeat(81), 2),
            // 76 pairs fill 152 of 153 septets: the 77th can't be split.
            (&"€".repeat(153), 3),
            (&"ж".repeat(70), 1),
            (&"ж".repeat(71), 2),
            (&"\u{1f44d}".repeat(35), 1),
            (&"\u{1f44d}".repeat(36), 2),
            // 33 pairs fill 66 of 67 units.
            (&"\u{1f44d}".repeat(67), 3),
            ("Grüße, Ihr Termin: 15 % [x]", 1),
        ];
        for (text, wanted) in cases {
            assert_eq!(count(text), wanted, "{} characters of {:?}", text.chars().count(), text);
        }
    }
}
