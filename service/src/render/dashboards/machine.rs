//! Expressions over what node_exporter tells of the machines that the service depends on. They are
//! there whatever processes were chosen: a machine is no process of one application.
//!
//! Never here: what a process tells of the machine that it is on (`expr`), or when a disk is too
//! full (`alerts/disk`).

use super::expr::{Expr, RATE_WINDOW, Unit};
use crate::render::alerts::{NODE_FREE, NODE_SIZE, node_disks, node_machines};

/// The share of a machine's processor time that wasn't idle.
pub(super) fn processors() -> Expr {
    let idle = node_machines("node_cpu_seconds_total", &["mode=\"idle\""]);
    share(format!("1 - avg by (instance) (rate({idle}[{RATE_WINDOW}]))"))
}

/// The share of a machine's memory that is in use.
pub(super) fn memory() -> Expr {
    let [left, all] = ["node_memory_MemAvailable_bytes", "node_memory_MemTotal_bytes"]
        .map(|name| format!("max by (instance) ({})", node_machines(name, &[])));
    share(format!("1 - {left} / {all}"))
}

/// The share of each disk that is in use; one that is mounted twice is one disk.
pub(super) fn disk_use() -> Expr {
    let [left, all] = [NODE_FREE, NODE_SIZE].map(|name| each_disk(&node_disks(name)));
    share(format!("1 - {left} / {all}"))
}

/// The same, so many seconds ahead, if it goes on as within a window; never more than all.
pub(super) fn disk_use_forecast(window: &str, ahead: u32) -> Expr {
    let [left, all] = [NODE_FREE, NODE_SIZE].map(node_disks);
    let left = each_disk(&format!("predict_linear({left}[{window}], {ahead})"));
    share(format!("clamp(1 - {left} / {}, 0, 1)", each_disk(&all)))
}

/// The share of time in which each disk was at work.
pub(super) fn disks_at_work() -> Expr {
    let time = node_machines("node_disk_io_time_seconds_total", &[]);
    share(format!("max by (instance, device) (rate({time}[{RATE_WINDOW}]))"))
}

/// How many machines are to tell of their disks, or did within a day, and don't; none where no
/// machine is known.
pub(super) fn unwatched() -> Expr {
    let disks = node_disks(NODE_SIZE);
    let known = format!("{} or last_over_time({disks}[1d])", node_machines("up", &[]));
    let none = format!("0 * max by (instance) ({known})");
    let promql = format!("sum(({none} + 1 unless on (instance) {disks}) or {none})");
    Expr { promql, unit: Unit::Count }
}

fn each_disk(of: &str) -> String {
    format!("min by (instance, device) ({of})")
}

fn share(promql: String) -> Expr {
    Expr { promql, unit: Unit::Ratio }
}
