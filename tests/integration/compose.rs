//! `compose.yaml` and the `Dockerfile`, checked without running them: what they name is there, what
//! they set is a setting, what they call can be called; `programs` asks those of others.
//!
//! Never here: that the stack runs. There is no registry of images where this is tested; the README
//! says so.

mod file;
mod programs;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tests::binary;

use file::{Compose, Mounted, Service, root, variables};

/// Settings that a file holds are named so.
const IN_A_FILE: &str = "_FILE";

/// The variables of `.env.example`, those that are made of others spelt out.
fn example() -> Vec<(String, String)> {
    let text = std::fs::read_to_string(root().join(".env.example")).unwrap();
    let mut all: Vec<(String, String)> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (name, value) = line.split_once('=').unwrap_or_else(|| panic!("{line}"));
        let put = |value: String, (name, of): &(String, String)| {
            value.replace(&format!("${{{name}}}"), of)
        };
        let value = all.iter().fold(value.to_owned(), put);
        assert_eq!(variables(&value), BTreeSet::new(), "{name} is made of what comes later");
        all.push((name.to_owned(), value));
    }
    all
}

/// Every name that one part of the file uses is made by another part.
#[test]
fn what_is_named_is_there() {
    let Compose { services, configs, secrets, volumes, .. } = file::compose();
    for (name, service) in &services {
        let has = |what: &str, is_there: bool| assert!(is_there, "{name}: {what}");
        for other in service.depends_on.keys() {
            has(other, services.contains_key(other));
        }
        match service.network_mode.as_deref() {
            None | Some("none") => {}
            Some(other) => has(other, services.contains_key(other.trim_start_matches("service:"))),
        }
        for secret in service.secrets.iter().map(Mounted::name) {
            has(secret, secrets.contains_key(secret));
        }
        for config in &service.configs {
            has(&config.source, configs.contains_key(&config.source));
            has(&config.target, config.target.starts_with('/'));
        }
        for mount in &service.volumes {
            let (source, target) = mount.split_once(':').unwrap_or_else(|| panic!("{mount}"));
            has(mount, target.starts_with('/'));
            match source.strip_prefix("./") {
                Some(path) => has(mount, root().join(path).exists()),
                // What isn't ours is only looked at.
                None if source.starts_with('/') => has(mount, target.contains(":ro")),
                None => has(mount, volumes.contains_key(source)),
            }
        }
    }
    let used = |what: fn(&Service) -> Vec<String>| -> BTreeSet<String> {
        services.values().flat_map(what).collect()
    };
    let mounted = used(|service| service.secrets.iter().map(|one| one.name().to_owned()).collect());
    assert_eq!(mounted, secrets.keys().cloned().collect(), "a secret that nobody reads");
    let mounted = used(|service| service.configs.iter().map(|one| one.source.clone()).collect());
    assert_eq!(mounted, configs.keys().cloned().collect(), "a config that nobody reads");
}

/// Images are of one version, and nothing but loopback is opened.
#[test]
fn versions_are_pinned_and_doors_are_closed() {
    let compose = file::compose();
    let ours = ["punctual", "punctual-loadtest"];
    for (name, service) in &compose.services {
        let image = &service.image;
        if service.build.is_none() {
            assert!(is_pinned(image), "{name}: {image}");
        } else {
            assert!(ours.contains(&image.as_str()), "{name}: {image}");
        }
        for port in &service.ports {
            assert!(port.starts_with("127.0.0.1:"), "{name}: {port}");
        }
    }
    let dockerfile = std::fs::read_to_string(root().join("Dockerfile")).unwrap();
    let froms: Vec<Vec<&str>> = dockerfile
        .lines()
        .filter_map(|line| line.strip_prefix("FROM "))
        .map(|rest| rest.split_whitespace().collect())
        .collect();
    let stages: Vec<&str> = froms.iter().filter_map(|words| words.get(2).copied()).collect();
    for words in &froms {
        assert!(stages.contains(&words[0]) || is_pinned(words[0]), "{words:?}");
    }
    for target in compose.services.values().filter_map(|service| service.build.as_ref()) {
        assert!(stages.contains(&target.target.as_str()), "{target:?}");
    }
    let wanted = format!("rust:{}", env!("CARGO_PKG_RUST_VERSION"));
    assert!(froms[0][0].starts_with(&wanted), "{:?}: Cargo.toml asks for {wanted}", froms[0]);
    assert!(dockerfile.contains("\nUSER 65532:65532\n"), "it runs as root");
}

/// What is built knows its revision, though git is not with it: of both images, so that they have
/// the stage in common that builds.
#[test]
fn images_are_told_their_revision() {
    for build in file::compose().services.values().filter_map(|service| service.build.as_ref()) {
        assert_eq!(build.args, ["BUILD_REVISION"], "{build:?}");
    }
    let dockerfile = std::fs::read_to_string(root().join("Dockerfile")).unwrap();
    let at = |text: &str| dockerfile.find(text).unwrap_or_else(|| panic!("{text}"));
    assert!(at("\nARG BUILD_REVISION=unknown\n") < at("cargo build"));
    assert!(at("cargo build") < at("\nFROM debian"), "in the stage that builds");
}

fn is_pinned(image: &str) -> bool {
    let tag = image.rsplit_once(':').map(|(_, tag)| tag);
    tag.is_some_and(|tag| tag.contains('.') && tag.chars().any(|c| c.is_ascii_digit()))
}

/// No secret stands in the file: each comes from a variable that `.env.example` names, and `.env`
/// is kept out of git and out of images.
#[test]
fn secrets_come_from_elsewhere() {
    let compose = file::compose();
    let example: BTreeSet<String> = example().into_iter().map(|(name, _)| name).collect();
    let text = std::fs::read_to_string(root().join("compose.yaml")).unwrap();
    let mut used: BTreeSet<String> = variables(&text);
    used.extend(compose.secrets.values().map(|secret| secret.environment.clone()));
    assert_eq!(used, example, "compose.yaml and .env.example name other variables");
    for service in compose.services.values() {
        for (name, value) in &service.environment {
            let is_secret = ["PASSWORD", "_KEY", "TOKEN"].iter().any(|word| name.contains(word));
            let is_elsewhere = value.starts_with("/run/secrets/") || value.starts_with("${");
            assert!(!is_secret || is_elsewhere, "{name} stands in the file");
            if let Some(secret) = value.strip_prefix("/run/secrets/") {
                assert!(
                    service.secrets.iter().any(|one| one.name() == secret),
                    "{name}: not mounted"
                );
            }
        }
    }
    for ignoring in [".gitignore", ".dockerignore"] {
        let text = std::fs::read_to_string(root().join(ignoring)).unwrap();
        assert!(text.lines().any(|line| line.trim_start_matches('/') == ".env"), "{ignoring}");
    }
}

/// The service takes the settings as they stand there, and each is a setting.
#[tokio::test]
async fn settings_are_settings_and_hold_together() {
    let compose = file::compose();
    let folder = stack::RunDir::create(None).unwrap();
    let values = example();
    let serves = |service: &Service| service.image == "punctual" && service.command.is_none();
    let ours: Vec<_> = compose.services.iter().filter(|(_, service)| serves(service)).collect();
    assert_eq!(ours.len(), 2);
    for (name, service) in ours {
        let mut environment = Vec::new();
        for (variable, value) in &service.environment {
            let value = match value.strip_prefix("/run/secrets/") {
                None => value.clone(),
                Some(secret) => {
                    let of = &compose.secrets[secret].environment;
                    let (_, value) = values.iter().find(|(name, _)| name == of).unwrap();
                    let path = folder.path().join(secret);
                    std::fs::write(&path, value).unwrap();
                    path.to_str().unwrap().to_owned()
                }
            };
            environment.push((variable.as_str(), value));
        }
        let environment: Vec<(&str, &str)> =
            environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let told = binary::run(&["config"], &environment).await;
        assert_eq!(told.status, Some(0), "{name}: {}", told.stderr);
        let settings: BTreeSet<&str> =
            told.stdout.lines().filter_map(|line| line.split_whitespace().next()).collect();
        for (variable, _) in environment {
            let bare = variable.strip_prefix("PUNCTUAL_").unwrap_or_else(|| panic!("{variable}"));
            let bare = bare.strip_suffix(IN_A_FILE).unwrap_or(bare).to_lowercase();
            assert!(settings.contains(bare.as_str()), "{name}: {variable} is no setting");
        }
        assert!(!told.stdout.contains("made for this run"), "{name}: {}", told.stdout);
    }
}

/// Each command's program takes its flags: help is asked for at the end, after all were read.
#[tokio::test]
async fn commands_can_be_called() {
    let dockerfile = std::fs::read_to_string(root().join("Dockerfile")).unwrap();
    let call = async |program: &Path, arguments: &[String]| {
        let all: Vec<&str> = arguments.iter().map(String::as_str).chain(["--help"]).collect();
        let told = binary::run_program(program, &all, &[]).await;
        assert_eq!(told.status, Some(0), "{} {arguments:?}: {}", program.display(), told.stderr);
    };
    for (start, expected) in [("CMD", "serve"), ("    CMD", "health")] {
        let said = dockerfile.lines().find_map(|line| line.strip_prefix(&format!("{start} [")));
        let said: Vec<String> = serde_json::from_str(&format!("[{}", said.unwrap())).unwrap();
        let arguments: Vec<String> =
            said.into_iter().filter(|word| !word.ends_with("/punctual")).collect();
        assert_eq!(arguments, [expected]);
        call(&binary::punctual(), &arguments).await;
    }
    let compose = file::compose();
    let provider = &compose.services["provider"];
    call(&binary::loadtest(), provider.command.as_deref().unwrap()).await;
    let arguments = ["provider", "--lissten=x", "--help"];
    let wrong = binary::run_program(&binary::loadtest(), &arguments, &[]).await;
    assert_eq!(wrong.status, Some(2), "a flag that isn't there is found");
}

/// The alerts that Prometheus reads there are rendered before it starts, by a command that is run
/// here as it stands, and lead to the Grafana of the stack and to the documents of `.env`.
#[tokio::test]
async fn its_alerts_lead_somewhere() {
    let compose = file::compose();
    let (rules, prometheus) = (&compose.services["rules"], &compose.services["prometheus"]);
    assert!(prometheus.depends_on.contains_key("rules"));
    let mounted = |service: &Service| {
        let found = service.volumes.iter().find_map(|mount| mount.strip_prefix("rendered:"));
        found.expect("the volume is there").trim_end_matches(":ro").to_owned()
    };
    let folder = tempfile::tempdir().unwrap();
    let docs = "https://wiki.internal/punctual";
    let words = rules.command.iter().flatten().map(|word| {
        let word = word.replace("${DOCS_URL:?}", docs);
        word.replace(&mounted(rules), folder.path().to_str().unwrap())
    });
    let words: Vec<String> = words.collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let told = binary::run(&words, &[]).await;
    assert_eq!(told.status, Some(0), "{words:?}: {}", told.stderr);

    let config = root().join("dashboards/provisioning/prometheus/prometheus.yaml");
    let config: Value = yaml_serde::from_str(&std::fs::read_to_string(config).unwrap()).unwrap();
    let read = config["rule_files"][0].as_str().unwrap();
    let read = read.strip_prefix(&mounted(prometheus)).expect("it reads what was rendered");
    let (read, suffix) = read.trim_start_matches('/').split_once("/*").unwrap();
    let files = std::fs::read_dir(folder.path().join(read)).unwrap();
    let files = files.map(|file| file.unwrap().path());
    let files: Vec<_> = files.filter(|file| file.to_str().unwrap().ends_with(suffix)).collect();
    let texts = files.iter().map(|file| std::fs::read_to_string(file).unwrap());
    let text = texts.collect::<String>();
    let ports = &compose.services["grafana"].ports;
    let grafana = ports[0].rsplit_once(':').unwrap().0;
    let boards = text.matches("/d/punctual-").count();
    assert!(boards > 20, "{boards} links in {files:?}");
    assert_eq!(boards, text.matches(&format!("http://{grafana}/d/punctual-")).count());
    let sections = text.matches("/runbook.md#").count();
    assert!(sections > 20, "{sections} links in {files:?}");
    assert_eq!(sections, text.matches(&format!("{docs}/runbook.md#")).count());
}

/// Prometheus scrapes where the processes listen, and reads its own configuration.
#[test]
fn prometheus_finds_the_processes() {
    let path = root().join("dashboards/provisioning/prometheus/prometheus.yaml");
    let file: Value = yaml_serde::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let compose = file::compose();
    let listening: BTreeSet<String> = compose
        .services
        .iter()
        .filter_map(|(name, service)| {
            let admin = service.environment.get("PUNCTUAL_ADMIN_ADDR")?;
            Some(format!("{name}:{}", admin.rsplit_once(':')?.1))
        })
        .collect();
    let of_job = |job: &str| -> BTreeSet<String> {
        let jobs = file["scrape_configs"].as_array().unwrap();
        let job = jobs.iter().find(|one| one["job_name"] == job).unwrap();
        let targets = job["static_configs"][0]["targets"].as_array().unwrap();
        targets.iter().map(|one| one.as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(of_job("punctual"), listening);
    // Their names are those of the container whose network they share.
    let aliases = &compose.services["provider"].networks["default"].aliases;
    assert_eq!(*aliases, ["punctual-1", "punctual-2"]);
    let alertmanagers = &file["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"];
    for target in of_job("node").into_iter().chain([alertmanagers[0].as_str().unwrap().into()]) {
        let (name, _) = target.rsplit_once(':').unwrap();
        assert!(compose.services.contains_key(name), "{target}");
    }
    let checked = Command::new("promtool").args(["check", "config"]).arg(&path).output().unwrap();
    let said = String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success(), "{said}");
}

/// Where there is Docker with Compose, it has the last word.
#[test]
fn docker_reads_it() {
    let compose = |arguments: &[&str]| {
        let mut command = Command::new("docker");
        command.arg("compose").args(arguments).current_dir(root());
        command.output().ok()
    };
    // Without either, the shape that `file` reads strictly has to do.
    if compose(&["version"]).is_none_or(|output| !output.status.success()) {
        return;
    }
    let read = compose(&["--env-file", ".env.example", "config", "--quiet"]).unwrap();
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
}
