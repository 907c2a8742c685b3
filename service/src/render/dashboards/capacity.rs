//! Capacity: how much of everything bounded is in use, when it will be full, and what one unit of
//! work costs; what one watches during a load test.
//!
//! Never here: what of a machine no alert is about and no path depends on; node_exporter has
//! dashboards of its own.

use contract::Family;

use super::Uid;
use super::board::{Board, WRONG};
use super::expr::{self, POOL, Unit, count_rate, gauge, quantile, rate, sum_rate};
use super::machine;
use super::overview::disks;
use super::panel::{FEW, FULL, Panel, ZERO};

const INSTANCE: &[&str] = &["instance"];
const BOUND: &[&str] = &["job", "instance", "limit"];

/// A table has no pages. Of more processes than this nobody compares the builds by eye.
const PROCESSES_MAX: usize = 50;

pub(super) fn board() -> Board {
    Board::new(
        Uid::Capacity,
        "How much of everything bounded is in use, what a request and a text cost, and how \
         latency answers to load.",
    )
    .row(WRONG, (4, 4), wrong())
    .row("Load test", (8, 8), load())
    .row("Processor and memory", (8, 8), processes())
    .row("Machines", (6, 8), machines())
    .row("Bounds", (8, 8), bounds())
    .row("Connections", (8, 8), connections())
    .row("Builds", (24, 5), [builds()])
}

fn wrong() -> [Panel; 8] {
    [
        Panel::stat(
            "Fullest bound",
            FULL,
            "The bound that is most in use. What only forgets the oldest when it is full is left \
             out.",
        )
        .query(expr::bound_use().max(BOUND).top(1), "{{instance}} {{limit}}"),
        Panel::stat("Turned away", FEW, Family::LimitReached.help())
            .query(rate(Family::LimitReached, &[]).sum(&[]), "times"),
        disks(),
        Panel::stat("Open files", FULL, "The share of the files that a process may open.")
            .query(files(&[]), "in use"),
        Panel::stat("Disk in a week", FULL, "If it goes on as in the last six hours.")
            .query(expr::disk_use_forecast("6h", 7 * 86_400).max(&[]), "processes")
            .query(machine::disk_use_forecast("6h", 7 * 86_400).max(&[]), "machines"),
        Panel::stat("Memory of machines in use", FULL, "The fullest of the machines' memories.")
            .query(machine::memory().max(&[]), "in use"),
        Panel::stat(
            "Machines unwatched",
            ZERO,
            "Machines of which node_exporter is to tell, or told within a day, and doesn't.",
        )
        .query(machine::unwatched(), "machines"),
        Panel::stat("Series not made", ZERO, Family::MetricsSeriesDropped.help())
            .query(rate(Family::MetricsSeriesDropped, &[]).sum(&[]), "series"),
    ]
}

fn files(by: &[&str]) -> expr::Expr {
    let max = |family| gauge(family, &[]).max(INSTANCE);
    let share = max(Family::ProcessOpenFds).share_of(max(Family::ProcessMaxFds));
    if by.is_empty() { share.max(&[]) } else { share }
}

fn load() -> [Panel; 6] {
    let requests =
        || count_rate(Family::HttpServerRequestDuration, &[], Unit::RequestsRate).sum(&[]);
    let sent = || rate(Family::Messages, &[("fate", "sent")]).sum(&[]);
    let cpu = || rate(Family::ProcessCpu, &[]).sum(&[]);
    let p99 = |family, by| quantile(0.99, family, &[], by);
    let busy = sum_rate(Family::DbClientConnectionsUseTime, &[]).sum(POOL).at_once();
    [
        Panel::lines("Requests", "Requests that were answered, over all endpoints and processes.")
            .query(requests(), "requests"),
        Panel::lines("Texts", "Texts that the provider accepted, over all processes.")
            .query(sent(), "texts"),
        Panel::lines("Critical paths (p99)", Family::JourneyDuration.help())
            .query_with_examples(p99(Family::JourneyDuration, &["journey"]), "{{journey}}")
            .link(Uid::Overview),
        Panel::lines(
            "Processor time",
            "What a request and a text cost, both with all that the processes do: it stays flat \
             while a machine has room and rises before it has none.",
        )
        .query(cpu().per(requests(), Unit::Seconds), "a request")
        .query(cpu().per(sent(), Unit::Seconds), "a text"),
        Panel::lines(
            "Connections busy",
            "By Little's law: how often connections are taken, times how long each is kept. A pool \
             needs a little more than that.",
        )
        .query(busy, "{{instance}} {{pool}}")
        .link(Uid::Database),
        Panel::lines("Under way", "Requests being answered and texts being handed over.")
            .query(gauge(Family::HttpServerActiveRequests, &[]).sum(&["listener"]), "{{listener}}")
            .query(
                gauge(Family::StageInFlight, &[("stage", "deliver")]).sum(&["stage"]),
                "{{stage}}",
            ),
    ]
}

fn processes() -> [Panel; 3] {
    let memory = |family| gauge(family, &[]).max(INSTANCE);
    [
        Panel::lines(
            "Processors in use",
            "Processor time of each process; 100 % is one processor.",
        )
        .query(rate(Family::ProcessCpu, &[]).sum(INSTANCE), "{{instance}}"),
        Panel::lines(
            "Machine by mode",
            "Processor time of the processes' machine by mode, over all its processors; 100 % is \
             one. Of several machines the mean, each weighed by its processes.",
        )
        .query(rate(Family::HostCpu, &[]).avg(&["mode"]), "{{mode}}")
        .stacked(),
        Panel::lines("Memory", "What the kernel counts, and what jemalloc holds and gave out.")
            .query(memory(Family::ProcessResidentMemory), "{{instance}} resident")
            .query(memory(Family::JemallocResident), "{{instance}} jemalloc resident")
            .query(memory(Family::JemallocAllocated), "{{instance}} allocated"),
    ]
}

/// What node_exporter tells: of the database's machine, nobody else does.
fn machines() -> [Panel; 4] {
    [
        Panel::lines(
            "Processors of machines",
            "The share of a machine's processor time in which it worked or was kept waiting.",
        )
        .query(machine::processors(), "{{instance}}"),
        Panel::lines(
            "Memory of machines",
            "The share of a machine's memory that can't be given to somebody who asks.",
        )
        .query(machine::memory(), "{{instance}}"),
        Panel::lines("Disks of machines", "The share of each disk that is in use.")
            .query(machine::disk_use(), "{{instance}} {{device}}"),
        Panel::lines(
            "Disks at work",
            "The share of time in which a disk had something to do. One that always has is slow \
             for whoever comes next.",
        )
        .query(machine::disks_at_work(), "{{instance}} {{device}}"),
    ]
}

fn bounds() -> [Panel; 3] {
    [
        Panel::lines("Bounds in use", Family::LimitUsed.help())
            .query(gauge(Family::LimitUsed, &[]).max(&["limit"]), "{{limit}}"),
        Panel::lines("Bounds reached", Family::LimitReached.help())
            .query(rate(Family::LimitReached, &[]).sum(&["limit"]), "{{limit}}"),
        Panel::lines(
            "Files and disk in use",
            "Shares of what a process may open, and of its disk.",
        )
        .query(files(INSTANCE), "{{instance}} files")
        .query(expr::disk_use().max(INSTANCE), "{{instance}} disk"),
    ]
}

fn connections() -> [Panel; 3] {
    let by = |family| gauge(family, &[]).sum(&["listener"]);
    [
        Panel::lines("Open connections", Family::HttpServerConnections.help())
            .query(by(Family::HttpServerConnections), "{{listener}}"),
        Panel::lines("Requests being answered", Family::HttpServerActiveRequests.help())
            .query(by(Family::HttpServerActiveRequests), "{{listener}}"),
        Panel::lines("Broken connections", Family::HttpServerBrokenConnections.help()).query(
            rate(Family::HttpServerBrokenConnections, &[]).sum(&["listener", "reason"]),
            "{{listener}} {{reason}}",
        ),
    ]
}

fn builds() -> Panel {
    let by = &["instance", "version", "revision", "profile"];
    let run = gauge(Family::BuildInfo, &[]).max(by).top(PROCESSES_MAX);
    let of_those = |age: expr::Expr| age.max(INSTANCE).among(INSTANCE[0], &run);
    Panel::table(
        "Builds that run",
        &[
            ("instance", "Process"),
            ("version", "Version"),
            ("revision", "Revision"),
            ("profile", "Profile"),
        ],
        format!("{} Of {PROCESSES_MAX} processes at most.", Family::BuildInfo.help()),
    )
    .query(run.clone(), "Runs")
    .query(of_those(expr::age(Family::ProcessStartTime, &[])), "Up for")
    .query(of_those(expr::age(Family::DeployTimestamp, &[])), "Deployed for")
}
