//! `compose.yaml` in the shape that the Compose specification gives it, as far as it is used here:
//! a field that isn't known is a mistake.
//!
//! Never here: what must hold of it, and the whole specification, whose own schema
//! `.ci/compose-schema` holds the file against.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;

/// The top of the repository.
pub(super) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

type Named<T> = BTreeMap<String, T>;

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Compose {
    #[serde(rename = "name")]
    _name: String,
    pub(super) services: Named<Service>,
    pub(super) configs: Named<Content>,
    pub(super) secrets: Named<Secret>,
    pub(super) volumes: Named<Option<Value>>,
}

/// A container.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Service {
    pub(super) image: String,
    pub(super) build: Option<Build>,
    pub(super) command: Option<Vec<String>>,
    #[serde(rename = "entrypoint")]
    _entrypoint: Option<Vec<String>>,
    #[serde(rename = "user")]
    _user: Option<String>,
    #[serde(default)]
    pub(super) environment: Named<String>,
    #[serde(default)]
    pub(super) secrets: Vec<Mounted>,
    #[serde(default)]
    pub(super) configs: Vec<Config>,
    #[serde(default)]
    pub(super) volumes: Vec<String>,
    #[serde(default)]
    pub(super) ports: Vec<String>,
    #[serde(default)]
    pub(super) depends_on: Named<Dependency>,
    #[serde(default)]
    pub(super) networks: Named<Network>,
    pub(super) network_mode: Option<String>,
    #[serde(rename = "healthcheck")]
    _healthcheck: Option<Healthcheck>,
    #[serde(rename = "restart")]
    _restart: Restart,
    #[serde(default, rename = "read_only")]
    _read_only: bool,
    #[serde(default, rename = "cap_drop")]
    _cap_drop: Vec<String>,
    #[serde(default, rename = "security_opt")]
    _security_opt: Vec<String>,
    #[serde(rename = "stop_grace_period")]
    _stop_grace_period: Option<String>,
    #[serde(rename = "pid")]
    _pid: Option<String>,
}

/// A secret, as a file of its name among the secrets or at a place of its own.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Mounted {
    Named(String),
    Placed(Config),
}

impl Mounted {
    /// Which.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Named(name) => name,
            Self::Placed(place) => &place.source,
        }
    }
}

/// How an image of our own is built.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Build {
    #[serde(rename = "context")]
    _context: String,
    pub(super) target: String,
    /// Taken from the environment of whoever builds.
    pub(super) args: Vec<String>,
}

/// A config or a secret, and the file that it becomes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    pub(super) source: String,
    pub(super) target: String,
}

/// What another service must have come to.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Dependency {
    #[serde(rename = "condition")]
    _condition: Condition,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::enum_variant_names, reason = "the specification's words")]
enum Condition {
    ServiceStarted,
    ServiceHealthy,
    ServiceCompletedSuccessfully,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Restart {
    No,
    Always,
    OnFailure,
    UnlessStopped,
}

/// A network and the names under which the service is known in it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Network {
    pub(super) aliases: Vec<String>,
}

/// How a container is looked at, or that it isn't.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Healthcheck {
    #[serde(rename = "test")]
    _test: Option<Vec<String>>,
    #[serde(rename = "interval")]
    _interval: Option<String>,
    #[serde(rename = "timeout")]
    _timeout: Option<String>,
    #[serde(rename = "retries")]
    _retries: Option<u32>,
    #[serde(default, rename = "disable")]
    _disable: bool,
}

/// A file by its content.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Content {
    pub(super) content: String,
}

/// A secret that a variable holds.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Secret {
    pub(super) environment: String,
}

/// Reads the file: merges are applied, and what begins with `x-` is only there to be merged.
pub(super) fn compose() -> Compose {
    let text = std::fs::read_to_string(root().join("compose.yaml")).unwrap();
    let mut yaml: yaml_serde::Value = yaml_serde::from_str(&text).unwrap();
    yaml.apply_merge().unwrap();
    let fields = yaml.as_mapping_mut().unwrap();
    fields.retain(|name, _| !name.as_str().unwrap_or_default().starts_with("x-"));
    yaml_serde::from_value(yaml).unwrap()
}

/// The variables that a text asks the environment for: `${NAME}` with or without a modifier, and
/// not where the dollar sign is doubled.
pub(super) fn variables(text: &str) -> BTreeSet<String> {
    let text = text.replace("$$", "");
    let parts = text.split("${").skip(1);
    let name = |part: &str| {
        let end = part.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        part[..end.unwrap_or(part.len())].to_owned()
    };
    parts.map(name).collect()
}

#[test]
fn a_field_that_is_not_known_is_a_mistake() {
    let read = |text: &str| yaml_serde::from_str::<Service>(text);
    assert!(read("image: x:1.0\nrestart: always\n").is_ok());
    assert!(read("image: x:1.0\nrestart: always\nenvironnement: {}\n").is_err());
    assert!(read("image: x:1.0\nrestart: sometimes\n").is_err());
    let found = variables("a: ${ONE:?} $${two} ${THREE}\n");
    assert_eq!(found.into_iter().collect::<Vec<_>>(), ["ONE", "THREE"]);
}
