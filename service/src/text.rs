//! The words of a reminder: templates that practices write, what they may say, the two that come
//! with the program, and how many SMS segments a text takes.
//!
//! Belongs here: everything about words, as pure functions of a practice's settings and the
//! appointments in a text. Never here: which appointments share one (`stages::release`), who gets
//! it (`provider`).

mod defaults;
mod render;
mod segments;

pub(crate) use defaults::default_rules;
pub(crate) use render::{MEMBERS_MAX, Member, Text, Texts, validate};
pub(crate) use segments::segments;
