//! What each kind of request must keep: a latency from the intended start, and the share of
//! requests that must be within it.
//!
//! Never here: judging by them (`verdict`).

use std::str::FromStr;
use std::time::Duration;

use crate::exit::Failure;
use crate::plan::Plan;
use crate::plan::args::duration;

/// A share of requests within a latency.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Objective {
    /// From the intended start to the last byte.
    pub latency: Duration,
    /// How many of all must be within it, as a ratio.
    pub share: f64,
}

/// As it is written: `[NAME=]TIME[@PERCENT]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    name: Option<String>,
    objective: Objective,
}

/// Objectives by name, and one for all others.
#[derive(Debug, Clone, PartialEq)]
pub struct Objectives {
    others: Objective,
    named: Vec<(String, Objective)>,
}

/// What holds where nothing else is asked for.
const DEFAULT: Objective = Objective { latency: Duration::from_millis(500), share: 0.99 };

impl FromStr for Written {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let usage =
            || format!("{text:?}: write [NAME=]TIME[@PERCENT], such as 250ms, or read=100ms@99.9");
        let (name, rest) = match text.rsplit_once('=') {
            Some((name, rest)) => (Some(name.to_owned()), rest),
            None => (None, text),
        };
        let (latency, share) = match rest.split_once('@') {
            None => (rest, DEFAULT.share),
            Some((latency, percent)) => match percent.trim_end_matches('%').parse::<f64>() {
                // Rounded, as 99.9 ÷ 100 is a hair above 0.999.
                Ok(percent) if percent > 0.0 && percent <= 100.0 => {
                    (latency, (percent * 1e7).round() / 1e9)
                }
                Ok(_) | Err(_) => return Err(usage()),
            },
        };
        let latency = duration(latency).map_err(|_| usage())?;
        Ok(Self { name, objective: Objective { latency, share } })
    }
}

impl Objectives {
    /// Of all that were given; the later one of a name counts.
    #[must_use]
    pub fn new(written: &[Written]) -> Self {
        let mut all = Self { others: DEFAULT, named: Vec::new() };
        for Written { name, objective } in written {
            match name {
                None => all.others = *objective,
                Some(name) => all.named.push((name.clone(), *objective)),
            }
        }
        all
    }

    /// That of a name.
    #[must_use]
    pub fn of(&self, name: &str) -> Objective {
        let named = self.named.iter().rev().find(|(own, _)| own == name);
        named.map_or(self.others, |(_, objective)| *objective)
    }

    /// Those that were given, for the kinds of a plan.
    ///
    /// # Errors
    /// One is for a name that no kind of request has.
    pub fn for_plan(written: &[Written], plan: &Plan) -> Result<Self, Failure> {
        let all = Self::new(written);
        let kinds: Vec<&str> = plan.kinds().iter().map(|kind| kind.name.as_str()).collect();
        let Some(unknown) = all.unknown(&kinds) else { return Ok(all) };
        let kinds = kinds.join(", ");
        Err(Failure::Usage(format!(
            "--objective {unknown}: no request has that name; the plan has {kinds}"
        )))
    }

    /// The same for a plan that is sent as it is: what never comes meets every objective.
    ///
    /// # Errors
    /// One is for a name that no request of the plan has.
    pub fn asked_of(written: &[Written], plan: &Plan) -> Result<Self, Failure> {
        let all = Self::for_plan(written, plan)?;
        let kinds = plan.kinds().iter().zip(plan.counts());
        let mut never = kinds.filter_map(|(kind, count)| (count == 0).then_some(&kind.name));
        let Some(name) = never.find(|name| all.named.iter().any(|(own, _)| own == *name)) else {
            return Ok(all);
        };
        Err(Failure::Usage(format!(
            "--objective {name}: the plan has no request of that name; make it longer, give that \
             more weight or another --window, or leave the objective out"
        )))
    }

    /// A name that no kind of request has.
    fn unknown<'a>(&'a self, kinds: &[&str]) -> Option<&'a str> {
        let unknown = |(name, _): &&(String, Objective)| !kinds.contains(&name.as_str());
        self.named.iter().find(unknown).map(|(name, _)| name.as_str())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write as _;

    use clap::Parser;

    use super::*;
    use crate::plan::args::WorkArgs;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        work: WorkArgs,
    }

    /// Drawn by weight, one request of two kinds leaves one of them without any.
    #[test]
    fn an_objective_of_what_is_never_sent_is_refused() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let often = "{\"path\":\"/a\",\"name\":\"often\"}\n";
        let rare = "{\"path\":\"/b\",\"name\":\"rare\",\"weight\":1e-12}\n";
        file.write_all([often, rare].concat().as_bytes()).unwrap();
        let path = file.path().to_str().unwrap();
        let flags = ["run", "--rate", "10", "--duration", "1s", "--requests", path];
        let plan = Line::try_parse_from(flags).unwrap().work.plan().unwrap();
        assert_eq!(plan.counts(), [10, 0]);
        let asked = |text: &str| Objectives::asked_of(&[text.parse().unwrap()], &plan);
        let error = asked("rare=10ms").unwrap_err();
        assert_eq!(error.exit(), crate::exit::Exit::Usage);
        let text = error.to_string();
        assert!(text.starts_with("--objective rare: the plan has no request"), "{text}");
        assert!(asked("often=10ms").is_ok() && asked("10ms").is_ok());
        assert!(asked("other=10ms").unwrap_err().to_string().contains("no request has that name"));
        // Where the plan is only the first of several, another one may have it.
        assert!(Objectives::for_plan(&["rare=10ms".parse().unwrap()], &plan).is_ok());
    }

    #[test]
    fn objectives_are_found_by_name() {
        let written = ["100ms", "GET:/a=20ms@99.9", "b=1s@100%"].map(|t| t.parse().unwrap());
        let all = Objectives::new(&written);
        let of = |name| {
            let Objective { latency, share } = all.of(name);
            (latency.as_millis(), share)
        };
        assert_eq!((of("a"), of("GET:/a"), of("b")), ((100, 0.99), (20, 0.999), (1_000, 1.0)));
        assert_eq!(all.unknown(&["b", "GET:/a"]), None);
        assert_eq!(all.unknown(&["b"]), Some("GET:/a"));
        assert_eq!(Objectives::new(&[]).of("x"), DEFAULT);
        for text in ["", "fast", "10ms@0", "10ms@101", "a=@99"] {
            assert!(text.parse::<Written>().unwrap_err().contains("TIME[@PERCENT]"), "{text}");
        }
    }
}
