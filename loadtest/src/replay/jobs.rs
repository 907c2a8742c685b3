//! Many requests one after the other on a few connections: a closed loop, for what is not load.
//!
//! Never here: a request whose latency is judged (`live`).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::interval;

use crate::client::{Client, ClientError};
use crate::exit::Failure;
use crate::interrupt::Interrupt;
use crate::progress::{Status, Step};

/// Connections of a closed loop: enough to keep two cores busy, too few to fill a queue.
pub(crate) const CONNECTIONS: usize = 8;
/// Between two looks at how far it is.
const LOOK: Duration = Duration::from_millis(250);

/// A number of requests, each of which stands alone.
pub(crate) trait Job: Send + Sync + 'static {
    /// How many there are.
    fn count(&self) -> usize;
    /// Does one of them; returns how many things it was.
    fn run(
        &self,
        client: &mut Client,
        index: usize,
    ) -> impl Future<Output = Result<u64, ClientError>> + Send;
}

/// What a closed loop came to.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Done {
    /// Things done.
    pub(crate) things: u64,
    /// Requests that were sent again.
    pub(crate) again: u64,
}

/// Where a job is worked off, over how many connections, with which key.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Worked<'a> {
    pub(crate) addresses: &'a [String],
    pub(crate) connections: usize,
    pub(crate) key: Option<&'a str>,
}

/// Works a job off, the connections dealt out to the addresses in turn. Shows its progress in
/// `step`; the first error ends it.
pub(crate) async fn work_off<J: Job>(
    job: Arc<J>,
    worked: Worked<'_>,
    step: &mut Step,
    interrupt: &Interrupt,
) -> Result<Done, Failure> {
    let shared = Arc::new(Shared { job, next: AtomicUsize::new(0), things: AtomicUsize::new(0) });
    let mut workers = JoinSet::new();
    let Worked { addresses, connections, key } = worked;
    for address in addresses.iter().cycle().take(connections.max(addresses.len())) {
        let client = Client::new(address, key)?;
        workers.spawn(shared.clone().work(client));
    }
    let mut again = 0;
    let mut looks = interval(LOOK);
    loop {
        tokio::select! {
            ended = workers.join_next() => match ended {
                None => break,
                Some(Ok(Ok(sent_again))) => again += sent_again,
                Some(Ok(Err(error))) => return Err(error.into()),
                Some(Err(error)) => return Err(Failure::Unavailable(error.to_string())),
            },
            _ = looks.tick() => shared.show(step),
            // Dropping the set ends its tasks.
            () = interrupt.stop.cancelled() => return Err(Failure::Interrupted),
        }
    }
    shared.show(step);
    Ok(Done { things: shared.things.load(Ordering::Relaxed) as u64, again })
}

struct Shared<J> {
    job: Arc<J>,
    next: AtomicUsize,
    things: AtomicUsize,
}

impl<J: Job> Shared<J> {
    async fn work(self: Arc<Self>, mut client: Client) -> Result<u64, ClientError> {
        loop {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            if index >= self.job.count() {
                return Ok(client.again);
            }
            let things = self.job.run(&mut client, index).await?;
            self.things.fetch_add(usize::try_from(things).unwrap_or(0), Ordering::Relaxed);
        }
    }

    fn show(&self, step: &mut Step) {
        let done = self.things.load(Ordering::Relaxed) as u64;
        let per_second = step.rate(done);
        let left = step.total().saturating_sub(done) as f64 / per_second;
        let left = Duration::try_from_secs_f64(left).ok();
        step.show(&Status { done, per_second, left, ..Status::default() });
    }
}
