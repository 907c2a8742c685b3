//! The checks of the review: which statement looks for what, and how much what it sees matters.

use contract::Query;
use jiff::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::{Ask, Check, Finding, Look, Severity};
use crate::db::DbError;
use crate::obs::label::Given;

/// A space of numbers that is this full is looked at: at growth as it was so far, three times as
/// long is left as it took.
const SPACE_WATCH: f64 = 0.25;
/// And here somebody must act: as long is left as it took, and making columns wider takes time.
const SPACE_ACT: f64 = 0.5;

/// Fewer dead rows than this harm nobody, whatever their share: some tens of pages.
const DEAD_ROWS_MIN: i64 = 1_000;

/// A slot that keeps more log than this: its replica is minutes behind at tens of megabytes a
/// second, and the disk's end comes into sight.
const RETAINED_BYTES_WATCH: i64 = 1 << 30;

/// What a statement wants to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wants {
    Nothing,
    Limit,
    LimitAndAge,
    LimitAndRows,
}

impl Wants {
    fn params<'a>(self, limit: &'a i64, age_seconds: &'a f64) -> Vec<&'a (dyn ToSql + Sync)> {
        match self {
            Self::Nothing => vec![],
            Self::Limit => vec![limit],
            Self::LimitAndAge => vec![limit, age_seconds],
            Self::LimitAndRows => vec![limit, &DEAD_ROWS_MIN],
        }
    }
}

/// A check.
pub(super) struct Spec {
    query: Query,
    wants: Wants,
    finding: fn(&Row) -> Finding,
}

const fn spec(query: Query, wants: Wants, finding: fn(&Row) -> Finding) -> Spec {
    Spec { query, wants, finding }
}

/// The checks: what harms now first.
pub(super) const ALL: &[Spec] = &[
    spec(Query::ReviewBlocked, Wants::LimitAndAge, blocked),
    spec(Query::ReviewIdleInTransaction, Wants::LimitAndAge, idle_in_transaction),
    spec(Query::ReviewLongRunning, Wants::LimitAndAge, long_running),
    spec(Query::ReviewSlots, Wants::Limit, slot),
    spec(Query::ReviewTransactionIds, Wants::Limit, transaction_ids),
    spec(Query::ReviewSequences, Wants::Limit, space),
    spec(Query::ReviewIdSpaces, Wants::Nothing, space),
    spec(Query::ReviewInvalidIndexes, Wants::Limit, invalid_index),
    spec(Query::ReviewDuplicateIndexes, Wants::Limit, duplicate_index),
    spec(Query::ReviewUnusedIndexes, Wants::Limit, unused_index),
    spec(Query::ReviewDeadRows, Wants::LimitAndRows, dead_rows),
];

/// Those of spaces of numbers that have no other gauge.
const SPACES: [Query; 2] = [Query::ReviewSequences, Query::ReviewIdSpaces];

/// More sequences than a schema of ours will have.
const SPACES_MAX: i64 = 1_000;

/// Makes a check.
pub(super) async fn run(look: &Look<'_>, spec: &Spec, ask: Ask) -> Result<Check, DbError> {
    let query = spec.query;
    let limit = i64::try_from(ask.limit).unwrap_or(i64::MAX);
    let age_seconds = ask.older_than.as_secs_f64();
    let params = spec.wants.params(&limit, &age_seconds);
    Ok(match look.rows(query, &params).await? {
        Ok(rows) => Check::made(query, rows.iter().map(spec.finding).collect()),
        Err(why) => Check::refused(query, why),
    })
}

/// Looks at spaces of numbers, however full they are.
pub(super) async fn spaces(look: &Look<'_>) -> Result<Vec<(Given, f64)>, DbError> {
    let mut all = Vec::new();
    for spec in ALL.iter().filter(|spec| SPACES.contains(&spec.query)) {
        let params = spec.wants.params(&SPACES_MAX, &0.0);
        for row in look.ask(spec.query, &params).await? {
            all.push((Given::by_catalogue(&row, "subject"), (spec.finding)(&row).value));
        }
    }
    Ok(all)
}

/// Makes findings of rows. What another session drops meanwhile has no size any more.
fn found(row: &Row, severity: Severity, value: f64, unit: &str, says: String) -> Finding {
    Finding { subject: text(row, "subject"), severity, value, unit: unit.to_owned(), says }
}

fn text(row: &Row, name: &str) -> String {
    row.get::<_, Option<String>>(name).unwrap_or_default()
}

fn whole(row: &Row, name: &str) -> i64 {
    row.get::<_, Option<i64>>(name).unwrap_or(0)
}

/// Whose session it is and which statement of ours it runs, and nothing else of its text.
fn session(row: &Row, severity: Severity, says: &str) -> Finding {
    let ours: Option<String> = row.get("session");
    let by = ours.unwrap_or_else(|| format!("role {}", text(row, "role")));
    let statement: Option<String> = row.get("statement");
    let what = statement.unwrap_or_else(|| "a statement without a name".to_owned());
    Finding {
        subject: format!("pid {}", row.get::<_, i32>("pid")),
        severity,
        value: row.get::<_, Option<f64>>("seconds").unwrap_or(0.0),
        unit: "seconds".to_owned(),
        says: format!("{what} by {by}{says}"),
    }
}

fn blocked(row: &Row) -> Finding {
    let blocker = row.get::<_, Option<i32>>("blocker").unwrap_or(0);
    let whose = match (
        row.get::<_, Option<String>>("blocker_state"),
        row.get::<_, Option<String>>("blocker_statement"),
    ) {
        (Some(state), Some(statement)) => format!(" ({state}, {statement})"),
        (Some(state), None) => format!(" ({state})"),
        (None, _) => String::new(),
    };
    let others = match row.get::<_, Option<i32>>("blockers").unwrap_or(1) {
        0 | 1 => String::new(),
        n => format!(" and {} more", n - 1),
    };
    session(row, Severity::Act, &format!(", waits for pid {blocker}{whose}{others}"))
}

fn idle_in_transaction(row: &Row) -> Finding {
    let open = row.get::<_, Option<f64>>("transaction_seconds").unwrap_or(0.0);
    session(row, Severity::Act, &format!(" was its last, in a transaction {open:.1} s old"))
}

fn long_running(row: &Row) -> Finding {
    let waits_for: Option<String> = row.get("waits_for");
    let says = waits_for.map_or_else(String::new, |kind| format!(", waits for {kind}"));
    session(row, Severity::Watch, &says)
}

fn slot(row: &Row) -> Finding {
    let is_active: bool = row.get("active");
    let retained = whole(row, "retained_bytes");
    let status = text(row, "wal_status");
    let is_lost = ["unreserved", "lost"].contains(&status.as_str());
    let severity = match (is_active && !is_lost, retained > RETAINED_BYTES_WATCH) {
        (false, _) => Severity::Act,
        (true, true) => Severity::Watch,
        (true, false) => Severity::Fine,
    };
    let activity = if is_active { "active" } else { "inactive: drop it if nobody comes back" };
    let log = if status.is_empty() { "none" } else { &status };
    let says = format!("{activity}; keeps this much log (status {log})");
    found(row, severity, retained as f64, "bytes", says)
}

fn transaction_ids(row: &Row) -> Finding {
    let (transactions, multixacts): (f64, f64) = (row.get("transactions"), row.get("multixacts"));
    let share = transactions.max(multixacts);
    let of = if transactions >= multixacts { "transaction ids" } else { "multixacts" };
    let says = format!("of the {of} until the server stops writing");
    found(row, fullness(share), share, "ratio", says)
}

/// A sequence, or numbers counted up by hand.
fn space(row: &Row) -> Finding {
    let (last, most) = (whole(row, "last_value"), whole(row, "max_value"));
    let share = last as f64 / most as f64;
    let column: Option<String> = row.try_get("of_column").unwrap_or_default();
    let fills = column.map_or_else(String::new, |column| format!(", fills {column}"));
    found(row, fullness(share), share, "ratio", format!("{last} of {most}{fills}"))
}

fn fullness(share: f64) -> Severity {
    if share >= SPACE_ACT {
        Severity::Act
    } else if share >= SPACE_WATCH {
        Severity::Watch
    } else {
        Severity::Fine
    }
}

fn invalid_index(row: &Row) -> Finding {
    let says = format!("on {}: drop it, and build it again if it is needed", text(row, "of_table"));
    found(row, Severity::Act, whole(row, "bytes") as f64, "bytes", says)
}

fn duplicate_index(row: &Row) -> Finding {
    let (table, other) = (text(row, "of_table"), text(row, "covered_by"));
    let says = format!("on {table}: {other} begins with the same columns");
    found(row, Severity::Watch, whole(row, "bytes") as f64, "bytes", says)
}

fn unused_index(row: &Row) -> Finding {
    let (table, writes) = (text(row, "of_table"), whole(row, "writes"));
    let says =
        format!("on {table}, which was written {writes} times; replicas count their own scans");
    found(row, Severity::Watch, whole(row, "bytes") as f64, "bytes", says)
}

fn dead_rows(row: &Row) -> Finding {
    let (dead, alive) = (whole(row, "dead"), whole(row, "alive"));
    let cleaned: Option<Timestamp> = row.get("last_vacuum");
    let cleaned = cleaned.map_or_else(
        || "never cleaned up".to_owned(),
        |at| format!("last cleaned up at {}", at.strftime("%Y-%m-%d %H:%M:%SZ")),
    );
    found(row, Severity::Watch, dead as f64, "rows", format!("dead beside {alive} live; {cleaned}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_statement_of_the_review_is_a_check_once() {
        let review = |query: &Query| query.name().starts_with("review_");
        let not_checks = [Query::ReviewServer, Query::ReviewStatements];
        let rows = Query::ALL.iter().copied().filter(review);
        let mut expected: Vec<Query> = rows.filter(|row| !not_checks.contains(row)).collect();
        let mut checks: Vec<Query> = ALL.iter().map(|spec| spec.query).collect();
        expected.sort();
        checks.sort();
        assert_eq!(checks, expected);
    }

    #[test]
    fn a_space_is_watched_from_a_quarter_and_acted_on_from_a_half() {
        use Severity::{Act, Fine, Watch};
        for (share, expected) in
            [(0.0, Fine), (0.249, Fine), (0.25, Watch), (0.499, Watch), (0.5, Act), (1.0, Act)]
        {
            assert_eq!(fullness(share), expected, "{share}");
        }
    }
}
