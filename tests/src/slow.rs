//! Reads and writes that are slow on purpose: what they need is locked until they have waited for
//! long enough.
//!
//! Never here: what the service makes of them.

use contract::{Endpoint, Pool, Query, shard_of};

use crate::app::TestApp;
use crate::database::Sql;
use crate::practice::{Practice, appointment};
use crate::wait::until;

/// A transaction that holds rows, so that whoever changes them waits for it: a shard's, for all
/// that changes the shard, or that of a count.
pub struct Held(Sql);

impl Held {
    /// Holds the shard of a practice.
    pub async fn shard_of(app: &TestApp, practice: &Practice) -> Self {
        let sql = Sql::connect(&app.database.url()).await;
        let count = sql.one::<i16>("SELECT shard_count FROM deployment", &[]).await;
        let shard = shard_of(practice.id, count);
        sql.texts("BEGIN").await;
        sql.rows("SELECT 1 FROM shard WHERE shard = $1 FOR UPDATE", &[&shard]).await;
        Self(sql)
    }

    /// Holds every shard.
    pub async fn every_shard(app: &TestApp) -> Self {
        let sql = Sql::connect(&app.database.url()).await;
        sql.texts("BEGIN").await;
        sql.rows("SELECT 1 FROM shard ORDER BY shard FOR UPDATE", &[]).await;
        Self(sql)
    }

    /// Holds a sum of a practice's counts, of which there must be one. More than one could wait for
    /// a folder that waits for the others.
    ///
    /// # Panics
    /// When there is none.
    pub async fn a_sum_of(app: &TestApp, practice_id: i64) -> Self {
        let sql = Sql::connect(&app.database.url()).await;
        sql.texts("BEGIN").await;
        let sums = "SELECT n FROM tally WHERE practice_id = $1 LIMIT 1 FOR UPDATE";
        assert!(!sql.rows(sums, &[&practice_id]).await.is_empty(), "nothing is folded yet");
        Self(sql)
    }

    /// Waits until somebody waits for it.
    pub async fn is_waited_for(&self, app: &TestApp) {
        let pid: i32 = self.0.one("SELECT pg_backend_pid()", &[]).await;
        let waits = "SELECT count(*) FROM pg_stat_activity WHERE $1 = ANY (pg_blocking_pids(pid))";
        until("somebody waits for what is held", async || {
            (app.database.sql.one::<i64>(waits, &[&pid]).await > 0).then_some(())
        })
        .await;
    }

    /// How many sessions wait for it in the middle of a transaction, at a statement.
    pub async fn waiting_at(&self, app: &TestApp, query: Query) -> i64 {
        let pid: i32 = self.0.one("SELECT pg_backend_pid()", &[]).await;
        let waits = "SELECT count(*) FROM pg_stat_activity
            WHERE $1 = ANY (pg_blocking_pids(pid)) AND query LIKE $2 AND xact_start IS NOT NULL";
        let named = format!("%db_query='{}'%", query.name());
        app.database.sql.one(waits, &[&pid, &named]).await
    }

    /// How many sessions of a pool wait for it, or for others that do.
    pub async fn waiting(&self, app: &TestApp, pool: Pool) -> i64 {
        let waits = "SELECT count(*) FROM pg_stat_activity
            WHERE datname = current_database() AND application_name = $1
              AND wait_event_type = 'Lock'";
        // Not by the transaction that holds: it would see for ever what it saw first.
        app.database.sql.one(waits, &[&format!("punctual {}", pool.name())]).await
    }

    /// Lets them go on.
    pub async fn release(self) {
        self.0.texts("ROLLBACK").await;
    }
}

/// A table, on which a reader waits.
pub struct Locked(Sql);

impl Locked {
    /// Locks that of appointments.
    pub async fn appointments(app: &TestApp) -> Self {
        Self::table(app, "appointment").await
    }

    /// Locks that of keys.
    pub async fn keys(app: &TestApp) -> Self {
        Self::table(app, "api_key").await
    }

    /// Locks that of residuals.
    pub async fn residuals(app: &TestApp) -> Self {
        Self::table(app, "residual").await
    }

    async fn table(app: &TestApp, name: &str) -> Self {
        let sql = Sql::connect(&app.database.url()).await;
        sql.run("BEGIN", &[]).await;
        sql.run(&format!("LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE"), &[]).await;
        Self(sql)
    }

    /// Waits until somebody has read for longer than the objective of reading an appointment.
    pub async fn holds_up(&self, app: &TestApp) {
        let ms = f64::from(Endpoint::ReadAppointment.spec().latency_ms) + 10.0;
        until("the read waits for longer than its objective", async || {
            let waiting = "SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND wait_event_type = 'Lock'
                  AND query LIKE '%appointment_read%'
                  AND clock_timestamp() - query_start > make_interval(secs => $1)";
            (app.database.sql.one::<i64>(waiting, &[&(ms / 1e3)]).await > 0).then_some(())
        })
        .await;
    }

    /// Lets the readers go on.
    pub async fn release(self) {
        self.0.run("COMMIT", &[]).await;
    }
}

/// Reads an appointment of practice 1 under a trace, for longer than the objective.
///
/// # Panics
/// When the answer doesn't say so.
pub async fn slow_read(app: &TestApp, trace: &str) -> Practice {
    let one = app.practice(1).await;
    one.send(&[appointment("a")]).await;
    let locked = Locked::appointments(app).await;
    let caller = format!("00-{trace}-00f067aa0ba902b7-01");
    let read = app.get(&one.path("/appointments/a")).header("traceparent", &caller).send();
    let release = async {
        locked.holds_up(app).await;
        locked.release().await;
    };
    let (answer, ()) = tokio::join!(read, release);
    let answer = answer.expect(200);
    let timing = answer.header("server-timing");
    assert!(timing.contains(&format!("trace;desc=\"{trace}\"")), "{timing}");
    assert!(
        timing.starts_with("total;dur=") && timing.contains("desc=\"2 statements\""),
        "{timing}"
    );
    one
}
