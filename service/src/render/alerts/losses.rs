//! Part of `alerts/work.rules.yaml`: what came to a bad end: reminders that were given up, texts of
//! which nobody knows whether they arrived, and texts that left and don't arrive.
//!
//! Never here: what has come to no end yet (`work`), and how long anything takes (`burn`): for that
//! a text that is given up took too long.

use contract::{Family, Fate, Journey};

use super::model::{Alert, Board, Rule, Severity, lines, one_of};

const MESSAGES: &str = Family::Messages.name();
const JOURNEYS: &str = Family::JourneyDuration.name();

pub(super) const LOST: &str = "PunctualMessagesLost";
pub(super) const RECEIPTS: &str = "PunctualReceiptsMissing";
pub(super) const UNDELIVERED: &str = "PunctualMessagesUndelivered";

pub(super) fn rules() -> Vec<Rule> {
    let given_up = LOST_ABOVE.iter().map(given_up);
    let undelivered = UNDELIVERED_ABOVE.iter().map(undelivered);
    given_up.chain([receipts_missing()]).chain(undelivered).map(Rule::from).collect()
}

/// Which share may come to a bad end, and over how long.
struct Bound {
    severity: Severity,
    window: &'static str,
    words: &'static str,
    /// Above this share.
    share: f64,
    /// And no fewer than so many.
    least: u32,
    /// It goes on while it went on within this, so that the alert ends soon after the trouble does.
    recent: &'static str,
    hold: &'static str,
    why: &'static str,
}

/// Of what came to an end, what may be given up.
const LOST_ABOVE: [Bound; 3] = [
    Bound {
        severity: Severity::Critical,
        window: "10m",
        words: "ten minutes",
        share: 0.2,
        least: 10,
        recent: "10m",
        hold: "1m",
        why: "What a provider refuses for good (an account that may not send, a sender that is \
              gone) is over at its first try, and nothing that waits tells of it. What it can't \
              take now waits until its appointment begins; then it is lost as well. A fifth is \
              told within three minutes. Numbers that don't exist are a few in a hundred; ten at \
              least, so that one practice's list of wrong ones is no page.",
    },
    Bound {
        severity: Severity::Critical,
        window: "6h",
        words: "6 hours",
        share: 0.5,
        least: 5,
        recent: "1h",
        hold: "5m",
        why: "For a quiet hour, in which ten are not reached: half of all, and five of them, are \
              more than wrong numbers are.",
    },
    Bound {
        severity: Severity::Warning,
        window: "6h",
        words: "6 hours",
        share: 0.05,
        least: 20,
        recent: "1h",
        hold: "15m",
        why: "More than wrong numbers usually are, for a working day's quarter: some practice's \
              list, a sender that a carrier refuses, or texts that come too late.",
    },
];

/// Of the receipts that say how a text ended, those that may say that it won't arrive.
const UNDELIVERED_ABOVE: [Bound; 3] = [
    Bound {
        severity: Severity::Critical,
        window: "10m",
        words: "ten minutes",
        share: 0.2,
        least: 20,
        recent: "5m",
        hold: "1m",
        why: "Usual are two or three in a hundred: landlines, and numbers that are nobody's any \
              more. When all is blocked, a fifth is told within four minutes; a carrier that \
              filters a quarter of all phones is told as well. It ends within five minutes of the \
              trouble. Twenty at least, so that one practice's list of wrong numbers is no page.",
    },
    Bound {
        severity: Severity::Critical,
        window: "6h",
        words: "6 hours",
        share: 0.5,
        least: 5,
        recent: "1h",
        hold: "5m",
        why: "For a quiet hour, in which twenty are not reached: half of all, and five of them, \
              are more than wrong numbers are.",
    },
    Bound {
        severity: Severity::Warning,
        window: "6h",
        words: "6 hours",
        share: 0.1,
        least: 20,
        recent: "1h",
        hold: "15m",
        why: "Three times what is usual, for a working day's quarter: a sender of one practice \
              that is blocked, a small carrier, or a list of numbers that don't exist.",
    },
];

/// Reminders that came to one of some fates within a window.
fn increase(fates: &[Fate], window: &str) -> String {
    let names: Vec<&str> = fates.iter().map(|fate| fate.name()).collect();
    format!("sum by (job) (increase({MESSAGES}{{{}}}[{window}]))", one_of("fate", &names))
}

const GIVEN_UP: [Fate; 2] = [Fate::Failed, Fate::Expired];

fn given_up(bound: &Bound) -> Alert {
    let Bound { severity, window, words, share, least, recent, hold, why } = *bound;
    // What was suppressed was not to leave.
    let ended = increase(&[Fate::Sent, Fate::Failed, Fate::Expired], window);
    let lost = increase(&GIVEN_UP, window);
    let expr = lines([
        lost.clone(),
        format!("  / ({ended} > 0) > {share}"),
        format!("and {lost} >= {least}"),
        format!("and {} > 0", increase(&GIVEN_UP, recent)),
    ]);
    Alert::new(LOST, severity, Board::Pipeline)
        .when(expr)
        .hold(hold)
        .label("window", window)
        .why(why)
        .says(
            "Reminders are given up.",
            format!(
                "{{{{ $value | humanizePercentage }}}} of the reminders that were to leave in the \
                 last {words} were given up: the provider refused them for good, or it was too \
                 late. Nobody sends them any more."
            ),
        )
}

/// Receipts alone would tell of the past: phones that were off all day are given up by their
/// carriers in the evening, when hardly anything leaves any more. So the same share and as many
/// must be missing among what left in the same time.
fn undelivered(bound: &Bound) -> Alert {
    let Bound { severity, window, words, share, least, recent, hold, why } = *bound;
    let bad = |window| increase(&[Fate::Undelivered], window);
    let heard = |window| increase(&[Fate::Delivered, Fate::Undelivered], window);
    let left = increase(&[Fate::Sent], window);
    let astray = format!("{left} - {}", increase(&[Fate::Delivered], window));
    let expr = lines([
        bad(window),
        format!("  / ({} > 0) > {share}", heard(window)),
        format!("and {} >= {least}", bad(window)),
        format!("and {} > {share} * {}", bad(recent), heard(recent)),
        format!("and {astray} > {share} * {left}"),
        format!("and {astray} >= {least}"),
    ]);
    Alert::new(UNDELIVERED, severity, Board::Pipeline)
        .when(expr)
        .hold(hold)
        .label("window", window)
        .why(why)
        .says(
            "Texts leave and don't arrive.",
            format!(
                "{{{{ $value | humanizePercentage }}}} of the receipts of the last {words} say \
                 that a text will not arrive. The provider takes the texts, and carriers refuse \
                 them: a sender that is blocked, or a filter. Nobody sends those reminders again."
            ),
        )
}

fn receipts_missing() -> Alert {
    let of = |journey: Journey, window: &str| {
        let ended = format!("{JOURNEYS}_count{{journey=\"{}\"}}", journey.name());
        format!("sum by (job) (increase({ended}{window}))")
    };
    let expr = lines([
        format!("1 - {}", of(Journey::HandedOverToReceipt, "[35m]")),
        format!("    / ({} >= 20)", of(Journey::DueToHandedOver, "[30m] offset 5m")),
        "> 0.5".to_owned(),
    ]);
    Alert::new(RECEIPTS, Severity::Critical, Board::Pipeline)
        .when(expr)
        .hold("5m")
        .why(
            "A receipt that never comes is no event, so no objective of its journey counts it. \
             Held against each other are the texts of half an hour until five minutes ago, and all \
             receipts since that half hour began, so that none is missed at the edges. Most come \
             within seconds, and of twenty phones not half are off.",
        )
        .says(
            "Receipts don't come.",
            "{{ $value | humanizePercentage }} of the texts that were handed over in the half hour \
             until five minutes ago have no receipt. The provider took them; whether they arrived, \
             nobody knows.",
        )
}
