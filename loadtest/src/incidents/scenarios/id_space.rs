//! The online orders whose random numbers ran out on Christmas Eve, so that every order drew and
//! looked up for ever. Here a sequence is used up: that must be seen while there are numbers left;
//! without any, a booking is refused at once and whole; and with numbers again, everything goes on.
//!
//! Codes that patients are given are numbers of a space as well; where they are made, their space
//! belongs here.

use std::time::Duration;

use crate::client::{Client, ClientError};
use crate::exit::Failure;
use crate::incidents::facts::Found;
use crate::incidents::ground::Ground;
use crate::incidents::watch::{By, Signal};
use crate::piled::Pile;

/// Numbers the changes of the counts; each booking takes some.
const SEQUENCE: &str = "tally_delta_delta_id_seq";
/// Its gauge is set every five seconds.
const SEEN_WITHIN: Duration = Duration::from_secs(15);
/// Who tells of it, and within how long of the gauge.
const ALERT: &str = "PunctualIdSpaceUsed";
const TOLD_WITHIN: Duration = Duration::from_secs(10);
/// A refusal comes within this, or it isn't one.
const REFUSED_WITHIN: Duration = Duration::from_secs(5);

const SIGNALS: &[Signal] =
    &[Signal { family: "id_space_used_ratio", labels: &[], by: By::Max, from: 0.5 }];

pub(super) async fn run(ground: &mut Ground) -> Result<Found, Failure> {
    let mut found = Found::default();
    let texts = ground.size;
    let pile = ground.pile(texts).await?;
    let half = pile.from + texts / 2;
    Pile { to: half, ..pile }.book(&mut ground.public).await?;
    let watch = ground.watch(SIGNALS).await?;
    spend(ground, 0.6).await?;
    watch.until_seen(SEEN_WITHIN).await;
    if let Some(is_told) = watch.until_told(ALERT, TOLD_WITHIN).await {
        let said = if is_told { "raised" } else { "silent" };
        found.check("who is on call would be told in time", is_told, format!("{ALERT} is {said}"));
    }
    // While there are numbers, nothing else is to be noticed.
    Pile { from: half, to: half + 1, ..pile }.book(&mut ground.public).await?;

    spend(ground, 1.0).await?;
    let rest = Pile { from: half + 1, ..pile };
    let refused = refused(ground, rest).await?;
    let said = refused.map_or("it was not".to_owned(), |status| format!("answered {status}"));
    found.check("without numbers a booking is refused at once", refused.is_some(), said);

    spend(ground, 0.1).await?;
    rest.book(&mut ground.public).await?;
    let before = ground.accepted().await?;
    ground.clock(pile.due_at(), true).await?;
    ground.ends_well(&mut found, before, texts).await?;
    watch.end(&mut found).await;
    Ok(found)
}

async fn spend(ground: &Ground, share: f64) -> Result<(), Failure> {
    let spent = ground.database().spend_numbers(SEQUENCE, share).await;
    spent.map_err(|error| Failure::Unavailable(error.to_string()))
}

/// With which status a booking is refused, if it is.
async fn refused(ground: &Ground, pile: Pile) -> Result<Option<u16>, Failure> {
    let address = ground.target.public.first().map_or("", String::as_str);
    let client = Client::new(address, Some(&ground.target.admin_key))?;
    match pile.book(&mut client.within(REFUSED_WITHIN)).await {
        Err(ClientError::Refused { status, .. }) => Ok(Some(status)),
        Ok(()) | Err(ClientError::Broken { .. }) => Ok(None),
    }
}
