//! Reconciliation.

use contract::Family;

use super::super::case::{Case, Labels};

const JOB: Labels = &[("job", "punctual")];

pub(super) fn cases() -> Vec<Case> {
    let residual = Family::ConservationResidual.name();
    let violations = Family::AuditViolations.name();
    let (until, round) = (Family::ReconciledUntil.name(), Family::ReconcileRound.name());
    let broken = "PunctualConservationBroken";
    let (audit, missed) = ("PunctualAuditBroken", "PunctualReconciliationMissed");
    vec![
        Case::new(broken, "two are missing", "2m")
            .series(residual, "kind=\"missing\"", "0x2 2x10")
            .series(residual, "kind=\"surplus\"", "0x12")
            .fires(&[], &[("job", "punctual"), ("kind", "missing")], finds("2 reminders missing")),
        Case::new(broken, "nobody can look at a practice", "2m")
            .series(residual, "kind=\"missing\"", "0x12")
            .series(residual, "kind=\"uncompared\"", "0x2 1x10")
            .fires(
                &[],
                &[("job", "punctual"), ("kind", "uncompared")],
                finds("1 reminders uncompared"),
            ),
        Case::new(broken, "all are there", "2m")
            .series(residual, "kind=\"missing\"", "0x12")
            .series(residual, "kind=\"surplus\"", "0x12"),
        Case::new(broken, "what was wrong is mended", "5m").series(
            residual,
            "kind=\"missing\"",
            "2x4 0x20",
        ),
        Case::new(audit, "three violations of a law", "2m")
            .series(violations, "law=\"conservation\"", "0x12")
            .series(violations, "law=\"order\"", "0x2 3x10")
            .fires(
                &[],
                &[("job", "punctual"), ("law", "order")],
                "The last audit found 3 violations of the law about order. punctual audit names \
                 them; the runbook says what each law is.",
            ),
        Case::new(audit, "none", "2m").series(violations, "law=\"conservation\"", "0x12").series(
            violations,
            "law=\"order\"",
            "0x12",
        ),
        // It stands still at 300 s; a round is 900 s.
        Case::new(missed, "the stage stands still", "26m")
            .series(until, "", "0+30x10 300x120")
            .series(round, "", "900x130")
            .fires(
                &[],
                JOB,
                "Some reminders had their turn 21m 0s ago, and missed the next: a missing one \
                 would not be found before it is due.",
            ),
        Case::new(missed, "who was away catches up", "19m")
            .series(until, "", "0x37 1140+30x130")
            .series(round, "", "900x150"),
        Case::new(missed, "it is most of a round behind after a restart", "45m")
            .series(until, "", "0x20 0+30x130")
            .series(round, "", "900x150"),
        Case::new(missed, "every promise has its turn", "45m")
            .series(until, "", "0+30x130")
            .series(round, "", "900x130"),
    ]
}

fn finds(what: &str) -> String {
    format!(
        "Reconciliation finds {what}: what appointments and rules promise is not what is planned, \
         or not what the provider lists (somebody may get no reminder, or two); or, where it says \
         unbalanced, counts of so many days and rules are not what their reminders say; or, where \
         it says uncompared, of the reminders of so many practices nobody can say. \
         /admin/residuals names them; punctual reconcile --repair plans again what still makes \
         sense and puts counts right."
    )
}

/// A sample each hour.
pub(super) fn slow() -> Vec<Case> {
    let case = |story: &str, at: &str, values: &str| {
        let case = Case::new("PunctualComparisonMissed", story, at);
        case.series(Family::ProviderComparedUntil.name(), "", values)
    };
    vec![
        case("the last one was three days ago", "80h", "1x23 3600x100").fires(
            &[],
            JOB,
            "The last comparison reaches to 3d 7h 0m 0s ago. A text that the provider never had, \
             or that left twice, would go unseen.",
        ),
        case("one a day, and one of them failed", "71h", "1x23 86400x47 259200x30"),
        case("nobody ever compared", "80h", "0x100"),
    ]
}
