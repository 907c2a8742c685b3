//! Folding: a month of counts, several processes that fold them, and kill -9 in the middle of a
//! fold; counts that are committed later than others whose numbers are higher; and that everybody
//! hears when nobody folds.
//!
//! Never here: what is counted (`audit_finds`, and `audit_tally` after every test).

use contract::{Query, Stage};
use serde_json::json;
use tests::app::Service;
use tests::database::Sql;
use tests::slow::Held;
use tests::wait::soon;
use tests::{Ending, TestApp, until};

/// What is appended at a time: more than one fold of each shard takes.
const APPENDED: i64 = 400_000;
const KILLS: usize = 4;

/// Changes of the counts of a month, of every fate, some of them taken back. What was appended is
/// kept beside it, in the same transaction.
const APPEND: &str = "\
    WITH change AS ( \
        SELECT (n % 16)::smallint AS shard, n % 160 AS practice_id, \
               '2026-05-01'::date + (n / 160 % 31)::integer AS local_day, \
               (1 + n % 3)::smallint AS rule_id, (n / 7 % 13)::smallint AS fate, \
               (n % 5 - 1)::integer AS n \
        FROM generate_series(1, $1::bigint) AS n \
    ), kept AS ( \
        INSERT INTO appended SELECT * FROM change \
    ) \
    INSERT INTO tally_delta (shard, practice_id, local_day, rule_id, fate, n) \
    SELECT * FROM change";

/// One more of each sum of a practice, so that a folder needs them all.
const ONE_MORE: &str = "\
    WITH change AS ( \
        SELECT shard, practice_id, local_day, rule_id, fate, 1 AS n FROM tally \
        WHERE practice_id = $1 \
    ), kept AS ( \
        INSERT INTO appended SELECT * FROM change \
    ) \
    INSERT INTO tally_delta (shard, practice_id, local_day, rule_id, fate, n) \
    SELECT * FROM change";

/// Counts that differ from a recount, in one state of both.
const WRONG: &str = "\
    SELECT count(*) \
    FROM (SELECT shard, practice_id, local_day, rule_id, fate, sum(n) AS n \
          FROM appended GROUP BY 1, 2, 3, 4, 5) AS a \
    FULL JOIN (SELECT shard, practice_id, local_day, rule_id, fate, sum(n) AS n \
               FROM (SELECT shard, practice_id, local_day, rule_id, fate, n FROM tally \
                     UNION ALL \
                     SELECT shard, practice_id, local_day, rule_id, fate, n FROM tally_delta) AS t \
               GROUP BY 1, 2, 3, 4, 5) AS b \
    USING (shard, practice_id, local_day, rule_id, fate) \
    WHERE a.n IS DISTINCT FROM b.n";

/// How much a process has folded.
async fn folded(service: &Service) -> f64 {
    service.scrape().await.sum("stage_items_total", &[("stage", Stage::Fold.name())])
}

/// Holds the first process's folding, or lets it go on; answered once it has come to rest.
async fn gate(app: &TestApp, gate: &str) {
    app.put("/admin/stages/fold", &json!({ "gate": gate })).send().await.expect(200);
}

/// Kills a process in the middle of a fold: its transaction has seen what there is to add and waits
/// for a sum that the test holds. Returns how many changes the test appended for that.
async fn kill_in_the_middle(app: &TestApp, doomed: Service) -> u64 {
    gate(app, "held").await; // so that it is the doomed one that waits
    let held = Held::a_sum_of(app, PRACTICE).await;
    let appended = app.database.sql.run(ONE_MORE, &[&PRACTICE]).await;
    until("it waits in the middle of its fold", async || {
        (held.waiting_at(app, Query::FoldSums).await == 1).then_some(())
    })
    .await;
    doomed.kill().await;
    // The server hears of the death when it answers, and not before: the transaction is open still.
    assert_eq!(held.waiting_at(app, Query::FoldSums).await, 1, "it was no longer in the middle");
    held.release().await;
    gate(app, "open").await;
    appended
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_month_folded_by_two_with_kill_9_in_the_middle_equals_a_recount() {
    let app = TestApp::with().env("PUNCTUAL_STAGE_GATES", "open").start().await;
    let sql = &app.database.sql;
    let beside = "CREATE TABLE appended (shard smallint, practice_id bigint, local_day date, \
                  rule_id smallint, fate smallint, n integer)";
    sql.run(beside, &[]).await;
    let (mut folded_by_the_dead, mut more) = (0.0, 0);
    for _ in 0..KILLS {
        let doomed = app.another(&[]).await;
        sql.run(APPEND, &[&APPENDED]).await;
        until("it has folded, and the counts of the practice to be held are there", async || {
            let held = "SELECT count(*) FROM tally WHERE practice_id = $1";
            let held: i64 = sql.one(held, &[&PRACTICE]).await;
            (held > 0 && folded(&doomed).await > 0.0).then_some(())
        })
        .await;
        folded_by_the_dead += folded(&doomed).await;
        more += kill_in_the_middle(&app, doomed).await;
        // Exact at every instant, not only at the end.
        assert_eq!(sql.one::<i64>(WRONG, &[]).await, 0);
    }
    all_is_folded(sql).await;
    assert_eq!(sql.one::<i64>(WRONG, &[]).await, 0);
    let all = KILLS as f64 * APPENDED as f64 + more as f64;
    let survivor = folded(&app).await;
    assert!(folded_by_the_dead > 0.0 && survivor > 0.0 && survivor < all, "one folded it all");
    until("the lag is that of an idle shard", async || {
        let lag = app.scrape().await.sum("fold_lag_seconds", &[]);
        (lag < 10.0).then_some(())
    })
    .await;
    // The counts are of appointments that there are not.
    app.finish_as(Ending { is_broken: true, ..Ending::default() }).await;
}

/// Whose counts the late ones are.
const PRACTICE: i64 = 7;

/// A change of one count, of which it answers the number.
const CHANGE: &str = "\
    INSERT INTO tally_delta (shard, practice_id, local_day, rule_id, fate, n) \
    VALUES (3, $1, '2026-05-05', 1, 0, $2) \
    RETURNING delta_id";

/// All that is counted, folded or not.
const COUNTED: &str = "\
    SELECT coalesce(sum(n), 0)::bigint \
    FROM (SELECT practice_id, n FROM tally \
          UNION ALL \
          SELECT practice_id, n FROM tally_delta) AS t \
    WHERE practice_id = $1";

/// A change that isn't committed yet. Its number is lower than those of later ones.
struct Late {
    sql: Sql,
    delta_id: i64,
}

impl Late {
    async fn begin(app: &TestApp, n: i32) -> Self {
        let sql = Sql::connect(&app.database.url()).await;
        sql.texts("BEGIN").await;
        let delta_id = sql.one(CHANGE, &[&PRACTICE, &n]).await;
        Self { sql, delta_id }
    }

    async fn commit(self) {
        self.sql.texts("COMMIT").await;
    }
}

async fn all_is_folded(sql: &Sql) {
    until("all is folded", async || {
        let left: i64 = sql.one("SELECT count(*) FROM tally_delta", &[]).await;
        (left == 0).then_some(())
    })
    .await;
}

/// Numbers are given out before the commit, so a folder goes past some that it can't see: what then
/// comes to light in the middle of its transaction, and after it, is counted once all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_committed_late_is_counted_once() {
    let app = TestApp::start().await;
    let sql = &app.database.sql;
    sql.one::<i64>(CHANGE, &[&PRACTICE, &1]).await;
    all_is_folded(sql).await;
    let midway = Late::begin(&app, 10).await;
    let after = Late::begin(&app, 100).await;

    // A folder that has seen what there is to add, and can't add it yet.
    let held = Held::a_sum_of(&app, PRACTICE).await;
    let seen: i64 = sql.one(CHANGE, &[&PRACTICE, &1_000]).await;
    assert!(midway.delta_id < seen && after.delta_id < seen);
    held.is_waited_for(&app).await;
    midway.commit().await;
    held.release().await;
    until("the folder has gone past", async || {
        let there = "SELECT count(*) FROM tally_delta WHERE delta_id = $1";
        (sql.one::<i64>(there, &[&seen]).await == 0).then_some(())
    })
    .await;
    assert_eq!(sql.one::<i64>(COUNTED, &[&PRACTICE]).await, 1_011);
    after.commit().await;
    all_is_folded(sql).await;
    assert_eq!(sql.one::<i64>(COUNTED, &[&PRACTICE]).await, 1_111);
    // The counts are of appointments that there are not.
    app.finish_as(Ending { is_broken: true, ..Ending::default() }).await;
}

/// Both have the shard in their rounds. Whoever comes second doesn't wait, and folds nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_one_is_in_the_middle_of_a_fold_another_leaves_the_shard_alone() {
    let app = TestApp::with().env("PUNCTUAL_STAGE_GATES", "open").start().await;
    let sql = &app.database.sql;
    let other = app.another(&[("PUNCTUAL_STAGE_GATES", "held")]).await;
    let folds = async || {
        let run = other.post("/admin/stages/fold/run", &json!({})).send();
        soon("a round of the other one", run).await.json(200)["messages"].clone()
    };
    sql.one::<i64>(CHANGE, &[&PRACTICE, &1]).await;
    all_is_folded(sql).await;
    let held = Held::a_sum_of(&app, PRACTICE).await;
    sql.one::<i64>(CHANGE, &[&PRACTICE, &10]).await;
    until("one is in the middle of its fold", async || {
        (held.waiting_at(&app, Query::FoldSums).await == 1).then_some(())
    })
    .await;
    assert_eq!(folds().await, 0);
    assert_eq!(held.waiting_at(&app, Query::FoldSums).await, 1, "nobody else waits for it");
    held.release().await;
    all_is_folded(sql).await;
    assert_eq!(sql.one::<i64>(COUNTED, &[&PRACTICE]).await, 11);

    // It would have: what the first one leaves, it folds.
    gate(&app, "held").await;
    sql.one::<i64>(CHANGE, &[&PRACTICE, &100]).await;
    assert_eq!(folds().await, 1);
    assert_eq!(sql.one::<i64>(COUNTED, &[&PRACTICE]).await, 111);
    other.stop().await;
    // The counts are of appointments that there are not.
    app.finish_as(Ending { is_broken: true, ..Ending::default() }).await;
}

/// How far behind a process says that folding is.
async fn lag(service: &Service) -> f64 {
    service.scrape().await.sum("fold_lag_seconds", &[])
}

/// More than a shard without counts says between two looks at it, in seconds.
const BEHIND: f64 = 8.0;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn how_far_folding_is_behind_grows_while_nobody_folds() {
    let app = TestApp::with().env("PUNCTUAL_STAGE_GATES", "open").start().await;
    let sql = &app.database.sql;
    sql.one::<i64>(CHANGE, &[&PRACTICE, &1]).await;
    all_is_folded(sql).await;
    gate(&app, "held").await;
    sql.one::<i64>(CHANGE, &[&PRACTICE, &1]).await;
    until("it says so", async || (lag(&app).await > BEHIND).then_some(())).await;
    let before = lag(&app).await;
    until("it grows", async || (lag(&app).await > before).then_some(())).await;

    // Another process folds: nothing is behind any more, whoever is asked.
    let other = app.another(&[]).await;
    all_is_folded(sql).await;
    for service in [&app.service, &other] {
        until("nothing is behind", async || (lag(service).await < BEHIND).then_some(())).await;
    }
    other.finish(Ending::default()).await;
    // The counts are of appointments that there are not.
    app.finish_as(Ending { is_broken: true, ..Ending::default() }).await;
}
