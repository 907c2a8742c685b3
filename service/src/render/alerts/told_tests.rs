//! How soon somebody is told, as `docs/alerts.md` states it: the sum of what each part of the way
//! may take.
//!
//! Never here: that it is so (`tests/integration/alerts/incident.rs`).

use super::burn::WINDOWS;
use super::model::{Alert, Rule, seconds};
use super::routing::PAGE_WAIT;
use super::rules;
use crate::render::dashboards::SCRAPE_SECONDS;

/// The alerts of a name, each with how often it is evaluated.
fn evaluated(name: &str) -> Vec<(&'static str, Alert)> {
    let files = rules().unwrap();
    let groups = files.iter().flat_map(|file| &file.groups);
    let all = groups.flat_map(|group| {
        group.rules.iter().filter_map(|rule| match rule {
            Rule::Alert(alert) if alert.name == name => Some((group.interval, alert.clone())),
            Rule::Alert(_) | Rule::Record(_) => None,
        })
    });
    all.collect()
}

#[test]
fn an_exhausted_pool_is_told_as_soon_as_the_document_says() {
    let pools = evaluated("PunctualPoolExhausted");
    let (interval, alert) = &pools[0];
    assert!(pools.iter().all(|(i, other)| (i, other.hold) == (interval, alert.hold)), "{pools:#?}");
    let (scrape, each) = (u64::from(SCRAPE_SECONDS), seconds(interval));
    let (hold, wait) = (seconds(alert.hold), seconds(PAGE_WAIT));
    let stated = format!(
        "within {} seconds of the first caller who waits: {scrape} to the scrape, {each} to the \
         evaluation, {hold} of hold, which are {} evaluations, and {wait} in which Alertmanager \
         waits for company.",
        scrape + each + hold + wait,
        hold / each,
    );
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/alerts.md");
    let text = std::fs::read_to_string(path).unwrap();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains(&stated), "docs/alerts.md does not say: {stated}");
}

/// Else budgets would page for what is over, as soon as the pool mutes them no more.
#[test]
fn an_exhausted_pool_is_kept_for_as_long_as_budgets_that_page_look_back_on_it() {
    let files = rules().unwrap();
    let groups = files.iter().flat_map(|file| &file.groups);
    let burn = groups.filter(|group| group.name.starts_with("punctual_burn"));
    let round = burn.map(|group| seconds(group.interval)).max().unwrap();
    let paging = WINDOWS.iter().filter(|window| window.is_fast);
    let looks_back = paging.map(|window| seconds(window.short)).max().unwrap();
    for (_, alert) in evaluated("PunctualPoolExhausted") {
        let kept = seconds(alert.keep.unwrap());
        assert!(kept > looks_back + 2 * round, "{kept} s");
        assert!(alert.description.contains(&format!("free for {} minutes", kept / 60)));
    }
}
