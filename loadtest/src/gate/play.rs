//! A duet played: both sides' requests sent from one schedule over two connections a user, the
//! machine watched meanwhile.
//!
//! Belongs here: sending and gathering. Never here: the order within pairs (`pairs`), starting the
//! sides (`side`), what it is worth (`judge`).

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::pairs::{Pairs, SIDES};
use super::stats::windows::Pair;
use crate::engine::connection::{Broken, Transport};
use crate::engine::ledger::CleanRow;
use crate::engine::machine::{Second, Tolerance, Watch};
use crate::engine::worker::{Booked, Shared, Witness};
use crate::engine::{Answer, Connection, Label, Ledger, Outgoing, Pacer, Row, Source};
use crate::exit::Failure;
use crate::interrupt::Interrupt;
use crate::progress::Step;
use crate::run::measure::{HEAD_START, show};

/// How it is sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct How {
    /// Users; each has a connection to either side.
    pub(super) connections: usize,
    /// How long an answer is waited for, and what is open after the last intended start.
    pub(super) timeout: Duration,
    /// What spoils a second.
    pub(super) tolerance: Tolerance,
    /// Decides the order within pairs.
    pub(super) seed: u64,
}

/// What a duet leaves behind.
#[derive(Debug)]
pub(super) struct Played {
    /// The kinds of requests.
    pub(super) kinds: Vec<Label>,
    /// Pairs that were answered well on both sides.
    pub(super) pairs: Vec<Pair>,
    /// The machine, second by second.
    pub(super) seconds: Vec<Second>,
    /// Of base and of head: each kind, all of it.
    pub(super) rows: [Vec<Row>; 2],
    /// The same of clean seconds.
    pub(super) clean: [Vec<CleanRow>; 2],
    /// Pairs of the plan.
    pub(super) planned: u64,
    /// The rate at which requests left, or found no connection, over the one at which they were to.
    pub(super) achieved_ratio: f64,
}

/// A side's own schedule and where it goes.
pub(super) type Part<S> = (Arc<S>, String);

/// Plays a duet. `start` says, when all users stand ready, when it begins.
pub(super) async fn play<S: Source>(
    parts: [Part<S>; 2],
    how: How,
    start: impl Future<Output = Result<Instant, Failure>>,
    interrupt: &Interrupt,
) -> Result<Played, Failure> {
    let [(base, base_address), (head, head_address)] = parts;
    let addresses = [base_address, head_address];
    let pairs = Arc::new(Pairs::new([base, head], how.seed));
    let rate = busiest_second(&*pairs) as f64;
    let pacer = Pacer::at_rate(rate).map_err(|e| Failure::Unavailable(e.to_string()))?;
    let over = interrupt.stop.child_token();
    let shared = Arc::new(Shared::new(pairs.clone(), pacer, true, over.clone()));
    let mut ready = Vec::with_capacity(how.connections);
    for _ in 0..how.connections {
        ready.push(Both::open(&addresses, &*pairs, how.timeout).await?);
    }
    let start = start.await?.max(Instant::now() + HEAD_START);
    pairs.starts(start);
    let ledger = shared.ledger.clone();
    let watch = Watch::begin(ledger.clone(), start.into_std(), how.tolerance)
        .map_err(|e| Failure::Unavailable(e.to_string()))?;
    let span = pairs.intended(pairs.len().saturating_sub(1));
    let step = Step::begin("duet", "requests", pairs.len() as u64);
    let showing = tokio::spawn(show(ledger.clone(), step, start, span, over.clone()));
    let mut users = JoinSet::new();
    for mut both in ready {
        let shared = shared.clone();
        users.spawn(async move { shared.work(start, &mut both, &mut Nobody).await });
    }
    let all_back = async { while users.join_next().await.is_some() {} };
    tokio::select! {
        () = all_back => {}
        () = sleep_until(start + span + how.timeout) => over.cancel(),
    }
    // What the end cut off books itself as unanswered.
    while users.join_next().await.is_some() {}
    shared.close(start);
    over.cancel();
    let _shown = showing.await;
    let seconds = watch.end();
    if interrupt.stopped() {
        return Err(Failure::Interrupted);
    }
    Ok(gather(&pairs, &ledger, seconds, span))
}

fn gather<S: Source>(
    pairs: &Pairs<S>,
    ledger: &Ledger,
    mut seconds: Vec<Second>,
    span: Duration,
) -> Played {
    // To the seconds after the last intended start no request belongs.
    seconds.truncate(span.as_secs() as usize + 1);
    let kinds = pairs.kinds().to_vec();
    let both = |mut base: Vec<Row>| {
        let head = base.split_off(kinds.len());
        [base, head]
    };
    let mut clean = ledger.clean();
    let clean_head = clean.split_off(kinds.len());
    let (_, sent) = ledger.progress();
    let rows = ledger.rows();
    // What found no connection was sent as far as the harness is concerned.
    let tried = sent + rows.iter().map(|row| row.counts.refused).sum::<u64>();
    let span = span.as_secs_f64().max(1e-9);
    let stretched = span / ledger.last_sent().as_secs_f64().max(span);
    Played {
        pairs: pairs.answered_pairs(),
        seconds,
        rows: both(rows),
        clean: [clean, clean_head],
        planned: pairs.len() as u64 / 2,
        achieved_ratio: tried as f64 / pairs.len().max(1) as f64 * stretched,
        kinds,
    }
}

fn busiest_second(source: &impl Source) -> usize {
    let seconds: Vec<u64> = (0..source.len()).map(|i| source.intended(i).as_secs()).collect();
    seconds.chunk_by(|a, b| a == b).map(<[u64]>::len).max().unwrap_or(0)
}

/// A connection to either side.
#[derive(Debug)]
struct Both {
    sides: [Connection; 2],
    /// Labels from here on are head's.
    kinds: usize,
}

impl Both {
    async fn open<S: Source>(
        addresses: &[String; 2],
        pairs: &Pairs<S>,
        timeout: Duration,
    ) -> Result<Self, Failure> {
        let (keeps, kinds) = (pairs.reads_bodies(), pairs.kinds().len());
        let connection = |a: &String| Connection::new(a.clone(), timeout).keeping(keeps);
        let mut sides = addresses.each_ref().map(connection);
        for (connection, name) in sides.iter_mut().zip(SIDES) {
            let opened = connection.open().await;
            opened.map_err(|broken| {
                let address = connection.address();
                Failure::Unavailable(format!("{name} at http://{address}: {broken}"))
            })?;
        }
        Ok(Self { sides, kinds })
    }
}

impl Transport for Both {
    async fn exchange(&mut self, request: &Outgoing) -> Result<Answer, Broken> {
        let side = usize::from(request.label >= self.kinds);
        self.sides[side].exchange(request).await
    }
}

/// Nobody besides the books.
struct Nobody;

impl Witness for Nobody {
    async fn booked(&mut self, _: Booked) {}
}
