//! What an exchange with a provider means for a try. One table, so that it can be read: only what
//! was certainly not taken may be tried again.

use std::time::Duration;

use contract::DeliveryOutcome;

use super::Answer;
use super::client::Exchange;

/// The longest wait that a provider may ask for. Longer is a mistake, or means that the texts are
/// wanted by nobody any more.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(600);

/// Twilio's code for a recipient who answered STOP (twilio.com/docs/api/errors/21610).
const OPTED_OUT: i32 = 21_610;

/// What a provider's answer says beside its status.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// Its name for the text.
    pub(super) provider_ref: Option<String>,
    /// Its code for what is wrong.
    pub(super) error_code: Option<i32>,
    /// It says in its own words that it refused.
    pub(super) is_refusal: bool,
}

/// What an exchange means; `read` takes what is said from a complete body.
pub(super) fn judge(exchange: Exchange, read: impl FnOnce(&[u8]) -> Said) -> Answer {
    let (status, retry_after, body) = match exchange {
        // The connection never stood, so nothing was written.
        Exchange::NotConnected => return bare(DeliveryOutcome::Transient),
        // It broke, or the time was over, after something may have been written: also on a
        // connection that was used before.
        Exchange::Lost => return bare(DeliveryOutcome::Ambiguous),
        Exchange::Answered { status, retry_after, body } => (status, retry_after, body),
    };
    let said = read(&body);
    let outcome = outcome(status, &said);
    Answer {
        outcome,
        http_status: i16::try_from(status).ok(),
        error_code: said.error_code,
        provider_ref: said.provider_ref,
        retry_after: retry_after.map(|wait| wait.min(RETRY_AFTER_MAX)),
        is_opted_out: said.error_code == Some(OPTED_OUT),
    }
}

fn outcome(status: u16, said: &Said) -> DeliveryOutcome {
    match status {
        200..=299 if said.provider_ref.is_some() => DeliveryOutcome::Sent,
        // Taken, but under which name? Looking it up tells.
        200..=299 => DeliveryOutcome::Ambiguous,
        // Our key or our address is wrong, which says nothing about the text: it waits until
        // somebody has put that right, or its appointment begins.
        401 | 403 | 404 if said.error_code.is_none_or(is_about_us) => DeliveryOutcome::Transient,
        // It took too long to come, or too many came at once.
        408 | 425 | 429 => DeliveryOutcome::Transient,
        400..=499 if said.is_refusal => DeliveryOutcome::Failed,
        // Something between the provider and us answered, or the provider without a word of its
        // own: it says what it got, not what it passed on or began. Though a key makes another try
        // safe, the text may be there: whoever cancels it isn't told that it was in time.
        502 | 504 => DeliveryOutcome::Ambiguous,
        500..=599 if !said.is_refusal => DeliveryOutcome::Ambiguous,
        // A complete answer that isn't the provider's word on the text.
        _ => DeliveryOutcome::Transient,
    }
}

/// Twilio's codes 20003 and 20404: the account or its token isn't known.
const fn is_about_us(code: i32) -> bool {
    matches!(code, 20_003 | 20_404)
}

pub(super) const fn bare(outcome: DeliveryOutcome) -> Answer {
    Answer {
        outcome,
        http_status: None,
        error_code: None,
        provider_ref: None,
        retry_after: None,
        is_opted_out: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::DeliveryOutcome::{Ambiguous, Failed, Sent, Transient};

    fn said(provider_ref: Option<&str>, error_code: Option<i32>) -> Said {
        Said {
            provider_ref: provider_ref.map(str::to_owned),
            error_code,
            is_refusal: error_code.is_some(),
        }
    }

    #[test]
    fn what_answers_mean() {
        let table = [
            (201, said(Some("SM1"), None), Sent),
            (200, said(Some("SM1"), None), Sent),
            (201, said(None, None), Ambiguous),
            (302, said(None, None), Transient),
            (400, said(None, Some(21_211)), Failed),
            (400, said(None, Some(21_610)), Failed),
            (400, said(None, None), Transient),
            (401, said(None, Some(20_003)), Transient),
            (403, said(None, Some(21_408)), Failed),
            (404, said(None, Some(20_404)), Transient),
            (404, said(None, None), Transient),
            (408, said(None, None), Transient),
            (429, said(None, Some(20_429)), Transient),
            (500, said(None, Some(20_500)), Transient),
            (500, said(None, None), Ambiguous),
            (502, said(None, None), Ambiguous),
            (502, said(None, Some(20_502)), Ambiguous),
            (503, said(None, Some(20_503)), Transient),
            (503, said(None, None), Ambiguous),
            (504, said(None, None), Ambiguous),
            // As a CDN has them for a server behind it that broke off or took too long.
            (520, said(None, None), Ambiguous),
            (524, said(None, None), Ambiguous),
        ];
        for (status, said, expected) in table {
            assert_eq!(outcome(status, &said), expected, "{status} {said:?}");
        }
    }

    #[test]
    fn what_broken_exchanges_mean() {
        let read = |_: &[u8]| Said::default();
        assert_eq!(judge(Exchange::NotConnected, read).outcome, Transient);
        assert_eq!(judge(Exchange::Lost, read).outcome, Ambiguous);
        let answered = Exchange::Answered {
            status: 429,
            retry_after: Some(Duration::from_secs(86_400)),
            body: "x".into(),
        };
        let answer = judge(answered, read);
        assert_eq!(answer.retry_after, Some(RETRY_AFTER_MAX));
        assert_eq!(answer.http_status, Some(429));
    }
}
