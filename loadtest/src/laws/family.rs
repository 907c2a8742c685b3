//! Law 7 on the wire: a phone gets one text for a group, not five.
//!
//! A text's words name its rule and its appointments with their times, so the same words twice to
//! one phone on one day are the same group twice.
//!
//! Never here: the identity of groups as the database knows it; that is the audit's.

use std::collections::HashMap;

use super::Check;
use super::wire::{Accepted, Wire};

/// Every message is a case: no other message said the same to the same phone.
#[must_use]
pub fn same_words_once(wire: &Wire, promised: u64) -> Check {
    let mut check = Check::new(7, "wire: no phone gets the same words twice", promised);
    let mut said: HashMap<(u64, u64, u64), &Accepted> = HashMap::with_capacity(wire.accepted.len());
    for text in &wire.accepted {
        let before = said.insert((text.from, text.to, text.words), text);
        match before.filter(|before| before.message_id != text.message_id) {
            None => check.kept(),
            Some(before) => check.broken(|| {
                format!(
                    "practice {}: messages {} and {} say the same to one phone",
                    text.practice_id, before.message_id, text.message_id
                )
            }),
        }
    }
    check
}

/// Every text that speaks of several appointments is a case: families do get one text.
#[must_use]
pub fn families_share(wire: &Wire, promised: u64) -> Check {
    let mut check = Check::new(7, "wire: families share a text", promised);
    check.cases = wire.accepted.iter().filter(|text| text.mentions >= 2).count() as u64;
    check
}

/// The plan says how many texts its day may come to at most: one more is one too many. Texts of
/// practices that aren't the plan's don't count.
#[must_use]
pub fn no_more_than_planned(texts: u64, least: u64, most: u64) -> Check {
    let mut check = Check::new(7, "wire: no more texts than the plan allows", least);
    check.cases = texts;
    check.violations = texts.saturating_sub(most);
    if check.violations > 0 {
        check.examples.push(format!("{texts} texts were accepted, {most} are the most"));
    }
    check
}

#[cfg(test)]
mod tests {
    use super::super::wire::tests::{accepted, wire};
    use super::*;

    #[test]
    fn the_same_words_twice_break_it() {
        let first = accepted(1, 1, 5);
        let other_phone = Accepted { words: first.words, ..accepted(2, 2, 6) };
        let check = same_words_once(&wire(vec![first, other_phone]), 2);
        assert!(check.passed(), "{check:?}");
        let again = Accepted { words: first.words, ..accepted(3, 3, 5) };
        let check = same_words_once(&wire(vec![first, again]), 2);
        assert_eq!(check.violations, 1);
        assert!(!same_words_once(&wire(vec![]), 1).passed());
    }

    #[test]
    fn families_without_a_shared_text_are_too_few() {
        let family = Accepted { mentions: 2, ..accepted(1, 1, 5) };
        assert!(families_share(&wire(vec![family, accepted(2, 2, 6)]), 1).passed());
        assert!(!families_share(&wire(vec![accepted(2, 2, 6)]), 1).passed());
    }

    #[test]
    fn more_texts_than_planned_break_it() {
        assert!(no_more_than_planned(10, 8, 10).passed());
        assert!(!no_more_than_planned(11, 8, 10).passed());
        assert!(!no_more_than_planned(7, 8, 10).passed());
    }
}
