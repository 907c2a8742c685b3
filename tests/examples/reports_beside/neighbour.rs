//! A neighbour on the service's processor that touches no database: what a reader of reports does
//! to claims merely by keeping the service busy; and a server beside it that follows nobody.
//!
//! Never here: reports.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use stack::postgres::{PostgresPair, Server};

use super::{Kind, Round};

/// A server that has what the primary has until now, and follows it no more.
pub(super) async fn stranger(pair: &PostgresPair) -> Server {
    let server = pair.another_replica("stranger").await.expect("one more replica starts");
    let client = server.connect("postgres").await.expect("it is there");
    client.batch_execute("SELECT pg_promote()").await.expect("it leaves the primary");
    server
}

/// A thread that is busy in pieces until it is dropped, and touches no database.
pub(super) struct Neighbour(Arc<AtomicBool>);

impl Neighbour {
    /// As busy as the service was with reports, a piece for each report.
    pub(super) fn as_busy_as(rounds: &[Round], length: Duration, is_apart: bool) -> Self {
        let mean = |kind: Kind, of: &dyn Fn(&Round) -> f64| {
            let of_kind: Vec<f64> = rounds.iter().filter(|r| r.kind == kind).map(of).collect();
            of_kind.iter().sum::<f64>() / of_kind.len() as f64
        };
        let more = mean(Kind::Reports, &|r| r.busy) - mean(Kind::Nothing, &|r| r.busy);
        let pieces = mean(Kind::Reports, &|r| r.reports as f64).max(1.0);
        let piece = Duration::from_secs_f64(more.max(0.0) / pieces);
        let every = length.div_f64(pieces);
        eprintln!("a neighbour that is busy for {piece:?} every {every:?}");
        let is_over = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&is_over);
        std::thread::spawn(move || {
            if is_apart {
                let mut only = CpuSet::new();
                only.set(0).expect("there are two processors");
                sched_setaffinity(Pid::from_raw(0), &only).expect("a thread may move itself");
            }
            while !stop.load(Ordering::Relaxed) {
                let began = std::time::Instant::now();
                be_busy(piece);
                std::thread::sleep(every.saturating_sub(began.elapsed()));
            }
        });
        Self(is_over)
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Takes so much of a processor, however long that has to be waited for.
fn be_busy(piece: Duration) {
    let until = processor_time() + piece;
    let mut x = 1_u64;
    while processor_time() < until {
        for _ in 0..100_000 {
            x = std::hint::black_box(x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
        }
    }
}

/// What this thread has had of the processors.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("it runs");
    let nanos = stat.split(' ').next().and_then(|text| text.parse().ok());
    Duration::from_nanos(nanos.expect("the first number is the time on a processor"))
}
