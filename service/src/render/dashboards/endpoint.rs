//! One endpoint: its rate, errors and duration, and what it uses of the database.
//!
//! Never here: what a statement costs by itself (`database`).

use contract::{Endpoint, Family};

use super::Uid;
use super::board::{Board, Choice, WRONG};
use super::expr::{Unit, count_rate, gauge, mean, quantile, rate};
use super::objective::{AVAILABILITY, LATENCY, latency, latency_buckets};
use super::panel::{BAD, FEW, LEFT, PACE, Panel};

/// The endpoints that were chosen.
const CHOSEN: &[(&str, &str)] = &[("http_route", "$http_route")];
const ROUTE: &[&str] = &["http_route"];

pub(super) fn board() -> Board {
    Board::new(
        Uid::Endpoint,
        "One endpoint: how many requests, how many of them bad, how slow, and what each uses of \
         the database.",
    )
    .choose(Choice {
        label: "http_route",
        title: "Endpoint",
        family: Family::SloRequests,
        first: Endpoint::UpsertAppointments.name(),
    })
    .row(WRONG, (4, 5), wrong())
    .row("Rate and errors", (8, 8), rates())
    .row("Duration", (12, 9), [durations(), heat()])
    .row("Use of the database", (8, 8), database())
}

fn wrong() -> [Panel; 6] {
    [
        Panel::stat(
            "Budget left",
            LEFT,
            "What is left of the requests that may be bad in 30 days; below zero the objective is \
             missed.",
        )
        .query(LATENCY.budget_left(CHOSEN), "latency of {{http_route}}")
        .query(AVAILABILITY.budget_left(CHOSEN), "availability of {{http_route}}")
        .link(Uid::Overview),
        Panel::stat(
            "Pace of the last hour",
            PACE,
            "How fast the budget goes: at 1 it lasts its 30 days, at 14.4 two per cent of it go in \
             an hour.",
        )
        .query(LATENCY.pace(CHOSEN), "latency of {{http_route}}")
        .query(AVAILABILITY.pace(CHOSEN), "availability of {{http_route}}"),
        Panel::stat("Failed", BAD, "The share of requests that failed by our fault.")
            .query(AVAILABILITY.bad_share(CHOSEN), "{{http_route}}"),
        Panel::stat("Too slow", BAD, "The share of requests that took longer than the objective.")
            .query(LATENCY.bad_share(CHOSEN), "{{http_route}}"),
        Panel::stat("Over the query budget", FEW, Family::EndpointBudgetExceeded.help())
            .query(rate(Family::EndpointBudgetExceeded, CHOSEN).sum(ROUTE), "{{http_route}}"),
        Panel::stat("Statements in a loop", FEW, Family::EndpointRepeatedQueries.help())
            .query(rate(Family::EndpointRepeatedQueries, CHOSEN).sum(ROUTE), "{{http_route}}"),
    ]
}

fn rates() -> [Panel; 3] {
    let count = |which| count_rate(Family::HttpServerRequestDuration, which, Unit::RequestsRate);
    // Who was gone before has none.
    let answered = [CHOSEN, &[("http_response_status_code", ".+")]].concat();
    [
        Panel::lines("Requests by status", "Requests by the status that they were answered with.")
            .query(
                count(&answered).sum(&["http_route", "http_response_status_code"]),
                "{{http_route}} {{http_response_status_code}}",
            )
            .stacked(),
        Panel::lines(
            "Requests by outcome",
            "Rejected ones are the caller's fault, shed ones may come again later, aborted ones \
             were given up by the caller: often those that took long.",
        )
        .query(count(CHOSEN).sum(&["http_route", "outcome"]), "{{http_route}} {{outcome}}"),
        Panel::lines("Bad requests", "The share of requests that failed, or took too long.")
            .query(AVAILABILITY.bad_share(CHOSEN), "{{http_route}} failed")
            .query(LATENCY.bad_share(CHOSEN), "{{http_route}} too slow"),
    ]
}

fn durations() -> Panel {
    Panel::lines(
        "Duration against the objective",
        "From the head to the last byte; of an answer that is streamed, to its first, by which it \
         is judged. A dot is one request: it leads to its waterfall.",
    )
    .query_with_examples(latency(0.5, CHOSEN), "{{http_route}} p50")
    .query_with_examples(latency(0.9, CHOSEN), "{{http_route}} p90")
    .query_with_examples(latency(0.99, CHOSEN), "{{http_route}} p99")
    .query(LATENCY.threshold(CHOSEN), "{{http_route}} objective")
}

fn heat() -> Panel {
    Panel::heat(
        "Durations",
        "How many requests took how long, streams to their first byte: two humps are two kinds of \
         requests.",
    )
    .query_with_examples(latency_buckets(CHOSEN), "")
}

fn database() -> [Panel; 3] {
    let per_request = Family::EndpointDbQueriesPerRequest;
    let wait = |q| quantile(q, Family::EndpointDbPoolWait, CHOSEN, &["http_route", "pool"]);
    let holder = [("holder", "$http_route")];
    [
        Panel::lines("Statements per request", per_request.help())
            .query(mean(per_request, CHOSEN, ROUTE), "{{http_route}} mean")
            .query(quantile(0.99, per_request, CHOSEN, ROUTE), "{{http_route}} p99")
            .link(Uid::Database),
        Panel::lines("Waiting for connections", Family::EndpointDbPoolWait.help())
            .query(wait(0.5), "{{http_route}} p50 {{pool}}")
            .query(wait(0.99), "{{http_route}} p99 {{pool}}")
            .link(Uid::Database),
        Panel::lines("Connections held", Family::DbClientConnectionsHeld.help())
            .query(
                gauge(Family::DbClientConnectionsHeld, &holder).sum(&["holder", "pool"]),
                "{{holder}} {{pool}}",
            )
            .link(Uid::Database),
    ]
}
