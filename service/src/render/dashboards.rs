//! `dashboards/`: Grafana's dashboards and the files that provision them. A row of a table that is
//! new is on them by itself; a family whose name ends in another unit is shown in that one.
//!
//! A dashboard is a list of rows of panels; a panel shows expressions; an expression is made from
//! families, and its unit follows from how it was made. Belongs here: which dashboards there are,
//! and what links them. Never here: how Grafana wants anything written (`board`, `panel`), or a
//! metric's name (the table's).

mod board;
mod capacity;
mod database;
mod endpoint;
mod expr;
mod machine;
mod objective;
mod overview;
mod panel;
mod pipeline;
mod provisioning;

use super::File;
use board::Board;
#[cfg(test)]
pub(super) use provisioning::SCRAPE_SECONDS;

/// The dashboards by the uid under which links, alerts and bookmarks know them: those never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Uid {
    Overview,
    Endpoint,
    Database,
    Pipeline,
    Capacity,
}

impl Uid {
    const ALL: [Self; 5] =
        [Self::Overview, Self::Endpoint, Self::Database, Self::Pipeline, Self::Capacity];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Overview => "punctual-overview",
            Self::Endpoint => "punctual-endpoint",
            Self::Database => "punctual-database",
            Self::Pipeline => "punctual-pipeline",
            Self::Capacity => "punctual-capacity",
        }
    }

    /// As people are shown it in lists and links.
    const fn title(self) -> &'static str {
        match self {
            Self::Overview => "Punctual / 1 Overview",
            Self::Endpoint => "Punctual / 2 Endpoint",
            Self::Database => "Punctual / 3 Database",
            Self::Pipeline => "Punctual / 4 Pipeline",
            Self::Capacity => "Punctual / 5 Capacity and load tests",
        }
    }

    fn board(self) -> Board {
        match self {
            Self::Overview => overview::board(),
            Self::Endpoint => endpoint::board(),
            Self::Database => database::board(),
            Self::Pipeline => pipeline::board(),
            Self::Capacity => capacity::board(),
        }
    }

    /// Where it is, with whatever is to be kept from the page that leads there.
    fn path(self) -> String {
        format!("/d/{}", self.name())
    }
}

pub(super) fn files() -> Vec<File> {
    let boards = Uid::ALL.into_iter().map(|uid| File {
        path: format!("dashboards/{}.json", uid.name()),
        text: uid.board().text(),
    });
    boards.chain(provisioning::files()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::{Endpoint, Journey, Tier};

    #[test]
    fn every_critical_path_has_a_row_of_its_own() {
        let board = Uid::Overview.board();
        let rows: Vec<&str> = board.rows().collect();
        let journeys = Journey::ALL.iter().map(|row| row.name());
        let endpoints = Endpoint::ALL.iter().filter(|row| row.spec().tier == Tier::Critical);
        for name in journeys.chain(endpoints.map(|row| row.name())) {
            assert!(rows.contains(&name), "{name}");
        }
    }

    #[test]
    fn what_is_wrong_comes_first() {
        for uid in Uid::ALL {
            assert_eq!(uid.board().rows().next(), Some(board::WRONG), "{}", uid.name());
        }
    }
}
