//! What a search means for whoever plans, in sentences: days, disks, money, what the provider lets
//! through.
//!
//! Never here: the arithmetic behind it (`planner`), or the verdict (`answer`).

use super::args::PlannerArgs;
use super::load::Scale;
use super::planner::DAY_MESSAGES;
use super::search::Bracket;
use super::step::Written;
use crate::report::units::{count, rate};

/// What a bracket means for whoever plans, a sentence each.
pub(super) fn sentences(
    bracket: &Bracket,
    args: &PlannerArgs,
    scale: &Scale,
    written: &Written,
) -> Vec<String> {
    let Some(passes) = &bracket.passes else { return Vec::new() };
    let carried = passes.rate * scale.messages_a_day;
    let least = if bracket.fails.is_none() { "at least " } else { "" };
    let mut all = vec![format!(
        "This carries {least}{:.2} × half a million messages a day at its peak hour: {} messages a \
         day ({}).",
        carried / DAY_MESSAGES,
        count(carried as u64),
        scale.why
    )];
    let day = args.messages.map_or(carried, |messages| messages as f64);
    all.extend(args.messages.map(|messages| what_if(messages, carried)));
    let of_day = format!("a day of {} messages", count(day as u64));
    if let Written { log_bytes: Some(log), disk_bytes: Some(disk) } = written {
        let days = args.retention_days;
        all.push(format!(
            "In {of_day} statements write {} of log, and the database grows by {}: {} in {days} \
             days.",
            gigabytes(day * log),
            gigabytes(day * disk),
            gigabytes(day * disk * f64::from(days))
        ));
    }
    if let Some(price) = args.price {
        all.push(format!("At {price} a message {of_day} costs {:.2}.", day * price));
    }
    if let Some(per_second) = args.provider_rate {
        let missed = scale.due.missed(day, per_second, args.sending_window);
        let window = match args.sending_window {
            Some(hours) => format!("a window of {hours} h"),
            None => "the practices' own windows".to_owned(),
        };
        all.push(format!(
            "With a provider that takes {} and {window}, {} of {of_day} would miss theirs.",
            rate(per_second),
            count(missed.round() as u64),
        ));
    }
    all
}

fn what_if(messages: u64, carried: f64) -> String {
    let of_day = format!("A day of {} messages", count(messages));
    let times = messages as f64 / carried;
    if times <= 1.0 {
        return format!("{of_day} is carried, with {:.0} % to spare.", (1.0 - times) * 100.0);
    }
    format!("{of_day} is {times:.2} times what is carried.")
}

fn gigabytes(bytes: f64) -> String {
    format!("{:.2} GB", bytes / 1e9)
}

#[cfg(test)]
mod tests {
    use super::super::planner::{Due, Group};
    use super::super::search::Tally;
    use super::*;

    #[test]
    fn the_planner_is_told_in_days_disks_and_money() {
        let passes = Tally { rate: 100.0, passed: 3, tried: 3 };
        let passes = Bracket { passes: Some(passes), fails: None };
        let args = PlannerArgs {
            requests_per_message: 1.0,
            messages: Some(5_000_000),
            retention_days: 100,
            price: Some(0.01),
            provider_rate: Some(10.0),
            sending_window: Some(2),
        };
        // All close twelve hours after the day's last hour.
        let group = |hour| Group { hour, closes: 36.0, share: 1.0 };
        let scale = Scale {
            messages_a_day: 10_000.0,
            why: "because".to_owned(),
            due: Due::new((0..24).map(group).collect()).expect("messages"),
        };
        let written = Written { log_bytes: Some(2_000.0), disk_bytes: Some(1_000.0) };
        let all = sentences(&passes, &args, &scale, &written);
        assert_eq!(
            all,
            [
                "This carries at least 2.00 × half a million messages a day at its peak hour: \
                 1,000,000 messages a day (because).",
                "A day of 5,000,000 messages is 5.00 times what is carried.",
                "In a day of 5,000,000 messages statements write 10.00 GB of log, and the database \
                 grows by 5.00 GB: 500.00 GB in 100 days.",
                "At 0.01 a message a day of 5,000,000 messages costs 50000.00.",
                "With a provider that takes 10/s and a window of 2 h, 4,100,000 of a day of \
                 5,000,000 messages would miss theirs.",
            ]
        );
        let own = PlannerArgs { sending_window: None, ..args.clone() };
        let says = "With a provider that takes 10/s and the practices' own windows, 3,704,000 of";
        let all = sentences(&passes, &own, &scale, &written);
        assert!(all.last().is_some_and(|last| last.starts_with(says)), "{all:?}");
        let nothing = Bracket { passes: None, fails: None };
        assert!(sentences(&nothing, &args, &scale, &written).is_empty());
        assert_eq!(
            what_if(250_000, 1e6),
            "A day of 250,000 messages is carried, with 75 % to spare."
        );
    }
}
