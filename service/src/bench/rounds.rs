//! Turns of shards, some at a time and each shard once at a time: as the group commit and the
//! stages' tasks take them, without waiting for anything to become due.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::JoinSet;

use super::Failed;

/// Gives shards their turns until none has more to do. A turn says whether its shard has.
pub(super) async fn run<F, T>(shards: i16, runners: usize, turn: F) -> Result<(), Failed>
where
    F: Fn(i16) -> T + Send + Sync + 'static,
    T: Future<Output = Result<bool, Failed>> + Send + 'static,
{
    let waiting: Arc<Mutex<VecDeque<i16>>> = Arc::new(Mutex::new((0..shards).collect()));
    let turn = Arc::new(turn);
    let mut tasks: JoinSet<Result<(), Failed>> = JoinSet::new();
    for _ in 0..runners {
        let (waiting, turn) = (Arc::clone(&waiting), Arc::clone(&turn));
        tasks.spawn(async move {
            loop {
                let shard = lock(&waiting).pop_front();
                let Some(shard) = shard else { return Ok(()) };
                if turn(shard).await? {
                    lock(&waiting).push_back(shard);
                }
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.map_err(|error| Failed::Wrong(error.to_string()))??;
    }
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_shard_has_its_turns_and_a_failure_ends_all() {
        let left = Arc::new(Mutex::new(vec![3_u32, 0, 1]));
        let seen = Arc::clone(&left);
        run(3, 2, move |shard| {
            let left = Arc::clone(&left);
            async move {
                let mut left = left.lock().unwrap();
                let mine = &mut left[usize::try_from(shard).unwrap()];
                *mine = mine.saturating_sub(1);
                Ok(*mine > 0)
            }
        })
        .await
        .unwrap();
        assert_eq!(*seen.lock().unwrap(), [0, 0, 0]);

        let failed = run(2, 2, |_| async { Err(Failed::Wrong("as told".into())) }).await;
        assert!(failed.is_err());
    }
}
