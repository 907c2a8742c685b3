//! The named statements as this process ran them: from our own histograms, and from the counts of
//! who ran what.

use contract::Query;
use serde::{Deserialize, Serialize};

use super::Served;
use crate::obs::holder::Holder;
use crate::obs::{matrix, query};

/// A named statement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Statement {
    /// Its name.
    pub(crate) name: String,
    /// The file that runs it.
    pub(crate) file: String,
    /// The function that runs it.
    pub(crate) func: String,
    /// How often.
    pub(crate) calls: u64,
    /// How often it did not succeed.
    pub(crate) failed: u64,
    /// Rows returned or touched.
    pub(crate) rows: u64,
    /// Time of all calls, as this process waited for them.
    pub(crate) total_seconds: f64,
    /// The same by call; none without calls.
    pub(crate) mean_seconds: Option<f64>,
    /// Half of the calls took no longer.
    pub(crate) p50_seconds: Option<f64>,
    /// All but a hundredth of the calls took no longer.
    pub(crate) p99_seconds: Option<f64>,
    /// Who runs it most, and how often in one turn.
    pub(crate) most_by: Option<Turn>,
    /// What the server counted of it.
    pub(crate) server: Option<Served>,
}

/// Who runs statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// Requests of an endpoint; a turn is a request.
    Endpoint,
    /// A stage of the work; a turn is a batch that was not empty.
    Stage,
    /// Starting, watching the clock, probing.
    Process,
}

/// Who ran which statements how often: a row of the matrix.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Caller {
    /// The endpoint or stage.
    pub(crate) name: String,
    /// Which of the two.
    pub(crate) kind: Kind,
    /// Requests that ended, or batches.
    pub(crate) turns: u64,
    /// The statements, those that it ran most first.
    pub(crate) statements: Vec<Turn>,
}

/// A cell of the matrix.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Turn {
    /// The statement, or who runs it, as seen from the other side.
    pub(crate) name: String,
    /// Whose turn.
    pub(crate) kind: Kind,
    /// How often it was run.
    pub(crate) calls: u64,
    /// Rows that it returned or touched.
    pub(crate) rows: u64,
    /// Calls by request or batch; none where there are no turns.
    pub(crate) calls_per_turn: Option<f64>,
}

/// All statements that ran.
pub(super) fn all() -> Vec<Statement> {
    let rows = matrix::read();
    let ran = Query::ALL.iter().filter(|query| query::seen(**query).calls > 0);
    ran.map(|&query| statement(query, &rows)).collect()
}

/// A statement among those that are known; made where it has not run here.
pub(super) fn entry(statements: &mut Vec<Statement>, query: Query) -> &mut Statement {
    let known = statements.iter().position(|known| known.name == query.name());
    let place = known.unwrap_or(statements.len());
    if known.is_none() {
        statements.push(statement(query, &[]));
    }
    &mut statements[place]
}

/// Those that took this process longest first, and of those that it has not run, those that took
/// the server longest.
pub(super) fn sort(statements: &mut Vec<Statement>, limit: usize) {
    let server = |statement: &Statement| {
        statement.server.as_ref().map_or(0.0, |served| served.total_seconds)
    };
    statements.sort_by(|a, b| {
        let ours = b.total_seconds.total_cmp(&a.total_seconds);
        ours.then_with(|| server(b).total_cmp(&server(a))).then_with(|| a.name.cmp(&b.name))
    });
    statements.truncate(limit);
}

fn statement(query: Query, matrix: &[matrix::Row]) -> Statement {
    let (seen, spec) = (query::seen(query), query.spec());
    let cells = matrix.iter().filter_map(|row| {
        let cell = row.cells.iter().find(|cell| cell.query == query)?;
        Some((row, cell))
    });
    let most_by = cells.clone().max_by_key(|(_, cell)| cell.calls);
    Statement {
        name: query.name().to_owned(),
        file: spec.file.to_owned(),
        func: spec.func.to_owned(),
        calls: seen.calls,
        failed: seen.failed,
        rows: cells.map(|(_, cell)| cell.rows).sum(),
        total_seconds: seen.seconds,
        mean_seconds: (seen.calls > 0).then(|| seen.seconds / seen.calls as f64),
        p50_seconds: seen.p50_seconds,
        p99_seconds: seen.p99_seconds,
        most_by: most_by.map(|(row, cell)| turn(row.holder.name(), row, cell)),
        server: None,
    }
}

/// The matrix: those with most calls first.
pub(super) fn callers() -> Vec<Caller> {
    let mut callers: Vec<Caller> = matrix::read().iter().map(caller).collect();
    let calls = |caller: &Caller| caller.statements.iter().map(|turn| turn.calls).sum::<u64>();
    callers.retain(|caller| calls(caller) > 0);
    callers.sort_by_key(|caller| std::cmp::Reverse(calls(caller)));
    callers
}

fn caller(row: &matrix::Row) -> Caller {
    let cells = row.cells.iter();
    let mut statements: Vec<Turn> = cells.map(|cell| turn(cell.query.name(), row, cell)).collect();
    statements.sort_by(|a, b| b.calls.cmp(&a.calls).then_with(|| a.name.cmp(&b.name)));
    Caller {
        name: row.holder.name().to_owned(),
        kind: kind(row.holder),
        turns: row.turns,
        statements,
    }
}

fn turn(name: &str, row: &matrix::Row, cell: &matrix::Cell) -> Turn {
    Turn {
        name: name.to_owned(),
        kind: kind(row.holder),
        calls: cell.calls,
        rows: cell.rows,
        calls_per_turn: (row.turns > 0).then(|| cell.calls as f64 / row.turns as f64),
    }
}

const fn kind(holder: Holder) -> Kind {
    match holder {
        Holder::Endpoint(_) => Kind::Endpoint,
        Holder::Stage(_) => Kind::Stage,
        Holder::Process => Kind::Process,
    }
}
