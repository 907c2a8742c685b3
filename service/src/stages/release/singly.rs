//! A release promise by promise, after a batch failed because of what was in it, until the one at
//! fault is met: its practice is set aside for a while, and the others go on.
//!
//! Never here: the transaction (`write`), for how long a practice is left out (`aside`).

use std::time::Instant;

use contract::Stage;

use super::write::{Failed, Released, release_batch};
use crate::db::DbError;
use crate::obs;
use crate::stages::{ASIDE_FOR, Shared};

/// Releases one batch of a shard; `None` when somebody else is releasing it.
pub(super) async fn release(
    shared: &Shared,
    shard: i16,
    batch_max: u32,
) -> Result<Option<Released>, DbError> {
    let failed = match release_batch(shared, shard, batch_max).await {
        Ok(released) => return Ok(released),
        Err(failed) => failed,
    };
    // There may be more that is due.
    let mut released = Released { intents: 0, texts: 0, is_full: true, next_due: None };
    if is_set_aside(shared, shard, &failed) {
        return Ok(Some(released));
    }
    if !failed.error.is_of_the_rows() || failed.practices.is_empty() {
        return Err(failed.error);
    }
    obs::stage::failed(Stage::Release, 1);
    tracing::warn!(error = %failed.error, shard, "release: promise by promise");
    for _ in 0..failed.intents {
        match Box::pin(release_batch(shared, shard, 1)).await {
            Ok(Some(one)) if one.intents > 0 => {
                released.intents += one.intents;
                released.texts += one.texts;
            }
            Ok(Some(_) | None) => break,
            Err(failed) if is_set_aside(shared, shard, &failed) => break,
            Err(failed) => return Err(failed.error),
        }
    }
    Ok(Some(released))
}

/// Sets a practice aside if what failed was of it alone.
fn is_set_aside(shared: &Shared, shard: i16, failed: &Failed) -> bool {
    let Failed { error, practices, intents: _ } = failed;
    let &[practice_id] = practices.as_slice() else { return false };
    if !error.is_of_the_rows() {
        return false;
    }
    obs::stage::failed(Stage::Release, 1);
    tracing::warn!(
        %error, shard, practice_id,
        "release: a practice is set aside, as nothing can be done for it now"
    );
    shared.aside.put(practice_id, Instant::now(), ASIDE_FOR);
    true
}
