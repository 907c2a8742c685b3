//! What is full, or nearly: pools, spaces of numbers, bounds.

use contract::tier::Tier;
use contract::{Family, Pool};

use super::super::case::{Case, Labels, Pairs};
use super::super::model::Alert;
use super::super::saturation::{limits, pool_exhausted, pool_nearly_full};

const POOL: Labels = &[("job", "punctual"), ("instance", "a:9090"), ("pool", "interactive")];
const INSTANCE: Labels = &[("job", "punctual"), ("instance", "a:9090")];

/// A space that the service counts up itself.
pub(super) const SPACE: &str = "api_key.key_id";
pub(super) const SPACE_LABELS: Labels = &[("job", "punctual"), ("space", SPACE)];

/// A sample each 15 seconds.
pub(super) fn cases() -> Vec<Case> {
    [pools(), each_pool(), id_spaces(), bounds(), each_bound()].concat()
}

/// A pool of eight connections of which so many are used, and so many callers wait.
pub(super) fn pool(case: Case, name: &str, used: &str, waiting: &str, timeouts: &str) -> Case {
    let pool = format!("pool=\"{name}\"");
    case.series(Family::DbClientConnections.name(), &format!("{pool},state=\"used\""), used)
        .series(Family::DbClientConnectionsMax.name(), &pool, "8x6000")
        .series(Family::DbClientConnectionsPendingRequests.name(), &pool, waiting)
        .series(
            Family::DbClientConnectionsTimeouts.name(),
            &format!("{pool},kind=\"wait\""),
            timeouts,
        )
}

/// The same for every pool of the table.
pub(super) fn all_pools(case: Case, used: &str, waiting: &str) -> Case {
    Pool::ALL.iter().fold(case, |case, row| pool(case, row.name(), used, waiting, "0x6000"))
}

/// What every bound that a rule is about is used to, or how often it was reached.
pub(super) fn all_bounds(case: Case, rule: &Alert, family: Family, values: &str) -> Case {
    let (label, rows) = &rule.watches[0];
    let add =
        |case: Case, row: &&str| case.series(family.name(), &format!("{label}=\"{row}\""), values);
    rows.iter().fold(case, add)
}

fn pools() -> Vec<Case> {
    let (full, nearly) = ("PunctualPoolExhausted", "PunctualPoolNearlyFull");
    let (row, says) = (Pool::Interactive.name(), exhausted(Pool::Interactive.name()));
    let critical: Labels = &[("slo_tier", "critical")];
    // Exhausted from its first minute to its sixth.
    let over = |story: &str, at: &str| {
        let (used, waiting) = ("2x4 8x20 2x200", "0x4 3x20 0x200");
        pool(Case::new(full, story, at), row, used, waiting, "0x230")
    };
    vec![
        pool(Case::new(full, "callers give up", "5m"), row, "2x4 8x20", "0x25", "0x4 0+2x20")
            .fires(critical, POOL, says),
        // Burn rates look back on it for half an hour: what they tell is known.
        over("over for half an hour", "37m").fires(critical, POOL, exhausted(row)),
        over("over for longer than budgets look back", "45m"),
        pool(Case::new(full, "all are in use and nobody waits", "5m"), row, "8x30", "0x30", "0x30"),
        pool(
            Case::new(nearly, "nine in ten are in use all the time", "25m"),
            row,
            "7x120",
            "0x120",
            "0x120",
        )
        .fires(
            &[],
            POOL,
            "Pool interactive at a:9090 has had 87.5% of its connections in use over the last \
             quarter of an hour. Callers begin to wait.",
        ),
    ]
}

fn exhausted(pool: &str) -> String {
    format!(
        "All connections of pool {pool} at a:9090 are in use, and callers wait for one or have \
         given up waiting. Requests that wait too long are answered 503; stages try again later. \
         Look at who holds the connections before making the pool larger. This ends when the pool \
         has been free for 35 minutes."
    )
}

/// Every pool of the table, of whatever tier.
fn each_pool() -> Vec<Case> {
    let (full, nearly) = ("PunctualPoolExhausted", pool_nearly_full());
    let waited_for = Case::new(full, "all of each are in use and callers wait", "5m");
    let waited_for = all_pools(waited_for, "2x4 8x20", "0x4 3x20");
    let fires = |case: Case, rule: Alert| {
        let (_, rows) = &rule.watches[0];
        rows.iter().fold(case, |case, row| {
            let mut labels: Pairs =
                POOL.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
            labels[2].1 = (*row).to_owned();
            case.fires_of(&rule, labels, exhausted(row))
        })
    };
    let often = Case::new(nearly.name, "nine in ten of each are in use all the time", "25m");
    vec![
        Tier::ALL.into_iter().filter_map(pool_exhausted).fold(waited_for, fires),
        all_pools(
            Case::new(full, "a burst of half a minute", "5m"),
            "2x10 8x2 2x20",
            "0x10 5x2 0x20",
        ),
        all_pools(often, "7x120", "0x120").all_rows_fire(&nearly),
        all_pools(Case::new(nearly.name, "a busy minute", "25m"), "3x60 8x4 3x60", "0x130"),
    ]
}

fn id_spaces() -> Vec<Case> {
    let (used, ids) = ("PunctualIdSpaceUsed", Family::IdSpaceUsed.name());
    let space = &format!("space=\"{SPACE}\"");
    let says = |share: &str| {
        format!(
            "{share} of the numbers of {SPACE} are used. When they run out, nothing that needs \
             one can be written any more."
        )
    };
    vec![
        Case::new(used, "a third", "15m").series(ids, space, "0.33x80").fires(
            &[("severity", "warning")],
            SPACE_LABELS,
            says("33%"),
        ),
        Case::new(used, "more than half", "15m")
            .series(ids, space, "0.6x80")
            .fires(&[("severity", "warning")], SPACE_LABELS, says("60%"))
            .fires(&[("severity", "critical")], SPACE_LABELS, says("60%")),
        Case::new(used, "transaction ids where vacuum lets them rise to", "15m").series(
            ids,
            "space=\"transaction_id\"",
            "0.093x80",
        ),
    ]
}

fn bounds() -> Vec<Case> {
    let (used, reached) = (Family::LimitUsed.name(), Family::LimitReached.name());
    let (open, most) = (Family::ProcessOpenFds.name(), Family::ProcessMaxFds.name());
    let (nearly, often, files) =
        ("PunctualLimitNearlyReached", "PunctualLimitReached", "PunctualOpenFilesNearlyOut");
    let queue = "limit=\"commit_queue\"";
    vec![
        Case::new(nearly, "the queue is nearly full", "10m").series(used, queue, "0.9x60").fires(
            &[],
            &[("job", "punctual"), ("instance", "a:9090"), ("limit", "commit_queue")],
            "commit_queue of a:9090 is used to 90%. When it is full, callers are turned away with \
             503.",
        ),
        Case::new(nearly, "a memory that is full, as it is meant to be", "10m").series(
            used,
            "limit=\"practice_cache\"",
            "1x60",
        ),
        Case::new(often, "callers are turned away all the time", "12m")
            .series(reached, queue, "0+1x60")
            .fires(
                &[],
                &[("job", "punctual"), ("instance", "a:9090"), ("limit", "commit_queue")],
                "commit_queue of a:9090 was reached 20 times in the last five minutes: that often \
                 somebody was turned away or had to wait.",
            ),
        of_two(
            Case::new(often, "two processes that turn away a few each", "12m"),
            reached,
            queue,
            "0+0.3x60",
        ),
        Case::new(often, "one request too large", "12m").series(reached, queue, "0x20 1x60"),
        Case::new(files, "connections leak", "10m")
            .series(open, "", "900x60")
            .series(most, "", "1024x60")
            .fires(
                &[],
                INSTANCE,
                "a:9090 has 87.89% of the file descriptors open that it may have. Without one left \
                 it can't accept or open connections.",
            ),
        Case::new(files, "few are open", "10m")
            .series(open, "", "90x60")
            .series(most, "", "1024x60"),
    ]
}

/// The same of two processes.
fn of_two(case: Case, family: &str, labels: &str, values: &str) -> Case {
    let other = format!("{family}{{job=\"punctual\",instance=\"b:9090\",{labels}}}");
    case.series(family, labels, values).foreign_series(other, values)
}

/// Every bound of the table.
fn each_bound() -> Vec<Case> {
    let (used, reached) = (Family::LimitUsed, Family::LimitReached);
    let rules = limits();
    let (nearly, often) = (&rules[0], &rules[1]);
    let nearly_case =
        |story, values| all_bounds(Case::new(nearly.name, story, "10m"), nearly, used, values);
    let often_case =
        |story, values| all_bounds(Case::new(often.name, story, "12m"), often, reached, values);
    vec![
        nearly_case("each is nearly full", "0.9x60").all_rows_fire(nearly),
        nearly_case("a burst in each", "0.1x20 1x4 0.1x60"),
        often_case("callers are turned away by each all the time", "0+1x60").all_rows_fire(often),
        often_case("one request too large for each", "0x20 1x60"),
    ]
}
