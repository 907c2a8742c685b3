//! Disks: those that processes work on, and those of the machines that node_exporter watches.

use contract::Family;

use super::super::case::{Case, Labels};
use super::super::disk::{NODE_FREE, NODE_SIZE};

/// A kind of disk: its alerts, its series and its words.
struct Disk {
    nearly_full: &'static str,
    fills: &'static str,
    series: fn(Case, &str) -> Case,
    labels: Labels,
    subject: &'static str,
}

const WARNING: Labels = &[("severity", "warning")];
const CRITICAL: Labels = &[("severity", "critical")];

const ALL: [Disk; 2] = [
    Disk {
        nearly_full: "PunctualDiskNearlyFull",
        fills: "PunctualDiskFills",
        series: own,
        labels: &[("job", "punctual"), ("instance", "a:9090")],
        subject: "the file system that a:9090 works in",
    },
    Disk {
        nearly_full: "PunctualHostDiskNearlyFull",
        fills: "PunctualHostDiskFills",
        series: hosts,
        labels: &[("instance", "db1:9100"), ("device", "/dev/sdb1")],
        subject: "the disk /dev/sdb1 of db1:9100",
    },
];

/// A file system of a hundred bytes of which so many are free.
fn own(case: Case, free: &str) -> Case {
    let (size, left) = (Family::HostFilesystemSize, Family::HostFilesystemFree);
    case.series(size.name(), "", "100x600").series(left.name(), "", free)
}

/// The same on the database's machine, mounted twice; beside it one in memory that is full.
fn hosts(case: Case, free: &str) -> Case {
    let mounts = [("/dev/sdb1", "ext4", "/var/lib/postgresql"), ("/dev/sdb1", "ext4", "/backup")];
    let memory = ("tmpfs", "tmpfs", "/run");
    let disks = mounts.map(|mount| (mount, free)).into_iter().chain([(memory, "0x600")]);
    disks.fold(case, |case, ((device, kind, mountpoint), free)| {
        let labels = format!(
            "{{job=\"node\",instance=\"db1:9100\",device=\"{device}\",fstype=\"{kind}\",\
             mountpoint=\"{mountpoint}\"}}"
        );
        case.foreign_series(format!("{NODE_SIZE}{labels}"), "100x600")
            .foreign_series(format!("{NODE_FREE}{labels}"), free)
    })
}

/// A sample each 15 seconds.
pub(super) fn now() -> Vec<Case> {
    let of =
        |disk: &Disk| {
            let case = |story, free| (disk.series)(Case::new(disk.nearly_full, story, "20m"), free);
            let says = |share: &str| format!("{share} of {} are free.", disk.subject);
            vec![
                case("seven per cent are free", "7x100").fires(WARNING, disk.labels, says("7%")),
                case("three per cent are free", "3x100")
                    .fires(WARNING, disk.labels, says("3%"))
                    .fires(CRITICAL, disk.labels, says("3%")),
                case("a file that is written and removed again", "40x30 4x10 40x60"),
            ]
        };
    ALL.iter().flat_map(of).collect()
}

/// A sample an hour.
pub(super) fn forecast() -> Vec<Case> {
    let day = "40-1x11 28+1x11";
    let of = |disk: &Disk| {
        let case = |story, at, free| (disk.series)(Case::new(disk.fills, story, at), free);
        let says = |trend: &str, until: &str| {
            format!("At the pace of the last {trend} {} is full within {until}.", disk.subject)
        };
        vec![
            case("two per cent of the disk an hour", "4h", "39-2x20").fires(
                CRITICAL,
                disk.labels,
                says("6 hours", "24 hours"),
            ),
            case("three per cent of the disk a day", "96h", "42-0.125x120").fires(
                WARNING,
                disk.labels,
                says("3 days", "two weeks"),
            ),
            case("a disk that stays as it is", "96h", "42x120"),
            case("it fills and empties by day and night", "96h", &[day; 5].join(" ")),
        ]
    };
    ALL.iter().flat_map(of).collect()
}
