//! The live page: what this process measures, for whoever has no dashboards yet. One sampler looks
//! at the recorder's values once a second, whether or not anybody watches, so that a page that is
//! opened in the middle of an incident shows the two minutes before it.
//!
//! A look costs about a third of a millisecond of one core, and what is kept is about 1.5 MB (a
//! minute of all cells, two minutes of the few numbers that are drawn). The document is only made
//! while somebody watches, once for all of them.
//!
//! Belongs here: what is shown, and of which window. Never here: recording (`obs`), asking the
//! database, the two endpoints (`endpoints::read_live`, `endpoints::stream_live`).

mod document;
mod history;
mod kept;
pub(crate) mod page;
mod parts;
mod sample;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;

use crate::readiness::Readiness;
use history::History;
use sample::Sample;

/// Between two looks.
const PERIOD: Duration = Duration::from_secs(1);

/// How long a browser waits before it connects again.
const RETRY: &str = "retry: 2000\n";

/// What the page shows, kept up to date by [`Live::sample`].
pub(crate) struct Live {
    readiness: Arc<Readiness>,
    history: Mutex<History>,
    /// The newest document as a server-sent event.
    events: watch::Sender<Bytes>,
}

impl Live {
    /// Nothing seen yet but the present.
    pub(crate) fn new(readiness: Arc<Readiness>) -> Self {
        let history = Mutex::new(History::starting(Sample::take()));
        Self { readiness, history, events: watch::Sender::new(Bytes::new()) }
    }

    /// Looks once a second, for ever.
    pub(crate) async fn sample(&self) {
        let mut ticks = tokio::time::interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.tick().await; // the first one is now, and now has been seen
        loop {
            ticks.tick().await;
            self.history().push(Sample::take());
            if self.events.receiver_count() > 0 {
                self.events.send_replace(self.event());
            }
        }
    }

    /// Puts an event a second into a stream, the first one at once, until its reader is gone. A
    /// reader that is slower than that misses some; none is kept for it.
    pub(crate) async fn push(&self, stream: mpsc::Sender<Bytes>) {
        let mut events = self.events.subscribe();
        let first = [RETRY.as_bytes(), &self.event()[..]].concat();
        let mut next = Bytes::from(first);
        loop {
            if stream.send(next).await.is_err() {
                return;
            }
            let changed = tokio::select! {
                changed = events.changed() => changed,
                () = stream.closed() => return,
            };
            if changed.is_err() {
                return;
            }
            next = events.borrow_and_update().clone();
        }
    }

    fn event(&self) -> Bytes {
        let document = self.history().document(&self.readiness.missing());
        // JSON has no line breaks of its own, so it is one line of data.
        let json = serde_json::to_string(&document).expect("numbers and names are JSON");
        Bytes::from(format!("data: {json}\n\n"))
    }

    fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
