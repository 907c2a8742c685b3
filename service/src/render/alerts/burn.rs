//! `alerts/burn.rules.yaml`: how fast each path uses up the budget of errors that its objective
//! leaves it in 30 days; and, for paths with little traffic, that most of it goes wrong.
//!
//! All windows weigh events, never averages of averages: a night with two requests counts as two
//! requests. Never here: what the objectives are (`objective`).

use contract::Family;
use contract::tier::Tier;

use super::model::{Alert, Board, Group, Record, Rule, RuleFile, Severity, lines, one_of};
use super::objective::{Class, Kind, Refused, Slo};

/// One name for all kinds of paths.
pub(super) const TRICKLE: &str = "PunctualTrickleFails";

/// The budget's period.
const PERIOD_HOURS: u32 = 30 * 24;

/// So many bad events are more than one caller who tries again.
const BAD_EVENTS_MIN: f64 = 5.0;

/// Two windows that must both burn: the long one says that it matters, the short one (a twelfth of
/// it) that it still goes on, so that the alert ends soon after the trouble does.
pub(super) struct Window {
    long: &'static str,
    hours: u32,
    pub(super) short: &'static str,
    pub(super) words: &'static str,
    /// Which share of the budget is gone when the long window has burnt through.
    budget: f64,
    hold: &'static str,
    pub(super) is_fast: bool,
}

impl Window {
    /// How many times faster than the budget allows.
    fn factor(&self) -> f64 {
        let factor = self.budget * f64::from(PERIOD_HOURS) / f64::from(self.hours);
        (factor * 1e6).round() / 1e6
    }

    /// The share of bad events above which it burns.
    pub(super) fn threshold(&self, class: &Class) -> f64 {
        (self.factor() * class.budget() * 1e9).round() / 1e9
    }

    /// Whether events can be bad enough.
    fn can_fire(&self, class: &Class) -> bool {
        self.threshold(class) < 1.0
    }

    /// Events in the long window under which nothing can be said: at this many, the threshold is
    /// [`BAD_EVENTS_MIN`] bad ones.
    pub(super) fn events_min(&self, class: &Class) -> f64 {
        (BAD_EVENTS_MIN / self.threshold(class)).ceil()
    }
}

/// The four windows of Google's SRE workbook ("Alerting on SLOs", table 5-8): 2 % of the budget in
/// an hour and 5 % in six page, 10 % in a day or in three make a ticket. Held a minute, as a short
/// window of five minutes is a few scrapes; the slow ones for as long as their evaluation takes to
/// be sure of itself.
pub(super) const WINDOWS: [Window; 4] = [
    Window {
        long: "1h",
        hours: 1,
        short: "5m",
        words: "hour",
        budget: 0.02,
        hold: "1m",
        is_fast: true,
    },
    Window {
        long: "6h",
        hours: 6,
        short: "30m",
        words: "6 hours",
        budget: 0.05,
        hold: "1m",
        is_fast: true,
    },
    Window {
        long: "1d",
        hours: 24,
        short: "2h",
        words: "day",
        budget: 0.1,
        hold: "10m",
        is_fast: false,
    },
    Window {
        long: "3d",
        hours: 72,
        short: "6h",
        words: "3 days",
        budget: 0.1,
        hold: "10m",
        is_fast: false,
    },
];

/// For how long after its cause has ended a budget may still page: the short window of the slowest
/// that does, and two rounds until it is found to be over.
pub(super) const PAGES_LOOK_BACK: &str = "35m";

/// Lengths that are recorded, each in the group whose alerts look at it, so that they are of one
/// instant. Long ones read a day's samples each time, and less often.
const FAST: [&str; 2] = ["5m", "1h"];
const SLOW: [&str; 5] = ["30m", "2h", "6h", "1d", "3d"];

pub(super) fn rules(classes: &[Class]) -> Result<RuleFile, Refused> {
    let (mut fast, mut slow) = (records(&FAST), records(&SLOW));
    for class in classes {
        for window in windows(class)? {
            let group = if window.long == "1h" { &mut fast } else { &mut slow };
            group.push(burn(class, window).into());
        }
        slow.push(trickle(class)?.into());
    }
    Ok(RuleFile {
        name: "burn",
        about: "How fast paths use up the errors that their objectives leave them in 30 days.",
        groups: vec![
            // Half of the shortest hold.
            Group { name: "punctual_burn_fast", interval: "30s", rules: fast },
            // Three days of a path at a sample each 15 s are 17,280; all of them about 2 million.
            Group { name: "punctual_burn_slow", interval: "2m", rules: slow },
        ],
    })
}

/// The windows that can fire for a class. A window is left out where its threshold is no less than
/// every event; a critical path needs all four, any other at least one of the two fast ones.
pub(super) fn windows(class: &Class) -> Result<Vec<&'static Window>, Refused> {
    let can: Vec<_> = WINDOWS.iter().filter(|window| window.can_fire(class)).collect();
    let must: Vec<_> = match class.tier {
        Tier::Critical => WINDOWS.iter().collect(),
        Tier::Standard | Tier::Reporting => WINDOWS.iter().filter(|w| w.is_fast).skip(1).collect(),
    };
    match must.into_iter().find(|window| !window.can_fire(class)) {
        None => Ok(can),
        Some(window) => Err(Refused {
            slo: class.slo.name(),
            objective: class.objective.to_string(),
            rows: class.rows.join(", "),
            factor: window.factor().to_string(),
            least: format!("{:.4}", 1.0 - 1.0 / window.factor()),
        }),
    }
}

fn records(lengths: &[&str]) -> Vec<Rule> {
    let each = |length: &&str| {
        let sum = |of: fn(Kind) -> &'static str| {
            Kind::ALL
                .map(|kind| {
                    let label = kind.label();
                    format!("sum by (job, {label}, slo) (increase({}[{length}]))", of(kind))
                })
                .join("\nor\n")
        };
        let events = Record::new(format!("path:slo_events:increase{length}"), sum(Kind::events));
        // No events, no share: 0/0 would be a number that is none.
        let bad = lines([
            "clamp_min(1 -".to_owned(),
            format!("({})", sum(Kind::good)),
            format!("/ (path:slo_events:increase{length} > 0), 0)"),
        ]);
        [
            events.why("Events, whatever kind of path.").into(),
            Record::new(format!("path:slo_bad:ratio{length}"), bad)
                .why("The share of them that was bad; extrapolation may make it a little negative.")
                .into(),
        ]
    };
    lengths.iter().flat_map(each).collect()
}

pub(super) fn burn(class: &Class, window: &Window) -> Alert {
    let Window { long, short, words, hold, .. } = *window;
    let (threshold, events) = (window.threshold(class), window.events_min(class));
    let of = selector(class);
    let expr = lines([
        format!("path:slo_bad:ratio{long}{of} > {threshold}"),
        format!("and path:slo_bad:ratio{short}{of} > {threshold}"),
        format!("and path:slo_events:increase{long}{of} >= {events}"),
    ]);
    let why = format!(
        "{} % of the 30 days' budget of {} % in {long} is {} times its pace: a share of \
         {threshold}. \
         {events} events: there {} bad ones are that share.",
        percent(window.budget),
        percent(class.budget()),
        window.factor(),
        BAD_EVENTS_MIN,
    );
    Alert::new(name(class), severity(class.tier, window.is_fast), board(class.kind))
        .when(expr)
        .hold(hold)
        .tier(class.tier)
        .watching(class.kind.label(), class.rows.iter().copied())
        .watching("slo", [class.slo.name()])
        .label("burn", "true")
        .label("window", long)
        .label("objective", format!("{}%", percent(class.objective)))
        .why(why)
        .says(summary(class), description(class, words))
}

/// For paths with too few events for the fast windows to judge: 14.4 times the budget's pace over
/// a whole day and still over its last quarter. Of good paths with so few events, one in 30,000
/// days shows five bad ones (Poisson, 5 / 14.4 expected).
pub(super) fn trickle(class: &Class) -> Result<Alert, Refused> {
    let first = windows(class)?[0];
    let (threshold, events) = (first.threshold(class), first.events_min(class));
    let events = events * 6.0 / f64::from(first.hours);
    let of = selector(class);
    let expr = lines([
        format!("path:slo_bad:ratio1d{of} > {threshold}"),
        format!("and path:slo_bad:ratio6h{of} > {threshold}"),
        format!(
            "and path:slo_bad:ratio1d{of} * path:slo_events:increase1d{of} >= {BAD_EVENTS_MIN}"
        ),
        format!("and path:slo_events:increase6h{of} < {events}"),
    ]);
    let why = format!(
        "Fewer than {events} events in 6 hours are too few for the alert on {first}; so a day is \
         looked at, with the same share of {threshold} and the same {BAD_EVENTS_MIN} bad events, \
         and its last 6 hours, to see that it goes on. Fewer than {BAD_EVENTS_MIN} bad events a \
         day \
         say nothing.",
        first = first.long,
    );
    let description = format!(
        "{{{{ $value | humanizePercentage }}}} of the few {} in the last day {}. {}",
        events_of(class),
        went_bad(class),
        pace(class),
    );
    Ok(Alert::new(TRICKLE, severity(class.tier, true), board(class.kind))
        .when(expr)
        .hold("10m")
        .tier(class.tier)
        .watching(class.kind.label(), class.rows.iter().copied())
        .watching("slo", [class.slo.name()])
        .label("burn", "true")
        // One name for all kinds of paths, so that something else has to tell the rules apart.
        .label("kind", format!("{} {}", class.kind.label(), class.slo.name()))
        .label("objective", format!("{}%", percent(class.objective)))
        .why(why)
        .says("A path with little traffic keeps failing.", description))
}

fn selector(class: &Class) -> String {
    let rows = one_of(class.kind.label(), &class.rows);
    format!("{{{rows},slo=\"{}\"}}", class.slo.name())
}

pub(super) const fn name(class: &Class) -> &'static str {
    match (class.kind, class.slo) {
        (Kind::Endpoint, Slo::Availability) => "PunctualAvailabilityBudgetBurn",
        (Kind::Endpoint, Slo::Latency | Slo::Lateness) => "PunctualLatencyBudgetBurn",
        (Kind::Journey, _) => "PunctualJourneyBudgetBurn",
        (Kind::Stage, _) => "PunctualStageBudgetBurn",
    }
}

/// Who is woken: by a critical path that burns fast. A person who waits is a ticket, and so is a
/// slow burn; a report that waits slowly is there to be seen.
const fn severity(tier: Tier, is_fast: bool) -> Severity {
    match (tier, is_fast) {
        (Tier::Critical, true) => Severity::Critical,
        (Tier::Critical, false) | (Tier::Standard, _) | (Tier::Reporting, true) => {
            Severity::Warning
        }
        (Tier::Reporting, false) => Severity::Info,
    }
}

const fn board(kind: Kind) -> Board {
    match kind {
        Kind::Endpoint => Board::Endpoint,
        Kind::Journey => Board::Overview,
        Kind::Stage => Board::Pipeline,
    }
}

fn summary(class: &Class) -> &'static str {
    match (class.kind, class.slo) {
        (Kind::Endpoint, Slo::Availability) => "Requests to an endpoint fail.",
        (Kind::Endpoint, Slo::Latency | Slo::Lateness) => "An endpoint is slow.",
        (Kind::Journey, _) => "A critical path takes too long from end to end, or breaks off.",
        (Kind::Stage, _) => "A stage of the work starts its items late.",
    }
}

fn description(class: &Class, words: &str) -> String {
    format!(
        "{{{{ $value | humanizePercentage }}}} of the {} in the last {words} {}. {}",
        events_of(class),
        went_bad(class),
        pace(class),
    )
}

fn events_of(class: &Class) -> String {
    let label = class.kind.label();
    match class.kind {
        Kind::Endpoint => format!("requests to {{{{ $labels.{label} }}}}"),
        Kind::Journey => format!("journeys {{{{ $labels.{label} }}}}"),
        Kind::Stage => format!("items of stage {{{{ $labels.{label} }}}}"),
    }
}

fn went_bad(class: &Class) -> String {
    let verb = match class.slo {
        Slo::Availability => return "failed by our fault or were turned away".to_owned(),
        Slo::Latency => "took longer than",
        Slo::Lateness => "were started later than",
    };
    // The bound differs by row and the rule doesn't, so the text looks it up.
    let (label, slo, family) =
        (class.kind.label(), class.slo.name(), Family::SloLatencyThreshold.name());
    format!(
        "{verb} {{{{ with printf \"max({family}{{job='%s',{label}='%s',slo='{slo}'}})\" \
         $labels.job \
         $labels.{label} | query }}}}{{{{ . | first | value | humanizeDuration }}}}{{{{ else }}}}\
         their objective{{{{ end }}}}"
    )
}

/// What may be bad, and when the budget is gone: its 30 days, times what may be, by what is.
fn pace(class: &Class) -> String {
    let seconds = f64::from(PERIOD_HOURS) * 3600.0 * class.budget();
    format!(
        "{} % may. At this pace the month's budget is gone in {{{{ with printf \"{} / %f\" $value \
         | \
         query }}}}{{{{ . | first | value | humanizeDuration }}}}{{{{ end }}}}.",
        percent(class.budget()),
        seconds.round(),
    )
}

/// Without what floating point adds.
fn percent(ratio: f64) -> f64 {
    (ratio * 1e7).round() / 1e5
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(tier: Tier, objective: f64) -> Class {
        let rows = vec!["read_x"];
        Class { kind: Kind::Endpoint, slo: Slo::Latency, tier, objective, rows }
    }

    #[test]
    fn the_factors_are_the_workbooks() {
        assert_eq!(WINDOWS.map(|window| window.factor()), [14.4, 6.0, 3.0, 1.0]);
    }

    #[test]
    fn a_window_that_could_never_fire_is_left_out_or_refused() {
        let longs = |tier, objective| {
            windows(&class(tier, objective))
                .map(|windows| windows.iter().map(|window| window.long).collect::<Vec<_>>())
        };
        let all = vec!["1h", "6h", "1d", "3d"];
        assert_eq!(longs(Tier::Critical, 0.99), Ok(all.clone()));
        assert_eq!(longs(Tier::Reporting, 0.94), Ok(all));
        // 14.4 times a tenth is more than every event.
        assert_eq!(longs(Tier::Reporting, 0.9), Ok(vec!["6h", "1d", "3d"]));
        let refused = longs(Tier::Critical, 0.9).unwrap_err().to_string();
        for piece in ["0.9 of read_x", "14.4 times", "never fire", "0.9306"] {
            assert!(refused.contains(piece), "{refused}");
        }
        let refused = longs(Tier::Standard, 0.8).unwrap_err().to_string();
        assert!(refused.contains("6 times") && refused.contains("0.8333"), "{refused}");
        assert!(rules(&[class(Tier::Critical, 0.9)]).is_err());
    }

    #[test]
    fn five_bad_events_are_the_least_that_fires() {
        let [first, .., last] = &WINDOWS;
        assert_eq!(first.events_min(&class(Tier::Critical, 0.999)), 348.0);
        assert_eq!(last.events_min(&class(Tier::Critical, 0.999)), 5_000.0);
    }
}
