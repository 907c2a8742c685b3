//! Part of `alerts/work.rules.yaml`: what came to a bad end: reminders that were given up, and
//! texts of which nobody knows whether they arrived.
//!
//! Never here: what has come to no end yet (`work`), and how long anything takes (`burn`): who has
//! given up is no longer late.

use contract::{Family, Fate, Journey};

use super::model::{Alert, Board, Rule, Severity, lines, one_of};

const MESSAGES: &str = Family::Messages.name();
const JOURNEYS: &str = Family::SloJourneys.name();

pub(super) const LOST: &str = "PunctualMessagesLost";
pub(super) const RECEIPTS: &str = "PunctualReceiptsMissing";

pub(super) fn rules() -> Vec<Rule> {
    LOSSES.iter().map(Loss::alert).chain([receipts_missing()]).map(Rule::from).collect()
}

/// Which share of what came to an end may be given up, and over how long.
struct Loss {
    severity: Severity,
    window: &'static str,
    words: &'static str,
    /// Above this share.
    share: f64,
    /// And no fewer than so many.
    least: u32,
    /// It goes on while some were given up within this, so that the alert ends soon after the
    /// trouble does.
    recent: &'static str,
    hold: &'static str,
    why: &'static str,
}

const LOSSES: [Loss; 3] = [
    Loss {
        severity: Severity::Critical,
        window: "10m",
        words: "ten minutes",
        share: 0.2,
        least: 10,
        recent: "10m",
        hold: "1m",
        why: "A provider that is away is tried for two minutes; then its texts are given up, and \
              nothing that waits tells of it any more. A fifth is told within three minutes from \
              there. Numbers that don't exist are a few in a hundred; ten at least, so that one \
              practice's list of wrong ones is no page.",
    },
    Loss {
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
    Loss {
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

impl Loss {
    fn alert(&self) -> Alert {
        let Self { severity, window, words, share, least, recent, hold, why } = *self;
        let given_up = [Fate::Failed, Fate::Expired].map(Fate::name);
        // What was suppressed was not to leave.
        let ended = [&[Fate::Sent.name()][..], &given_up].concat();
        let of = |fates: &[&str], window: &str| {
            format!("sum by (job) (increase({MESSAGES}{{{}}}[{window}]))", one_of("fate", fates))
        };
        let lost = of(&given_up, window);
        let expr = lines([
            lost.clone(),
            format!("  / ({} > 0) > {share}", of(&ended, window)),
            format!("and {lost} >= {least}"),
            format!("and {} > 0", of(&given_up, recent)),
        ]);
        Alert::new(LOST, severity, Board::Pipeline)
            .when(expr)
            .hold(hold)
            .label("window", window)
            .why(why)
            .says(
                "Reminders are given up.",
                format!(
                    "{{{{ $value | humanizePercentage }}}} of the reminders that were to leave in \
                     the last {words} were given up: the provider refused them for good or again \
                     and again, or it was too late. Nobody sends them any more."
                ),
            )
    }
}

fn receipts_missing() -> Alert {
    let of = |journey: Journey, window: &str| {
        format!("sum by (job) (increase({JOURNEYS}{{journey=\"{}\"}}{window}))", journey.name())
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
