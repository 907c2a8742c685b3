//! A report as JUnit XML, which CI systems show as tests: a suite for each group of checks, a case
//! for each check. What can't be told is an error, what was not judged is skipped.
//!
//! Never here: a check that isn't in the sheet.

use quick_junit::{NonSuccessKind, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};

use super::sheet::{Check, Outcome, Sheet};

/// The whole document.
///
/// # Errors
/// When the library refuses, which it has no reason to.
pub fn render(sheet: &Sheet) -> Result<String, SerializeError> {
    let mut report = Report::new(sheet.title.as_str());
    let verdict = Check {
        group: "verdict".to_owned(),
        name: sheet.title.clone(),
        outcome: sheet.outcome,
        detail: format!("{}: {}", sheet.verdict, sheet.reasons.join("; ")),
        examples: Vec::new(),
    };
    let mut suites: Vec<TestSuite> = Vec::new();
    for check in std::iter::once(&verdict).chain(&sheet.checks) {
        let suite = match suites.iter_mut().find(|suite| suite.name.as_str() == check.group) {
            Some(suite) => suite,
            None => {
                suites.push(TestSuite::new(check.group.as_str()));
                suites.last_mut().expect("it was pushed just now")
            }
        };
        suite.add_test_case(case(check));
    }
    report.add_test_suites(suites);
    report.to_string()
}

fn case(check: &Check) -> TestCase {
    let Check { group, name, outcome, detail, examples } = check;
    let mut status = match outcome {
        Outcome::Passed => TestCaseStatus::success(),
        Outcome::Failed => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Outcome::Invalid => TestCaseStatus::non_success(NonSuccessKind::Error),
        Outcome::Skipped => TestCaseStatus::skipped(),
    };
    status.set_message(detail.as_str());
    if !examples.is_empty() {
        status.set_description(examples.join("\n"));
    }
    let mut case = TestCase::new(name.as_str(), status);
    case.set_classname(group.as_str());
    if *outcome == Outcome::Passed {
        case.set_system_out(detail.as_str());
    }
    case
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use expect_test::expect_file;

    use super::super::sheet;
    use super::*;

    #[test]
    fn a_sheet_is_suites_and_cases() {
        let xml = render(&sheet::sample()).unwrap();
        expect_file!["../../testdata/sheet.junit.xml"].assert_eq(&xml);
    }
}
