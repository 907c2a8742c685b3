//! Law 1 from outside: the daily counts that practices read add up, and what they call sent is
//! what the provider accepted.
//!
//! Never here: how the counts come about.

use std::collections::HashMap;

use serde::Deserialize;

use super::Check;
use super::wire::Wire;

/// The answer of the daily counts.
#[derive(Debug, Clone, Deserialize)]
pub struct DayCounts {
    /// One for each rule that has any.
    pub rules: Vec<RuleCounts>,
}

/// The counts of one rule: reminders, not texts.
#[derive(Debug, Clone, Deserialize)]
pub struct RuleCounts {
    /// The rule.
    pub rule_id: u16,
    /// Promised.
    pub expected: i64,
    /// Accepted by the provider.
    pub sent: i64,
    /// Stopped, by reason.
    pub suppressed: HashMap<String, i64>,
    /// Refused for good.
    pub failed: i64,
    /// Too late.
    pub expired: i64,
    /// Not known.
    pub ambiguous: i64,
    /// Still to come.
    pub pending: i64,
}

/// Every practice and rule with a count is a case: expected is the sum of all fates, and after the
/// day nothing of it is left pending or unknown.
#[must_use]
pub fn counts_add_up(counts: &[(i64, DayCounts)], promised: u64) -> Check {
    let mut check = Check::new(1, "reads: a practice's daily counts add up", promised);
    for (practice_id, day) in counts {
        for rule in &day.rules {
            let fates = rule.sent + rule.failed + rule.expired + rule.ambiguous + rule.pending;
            let fates = fates + rule.suppressed.values().sum::<i64>();
            let done = rule.pending == 0 && rule.ambiguous == 0;
            check.case(rule.expected == fates && done, || {
                format!(
                    "practice {practice_id} rule {}: expected {}, fates {fates}, of them pending \
                     {} and ambiguous {}",
                    rule.rule_id, rule.expected, rule.pending, rule.ambiguous
                )
            });
        }
    }
    check
}

/// Every practice is a case: as many reminders count as sent as the accepted texts speak of.
#[must_use]
pub fn sent_is_what_was_accepted(wire: &Wire, counts: &[(i64, DayCounts)], promised: u64) -> Check {
    let mut check = Check::new(1, "wire and counts agree on what was sent", promised);
    let mut spoken: HashMap<i64, i64> = HashMap::new();
    for text in &wire.accepted {
        *spoken.entry(text.practice_id).or_default() += i64::from(text.mentions);
    }
    for (practice_id, day) in counts {
        let sent: i64 = day.rules.iter().map(|rule| rule.sent).sum();
        let accepted = spoken.get(practice_id).copied().unwrap_or(0);
        if sent == 0 && accepted == 0 {
            continue;
        }
        check.case(sent == accepted, || {
            format!(
                "practice {practice_id}: {sent} reminders count as sent, accepted texts speak of \
                 {accepted}"
            )
        });
    }
    check
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::wire::tests::{accepted, wire};
    use super::*;

    fn day(expected: i64, sent: i64, pending: i64) -> DayCounts {
        let json = format!(
            r#"{{"day":"2027-03-09","rules":[{{"rule_id":1,"expected":{expected},"sent":{sent},
                "suppressed":{{"cancelled":1,"moved":0}},"failed":0,"expired":0,"ambiguous":0,
                "pending":{pending},"delivered":0,"undelivered":0,"replied":0}}]}}"#
        );
        serde_json::from_str(&json).unwrap()
    }

    #[test]
    fn counts_that_do_not_add_up_break_it() {
        assert!(counts_add_up(&[(7, day(3, 2, 0))], 1).passed());
        assert!(!counts_add_up(&[(7, day(3, 2, 0))], 2).passed(), "too few");
        assert!(!counts_add_up(&[(7, day(4, 2, 0))], 1).passed());
        assert!(!counts_add_up(&[(7, day(4, 2, 1))], 1).passed(), "still pending");
    }

    #[test]
    fn a_text_that_is_not_counted_breaks_it() {
        let log = wire(vec![accepted(1, 1, 5), accepted(2, 2, 6)]);
        assert!(sent_is_what_was_accepted(&log, &[(7, day(3, 2, 0))], 1).passed());
        assert!(!sent_is_what_was_accepted(&log, &[(7, day(2, 1, 0))], 1).passed());
        assert!(!sent_is_what_was_accepted(&wire(vec![]), &[(7, day(3, 2, 0))], 1).passed());
    }
}
