//! Objectives: events, good events and the numbers they are held against, for endpoints, journeys
//! and stages alike.
//!
//! Never here: the numbers themselves; they are rows of the tables, and the service states them.

use contract::{Endpoint, Family};

use super::expr::{Expr, Matchers, RATE_WINDOW, Unit, gauge, increase, rate, selector};

/// What a budget is for: the share of events that may be bad, over this long.
pub(super) const BUDGET_WINDOW: &str = "30d";

/// Over which the pace of using up a budget is told: long enough not to jump, short enough to see
/// a mending.
const PACE_WINDOW: &str = "1h";

/// One objective of one kind of thing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Objectives {
    all: Family,
    good: Family,
    /// The label that names the thing.
    pub(super) of: &'static str,
    slo: &'static str,
}

pub(super) const JOURNEYS: Objectives = Objectives {
    all: Family::SloJourneys,
    good: Family::SloGoodJourneys,
    of: "journey",
    slo: "latency",
};
pub(super) const LATENCY: Objectives = Objectives {
    all: Family::SloRequests,
    good: Family::SloGoodRequests,
    of: "http_route",
    slo: "latency",
};
pub(super) const AVAILABILITY: Objectives = Objectives { slo: "availability", ..LATENCY };
pub(super) const STAGES: Objectives = Objectives {
    all: Family::SloStageItems,
    good: Family::SloGoodStageItems,
    of: "stage",
    slo: "lateness",
};

/// The family by which the latency of an endpoint is judged.
pub(super) const fn latency_of(endpoint: Endpoint) -> Family {
    if endpoint.spec().streams {
        Family::HttpServerTimeToFirstByte
    } else {
        Family::HttpServerRequestDuration
    }
}

/// A quantile, by endpoint, of what their latency objectives are about.
pub(super) fn latency(q: f64, which: Matchers<'_>) -> Expr {
    let buckets = latencies("rate", which);
    let promql = format!("histogram_quantile({q}, sum by (http_route, le) ({buckets}))");
    Expr { promql, unit: Unit::Seconds }
}

/// How many answers fell into each bucket of that, for a heat map.
pub(super) fn latency_buckets(which: Matchers<'_>) -> Expr {
    let promql = format!("sum by (le) ({})", latencies("increase", which));
    Expr { promql, unit: Unit::Count }
}

/// The buckets of both families, each of its own endpoints: how long a stream goes on is its
/// reader's affair.
fn latencies(how: &str, which: Matchers<'_>) -> String {
    let streams: Vec<&str> = Endpoint::that_stream().map(Endpoint::name).collect();
    let no_stream = format!("!{}", streams.join("|"));
    let whole = [which, &[("http_route", no_stream.as_str())]].concat();
    let each = |family, which: Matchers<'_>| {
        format!("{how}({}[{RATE_WINDOW}])", selector(family, "_bucket", which))
    };
    let whole = each(Family::HttpServerRequestDuration, &whole);
    format!("{whole} or {}", each(Family::HttpServerTimeToFirstByte, which))
}

impl Objectives {
    /// Events a second.
    pub(super) fn rate(self, which: Matchers<'_>) -> Expr {
        self.over(self.all, which, rate)
    }

    /// The share of bad events; nothing while nothing happens.
    pub(super) fn bad_share(self, which: Matchers<'_>) -> Expr {
        let all = || self.over(self.all, which, rate);
        let good = self.over(self.good, which, rate);
        all().less(good).share_of(all())
    }

    /// The latency below which an event is good.
    pub(super) fn threshold(self, which: Matchers<'_>) -> Expr {
        self.stated(Family::SloLatencyThreshold, which)
    }

    /// What is left of the share of events that may be bad, from 1 down; below 0 it is overdrawn.
    /// Without events it is whole.
    pub(super) fn budget_left(self, which: Matchers<'_>) -> Expr {
        let used = self.used(which, BUDGET_WINDOW);
        Expr { promql: format!("1 - {}", used.promql), unit: Unit::Ratio }
    }

    /// How fast the budget goes: at 1 it lasts its whole window, at 10 a tenth of it.
    pub(super) fn pace(self, which: Matchers<'_>) -> Expr {
        Expr { unit: Unit::Count, ..self.used(which, PACE_WINDOW) }
    }

    /// The share of the events that may be bad that were bad. Counted by event, not as an average
    /// of averages: a bad night with two requests must not weigh as much as noon.
    fn used(self, which: Matchers<'_>, window: &str) -> Expr {
        let over = |family, which: Matchers<'_>| {
            self.over(family, which, |family, which| increase(family, which, window))
        };
        let (all, good) = (over(self.all, which).promql, over(self.good, which).promql);
        let objective = self.stated(Family::SloObjective, which).promql;
        // No events are not a division by zero, but nothing used.
        let promql = format!("({all} - {good}) / ((1 - {objective}) * clamp_min({all}, 1))");
        Expr { promql, unit: Unit::Ratio }
    }

    fn over(
        self,
        family: Family,
        which: Matchers<'_>,
        how: impl Fn(Family, Matchers<'_>) -> Expr,
    ) -> Expr {
        how(family, &self.matchers(which)).sum(&[self.of])
    }

    /// A number that all processes state alike.
    fn stated(self, family: Family, which: Matchers<'_>) -> Expr {
        let matchers = self.matchers(which);
        // A family that many kinds of things share: only those that have the label.
        let mine = [(self.of, ".+")];
        let named = which.iter().any(|(label, _)| *label == self.of);
        let all = if named { matchers } else { [&mine[..], &matchers[..]].concat() };
        gauge(family, &all).max(&[self.of])
    }

    fn matchers<'a>(self, which: Matchers<'a>) -> Vec<(&'a str, &'a str)> {
        [which, &[("slo", self.slo)]].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_endpoint_is_drawn_as_it_is_judged() {
        let text = latency(0.99, &[]).promql;
        let (whole, first) = text.split_once(" or ").unwrap();
        for row in Endpoint::ALL {
            let is_left_out = whole.contains(row.name());
            assert_eq!(is_left_out, row.spec().streams, "{} in {whole}", row.name());
        }
        assert!(whole.contains("http_route!~"), "{whole}");
        assert!(first.contains(Family::HttpServerTimeToFirstByte.name()), "{first}");
        assert_eq!(latency_of(Endpoint::ReadJobReport), Family::HttpServerTimeToFirstByte);
        assert_eq!(latency_of(Endpoint::ReadPractice), Family::HttpServerRequestDuration);
    }
}
