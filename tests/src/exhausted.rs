//! A pool of one connection that is exhausted on purpose: somebody holds a row, a writer waits for
//! it with the connection, and everybody else waits for that.
//!
//! Never here: who is told of it, and how soon.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::JoinSet;

use crate::app::{Setup, TestApp};
use crate::database::Sql;
use crate::practice::{Practice, appointment};

/// Callers at a time. Each waits 2 s and is turned away: in 6 s that is enough for the endpoint's
/// own alert, which needs 348 requests.
const CALLERS: usize = 120;

/// What a service says of it to its log.
pub const ERRORS: &[&str] = &["overloaded", "deadline_exceeded", "stage", "timeout"];

/// A service whose pool for requests has one connection. The others have room: of one connection,
/// stages wait for each other on a busy machine.
pub fn setup() -> Setup {
    TestApp::with().env("PUNCTUAL_DATABASE_POOL_SIZES", "interactive=1")
}

/// The pool for requests, exhausted until this ends.
#[derive(Debug)]
pub struct Exhausted {
    held: Sql,
    stop: Arc<AtomicBool>,
    callers: JoinSet<()>,
}

impl Exhausted {
    /// Callers who read, and callers who write the appointment whose row is held.
    pub async fn begin(app: &TestApp, one: &Practice) -> Self {
        one.book(&appointment("a")).await;
        let held = Sql::connect(&app.database.url()).await;
        held.texts("BEGIN").await;
        held.rows("SELECT 1 FROM appointment FOR UPDATE", &[]).await;
        let stop = Arc::new(AtomicBool::new(false));
        let mut callers = JoinSet::new();
        for _ in 0..2 {
            let (stop, one) = (Arc::clone(&stop), one.clone());
            callers.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    // It is answered, whatever is said.
                    drop(one.try_book(&appointment("a").version(2)).await.expect("an answer"));
                }
            });
        }
        for _ in 0..CALLERS {
            let (stop, client) = (Arc::clone(&stop), app.client.clone());
            let path = one.path("/appointments/a");
            callers.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    client.get(&path).send().await;
                }
            });
        }
        Self { held, stop, callers }
    }

    /// Lets the row go and waits until nobody calls any more.
    pub async fn end(self) {
        self.held.texts("ROLLBACK").await;
        self.stop.store(true, Ordering::Relaxed);
        self.callers.join_all().await;
    }
}
