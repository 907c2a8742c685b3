//! The simulator over real HTTP on loopback: the wire form, each fault, callbacks, restarts.
//!
//! Here belongs what only a running simulator shows; pure parts are tested where they are.

mod called_back;
mod changed;
mod client;
mod controlled;
mod faulty;
mod hooked;
mod looked_up;
mod receiver;
mod restarted;
mod sent;

use std::time::Duration;

use tokio::time::timeout;

use super::{Options, Simulator, State};

/// No wait in these tests is longer; what takes so long never comes.
const PATIENCE: Duration = Duration::from_secs(30);

/// A simulator with a log of its own that is removed with it.
struct Fixture {
    simulator: Simulator,
    folder: tempfile::TempDir,
}

impl Fixture {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut Options)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut options = Options::new(folder.path().join("messages.jsonl"));
        change(&mut options);
        Self { simulator: Simulator::start(options).await.unwrap(), folder }
    }

    async fn wait_for(&self, wanted: impl FnMut(&State) -> bool) -> State {
        let state = timeout(PATIENCE, self.simulator.wait_for(wanted)).await;
        state.unwrap_or_else(|_| panic!("it never came; now {:?}", self.simulator.state()))
    }

    fn log(&self) -> Vec<super::LogEntry> {
        super::read_log(self.simulator.log_path()).unwrap().map(Result::unwrap).collect()
    }

    fn callback_log(&self) -> Vec<super::CallbackEntry> {
        super::read_callback_log(&self.simulator.callback_log_path())
            .unwrap()
            .map(Result::unwrap)
            .collect()
    }
}
