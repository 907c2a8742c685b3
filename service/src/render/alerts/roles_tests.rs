//! The table of roles: nothing is left out, and nothing in it is without effect.

use std::collections::BTreeSet;

use super::model::{Alert, RuleFile};
use super::roles::{Role, Which, table};
use super::rules;

fn explained() -> BTreeSet<&'static str> {
    let table = table();
    let rows = table.iter().filter_map(|(_, role)| match role {
        Role::Cause(explains) => Some(explains),
        Role::Alone | Role::Symptom => None,
    });
    rows.flatten().flat_map(|row| row.alerts.clone()).collect()
}

#[test]
fn each_alert_has_its_role_once() {
    let names: Vec<&str> = table().iter().map(|(name, _)| *name).collect();
    let files = rules().unwrap();
    let all: BTreeSet<&str> =
        files.iter().flat_map(RuleFile::alerts).map(|alert| alert.name).collect();
    assert_eq!(names.iter().copied().collect::<BTreeSet<_>>(), all);
    assert_eq!(names.len(), all.len(), "one stands there twice");
}

#[test]
fn symptoms_are_explained_and_what_stands_alone_is_not() {
    let explained = explained();
    for (name, role) in table() {
        match role {
            Role::Symptom => assert!(explained.contains(name), "{name}: explained by nothing"),
            Role::Alone => assert!(!explained.contains(name), "{name}: explained"),
            Role::Cause(_) => {}
        }
    }
}

/// A row that could mute nothing would be a mistake in a label or a severity.
#[test]
fn all_that_stands_in_a_row_can_come_about() {
    let files = rules().unwrap();
    let alerts: Vec<&Alert> = files.iter().flat_map(RuleFile::alerts).collect();
    let are = |name: &str, which: &Option<Which>| {
        let of = |alert: &&&Alert| {
            alert.name == name && which.as_ref().is_none_or(|which| which.can_be_of(alert))
        };
        alerts.iter().filter(of).map(|alert| alert.severity).collect::<BTreeSet<_>>()
    };
    for (name, role) in table() {
        let Role::Cause(rows) = role else { continue };
        for row in rows {
            let highest = are(name, &row.when).last().copied();
            assert!(highest.is_some(), "{name}: {:?}", row.when);
            for other in &row.alerts {
                assert_ne!(*other, name);
                let lowest = are(other, &row.of).first().copied();
                assert!(lowest.is_some() && lowest <= highest, "{name} {other}: {:?}", row.of);
            }
        }
    }
}
