//! How long a step must be: so long that its rarest kind comes often enough to tell.
//!
//! Never here: what is sent in it (`any_service`, `own_stack`), or what its cases show
//! (`binomial`).

use contract::{Endpoint, Journey};
use stack::provider::Fates;

use super::binomial::cases_min;
use super::load::DRAWN;
use crate::day::{Arrival, Options};
use crate::dev;
use crate::exit::Failure;

/// So many times the fewest cases that could show an objective to be met: with the fewest, one bad
/// one would decide.
pub(super) const CASES: u64 = 4;
/// A step is never longer than so many times what was asked for.
pub(super) const LONGER_MAX: u32 = 10;
/// Texts of the smallest day: of fewer, nothing can be told.
const TEXTS_MIN: u64 = 1_000;

/// Texts of a day that is to have so many: longer, at the same rate, where the rarest critical kind
/// would come too seldom to tell.
pub(super) fn texts(asked: f64, enough: f64) -> u64 {
    let longest = asked * f64::from(LONGER_MAX);
    (asked.max(enough.min(longest)).ceil() as u64).max(TEXTS_MIN)
}

/// Texts of a day that has `CASES` times the fewest cases from which each of the two rarest
/// critical kinds can be told: calls to cancel, by a day's plan, and replies, by what becomes of
/// its texts.
pub(super) fn texts_enough(confidence: f64) -> Result<f64, Failure> {
    let plan = dev::plan(&Options { messages: DRAWN, book: Some(0), ..Options::default() })?;
    let is_call = |arrival: &&Arrival| arrival.request.endpoint() == Endpoint::CancelAppointment;
    let calls = plan.arrivals().iter().filter(is_call).count() as f64;
    let calls = calls / plan.promise().messages_min as f64;
    let replies = replies();
    let enough = |(a_text, objective): (f64, f64)| {
        cases_min(1.0 - objective, confidence).saturating_mul(CASES) as f64 / a_text.max(1e-9)
    };
    let kinds = [
        (calls, Endpoint::CancelAppointment.spec().latency_objective),
        (calls, Journey::CancelToSafe.spec().objective),
        (replies, Endpoint::ReceiveReply.spec().latency_objective),
        (replies, Journey::ReplyToShown.spec().objective),
    ];
    Ok(kinds.map(enough).into_iter().fold(0.0, f64::max))
}

/// Replies a text of an ordinary day.
fn replies() -> f64 {
    let day = Fates::day();
    let delivered = 1.0 - day.undelivered_share - day.failed_share;
    let replied = [day.reply_yes_share, day.reply_no_share, day.reply_stop_share];
    delivered * (replied.iter().sum::<f64>() + day.reply_text_share)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::own_stack::DAY_MIN;
    use super::*;
    use crate::day::Request;

    /// At the lowest rates that a search begins with, a day of a minute has too few of each.
    #[test]
    fn a_day_is_long_enough_for_its_rarest_critical_kind() {
        let least = cases_min(0.01, 0.95) as f64;
        let enough = texts_enough(0.95).unwrap();
        let messages = texts(50.0 * DAY_MIN.as_secs_f64(), enough);
        assert!(messages as f64 >= enough, "{messages} of {enough}");
        let plan = dev::plan(&Options { messages, book: Some(0), seed: 5, ..Options::default() });
        let plan = plan.unwrap();
        let calls = plan.arrivals().iter().filter(|a| matches!(a.request, Request::Cancel { .. }));
        // Of another seed and length the shares are others by a little.
        assert!(calls.count() as f64 > 0.75 * CASES as f64 * least, "{enough}");
        assert!(messages as f64 * replies() >= CASES as f64 * least, "{enough}");
        // Eight, one, a tenth and a half in a hundred of what is delivered.
        assert!((replies() - 0.98 * 0.096).abs() < 1e-9);
        assert!(texts_enough(0.99).unwrap() > 1.5 * enough, "to be surer takes more");
    }

    #[test]
    fn a_day_is_no_longer_than_it_must_be_and_never_without_end() {
        assert_eq!(texts(60_000.0, 12_000.0), 60_000);
        assert_eq!(texts(3_000.0, 12_000.0), 12_000);
        assert_eq!(texts(600.0, 12_000.0), 6_000);
        assert_eq!(texts(60.0, 12_000.0), TEXTS_MIN);
    }
}
