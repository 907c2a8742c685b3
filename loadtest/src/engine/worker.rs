//! What one user does: takes the next request of the shared schedule, waits for its time, sends it
//! and books it. Users share one cursor, so a user that waits for a slow answer holds up nobody;
//! when all are held up, requests leave late and are charged for it.
//!
//! Never here: goose (`attack`) or sockets (`connection`).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::connection::{Broken, Transport};
use super::ledger::{Due, Ending, Ledger, Times};
use super::pacer::Pacer;
use super::slowest::Seen;
use super::source::{Outgoing, Source, Verdict};

/// A request is given up this long after its first sending, however often it may be sent again.
const GIVE_UP: Duration = Duration::from_secs(30);

/// What all users of a run share.
#[derive(Debug)]
pub struct Shared<S> {
    /// The schedule.
    pub source: Arc<S>,
    /// The books.
    pub ledger: Arc<Ledger>,
    /// How to wait.
    pub pacer: Pacer,
    /// Ends the run early.
    pub stop: CancellationToken,
    cursor: AtomicUsize,
}

/// One booked request, as goose is told of it.
#[derive(Debug, Clone, Copy)]
pub struct Booked {
    /// Its label.
    pub label: usize,
    /// From the intended start to the end.
    pub response: Duration,
    /// The status, where there was an answer.
    pub status: Option<u16>,
    /// How it ended.
    pub ending: Ending,
}

/// Somebody besides the ledger who wants to know of every request.
pub trait Witness: Send {
    /// Takes note.
    fn booked(&mut self, booked: Booked) -> impl Future<Output = ()> + Send;
}

impl<S: Source> Shared<S> {
    /// A run over a schedule, nothing of it sent.
    #[must_use]
    pub fn new(source: Arc<S>, pacer: Pacer, settled: bool, stop: CancellationToken) -> Self {
        let ledger = Arc::new(Ledger::new(source.labels(), settled));
        Self { source, ledger, pacer, stop, cursor: AtomicUsize::new(0) }
    }

    /// How many requests users have taken.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.cursor.load(Ordering::Relaxed).min(self.source.len())
    }

    /// Works until the schedule is done or the run is stopped.
    pub async fn work(
        &self,
        start: Instant,
        transport: &mut impl Transport,
        witness: &mut impl Witness,
    ) {
        loop {
            let free = Instant::now();
            let index = self.cursor.fetch_add(1, Ordering::Relaxed);
            if index >= self.source.len() {
                return;
            }
            let offset = self.source.intended(index);
            let due = Due { offset, intended: start + offset, free };
            tokio::select! {
                biased;
                // One whose time has not come when the run is stopped was never due.
                () = self.stop.cancelled() => return self.close_one(index, due),
                () = self.pacer.wait(due.intended) => {}
            }
            let booked = self.one(index, due, transport).await;
            witness.booked(booked).await;
        }
    }

    /// Sends one request until it has its answer, and books it.
    async fn one(&self, index: usize, due: Due, transport: &mut impl Transport) -> Booked {
        let mut request = self.source.request(index);
        request.traceparent = self.source.trace(index).map(|trace| trace.header());
        let sent = Instant::now();
        let mut seen = Seen::default();
        let mut again = 0;
        // Whether anything of it left: nothing does while no connection is made.
        let mut left = false;
        let ending = loop {
            let noted = (&mut seen, &mut left);
            let verdict = tokio::select! {
                biased;
                verdict = self.ask(index, &request, transport, noted, again + 1) => verdict,
                () = self.stop.cancelled() => {
                    left = true;
                    break Ending::Unanswered;
                }
            };
            match verdict {
                Verdict::Good => break Ending::Good,
                Verdict::Bad(reason) => break Ending::Failed(reason),
                Verdict::Again(wait) if sent.elapsed() + wait < GIVE_UP => {
                    again += 1;
                    tokio::select! {
                        () = tokio::time::sleep(wait) => {}
                        () = self.stop.cancelled() => {
                            break if left { Ending::Unanswered } else { Ending::Unsent };
                        }
                    }
                }
                Verdict::Again(_) => break Ending::Failed("given up"),
            }
        };
        let ended = Instant::now();
        let refused = !left && matches!(ending, Ending::Failed(_));
        let sent = (left || refused).then_some(sent);
        let times = Times { due, sent, refused, ended, again };
        self.ledger.record(request.label, &times, ending);
        let status = seen.status;
        self.ledger.slowest().offer((index, request.label), &times, ending, || seen);
        let response = ended.saturating_duration_since(due.intended);
        Booked { label: request.label, response, status, ending }
    }

    async fn ask(
        &self,
        index: usize,
        request: &Outgoing,
        transport: &mut impl Transport,
        (seen, left): (&mut Seen, &mut bool),
        sending: u64,
    ) -> Verdict {
        let answer = transport.exchange(request).await;
        *left |= !matches!(answer, Err(Broken::Connect));
        match answer {
            Ok(answer) => {
                seen.status = Some(answer.status);
                seen.server_timing.clone_from(&answer.server_timing);
                self.source.answered(index, &answer)
            }
            Err(broken) => self.source.broken(index, broken, sending),
        }
    }

    /// Books a request that was taken and not sent, if it was due.
    fn close_one(&self, index: usize, due: Due) {
        let now = Instant::now();
        if due.intended <= now {
            let times = Times { due, sent: None, refused: false, ended: now, again: 0 };
            let label = self.source.label(index);
            self.ledger.record(label, &times, Ending::Unsent);
            self.ledger.slowest().offer((index, label), &times, Ending::Unsent, Seen::default);
        }
    }

    /// Books what was due and never taken. To be called once, when no user works any more.
    pub fn close(&self, start: Instant) {
        for index in self.taken()..self.source.len() {
            let offset = self.source.intended(index);
            let intended = start + offset;
            let free = Instant::now();
            if intended > free {
                return;
            }
            self.close_one(index, Due { offset, intended, free });
        }
    }
}

#[cfg(test)]
#[path = "worker_tests.rs"]
mod tests;
