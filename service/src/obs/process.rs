//! The process itself: its build, its memory as the kernel and as jemalloc see it, its processor
//! time, its start.

use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use metrics::Gauge;

struct Handles {
    resident: Gauge,
    allocated: Gauge,
    held: Gauge,
    open_files: Gauge,
}

static HANDLES: OnceLock<Handles> = OnceLock::new();

pub(super) fn register() {
    let gauge = |name: &'static str, help: &'static str| {
        metrics::describe_gauge!(name, help);
        metrics::gauge!(name)
    };
    metrics::describe_gauge!("build_info", "Always 1; the labels say which build runs.");
    metrics::gauge!(
        "build_info",
        "version" => env!("CARGO_PKG_VERSION"),
        "profile" => if cfg!(debug_assertions) { "dev" } else { "release" },
    )
    .set(1.0);
    let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    gauge("process_start_time_seconds", "Start of the process since the epoch.")
        .set(started.as_secs_f64());
    HANDLES.get_or_init(|| Handles {
        resident: gauge("process_resident_memory_bytes", "Memory that the kernel counts."),
        allocated: gauge("jemalloc_allocated_bytes", "Memory that the program asked for."),
        held: gauge("jemalloc_resident_bytes", "Memory that jemalloc holds in physical pages."),
        open_files: gauge("process_open_fds", "Open file descriptors."),
    });
    observe();
}

/// Reads the process's figures anew.
pub(super) fn observe() {
    let Some(handles) = HANDLES.get() else { return };
    if let Some(bytes) = resident_bytes() {
        handles.resident.set(bytes as f64);
    }
    // jemalloc's figures are as of its last epoch.
    if tikv_jemalloc_ctl::epoch::advance().is_ok() {
        handles.allocated.set(tikv_jemalloc_ctl::stats::allocated::read().unwrap_or(0) as f64);
        handles.held.set(tikv_jemalloc_ctl::stats::resident::read().unwrap_or(0) as f64);
    }
    if let Ok(entries) = std::fs::read_dir("/proc/self/fd") {
        handles.open_files.set(entries.count() as f64);
    }
}

/// What the facade can't carry: its counters are whole numbers.
pub(super) fn more() -> String {
    let name = "process_cpu_seconds_total";
    cpu_seconds().map_or_else(String::new, |seconds| {
        format!(
            "# HELP {name} Processor time, user and system.\n# TYPE {name} counter\n\
             {name} {seconds}\n"
        )
    })
}

/// From the kernel's second field of `statm`, in pages; there is none but on Linux.
fn resident_bytes() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    let page = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok()??;
    Some(pages * u64::try_from(page).ok()?)
}

pub(crate) fn cpu_seconds() -> Option<f64> {
    use nix::sys::resource::{UsageWho, getrusage};
    let usage = getrusage(UsageWho::RUSAGE_SELF).ok()?;
    let seconds =
        |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    Some(seconds(usage.user_time()) + seconds(usage.system_time()))
}
