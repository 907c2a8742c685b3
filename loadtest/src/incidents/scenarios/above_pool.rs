//! The shift schedules by SMS, of which 150 of 400 were sent: background work exhausted the
//! connections, and the customer noticed first. Here 400 bookings come at a time while nobody can
//! write, and then 400 texts fall due at a time. All must be answered, and all must arrive.

use std::time::Duration;

use http::Method;
use tokio::task::JoinSet;

use crate::client::{Client, ClientError, NDJSON};
use crate::exit::Failure;
use crate::incidents::facts::Found;
use crate::incidents::ground::Ground;
use crate::incidents::watch::{By, Signal};
use crate::report::units::count;

/// As many as in the story; the service has 18 connections.
const AT_A_TIME: u64 = 400;
/// A booking is given up by the service after ten seconds.
const HELD_AT_MOST: Duration = Duration::from_secs(7);

const SIGNALS: &[Signal] = &[
    Signal {
        family: "http_server_active_requests",
        labels: &[("listener", "public")],
        by: By::Max,
        from: AT_A_TIME as f64,
    },
    Signal {
        family: "oldest_pending_seconds",
        labels: &[("stage", "plan")],
        by: By::Max,
        from: 0.5,
    },
];

pub(super) async fn run(ground: &mut Ground) -> Result<Found, Failure> {
    let mut found = Found::default();
    let pile = ground.pile(AT_A_TIME).await?;
    let watch = ground.watch(SIGNALS).await?;
    let timeouts = timeouts(ground).await?;
    let locked = ground.database().lock("appointment").await.map_err(failed)?;
    let mut bookings = JoinSet::new();
    for number in pile.from..pile.to {
        let address = ground.target.public.first().map_or("", String::as_str);
        let mut client = Client::new(address, Some(&ground.target.admin_key))?;
        bookings.spawn(async move {
            let (path, body) = pile.single(number);
            client.ask(Method::POST, &path, Some(NDJSON), body).await?;
            Ok::<u64, ClientError>(client.again)
        });
    }
    watch.until_seen(HELD_AT_MOST).await;
    locked.release().await.map_err(failed)?;
    let answers = bookings.join_all().await;
    let taken = answers.iter().filter(|answer| matches!(answer, Ok(0))).count() as u64;
    let said = format!("{} of {}", count(taken), count(AT_A_TIME));
    found.check("every booking is taken in at its first try", taken == AT_A_TIME, said);
    let given_up = self::timeouts(ground).await? - timeouts;
    let said = format!("{given_up} gave up");
    found.check("nobody waits in vain for a connection", given_up == 0.0, said);

    let before = ground.accepted().await?;
    ground.clock(pile.due_at(), true).await?;
    ground.ends_well(&mut found, before, AT_A_TIME).await?;
    watch.end(&mut found).await;
    Ok(found)
}

async fn timeouts(ground: &mut Ground) -> Result<f64, Failure> {
    Ok(ground.metrics().await?.sum("db_client_connections_timeouts_total", &[]))
}

fn failed(error: stack::StackError) -> Failure {
    Failure::Unavailable(error.to_string())
}
