//! The trace that each request begins: W3C Trace Context, level 1, with an id that follows from the
//! plan's hash and the request's place in it. So two runs of a plan ask for the same traces, and
//! whoever holds a plan and a report can find a request again.
//!
//! Never here: asking a service what it kept of a trace (`inside::flights`).

use std::fmt;

use aws_lc_rs::digest::{Context, SHA256};
use http::HeaderValue;

/// The header's name.
pub const TRACEPARENT: &str = "traceparent";

/// A trace and the first span of it, which is the request as the harness sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trace {
    id: [u8; 16],
    span: [u8; 8],
    sampled: bool,
}

/// Makes the traces of a plan.
#[derive(Debug, Clone)]
pub struct Traces {
    plan_hash: String,
    sampled: bool,
}

impl Traces {
    /// The traces of the plan with this hash. `sampled` asks whoever traces the service to record
    /// each of them; else it is asked to leave them alone.
    #[must_use]
    pub fn new(plan_hash: &str, sampled: bool) -> Self {
        Self { plan_hash: plan_hash.to_owned(), sampled }
    }

    /// That of the request at this place in the plan.
    #[must_use]
    pub fn of(&self, index: usize) -> Trace {
        let mut context = Context::new(&SHA256);
        context.update(self.plan_hash.as_bytes());
        context.update(&(index as u64).to_be_bytes());
        let digest = context.finish();
        let (mut id, mut span) = ([0; 16], [0; 8]);
        id.copy_from_slice(&digest.as_ref()[..16]);
        span.copy_from_slice(&digest.as_ref()[16..24]);
        // Neither may be all zero, by the recommendation.
        id[15] |= 1;
        span[7] |= 1;
        Trace { id, span, sampled: self.sampled }
    }
}

impl Trace {
    /// The header's value.
    ///
    /// # Panics
    /// Never: hexadecimal digits and dashes are a header's value.
    #[must_use]
    pub fn header(&self) -> HeaderValue {
        let flags = u8::from(self.sampled);
        let mut text = [0_u8; 55];
        text[..3].copy_from_slice(b"00-");
        hex(&self.id, &mut text[3..35]);
        text[35] = b'-';
        hex(&self.span, &mut text[36..52]);
        text[52..].copy_from_slice(if flags == 1 { b"-01" } else { b"-00" });
        HeaderValue::from_bytes(&text).expect("digits and dashes are a header's value")
    }
}

/// The id alone.
impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.id.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

fn hex(bytes: &[u8], text: &mut [u8]) {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    for (byte, pair) in bytes.iter().zip(text.chunks_exact_mut(2)) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_place_in_a_plan_has_one_trace() {
        let of = |hash, index| Traces::new(hash, false).of(index);
        assert_eq!(of("5f0c", 7), of("5f0c", 7));
        assert_ne!(of("5f0c", 7), of("5f0c", 8));
        assert_ne!(of("5f0c", 7), of("5f0d", 7));
    }

    #[test]
    fn the_header_is_as_recommended() {
        for (sampled, flags) in [(false, "00"), (true, "01")] {
            let trace = Traces::new("5f0c", sampled).of(0);
            let header = trace.header();
            let parts: Vec<&str> = header.to_str().unwrap().split('-').collect();
            assert_eq!((parts[0], parts[3]), ("00", flags));
            assert_eq!((parts[1], parts[2].len()), (trace.to_string().as_str(), 16));
            assert!(parts[1].len() == 32 && parts[1].bytes().all(|b| b.is_ascii_hexdigit()));
        }
    }
}
