//! Options that give no day are refused before anything is drawn.
//!
//! Never here: what only turns out on the way (a source with too little to give).

use jiff::SignedDuration;

use super::options::{LAST_DUE_MINUTE, MadeUp, SEND_FROM};
use super::zones::Zones;
use super::{BOOK_MAX, MARGIN_SECONDS_MAX, MESSAGES_MAX, Options, PlanError};

/// Refuses what is out of range.
pub(super) fn options(options: &Options) -> Result<(), PlanError> {
    if !(1..=MESSAGES_MAX).contains(&options.messages) {
        return Err(PlanError::Messages(options.messages));
    }
    if options.book() > BOOK_MAX {
        return Err(PlanError::Book(options.book()));
    }
    if options.margin_seconds > MARGIN_SECONDS_MAX {
        return Err(PlanError::Margin(options.margin_seconds));
    }
    if !(options.growth().is_finite() && options.growth() > 0.0) {
        return Err(PlanError::Growth);
    }
    share("reserve", options.reserve)?;
    for zone in &options.zones {
        share("time zone", zone.share)?;
    }
    if options.zones.iter().all(|zone| zone.share == 0.0) {
        return Err(PlanError::NoZone);
    }
    let (from, until) = (options.window_from, options.window_until);
    if from >= until {
        return Err(PlanError::EmptyWindow { from, until });
    }
    made_up(&options.made_up)
}

fn made_up(made_up: &MadeUp) -> Result<(), PlanError> {
    let MadeUp {
        shared_phone,
        family_sizes: _,
        come_along,
        roaming_phone,
        instructions,
        cancelled,
        cancelled_near_due,
        cancelled_by_upsert,
        cancelled_twice,
        booked_again,
        moved,
        edited,
        bumped,
        repeated,
        stale,
        appointment_reads: _,
        message_lists: _,
        daily_counts: _,
    } = *made_up;
    share("shared phones", shared_phone)?;
    share("family members who come along", come_along)?;
    share("phones used at several practices", roaming_phone)?;
    share("instructions", instructions)?;
    share("changes", cancelled + moved + edited + bumped + repeated)?;
    share("cancellations near the due time", cancelled_near_due)?;
    share("cancellations by upsert", cancelled_by_upsert)?;
    share("cancellations sent twice", cancelled_twice)?;
    share("cancelled appointments booked again", booked_again)?;
    share("stale versions", stale)
}

fn share(name: &'static str, value: f64) -> Result<(), PlanError> {
    if (0.0..=1.0).contains(&value) { Ok(()) } else { Err(PlanError::Share(name)) }
}

/// Every zone's sending hours, as far as texts are due in them, lie within the window.
pub(super) fn window(options: &Options, zones: &Zones) -> Result<(), PlanError> {
    let earliest = SEND_FROM.iter().map(|(minute, _)| *minute).min().unwrap_or(0);
    for (zone, share) in zones.zones.iter().zip(&options.zones) {
        let first = zone.midnight(0) + i32::from(earliest) * 60;
        let last = zone.midnight(0) + i32::from(LAST_DUE_MINUTE) * 60;
        if first < 0 || last > zones.window_seconds {
            let (from, until) = (options.window_from, options.window_until);
            // A clock's face: a zone on the other side of the world is yesterday or tomorrow.
            let clock = |offset: i32| from.wrapping_add(SignedDuration::from_secs(offset.into()));
            return Err(PlanError::Window {
                from,
                until,
                zone: share.name.clone(),
                first: clock(first),
                last: clock(last),
            });
        }
    }
    Ok(())
}
