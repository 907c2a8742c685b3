//! Waiting until everything that was due in the day is done: released, handed over, settled,
//! called back, counted. Bounded; what is left at the deadline is said.
//!
//! Never here: looking at whether it was done right (`judge`).

use std::time::Duration;

use stack::provider::State;
use tokio::time::{Instant, sleep};

use super::target::Target;
use super::watch::Backlog;
use crate::client::Client;
use crate::exit::Failure;
use crate::interrupt::Interrupt;

const LOOK: Duration = Duration::from_millis(500);

/// How a drain ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Drained {
    /// When all was done, or the deadline came.
    pub(crate) at: Instant,
    /// What was left at the deadline.
    pub(crate) left: Option<(Backlog, u64)>,
}

/// Waits until two looks in a row find nothing to do. The domain clock must stand by then.
pub(crate) async fn drain(
    target: &Target,
    within: Duration,
    interrupt: &Interrupt,
) -> Result<Drained, Failure> {
    let address = target.admin.first().map_or("", String::as_str);
    let mut admin = Client::new(address, Some(&target.admin_key))?;
    let mut provider = Client::new(&target.provider, None)?;
    let deadline = Instant::now() + within;
    let mut empty_since = None;
    loop {
        let backlog: Backlog = admin.get("/admin/backlog").await?;
        let state: State = provider.get("/control/state").await?;
        let now = Instant::now();
        if backlog.is_empty() && state.callbacks.pending == 0 {
            // A text may lie between two counts; by the next look it has shown up in one.
            if let Some(at) = empty_since {
                return Ok(Drained { at, left: None });
            }
            empty_since = Some(now);
        } else {
            empty_since = None;
        }
        if now >= deadline {
            return Ok(Drained { at: now, left: Some((backlog, state.callbacks.pending)) });
        }
        tokio::select! {
            () = sleep(LOOK) => {}
            () = interrupt.stop.cancelled() => return Err(Failure::Interrupted),
        }
    }
}
