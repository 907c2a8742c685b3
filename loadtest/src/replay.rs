//! A day replayed against a running service: prepared, imported, sent at its instants, drained,
//! judged, reported.
//!
//! Belongs here: the order of the phases and what is kept between them. Never here: starting a
//! stack (`demo`), making a plan (`day`), sending (`engine`), judging (`laws`).

mod calibrate;
mod cancellations;
pub(crate) mod causal;
pub(crate) mod clock;
pub(crate) mod drain;
mod facts;
pub(crate) mod jobs;
mod judge;
pub(crate) mod live;
pub(crate) mod prepare;
mod probe;
pub mod target;
mod watch;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use stack::provider::{State, monotonic_ns};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

pub use target::Target;
pub use watch::Watched;

use crate::client::Client;
use crate::day::Plan;
use crate::day::plan::Counts;
use crate::day::schedule::real_offset;
use crate::engine::attack::{Lined, Outcome};
use crate::engine::machine::{Tolerance, Watch as Machine};
use crate::engine::{Attack, Intervals, Source as _};
use crate::exit::Failure;
use crate::interrupt::Interrupt;
use crate::laws::limits::SlowHeads;
use crate::report::units::{count, latency, rate};
use crate::report::{Ended, Report};
use crate::scrape::Metrics;
use calibrate::Speed;
use clock::{ClockSetter, Running};
use facts::Facts;
use live::{Keys, Live};
use watch::{Begin, Seen, Watch};

/// Beyond the last instant of the day, everything that was due in it is done within this time,
/// or half as long as the day took.
const DRAIN_MIN: Duration = Duration::from_secs(120);

/// How to replay.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Connections of the harness: the most requests that are under way at a time.
    pub users: usize,
    /// Domain seconds a real second; chosen by a calibration when not given.
    pub speed: Option<f64>,
    /// Where goose writes its report.
    pub goose_dir: PathBuf,
    /// Where the day's interval logs go; `None` writes none.
    pub logs_dir: Option<PathBuf>,
    /// Serves goose's live dashboard on this port of 127.0.0.1.
    pub dashboard_port: Option<u16>,
    /// Where clinics and patients come from, for the report.
    pub source: String,
    /// Rows of the source that were left out.
    pub left_out: Vec<String>,
}

/// Replays a plan. An interrupted run has a report of what was done until then.
///
/// # Errors
/// When the service, the provider or the engine fails.
pub async fn run(
    plan: Arc<Plan>,
    target: &Target,
    settings: &Settings,
    watched: Vec<Watched>,
    interrupt: &Interrupt,
) -> Result<Report, Failure> {
    let mut replay = Replay {
        facts: Facts::default(),
        watched: Arc::new(watched),
        plan: plan.clone(),
        target,
        settings,
        interrupt,
        stood_at: Timestamp::MAX,
    };
    let ended = match replay.through().await {
        Ok(()) if replay.facts.all_held() => Ended::Passed,
        Ok(()) => Ended::Failed,
        // What fails because it is being stopped is no failure of its own.
        Err(_) if interrupt.stopped() => Ended::Interrupted,
        Err(failure) => return Err(failure),
    };
    Ok(replay.facts.report(&plan, target, settings, ended))
}

/// Replays a plan and judges nothing: for days that follow each other, of which no single one can
/// be told from the provider's log. The report is of what was measured.
///
/// # Errors
/// When the service, the provider or the engine fails, or the replay is interrupted.
pub async fn run_unjudged(
    plan: Arc<Plan>,
    target: &Target,
    settings: &Settings,
    watched: Vec<Watched>,
    interrupt: &Interrupt,
) -> Result<Report, Failure> {
    let mut replay = Replay {
        facts: Facts::default(),
        watched: Arc::new(watched),
        plan: plan.clone(),
        target,
        settings,
        interrupt,
        stood_at: Timestamp::MAX,
    };
    let mut clock = ClockSetter::new(target)?;
    let (keys, speed) = replay.prepare(&mut clock).await?;
    replay.day(&mut clock, &keys, speed).await?;
    // Nothing is judged, as of a run that was interrupted.
    Ok(replay.facts.report(&plan, target, settings, Ended::Interrupted))
}

struct Replay<'a> {
    facts: Facts,
    watched: Arc<Vec<Watched>>,
    plan: Arc<Plan>,
    target: &'a Target,
    settings: &'a Settings,
    interrupt: &'a Interrupt,
    /// When domain time stood still again, at the day's end.
    stood_at: Timestamp,
}

impl Replay<'_> {
    async fn through(&mut self) -> Result<(), Failure> {
        let mut clock = ClockSetter::new(self.target)?;
        let (keys, speed) = self.prepare(&mut clock).await?;
        let slow = SlowHeads::open(self.target.public.first().map_or("", String::as_str)).await;
        let (live, running, start_ns) = self.day(&mut clock, &keys, speed).await?;
        let stopped = live.stopped();
        let refusals = live.refusals();
        let token = clock.token().await?;
        let case = judge::Case {
            token,
            plan: &self.plan,
            keys: &keys,
            target: self.target,
            stopped: &stopped,
            refusals,
            texts_before: self.facts.texts_before,
            start_ns,
            speed: running.pace.speed,
            stood_at: self.stood_at,
            interrupt: self.interrupt,
        };
        let judged = judge::judge(&case, slow).await?;
        self.facts.checks.extend(judged.checks);
        self.facts.faults.extend(judged.faults);
        Ok(())
    }

    /// All that comes before the day: its speed, its practices with their keys, its bookings.
    async fn prepare(&mut self, clock: &mut ClockSetter) -> Result<(Keys, f64), Failure> {
        let speed = self.speed(clock).await?;
        self.facts.speed = speed.clone();
        clock.hold(self.plan.origin()).await?;
        let keys = prepare::practices(&self.plan, self.target, self.interrupt).await?;
        self.facts.import = prepare::import(&self.plan, &keys, self.target, self.interrupt).await?;
        Ok((keys, speed.speed))
    }

    /// The speed that was asked for, or one that this machine can carry.
    async fn speed(&self, clock: &mut ClockSetter) -> Result<Speed, Failure> {
        if let Some(speed) = self.settings.speed {
            return Ok(Speed { speed, reason: "given".to_owned() });
        }
        let users = self.settings.users;
        let speed =
            calibrate::calibrate(&self.plan, self.target, users, clock, self.interrupt).await?;
        complain!("{:<8} {:.1}, {}", "speed", speed.speed, speed.reason);
        Ok(speed)
    }

    /// From the first arrival to the last thing done.
    async fn day(
        &mut self,
        clock: &mut ClockSetter,
        keys: &Keys,
        speed: f64,
    ) -> Result<(Arc<Live>, Running, u64), Failure> {
        let (writes, written) = causal::channel();
        let live = Arc::new(Live::new(self.plan.clone(), keys.clone(), speed, writes));
        let lined = self.attack().line_up(live.clone(), self.interrupt.stop.clone()).await?;
        let mut provider = Client::new(&self.target.provider, None)?;
        let before: State = provider.get("/control/state").await?;
        self.facts.before = self.scrape().await?;
        self.facts.texts_before = before.accepted;
        let running = clock.run(self.plan.origin(), speed).await?;
        let (start, now) = (running.start, Instant::now());
        let start_ns = monotonic_ns() + start.duration_since(now).as_nanos() as u64;
        let began = SystemTime::now() + start.duration_since(now);
        let lined = self.logged(lined, &live, began)?;
        let schedule = real_offset(self.plan.window_ns(), speed);
        let begin = Begin {
            ledger: lined.ledger(),
            live: live.clone(),
            before: self.facts.before.clone(),
            accepted_before: before.accepted,
            start,
            schedule,
            messages: self.plan.promise().messages_min,
        };
        let watch = Watch::new(self.target, self.watched.clone(), begin)?;
        let over = CancellationToken::new();
        let watching = tokio::spawn(watch.run(over.clone()));
        let promised = causal::promised(bookings(self.plan.counts()));
        let reading = {
            let (target, keys, over) = (self.target.clone(), keys.clone(), over.clone());
            tokio::spawn(
                async move { causal::watch(written, &target, &keys, promised, over).await },
            )
        };
        self.facts.began = Timestamp::try_from(began).ok();
        self.facts.ledger = Some(lined.ledger());
        self.facts.live = Some(live.clone());
        let machine = Machine::begin(lined.ledger(), start.into_std(), Tolerance::USUAL);
        let machine = machine.map_err(|error| Failure::Unavailable(error.to_string()))?;
        let gone = self.go(lined.go(start), clock, running, start + schedule).await;
        over.cancel();
        let (seen, step) = watching.await.map_err(|e| Failure::Unavailable(e.to_string()))?;
        let causal = reading.await.map_err(|e| Failure::Unavailable(e.to_string()))?;
        let accepted = seen.accepted.last().map_or(0, |(_, accepted)| *accepted);
        step.end(&self.ended(accepted, start));
        self.facts.seen = Seen { seconds: machine.end(), ..seen };
        // What the service and the provider say of the day, even if it was cut short.
        self.facts.after = self.scrape().await.unwrap_or_default();
        if let Ok(after) = provider.get::<State>("/control/state").await {
            self.facts.provider_did(&before, &after);
        }
        gone?;
        self.facts.checks.push(causal?);
        Ok((live, running, start_ns))
    }

    /// Notes what was accepted, and says it.
    fn ended(&mut self, accepted: u64, start: Instant) -> String {
        let day = &mut self.facts.day;
        day.accepted = accepted;
        if day.seconds == 0.0 {
            day.seconds = start.elapsed().as_secs_f64();
        }
        format!(
            "{} texts accepted in {} ({})",
            count(accepted),
            latency(day.seconds),
            rate(accepted as f64 / day.seconds.max(1e-9))
        )
    }

    /// Sends the day, stops the clock at its end, and waits until all is done.
    async fn go(
        &mut self,
        attack: impl Future<Output = Outcome>,
        clock: &mut ClockSetter,
        running: Running,
        end: Instant,
    ) -> Result<(), Failure> {
        let holding = async {
            tokio::select! {
                () = sleep_until(end) => {}
                () = self.interrupt.stop.cancelled() => return Ok(Timestamp::MAX),
            }
            // The next day's texts must not fall due while this day's are drained.
            let at = running.domain_at(Instant::now());
            clock.hold(at).await.map(|()| at)
        };
        let (outcome, held) = tokio::join!(attack, holding);
        self.facts.outcome(outcome);
        self.stood_at = held?;
        if self.interrupt.stopped() {
            return Err(Failure::Interrupted);
        }
        let within = DRAIN_MIN.max((end - running.start) / 2);
        let drained = drain::drain(self.target, within, self.interrupt).await?;
        let day = &mut self.facts.day;
        day.seconds = drained.at.duration_since(running.start).as_secs_f64();
        day.drain_seconds = drained.at.saturating_duration_since(end).as_secs_f64();
        if let Some((backlog, callbacks)) = drained.left {
            day.undrained = true;
            complain!("not drained: {backlog:?}, {callbacks} callbacks to come");
        }
        Ok(())
    }

    fn attack(&self) -> Attack {
        let Settings { users, goose_dir, dashboard_port, .. } = self.settings;
        Attack {
            dashboard_port: *dashboard_port,
            ..Attack::new(*users, self.target.public.clone(), goose_dir.clone())
        }
    }

    /// Lets the day leave its interval logs, where they are wanted.
    fn logged(
        &self,
        lined: Lined<Live>,
        live: &Live,
        began: SystemTime,
    ) -> Result<Lined<Live>, Failure> {
        let Some(dir) = &self.settings.logs_dir else { return Ok(lined) };
        let logs = Intervals::create(dir, self.plan.hash(), live.labels(), began);
        let logs = logs.map_err(|e| Failure::Usage(format!("{}: {e}", dir.display())))?;
        Ok(lined.logged(logs))
    }

    async fn scrape(&self) -> Result<Metrics, Failure> {
        let admin = self.target.admin.iter();
        let mut clients =
            admin.map(|address| Client::new(address, None)).collect::<Result<Vec<_>, _>>()?;
        Ok(watch::scrape(&mut clients).await?)
    }
}

/// Requests that store a version of an appointment, or find it stored.
const fn bookings(counts: &Counts) -> u64 {
    counts.booked + counts.changed + counts.again + counts.cancelled_by_upsert
}
