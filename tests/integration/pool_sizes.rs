//! Sizes of pools and numbers of tasks that are set are seen to act: as many batches are written at
//! a time as there are tasks, and no more of them than the pool has connections.
//!
//! Never here: which sizes are good; `loadtest capacity` measures that.

use contract::{Limit, Pool, shard_of};
use tests::slow::Held;
use tests::wait::soon;
use tests::{Practice, TestApp, appointment, until};

/// Shards with a booking each: more than there are tasks in any of these tests.
const SHARDS: usize = 6;

/// The first practices that are of as many shards.
async fn of_many_shards(app: &TestApp) -> Vec<Practice> {
    let count = app.database.sql.one::<i16>("SELECT shard_count FROM deployment", &[]).await;
    let mut shards = Vec::new();
    let mut practices = Vec::new();
    for id in 1.. {
        let shard = shard_of(id, count);
        if !shards.contains(&shard) {
            shards.push(shard);
            let practice = app.practice(id).await;
            // Its key is known from here on: nobody waits for a connection to check it.
            practice.book(&appointment("warm")).await;
            practices.push(practice);
        }
        if shards.len() > SHARDS {
            break;
        }
    }
    practices
}

/// Waits until at least so many bookings are in the group commit's queue or being written.
async fn are_queued(app: &TestApp, bookings: usize) {
    let bound = Limit::CommitQueue.spec().default as f64;
    until("the bookings are in the queue", async || {
        let used = app.scrape().await.sum("limit_used_ratio", &[("limit", "commit_queue")]);
        (used >= bookings as f64 / bound).then_some(())
    })
    .await;
}

/// Books in every shard while all of them are held. As many transactions wait for that as are
/// wanted, also once another booking has been seen to come in.
async fn so_many_are_written(settings: &[(&str, &str)], wanted: i64) -> TestApp {
    let setup =
        settings.iter().fold(TestApp::with(), |setup, (name, value)| setup.env(name, value));
    let app = setup.start().await;
    let practices = of_many_shards(&app).await;
    let held = Held::every_shard(&app).await;
    let book = |practice: &Practice| {
        let practice = practice.clone();
        tokio::spawn(async move {
            // Who waits for a connection for too long is told to come again.
            while practice.try_book(&appointment("a")).await.unwrap().status != 200 {}
        })
    };
    let (last, first) = practices.split_last().unwrap();
    let mut books: Vec<_> = first.iter().map(&book).collect();
    until("as many are written as there may be", async || {
        (held.waiting(&app, Pool::Interactive).await >= wanted).then_some(())
    })
    .await;
    books.push(book(last));
    are_queued(&app, SHARDS + 1).await;
    assert_eq!(held.waiting(&app, Pool::Interactive).await, wanted, "{settings:?}");
    held.release().await;
    for booked in books {
        soon("it is booked", booked).await.unwrap();
    }
    app
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn as_many_batches_are_written_at_a_time_as_there_are_tasks() {
    let tasks = ("PUNCTUAL_STAGE_TASKS", "plan=3");
    so_many_are_written(&[tasks], 3).await.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_batches_are_written_at_a_time_than_the_pool_has_connections() {
    let tasks = ("PUNCTUAL_STAGE_TASKS", "plan=5");
    let sizes = ("PUNCTUAL_DATABASE_POOL_SIZES", "interactive=2,upkeep=5");
    let app = so_many_are_written(&[tasks, sizes], 2).await;
    let scrape = app.scrape().await;
    let most = |pool| scrape.sum("db_client_connections_max", &[("pool", pool)]);
    // The rest of 18, by the shares of the other two: six to two.
    let all = ["interactive", "upkeep", "pipeline", "reporting"].map(most);
    assert_eq!(all, [2.0, 5.0, 8.0, 2.0]);
    app.finish().await;
}
