//! The reminder product whose job read all future appointments every five minutes: here the clock
//! jumps, nothing is released for a while, as when all processes are away, and then all
//! appointments are due at once and late. None may be lost, and the lateness must be seen.

use std::time::Duration;

use contract::Stage;

use crate::exit::Failure;
use crate::incidents::facts::Found;
use crate::incidents::ground::Ground;
use crate::incidents::watch::{By, Signal};

/// What stands before a stage is counted every five seconds.
const SEEN_WITHIN: Duration = Duration::from_secs(15);

const STANDING: &[Signal] = &[
    Signal { family: "pending_messages", labels: &[("stage", "release")], by: By::Max, from: 1.0 },
    Signal {
        family: "oldest_pending_seconds",
        labels: &[("stage", "release")],
        by: By::Max,
        from: 2.5,
    },
];

const LATE: &[Signal] = &[Signal {
    family: "slo_stage_items_total",
    labels: &[("stage", "release"), ("slo", "lateness")],
    by: By::Bad("slo_good_stage_items_total"),
    from: 1.0,
}];

pub(super) async fn run(ground: &mut Ground) -> Result<Found, Failure> {
    let mut found = Found::default();
    let texts = ground.size;
    let pile = ground.booked(texts).await?;
    let before = ground.accepted().await?;
    let (standing, late) = (ground.watch(STANDING).await?, ground.watch(LATE).await?);
    ground.gate(Stage::Release, false).await?;
    ground.clock(pile.due_at(), true).await?;
    standing.until_seen(SEEN_WITHIN).await;
    ground.gate(Stage::Release, true).await?;
    ground.ends_well(&mut found, before, texts).await?;
    standing.end(&mut found).await;
    late.end(&mut found).await;
    Ok(found)
}
