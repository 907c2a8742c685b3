//! What the laws say at run time: numbers that must be zero, or small and explained.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use contract::{Family, Law, ResidualKind};

use super::family;
use super::readable::{Count, Level};
use super::registered::Registered;

struct Handles {
    ambiguous: Level,
    stranded: Level,
    residuals: [Level; ResidualKind::COUNT],
    reconciled_until: Level,
    round: Level,
    reconciled: Count,
    compared_until: Level,
    audited: [Level; Law::COUNT],
    /// When that was found, in seconds since the epoch; 0 for never.
    audited_at: AtomicU64,
    fold_lag: Level,
    stale: Count,
    closed: Count,
}

static HANDLES: Registered<Handles> = Registered::new();

pub(super) fn register() {
    HANDLES.register(|| Handles {
        ambiguous: Level::register(Family::AmbiguousMessages, family::NONE),
        stranded: Level::register(Family::StrandedRows, family::NONE),
        residuals: std::array::from_fn(|at| {
            let labels = [("kind", ResidualKind::ALL[at].name())];
            Level::register(Family::ConservationResidual, labels)
        }),
        reconciled_until: Level::register(Family::ReconciledUntil, family::NONE),
        round: Level::register(Family::ReconcileRound, family::NONE),
        reconciled: Count::register(Family::ReconciledPromises, family::NONE),
        compared_until: Level::register(Family::ProviderComparedUntil, family::NONE),
        audited: std::array::from_fn(|at| {
            Level::register(Family::AuditViolations, [("law", Law::ALL[at].name())])
        }),
        audited_at: AtomicU64::new(0),
        fold_lag: Level::register(Family::FoldLag, family::NONE),
        stale: Count::register(Family::StaleCompletions, family::NONE),
        closed: Count::register(Family::ClosedPractices, family::NONE),
    });
}

/// States how many messages are ambiguous now.
pub(crate) fn ambiguous(messages: u64) {
    set(|handles| &handles.ambiguous, messages as f64);
}

/// States how many rows the last sweep found below a floor.
pub(crate) fn stranded(rows: u64) {
    set(|handles| &handles.stranded, rows as f64);
}

/// States how many promises of each kind are out of order.
pub(crate) fn residuals(by_kind: [u64; ResidualKind::COUNT]) {
    if let Some(handles) = HANDLES.get() {
        handles.residuals.iter().zip(by_kind).for_each(|(level, n)| level.set(n as f64));
    }
}

/// Counts promises that were looked at.
pub(crate) fn reconciled(promises: u64) {
    if let Some(handles) = HANDLES.get() {
        handles.reconciled.increment(promises);
    }
}

/// States until when, in seconds since the epoch, every promise had its turn, and how long a round
/// takes.
pub(crate) fn reconciled_until(seconds: i64, round: Duration) {
    set(|handles| &handles.reconciled_until, seconds as f64);
    set(|handles| &handles.round, round.as_secs_f64());
}

/// States until when, in seconds since the epoch, the provider's list was compared; zero for never.
pub(crate) fn compared_until(seconds: f64) {
    set(|handles| &handles.compared_until, seconds);
}

/// States how many violations of each law an audit found.
pub(crate) fn audited(by_law: [i64; Law::COUNT]) {
    if let Some(handles) = HANDLES.get() {
        handles.audited.iter().zip(by_law).for_each(|(level, n)| level.set(n as f64));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        handles.audited_at.store(now.as_secs(), Ordering::Relaxed);
    }
}

/// States how old the oldest unfolded change of a count is.
pub(crate) fn fold_lag(age: Duration) {
    set(|handles| &handles.fold_lag, age.as_secs_f64());
}

/// Counts completions that a lost lease made void.
pub(crate) fn stale(n: u64) {
    if let Some(handles) = HANDLES.get() {
        handles.stale.increment(n);
    }
}

/// Counts texts that a claim found ready while their practice was closed.
pub(crate) fn closed(n: u64) {
    if let Some(handles) = HANDLES.get() {
        handles.closed.increment(n);
    }
}

/// The numbers as they are now.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Reading {
    /// Messages whose delivery's answer is not known.
    pub(crate) ambiguous: u64,
    /// Rows below a floor.
    pub(crate) stranded: u64,
    /// Promises out of order, by kind.
    pub(crate) residuals: [u64; ResidualKind::COUNT],
    /// Until when every promise had its turn; none before the first.
    pub(crate) reconciled_until: Option<SystemTime>,
    /// How long a round takes.
    pub(crate) round: Duration,
    /// What the last audit by this process found of all laws, and when that was; none if it made
    /// none.
    pub(crate) audited: Option<(f64, SystemTime)>,
    /// How far folding is behind.
    pub(crate) fold_lag: Duration,
    /// Completions that a lost lease made void.
    pub(crate) stale: u64,
}

/// Reads them.
pub(crate) fn read() -> Reading {
    let Some(handles) = HANDLES.get() else { return Reading::default() };
    let audited_at = handles.audited_at.load(Ordering::Relaxed);
    let at = UNIX_EPOCH + Duration::from_secs(audited_at);
    Reading {
        ambiguous: handles.ambiguous.get() as u64,
        stranded: handles.stranded.get() as u64,
        residuals: std::array::from_fn(|kind| handles.residuals[kind].get() as u64),
        reconciled_until: (handles.reconciled_until.get() > 0.0)
            .then(|| UNIX_EPOCH + Duration::from_secs(handles.reconciled_until.get() as u64)),
        round: Duration::try_from_secs_f64(handles.round.get()).unwrap_or_default(),
        audited: (audited_at > 0).then(|| (handles.audited.iter().map(Level::get).sum(), at)),
        fold_lag: Duration::try_from_secs_f64(handles.fold_lag.get()).unwrap_or_default(),
        stale: handles.stale.get(),
    }
}

fn set(which: impl Fn(&Handles) -> &Level, value: f64) {
    if let Some(handles) = HANDLES.get() {
        which(handles).set(value);
    }
}
