//! The laws, checked from the database's side by statements that share nothing with the workers:
//! they derive from appointments and rules what must be there, and from rows what became of it,
//! and name what is wrong. Law 1 is conservation, 2 no unknown duplicates, 3 order, 4 what was
//! cancelled in time never left, 7 one text a group, 12 nothing unnamed.
//!
//! They run on the primary: what was acknowledged up to this instant is in them. Which statements
//! were sent is asked of each replica as well. Never here: a fix. The wire's side is the load
//! harness's.

use std::time::Duration;

use contract::{Law, Pool, Query, ServerRead};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use tokio_postgres::Row;

use crate::db::router::Monitors;
use crate::db::{Conn, Db, DbError};
use crate::obs;

/// Examples named for each check, over all shards.
const EXAMPLES_MAX: usize = 10;

/// A replica that takes longer to say what it was sent isn't waited for: it is named instead.
const REPLICA_PATIENCE: Duration = Duration::from_secs(5);

/// What the checks found.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct Report {
    /// When they ran.
    #[schemars(with = "String")]
    pub(crate) as_of: Timestamp,
    /// True when no check found a violation.
    pub(crate) holds: bool,
    /// The checks, by law.
    pub(crate) checks: Vec<Check>,
}

/// One check of a law.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct Check {
    /// Which law.
    pub(crate) law: u8,
    /// Which side of it.
    pub(crate) name: &'static str,
    /// What was counted as a case.
    pub(crate) counted: &'static str,
    /// How many cases there were.
    pub(crate) cases: i64,
    /// How many of them break the law.
    pub(crate) violations: i64,
    /// Some of those, by name; never a phone number or a text.
    pub(crate) examples: Vec<String>,
}

/// A check's statement and what it shows.
struct Spec {
    query: Query,
    law: Law,
    name: &'static str,
    counted: &'static str,
}

const fn spec(query: Query, law: Law, name: &'static str, counted: &'static str) -> Spec {
    Spec { query, law, name, counted }
}

/// The checks that run shard by shard. Each answers cases, violations and examples.
const SHARD_CHECKS: &[Spec] = &[
    spec(
        Query::AuditExpected,
        Law::Conservation,
        "expected",
        "promises derived from appointments and rules",
    ),
    spec(Query::AuditConservation, Law::Conservation, "conservation", "promises with their fates"),
    spec(Query::AuditTally, Law::Conservation, "tally", "counts of a practice, day, rule and fate"),
    spec(
        Query::AuditMembers,
        Law::Conservation,
        "members",
        "texts with the promises that they keep",
    ),
    spec(Query::AuditAttempts, Law::Duplicates, "attempts", "texts that were handed over"),
    spec(
        Query::AuditOrder,
        Law::Order,
        "order",
        "texts that followed another to the same recipient",
    ),
    spec(Query::AuditCancelled, Law::Cancelled, "cancelled", "promises that were stopped in time"),
    spec(Query::AuditGroups, Law::Groups, "groups", "appointments told in a text, by rule"),
    spec(
        Query::AuditFamilies,
        Law::Groups,
        "families",
        "texts that tell of several, and later generations",
    ),
];

/// Runs all checks.
pub(crate) async fn run(db: &Db, shard_count: i16, real_now: Timestamp) -> Result<Report, DbError> {
    let conn = db.get(Pool::Reporting).await?;
    let mut checks = Vec::with_capacity(SHARD_CHECKS.len() + 1);
    for spec in SHARD_CHECKS {
        let mut check = Check::of(spec);
        for shard in 0..shard_count {
            check.run(&conn, spec, shard).await?;
        }
        checks.push(check);
    }
    checks.push(statements(db, &conn).await?);
    obs::law::audited(std::array::from_fn(|at| {
        let of_law = checks.iter().filter(|check| check.law == Law::ALL[at].number());
        of_law.map(|check| check.violations).sum()
    }));
    let holds = checks.iter().all(|check| check.violations == 0);
    Ok(Report { as_of: real_now, holds, checks })
}

impl Check {
    const fn of(spec: &Spec) -> Self {
        Self {
            law: spec.law.number(),
            name: spec.name,
            counted: spec.counted,
            cases: 0,
            violations: 0,
            examples: Vec::new(),
        }
    }

    async fn run(&mut self, conn: &Conn, spec: &Spec, shard: i16) -> Result<(), DbError> {
        let row = match conn.row_opt(spec.query, &[&shard]).await {
            // What can't be computed with can't be shown to hold; the other shards can.
            Err(error) if error.is_of_the_data() => {
                self.violations += 1;
                self.examples.push(format!("shard {shard} can't be checked: {error}"));
                return Ok(());
            }
            row => row?,
        };
        if let Some(row) = row {
            self.add(&row);
        }
        Ok(())
    }

    /// Adds the statements that a server remembers of us.
    fn remembered(&mut self, asked: Result<Option<Row>, DbError>) -> Result<(), DbError> {
        match asked {
            Ok(row) => {
                if let Some(row) = row {
                    self.add(&row);
                }
                Ok(())
            }
            // Not installed: no cases, which whoever asked for some will see.
            Err(DbError::Refused { code, .. }) if code == "42P01" || code == "55000" => {
                let nothing = "pg_stat_statements is not installed in this database";
                self.examples.push(nothing.into());
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    fn add(&mut self, row: &Row) {
        self.cases += row.get::<_, i64>("cases");
        self.violations += row.get::<_, i64>("violations");
        let examples: Option<Vec<String>> = row.get("examples");
        let room = EXAMPLES_MAX.saturating_sub(self.examples.len());
        self.examples.extend(examples.unwrap_or_default().into_iter().take(room));
    }
}

/// What is sent beside the table of statements: the ends of transactions, and what a migration
/// asks first.
const BESIDE_THE_TABLE: [&str; 6] =
    ["begin", "commit", "commit_at", "rollback", "migrate_where", "migrate_lock"];

/// The name of what tests send themselves, to builds that are tested.
const OF_TESTS: &str = "test";

/// Law 12: every statement that a server remembers of us has its name, and the table its row. What
/// a replica was sent, as most reads are, it alone remembers.
async fn statements(db: &Db, conn: &Conn) -> Result<Check, DbError> {
    let mut check = Check::of(&spec(
        Query::AuditStatements,
        Law::Statements,
        "statements",
        "statements in pg_stat_statements",
    ));
    let rows = Query::ALL.iter().map(|query| query.name());
    let tests = cfg!(debug_assertions).then_some(OF_TESTS);
    let names: Vec<&str> = rows.chain(BESIDE_THE_TABLE).chain(tests).collect();
    check.remembered(conn.row_opt(Query::AuditStatements, &[&names]).await)?;
    for server in db.replicas() {
        let of = (server, Pool::ReplicaReporting);
        let asked = async { db.row_of(of, ServerRead::AuditStatements, &[&names]).await };
        let why_not = match tokio::time::timeout(REPLICA_PATIENCE, asked).await {
            Ok(asked) => match check.remembered(asked) {
                Ok(()) => continue,
                Err(error) => error.to_string(),
            },
            Err(_elapsed) => "it does not answer".to_owned(),
        };
        check.examples.push(format!("{} was not asked: {why_not}", db.name_of(server)));
    }
    Ok(check)
}

/// Connects, runs all checks and says what they found; for the command line.
pub(crate) async fn run_once(
    settings: &crate::db::Settings,
    real_now: Timestamp,
) -> Result<Report, DbError> {
    let db = Db::new(settings).map_err(DbError::Unavailable)?;
    // They find the server that leads. One that is named alone may be a replica.
    let _monitors = if settings.servers() > 1 { Some(Monitors::start(&db).await) } else { None };
    let conn = db.get(Pool::Reporting).await?;
    let row = conn.row_opt(Query::DeploymentRead, &[]).await?;
    drop(conn);
    let shard_count = row.map_or(0, |row| row.get(0));
    let report = run(&db, shard_count, real_now).await?;
    db.close();
    Ok(report)
}

impl Report {
    /// The report as a table for the terminal.
    pub(crate) fn table(&self) -> String {
        let mut text = format!(
            "{:<4} {:<14} {:>10} {:>10}  {}\n",
            "law", "check", "cases", "violations", "what was counted"
        );
        for check in &self.checks {
            text += &format!(
                "{:<4} {:<14} {:>10} {:>10}  {}\n",
                check.law, check.name, check.cases, check.violations, check.counted
            );
            for example in &check.examples {
                text += &format!("       {example}\n");
            }
        }
        text += if self.holds { "all laws hold\n" } else { "LAWS ARE BROKEN\n" };
        text
    }
}
