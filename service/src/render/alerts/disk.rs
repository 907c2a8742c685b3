//! The disks: the file system that a process works in, as the process sees it, and those of every
//! machine that node_exporter is scraped on: PostgreSQL's is not the service's. Part of
//! `alerts/saturation.rules.yaml`.
//!
//! Never here: how large the database is allowed to be; that is the disk's business alone.

use contract::Family;

use super::model::{Alert, Board, JOB, NODE_JOB, Severity, lines};

/// As node_exporter calls them.
pub(in crate::render) const NODE_FREE: &str = "node_filesystem_avail_bytes";
pub(in crate::render) const NODE_SIZE: &str = "node_filesystem_size_bytes";

/// What lives in memory, is only read, or is for booting: full from the start, or nobody's loss.
const NOT_DISKS: &str = "tmpfs|ramfs|squashfs|iso9660|vfat";

/// Where the figures of a disk come from.
#[derive(Debug, Clone, Copy)]
enum Seen {
    /// From the process that works on it.
    ByTheService,
    /// From node_exporter.
    ByNodeExporter,
}

impl Seen {
    const ALL: [Self; 2] = [Self::ByTheService, Self::ByNodeExporter];

    const fn nearly_full(self) -> &'static str {
        match self {
            Self::ByTheService => "PunctualDiskNearlyFull",
            Self::ByNodeExporter => "PunctualHostDiskNearlyFull",
        }
    }

    const fn fills(self) -> &'static str {
        match self {
            Self::ByTheService => "PunctualDiskFills",
            Self::ByNodeExporter => "PunctualHostDiskFills",
        }
    }

    const fn subject(self) -> &'static str {
        match self {
            Self::ByTheService => "the file system that {{ $labels.instance }} works in",
            Self::ByNodeExporter => "the disk {{ $labels.device }} of {{ $labels.instance }}",
        }
    }

    /// One value a disk, of a function of its free bytes; one that is mounted twice is one disk.
    fn each(self, of: impl Fn(&str) -> String) -> String {
        match self {
            Self::ByTheService => of(Family::HostFilesystemFree.name()),
            Self::ByNodeExporter => {
                format!("min by (instance, device) ({})", of(&node_disks(NODE_FREE)))
            }
        }
    }

    /// Which share of it is free.
    fn free(self) -> String {
        let free = self.each(str::to_owned);
        let size = match self {
            Self::ByTheService => Family::HostFilesystemSize.name().to_owned(),
            Self::ByNodeExporter => {
                format!("min by (instance, device) ({})", node_disks(NODE_SIZE))
            }
        };
        format!("{free} / ({size} > 0)")
    }

    fn alert(self, name: &'static str, severity: Severity) -> Alert {
        let alert = Alert::new(name, severity, Board::Capacity);
        match self {
            Self::ByTheService => alert,
            // A full disk under the database is an incident of the service.
            Self::ByNodeExporter => alert.label("job", JOB),
        }
    }
}

/// A series of the disks of all machines that node_exporter is scraped on.
pub(in crate::render) fn node_disks(name: &str) -> String {
    node_machines(name, &[&format!("fstype!~\"{NOT_DISKS}\"")])
}

/// A series of all machines that node_exporter is scraped on.
pub(in crate::render) fn node_machines(name: &str, matchers: &[&str]) -> String {
    let job = format!("job=\"{NODE_JOB}\"");
    format!("{name}{{{}}}", [&[&*job][..], matchers].concat().join(","))
}

pub(super) fn nearly_full() -> Vec<Alert> {
    let alert = |seen: Seen, severity, least: f64, hold, why: &str| {
        let subject = seen.subject();
        seen.alert(seen.nearly_full(), severity)
            .when(format!("{} < {least}", seen.free()))
            .hold(hold)
            .why(why)
            .says(
                "The disk is nearly full.",
                format!("{{{{ $value | humanizePercentage }}}} of {subject} are free."),
            )
    };
    let tenth =
        "A tenth: file systems and databases slow down and lose room for sorting from here.";
    let twentieth =
        "A twentieth: what ext4 keeps back for root by default, so the next step is none.";
    let both = |seen| {
        [
            alert(seen, Severity::Warning, 0.1, "15m", tenth),
            alert(seen, Severity::Critical, 0.05, "5m", twentieth),
        ]
    };
    Seen::ALL.into_iter().flat_map(both).collect()
}

pub(super) fn fills() -> Vec<Alert> {
    Seen::ALL.into_iter().flat_map(|seen| [fills_soon(seen), fills_later(seen)]).collect()
}

fn fills_soon(seen: Seen) -> Alert {
    let expr = lines([
        format!("{} < 0", seen.each(|free| format!("predict_linear({free}[6h], 24 * 3600)"))),
        format!("and {} < 0.4", seen.free()),
    ]);
    will_be_full(seen, Severity::Critical, "24 hours", "6 hours").when(expr).hold("1h").why(
        "A day leaves a night's sleep; six hours are a shift's trend, held an hour, for a \
             batch writes a lot and ends. With 40 % free there is time for the ticket.",
    )
}

fn fills_later(seen: Seen) -> Alert {
    let expr = lines([
        format!("{} < 0", seen.each(|free| format!("predict_linear({free}[3d], 14 * 86400)"))),
        format!("and {} < 0.5", seen.free()),
    ]);
    will_be_full(seen, Severity::Warning, "two weeks", "3 days")
        .when(expr)
        .hold("6h")
        .why("Two weeks are a disk ordered and put in; three days even out the day and night.")
}

fn will_be_full(seen: Seen, severity: Severity, until: &str, trend: &str) -> Alert {
    let subject = seen.subject();
    seen.alert(seen.fills(), severity).says(
        "The disk will be full.",
        format!("At the pace of the last {trend} {subject} is full within {until}."),
    )
}
