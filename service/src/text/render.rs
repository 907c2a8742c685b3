//! Rendering: a sandboxed Jinja without files, macros or functions, with a bound on its work and
//! on its output. A template is compiled once and kept; practices that share one share it.
//!
//! Never here: what GSM-7 is (`segments`), a default wording (`defaults`).

use std::io;
use std::sync::{PoisonError, RwLock};

use contract::{Limit, Stage};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use minijinja::value::Serde;
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, Value, filters, tests};
use serde::Serialize;

use super::defaults::FALLBACK;
use super::segments;
use crate::obs;
use crate::practice::Revision;

/// Steps that one rendering may take. A text of twenty appointments takes about 700.
const FUEL: u64 = 20_000;
/// Longest text that Twilio takes, in UTF-16 code units.
const TEXT_UNITS_MAX: usize = 1_600;
/// Appointments that a text tells of at most. In the program's own words each takes 36 characters
/// with its day and time, and 81 more with a first name of 80; a practice's name of 120 and what is
/// said around take 191: 1,361 together. Where names are in characters that take two units, those
/// of patients can be left out: 671 then. So none is ever cut off.
pub(crate) const MEMBERS_MAX: usize = 10;
/// Bytes of output that are kept: no text of `TEXT_UNITS_MAX` units takes three for each, and one
/// that is longer is cut.
const OUTPUT_BYTES_MAX: usize = TEXT_UNITS_MAX * 4;

/// An appointment as a text speaks of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Member<'a> {
    /// As the practice calls the patient; may be empty.
    pub(crate) patient_name: &'a str,
    /// What to bring or to mind; may be empty.
    pub(crate) instructions: &'a str,
    /// When it begins.
    pub(crate) starts_at: Timestamp,
}

/// What a text does not say of its appointments, as it would be too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LeavesOut {
    Nothing,
    Instructions,
    /// Instructions as well.
    Names,
}

impl LeavesOut {
    /// An appointment as it is spoken of then.
    const fn of<'a>(self, member: &Member<'a>) -> Member<'a> {
        match self {
            Self::Nothing => *member,
            Self::Instructions => Member { instructions: "", ..*member },
            Self::Names => Member { instructions: "", patient_name: "", ..*member },
        }
    }
}

/// A text, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Text {
    /// What it says.
    pub(crate) body: String,
    /// How many segments it takes.
    pub(crate) segments: i16,
}

/// The compiled templates of the process.
pub(crate) struct Texts {
    /// Templates by their own text: a practice's revision says which one a rule has, and most
    /// practices have the same.
    compiled: RwLock<Environment<'static>>,
    room: usize,
}

/// What a template can use.
#[derive(Serialize)]
struct Context<'a> {
    practice: &'a str,
    patient: &'a str,
    when: String,
    appointments: Vec<Appointment<'a>>,
}

#[derive(Serialize)]
struct Appointment<'a> {
    patient: &'a str,
    time: String,
    date: String,
    when: String,
    instructions: &'a str,
}

/// The names in [`Context`], for messages.
const VARIABLES: &[&str] = &["practice", "patient", "when", "appointments"];

impl Texts {
    /// No template yet, and room for so many.
    pub(crate) fn new(room: usize) -> Self {
        Self { compiled: RwLock::new(environment()), room: room.max(1) }
    }

    /// The text of a rule for appointments that share it, earliest first, as the practice of that
    /// name words it. `local_day` is the day on which it is due. A template that fails gives way to
    /// the program's own: a reminder in other words is better than none. What would be too long
    /// says less of each appointment, so that all are told of, up to [`MEMBERS_MAX`].
    pub(crate) fn render(
        &self,
        practice: &str,
        revision: &Revision,
        rule_id: i16,
        local_day: Date,
        members: &[Member<'_>],
    ) -> Text {
        let own = revision.rule(rule_id).map_or(FALLBACK, |rule| rule.template.as_str());
        let ways = [
            (own, LeavesOut::Nothing),
            (own, LeavesOut::Instructions),
            (FALLBACK, LeavesOut::Nothing),
            (FALLBACK, LeavesOut::Instructions),
            (FALLBACK, LeavesOut::Names),
        ];
        let (mut body, mut failed) = (String::new(), None);
        for (at, (template, leaves_out)) in ways.into_iter().enumerate() {
            if failed == Some(template) {
                continue;
            }
            let told: Vec<Member<'_>> = members.iter().map(|m| leaves_out.of(m)).collect();
            let context = Value::from(Serde(context(practice, revision, local_day, &told)));
            match self.run(template, &context) {
                Ok(said) if fits(&said) => {
                    if at > 0 && failed.is_none() {
                        tracing::info!(
                            practice_id = revision.practice_id,
                            rule_id,
                            members = members.len(),
                            ?leaves_out,
                            "a text would be too long and says less"
                        );
                    }
                    return Text { segments: segments(&said), body: said };
                }
                Ok(said) => body = said,
                Err(error) => {
                    failed = Some(template);
                    obs::stage::failed(Stage::Render, 1);
                    tracing::warn!(
                        practice_id = revision.practice_id, revision = revision.revision, rule_id,
                        kind = ?error.kind(), "a template failed; the program's own is used"
                    );
                }
            }
        }
        // Never: a test renders the largest families.
        obs::stage::failed(Stage::Render, 1);
        tracing::error!(practice_id = revision.practice_id, rule_id, "a text is cut");
        let body = cut(body);
        Text { segments: segments(&body), body }
    }

    fn run(&self, template: &str, context: &Value) -> Result<String, Error> {
        {
            let compiled = self.compiled.read().unwrap_or_else(PoisonError::into_inner);
            if let Ok(found) = compiled.get_template(template) {
                return bounded(&found, context);
            }
        }
        let mut compiled = self.compiled.write().unwrap_or_else(PoisonError::into_inner);
        if compiled.templates().count() >= self.room {
            compiled.clear_templates();
        }
        compiled.add_template_owned(template.to_owned(), template.to_owned())?;
        obs::limit::used_of(
            Limit::TemplateCache,
            compiled.templates().count() as u64,
            self.room as u64,
        );
        bounded(&compiled.get_template(template)?, context)
    }
}

/// Checks a template that a practice wants to use: that it can be read, uses nothing that isn't
/// there, and renders one appointment and several into a text that isn't empty.
///
/// # Errors
/// One line that says what is wrong, without the template.
pub(crate) fn validate(template: &str) -> Result<(), String> {
    let mut environment = environment();
    environment
        .add_template_owned("template", template.to_owned())
        .map_err(|error| explain(&error))?;
    let compiled = environment.get_template("template").map_err(|error| explain(&error))?;
    let mut unknown: Vec<String> = compiled
        .undeclared_variables(false)
        .into_iter()
        .filter(|name| !VARIABLES.contains(&name.as_str()))
        .collect();
    unknown.sort_unstable();
    if let Some(name) = unknown.first() {
        let known = VARIABLES.join(", ");
        return Err(format!("there is no {name}; a template can use {known}"));
    }
    for context in samples() {
        let body = bounded(&compiled, &context).map_err(|error| explain(&error))?;
        if body.trim().is_empty() {
            return Err("gives an empty text".into());
        }
        if units(&body) > TEXT_UNITS_MAX {
            return Err(format!("gives a text of more than {TEXT_UNITS_MAX} characters"));
        }
    }
    Ok(())
}

/// A sandbox: a few filters and tests, no functions, no files, nothing escaped.
fn environment() -> Environment<'static> {
    let mut environment = Environment::empty();
    environment.set_fuel(Some(FUEL));
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.add_filter("upper", filters::upper);
    environment.add_filter("lower", filters::lower);
    environment.add_filter("title", filters::title);
    environment.add_filter("capitalize", filters::capitalize);
    environment.add_filter("trim", filters::trim);
    environment.add_filter("replace", filters::replace);
    environment.add_filter("default", filters::default);
    environment.add_filter("length", filters::length);
    environment.add_filter("count", filters::length);
    environment.add_filter("first", filters::first);
    environment.add_filter("last", filters::last);
    environment.add_filter("join", filters::join);
    environment.add_filter("map", filters::map);
    environment.add_filter("unique", filters::unique);
    environment.add_test("defined", tests::is_defined);
    environment.add_test("undefined", tests::is_undefined);
    environment.add_test("none", tests::is_none);
    environment
}

fn bounded(template: &minijinja::Template<'_, '_>, context: &Value) -> Result<String, Error> {
    let mut output = Bounded { bytes: Vec::with_capacity(256), is_full: false };
    template.render_captured_to(context.clone(), &mut output)?;
    String::from_utf8(output.bytes)
        .map_err(|_| Error::new(ErrorKind::WriteFailure, "the text is not UTF-8"))
}

/// Takes in more than a text can have and drops the rest; the fuel ends what goes on for ever.
struct Bounded {
    bytes: Vec<u8>,
    is_full: bool,
}

impl io::Write for &mut Bounded {
    /// Takes a piece whole or not at all, so that no character is cut.
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.is_full |= self.bytes.len() + piece.len() > OUTPUT_BYTES_MAX;
        if !self.is_full {
            self.bytes.extend_from_slice(piece);
        }
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn context<'a>(
    practice: &'a str,
    revision: &Revision,
    local_day: Date,
    members: &'a [Member<'a>],
) -> Context<'a> {
    let appointments: Vec<Appointment<'a>> = members
        .iter()
        .map(|member| {
            let local = member.starts_at.to_zoned(revision.timezone.clone());
            let time = local.strftime("%H:%M").to_string();
            let date = local.strftime("%A %-d %B").to_string();
            let when = when(local_day, local.date(), &date, &time);
            Appointment {
                patient: first_name(member.patient_name),
                time,
                date,
                when,
                instructions: member.instructions.trim(),
            }
        })
        .collect();
    Context {
        practice,
        patient: appointments.first().map_or("", |first| first.patient),
        when: appointments.first().map_or_else(String::new, |first| first.when.clone()),
        appointments,
    }
}

/// The day in words as seen from the day on which the text is due, and the time.
fn when(today: Date, day: Date, date: &str, time: &str) -> String {
    let tomorrow = today.saturating_add(Span::new().days(1));
    if day == today {
        format!("today at {time}")
    } else if day == tomorrow {
        format!("tomorrow at {time}")
    } else {
        format!("on {date} at {time}")
    }
}

/// The first word of a name.
fn first_name(name: &str) -> &str {
    name.split_whitespace().next().unwrap_or("")
}

/// One appointment with all that can be said of one, and a family of three.
fn samples() -> [Value; 2] {
    let revision = Revision {
        practice_id: 1,
        revision: 1,
        timezone: TimeZone::UTC,
        timezone_name: "UTC".into(),
        send_from: jiff::civil::time(8, 0, 0, 0),
        send_until: jiff::civil::time(20, 0, 0, 0),
        rules: Vec::new(),
    };
    let member = |patient_name, instructions, hours| Member {
        patient_name,
        instructions,
        starts_at: Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(hours),
    };
    let one = [member("Ana Example", "Please come fasting.", 9)];
    let family = [
        member("Ana Example", "", 9),
        member("Bo Example", "Bring the X-rays.", 10),
        member("", "", 33),
    ];
    let day = Date::constant(1970, 1, 1);
    let practice = "Example Practice";
    [&one[..], &family[..]]
        .map(|members| Value::from(Serde(context(practice, &revision, day, members))))
}

/// What is wrong with a template, in one line.
fn explain(error: &Error) -> String {
    let what = match error.kind() {
        ErrorKind::OutOfFuel => "does too much work".to_owned(),
        ErrorKind::UndefinedError => "uses something that isn't there".to_owned(),
        kind => match error.detail() {
            Some(detail) => format!("{kind}: {detail}"),
            None => kind.to_string(),
        },
    };
    match error.line() {
        Some(line) => format!("{what} (line {line})"),
        None => what,
    }
}

/// Whether providers take it, and it says something.
fn fits(body: &str) -> bool {
    !body.is_empty() && (body.len() <= TEXT_UNITS_MAX || units(body) <= TEXT_UNITS_MAX)
}

/// Cuts a text to what providers take, at a character.
fn cut(mut body: String) -> String {
    let mut left = TEXT_UNITS_MAX - 3;
    let cut = body.char_indices().find_map(|(at, c)| match left.checked_sub(c.len_utf16()) {
        Some(rest) => {
            left = rest;
            None
        }
        None => Some(at),
    });
    body.truncate(cut.unwrap_or(body.len()));
    body.push_str("...");
    body
}

fn units(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

#[cfg(test)]
#[path = "render_tests.rs"]
mod render_tests;
