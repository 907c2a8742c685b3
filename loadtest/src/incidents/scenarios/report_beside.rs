//! The marketing mail whose reports locked the live tables. Here the same number of texts goes out
//! twice, the second time while reports are made without a pause: they must come from the replica,
//! and the texts must be as punctual as before.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use contract::Stage;
use contract::route::Target;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::client::Client;
use crate::exit::Failure;
use crate::incidents::facts::Found;
use crate::incidents::ground::Ground;
use crate::incidents::watch::{By, Signal};
use crate::piled;
use crate::report::units::{count, share};

/// Reports at a time.
const REPORTERS: usize = 4;
/// One that takes longer is asked for again.
const REPORT_WITHIN: Duration = Duration::from_secs(30);

/// The share of reports that may come from the primary: while a replica is lost from sight for a
/// moment, or too far behind, some do.
const PRIMARY_MAX: f64 = 0.1;

const SIGNALS: &[Signal] = &[Signal {
    family: "db_route_decisions_total",
    labels: &[("db_query_name", "fleet_by_day"), ("target", "replica")],
    by: By::Rise,
    from: 1.0,
}];

pub(super) async fn run(ground: &mut Ground) -> Result<Found, Failure> {
    let mut found = Found::default();
    let texts = ground.size / 2;
    let alone = on_time(ground, &mut found, texts).await?;
    let watch = ground.watch(SIGNALS).await?;
    let before = routed(ground).await?;
    let (over, made) = (CancellationToken::new(), Arc::new(AtomicU64::new(0)));
    let mut reporters = JoinSet::new();
    let admin = ground.target.admin.first().map_or("", String::as_str);
    for _ in 0..REPORTERS {
        let client = Client::new(admin, None)?.within(REPORT_WITHIN);
        reporters.spawn(report(client, over.clone(), Arc::clone(&made)));
    }
    let beside = on_time(ground, &mut found, texts).await?;
    over.cancel();
    reporters.join_all().await;
    watch.end(&mut found).await;
    let now = routed(ground).await?;
    from_the_replica(&mut found, now.0 - before.0, now.1 - before.1);
    let objective = Stage::Claim.spec().objective;
    let said = format!("{} alone, {} beside reports", share(alone), share(beside));
    let is_kept = beside >= objective.min(alone);
    found.check("texts are claimed on time all the same", is_kept, said);
    let made = made.load(Ordering::Relaxed);
    found.check("reports are answered meanwhile", made > 0, count(made));
    Ok(found)
}

/// Notes whether reports left the primary alone.
fn from_the_replica(found: &mut Found, all: f64, primary: f64) {
    let said = format!("{} of {} from the primary", count(primary as u64), count(all as u64));
    let are_kept_away = all > 0.0 && primary <= all * PRIMARY_MAX;
    found.check("reports come from the replica", are_kept_away, said);
}

/// Reports sent to a server so far, and those of them that were sent to the primary.
async fn routed(ground: &mut Ground) -> Result<(f64, f64), Failure> {
    let metrics = ground.metrics().await?;
    let report = ("db_query_name", "fleet_by_day");
    let of = |labels: &[(&str, &str)]| metrics.sum("db_route_decisions_total", labels);
    Ok((of(&[report]), of(&[report, ("target", Target::Primary.name())])))
}

/// Makes one report after the other.
async fn report(mut client: Client, over: CancellationToken, made: Arc<AtomicU64>) {
    let from = piled::DAY;
    let until = from.saturating_add(jiff::Span::new().days(80));
    let path = format!("/admin/fleet?from={from}&until={until}");
    while let Some(answer) = over.run_until_cancelled(client.text(&path)).await {
        made.fetch_add(u64::from(answer.is_ok()), Ordering::Relaxed);
    }
}

/// Sends texts that all fall due at once; the share of them that was claimed on time.
async fn on_time(ground: &mut Ground, found: &mut Found, texts: u64) -> Result<f64, Failure> {
    let pile = ground.booked(texts).await?;
    let accepted = ground.accepted().await?;
    let before = claimed(ground).await?;
    ground.clock(pile.due_at(), true).await?;
    ground.ends_well(found, accepted, texts).await?;
    let now = claimed(ground).await?;
    Ok((now.1 - before.1) / (now.0 - before.0).max(1.0))
}

/// Lanes claimed so far, and those of them on time.
async fn claimed(ground: &mut Ground) -> Result<(f64, f64), Failure> {
    let metrics = ground.metrics().await?;
    let labels = [("stage", Stage::Claim.name()), ("slo", "lateness")];
    let of = |family: &str| metrics.sum(family, &labels);
    Ok((of("slo_stage_items_total"), of("slo_good_stage_items_total")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_that_come_from_the_primary_are_no_good_end() {
        let holds = |all, primary| {
            let mut found = Found::default();
            from_the_replica(&mut found, all, primary);
            found.checks.remove(0).holds
        };
        assert!(holds(100.0, 0.0) && holds(100.0, 10.0));
        assert!(!holds(100.0, 11.0), "one from the replica is not enough");
        assert!(!holds(0.0, 0.0), "nothing came from anywhere");
    }
}
