//! Reads appointments from a file in the format of the public "Medical Appointment No Shows" data
//! set (J. Hoppen, Aquarela; CC BY-NC-SA 4.0), plain or gzip, whatever its name says.
//!
//! A bad row is counted under its reason, the first few are named with their line, and it is left
//! out: never a crash. A file that isn't in this format at all is one error. The data is read from
//! where the user has it; none of it belongs into this repository.
//!
//! Never here: what a plan makes of the appointments (`population.rs`).

mod lines;
mod row;

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, Read};
use std::path::{Path, PathBuf};

use serde::Serialize;

use lines::{Line, Lines};
use row::Columns;
pub use row::Reason;

use crate::unpacked::unpacked;

/// Bad rows that are named; the others are counted.
const NAMED_MAX: usize = 10;
/// More rows are refused: 20 bytes each, so this is 1 GB. The public data set has 110,527.
const ROWS_MAX: usize = 50_000_000;

/// One appointment as it was booked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Booking {
    /// Index of the clinic, in order of appearance.
    pub clinic: u32,
    /// Index of the patient, in order of appearance.
    pub patient: u32,
    /// When it was booked: days since 1970-01-01, local.
    pub booked_day: i32,
    /// When it was booked: seconds since local midnight.
    pub booked_second: u32,
    /// The day of the appointment, as days since 1970-01-01; never before `booked_day`.
    pub day: i32,
}

/// What a file holds.
#[derive(Debug, Default)]
pub struct Appointments {
    /// The usable rows in the order of the file.
    pub bookings: Vec<Booking>,
    /// Different clinics.
    pub clinics: u32,
    /// Different patients.
    pub patients: u32,
    /// What was left out, and why.
    pub rejected: Rejected,
}

/// Rows that were left out.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct Rejected {
    /// How many by reason, in the order of [`Reason::ALL`]; reasons without a row are not listed.
    pub counts: Vec<(Reason, u64)>,
    /// The first few.
    pub named: Vec<BadRow>,
}

/// A row that was left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BadRow {
    /// Its line in the (unpacked) file; the header is line 1.
    pub line: u64,
    /// Why.
    pub reason: Reason,
}

/// A file that can't be used: the user gives another one.
#[derive(Debug, thiserror::Error)]
pub enum AppointmentsError {
    /// It can't be read.
    #[error(
        "{path}: can't read appointments: {source}; give a file that can be read, CSV or gzip",
        path = path.display()
    )]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's, or the unpacker's, reason.
        source: std::io::Error,
    },
    /// It is something else.
    #[error(
        "{path}: not an appointments file: {detail}; expected CSV (gzip or plain) with the columns \
         PatientId, AppointmentID, ScheduledDay, AppointmentDay, Neighbourhood",
        path = path.display()
    )]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
}

impl Rejected {
    /// All that was left out.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().map(|(_, n)| n).sum()
    }

    fn add(&mut self, line: u64, reason: Reason) {
        match self.counts.binary_search_by_key(&reason, |(r, _)| *r) {
            Ok(at) => self.counts[at].1 += 1,
            Err(at) => self.counts.insert(at, (reason, 1)),
        }
        if self.named.len() < NAMED_MAX {
            self.named.push(BadRow { line, reason });
        }
    }
}

/// One line for each reason, with the lines of the file that are named.
impl std::fmt::Display for Rejected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, (reason, count)) in self.counts.iter().enumerate() {
            let lines: Vec<String> = self
                .named
                .iter()
                .filter(|row| row.reason == *reason)
                .map(|row| row.line.to_string())
                .collect();
            let more = if (lines.len() as u64) < *count { " …" } else { "" };
            let separator = if i == 0 { "" } else { "\n" };
            write!(f, "{separator}{count} left out: {reason}")?;
            if !lines.is_empty() {
                write!(f, " (line {}{more})", lines.join(", "))?;
            }
        }
        Ok(())
    }
}

/// Reads a file.
///
/// # Errors
/// When it can't be read, isn't in the format, or has no usable row.
pub fn read(path: &Path) -> Result<Appointments, AppointmentsError> {
    let file = File::open(path).map_err(|source| read_error(path, source))?;
    parse(path, file)
}

/// Reads what `input` gives; `path` is for messages alone.
///
/// # Errors
/// As [`read`].
pub fn parse(path: &Path, input: impl Read) -> Result<Appointments, AppointmentsError> {
    parse_lines(path, unpacked(input).map_err(|source| read_error(path, source))?)
}

fn parse_lines(path: &Path, input: impl BufRead) -> Result<Appointments, AppointmentsError> {
    let format = |detail: String| AppointmentsError::Format { path: path.to_owned(), detail };
    let mut lines = Lines::new(input);
    let columns = match lines.next().map_err(|source| read_error(path, source))? {
        Line::Text(header) => Columns::find(header).map_err(format)?,
        Line::TooLong => return Err(format("its first line is too long".to_owned())),
        Line::End => return Err(format("it is empty".to_owned())),
    };
    let mut reader = Reader::default();
    loop {
        match lines.next().map_err(|source| read_error(path, source))? {
            Line::Text([]) => {}
            Line::Text(text) => {
                let row = columns.parse(text).and_then(|row| reader.take(&row));
                if let Err(reason) = row {
                    reader.out.rejected.add(lines.number(), reason);
                }
            }
            Line::TooLong => reader.out.rejected.add(lines.number(), Reason::LineTooLong),
            Line::End => break,
        }
        if reader.out.bookings.len() > ROWS_MAX {
            return Err(format(format!("it has more than {ROWS_MAX} rows")));
        }
    }
    if reader.out.bookings.is_empty() {
        let rejected = &reader.out.rejected;
        return Err(format(match rejected.counts.first() {
            None => "it has no row below its header".to_owned(),
            Some(_) => format!("it has no usable row: {rejected}").replace('\n', ", "),
        }));
    }
    Ok(reader.out)
}

fn read_error(path: &Path, source: std::io::Error) -> AppointmentsError {
    AppointmentsError::Read { path: path.to_owned(), source }
}

/// Gives clinics and patients their indices and finds what was there before.
#[derive(Default)]
struct Reader {
    clinics: HashMap<Vec<u8>, u32>,
    /// By the bits of the number, which is how the data set writes a patient's identity.
    patients: HashMap<u64, u32>,
    seen: std::collections::HashSet<u64>,
    out: Appointments,
}

impl Reader {
    fn take(&mut self, row: &row::Row<'_>) -> Result<(), Reason> {
        if !self.seen.insert(row.appointment) {
            return Err(Reason::Repeated);
        }
        let out = &mut self.out;
        let clinic = match self.clinics.get(row.clinic) {
            Some(index) => *index,
            None => {
                self.clinics.insert(row.clinic.to_vec(), out.clinics);
                out.clinics += 1;
                out.clinics - 1
            }
        };
        let patient = *self.patients.entry(row.patient.to_bits()).or_insert_with(|| {
            out.patients += 1;
            out.patients - 1
        });
        out.bookings.push(Booking {
            clinic,
            patient,
            booked_day: row.booked_day,
            booked_second: row.booked_second,
            day: row.day,
        });
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests;
