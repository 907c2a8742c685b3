//! What `compose.yaml` tells other people's programs: each flag and setting is one that the program
//! has. Where it is installed, it is asked; of the others there is a list here, by hand.
//!
//! Never here: our own programs (`compose`), and whether a value is wise.

use std::collections::BTreeSet;
use std::time::Duration;

use tests::{TestDatabase, binary};

use super::file::{self, Service, root};

/// Long enough for a help text.
const WITHIN: Duration = Duration::from_secs(30);

/// By image: who says which flags there are.
static PROGRAMS: [(&str, Says); 6] = [
    ("postgres", Says::Server),
    ("prom/prometheus", Says::Help(&["prometheus"])),
    // As Debian calls it, and as everybody else does.
    ("prom/alertmanager", Says::Help(&["prometheus-alertmanager", "alertmanager"])),
    // As its README has them, 1.9.
    ("prom/node-exporter", Says::List(&["--path.rootfs"])),
    // By its environment alone.
    ("grafana/grafana", Says::List(&[])),
    ("punctual", Says::Ours),
];

/// Who knows a program's flags.
enum Says {
    /// Its help, under one of these names.
    Help(&'static [&'static str]),
    /// A server that runs: `-cname=value` are its settings.
    Server,
    /// Nobody here: these are they.
    List(&'static [&'static str]),
    /// Another test.
    Ours,
}

/// Settings of Grafana, by section, as its `conf/defaults.ini` has them. A variable names both:
/// `GF_SECTION_KEY`, and `__FILE` at its end for a file that holds the value.
const GRAFANA: [(&str, &str); 4] = [
    ("security", "admin_password"),
    ("analytics", "reporting_enabled"),
    ("analytics", "check_for_updates"),
    ("dashboards", "default_home_dashboard_path"),
];

/// Variables that the image of PostgreSQL reads before the server starts.
const POSTGRES: [&str; 1] = ["POSTGRES_PASSWORD_FILE"];

fn of_image(image: &str) -> &'static Says {
    let name = image.split(':').next().unwrap_or_default();
    let found = PROGRAMS.iter().find(|(known, _)| {
        name == *known || (*known == "punctual" && name.starts_with("punctual-"))
    });
    &found.unwrap_or_else(|| panic!("{image}: nobody says which flags it has")).1
}

/// The flags of a command: `--name`, with the value where it has one.
fn flags(service: &Service) -> impl Iterator<Item = (&str, Option<&str>)> {
    let words = service.command.iter().flatten().filter(|word| word.starts_with("--"));
    words.map(|word| word.split_once('=').map_or((&**word, None), |(name, v)| (name, Some(v))))
}

async fn help(names: &[&str]) -> String {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_there =
        |name: &&&str| std::env::split_paths(&path).any(|folder| folder.join(name).is_file());
    let name = names.iter().find(is_there);
    let name = name.unwrap_or_else(|| panic!("{names:?}: `.ci/setup tests` installs it on Debian"));
    let told = binary::tool(name, &["--help"], WITHIN).await;
    told.stdout + &told.stderr
}

/// Whether a help text has a flag, as a word.
fn has_flag(help: &str, flag: &str) -> bool {
    let mut words = help.split(|c: char| c.is_whitespace() || "=[],".contains(c));
    words.any(|word| word == flag)
}

#[tokio::test]
async fn flags_of_other_programs_are_theirs() {
    let mut wrong = Vec::new();
    for (name, service) in &file::compose().services {
        match of_image(&service.image) {
            Says::Ours | Says::Server => {}
            Says::List(known) => {
                let unknown = flags(service).filter(|(flag, _)| !known.contains(flag));
                wrong.extend(unknown.map(|(flag, _)| format!("{name}: {flag}")));
            }
            Says::Help(names) => {
                let help = help(names).await;
                for (flag, value) in flags(service) {
                    // A feature is a flag within a flag.
                    let feature = value.filter(|_| flag == "--enable-feature");
                    if !has_flag(&help, flag) || feature.is_some_and(|one| !has_flag(&help, one)) {
                        wrong.push(format!("{name}: {flag} {value:?}"));
                    }
                }
                assert!(flags(service).count() > 0 && !has_flag(&help, "--no-such-flag"));
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
}

/// The settings in `-cname=value` and `-c name=value`.
fn settings(text: &str) -> Vec<&str> {
    let mut words = text.split_whitespace();
    let mut found = Vec::new();
    while let Some(word) = words.next() {
        let Some(rest) = word.strip_prefix("-c") else { continue };
        let pair = if rest.is_empty() { words.next().unwrap_or_default() } else { rest };
        found.extend(pair.split_once('=').map(|(name, _)| name));
    }
    found
}

#[tokio::test]
async fn settings_of_postgres_are_its_own() {
    let compose = file::compose();
    let database = TestDatabase::new().await;
    let known: BTreeSet<String> =
        database.sql.texts("SELECT name FROM pg_settings").await.into_iter().collect();
    let mut used = Vec::new();
    for service in compose.services.values() {
        if matches!(of_image(&service.image), Says::Server) {
            used.push(service.command.clone().unwrap_or_default().join(" "));
            used.extend(
                service.configs.iter().map(|one| compose.configs[&one.source].content.clone()),
            );
            for variable in service.environment.keys() {
                assert!(POSTGRES.contains(&variable.as_str()), "{variable}");
            }
        }
    }
    let used: BTreeSet<&str> = used.iter().flat_map(|text| settings(text)).collect();
    let unknown: Vec<&&str> = used.iter().filter(|name| !known.contains(**name)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    assert!(used.contains("max_slot_wal_keep_size") && used.contains("cluster_name"), "{used:?}");
    assert_eq!(settings("postgres -ca=1 -c b=2 -x c=3"), ["a", "b"]);
}

#[test]
fn settings_of_grafana_are_in_its_list() {
    let compose = file::compose();
    let provisioning = root().join("dashboards/provisioning");
    let read = |path: &str| std::fs::read_to_string(provisioning.join(path)).unwrap();
    let read = read("datasources/punctual.yaml") + &read("dashboards/punctual.yaml");
    let known = GRAFANA.map(|(section, key)| format!("GF_{section}_{key}").to_uppercase());
    let mut used = BTreeSet::new();
    for variable in compose.services["grafana"].environment.keys() {
        if variable.starts_with("GF_") {
            let name = variable.strip_suffix("__FILE").unwrap_or(variable);
            assert!(known.iter().any(|one| one == name), "{variable} is no setting of Grafana");
            used.insert(name);
        } else {
            // What its provisioning asks for.
            assert!(read.contains(&format!("${variable}")), "{variable}: nobody reads it");
        }
    }
    assert_eq!(used.len(), known.len(), "the list has one that isn't used");
}

#[test]
fn flags_are_found_in_a_help_text() {
    let help =
        "  --config.file=\"x.yml\"\n      --[no-]web.x\n  Valid options: agent, exemplar-storage,";
    assert!(has_flag(help, "--config.file") && has_flag(help, "exemplar-storage"));
    assert!(!has_flag(help, "--config") && !has_flag(help, "exemplar"));
}
