//! The process and its machine: build, memory as the kernel and as jemalloc see it, processor
//! time, open files, the file system it works in.
//!
//! A machine's other figures are node_exporter's; these few let one read the process's without it.

use std::cell::Cell;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use contract::Family;
use jiff::Timestamp;
use metrics::{Counter, Gauge};
use tikv_jemalloc_ctl::thread::{ThreadLocal, allocatedp};

use super::family;
use super::readable::Level;
use super::registered::{IS_MEASURED, Registered};

/// The build script says it; what it goes by is tested here.
#[cfg(test)]
#[path = "../../build/revision.rs"]
mod revision;

/// Which build runs.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Of which sources it is: `unknown` where nobody knew, with a plus where they may be of later, as
/// in any build that is no release.
pub(crate) const REVISION: &str = env!("BUILD_REVISION");
/// Both: a build that knows no revision has its version still.
pub(crate) const BUILD: &str = concat!(env!("CARGO_PKG_VERSION"), " ", env!("BUILD_REVISION"));
/// How it was compiled.
pub(crate) const PROFILE: &str = if cfg!(debug_assertions) { "dev" } else { "release" };

struct Handles {
    resident: Gauge,
    allocated: Gauge,
    requested: Counter,
    held: Gauge,
    open_files: Gauge,
    max_files: Gauge,
    deployed: Level,
    disk_size: Gauge,
    disk_free: Gauge,
}

static HANDLES: Registered<Handles> = Registered::new();

/// Bytes that all threads together asked for, as far as they have said.
static REQUESTED: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// jemalloc's count of what this thread asked for, and how much of it has been said.
    static ASKED_FOR: (Option<ThreadLocal<u64>>, Cell<u64>) =
        (allocatedp::read().ok(), Cell::new(0));
}

/// Adds up what this thread has asked for since it last did. Called by each of the runtime's
/// threads when it has nothing to do: what a request takes is in it as soon as nobody works.
pub(crate) fn note_requested() {
    if !IS_MEASURED {
        return;
    }
    // A thread that is ending has nothing to say any more.
    let _ending = ASKED_FOR.try_with(|(count, said)| {
        if let Some(count) = count {
            let bytes = count.get();
            REQUESTED.fetch_add(bytes - said.replace(bytes), Ordering::Relaxed);
        }
    });
}

pub(super) fn register() {
    let build = [("version", VERSION), ("revision", REVISION), ("profile", PROFILE)];
    family::gauge(Family::BuildInfo, build).set(1.0);
    let gauge = |family| family::gauge(family, family::NONE);
    gauge(Family::ProcessStartTime).set(since_epoch(SystemTime::now()));
    HANDLES.register(|| Handles {
        resident: gauge(Family::ProcessResidentMemory),
        allocated: gauge(Family::JemallocAllocated),
        requested: family::counter(Family::JemallocRequested, family::NONE),
        held: gauge(Family::JemallocResident),
        open_files: gauge(Family::ProcessOpenFds),
        max_files: gauge(Family::ProcessMaxFds),
        deployed: Level::register(Family::DeployTimestamp, family::NONE),
        disk_size: gauge(Family::HostFilesystemSize),
        disk_free: gauge(Family::HostFilesystemFree),
    });
    observe();
}

pub(super) fn since_epoch(at: SystemTime) -> f64 {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// States when this build was put in place, as the database knows it.
pub(crate) fn deployed(at: Timestamp) {
    if let Some(handles) = HANDLES.get() {
        handles.deployed.set(at.as_microsecond() as f64 / 1e6);
    }
}

/// The same in seconds since the epoch. Nothing before the database has told.
pub(crate) fn deployed_at() -> Option<f64> {
    HANDLES.get().map(|handles| handles.deployed.get()).filter(|at| *at > 0.0)
}

/// Reads the process's figures anew.
pub(super) fn observe() {
    let Some(handles) = HANDLES.get() else { return };
    if let Some(bytes) = resident_bytes() {
        handles.resident.set(bytes as f64);
    }
    note_requested();
    handles.requested.absolute(REQUESTED.load(Ordering::Relaxed));
    // jemalloc's figures are as of its last epoch.
    if tikv_jemalloc_ctl::epoch::advance().is_ok() {
        handles.allocated.set(tikv_jemalloc_ctl::stats::allocated::read().unwrap_or(0) as f64);
        handles.held.set(tikv_jemalloc_ctl::stats::resident::read().unwrap_or(0) as f64);
    }
    if let Ok(entries) = std::fs::read_dir("/proc/self/fd") {
        handles.open_files.set(entries.count() as f64);
    }
    if let Ok((soft, _hard)) =
        nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE)
    {
        handles.max_files.set(soft as f64);
    }
    if let Ok(disk) = nix::sys::statvfs::statvfs(".") {
        let block = disk.fragment_size() as f64;
        handles.disk_size.set(disk.blocks() as f64 * block);
        handles.disk_free.set(disk.blocks_available() as f64 * block);
    }
}

/// What the facade can't carry, as its counters are whole numbers: seconds of processors.
pub(super) fn more() -> String {
    let mut out = String::new();
    if let Some(seconds) = cpu_seconds() {
        let name = begin(&mut out, Family::ProcessCpu);
        _ = writeln!(out, "{name} {seconds}");
    }
    let modes = host_cpu_seconds();
    if !modes.is_empty() {
        let name = begin(&mut out, Family::HostCpu);
        for (mode, seconds) in modes {
            _ = writeln!(out, "{name}{{mode=\"{mode}\"}} {seconds}");
        }
    }
    out
}

fn begin(out: &mut String, family: Family) -> &'static str {
    let (name, help) = (family.name(), family.help());
    _ = write!(out, "# HELP {name} {help}\n# TYPE {name} counter\n");
    name
}

/// From the kernel's second field of `statm`, in pages; there is none but on Linux.
pub(crate) fn resident_bytes() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    let page = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok()??;
    Some(pages * u64::try_from(page).ok()?)
}

/// Processor time that the process used, user and system.
pub(crate) fn cpu_seconds() -> Option<f64> {
    use nix::sys::resource::{UsageWho, getrusage};
    let usage = getrusage(UsageWho::RUSAGE_SELF).ok()?;
    let seconds =
        |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    Some(seconds(usage.user_time()) + seconds(usage.system_time()))
}

/// In the order of the first line of the kernel's `stat`; nothing but on Linux.
const MODES: [&str; 8] = ["user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"];

fn host_cpu_seconds() -> Vec<(&'static str, f64)> {
    let Ok(stat) = std::fs::read_to_string("/proc/stat") else { return Vec::new() };
    let hertz = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK).ok().flatten();
    parse_cpu(&stat, hertz.unwrap_or(100) as f64)
}

fn parse_cpu(stat: &str, hertz: f64) -> Vec<(&'static str, f64)> {
    let first = stat.lines().next().and_then(|line| line.strip_prefix("cpu "));
    let ticks = first.unwrap_or_default().split_whitespace().map_while(|n| n.parse::<u64>().ok());
    MODES.into_iter().zip(ticks).map(|(mode, ticks)| (mode, ticks as f64 / hertz)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_thread_asked_for_is_said_once() {
        let said = || REQUESTED.load(Ordering::Relaxed);
        note_requested();
        let before = said();
        drop(std::hint::black_box(vec![0_u8; 1 << 20]));
        note_requested();
        let after = said();
        // Other tests' threads have nothing to do now and then, too.
        assert!(after - before >= 1 << 20, "{before} {after}");
    }

    #[test]
    fn ticks_are_told_by_mode() {
        let stat = "cpu  100 0 50 1000 7 0 3 20 0 0\ncpu0 1 2 3 4\n";
        let modes = parse_cpu(stat, 100.0);
        assert_eq!(modes.len(), 8);
        assert_eq!(modes[0], ("user", 1.0));
        assert_eq!(modes[7], ("steal", 0.2));
        assert_eq!(parse_cpu("garbage", 100.0), []);
    }
}
