//! What a reply means, where it is one of the words that carriers and patients use. The opt-out
//! words are those that Twilio and the CTIA's messaging principles name.

/// The meaning of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Keyword {
    /// The appointment is confirmed.
    Yes,
    /// The appointment can't be kept.
    No,
    /// No more texts.
    Stop,
    /// Texts again.
    Start,
    /// Anything else: a person reads it.
    Text,
}

impl Keyword {
    /// Reads a reply: its first word decides, if nothing or only marks follow it.
    pub(crate) fn of(body: &str) -> Self {
        let word: String = body
            .trim()
            .trim_end_matches(|c: char| c.is_ascii_punctuation() || c.is_whitespace())
            .to_lowercase();
        match word.as_str() {
            "yes" | "y" | "c" | "confirm" | "confirmed" | "ok" | "sim" | "s" => Self::Yes,
            "no" | "n" | "não" | "nao" => Self::No,
            "stop" | "stopall" | "unsubscribe" | "cancel" | "end" | "quit" | "revoke"
            | "optout" | "parar" => Self::Stop,
            "start" | "unstop" => Self::Start,
            _ => Self::Text,
        }
    }

    /// As it is stored with the reply and the message.
    pub(crate) const fn stored(self) -> i8 {
        match self {
            Self::Yes => b'y'.cast_signed(),
            Self::No => b'n'.cast_signed(),
            Self::Stop => b's'.cast_signed(),
            Self::Start | Self::Text => b't'.cast_signed(),
        }
    }

    /// Whether it changes what the patient agreed to: `Some(true)` for no more texts.
    pub(crate) const fn opts_out(self) -> Option<bool> {
        match self {
            Self::Stop => Some(true),
            Self::Start => Some(false),
            Self::Yes | Self::No | Self::Text => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        for (body, keyword) in [
            ("YES", Keyword::Yes),
            (" yes! ", Keyword::Yes),
            ("Sim.", Keyword::Yes),
            ("no", Keyword::No),
            ("Não", Keyword::No),
            ("STOP", Keyword::Stop),
            ("Stop.", Keyword::Stop),
            ("start", Keyword::Start),
            ("yes but could I come later?", Keyword::Text),
            ("stopping by at nine", Keyword::Text),
            ("", Keyword::Text),
        ] {
            assert_eq!(Keyword::of(body), keyword, "{body:?}");
        }
    }
}
