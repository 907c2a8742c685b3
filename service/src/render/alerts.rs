//! `alerts/`: rules for Prometheus, routing for Alertmanager, and the cases that prove each alert
//! with `promtool`, all from the contract's tables. A row that is added has its alerts at once.
//!
//! Belongs here: which files there are, and which rules stand in which file. Never here: a rule
//! (`burn`, `creep`, `saturation`, `disk`, `work`, `losses`, `database`, `presence`), what explains
//! what (`roles`), or how files are written (`yaml`).

mod burn;
mod case;
mod cases;
mod creep;
mod database;
mod disk;
mod losses;
mod model;
mod objective;
mod presence;
mod reconciliation;
mod roles;
mod routing;
mod saturation;
mod work;
mod yaml;

#[cfg(test)]
mod coverage_tests;
#[cfg(test)]
mod roles_tests;
#[cfg(test)]
mod told_tests;

use super::File;
pub(super) use disk::{NODE_FREE, NODE_SIZE, node_disks, node_machines};
use model::RuleFile;
pub(super) use model::{DOCS_URL, GRAFANA_URL, NODE_JOB};
pub(crate) use objective::Refused;
pub(super) use yaml::WRITTEN;

/// The files.
///
/// # Errors
/// An objective under which an alert that has to be there could never fire.
pub(super) fn files() -> Result<Vec<File>, Refused> {
    let rules = rules()?;
    let mut files: Vec<File> = rules.iter().map(yaml::rules).collect();
    files.push(File { path: "alerts/alertmanager.yaml".into(), text: routing::config(&rules) });
    files.extend(cases::all()?.iter().map(|cases| yaml::cases(cases, &rules)));
    Ok(files)
}

fn rules() -> Result<Vec<RuleFile>, Refused> {
    Ok(vec![
        burn::rules(&objective::all())?,
        creep::rules(),
        saturation::rules(),
        work::rules(),
        database::rules(),
        presence::rules(),
    ])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn alert_names() -> BTreeSet<&'static str> {
        rules().unwrap().iter().flat_map(RuleFile::alerts).map(|alert| alert.name).collect()
    }

    #[test]
    fn every_alert_has_its_section_in_the_runbook_and_every_section_its_alert() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/runbook.md");
        let runbook = std::fs::read_to_string(path).unwrap();
        let sections: BTreeSet<&str> =
            runbook.lines().filter_map(|line| line.strip_prefix("### ")).collect();
        assert_eq!(alert_names(), sections);
    }

    #[test]
    fn names_and_texts_are_as_people_read_them() {
        for alert in rules().unwrap().iter().flat_map(RuleFile::alerts) {
            let name = alert.name;
            assert!(name.starts_with("Punctual"), "{name}");
            assert!(name.chars().all(|c| c.is_ascii_alphanumeric()), "{name}");
            assert!(!alert.why.is_empty(), "{name}: no derivation");
            for text in [&alert.summary, &alert.description] {
                assert!(text.ends_with('.') && !text.contains("  "), "{name}: {text}");
            }
            // A summary is one sentence for every firing, so that notifications can be grouped.
            assert!(!alert.summary.contains("$value"), "{name}: {}", alert.summary);
        }
    }
}
