//! The life of a reminder, end to end: from booking to what the patient answers, and every way in
//! which it can end on the way.
//!
//! Each test follows a few reminders by the interface and by the provider's log, and says in which
//! order things happen by holding the clock or the provider. Never here: single requests
//! (`endpoints`), races and crashes (`cancel_races`, `side_by_side`, `database_away`).

mod asked_again;
mod called_back;
mod cancelled;
mod consent;
mod due;
mod expired;
mod families;
mod hooked;
mod hours;
mod long_outage;
mod lost_answers;
mod moved;
mod ordered;
mod other_settings;
mod refused;
mod reworded;
mod sent;
mod set_aside;
