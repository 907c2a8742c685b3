//! A wrong flag in one line: what is wrong, where, and what to write instead. Scripts and people
//! read one line of each program's complaint; clap writes a paragraph.
//!
//! Never here: what a flag may be; its parser says that.

use std::ffi::OsString;

use clap::CommandFactory;

use super::Cli;

/// What libraries say of a value, and what a person does about it.
const PLAINLY: [(&str, &str); 3] = [
    ("invalid digit found in string", "write a whole number"),
    ("number too large to fit in target type", "write a smaller number"),
    ("invalid socket address syntax", "write an address and a port, such as 127.0.0.1:4010"),
];

/// One line for what clap has refused of these arguments.
pub(super) fn one_line(error: &clap::Error, arguments: &[OsString]) -> String {
    let text = error.to_string();
    let told = text.lines().map(str::trim).take_while(|line| {
        !line.starts_with("Usage:") && !line.starts_with("For more information")
    });
    let mut line = String::new();
    for part in told.filter(|part| !part.is_empty()) {
        let part = part.strip_prefix("error: ").unwrap_or(part);
        match part.strip_prefix("tip: ") {
            Some(tip) => line += &format!("; {tip}"),
            None if line.is_empty() => line += part,
            None => line += &format!(" {part}"),
        }
    }
    for (theirs, ours) in PLAINLY {
        line = line.replace(theirs, ours);
    }
    format!("loadtest: {}; see {}", bounds_in_words(&line), help_of(arguments))
}

/// `0 is not in 1..=8` as what to write.
fn bounds_in_words(line: &str) -> String {
    let Some((before, bounds)) = line.rsplit_once(" is not in ") else { return line.to_owned() };
    match (bounds.split_once("..="), before.rsplit_once(": ")) {
        (Some((least, most)), Some((what, _))) => {
            format!("{what}: write a number from {least} to {most}")
        }
        (_, _) => line.to_owned(),
    }
}

/// Where all flags of what was asked for are explained.
fn help_of(arguments: &[OsString]) -> String {
    let asked = arguments.get(1).and_then(|argument| argument.to_str());
    match asked.filter(|name| Cli::command().find_subcommand(name).is_some()) {
        Some(name) => format!("loadtest {name} --help"),
        None => "loadtest --help".to_owned(),
    }
}
