//! `alerts/`: rules, routing and their tests.

use super::File;

pub(super) fn files() -> Vec<File> {
    Vec::new()
}
