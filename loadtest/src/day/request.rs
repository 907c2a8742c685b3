//! What arrives at the service, packed, and the path and body that it has on the wire (the
//! service's documented HTTP API). Identifiers and texts are written when they are needed.
//!
//! Never here: sending, credentials, or what the answer means.

use contract::Endpoint;
use jiff::civil::Date;

use super::{calendar, people};

/// One version of an appointment. 32 bytes, as a plan holds millions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appointment {
    pub(crate) phone: u64,
    pub(crate) practice_id: u32,
    pub(crate) serial: u32,
    pub(crate) starts_minute: u32,
    pub(crate) offset_minutes: i16,
    pub(crate) version: u16,
    pub(crate) name: u16,
    pub(crate) instructions: u8,
    pub(crate) cancelled: bool,
}

impl Appointment {
    /// The practice.
    #[must_use]
    pub fn practice_id(&self) -> i64 {
        i64::from(self.practice_id)
    }

    /// The client's own name for it.
    #[must_use]
    pub fn appointment_id(&self) -> String {
        format!("a{:07}", self.serial)
    }

    /// 1 for the first.
    #[must_use]
    pub fn version(&self) -> u16 {
        self.version
    }

    /// The recipient's number without its `+`.
    #[must_use]
    pub fn phone(&self) -> u64 {
        self.phone
    }

    /// When it begins, in minutes since 1970-01-01T00:00Z.
    #[must_use]
    pub fn starts_minute(&self) -> u32 {
        self.starts_minute
    }

    /// Whether this version cancels it.
    #[must_use]
    pub fn cancelled(&self) -> bool {
        self.cancelled
    }

    /// Appends it as a JSON object.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        use std::io::Write;
        let (given, family) = people::name(self.name);
        // Nothing written here has a character that JSON escapes; a test reads all of it back.
        let head = write!(
            out,
            r#"{{"appointment_id":"a{:07}","version":{},"phone":"+{}","patient_name":"{given} {family}""#,
            self.serial, self.version, self.phone
        );
        head.expect("a Vec takes all that is written");
        out.extend_from_slice(br#","starts_at":""#);
        calendar::write_rfc3339(out, self.starts_minute, self.offset_minutes);
        out.push(b'"');
        if self.instructions > 0 {
            let text = people::INSTRUCTIONS[usize::from(self.instructions)];
            out.extend_from_slice(br#","instructions":""#);
            out.extend_from_slice(text.as_bytes());
            out.push(b'"');
        }
        if self.cancelled {
            out.extend_from_slice(br#","status":"cancelled""#);
        }
        out.push(b'}');
    }
}

/// What someone asks the service for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// Books or changes an appointment.
    UpsertAppointment(Appointment),
    /// Cancels one.
    Cancel {
        /// The practice.
        practice_id: u32,
        /// Which appointment of the practice.
        serial: u32,
        /// The version that the cancellation is to have, if it says so.
        version: Option<u16>,
    },
    /// Someone at the desk looks at an appointment.
    ReadAppointment {
        /// The practice.
        practice_id: u32,
        /// Which appointment of the practice.
        serial: u32,
    },
    /// Someone looks through the day's messages.
    ListMessages {
        /// The practice.
        practice_id: u32,
        /// The local day.
        day: Date,
        /// Page size.
        limit: u16,
    },
    /// Someone reads the day's counts.
    DailyCounts {
        /// The practice.
        practice_id: u32,
        /// The local day.
        day: Date,
    },
}

impl Request {
    /// The endpoint that it goes to: method, objective and name.
    #[must_use]
    pub fn endpoint(&self) -> Endpoint {
        match self {
            Self::UpsertAppointment(_) => Endpoint::UpsertAppointments,
            Self::Cancel { .. } => Endpoint::CancelAppointment,
            Self::ReadAppointment { .. } => Endpoint::ReadAppointment,
            Self::ListMessages { .. } => Endpoint::ListMessages,
            Self::DailyCounts { .. } => Endpoint::ReadDailyCounts,
        }
    }

    /// The practice that asks.
    #[must_use]
    pub fn practice_id(&self) -> i64 {
        i64::from(match self {
            Self::UpsertAppointment(appointment) => appointment.practice_id,
            Self::Cancel { practice_id, .. }
            | Self::ReadAppointment { practice_id, .. }
            | Self::ListMessages { practice_id, .. }
            | Self::DailyCounts { practice_id, .. } => *practice_id,
        })
    }

    /// Path and query.
    #[must_use]
    pub fn path(&self) -> String {
        match self {
            Self::UpsertAppointment(appointment) => import_path(appointment.practice_id()),
            Self::Cancel { practice_id, serial, .. } => {
                format!("/v1/practices/{practice_id}/appointments/a{serial:07}/cancel")
            }
            Self::ReadAppointment { practice_id, serial } => {
                format!("/v1/practices/{practice_id}/appointments/a{serial:07}")
            }
            Self::ListMessages { practice_id, day, limit } => {
                format!("/v1/practices/{practice_id}/messages?day={day}&limit={limit}")
            }
            Self::DailyCounts { practice_id, day } => {
                format!("/v1/practices/{practice_id}/days/{day}/counts")
            }
        }
    }

    /// The JSON body; none for what only reads.
    #[must_use]
    pub fn body(&self) -> Option<Vec<u8>> {
        match self {
            Self::UpsertAppointment(appointment) => {
                let mut out = Vec::with_capacity(256);
                appointment.write_json(&mut out);
                Some(out)
            }
            Self::Cancel { version: Some(version), .. } => {
                Some(format!(r#"{{"version":{version}}}"#).into_bytes())
            }
            Self::Cancel { version: None, .. } => Some(b"{}".to_vec()),
            Self::ReadAppointment { .. } | Self::ListMessages { .. } | Self::DailyCounts { .. } => {
                None
            }
        }
    }
}

/// A request with its place in the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// Domain nanoseconds from the plan's origin to the intended start.
    pub intended_domain_ns: u64,
    /// What is asked.
    pub request: Request,
}

/// Where a practice's appointments are sent, one or many.
#[must_use]
pub fn import_path(practice_id: i64) -> String {
    format!("/v1/practices/{practice_id}/appointments")
}

/// The body of an import batch: NDJSON (`application/x-ndjson`), one appointment a line.
#[must_use]
pub fn ndjson(batch: &[Appointment]) -> Vec<u8> {
    let mut out = Vec::with_capacity(batch.len() * 256);
    for appointment in batch {
        appointment.write_json(&mut out);
        out.push(b'\n');
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use expect_test::expect;

    use super::*;

    const BOOKED: Appointment = Appointment {
        phone: 999_100_001_000_002,
        practice_id: 1001,
        serial: 42,
        starts_minute: 20_886 * 1440 + 17 * 60,
        offset_minutes: -180,
        version: 3,
        name: 5,
        instructions: 0,
        cancelled: false,
    };

    #[test]
    fn packed_as_promised() {
        assert_eq!(size_of::<Appointment>(), 32);
        assert!(size_of::<Arrival>() <= 48);
    }

    #[test]
    fn requests_look_as_the_api_says() {
        let day = Date::constant(2027, 3, 9);
        let cancelled = Appointment { cancelled: true, instructions: 1, ..BOOKED };
        let (practice_id, serial) = (1001, 42);
        let requests = [
            Request::UpsertAppointment(BOOKED),
            Request::UpsertAppointment(cancelled),
            Request::Cancel { practice_id, serial, version: None },
            Request::Cancel { practice_id, serial, version: Some(4) },
            Request::ReadAppointment { practice_id, serial },
            Request::ListMessages { practice_id, day, limit: 100 },
            Request::DailyCounts { practice_id, day },
        ];
        let mut lines = String::new();
        for request in requests {
            assert_eq!(request.practice_id(), 1001);
            let spec = request.endpoint().spec();
            let body = request.body().map(|b| String::from_utf8(b).unwrap()).unwrap_or_default();
            lines += &format!("{} {} {body}\n", spec.method.name(), request.path());
        }
        expect![[r#"
            POST /v1/practices/1001/appointments {"appointment_id":"a0000042","version":3,"phone":"+999100001000002","patient_name":"Fábio Almeida","starts_at":"2027-03-09T14:00:00-03:00"}
            POST /v1/practices/1001/appointments {"appointment_id":"a0000042","version":3,"phone":"+999100001000002","patient_name":"Fábio Almeida","starts_at":"2027-03-09T14:00:00-03:00","instructions":"Please do not eat or drink for 8 hours before.","status":"cancelled"}
            POST /v1/practices/1001/appointments/a0000042/cancel {}
            POST /v1/practices/1001/appointments/a0000042/cancel {"version":4}
            GET /v1/practices/1001/appointments/a0000042 
            GET /v1/practices/1001/messages?day=2027-03-09&limit=100 
            GET /v1/practices/1001/days/2027-03-09/counts 
        "#]].assert_eq(&lines);
    }

    #[test]
    fn every_text_is_json() {
        for name in 0..people::NAMES {
            let instructions = (usize::from(name) % people::INSTRUCTIONS.len()) as u8;
            let json = ndjson(&[Appointment { name, instructions, ..BOOKED }]);
            let value: serde_json::Value = serde_json::from_slice(&json).unwrap();
            assert!(value["patient_name"].as_str().unwrap().chars().count() <= 80);
            let text = value["instructions"].as_str().unwrap_or("");
            assert_eq!(text, people::INSTRUCTIONS[usize::from(instructions)]);
        }
    }

    #[test]
    fn a_batch_is_one_object_a_line() {
        let body = String::from_utf8(ndjson(&[BOOKED, BOOKED])).unwrap();
        assert_eq!(body.lines().count(), 2);
        assert_eq!(import_path(BOOKED.practice_id()), "/v1/practices/1001/appointments");
    }
}
