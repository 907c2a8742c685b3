//! The overview: what is broken now, then every critical path with its rate, its errors, its
//! latency against its objective and what is left of its budget.
//!
//! Never here: why something is broken; for that the other dashboards are a link away.

use contract::{Endpoint, Family, Journey, Tier};

use super::Uid;
use super::board::{Board, WRONG};
use super::expr::{self, Expr, Unit, count_rate, gauge, increase, quantile, rate};
use super::machine;
use super::objective::{AVAILABILITY, JOURNEYS, LATENCY, Objectives, latency, latency_of};
use super::panel::{FEW, FULL, LEFT, Panel, Steps, ZERO};

/// Work that waits longer than the objective from due to handed over is late; a minute is an
/// incident.
const WAITS: Steps = &[(f64::NEG_INFINITY, "green"), (5.0, "orange"), (60.0, "red")];
/// No process at all is an outage.
const LIVES: Steps = &[(f64::NEG_INFINITY, "red"), (1.0, "green")];

pub(super) fn board() -> Board {
    let board = Board::new(
        Uid::Overview,
        "Is anything broken, and for whom: every critical path against its objective. Start here, \
         follow the links down.",
    )
    .row(WRONG, (4, 4), broken().into_iter().chain(strained()))
    .row("Critical paths by name", (24, 7), [journeys()])
    .row("Endpoints by name", (24, 12), [endpoints()])
    .row("Messages", (12, 8), [due_and_done(), by_fate()]);
    let board = Journey::ALL
        .iter()
        .fold(board, |board, &journey| board.row(journey.name(), (6, 6), of_journey(journey)));
    let critical = Endpoint::ALL.iter().filter(|row| row.spec().tier == Tier::Critical);
    critical
        .fold(board, |board, &endpoint| board.row(endpoint.name(), (6, 6), of_endpoint(endpoint)))
}

fn broken() -> [Panel; 6] {
    let overdrawn = |objectives: Objectives| objectives.budget_left(&[]).how_many_below_zero();
    let failing = [("outcome", "failed|shed")];
    let failing = count_rate(Family::HttpServerRequestDuration, &failing, Unit::RequestsRate);
    [
        Panel::stat(
            "Alerts that fire",
            ZERO,
            "Alerts of Prometheus that fire now, for anything. No number: no rules are evaluated.",
        )
        .query(expr::alerts_that_fire(), "alerts"),
        Panel::stat("Processes that answer", LIVES, "Processes whose last scrape succeeded.")
            .query(expr::processes_that_answer(), "processes")
            .link(Uid::Capacity),
        Panel::stat(
            "Budgets overdrawn",
            ZERO,
            "Objectives that were missed over the last 30 days: more events were bad than may be.",
        )
        .query(overdrawn(JOURNEYS), "critical paths")
        .query(overdrawn(LATENCY), "latency of endpoints")
        .query(overdrawn(AVAILABILITY), "availability of endpoints"),
        Panel::stat(
            "Laws broken",
            ZERO,
            "Promises that are out of order and counts that don't balance, by reconciliation and \
             at an audit, and rows that a worker can't see any more. All must be zero.",
        )
        .query(gauge(Family::ConservationResidual, &[]).max(&[]), "out of order")
        .query(gauge(Family::AuditViolations, &[]).max(&[]), "at an audit")
        .query(gauge(Family::StrandedRows, &[]).max(&[]), "stranded")
        .link(Uid::Pipeline),
        Panel::stat("Requests failed or shed", FEW, "Requests answered 5xx, by our own fault.")
            .query(failing.sum(&[]), "requests")
            .link(Uid::Endpoint),
        Panel::stat("Failures of stages", FEW, Family::StageFailures.help())
            .query(rate(Family::StageFailures, &[]).sum(&[]), "failures")
            .link(Uid::Pipeline),
    ]
}

fn strained() -> [Panel; 6] {
    [
        Panel::stat("Oldest work waiting", WAITS, Family::OldestPending.help())
            .query(gauge(Family::OldestPending, &[]).max(&[]), "age")
            .link(Uid::Pipeline),
        Panel::stat(
            "Reminders lost",
            FEW,
            "Reminders that were given up in the last ten minutes, and texts of which the \
             provider's answer was lost and it isn't known yet what became of them.",
        )
        .query(given_up("10m"), "given up")
        .query(gauge(Family::AmbiguousMessages, &[]).max(&[]), "unknown")
        .link(Uid::Pipeline),
        Panel::stat(
            "Fullest pool",
            FULL,
            "The largest share of a pool's connections that is in use, over pools and processes.",
        )
        .query(expr::pool_use().max(&[]), "in use")
        .link(Uid::Database),
        Panel::stat(
            "Callers without connection",
            FEW,
            Family::DbClientConnectionsPendingRequests.help(),
        )
        .query(gauge(Family::DbClientConnectionsPendingRequests, &[]).sum(&[]), "waiting")
        .link(Uid::Database),
        Panel::stat(
            "Fullest bound",
            FULL,
            "The bound that is most in use, over processes. What only forgets the oldest when it \
             is full is left out.",
        )
        .query(expr::bound_use().max(&[]), "in use")
        .link(Uid::Capacity),
        disks().link(Uid::Capacity),
    ]
}

/// Shared with the dashboard of capacity.
pub(super) fn disks() -> Panel {
    Panel::stat(
        "Disk in use",
        FULL,
        "The fullest of the processes' file systems, and of the disks of machines that \
         node_exporter is scraped on.",
    )
    .query(expr::disk_use().max(&[]), "processes")
    .query(machine::disk_use().max(&[]), "machines")
}

fn journeys() -> Panel {
    Panel::table(
        "Critical paths",
        &[("journey", "Path")],
        "What no single endpoint shows, each from what a person did to what a person relies on.",
    )
    .query(JOURNEYS.rate(&[]), "Rate")
    .query(JOURNEYS.bad_share(&[]), "Too slow")
    .query(quantile(0.5, Family::JourneyDuration, &[], &["journey"]), "p50")
    .query(quantile(0.99, Family::JourneyDuration, &[], &["journey"]), "p99")
    .query(JOURNEYS.threshold(&[]), "Objective")
    .query(JOURNEYS.pace(&[]), "Pace of the last hour")
    .query(JOURNEYS.budget_left(&[]), "Budget left")
    .link(Uid::Pipeline)
}

fn endpoints() -> Panel {
    Panel::table(
        "Endpoints",
        &[("http_route", "Endpoint")],
        "All endpoints against their own objectives. No average over endpoints is shown anywhere: \
         it hides the one that is dying.",
    )
    .query(AVAILABILITY.rate(&[]), "Rate")
    .query(AVAILABILITY.bad_share(&[]), "Failed")
    .query(LATENCY.bad_share(&[]), "Too slow")
    .query(latency(0.99, &[]), "p99")
    .query(LATENCY.threshold(&[]), "Objective")
    .query(LATENCY.budget_left(&[]), "Latency budget left")
    .query(AVAILABILITY.budget_left(&[]), "Availability budget left")
    .link_with(Uid::Endpoint, "&var-http_route=${__data.fields.Endpoint}")
}

/// Shared with the pipeline's dashboard.
pub(super) fn due_and_done() -> Panel {
    let ended = |fates: &str| rate(Family::Messages, &[("fate", fates)]).sum(&[]);
    Panel::lines(
        "Due against done",
        "Reminders whose time has come, by the plan, against those of them that came to an end, \
         and how. What is due and not done is late: the first thing that customers notice.",
    )
    .query(rate(Family::MessagesDue, &[]).sum(&[]), "due")
    .query(rate(Family::MessagesDueEnded, &[]).sum(&[]), "done")
    .query(ended("sent"), "sent")
    .query(ended("failed|expired|ambiguous"), "failed, expired or unknown")
    .link(Uid::Pipeline)
}

/// Reminders that came to a bad end. Shared with the pipeline's dashboard.
pub(super) fn given_up(window: &str) -> Expr {
    increase(Family::Messages, &[("fate", "failed|expired")], window).sum(&[])
}

/// Shared with the pipeline's dashboard.
pub(super) fn by_fate() -> Panel {
    Panel::lines("Messages by fate", Family::Messages.help())
        .query(rate(Family::Messages, &[]).sum(&["fate"]), "{{fate}}")
        .link(Uid::Pipeline)
}

fn of_journey(journey: Journey) -> [Panel; 4] {
    let (name, help) = (journey.name(), journey.help());
    let which = [("journey", name)];
    let duration = |q| quantile(q, Family::JourneyDuration, &which, &["journey"]);
    [
        Panel::lines(format!("{name}: rate"), help)
            .query(JOURNEYS.rate(&which), "{{journey}}")
            .link(Uid::Pipeline),
        Panel::lines(
            format!("{name}: errors"),
            format!("{help} The share that took longer than its objective."),
        )
        .query(JOURNEYS.bad_share(&which), "too slow")
        .link(Uid::Pipeline),
        Panel::lines(format!("{name}: latency"), format!("{help} Against its objective."))
            .query_with_examples(duration(0.5), "p50")
            .query_with_examples(duration(0.99), "p99")
            .query(JOURNEYS.threshold(&which), "objective")
            .link(Uid::Pipeline),
        budget(name, help, &[(JOURNEYS.budget_left(&which), "left")]).link(Uid::Pipeline),
    ]
}

fn of_endpoint(endpoint: Endpoint) -> [Panel; 4] {
    let (name, help) = (endpoint.name(), endpoint.help());
    let which = [("http_route", name)];
    let duration = |q| quantile(q, latency_of(endpoint), &which, &["http_route"]);
    let more = format!("&var-http_route={name}");
    [
        Panel::lines(format!("{name}: rate"), help)
            .query(AVAILABILITY.rate(&which), "{{http_route}}"),
        Panel::lines(
            format!("{name}: errors"),
            format!("{help} The share that failed by our fault, and that took too long."),
        )
        .query(AVAILABILITY.bad_share(&which), "failed")
        .query(LATENCY.bad_share(&which), "too slow"),
        Panel::lines(format!("{name}: latency"), format!("{help} Against its objective."))
            .query_with_examples(duration(0.5), "p50")
            .query_with_examples(duration(0.99), "p99")
            .query(LATENCY.threshold(&which), "objective"),
        budget(
            name,
            help,
            &[
                (LATENCY.budget_left(&which), "latency"),
                (AVAILABILITY.budget_left(&which), "availability"),
            ],
        ),
    ]
    .map(|panel| panel.link_with(Uid::Endpoint, &more))
}

fn budget(name: &str, help: &str, left: &[(Expr, &str)]) -> Panel {
    let description = format!(
        "{help} What is left of the events that may be bad in 30 days; below zero the objective is \
         missed."
    );
    let panel = Panel::stat(format!("{name}: budget left"), LEFT, description);
    left.iter().fold(panel, |panel, (expr, legend)| panel.query(expr.clone(), legend))
}
