//! A plan's content hash: SHA-256 over a canonical form of all that is sent, so that two runs
//! provably had the same day.
//!
//! Never here: anything that doesn't reach the wire (promises, counts).

use aws_lc_rs::digest::{Context, SHA256};

use super::Practice;
use crate::day::calendar;
use crate::day::request::{Appointment, Arrival, Request};

/// Changes whenever the canonical form does.
const FORM: &[u8] = b"punctual day 1\n";
const CHUNK: usize = 64 * 1024;

/// Hex of the hash.
pub(super) fn hash(practices: &[Practice], import: &[Appointment], arrivals: &[Arrival]) -> String {
    let mut out = Writer { context: Context::new(&SHA256), chunk: Vec::with_capacity(CHUNK + 64) };
    out.put(FORM);
    out.number(practices.len());
    for practice in practices {
        out.put(practice.path().as_bytes());
        out.put(&practice.body());
    }
    out.number(import.len());
    for appointment in import {
        out.appointment(appointment);
    }
    out.number(arrivals.len());
    for arrival in arrivals {
        out.put(&arrival.intended_domain_ns.to_le_bytes());
        out.request(&arrival.request);
    }
    out.finish()
}

struct Writer {
    context: Context,
    chunk: Vec<u8>,
}

impl Writer {
    fn put(&mut self, bytes: &[u8]) {
        self.chunk.extend_from_slice(bytes);
        if self.chunk.len() >= CHUNK {
            self.context.update(&self.chunk);
            self.chunk.clear();
        }
    }

    fn number(&mut self, n: usize) {
        self.put(&(n as u64).to_le_bytes());
    }

    fn appointment(&mut self, appointment: &Appointment) {
        let Appointment {
            phone,
            practice_id,
            serial,
            starts_minute,
            offset_minutes,
            version,
            name,
            instructions,
            cancelled,
        } = appointment;
        self.put(&phone.to_le_bytes());
        self.put(&practice_id.to_le_bytes());
        self.put(&serial.to_le_bytes());
        self.put(&starts_minute.to_le_bytes());
        self.put(&offset_minutes.to_le_bytes());
        self.put(&version.to_le_bytes());
        self.put(&name.to_le_bytes());
        self.put(&[*instructions, u8::from(*cancelled)]);
    }

    fn request(&mut self, request: &Request) {
        match request {
            Request::UpsertAppointment(appointment) => {
                self.put(b"u");
                self.appointment(appointment);
            }
            Request::Cancel { practice_id, serial, version } => {
                self.put(b"c");
                self.put(&practice_id.to_le_bytes());
                self.put(&serial.to_le_bytes());
                self.put(&version.unwrap_or(0).to_le_bytes());
            }
            Request::ReadAppointment { practice_id, serial } => {
                self.put(b"r");
                self.put(&practice_id.to_le_bytes());
                self.put(&serial.to_le_bytes());
            }
            Request::ListMessages { practice_id, day, limit } => {
                self.put(b"l");
                self.put(&practice_id.to_le_bytes());
                self.put(&calendar::day_number(*day).to_le_bytes());
                self.put(&limit.to_le_bytes());
            }
            Request::DailyCounts { practice_id, day } => {
                self.put(b"d");
                self.put(&practice_id.to_le_bytes());
                self.put(&calendar::day_number(*day).to_le_bytes());
            }
        }
    }

    fn finish(mut self) -> String {
        self.context.update(&self.chunk);
        let digest = self.context.finish();
        digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
