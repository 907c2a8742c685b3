//! A phone number: E.164 digits in an integer, as it is stored. It prints masked, so that a log
//! line or an error can carry it without telling whose it is; the full number leaves only through
//! [`Phone::e164`].
//!
//! Never here: what kind of number it is or who may be texted.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A phone number in E.164 form.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Phone(i64);

/// Shortest and longest number of digits: E.164 allows 15; no country's mobile numbers are
/// shorter than 8 with their country code.
const DIGITS: std::ops::RangeInclusive<usize> = 8..=15;

/// Why a text is no phone number. Says nothing of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a phone number in E.164 form: a plus sign and 8 to 15 digits, the first not 0")]
pub(crate) struct NotAPhone;

impl Phone {
    /// A number as the database stores it, if it is one.
    pub(crate) const fn from_i64(number: i64) -> Option<Self> {
        if number >= 10_000_000 && number <= 999_999_999_999_999 {
            Some(Self(number))
        } else {
            None
        }
    }

    /// As the database stores it.
    pub(crate) const fn as_i64(self) -> i64 {
        self.0
    }

    /// The full number with its plus sign: for the provider and for its own practice only.
    pub(crate) fn e164(self) -> String {
        format!("+{}", self.0)
    }
}

impl FromStr for Phone {
    type Err = NotAPhone;

    fn from_str(text: &str) -> Result<Self, NotAPhone> {
        let digits = text.strip_prefix('+').ok_or(NotAPhone)?;
        let sane = DIGITS.contains(&digits.len())
            && digits.bytes().all(|b| b.is_ascii_digit())
            && !digits.starts_with('0');
        if !sane {
            return Err(NotAPhone);
        }
        digits.parse().map(Self).map_err(|_| NotAPhone)
    }
}

/// The country's first digits and the last two; what lies between is a dot each.
impl fmt::Display for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        let shown = digits.len() - 2;
        let dots = "·".repeat(shown.saturating_sub(3));
        write!(f, "+{}{dots}{}", &digits[..3], &digits[shown..])
    }
}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Phone {
    /// In full: only what a practice or a provider reads is serialised.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.e164())
    }
}

impl<'de> Deserialize<'de> for Phone {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Phone;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a phone number in E.164 form, such as +99912345678")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Phone, E> {
                let shown = serde::de::Unexpected::Other("other text");
                text.parse().map_err(|NotAPhone| E::invalid_value(shown, &self))
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

impl JsonSchema for Phone {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Phone".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": r"^\+[1-9][0-9]{7,14}$",
            "description": "A phone number in E.164 form.",
            "examples": ["+99912345678"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_are_and_are_not() {
        for good in ["+99912345", "+999123456789012"] {
            let phone: Phone = good.parse().unwrap();
            assert_eq!(phone.e164(), good);
            assert_eq!(Phone::from_i64(phone.as_i64()), Some(phone));
        }
        for bad in [
            "",
            "+",
            "99912345678",
            "+0991234567",
            "+9991234",
            "+9991234567890123",
            "+999 1234567",
            "+999١٢٣٤٥٦٧٨",
            "++9991234567",
            "+-9991234567",
        ] {
            assert_eq!(bad.parse::<Phone>(), Err(NotAPhone), "{bad}");
        }
        assert_eq!(Phone::from_i64(-5), None);
        assert_eq!(Phone::from_i64(9_999_999), None);
    }

    #[test]
    fn printed_masked() {
        let phone: Phone = "+99912345678".parse().unwrap();
        assert_eq!(phone.to_string(), "+999······78");
        assert_eq!(format!("{phone:?}"), "+999······78");
        let short: Phone = "+99912345".parse().unwrap();
        assert_eq!(short.to_string(), "+999···45");
    }

    #[test]
    fn json_in_full_and_errors_without_the_number() {
        let phone: Phone = serde_json::from_str(r#""+99987654321""#).unwrap();
        assert_eq!(serde_json::to_string(&phone).unwrap(), r#""+99987654321""#);
        let error = serde_json::from_str::<Phone>(r#""99987654321""#).unwrap_err().to_string();
        assert!(!error.contains("87654321"), "{error}");
    }
}
