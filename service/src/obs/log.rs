//! The log: where lines go, how they look, and what happens when something panics. `RUST_LOG`
//! says what is logged, in the form that every Rust program knows; without it, `info` and up, and
//! `error` alone of commands that end by themselves: what they do stands in what they print.
//! `info,punctual::request=debug` shows every request.
//!
//! Never here, nor in any line: a phone number that isn't masked, a text, a secret.

use std::any::Any;
use std::cell::RefCell;
use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::config::LogFormat;

/// What is logged of the service unless `RUST_LOG` says otherwise. The two are talkative at `info`
/// about every migration that is not needed.
const OF_SERVICE: &str = "info,tokio_postgres=warn,refinery_core=warn";
/// The same of any other command.
const OF_COMMAND: &str = "error";

/// Reads `RUST_LOG`.
///
/// # Errors
/// What is wrong with it, in one line.
pub(crate) fn filter(rust_log: Option<&str>, is_service: bool) -> Result<EnvFilter, String> {
    match rust_log.filter(|text| !text.trim().is_empty()) {
        None => Ok(EnvFilter::new(if is_service { OF_SERVICE } else { OF_COMMAND })),
        Some(text) => EnvFilter::try_new(text).map_err(|error| {
            format!("RUST_LOG (environment): {error}; write for instance info,punctual=debug")
        }),
    }
}

/// Sends log lines to standard error from here on. Done twice, the second does nothing.
pub(crate) fn install(format: LogFormat, filter: EnvFilter) {
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // A line that can't be written is lost. By default that is said on standard error, which is
        // where it could not be written: where that is closed, by a panic, whose line can't be
        // written either.
        .log_internal_errors(false)
        .with_span_events(FmtSpan::NONE);
    let installed = match format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).try_init(),
    };
    if installed.is_ok() {
        log_panics();
    }
}

thread_local! {
    /// Where this thread panicked last, for whoever caught it.
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// A panic that is caught is told once, by who caught it; any other is logged here.
pub(crate) fn log_panics() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        let said = format!("panic at {place}: {}", message(info.payload()));
        if super::request::current().is_some() {
            PANIC.with(|last| *last.borrow_mut() = Some(said));
        } else {
            tracing::error!(cause = said, "panic");
        }
    }));
}

/// What a caught panic said, with its place if the hook is installed.
pub(crate) fn caught(payload: &(dyn Any + Send)) -> String {
    let said = PANIC.with(|last| last.borrow_mut().take());
    said.unwrap_or_else(|| format!("panic: {}", message(payload)))
}

fn message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&'static str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rust_log_as_people_expect_it() {
        for unset in [None, Some(""), Some(" ")] {
            assert!(filter(unset, true).expect("default").to_string().contains("info"));
            assert_eq!(filter(unset, false).expect("default").to_string(), "error");
        }
        assert!(filter(Some("warn,punctual::request=debug"), false).is_ok());
        let said = filter(Some("punctual=loud"), true).expect_err("no such level");
        assert!(said.starts_with("RUST_LOG (environment):") && !said.contains('\n'), "{said}");
    }
}
