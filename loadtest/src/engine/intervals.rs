//! Interval logs: every second's three histograms of every kind of request, in HdrHistogram's V2
//! log format, which its readers in any language take. One file for each measure; the tag is the
//! request's name, values are microseconds.
//!
//! Written by a thread of its own, as compressing takes milliseconds in which a worker of the
//! runtime would answer nobody. Never here: reading them (`hlog`).

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{
    IntervalLogWriter, IntervalLogWriterBuilder, IntervalLogWriterError, Tag,
};

use super::distribution::{MEASURES, Triple};
use super::source::Label;
use crate::whole::discard;

/// A histogram holds microseconds; a log's column of maxima is in milliseconds.
const MICROS_A_MILLI: f64 = 1_000.0;

/// What a line of a log's head begins with that says its measure.
pub(crate) const MEASURE: &str = "measure: ";
/// The same of its plan's hash.
pub(crate) const PLAN: &str = "plan: ";

/// The logs of a run.
#[derive(Debug)]
pub struct Intervals {
    send: Option<Sender<Interval>>,
    back: Receiver<Vec<Triple>>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

struct Interval {
    from: Duration,
    length: Duration,
    triples: Vec<Triple>,
}

impl Intervals {
    /// Creates `response.hlog`, `service.hlog` and `lag.hlog` in a directory, which count from `at`
    /// on, the run's start. Measure and plan stand in their heads. What can't be written later is
    /// said once and costs the logs alone: what is cut short doesn't stay.
    ///
    /// # Errors
    /// When a file can't be created.
    pub fn create(dir: &Path, plan: &str, labels: &[Label], at: SystemTime) -> io::Result<Self> {
        let paths = MEASURES.map(|measure| dir.join(format!("{measure}.hlog")));
        let mut files = Vec::new();
        for path in &paths {
            files.push(BufWriter::new(File::create(path)?));
        }
        let comments = MEASURES.map(|measure| {
            format!(
                "{MEASURE}{measure}\n{PLAN}{plan}\nvalues are microseconds, maxima milliseconds"
            )
        });
        let names: Vec<&'static str> = labels.iter().map(|label| label.name).collect();
        let (send, intervals) = channel::<Interval>();
        let (give_back, back) = channel();
        let thread = thread::Builder::new().name("intervals".to_owned()).spawn(move || {
            let written = write_all(files, &comments, at, &names, &intervals, &give_back);
            if let Err(error) = &written {
                complain!("loadtest: no interval logs, as they would be cut short: {error}");
                paths.iter().for_each(|path| discard(path));
            }
            written
        })?;
        Ok(Self { send: Some(send), back, thread: Some(thread) })
    }

    /// Hands over a window, and gives other histograms to use in its place.
    pub(crate) fn write(
        &mut self,
        from: Duration,
        length: Duration,
        triples: Vec<Triple>,
    ) -> Vec<Triple> {
        let count = triples.len();
        if let Some(send) = &self.send {
            // The thread is gone when the disk is full, and that was said.
            let _gone = send.send(Interval { from, length, triples });
        }
        let returned = self.back.try_recv().ok();
        returned.unwrap_or_else(|| (0..count).map(|_| Triple::new()).collect())
    }

    /// Writes the rest.
    ///
    /// # Errors
    /// When the logs could not be written; that was said, and they are gone.
    pub(crate) fn end(mut self) -> io::Result<()> {
        self.finish()
    }

    fn finish(&mut self) -> io::Result<()> {
        self.send = None;
        let Some(thread) = self.thread.take() else { return Ok(()) };
        thread.join().unwrap_or_else(|_| Err(io::Error::other("its thread panicked")))
    }
}

impl Drop for Intervals {
    fn drop(&mut self) {
        let _said = self.finish();
    }
}

type Log<'a, 'b, W> = IntervalLogWriter<'a, 'b, W, V2DeflateSerializer>;

fn write_all(
    mut files: Vec<BufWriter<File>>,
    comments: &[String; MEASURES.len()],
    at: SystemTime,
    names: &[&'static str],
    intervals: &Receiver<Interval>,
    give_back: &Sender<Vec<Triple>>,
) -> io::Result<()> {
    let mut serializers = [0; MEASURES.len()].map(|_| V2DeflateSerializer::new());
    let mut logs = Vec::new();
    for ((file, serializer), comments) in files.iter_mut().zip(&mut serializers).zip(comments) {
        logs.push(begin(file, serializer, comments, at)?);
    }
    for Interval { from, length, triples } in intervals {
        for (name, triple) in names.iter().zip(&triples) {
            for (log, histogram) in logs.iter_mut().zip(triple.each()) {
                if !histogram.is_empty() {
                    let written = log.write_histogram(histogram, from, length, Tag::new(name));
                    written.map_err(said)?;
                }
            }
        }
        // Nobody takes it back after the last one.
        let _ended = give_back.send(triples);
    }
    drop(logs);
    files.iter_mut().try_for_each(Write::flush)
}

/// The head of a log: its comments and the time that its intervals count from.
pub(crate) fn begin<'a, 'b, W: Write>(
    file: &'a mut W,
    serializer: &'b mut V2DeflateSerializer,
    comments: &str,
    at: SystemTime,
) -> io::Result<Log<'a, 'b, W>> {
    IntervalLogWriterBuilder::new()
        .add_comment("[Histogram log format version 1.3]")
        .add_comment(comments)
        .with_start_time(at)
        .with_base_time(at)
        .with_max_value_divisor(MICROS_A_MILLI)
        .begin_log_with(file, serializer)
}

/// What kept a histogram from being written.
pub(crate) fn said<E: std::fmt::Display>(error: IntervalLogWriterError<E>) -> io::Error {
    match error {
        IntervalLogWriterError::IoError(error) => error,
        IntervalLogWriterError::SerializeError(error) => io::Error::other(error.to_string()),
    }
}
