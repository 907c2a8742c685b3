//! What a request carries from server to server: what it must have seen, and how far its own writes
//! got. Every read and every commit on its task finds it here, so that no endpoint can forget it;
//! work that waits in a queue takes it along.

use std::sync::{Arc, Mutex, PoisonError};

use super::token::{After, Token};

tokio::task_local! {
    static CARRIED: Arc<Carried>;
}

/// What one request carries.
#[derive(Debug, Default)]
pub(crate) struct Carried(Mutex<State>);

#[derive(Debug, Clone, Copy, Default)]
struct State {
    after: After,
    has_written: bool,
}

impl Carried {
    /// Of a request whose reads must have seen this.
    pub(crate) fn new(after: After) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State { after, has_written: false })))
    }

    /// Notes how far a write got: later reads of the request have seen it.
    pub(crate) fn wrote(&self, token: Token) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let after = match state.after.and(token) {
            // What was shown is of another database than the one that was written to.
            After::Nothing | After::Several => After::At(token),
            both @ After::At(_) => both,
        };
        *state = State { after, has_written: true };
    }

    /// What the reader should show next time, if the request has written.
    pub(crate) fn written(&self) -> Option<Token> {
        let state = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match state.after {
            After::At(token) if state.has_written => Some(token),
            After::At(_) | After::Nothing | After::Several => None,
        }
    }

    /// What its reads must have seen.
    pub(super) fn after(&self) -> After {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).after
    }
}

/// Runs what a request does.
pub(crate) fn within<F: Future>(
    carried: Arc<Carried>,
    work: F,
) -> impl Future<Output = F::Output> + use<F> {
    // Not an `async fn`: that one would hold the work twice, as its argument and in the scope.
    CARRIED.scope(carried, work)
}

/// What the request carries whose task this is.
pub(crate) fn current() -> Option<Arc<Carried>> {
    CARRIED.try_with(Arc::clone).ok()
}

/// Tells the requests of a batch how far it got.
pub(crate) fn tell<'a>(
    requests: impl Iterator<Item = &'a Option<Arc<Carried>>>,
    token: Option<Token>,
) {
    let Some(token) = token else { return };
    requests.flatten().for_each(|carried| carried.wrote(token));
}

/// Whether the request whose task this is shows that it has seen a write, or has made one.
pub(crate) fn shows_token() -> bool {
    after() != After::Nothing
}

/// What a read on this task must have seen.
pub(super) fn after() -> After {
    CARRIED.try_with(|carried| carried.after()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::router::token::History;

    #[tokio::test]
    async fn a_write_is_seen_by_later_reads_and_told() {
        let at = |timeline, lsn| Token { history: History { system: 1, timeline }, lsn };
        let carried = Carried::new(After::At(at(1, 10)));
        assert_eq!(carried.written(), None, "reading is not writing");
        let inner = Arc::clone(&carried);
        within(carried, async move {
            current().unwrap().wrote(at(1, 7));
            assert_eq!(after(), After::At(at(1, 10)));
            assert_eq!(inner.written(), Some(at(1, 10)));
            inner.wrote(at(2, 5));
            assert_eq!(after(), After::At(at(2, 5)));
            inner.wrote(at(1, 99));
            assert_eq!(after(), After::At(at(2, 5)), "the later timeline is kept");
        })
        .await;
        assert_eq!(after(), After::Nothing);
    }
}
