//! Where settings come from, and which of them holds: defaults, the file, the environment, flags,
//! each above the one before it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::settings::{self, Config, Setting};
use super::value::Value;
use super::{ENVIRONMENT_PREFIX, Mistake, check};

/// What a process was started with.
#[derive(Debug, Clone, Default)]
pub(crate) struct Inputs {
    /// The file named by `--config`.
    pub(crate) file: Option<PathBuf>,
    /// The environment.
    pub(crate) environment: Vec<(String, String)>,
    /// Settings given as flags: name and value.
    pub(crate) flags: Vec<(String, String)>,
}

/// The settings that hold, and what there is to say about them.
#[derive(Debug, Clone)]
pub(crate) struct Loaded {
    /// The settings.
    pub(crate) config: Config,
    /// Which ones were made up for this run, in words, for the log.
    pub(crate) notes: Vec<String>,
    values: Values,
}

/// Where a value was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    Default,
    /// Made for this run.
    Made,
    File(PathBuf),
    /// The variable's name.
    Environment(String),
    /// The flag's name.
    Flag(String),
}

impl Source {
    fn place(&self) -> String {
        match self {
            Self::Default => "default".into(),
            Self::Made => "made for this run".into(),
            Self::File(path) => path.display().to_string(),
            Self::Environment(_) => "environment".into(),
            Self::Flag(_) => "flag".into(),
        }
    }
}

/// The texts of all settings, each with its source.
#[derive(Debug, Clone)]
pub(super) struct Values {
    table: Vec<Setting>,
    texts: BTreeMap<String, (String, Source)>,
}

impl Values {
    /// Reads a setting; a mistake is noted.
    pub(super) fn read<T: Value>(&self, name: &str, mistakes: &mut Vec<Mistake>) -> Option<T> {
        let setting = self.table.iter().find(|setting| setting.name == name)?;
        let (text, _) = self.texts.get(name)?;
        let outside = setting.within.is_some_and(|(least, most)| {
            text.parse::<u64>().is_ok_and(|number| number < least || number > most)
        });
        let result = if outside { Err(String::new()) } else { T::read(text) };
        match result {
            Ok(value) => Some(value),
            Err(_) if text.is_empty() => {
                let what = format!("is needed: {}", setting.must_be());
                mistakes.push(self.mistake(name, what));
                None
            }
            Err(hint) => {
                let hint = if hint.is_empty() { hint } else { format!("; {hint}") };
                let what = format!("must be {}{hint}", setting.must_be());
                mistakes.push(self.mistake(name, what));
                None
            }
        }
    }

    /// A mistake at the place where a setting was set.
    pub(super) fn mistake(&self, name: &str, what: impl Into<String>) -> Mistake {
        let variable = format!("{ENVIRONMENT_PREFIX}{}", name.to_uppercase());
        let (name, place) = match self.texts.get(name).map(|(_, source)| source) {
            None | Some(Source::Default | Source::Made) => (variable, "not set".into()),
            Some(source @ Source::File(_)) => (name.to_owned(), source.place()),
            Some(source @ (Source::Environment(written) | Source::Flag(written))) => {
                (written.clone(), source.place())
            }
        };
        Mistake { name, place, what: what.into() }
    }

    /// Whether anybody set it.
    pub(super) fn is_set(&self, name: &str) -> bool {
        self.texts.get(name).is_some_and(|(text, _)| !text.is_empty())
    }

    /// Sets what was made for this run.
    pub(super) fn make(&mut self, name: &str, text: &str) {
        self.texts.insert(name.to_owned(), (text.to_owned(), Source::Made));
    }

    fn set(&mut self, name: &str, text: String, source: Source) {
        self.texts.insert(name.to_owned(), (text, source));
    }
}

/// Reads all layers and checks what they say together.
///
/// # Errors
/// Every mistake that there is.
pub(crate) fn load(inputs: &Inputs) -> Result<Loaded, Vec<Mistake>> {
    let mut mistakes = Vec::new();
    let mut values = collect(inputs, &mut mistakes);
    let notes = check::fill(&mut values, &mut mistakes);
    let config = Config::read(&values, &mut mistakes);
    check::together(&values, &mut mistakes);
    match config {
        Some(config) if mistakes.is_empty() => Ok(Loaded { config, notes, values }),
        Some(_) | None => Err(in_order(mistakes)),
    }
}

/// Where operators reach a service that has these settings; for a command that only calls it, and
/// so needs none of the others.
///
/// # Errors
/// Every mistake in naming settings, and in this one.
pub(crate) fn admin_addr(inputs: &Inputs) -> Result<SocketAddr, Vec<Mistake>> {
    let mut mistakes = Vec::new();
    let values = collect(inputs, &mut mistakes);
    match values.read("admin_addr", &mut mistakes) {
        Some(address) if mistakes.is_empty() => Ok(address),
        Some(_) | None => Err(in_order(mistakes)),
    }
}

fn in_order(mut mistakes: Vec<Mistake>) -> Vec<Mistake> {
    mistakes.sort();
    mistakes.dedup();
    mistakes
}

/// The texts of all layers, each above the one before it.
fn collect(inputs: &Inputs, mistakes: &mut Vec<Mistake>) -> Values {
    let table = settings::all();
    let defaults = table
        .iter()
        .map(|setting| (setting.name.to_string(), (setting.default.to_string(), Source::Default)));
    let mut values = Values { texts: defaults.collect(), table: table.clone() };
    if let Some((path, named_by)) = file_of(inputs) {
        read_file(&path, &named_by, &mut values, mistakes);
    }
    let environment = inputs.environment.iter().filter(|(_, text)| !text.is_empty());
    let environment = environment.filter_map(|(variable, text)| {
        let name = variable.strip_prefix(ENVIRONMENT_PREFIX)?.to_lowercase();
        Some((name, text.clone(), Source::Environment(variable.clone())))
    });
    apply(environment.collect(), &mut values, mistakes);
    let flags = inputs.flags.iter().map(|(name, text)| {
        let written = format!("--{}", name.replace('_', "-"));
        (name.clone(), text.clone(), Source::Flag(written))
    });
    apply(flags.collect(), &mut values, mistakes);
    values
}

impl Loaded {
    /// Every setting with its value, secrets masked, and where it was set.
    pub(crate) fn lines(&self) -> Vec<(String, String, String)> {
        let mut shown: BTreeMap<String, String> = settings::shown(&self.config)
            .into_iter()
            .map(|(name, text)| (name.to_owned(), text))
            .collect();
        let table = &self.values.table;
        table
            .iter()
            .map(|setting| {
                let name = setting.name.to_string();
                let (text, source) = &self.values.texts[&name];
                let text = shown.remove(&name).unwrap_or_else(|| text.clone());
                (name, text, source.place())
            })
            .collect()
    }
}

/// The settings file and how it was named.
fn file_of(inputs: &Inputs) -> Option<(PathBuf, String)> {
    let variable = format!("{ENVIRONMENT_PREFIX}CONFIG");
    let named =
        inputs.environment.iter().find(|(name, text)| *name == variable && !text.is_empty());
    match (&inputs.file, named) {
        (Some(path), _) => Some((path.clone(), "--config".into())),
        (None, Some((_, text))) => Some((text.into(), variable)),
        (None, None) => None,
    }
}

fn read_file(path: &Path, named_by: &str, values: &mut Values, mistakes: &mut Vec<Mistake>) {
    let place = path.display().to_string();
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            let what = format!("the file can't be read: {error}");
            mistakes.push(Mistake { name: named_by.into(), place, what });
            return;
        }
    };
    let table: toml::Table = match text.parse() {
        Ok(table) => table,
        Err(error) => {
            let error: toml::de::Error = error;
            let line = error.span().map_or(1, |span| text[..span.start].lines().count().max(1));
            let what = "is not TOML; write lines such as shard_count = 16".into();
            mistakes.push(Mistake { name: format!("line {line}"), place, what });
            return;
        }
    };
    let mut entries = Vec::new();
    for (name, value) in table {
        let source = Source::File(path.to_owned());
        match written(&value) {
            Some(text) => entries.push((name, text, source)),
            None => mistakes.push(Mistake {
                name,
                place: place.clone(),
                what: "must be a text, a number, true, false or a list of texts".into(),
            }),
        }
    }
    apply(entries, values, mistakes);
}

/// A TOML value as it would be written in the environment.
fn written(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Boolean(yes) => Some(yes.to_string()),
        toml::Value::Array(items) => {
            let items: Option<Vec<&str>> = items.iter().map(toml::Value::as_str).collect();
            items.map(|items| items.join(","))
        }
        toml::Value::Float(_) | toml::Value::Datetime(_) | toml::Value::Table(_) => None,
    }
}

/// Lays one layer over what is there.
fn apply(entries: Vec<(String, String, Source)>, values: &mut Values, mistakes: &mut Vec<Mistake>) {
    let names: Vec<String> = entries.iter().map(|(name, _, _)| name.clone()).collect();
    for (name, text, source) in entries {
        if values.texts.contains_key(&name) {
            values.set(&name, text, source);
            continue;
        }
        let secret = name.strip_suffix("_file").filter(|bare| {
            values.table.iter().any(|setting| setting.is_secret && setting.name == *bare)
        });
        match secret {
            Some(secret) if names.iter().any(|other| other == secret) => {
                let what = format!("{secret} is set at the same place as well; keep one of them");
                mistakes.push(at(&name, &source, what));
            }
            Some(secret) => match std::fs::read_to_string(&text) {
                Ok(content) => values.set(secret, content.trim_end().to_owned(), source),
                Err(error) => mistakes.push(at(&name, &source, format!("can't be read: {error}"))),
            },
            None => mistakes.extend(unknown(&name, &source, &values.table)),
        }
    }
}

/// A name that is no setting. In the environment other programs of this project have theirs, so
/// only what looks like a slip is a mistake there.
fn unknown(name: &str, source: &Source, table: &[Setting]) -> Option<Mistake> {
    if name == "config" {
        let what = "can't be set in a file".to_owned();
        return matches!(source, Source::File(_)).then(|| at(name, source, what));
    }
    let near = table
        .iter()
        .map(|setting| (distance(name, &setting.name), &setting.name))
        .min()
        .filter(|(distance, _)| *distance <= 2 + name.len() / 8);
    let hint = near.as_ref().map(|(_, near)| match source {
        Source::Environment(_) => format!("{ENVIRONMENT_PREFIX}{}", near.to_uppercase()),
        Source::Default | Source::Made | Source::File(_) | Source::Flag(_) => near.to_string(),
    });
    match (source, hint) {
        (_, Some(hint)) => {
            Some(at(name, source, format!("is not a setting; did you mean {hint}?")))
        }
        (Source::Environment(_), None) => None,
        (Source::Default | Source::Made | Source::File(_) | Source::Flag(_), None) => {
            Some(at(name, source, "is not a setting; see punctual --help".into()))
        }
    }
}

fn at(name: &str, source: &Source, what: String) -> Mistake {
    let name = match source {
        Source::Environment(written) | Source::Flag(written) => written.clone(),
        Source::Default | Source::Made | Source::File(_) => name.to_owned(),
    };
    Mistake { name, place: source.place(), what }
}

/// Insertions, deletions and substitutions from one word to another (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
