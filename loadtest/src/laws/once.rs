//! Law 2 on the wire: no message is accepted twice, not even after a lost answer, and nothing is
//! accepted that the service did not send.
//!
//! Never here: whether each accepted text has its attempt row; that is the audit's. Whether what is
//! accepted counts as sent is in `counts`.

use std::collections::HashMap;

use super::Check;
use super::wire::{Accepted, Wire};

/// Every accepted text is a case; a second acceptance of a message breaks the law.
#[must_use]
pub fn no_message_twice(wire: &Wire, promised: u64) -> Check {
    let mut check = Check::new(2, "wire: no message accepted twice", promised);
    let mut seen: HashMap<(i64, i64), &Accepted> = HashMap::with_capacity(wire.accepted.len());
    for text in &wire.accepted {
        match seen.insert((text.practice_id, text.message_id), text) {
            None => check.kept(),
            Some(first) => check.broken(|| twice(first, text)),
        }
    }
    for text in &wire.foreign {
        check.broken(|| format!("{text} names no message of the service"));
    }
    check
}

/// Every lost answer is a case: the text was accepted, so it must be known as sent and never be
/// accepted again.
#[must_use]
pub fn lost_answers_are_resolved(wire: &Wire, promised: u64) -> Check {
    let mut check = Check::new(2, "wire: lost answers resolved by look-up", promised);
    let mut counts: HashMap<(i64, i64), u32> = HashMap::new();
    for text in &wire.accepted {
        *counts.entry((text.practice_id, text.message_id)).or_default() += 1;
    }
    for text in wire.accepted.iter().filter(|text| text.answer_lost) {
        let accepted = counts[&(text.practice_id, text.message_id)];
        check.case(accepted == 1, || {
            format!(
                "practice {} message {}: answer lost, then accepted {accepted} times",
                text.practice_id, text.message_id
            )
        });
    }
    check
}

fn twice(first: &Accepted, again: &Accepted) -> String {
    format!(
        "practice {} message {}: accepted as attempt {} and again as attempt {}, {} ms later",
        again.practice_id,
        again.message_id,
        first.attempt_no,
        again.attempt_no,
        again.t_ns.saturating_sub(first.t_ns) / 1_000_000
    )
}

#[cfg(test)]
mod tests {
    use super::super::wire::tests::{accepted, wire};
    use super::*;

    #[test]
    fn a_second_acceptance_breaks_it() {
        let mut log = wire(vec![accepted(1, 1, 5), accepted(2, 2, 5)]);
        assert!(no_message_twice(&log, 2).passed());
        assert!(!no_message_twice(&log, 3).passed(), "fewer than promised");
        log.accepted.push(accepted(3_000_000, 1, 5));
        let check = no_message_twice(&log, 2);
        assert_eq!(check.violations, 1);
        assert!(check.examples[0].contains("message 1"), "{:?}", check.examples);
    }

    #[test]
    fn a_foreign_text_breaks_it() {
        let mut log = wire(vec![accepted(1, 1, 5)]);
        log.foreign.push("SM1 at seq 2".to_owned());
        assert!(!no_message_twice(&log, 1).passed());
    }

    #[test]
    fn a_lost_answer_is_no_licence() {
        let lost = Accepted { answer_lost: true, ..accepted(1, 1, 5) };
        assert!(lost_answers_are_resolved(&wire(vec![lost]), 1).passed());
        assert!(!lost_answers_are_resolved(&wire(vec![lost]), 2).passed());
        let again = accepted(2, 1, 5);
        assert!(!lost_answers_are_resolved(&wire(vec![lost, again]), 1).passed());
    }
}
