//! A replayed day as pure data: what was booked before it, who asks for what at which domain
//! instant, and how many texts must come of it. The same seed gives the same day, byte for byte.
//!
//! Belongs here: reading appointments, the profile fitted from them, resampling, the plan with
//! what it promises, and the requests' paths and bodies. Never here: a clock, a socket, a thread,
//! a latency (the engine's), or a rule of planning shared with the service: the model in
//! `plan/model.rs` is written from the documented rules alone, so that it can disagree.

pub mod appointments;
pub mod plan;
pub mod profile;
pub mod request;
pub mod schedule;
pub mod source;

mod calendar;
pub(crate) mod draw;
mod people;
mod population;

pub use appointments::{Appointments, AppointmentsError};
pub use plan::{Options, Plan, PlanError, Practice};
pub use profile::{Profile, fit};
pub use request::{Appointment, Arrival, Request};
pub use source::Source;
