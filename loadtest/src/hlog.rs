//! HdrHistogram's interval logs, read again: our own and those of other tools.
//!
//! Histograms are unpacked one at a time, as each takes 172 kB and an hour has thousands. Belongs
//! here: reading, and what is made of logs: `merge` joins those of several generators, `compare`
//! shows two runs. Never here: writing the log of a run (`engine::intervals`).

pub mod compare;
pub mod merge;

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry, LogIteratorError};

use crate::exit::{Failure, unreadable};

/// A log as it stands in its file.
#[derive(Debug)]
pub struct Log {
    file: PathBuf,
    bytes: Vec<u8>,
}

/// One interval of one tag, still packed.
#[derive(Debug, Clone, Copy)]
pub struct Interval<'a> {
    /// Its tag; empty where it has none.
    pub tag: &'a str,
    /// When it began, since 1970.
    pub at: Duration,
    /// How long it is.
    pub length: Duration,
    encoded: &'a str,
}

impl Log {
    /// Reads a file.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn read(file: &Path) -> Result<Self, Failure> {
        let bytes =
            std::fs::read(file).map_err(|error| Failure::Usage(unreadable(file, &error)))?;
        Ok(Self { file: file.to_owned(), bytes })
    }

    /// Its intervals in the order of the file.
    ///
    /// # Errors
    /// When a line is none of the format's.
    pub fn intervals(&self) -> Result<Vec<Interval<'_>>, Failure> {
        let mut base = Duration::ZERO;
        let mut intervals = Vec::new();
        for entry in IntervalLogIterator::new(&self.bytes) {
            match entry.map_err(|LogIteratorError::ParseError { offset }| self.wrong(offset))? {
                LogEntry::BaseTime(time) => base = time,
                LogEntry::StartTime(_) => {}
                LogEntry::Interval(interval) => intervals.push(Interval {
                    tag: interval.tag().map_or("", |tag| tag.as_str()),
                    at: base + interval.start_timestamp(),
                    length: interval.duration(),
                    encoded: interval.encoded_histogram(),
                }),
            }
        }
        if intervals.is_empty() {
            let file = self.file.display();
            return Err(Failure::Usage(format!(
                "{file}: has no intervals; is it an interval log?"
            )));
        }
        Ok(intervals)
    }

    /// What the lines of its head say that begin like this; other tools' logs say nothing.
    fn head<'a>(&'a self, begins: &'a str) -> impl Iterator<Item = &'a str> {
        let lines = self.bytes.split(|byte| *byte == b'\n');
        let head = lines.map_while(|line| line.strip_prefix(b"#"));
        head.filter_map(move |line| std::str::from_utf8(line).ok()?.strip_prefix(begins))
    }

    /// All intervals of each tag together.
    ///
    /// # Errors
    /// When a line or a histogram is none of the format's.
    pub fn totals(&self) -> Result<BTreeMap<String, Histogram<u64>>, Failure> {
        let mut totals = BTreeMap::new();
        let mut unpack = Deserializer::new();
        for interval in self.intervals()? {
            let histogram = self.unpack(&interval, &mut unpack)?;
            let total = totals.entry(interval.tag.to_owned()).or_insert_with(empty);
            total.add(&histogram).map_err(|e| self.histogram(&interval, &e))?;
        }
        Ok(totals)
    }

    fn unpack(
        &self,
        interval: &Interval<'_>,
        unpack: &mut Deserializer,
    ) -> Result<Histogram<u64>, Failure> {
        let bytes = STANDARD.decode(interval.encoded).map_err(|e| self.histogram(interval, &e))?;
        unpack.deserialize(&mut Cursor::new(bytes)).map_err(|e| self.histogram(interval, &e))
    }

    fn wrong(&self, offset: usize) -> Failure {
        let line = self.bytes[..offset].iter().filter(|byte| **byte == b'\n').count() + 1;
        let file = self.file.display();
        Failure::Usage(format!("{file}:{line}: is no line of HdrHistogram's interval log format"))
    }

    fn histogram(&self, interval: &Interval<'_>, error: &dyn std::fmt::Display) -> Failure {
        let (file, tag, at) = (self.file.display(), interval.tag, interval.at.as_secs_f64());
        Failure::Usage(format!("{file}: the histogram {tag:?} at {at:.3}: {error}"))
    }
}

/// An empty histogram that grows with what is added to it.
fn empty() -> Histogram<u64> {
    let mut histogram = crate::engine::distribution::histogram();
    histogram.auto(true);
    histogram
}
