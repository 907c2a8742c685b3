//! Arguments that nobody knows: each is told, and the rest of the command line is read without it,
//! so that one slip hides no other mistake.
//!
//! Never here: what is known (`args`), settings that are wrong (`config`).

use std::ffi::{OsStr, OsString};

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgMatches, Command, Error};

/// What could be read of a command line.
pub(super) struct Read {
    /// Of what is known, or what else is wrong with it.
    pub(super) known: Result<ArgMatches, Error>,
    /// What nobody knows, in its order.
    pub(super) unknown: Vec<Error>,
}

/// Reads a command line.
pub(super) fn read(command: &Command, mut arguments: Vec<OsString>) -> Read {
    let mut unknown = Vec::new();
    // Where the last unknown flag stood, if what follows there now may be its value.
    let mut value_at = None;
    loop {
        let error = match command.clone().try_get_matches_from(&arguments) {
            Ok(matches) => return Read { known: Ok(matches), unknown },
            Err(error) => error,
        };
        let is_value = |at: &usize| value_at == Some(*at);
        let at = place(&error, &arguments).filter(|at| {
            error.kind() == ErrorKind::UnknownArgument || is_value(at) // no subcommand either
        });
        let Some(at) = at else { return Read { known: Err(error), unknown } };
        let removed = arguments.remove(at);
        if value_at.take() == Some(at) && !is_flag(&removed) {
            continue; // told with its flag
        }
        let has_value = removed.to_str().is_some_and(|text| text.contains('='));
        value_at = (is_flag(&removed) && !has_value).then_some(at);
        unknown.push(error);
    }
}

fn is_flag(argument: &OsStr) -> bool {
    argument.as_encoded_bytes().starts_with(b"-")
}

/// Where what a complaint is about stands.
fn place(error: &Error, arguments: &[OsString]) -> Option<usize> {
    let kind = match error.kind() {
        ErrorKind::UnknownArgument => ContextKind::InvalidArg,
        ErrorKind::InvalidSubcommand => ContextKind::InvalidSubcommand,
        _ => return None,
    };
    let Some(ContextValue::String(about)) = error.get(kind) else { return None };
    let is_it = |argument: &OsString| {
        argument.to_str().is_some_and(|text| {
            text == about || text.strip_prefix(&**about).is_some_and(|rest| rest.starts_with('='))
        })
    };
    arguments.iter().skip(1).position(is_it).map(|at| at + 1)
}

#[cfg(test)]
mod tests {
    use clap::Arg;

    use super::*;

    /// What is unknown, and what is known all the same or what else is wrong.
    fn said(line: &str) -> (Vec<String>, String) {
        let serve = Command::new("serve");
        let limit = Arg::new("limit").long("limit").global(true);
        let command = Command::new("x").subcommand_required(true).subcommand(serve).arg(limit);
        let Read { known, unknown } = read(&command, line.split(' ').map(Into::into).collect());
        let about = |error: &Error| match error.get(ContextKind::InvalidArg) {
            Some(ContextValue::String(about)) => about.clone(),
            other => format!("{other:?}"),
        };
        let known = match known {
            Ok(matches) => {
                let (name, matches) = matches.subcommand().unwrap();
                format!("{name} {:?}", matches.get_one::<String>("limit"))
            }
            Err(error) => error.kind().to_string(),
        };
        (unknown.iter().map(about).collect(), known)
    }

    #[test]
    fn each_is_told_and_the_rest_is_read() {
        let limit = "serve Some(\"4\")";
        let cases: [(&str, &[&str], &str); 8] = [
            ("x serve --limit 4", &[], limit),
            ("x serve --no --limit 4 --nor", &["--no", "--nor"], limit),
            ("x serve --no=secret --limit 4", &["--no"], limit),
            ("x serve --no secret --limit 4", &["--no"], limit),
            ("x --no secret serve --limit 4", &["--no"], limit),
            ("x serve --no --no secret --limit 4", &["--no", "--no"], limit),
            ("x serve --no secret extra --limit 4", &["--no", "extra"], limit),
            ("x serve extra --limit 4 -z", &["extra", "-z"], limit),
        ];
        for (line, unknown, known) in cases {
            let (told, rest) = said(line);
            assert_eq!(told, unknown, "{line}");
            assert_eq!(rest, known, "{line}");
        }
    }

    #[test]
    fn what_else_is_wrong_is_told_after_them() {
        let missing = ErrorKind::InvalidValue.to_string();
        assert_eq!(said("x serve --no --limit"), (vec!["--no".to_owned()], missing));
        let (told, rest) = said("x sreve --no");
        assert_eq!((told.len(), rest), (0, ErrorKind::InvalidSubcommand.to_string()));
    }
}
