//! The run second by second: what the charts show and the interval logs keep.
//!
//! Never here: verdicts; they come from whole distributions, not from windows.

use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

use super::distribution::{Triple, seconds};
use super::intervals::Intervals;
use super::ledger::{Ledger, WindowCounts};

/// One kind of request within a window.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct WindowRow {
    /// Requests that ended.
    pub count: u64,
    /// Those within their objective.
    pub good: u64,
    /// Those that were answered wrongly, or not at all.
    pub failed: u64,
    /// Median response in seconds.
    pub p50_seconds: f64,
    /// 99th percentile of the response in seconds.
    pub p99_seconds: f64,
    /// Longest response in seconds.
    pub max_seconds: f64,
    /// Median of the service's time in seconds.
    pub service_p50_seconds: f64,
    /// 99th percentile of the service's time in seconds.
    pub service_p99_seconds: f64,
    /// Median lag in seconds.
    pub lag_p50_seconds: f64,
    /// 99th percentile of the lag in seconds.
    pub lag_p99_seconds: f64,
}

/// A window of one second.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Window {
    /// Seconds since the start at which it closed.
    pub at_seconds: f64,
    /// One row for each kind of request.
    pub rows: Vec<WindowRow>,
}

/// Closes a window every second from `start` until told to stop, and logs it where there is a log;
/// the second answer is whether that stands in its files.
pub async fn collect(
    ledger: Arc<Ledger>,
    start: Instant,
    mut log: Option<Intervals>,
    stop: CancellationToken,
) -> (Vec<Window>, bool) {
    let second = Duration::from_secs(1);
    let mut ticks = interval_at(start + second, second);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut spare: Vec<Triple> = ledger.labels().iter().map(|_| Triple::new()).collect();
    let mut windows = Vec::new();
    let mut from = Duration::ZERO;
    loop {
        let last = tokio::select! {
            _ = ticks.tick() => false,
            () = stop.cancelled() => true,
        };
        let counts = ledger.close_window(&mut spare);
        let until = start.elapsed();
        let rows = spare.iter().zip(counts).map(|(triple, counts)| row(triple, counts)).collect();
        windows.push(Window { at_seconds: until.as_secs_f64(), rows });
        if let Some(log) = &mut log {
            spare = log.write(from, until.saturating_sub(from), spare);
        }
        from = until;
        if last {
            let is_logged = log.is_none_or(|log| log.end().is_ok());
            return (windows, is_logged);
        }
    }
}

fn row(triple: &Triple, WindowCounts { good, failed }: WindowCounts) -> WindowRow {
    let Triple { response, service, lag } = triple;
    let [p50, p99] = [0.5, 0.99]
        .map(|quantile| [response, service, lag].map(|of| seconds(of.value_at_quantile(quantile))));
    WindowRow {
        count: response.len(),
        good,
        failed,
        p50_seconds: p50[0],
        p99_seconds: p99[0],
        max_seconds: seconds(response.max()),
        service_p50_seconds: p50[1],
        service_p99_seconds: p99[1],
        lag_p50_seconds: p50[2],
        lag_p99_seconds: p99[2],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ledger::{Due, Ending, Times};
    use crate::engine::source::Label;

    #[tokio::test(start_paused = true)]
    async fn the_windows_add_up_to_the_run() {
        let label = Label {
            name: "x",
            method: "GET",
            objective: Duration::from_secs(1),
            share: 0.99,
            critical: false,
        };
        let ledger = Arc::new(Ledger::new(&[label], false));
        let start = Instant::now();
        let stop = CancellationToken::new();
        let windows = tokio::spawn(collect(ledger.clone(), start, None, stop.clone()));
        for _ in 0..25 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let now = Instant::now();
            let due = Due { offset: now - start, intended: now, free: now };
            let times = Times { due, sent: Some(now), refused: false, ended: now, again: 0 };
            ledger.record(0, &times, Ending::Good);
        }
        stop.cancel();
        let (windows, _) = windows.await.expect("the collector does not panic");
        assert_eq!(windows.len(), 3);
        assert_eq!(windows.iter().map(|w| w.rows[0].count).sum::<u64>(), 25);
    }
}
