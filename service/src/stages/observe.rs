//! Observe: looks at what no other stage has in hand, for gauges: how much stands before each
//! stage and since when, what falls due by the plan, and the database as its server sees it.
//!
//! Belongs here: looking. Never here: anything that acts on what it saw.

use std::time::{Duration, Instant};

use contract::{Pool, Query, Stage};
use jiff::{SignedDuration, Timestamp};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::{Shared, fold, maintainer};
use crate::clock::Clock;
use crate::db::floors::{self, Floors};
use crate::db::{Conn, DbError, Tx};
use crate::obs;
use crate::obs::backlog::Depth;
use crate::obs::label::Given;
use crate::review;

/// A backlog deeper than this is told as this deep.
const COUNT_MAX: i64 = 100_000;

/// One turn of a shard; with the first one, the database.
pub(super) async fn run_shard(shared: &Shared, shard: i16) -> Result<usize, DbError> {
    let started = Instant::now();
    let mut conn = shared.app.db.get_for(Stage::Observe, Pool::Upkeep).await?;
    let tx = conn.begin();
    let floors = floors::lock(&tx, shard).await?;
    let (depth, folded) = depth(&shared.app.clock, &tx, shard, &floors).await?;
    let due = count_due(&shared.app.clock, &tx, shard, &floors).await?;
    tx.commit().await?;
    obs::backlog::set(&shared.depths.set(shard, depth));
    fold::all_folded(shared, shard, folded);
    obs::fate::due(due);
    if shard == 0 {
        database(&conn).await?;
    }
    obs::stage::batch(Stage::Observe, 1, started.elapsed());
    Ok(1)
}

/// What stands before the stages of a shard, and until when all of its counts were folded, as far
/// as that shows.
async fn depth(
    clock: &Clock,
    tx: &Tx<'_>,
    shard: i16,
    floors: &Floors,
) -> Result<(Depth, Option<Timestamp>), DbError> {
    let (domain_now, real_now) = (clock.domain_now(), clock.real_now());
    let (first, last) = maintainer::due_days(floors.release_day, domain_now);
    let params: [&(dyn ToSql + Sync); 6] =
        [&shard, &domain_now, &first, &last, &real_now, &COUNT_MAX];
    let Some(row) = tx.row_opt(Query::ObserveShard, &params).await? else {
        return Ok((Depth::default(), None));
    };
    let age = |since: Option<Timestamp>| {
        let age = since.map(|since| real_now.duration_since(since));
        age.and_then(|age| Duration::try_from(age).ok()).unwrap_or_default()
    };
    let due_since: Option<Timestamp> = row.get("due_since");
    // Before the first fold it is -infinity, for which there is no timestamp.
    let folded = match row.get("is_unfolded") {
        true => row.try_get("folded_at").ok(),
        false => Some(real_now),
    };
    let depth = Depth {
        due: row.get("due"),
        due_for: age(due_since.map(|at| clock.to_real(at))),
        ready: row.get("ready"),
        ready_for: age(row.get("ready_since")),
        leased: row.get("leased"),
        unresolved: row.get("unresolved"),
        unresolved_for: age(row.get("unresolved_since")),
    };
    Ok((depth, folded))
}

/// Counts what falls due from where the last count ended, whichever process made it, to two turns
/// from now: each stretch of time once, and before release can have touched it.
async fn count_due(
    clock: &Clock,
    tx: &Tx<'_>,
    shard: i16,
    floors: &Floors,
) -> Result<u64, DbError> {
    let Some(counted_until) = maintainer::lock_since(tx, shard, Stage::Observe).await? else {
        return Ok(0); // another process is at it
    };
    let period = SignedDuration::from_millis(i64::from(Stage::Observe.spec().period_ms));
    let now = clock.real_now();
    let (from, until) = (now.max(counted_until), now + period * 2);
    if until.duration_since(from) < period {
        return Ok(0); // another process was here
    }
    let pace = clock.pace();
    let (domain_from, domain_until) = (pace.domain_at(from), pace.domain_at(until));
    let (first, last) = maintainer::due_days(floors.release_day, domain_until);
    let params: [&(dyn ToSql + Sync); 5] = [&shard, &domain_from, &domain_until, &first, &last];
    let due: i64 = tx.row_opt(Query::ObserveDue, &params).await?.map_or(0, |row| row.get(0));
    maintainer::ran(tx, shard, Stage::Observe, until).await?;
    Ok(u64::try_from(due).unwrap_or(0))
}

async fn database(conn: &Conn) -> Result<(), DbError> {
    if let Some(row) = conn.row_opt(Query::ObserveDatabase, &[]).await? {
        obs::database::observed(&obs::database::Observed {
            size_bytes: row.get("size_bytes"),
            oldest_transaction_seconds: row.get("oldest_transaction_seconds"),
            blocked_sessions: row.get("blocked_sessions"),
        });
        obs::database::deadlocks(row.get("deadlocks"));
        obs::database::transaction_ids(row.get("transaction_ids"));
        obs::law::compared_until(row.get::<_, Option<f64>>("compared_until").unwrap_or_default());
    }
    for (space, used) in review::spaces(conn).await? {
        obs::database::id_space(&space, used);
    }
    let replicas = conn.rows(Query::ObserveReplicas, &[]).await?;
    obs::database::replicas(&replicas.iter().map(replica).collect::<Vec<_>>());
    Ok(())
}

fn replica(row: &Row) -> obs::database::Replica {
    obs::database::Replica {
        name: Given::by_catalogue(row, "replica"),
        lag_bytes: row.get("lag_bytes"),
        lag_seconds: row.get("lag_seconds"),
    }
}
