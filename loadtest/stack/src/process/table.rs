//! The system's process table: who lives, who is whose child, what it has used.
//!
//! What belongs here: reading. What never does: signals. `/proc` where there is one; elsewhere
//! `ps`, which knows enough to tell processes apart but not what they used.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nix::unistd::{SysconfVar, sysconf};

/// What a process (or a server with all its processes) has used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Processor time in its own code.
    pub cpu_user: Duration,
    /// Processor time in the kernel on its behalf.
    pub cpu_system: Duration,
    /// Memory in RAM now; memory that processes share is counted once.
    pub resident_bytes: u64,
    /// The most that any one process of it had in RAM at once, as the kernel remembers it.
    pub resident_peak_bytes: u64,
}

/// The fields of `/proc/<pid>/stat` that are of use here.
struct Stat {
    state: char,
    parent: u32,
    user: Duration,
    system: Duration,
    reaped_user: Duration,
    reaped_system: Duration,
    start_ticks: u64,
}

/// What a process used, without its children; `None` when it is gone or there is no `/proc`.
pub(crate) fn usage(pid: u32) -> Option<Usage> {
    let stat = stat(pid)?;
    let memory = Memory::of(pid)?;
    Some(Usage {
        cpu_user: stat.user,
        cpu_system: stat.system,
        resident_bytes: memory.private + memory.shared,
        resident_peak_bytes: memory.peak,
    })
}

/// What a process used with its living children and those that it has already reaped.
pub(crate) fn usage_with_children(pid: u32) -> Option<Usage> {
    let root = stat(pid)?;
    let mut sum = usage(pid)?;
    sum.cpu_user += root.reaped_user;
    sum.cpu_system += root.reaped_system;
    let mut shared = Memory::of(pid)?.shared;
    for child in children(pid) {
        // A child may end between listing and reading: its time then is in the next reading.
        let (Some(stat), Some(memory)) = (self::stat(child), Memory::of(child)) else {
            continue;
        };
        sum.cpu_user += stat.user;
        sum.cpu_system += stat.system;
        sum.resident_bytes += memory.private;
        sum.resident_peak_bytes = sum.resident_peak_bytes.max(memory.peak);
        if memory.shared > shared {
            sum.resident_bytes += memory.shared - shared;
            shared = memory.shared;
        }
    }
    Some(sum)
}

/// Text that tells this process from a later one with the same number.
pub(crate) fn start_mark(pid: u32) -> Option<String> {
    if has_proc() {
        // Ticks since boot repeat after a reboot; the boot's id does not.
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        return stat(pid).map(|stat| format!("{}@{}", stat.start_ticks, boot.trim()));
    }
    let started = ps(&["-o", "lstart=", "-p", &pid.to_string()])?;
    let mark = started.split_whitespace().collect::<Vec<_>>().join("-");
    (!mark.is_empty()).then_some(mark)
}

/// Whether the process exists and isn't merely waiting to be reaped.
pub(crate) fn is_running(pid: u32) -> bool {
    if has_proc() {
        return stat(pid).is_some_and(|stat| stat.state != 'Z' && stat.state != 'X');
    }
    ps(&["-o", "state=", "-p", &pid.to_string()])
        .is_some_and(|state| !state.trim().is_empty() && !state.trim().starts_with('Z'))
}

/// The children of a process.
pub(crate) fn children(parent: u32) -> Vec<u32> {
    if !has_proc() {
        let listing = ps(&["-A", "-o", "pid=,ppid="]).unwrap_or_default();
        return listing
            .lines()
            .filter_map(|line| {
                let mut words = line.split_whitespace().map(str::parse::<u32>);
                Some((words.next()?.ok()?, words.next()?.ok()?))
            })
            .filter(|(_, ppid)| *ppid == parent)
            .map(|(pid, _)| pid)
            .collect();
    }
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| stat(*pid).is_some_and(|stat| stat.parent == parent))
        .collect()
}

fn has_proc() -> bool {
    Path::new("/proc/self/stat").exists()
}

fn ps(arguments: &[&str]) -> Option<String> {
    let output = Command::new("ps").args(arguments).output().ok()?;
    String::from_utf8(output.stdout).ok()
}

fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    parse_stat(&text, ticks_per_second())
}

fn ticks_per_second() -> u64 {
    match sysconf(SysconfVar::CLK_TCK) {
        Ok(Some(ticks)) => u64::try_from(ticks).unwrap_or(100),
        // Linux has shown 100 to programs on every machine for decades.
        Ok(None) | Err(_) => 100,
    }
}

/// The second field is the program's name in parentheses and may hold blanks and parentheses
/// itself, so the counting starts behind the last one. Numbers of fields as in proc(5).
fn parse_stat(text: &str, ticks_per_second: u64) -> Option<Stat> {
    let rest = &text[text.rfind(')')? + 1..];
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3).copied();
    let ticks = |number: usize| field(number)?.parse::<u64>().ok();
    let time = |number: usize| {
        ticks(number).map(|n| Duration::from_millis(n * 1000 / ticks_per_second.max(1)))
    };
    Some(Stat {
        state: field(3)?.chars().next()?,
        parent: field(4)?.parse().ok()?,
        user: time(14)?,
        system: time(15)?,
        reaped_user: time(16)?,
        reaped_system: time(17)?,
        start_ticks: ticks(22)?,
    })
}

/// Resident memory from `/proc/<pid>/status`, in bytes.
struct Memory {
    /// Anonymous pages and pages of files: its own, or the program's text.
    private: u64,
    /// Shared memory, such as PostgreSQL's buffers.
    shared: u64,
    peak: u64,
}

impl Memory {
    fn of(pid: u32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?)
    }

    fn parse(status: &str) -> Option<Self> {
        let bytes = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name))?;
            let kibibytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
            Some(kibibytes * 1024)
        };
        Some(Self {
            private: bytes("RssAnon:")? + bytes("RssFile:")?,
            shared: bytes("RssShmem:")?,
            peak: bytes("VmHWM:")?,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_name_with_blanks_and_parentheses_does_not_shift_the_fields() {
        let text = "42 (a (b) c) S 7 42 42 0 -1 4194304 1 2 3 4 150 25 300 75 20 0 1 0 9876 0 0";
        let stat = parse_stat(text, 100).unwrap();
        assert_eq!((stat.state, stat.parent), ('S', 7));
        assert_eq!(stat.user, Duration::from_millis(1500));
        assert_eq!(stat.system, Duration::from_millis(250));
        assert_eq!(stat.reaped_user, Duration::from_secs(3));
        assert_eq!(stat.reaped_system, Duration::from_millis(750));
        assert_eq!(stat.start_ticks, 9876);
    }

    #[test]
    fn a_cut_line_is_no_process() {
        assert!(parse_stat("42 (cut) S 7 42", 100).is_none());
        assert!(parse_stat("", 100).is_none());
    }

    #[test]
    fn memory_is_read_in_bytes() {
        let status =
            "Name:\tx\nVmHWM:\t 300 kB\nRssAnon:\t 10 kB\nRssFile:\t 5 kB\nRssShmem:\t 7 kB\n";
        let memory = Memory::parse(status).unwrap();
        assert_eq!((memory.private, memory.shared, memory.peak), (15 * 1024, 7 * 1024, 300 * 1024));
    }

    #[test]
    fn this_process_runs_and_has_a_mark_and_an_impossible_one_has_not() {
        let me = std::process::id();
        assert!(is_running(me));
        assert_eq!(start_mark(me), start_mark(me));
        assert!(start_mark(me).is_some());
        assert!(!is_running(u32::MAX / 2));
        assert!(start_mark(u32::MAX / 2).is_none());
    }
}
