//! The critical paths that no single endpoint shows, each from what a person did to what a person
//! relies on. They cross processes and are measured in real time. One that breaks off for a reason
//! of ours took too long.
//!
//! Never here: a path that lies inside one endpoint or stage.

use crate::table::{is_snake_case, table};

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spec {
    /// A journey is good when it ends within this many milliseconds.
    pub latency_ms: u32,
    /// The share that must be good, as a ratio.
    pub objective: f64,
}

table! {
    /// A critical path.
    pub enum Journey: Spec;

    /// From the arrival of a booking to the commit of its promises.
    BookingToPromise = booking_to_promise { latency_ms: 500, objective: 0.99, }
    /// From a reminder's due time to the provider's acceptance; one that is given up breaks off.
    DueToHandedOver = due_to_handed_over { latency_ms: 5_000, objective: 0.99, }
    /// From the provider's acceptance to the commit of its first receipt.
    HandedOverToReceipt = handed_over_to_receipt { latency_ms: 10_000, objective: 0.99, }
    /// From the arrival of a reply to the commit from which on the practice can read it; a replica
    /// may show it later, by as much as it is behind.
    ReplyToShown = reply_to_shown { latency_ms: 1_000, objective: 0.99, }
    /// From the arrival of a cancellation to the commit after which nothing it stopped can leave.
    CancelToSafe = cancel_to_safe { latency_ms: 500, objective: 0.99, }
}

// A silly row does not compile.
const _: () = {
    let mut i = 0;
    while i < Journey::COUNT {
        let row = Journey::ALL[i];
        let spec = row.spec();
        assert!(is_snake_case(row.name()), "a journey's name is snake_case");
        assert!(spec.latency_ms > 0 && spec.objective > 0.0 && spec.objective < 1.0);
        i += 1;
    }
};
