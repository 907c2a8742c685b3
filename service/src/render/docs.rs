//! `docs/`: the tables as pages for people: settings, endpoints, metrics, statements.

mod config;
mod endpoints;
mod metrics;
mod queries;

use super::File;

pub(super) fn files() -> Vec<File> {
    vec![
        File { path: "docs/config.md".into(), text: config::page() },
        File { path: "docs/endpoints.md".into(), text: endpoints::page() },
        File { path: "docs/metrics.md".into(), text: metrics::page() },
        File { path: "docs/queries.md".into(), text: queries::page() },
    ]
}

/// A row of a table in Markdown.
fn row<const N: usize>(cells: [&str; N]) -> String {
    format!("| {} |\n", cells.map(|cell| cell.replace('|', "\\|")).join(" | "))
}

/// The line under a table's head.
fn rule<const N: usize>() -> String {
    format!("|{}\n", "---|".repeat(N))
}
