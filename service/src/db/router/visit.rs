//! A read's stay on a replica: counted while it lasts, and told to the breaker when it ends.

use std::sync::atomic::{AtomicBool, Ordering};

use contract::Limit;
use tokio::time::{Instant, sleep};

use super::Db;
use super::breaker::Ticket;
use super::view::HUNG_AFTER;
use crate::obs;

/// A read that is under way on a replica, counted there until it is dropped.
pub(super) struct Visit {
    db: Db,
    server: usize,
    ticket: Ticket,
    /// The breaker knows how it went.
    is_told: AtomicBool,
}

impl Visit {
    /// Nothing where the breaker lets nobody through.
    pub(super) fn begin(db: &Db, server: usize, now: Instant) -> Option<Self> {
        let this = &db.0.servers[server];
        let ticket = this.breaker.enter(now)?;
        this.in_flight.fetch_add(1, Ordering::Relaxed);
        Some(Self { db: db.clone(), server, ticket, is_told: AtomicBool::new(false) })
    }

    /// On which server.
    pub(super) const fn server(&self) -> usize {
        self.server
    }

    /// Ends once the server has been silent for so long that it is waited for in vain.
    pub(super) async fn until_it_hangs(&self) {
        sleep(HUNG_AFTER).await;
        while !self.db.view().hangs(self.server, Instant::now()) {
            sleep(self.db.0.settings.routing.interval).await;
        }
    }

    /// The server answered.
    pub(super) fn succeeded(&self) {
        self.is_told.store(true, Ordering::Relaxed);
        self.db.0.servers[self.server].breaker.succeeded(self.ticket);
    }

    /// It did not, and that was its fault.
    pub(super) fn failed(&self) {
        self.is_told.store(true, Ordering::Relaxed);
        let this = &self.db.0.servers[self.server];
        if this.breaker.failed(self.ticket, Instant::now()) {
            obs::limit::reached(Limit::ReplicaFailures);
            tracing::warn!(
                server = this.name.as_str(),
                "the replica failed again and again: not read now"
            );
        }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        let this = &self.db.0.servers[self.server];
        this.in_flight.fetch_sub(1, Ordering::Relaxed);
        if !self.is_told.load(Ordering::Relaxed) {
            this.breaker.abandoned(self.ticket);
        }
    }
}
