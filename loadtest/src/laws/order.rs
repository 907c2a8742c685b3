//! Law 3 on the wire: per recipient, texts leave in the order in which they were made.
//!
//! Never here: order between recipients; there is none.

use std::collections::HashMap;

use super::Check;
use super::wire::{Accepted, Wire};

/// Every text but the first to a recipient of a practice is a case: its message was made after the
/// one accepted before it.
#[must_use]
pub fn in_order(wire: &Wire, promised: u64) -> Check {
    let mut check = Check::new(3, "wire: in order per recipient", promised);
    let mut last: HashMap<(u64, u64), &Accepted> = HashMap::new();
    for text in &wire.accepted {
        let Some(before) = last.insert((text.from, text.to), text) else { continue };
        // A message accepted twice is law 2's.
        if before.message_id == text.message_id {
            continue;
        }
        check.case(before.message_id < text.message_id, || {
            format!(
                "practice {}: message {} was accepted {} ms after message {} to the same phone",
                text.practice_id,
                text.message_id,
                text.t_ns.saturating_sub(before.t_ns) / 1_000_000,
                before.message_id
            )
        });
    }
    check
}

#[cfg(test)]
mod tests {
    use super::super::wire::tests::{accepted, wire};
    use super::*;

    #[test]
    fn a_later_message_first_breaks_it() {
        let good = vec![accepted(1, 1, 5), accepted(2, 9, 6), accepted(3, 2, 5)];
        let check = in_order(&wire(good.clone()), 1);
        assert!(check.passed() && check.cases == 1, "{check:?}");
        assert!(!in_order(&wire(good), 2).passed(), "fewer than promised");
        let check = in_order(&wire(vec![accepted(1, 2, 5), accepted(2, 1, 5)]), 1);
        assert_eq!(check.violations, 1);
    }

    #[test]
    fn phones_of_two_practices_are_two_recipients() {
        let other = Accepted { from: 9_990_000_000_008, ..accepted(2, 1, 5) };
        assert_eq!(in_order(&wire(vec![accepted(1, 2, 5), other]), 0).cases, 0);
    }
}
