//! One pair for all tests of a process.
//!
//! What belongs here: starting it once. What never does: stopping it. A static is never dropped
//! and the test harness says no good-bye, so the watchdog does it when the process has ended, in
//! whatever way.

use tokio::sync::OnceCell;

use super::{Options, PostgresPair, Profile};
use crate::StackError;

/// The pair of this process, started by the first who asks; the same error for all if it can't
/// be. Don't crash or pause it: others use it.
///
/// Its processes and files belong to no async runtime, so it may be used from any.
pub async fn shared() -> Result<&'static PostgresPair, &'static StackError> {
    static SHARED: OnceCell<Result<PostgresPair, StackError>> = OnceCell::const_new();
    SHARED.get_or_init(|| PostgresPair::start(Options::new(Profile::Test))).await.as_ref()
}
