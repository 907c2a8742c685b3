//! A provider that slows down until a backlog stands, as in the queue that made itself worse: the
//! texts in hand wait for it, and all others behind them. It must be seen how many wait and for how
//! long; and once the provider has recovered, everything is worked off and nothing leaves twice.

use std::time::Duration;

use crate::exit::Failure;
use crate::incidents::facts::Found;
use crate::incidents::ground::Ground;
use crate::incidents::watch::{By, Signal};

/// Less than the five seconds after which an answer is given up.
const SLOW_MS: u32 = 4_000;
/// The gauges are set every five seconds.
const SEEN_WITHIN: Duration = Duration::from_secs(30);

const SIGNALS: &[Signal] = &[
    Signal {
        family: "limit_used_ratio",
        labels: &[("limit", "deliveries_in_flight")],
        by: By::Max,
        from: 1.0,
    },
    Signal { family: "pending_messages", labels: &[("stage", "claim")], by: By::Max, from: 1.0 },
    Signal {
        family: "oldest_pending_seconds",
        labels: &[("stage", "claim")],
        by: By::Max,
        from: 2.5,
    },
];

pub(super) async fn run(ground: &mut Ground) -> Result<Found, Failure> {
    let mut found = Found::default();
    let texts = ground.size;
    let pile = ground.booked(texts).await?;
    let before = ground.accepted().await?;
    let watch = ground.watch(SIGNALS).await?;
    ground.provider_takes(SLOW_MS).await?;
    ground.clock(pile.due_at(), true).await?;
    watch.until_seen(SEEN_WITHIN).await;
    ground.provider_takes(0).await?;
    ground.ends_well(&mut found, before, texts).await?;
    watch.end(&mut found).await;
    Ok(found)
}
