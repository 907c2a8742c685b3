//! Part of `alerts/work.rules.yaml`: that what appointments and rules promise is there, and that
//! somebody looks.

use contract::Family;

use super::model::{Alert, Board, Rule, Severity};

const RESIDUAL: &str = Family::ConservationResidual.name();
const VIOLATIONS: &str = Family::AuditViolations.name();
const UNTIL: &str = Family::ReconciledUntil.name();
const ROUND: &str = Family::ReconcileRound.name();
const COMPARED: &str = Family::ProviderComparedUntil.name();

pub(super) fn rules() -> Vec<Rule> {
    [broken(), audit_broken(), missed(), comparison_missed()].map(Rule::from).into()
}

fn broken() -> Alert {
    Alert::new("PunctualConservationBroken", Severity::Critical, Board::Pipeline)
        .when(format!("max by (job, kind) ({RESIDUAL}) > 0"))
        .why(
            "A law: any residual is a reminder that nobody would get, or one too many, or a count \
             that reports tell wrongly, or a practice at which nobody can look. It is found within \
             a round, so well before most of them are due.",
        )
        .says(
            "Reminders are out of order.",
            "Reconciliation finds {{ $value | printf \"%.0f\" }} reminders {{ $labels.kind }}: \
             what appointments and rules promise is not what is planned, or not what the provider \
             lists (somebody may get no reminder, or two); or, where it says unbalanced, counts of \
             so many days and rules are not what their reminders say; or, where it says \
             uncompared, of the reminders of so many practices nobody can say. /admin/residuals \
             names them; punctual reconcile --repair plans again what still makes sense and puts \
             counts right.",
        )
}

fn audit_broken() -> Alert {
    Alert::new("PunctualAuditBroken", Severity::Critical, Board::Pipeline)
        .when(format!("max by (job, law) ({VIOLATIONS}) > 0"))
        .why("A law: what an audit counts has no tolerance.")
        .says(
            "An audit found that a law is broken.",
            "The last audit found {{ $value | printf \"%.0f\" }} violations of the law about \
             {{ $labels.law }}. punctual audit names them; the runbook says what each law is.",
        )
}

fn missed() -> Alert {
    let until = format!("max by (job) ({UNTIL})");
    Alert::new("PunctualReconciliationMissed", Severity::Critical, Board::Pipeline)
        .when(format!("time() - {until} > max by (job) ({ROUND})"))
        .hold("5m")
        .why(
            "A round behind, the first promises have lost a look, as what is older than a round is \
             looked at once. Five minutes more, as a process that has just begun says zero, and as \
             all is caught up in two minutes after a restart.",
        )
        .says(
            "Nobody checks that all reminders are there.",
            "Some reminders had their turn {{ $value | humanizeDuration }} ago, and missed the \
             next: a missing one would not be found before it is due.",
        )
}

fn comparison_missed() -> Alert {
    Alert::new("PunctualComparisonMissed", Severity::Warning, Board::Pipeline)
        .when(format!("time() - max by (job) ({COMPARED} > 0) > 3 * 86400"))
        .hold("1h")
        .why(
            "It is of a day, unless somebody wishes otherwise, so it is made daily; after three \
             days it failed twice. Zero is never: whoever doesn't compare is not told.",
        )
        .says(
            "The provider's list is no longer compared with what is known as sent.",
            "The last comparison reaches to {{ $value | humanizeDuration }} ago. A text that the \
             provider never had, or that left twice, would go unseen.",
        )
}
