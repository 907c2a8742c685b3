//! Alerts: that the files are what Prometheus and Alertmanager take, that each rule is about series
//! that exist, and that incidents made on purpose are told, each as one notification.
//!
//! Never here: when a single alert fires; those are the cases in `alerts/tests`, which are run
//! here.

mod creep;
mod files;
mod incident;
mod inhibition;
pub(crate) mod quick;
mod undelivered;

use std::path::PathBuf;

use contract::Family;
use contract::family::Kind;

/// Series of node_exporter that rules and panels are made of, with the labels that they have.
pub(crate) const OF_NODE_EXPORTER: [(&str, &[&str]); 6] = [
    ("node_cpu_seconds_total", &["cpu", "mode"]),
    ("node_disk_io_time_seconds_total", &["device"]),
    ("node_filesystem_avail_bytes", &["device", "fstype", "mountpoint"]),
    ("node_filesystem_size_bytes", &["device", "fstype", "mountpoint"]),
    ("node_memory_MemAvailable_bytes", &[]),
    ("node_memory_MemTotal_bytes", &[]),
];

/// A path from the top of the repository.
fn repository(path: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).join(path)
}

/// Files of a folder whose names end so, in order.
pub(crate) fn files(folder: &str, end: &str) -> Vec<String> {
    let entries = std::fs::read_dir(repository(folder)).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path().to_str().unwrap().to_owned());
    let mut found: Vec<String> = paths.filter(|path| path.ends_with(end)).collect();
    found.sort();
    assert!(!found.is_empty(), "{folder}/*{end}");
    found
}

/// The family that has a series of this name: histograms have three kinds.
pub(crate) fn family(name: &str) -> Option<Family> {
    Family::from_name(name).filter(|row| row.spec().kind != Kind::Histogram).or_else(|| {
        let parts = ["_bucket", "_sum", "_count"];
        let stem = parts.iter().find_map(|part| name.strip_suffix(part))?;
        Family::from_name(stem).filter(|row| row.spec().kind == Kind::Histogram)
    })
}
