//! `Server-Timing` (W3C): where a request's time went, in milliseconds, and the trace that it can
//! be found under. It is on every answer, so it is put together from whole numbers: formatting
//! floats cost more than all that was recorded of the request.

use std::fmt::Write;
use std::time::Duration;

use contract::{Query, Stage};
use http::HeaderValue;

use super::exchange::Exchange;
use crate::obs::flight::What;

/// The header of an answer that is about to leave.
pub(super) fn header(exchange: &Exchange) -> Option<HeaderValue> {
    let (scope, flight) = (&exchange.scope, exchange.scope.flight());
    let mut text = String::with_capacity(160);
    text.push_str("total;dur=");
    push_ms(&mut text, exchange.received_at.elapsed());
    text.push_str(", pool;dur=");
    push_ms(&mut text, scope.pool_wait());
    text.push_str(", queue;dur=");
    push_ms(&mut text, flight.total(What::Wait(Stage::Plan)));
    text.push_str(", db;dur=");
    push_ms(&mut text, flight.total(What::Query(Query::ALL[0])));
    text.push_str(";desc=\"");
    text.push_str(itoa::Buffer::new().format(scope.queries()));
    text.push_str(" statements\", trace;desc=\"");
    write!(text, "{}\"", scope.trace()).expect("a String takes all that is written");
    HeaderValue::try_from(text).ok()
}

/// Milliseconds with three places.
fn push_ms(text: &mut String, duration: Duration) {
    let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    text.push_str(itoa::Buffer::new().format(micros / 1_000));
    let places = micros % 1_000;
    text.push('.');
    for unit in [100, 10, 1] {
        text.push(char::from(b'0' + (places / unit % 10) as u8));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_have_three_places() {
        for (micros, expected) in
            [(0, "0.000"), (7, "0.007"), (1_050, "1.050"), (12_345_678, "12345.678")]
        {
            let mut text = String::new();
            push_ms(&mut text, Duration::from_micros(micros));
            assert_eq!(text, expected);
        }
    }
}
