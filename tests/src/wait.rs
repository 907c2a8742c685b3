//! Waiting for what must come: look, and look again soon, until it is there or too late.
//!
//! Never here, nor in any test: a pause after which something is hoped to have happened.

use std::time::{Duration, Instant};

/// Long enough for a loaded machine; what waits for it ends as soon as it can.
pub const SOON: Duration = Duration::from_secs(30);

/// Between two looks.
const LOOK: Duration = Duration::from_millis(15);

/// Looks until there is something, and returns it.
///
/// # Panics
/// When it isn't there [`SOON`].
pub async fn until<T>(what: &str, look: impl AsyncFnMut() -> Option<T>) -> T {
    until_within(SOON, what, look).await
}

/// The same with a bound of its own.
///
/// # Panics
/// When it isn't there within the bound.
pub async fn until_within<T>(
    within: Duration,
    what: &str,
    mut look: impl AsyncFnMut() -> Option<T>,
) -> T {
    let deadline = Instant::now() + within;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {within:?}: {what}");
        tokio::time::sleep(LOOK).await;
    }
}

/// Waits for a future that must end [`SOON`].
///
/// # Panics
/// When it doesn't.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let Ok(value) = tokio::time::timeout(SOON, future).await else {
        panic!("not within {SOON:?}: {what}");
    };
    value
}
