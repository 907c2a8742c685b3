//! Which flights are kept: those over their objective, failed or given up, and a fair sample of
//! those that were served in time to hold them against. A bounded ring for each route, so that a
//! busy one can't push out a quiet one's, and in it a share for each reason: requests that a full
//! pool turns away by the hundred don't push out the slow ones that explain why it is full.
//!
//! Belongs here: choosing, keeping, finding. Never here: how they are shown (`endpoints::debug_*`).

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use contract::{DeliveryOutcome, Endpoint, RequestOutcome};

use super::exemplar::TraceId;
use super::flight::{Flight, Span};
use super::registered::IS_MEASURED;

/// Bad flights that a route keeps, the newest of each reason. One is about 1 kB. No reason has
/// fewer than a third of the places if there are as many of it; what others don't use is free.
const BAD_MAX: usize = 32;
/// Flights in a route's sample.
const SAMPLE_MAX: usize = 16;
/// Bad flights that a route takes in a second, of each reason: more say nothing new, and cost on a
/// bad day.
const BAD_PER_SECOND: u32 = 16;
/// A sample is of this long, in ticks of a second, and the one before it is shown until it is full.
const SAMPLE_TICKS: u64 = 60;

/// What a flight was of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// A request.
    Endpoint(Endpoint),
    /// A text on its way to the provider.
    Message,
}

impl Route {
    const COUNT: usize = Endpoint::COUNT + 1;

    /// As in labels and addresses.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Endpoint(endpoint) => endpoint.name(),
            Self::Message => "message",
        }
    }

    /// The route of that name, if there is one.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        if name == Self::Message.name() {
            return Some(Self::Message);
        }
        Endpoint::from_name(name).map(Self::Endpoint)
    }

    const fn index(self) -> usize {
        match self {
            Self::Endpoint(endpoint) => endpoint.index(),
            Self::Message => Endpoint::COUNT,
        }
    }

    /// All of them.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        Endpoint::ALL.iter().map(|&endpoint| Self::Endpoint(endpoint)).chain([Self::Message])
    }
}

/// Why a flight was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// It took longer than its objective.
    Slow,
    /// It failed by our fault, or was shed.
    Failed,
    /// The caller went away.
    Aborted,
    /// It was drawn.
    Sample,
}

impl Why {
    /// Those of bad flights.
    pub(crate) const BAD: [Self; 3] = [Self::Slow, Self::Failed, Self::Aborted];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Slow => "slow",
            Self::Failed => "failed",
            Self::Aborted => "aborted",
            Self::Sample => "sample",
        }
    }
}

/// A flight that was kept.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) trace: TraceId,
    pub(crate) route: Route,
    /// When it ended.
    pub(crate) at: SystemTime,
    pub(crate) took: Duration,
    pub(crate) outcome: &'static str,
    /// 0 where there was no answer.
    pub(crate) status: u16,
    pub(crate) why: Why,
    pub(crate) spans: Vec<Span>,
    /// Spans for which there was no room.
    pub(crate) dropped: u32,
}

/// A flight at its end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Landed<'a> {
    pub(crate) flight: &'a Flight,
    pub(crate) route: Route,
    pub(crate) took: Duration,
    /// Longer than its objective, or its journey was.
    pub(crate) is_slow: bool,
    pub(crate) ending: Ending,
    /// The outcome's name.
    pub(crate) outcome: &'static str,
    pub(crate) status: u16,
}

/// How a flight ended, as far as keeping it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// As it should.
    Good,
    /// By the caller's fault, or beyond a limit. It is kept if it was slow. Else it is nothing to
    /// hold slow ones against: it ends before most of what they spend their time on.
    Refused,
    /// By our fault, or shed.
    Failed,
    /// The caller went away.
    Aborted,
}

impl From<RequestOutcome> for Ending {
    fn from(outcome: RequestOutcome) -> Self {
        match outcome {
            RequestOutcome::Ok => Self::Good,
            RequestOutcome::Rejected => Self::Refused,
            RequestOutcome::Failed | RequestOutcome::Shed => Self::Failed,
            RequestOutcome::Aborted => Self::Aborted,
        }
    }
}

impl From<DeliveryOutcome> for Ending {
    fn from(outcome: DeliveryOutcome) -> Self {
        match outcome {
            DeliveryOutcome::Sent => Self::Good,
            DeliveryOutcome::Transient | DeliveryOutcome::Failed | DeliveryOutcome::Ambiguous => {
                Self::Failed
            }
        }
    }
}

struct OfRoute {
    /// Flights of this sample's time so far, and the one that is drawn next.
    seen: AtomicU64,
    drawn: AtomicU64,
    /// Bad ones taken in this second, by the reason's place in [`Why::BAD`].
    taken: [AtomicU32; Why::BAD.len()],
    rings: Mutex<Rings>,
}

struct Rings {
    bad: VecDeque<Kept>,
    sample: Vec<Kept>,
    before: Vec<Kept>,
    /// Where the sample's algorithm stands.
    weight: f64,
}

static ROUTES: [OfRoute; Route::COUNT] = [const { OfRoute::new() }; Route::COUNT];
static TICKS: AtomicU64 = AtomicU64::new(0);

impl OfRoute {
    const fn new() -> Self {
        Self {
            seen: AtomicU64::new(0),
            drawn: AtomicU64::new(0),
            taken: [const { AtomicU32::new(0) }; Why::BAD.len()],
            rings: Mutex::new(Rings {
                bad: VecDeque::new(),
                sample: Vec::new(),
                before: Vec::new(),
                weight: 1.0,
            }),
        }
    }

    fn rings(&self) -> MutexGuard<'_, Rings> {
        self.rings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn offer(&self, landed: &Landed<'_>) -> bool {
        let why = match landed.ending {
            Ending::Failed => Why::Failed,
            Ending::Aborted => Why::Aborted,
            Ending::Good | Ending::Refused if landed.is_slow => Why::Slow,
            Ending::Good => return self.draw(landed),
            Ending::Refused => return false,
        };
        if self.taken[why as usize].fetch_add(1, Ordering::Relaxed) >= BAD_PER_SECOND {
            return false;
        }
        let kept = keep(landed, why);
        self.rings().take(kept);
        true
    }

    /// A reservoir: each of the good ones is as likely to be in it as any other. The next one to
    /// be drawn is known beforehand (Li, Reservoir-sampling algorithms of time complexity
    /// O(n(1 + log(N/n))), 1994, algorithm L), so that the others cost one addition.
    fn draw(&self, landed: &Landed<'_>) -> bool {
        let n = self.seen.fetch_add(1, Ordering::Relaxed);
        if n < self.drawn.load(Ordering::Relaxed) {
            return false;
        }
        let kept = keep(landed, Why::Sample);
        let mut rings = self.rings();
        if rings.sample.len() < SAMPLE_MAX {
            rings.sample.push(kept);
            if rings.sample.len() < SAMPLE_MAX {
                return true;
            }
        } else {
            let place = rand::random_range(0..SAMPLE_MAX);
            rings.sample[place] = kept;
        }
        rings.weight *= unit().powf(1.0 / SAMPLE_MAX as f64);
        let skip = (unit().ln() / (1.0 - rings.weight).ln()).floor();
        self.drawn.store(n.saturating_add(1).saturating_add(skip as u64), Ordering::Relaxed);
        true
    }

    /// A new second: room for as many bad ones again.
    fn begin_second(&self) {
        self.taken.iter().for_each(|taken| taken.store(0, Ordering::Relaxed));
    }

    fn begin_sample(&self) {
        let mut rings = self.rings();
        rings.before = std::mem::take(&mut rings.sample);
        rings.weight = 1.0;
        self.drawn.store(0, Ordering::Relaxed);
        self.seen.store(0, Ordering::Relaxed);
    }
}

impl Rings {
    /// Takes a bad flight in. Where there is no room, the oldest goes of the reason that has most,
    /// this one counted.
    fn take(&mut self, kept: Kept) {
        if self.bad.len() >= BAD_MAX {
            let of = |why: Why| {
                let there = self.bad.iter().filter(|kept| kept.why == why).count();
                there + usize::from(kept.why == why)
            };
            let most = Why::BAD.into_iter().map(of).max();
            let place = self.bad.iter().position(|kept| Some(of(kept.why)) == most);
            self.bad.remove(place.unwrap_or(0));
        }
        self.bad.push_back(kept);
    }
}

/// Between zero and one, neither included.
fn unit() -> f64 {
    rand::random::<f64>().clamp(f64::MIN_POSITIVE, 1.0 - f64::EPSILON)
}

fn keep(landed: &Landed<'_>, why: Why) -> Kept {
    Kept {
        trace: landed.flight.trace(),
        route: landed.route,
        at: SystemTime::now(),
        took: landed.took,
        outcome: landed.outcome,
        status: landed.status,
        why,
        spans: landed.flight.spans(),
        dropped: landed.flight.dropped(),
    }
}

/// Keeps a flight if it is worth it, and says whether it did. Only one that is kept makes examples:
/// from any other a dot on a chart would lead nowhere.
pub(crate) fn offer(landed: &Landed<'_>) -> bool {
    let is_kept = IS_MEASURED && ROUTES[landed.route.index()].offer(landed);
    if is_kept {
        super::query::examples(landed.flight);
    }
    is_kept
}

/// Once a second: new room for bad ones, and at times a new sample.
pub(crate) fn tick() {
    let is_new_sample = TICKS.fetch_add(1, Ordering::Relaxed) % SAMPLE_TICKS == SAMPLE_TICKS - 1;
    for route in &ROUTES {
        route.begin_second();
        if is_new_sample {
            route.begin_sample();
        }
    }
}

/// The bad flights of a route, the newest first.
pub(crate) fn bad(route: Route) -> Vec<Kept> {
    ROUTES[route.index()].rings().bad.iter().rev().cloned().collect()
}

/// A fair sample of the flights that a route served in time: of the last minute, and of the one
/// before.
pub(crate) fn sample(route: Route) -> Vec<Kept> {
    let rings = ROUTES[route.index()].rings();
    rings.sample.iter().chain(&rings.before).cloned().collect()
}

/// Traces by a hash that is fast. Callers may choose theirs; of the few thousand that the rings
/// hold, the worst that comes of it is cheap.
pub(crate) type Traces = HashSet<TraceId, foldhash::fast::RandomState>;

/// The traces of all that is kept now: those whose examples lead somewhere.
pub(crate) fn traces() -> Traces {
    let room = Route::COUNT * (BAD_MAX + 2 * SAMPLE_MAX);
    let mut traces = Traces::with_capacity_and_hasher(room, foldhash::fast::RandomState::default());
    for route in &ROUTES {
        let rings = route.rings();
        let all = rings.bad.iter().chain(&rings.sample).chain(&rings.before);
        traces.extend(all.map(|kept| kept.trace));
    }
    traces
}

/// Everything kept of a trace, in the order in which it ended.
pub(crate) fn of_trace(trace: TraceId) -> Vec<Kept> {
    let mut found: Vec<Kept> = Route::all()
        .flat_map(|route| [bad(route), sample(route)].concat())
        .filter(|kept| kept.trace == trace)
        .collect();
    found.sort_by_key(|kept| kept.at);
    found
}

#[cfg(test)]
mod tests;
