//! The engine inside goose: one goose user is one connection and one long transaction over the
//! shared schedule, and every request is recorded with goose under its endpoint's name as the
//! time from its intended start to its end. So goose's reports and dashboard are free of
//! coordinated omission, though its own model is a closed one.
//!
//! goose's thresholds, controllers and other flags can't be reached (ADR 13 says why).
//!
//! Never here: goose's `request()`. It starts its clock at the send and costs 2.3 times as much.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use goose::config::GooseConfiguration;
use goose::goose::{GooseUser, Scenario, Transaction, TransactionError, TransactionFunction};
use goose::{GooseAttack, GooseError, is_killswitch_triggered, trigger_killswitch};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::connection::Connection;
use super::intervals::Intervals;
use super::ledger::{Ending, Ledger};
use super::pacer::Pacer;
use super::source::{Label, Source};
use super::windows::{self, Window};
use super::worker::{Booked, Shared, Witness};

/// A request's answer is waited for this long unless told otherwise; beyond every deadline that
/// the contract gives.
const ANSWER_WAIT: Duration = Duration::from_secs(15);
/// Users connect and line up within this time, or something is wrong.
const LINE_UP: Duration = Duration::from_secs(30);
/// Between two looks at goose's own switch.
const SWITCH_LOOK: Duration = Duration::from_millis(100);

/// What goose writes into its folder, its dashboard included.
const REPORTS_OF_GOOSE: [&str; 3] = ["report.html", "report.json", "report.md"];

/// How to attack.
#[derive(Debug)]
pub struct Attack {
    /// Users, each with one connection: the most requests that are under way at a time.
    pub users: usize,
    /// `host:port` of each process of the service; users are dealt out in turn.
    pub targets: Vec<String>,
    /// Where goose writes its report. An earlier run's is taken away, as goose takes `DIR-2` when
    /// this one is not empty; so it does where others have put something.
    pub report_dir: PathBuf,
    /// Serves goose's live dashboard on this port of 127.0.0.1.
    pub dashboard_port: Option<u16>,
    /// A request's answer is waited for this long.
    pub answer_wait: Duration,
    /// How to wait for an intended start.
    pub pacer: Pacer,
    /// What isn't answered so long after the last intended start is given up; else it is waited
    /// for.
    pub grace: Option<Duration>,
    /// Keeps the requests of clean seconds apart; somebody has to settle each.
    pub settled: bool,
}

/// Why the engine did not run.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// goose refused or failed.
    #[error("goose: {0}")]
    Goose(String),
    /// It was asked to stop before all users stood ready.
    #[error("stopped before it began")]
    Stopped,
    /// Nothing to connect to.
    #[error("only {there} of {wanted} users could connect to {targets} within {LINE_UP:?}")]
    LineUp {
        /// Users that stand ready.
        there: usize,
        /// Users wanted.
        wanted: usize,
        /// Where they connect to.
        targets: String,
    },
}

/// An attack whose users stand ready.
pub struct Lined<S> {
    shared: Arc<Shared<S>>,
    gate: watch::Sender<Option<Instant>>,
    goose: JoinHandle<Result<(), EngineError>>,
    stop: CancellationToken,
    grace: Option<Duration>,
    intervals: Option<Intervals>,
}

/// What an attack leaves behind.
#[derive(Debug)]
pub struct Outcome {
    /// The books.
    pub ledger: Arc<Ledger>,
    /// The run second by second.
    pub windows: Vec<Window>,
    /// False where it was to be logged, and could not be.
    pub is_logged: bool,
    /// Requests that were taken from the schedule.
    pub taken: usize,
    /// When the last answer was in.
    pub ended: Instant,
    /// What goose failed at, at the latest when it wrote its report. The books hold what was done
    /// until then.
    pub failed: Option<EngineError>,
}

impl Attack {
    /// As a replay attacks: on the runtime's timer, for as long as it takes.
    #[must_use]
    pub fn new(users: usize, targets: Vec<String>, report_dir: PathBuf) -> Self {
        Self {
            users,
            targets,
            report_dir,
            dashboard_port: None,
            answer_wait: ANSWER_WAIT,
            pacer: Pacer::default(),
            grace: None,
            settled: false,
        }
    }

    /// Starts goose and has every user connect and line up. `stop` ends the run early.
    ///
    /// # Errors
    /// When goose refuses, when not all users could connect, or when it is to stop before that.
    pub async fn line_up<S: Source>(
        self,
        source: Arc<S>,
        stop: CancellationToken,
    ) -> Result<Lined<S>, EngineError> {
        // What ends by its grace was not stopped by anybody.
        let over = stop.child_token();
        let shared = Arc::new(Shared::new(source, self.pacer.clone(), self.settled, over));
        let (gate, gate_seen) = watch::channel(None);
        let there = Arc::new(AtomicUsize::new(0));
        let user = User {
            shared: shared.clone(),
            gate: gate_seen,
            there: there.clone(),
            launched: Arc::default(),
            targets: self.targets.clone(),
            answer_wait: self.answer_wait,
        };
        let configuration = self.configuration()?;
        take_away_reports(&self.report_dir);
        let goose = tokio::spawn(async move {
            // Boxed: goose keeps 28 kB of state in it.
            Box::pin(run_goose(configuration, user))
                .await
                .map_err(|e| EngineError::Goose(describe(&e)))
        });
        let is_full = || there.load(Ordering::Acquire) >= self.users;
        let all_there = async {
            while !is_full() && !goose.is_finished() && !stop.is_cancelled() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let in_time = timeout(LINE_UP, all_there).await.is_ok();
        if stop.is_cancelled() && !is_full() {
            goose.abort();
            return Err(EngineError::Stopped);
        }
        if goose.is_finished() {
            ended(goose).await?;
            return Err(EngineError::Goose("ended before it began".to_owned()));
        }
        if !in_time {
            trigger_killswitch("users could not connect");
            goose.abort();
            return Err(EngineError::LineUp {
                there: there.load(Ordering::Acquire),
                wanted: self.users,
                targets: self.targets.join(", "),
            });
        }
        Ok(Lined { shared, gate, goose, stop, grace: self.grace, intervals: None })
    }

    fn configuration(&self) -> Result<GooseConfiguration, EngineError> {
        let text = |path: &Path| path.display().to_string();
        // All users at once: they line up, so nothing is sent while they start.
        let rate = (self.users * 1000).to_string();
        let users = self.users.to_string();
        let host = format!("http://{}", self.targets.first().map_or("127.0.0.1", |t| t));
        let mut arguments = vec![
            "--host".to_owned(),
            host,
            "--users".to_owned(),
            users,
            "--increase-rate".to_owned(),
            rate,
            // One iteration is the whole schedule.
            "--iterations".to_owned(),
            "1".to_owned(),
            "--output-dir".to_owned(),
            text(&self.report_dir),
            "--report-file".to_owned(),
            "--no-print-metrics".to_owned(),
            "--no-telnet".to_owned(),
            "--quiet".to_owned(),
        ];
        if let Some(port) = self.dashboard_port {
            arguments.extend([
                "--dashboard".to_owned(),
                "--dashboard-port".to_owned(),
                port.to_string(),
            ]);
        }
        GooseConfiguration::parse_args_default(&arguments)
            .map_err(|e| EngineError::Goose(describe(&e)))
    }
}

impl<S: Source> Lined<S> {
    /// The books, to be looked at while the run goes on.
    #[must_use]
    pub fn ledger(&self) -> Arc<Ledger> {
        self.shared.ledger.clone()
    }

    /// Logs every second from the start on.
    #[must_use]
    pub fn logged(self, intervals: Intervals) -> Self {
        Self { intervals: Some(intervals), ..self }
    }

    /// Lets the users go at `start` and waits until the last one is back.
    pub async fn go(self, start: Instant) -> Outcome {
        let Self { shared, gate, goose, stop, grace, intervals } = self;
        let over = CancellationToken::new();
        let windows = windows::collect(shared.ledger.clone(), start, intervals, over.clone());
        let windows = tokio::spawn(windows);
        let switch = tokio::spawn(follow_switch(stop, over.clone()));
        let end = shared.source.len().checked_sub(1).map(|last| shared.source.intended(last));
        let given_up = grace.map(|grace| {
            let (at, token) = (start + end.unwrap_or_default() + grace, shared.stop.clone());
            tokio::spawn(async move {
                tokio::time::sleep_until(at).await;
                token.cancel();
            })
        });
        gate.send_replace(Some(start));
        let failed = ended(goose).await.err();
        let end = Instant::now();
        shared.close(start);
        over.cancel();
        let (windows, is_logged) = windows.await.unwrap_or_default();
        switch.abort();
        if let Some(given_up) = given_up {
            given_up.abort();
        }
        let taken = shared.taken();
        Outcome { ledger: shared.ledger.clone(), windows, is_logged, taken, ended: end, failed }
    }
}

/// Takes away what goose has written into a folder, and nothing else.
fn take_away_reports(dir: &Path) {
    for name in REPORTS_OF_GOOSE {
        let _absent = std::fs::remove_file(dir.join(name));
    }
}

async fn ended(goose: JoinHandle<Result<(), EngineError>>) -> Result<(), EngineError> {
    goose.await.unwrap_or_else(|e| Err(EngineError::Goose(format!("it panicked: {e}"))))
}

/// goose's switch (its dashboard, its thresholds) ends our run, and ours ends goose.
async fn follow_switch(stop: CancellationToken, over: CancellationToken) {
    loop {
        if is_killswitch_triggered() {
            stop.cancel();
            return;
        }
        tokio::select! {
            () = stop.cancelled() => return trigger_killswitch("stopped"),
            () = over.cancelled() => return,
            () = tokio::time::sleep(SWITCH_LOOK) => {}
        }
    }
}

async fn run_goose<S: Source>(
    configuration: GooseConfiguration,
    user: User<S>,
) -> Result<(), GooseError> {
    let user = Arc::new(user);
    let replay: TransactionFunction = Arc::new(move |goose_user| {
        let user = user.clone();
        Box::pin(async move {
            user.replay(goose_user).await;
            Ok::<(), Box<TransactionError>>(())
        })
    });
    let transaction = Transaction::new(replay).set_name("replay");
    let attack = GooseAttack::initialize_with_config(configuration)?
        .register_scenario(Scenario::new("day").register_transaction(transaction));
    Box::pin(attack.execute()).await?;
    Ok(())
}

/// What every goose user does.
struct User<S> {
    shared: Arc<Shared<S>>,
    gate: watch::Receiver<Option<Instant>>,
    there: Arc<AtomicUsize>,
    launched: Arc<AtomicUsize>,
    targets: Vec<String>,
    answer_wait: Duration,
}

impl<S: Source> User<S> {
    async fn replay(&self, goose: &mut GooseUser) {
        let turn = self.launched.fetch_add(1, Ordering::Relaxed);
        let target = self.targets[turn % self.targets.len()].clone();
        let keeps = self.shared.source.reads_bodies();
        let mut connection = Connection::new(target, self.answer_wait).keeping(keeps);
        if !opened(&mut connection, &self.shared.stop).await {
            return;
        }
        self.there.fetch_add(1, Ordering::Release);
        let Some(start) = self.start().await else { return };
        let mut witness = GooseWitness { goose, labels: self.shared.source.labels() };
        self.shared.work(start, &mut connection, &mut witness).await;
    }

    /// Waits for the start; `None` when there will be none.
    async fn start(&self) -> Option<Instant> {
        let mut gate = self.gate.clone();
        tokio::select! {
            start = gate.wait_for(Option::is_some) => start.ok().and_then(|start| *start),
            () = self.shared.stop.cancelled() => None,
        }
    }
}

/// Opens a connection, however many tries it takes; false when the run ended meanwhile. A service
/// whose queue of connections is full answers nothing at all.
async fn opened(connection: &mut Connection, stop: &CancellationToken) -> bool {
    while let Some(opened) = stop.run_until_cancelled(connection.open()).await {
        if opened.is_ok() {
            return true;
        }
        if is_killswitch_triggered() {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    false
}

/// Tells goose of every request.
struct GooseWitness<'a> {
    goose: &'a mut GooseUser,
    labels: &'a [Label],
}

impl Witness for GooseWitness<'_> {
    async fn booked(&mut self, booked: Booked) {
        let label = &self.labels[booked.label];
        let (success, reason) = match booked.ending {
            Ending::Good => (true, None),
            Ending::Failed(reason) => (false, Some(reason)),
            Ending::Unanswered => (false, Some("unanswered at the end")),
            Ending::Unsent => (false, Some("unsent at the end")),
        };
        // Recording fails only when goose is already gone, and then nobody reads it.
        let _ = self
            .goose
            .record_custom_request_duration(
                label.method,
                label.name,
                booked.response,
                success,
                booked.status,
                reason,
            )
            .await;
    }
}

/// goose's errors say little in their `Display`; their fields say what is wrong.
fn describe(error: &GooseError) -> String {
    format!("{error} [{error:?}]")
}

#[cfg(test)]
#[path = "attack_tests.rs"]
mod tests;
