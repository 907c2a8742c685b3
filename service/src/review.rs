//! Where the database's time goes and what is wrong with the database: the statements by total
//! time, who runs them how often, what the server counted of them, and the routine review that a
//! database administrator makes of indexes, sessions, spaces of numbers and slots.
//!
//! No statement's text leaves here but as a name of ours or as `text` has masked it. Belongs here:
//! looking and putting together. Never here: a change of anything; gauges for alerts, which
//! `stages/observe` sets, those of spaces of numbers by what `spaces` says.

mod checks;
mod finding;
mod server;
mod statements;
mod table;
mod text;

use std::pin::pin;
use std::time::Duration;

use contract::{Pool, Query};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tokio_postgres::Row;

use crate::db::{Conn, Db, DbError, Params};
use crate::obs::given_up::in_time;
use crate::obs::label::Given;

pub(crate) use finding::{Check, Finding, Severity};
pub(crate) use server::{Other, Served};
pub(crate) use statements::{Caller, Kind, Statement, Turn};

/// How long looking at the database may take in all. Its statements read catalogues and counters:
/// within milliseconds, unless the server is in trouble; then what was found so far is answered.
const LOOK_WITHIN: Duration = Duration::from_secs(15);

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Ask {
    /// Most statements to tell of, and findings of each check.
    pub(crate) limit: usize,
    /// Sessions that have been at it for less are not told of.
    pub(crate) older_than: Duration,
}

/// All of it. Figures of the service are this process's since its start; those of the server are
/// of all processes since it began to count.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Report {
    /// When it was made.
    pub(crate) as_of: Timestamp,
    /// What could not be looked at, and why.
    pub(crate) notes: Vec<String>,
    /// Named statements, those that took this process longest first.
    pub(crate) statements: Vec<Statement>,
    /// Who ran which statement how often.
    pub(crate) callers: Vec<Caller>,
    /// Statements of others in this database, those that took the server longest first.
    pub(crate) others: Vec<Other>,
    /// The review.
    pub(crate) checks: Vec<Check>,
}

/// Looks. Whatever becomes of the database, what this process itself has counted is told.
pub(crate) async fn report(db: &Db, now: Timestamp, ask: Ask) -> Report {
    let mut report = Report {
        as_of: now,
        notes: Vec::new(),
        statements: statements::all(),
        callers: statements::callers(),
        others: Vec::new(),
        checks: Vec::new(),
    };
    match db.get(Pool::Reporting).await {
        Ok(conn) => {
            let look = Look { conn: &conn, until: Instant::now() + LOOK_WITHIN };
            if let Err(why) = all(&look, ask, &mut report).await {
                report.notes.push(format!("the review ends here: {why}"));
            }
        }
        Err(why) => report.notes.push(format!("the database was not looked at: {why}")),
    }
    statements::sort(&mut report.statements, ask.limit);
    report
}

async fn all(look: &Look<'_>, ask: Ask, report: &mut Report) -> Result<(), DbError> {
    server::read(look, ask, report).await?;
    for spec in checks::ALL {
        report.checks.push(checks::run(look, spec, ask).await?);
    }
    Ok(())
}

/// The spaces of numbers that the review sees, and which share of each is used up: the same to the
/// last digit as in its findings.
///
/// # Errors
/// The database is away or too slow, or refuses.
pub(crate) async fn spaces(conn: &Conn) -> Result<Vec<(Given, f64)>, DbError> {
    checks::spaces(&Look { conn, until: Instant::now() + LOOK_WITHIN }).await
}

/// A connection, and until when to look.
struct Look<'a> {
    conn: &'a Conn,
    until: Instant,
}

/// What a statement gave, or why the server refuses it: a right, an extension, an older version.
type Answer = Result<Vec<Row>, String>;

impl Look<'_> {
    /// Runs a statement of the review.
    ///
    /// # Errors
    /// The database is away or too slow, or refuses it.
    async fn ask(&self, query: Query, params: Params<'_>) -> Result<Vec<Row>, DbError> {
        let left = self.until.saturating_duration_since(Instant::now());
        let rows = in_time(left, pin!(Some(self.conn.rows(query, params)))).await;
        rows.unwrap_or(Err(DbError::Timeout(query.name())))
    }

    /// The same, where a refusal is an answer.
    ///
    /// # Errors
    /// The database is away or too slow: there is no use in asking it more.
    async fn rows(&self, query: Query, params: Params<'_>) -> Result<Answer, DbError> {
        match self.ask(query, params).await {
            Ok(rows) => Ok(Ok(rows)),
            Err(DbError::Refused { code, message, .. }) => Ok(Err(format!("{code} {message}"))),
            Err(error) => Err(error),
        }
    }
}
