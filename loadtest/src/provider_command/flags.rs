//! The flags of `loadtest provider` that say what goes wrong, what becomes of messages and how
//! much is held at once, each starting from a profile.
//!
//! Here belongs the way from flags to values; what a value does is told in the `stack` crate.

use clap::{Args, ValueEnum};
use stack::provider::{Fates, Faults, Latency, Limits};

/// What the flags below start from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Profile {
    /// Everything goes right, at once.
    None,
    /// An ordinary day: answers after 4 ms (p99 30 ms); 0.1 % accepted without an answer; 0.2 %
    /// each of 429 and 5xx; 1 % each of duplicate and out-of-order callbacks; 1.5 % undelivered,
    /// 0.5 % failed; 8 % reply YES, 1 % NO, 0.1 % STOP, 0.5 % something else.
    Day,
}

/// What goes wrong.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "What goes wrong")]
pub(super) struct FaultArgs {
    /// What the flags below start from.
    #[arg(long, value_enum, default_value_t = Profile::None)]
    pub(super) profile: Profile,
    /// How long an answer takes.
    #[arg(long, value_name = "LATENCY")]
    latency: Option<Latency>,
    /// Answered 500 or 503, not accepted.
    #[arg(long, value_name = "SHARE", value_parser = share)]
    server_errors: Option<f64>,
    /// Answered 429 with Retry-After, not accepted.
    #[arg(long, value_name = "SHARE", value_parser = share)]
    too_many_requests: Option<f64>,
    /// What Retry-After says.
    #[arg(long, value_name = "SECONDS")]
    retry_after: Option<u32>,
    /// Accepted and logged, but the connection is closed without an answer.
    #[arg(long, value_name = "SHARE", value_parser = share)]
    accept_then_drop: Option<f64>,
    /// Neither accepted nor answered until the client gives up.
    #[arg(long, value_name = "SHARE", value_parser = share)]
    hang: Option<f64>,
    /// The connection is reset in place of an answer, not accepted.
    #[arg(long, value_name = "SHARE", value_parser = share)]
    reset: Option<f64>,
    /// Connections that are reset as soon as they are open.
    #[arg(long, value_name = "SHARE", value_parser = share)]
    reset_connections: Option<f64>,
    /// Status callbacks and replies that are sent twice.
    #[arg(long, value_name = "SHARE", value_parser = share)]
    duplicate_callbacks: Option<f64>,
    /// Messages whose final status is called back before "sent".
    #[arg(long, value_name = "SHARE", value_parser = share)]
    out_of_order_callbacks: Option<f64>,
    /// Accepted texts that carriers don't deliver, beside those that fail anyway.
    #[arg(long, value_name = "SHARE", value_parser = share)]
    blocked: Option<f64>,
}

/// What becomes of accepted messages.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "What becomes of accepted messages")]
pub(super) struct FateArgs {
    /// Calls back the final status alone, without "sent" before it.
    #[arg(long)]
    final_callback_only: bool,
    /// From acceptance to "sent".
    #[arg(long, value_name = "LATENCY")]
    sent_delay: Option<Latency>,
    /// From "sent" to the final status.
    #[arg(long, value_name = "LATENCY")]
    final_delay: Option<Latency>,
    /// Sent, but never delivered.
    #[arg(long, value_name = "SHARE", value_parser = share)]
    undelivered: Option<f64>,
    /// Failed before it was sent.
    #[arg(long, value_name = "SHARE", value_parser = share)]
    failed: Option<f64>,
    /// Delivered and answered YES.
    #[arg(long, value_name = "SHARE", value_parser = share)]
    reply_yes: Option<f64>,
    /// Delivered and answered NO.
    #[arg(long, value_name = "SHARE", value_parser = share)]
    reply_no: Option<f64>,
    /// Delivered and answered STOP.
    #[arg(long, value_name = "SHARE", value_parser = share)]
    reply_stop: Option<f64>,
    /// Delivered and answered with something else.
    #[arg(long, value_name = "SHARE", value_parser = share)]
    reply_text: Option<f64>,
    /// From the final status to the reply.
    #[arg(long, value_name = "LATENCY")]
    reply_delay: Option<Latency>,
}

/// How much at once.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "How much at once")]
pub(super) struct LimitArgs {
    /// Open connections; more wait until one is closed.
    #[arg(long, value_name = "NUMBER", default_value_t = Limits::default().connections_max,
        value_parser = at_least_one)]
    connections_max: usize,
    /// Messages held, those in the log included; more are answered 503.
    #[arg(long, value_name = "NUMBER", default_value_t = Limits::default().messages_max)]
    messages_max: u32,
    /// Callbacks on the wire at once.
    #[arg(long, value_name = "NUMBER", value_parser = at_least_one,
        default_value_t = Limits::default().callbacks_in_flight_max)]
    callbacks_in_flight_max: usize,
    /// How often a callback is tried, with pauses from 250 ms doubling to 5 s.
    #[arg(long, value_name = "NUMBER", default_value_t = Limits::default().callback_tries_max,
        value_parser = clap::value_parser!(u8).range(1..))]
    callback_tries_max: u8,
}

impl FaultArgs {
    /// The faults that the flags stand for.
    pub(super) fn faults(self) -> Faults {
        let start = match self.profile {
            Profile::None => Faults::none(),
            Profile::Day => Faults::day(),
        };
        Faults {
            latency: self.latency.unwrap_or(start.latency),
            server_error_share: self.server_errors.unwrap_or(start.server_error_share),
            too_many_requests_share: self
                .too_many_requests
                .unwrap_or(start.too_many_requests_share),
            retry_after_seconds: self.retry_after.unwrap_or(start.retry_after_seconds),
            accept_then_drop_share: self.accept_then_drop.unwrap_or(start.accept_then_drop_share),
            hang_share: self.hang.unwrap_or(start.hang_share),
            reset_share: self.reset.unwrap_or(start.reset_share),
            reset_connection_share: self.reset_connections.unwrap_or(start.reset_connection_share),
            duplicate_callback_share: self
                .duplicate_callbacks
                .unwrap_or(start.duplicate_callback_share),
            out_of_order_callback_share: self
                .out_of_order_callbacks
                .unwrap_or(start.out_of_order_callback_share),
            blocked_share: self.blocked.unwrap_or(start.blocked_share),
        }
    }
}

impl FateArgs {
    /// The fates that the flags stand for.
    pub(super) fn fates(self, profile: Profile) -> Fates {
        let start = match profile {
            Profile::None => Fates::default(),
            Profile::Day => Fates::day(),
        };
        Fates {
            sent_callback: !self.final_callback_only,
            sent_delay: self.sent_delay.unwrap_or(start.sent_delay),
            final_delay: self.final_delay.unwrap_or(start.final_delay),
            undelivered_share: self.undelivered.unwrap_or(start.undelivered_share),
            failed_share: self.failed.unwrap_or(start.failed_share),
            reply_delay: self.reply_delay.unwrap_or(start.reply_delay),
            reply_yes_share: self.reply_yes.unwrap_or(start.reply_yes_share),
            reply_no_share: self.reply_no.unwrap_or(start.reply_no_share),
            reply_stop_share: self.reply_stop.unwrap_or(start.reply_stop_share),
            reply_text_share: self.reply_text.unwrap_or(start.reply_text_share),
        }
    }
}

impl LimitArgs {
    /// The limits that the flags stand for.
    pub(super) fn limits(self) -> Limits {
        Limits {
            connections_max: self.connections_max,
            messages_max: self.messages_max,
            callbacks_in_flight_max: self.callbacks_in_flight_max,
            callback_tries_max: self.callback_tries_max,
            ..Limits::default()
        }
    }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        Ok(_) | Err(_) => Err("write a whole number of at least 1".to_owned()),
    }
}

/// A fraction or a percentage.
fn share(text: &str) -> Result<f64, String> {
    let parsed = match text.strip_suffix('%') {
        Some(percentage) => percentage.trim().parse().map(|it: f64| it / 100.0),
        None => text.parse(),
    };
    match parsed {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        Ok(_) | Err(_) => Err("write a share from 0 to 1, or from 0% to 100%".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn shares() {
        assert_eq!(share("0.001"), Ok(0.001));
        assert_eq!(share("0.1%"), Ok(0.001));
        assert_eq!(share("100%"), Ok(1.0));
        for wrong in ["", "1.5", "-1", "NaN", "101%", "x%"] {
            assert!(share(wrong).is_err(), "{wrong}");
        }
    }
}
