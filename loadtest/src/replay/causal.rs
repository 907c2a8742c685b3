//! Reading one's own writes during the day (law 9): of every so many bookings that were answered,
//! the appointment is read at once with the token of the answer, whichever server answers.
//!
//! Never here: load. It is a closed loop of a few reads a second.

use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{HeaderValue, Method};
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::live::Keys;
use super::target::Target;
use crate::client::Client;
use crate::exit::Failure;
use crate::laws::Check;

/// One booking in so many is looked at.
const EVERY: usize = 50;
/// Bookings that wait to be looked at; what comes while it is full is left out.
const WAITING_MAX: usize = 1_024;

/// A booking that was answered.
#[derive(Debug)]
pub(crate) struct Wrote {
    pub(crate) practice_id: i64,
    pub(crate) appointment_id: String,
    pub(crate) version: u64,
    /// What the answer says to read after.
    pub(crate) token: HeaderValue,
}

/// Where answered bookings go.
#[derive(Debug)]
pub(crate) struct Writes(mpsc::Sender<Wrote>, AtomicUsize);

/// Where they come from.
pub(crate) type Written = mpsc::Receiver<Wrote>;

/// Both ends.
pub(crate) fn channel() -> (Writes, Written) {
    let (sender, receiver) = mpsc::channel(WAITING_MAX);
    (Writes(sender, AtomicUsize::new(0)), receiver)
}

impl Writes {
    /// Takes note of one in so many.
    pub(crate) fn answered(&self, wrote: impl FnOnce() -> Option<Wrote>) {
        if self.1.fetch_add(1, Ordering::Relaxed).is_multiple_of(EVERY)
            && let Some(wrote) = wrote()
        {
            let _full = self.0.try_send(wrote);
        }
    }
}

/// How many cases so many bookings give at least: half of them, as those that come too fast are
/// left out.
pub(crate) const fn promised(bookings: u64) -> u64 {
    bookings / EVERY as u64 / 2
}

#[derive(Deserialize)]
struct Found {
    version: u64,
}

/// Reads what was written until the day is over and all of it is read.
pub(crate) async fn watch(
    mut written: Written,
    target: &Target,
    keys: &Keys,
    promised: u64,
    over: CancellationToken,
) -> Result<Check, Failure> {
    let address = target.public.first().map_or("", String::as_str);
    let mut client = Client::new(address, None)?;
    let mut check = Check::new(9, "reads: a booking is seen by its own reader", promised);
    loop {
        let wrote = tokio::select! {
            biased;
            wrote = written.recv() => wrote,
            () = over.cancelled() => written.try_recv().ok(),
        };
        let Some(wrote) = wrote else { return Ok(check) };
        client.present(keys.get(&wrote.practice_id).cloned());
        client.present_token(Some(wrote.token.clone()));
        judge(&mut check, &mut client, &wrote).await?;
    }
}

async fn judge(check: &mut Check, client: &mut Client, wrote: &Wrote) -> Result<(), Failure> {
    let Wrote { practice_id, appointment_id, version, .. } = wrote;
    let path = format!("/v1/practices/{practice_id}/appointments/{appointment_id}");
    let said = match client.ask(Method::GET, &path, None, Bytes::new()).await {
        Ok(answer) => match client.read::<Found>(&Method::GET, &path, &answer) {
            // It may have been changed again meanwhile.
            Ok(found) if found.version >= *version => {
                check.kept();
                return Ok(());
            }
            Ok(found) => format!("version {} was shown", found.version),
            Err(error) => return Err(error.into()),
        },
        Err(error @ crate::client::ClientError::Broken { .. }) => return Err(error.into()),
        Err(error) => error.to_string(),
    };
    check.broken(|| format!("{path} was written as version {version}: {said}"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_so_many_one_is_looked_at() {
        let (writes, mut written) = channel();
        let wrote = |n: u64| {
            move || {
                let token = HeaderValue::from_static("1.1.1.1");
                Some(Wrote { practice_id: 1, appointment_id: "a".into(), version: n, token })
            }
        };
        for n in 0..101 {
            writes.answered(wrote(n));
        }
        let seen: Vec<u64> =
            std::iter::from_fn(|| written.try_recv().ok()).map(|w| w.version).collect();
        assert_eq!(seen, [0, 50, 100]);
        assert_eq!(promised(101), 1);
    }
}
