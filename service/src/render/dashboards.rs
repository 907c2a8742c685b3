//! `dashboards/`: Grafana's dashboards.

use super::File;

pub(super) fn files() -> Vec<File> {
    Vec::new()
}
