//! An endpoint that got slower, or runs one statement more, for the tests of the gates that must
//! find it. It is in no release: only builds that check their assertions have it.
//!
//! `TEST_ENDPOINT_BUG=NAME,MICROSECONDS,STATEMENTS`: what each request of the endpoint takes
//! longer, and how many statements it runs more.

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use contract::{Endpoint, Pool, Query};

use crate::app::App;

/// What is shorter is worked for: the runtime's timer turns in milliseconds.
const SLEEP_FROM: Duration = Duration::from_millis(2);

struct Bug {
    endpoint: Endpoint,
    slower_by: Duration,
    statements: u32,
}

static BUG: LazyLock<Option<Bug>> = LazyLock::new(|| {
    let text = std::env::var("TEST_ENDPOINT_BUG").ok()?;
    let [name, micros, statements] = text.split(',').collect::<Vec<_>>().try_into().ok()?;
    Some(Bug {
        endpoint: Endpoint::from_name(name)?,
        slower_by: Duration::from_micros(micros.parse().ok()?),
        statements: statements.parse().ok()?,
    })
});

/// Does to a request what the environment asks for; nothing without it.
pub(super) async fn spoil(app: &Arc<App>, endpoint: Endpoint) {
    let Some(bug) = BUG.as_ref().filter(|bug| bug.endpoint == endpoint) else { return };
    if bug.slower_by >= SLEEP_FROM {
        tokio::time::sleep(bug.slower_by).await;
    } else {
        let until = Instant::now() + bug.slower_by;
        while Instant::now() < until {
            std::hint::spin_loop();
        }
    }
    for _ in 0..bug.statements {
        if let Ok(conn) = app.db.get(Pool::Interactive).await {
            let _answer = conn.row_opt(Query::ReadinessProbe, &[]).await;
        }
    }
}
