//! Causality tokens: up to where a write got in the log of which history of which database. Given
//! with a read, whoever answers it has seen that write.
//!
//! A history is a database system and a timeline of it: a promotion begins another timeline, and
//! positions of two timelines can't be compared. Never here: who has got how far (`view`).

use std::fmt;
use std::str::FromStr;

use contract::Limit;

use crate::obs;

const VERSION: &str = "1";

/// A line of events that positions can be compared on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct History {
    /// What the server's cluster was given when it was made.
    pub(crate) system: u64,
    /// Counts the promotions.
    pub(crate) timeline: u32,
}

impl History {
    /// Whether a promotion led from the one to the other.
    pub(crate) const fn is_before(self, other: Self) -> bool {
        self.system == other.system && self.timeline < other.timeline
    }
}

/// A position in a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token {
    /// On which line.
    pub(crate) history: History,
    /// Bytes of log: never zero.
    pub(crate) lsn: u64,
}

/// What a read has to have seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum After {
    /// Nothing in particular.
    #[default]
    Nothing,
    /// Everything up to a position.
    At(Token),
    /// Positions in several databases: only the primary can tell.
    Several,
}

/// Clients hand tokens back as they got them: version, system, timeline and position, in
/// hexadecimal digits without leading zeros.
impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let History { system, timeline } = self.history;
        write!(f, "{VERSION}.{system:x}.{timeline:x}.{:x}", self.lsn)
    }
}

/// A text that is no token of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotAToken;

impl FromStr for Token {
    type Err = NotAToken;

    fn from_str(text: &str) -> Result<Self, NotAToken> {
        let mut parts = text.split('.');
        let mut part = || parts.next().ok_or(NotAToken);
        if part()? != VERSION {
            return Err(NotAToken);
        }
        let [system, timeline, lsn] = [number(part()?)?, number(part()?)?, number(part()?)?];
        // PostgreSQL itself never counts timelines further than an `int4` shows.
        let timeline = i32::try_from(timeline).map_err(|_| NotAToken)?.unsigned_abs();
        if parts.next().is_some() {
            return Err(NotAToken);
        }
        Ok(Self { history: History { system, timeline }, lsn })
    }
}

/// Above zero, in one spelling only.
fn number(text: &str) -> Result<u64, NotAToken> {
    let is_digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    if text.is_empty() || text.starts_with('0') || !text.bytes().all(is_digit) {
        return Err(NotAToken);
    }
    u64::from_str_radix(text, 16).map_err(|_| NotAToken)
}

impl After {
    /// Reads the values of a request's headers: each may hold several tokens, between commas, and
    /// all together not more than so many.
    pub(crate) fn read<'a>(
        values: impl Iterator<Item = &'a str>,
        tokens_max: usize,
    ) -> Result<Self, NotAToken> {
        let texts = values.flat_map(|value| value.split(',')).map(str::trim);
        texts.enumerate().try_fold(Self::Nothing, |after, (i, text)| {
            if i >= tokens_max {
                obs::limit::reached(Limit::ReadTokens);
                return Err(NotAToken);
            }
            Ok(after.and(text.parse()?))
        })
    }

    /// What has seen both. A later timeline has all that was kept of the ones before.
    #[must_use]
    pub(crate) fn and(self, token: Token) -> Self {
        match self {
            Self::Nothing => Self::At(token),
            Self::At(known) if known.history == token.history => {
                Self::At(Token { lsn: known.lsn.max(token.lsn), ..token })
            }
            Self::At(known) if known.history.is_before(token.history) => Self::At(token),
            Self::At(known) if token.history.is_before(known.history) => self,
            Self::At(_) | Self::Several => Self::Several,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn token(timeline: u32, lsn: u64) -> Token {
        Token { history: History { system: 7_300_000_000_000_000_001, timeline }, lsn }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            system in 1..=u64::MAX,
            timeline in 1..=i32::MAX,
            lsn in 1..=u64::MAX,
        ) {
            let history = History { system, timeline: timeline.unsigned_abs() };
            let token = Token { history, lsn };
            prop_assert_eq!(token.to_string().parse(), Ok(token));
        }

        #[test]
        fn nothing_makes_it_panic_and_nothing_is_read_that_is_not_written_so(text in "\\PC{0,60}") {
            if let Ok(token) = text.parse::<Token>() {
                prop_assert_eq!(token.to_string(), text);
            }
        }
    }

    #[test]
    fn what_is_out_of_range_is_no_token() {
        let good = token(1, 0x1600_0028).to_string();
        assert_eq!(good, "1.654ecf52ac5a0001.1.16000028");
        for bad in [
            "",
            "1",
            "1.7.1",
            "1.7.1.1.1",
            "2.7.1.1",
            "1.7.1.0",
            "1.0.1.1",
            "1.7.0.1",
            "1.7.80000000.1",
            "1.7.1.10000000000000000",
            "1.7.1.01",
            "1.7.1.A",
            "1.7.1.-1",
            "1.7.1.+1",
            " 1.7.1.1",
        ] {
            assert_eq!(bad.parse::<Token>(), Err(NotAToken), "{bad}");
        }
    }

    #[test]
    fn of_several_the_furthest_counts_and_of_several_databases_none() {
        let (a, b, c) = (token(1, 5), token(1, 9), token(2, 7));
        let other = Token { history: History { system: 1, timeline: 1 }, lsn: 9 };
        let read = |tokens: &[Token]| {
            let values: Vec<String> = tokens.iter().map(Token::to_string).collect();
            After::read(values.iter().map(String::as_str), 8)
        };
        assert_eq!(read(&[]), Ok(After::Nothing));
        assert_eq!(read(&[b, a]), Ok(After::At(b)));
        assert_eq!(read(&[a, c, b]), Ok(After::At(c)), "the later timeline, wherever it stands");
        assert_eq!(read(&[a, other, a]), Ok(After::Several));
        let of_one = |value: String| After::read([value.as_str()].into_iter(), 8);
        assert_eq!(of_one(format!("{a}, {b}")), Ok(After::At(b)));
        assert_eq!(of_one(format!("{a},")), Err(NotAToken));
        assert_eq!(read(&[a; 8]), Ok(After::At(a)));
        assert_eq!(read(&[a; 9]), Err(NotAToken));
    }
}
