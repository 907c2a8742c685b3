//! Layers, and what is said of mistakes.

use std::time::Duration;

use contract::Limit;

use super::value::Environment;
use super::*;

const KEY: &str = "0123456789abcdef0123456789abcdef";

fn environment(pairs: &[(&str, &str)]) -> Inputs {
    let url = ("PUNCTUAL_DATABASE_URL", "postgres://u:hunter2hunter2@127.0.0.1/p");
    let pairs = std::iter::once(&url).chain(pairs);
    let environment = pairs.map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    Inputs { environment, ..Inputs::default() }
}

fn said(inputs: &Inputs) -> String {
    let mistakes = load(inputs).unwrap_err();
    mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// A file, there for as long as its directory.
fn file(name: &str, content: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, content).unwrap();
    (dir, path)
}

#[test]
fn defaults_hold_where_nothing_is_set() {
    let Loaded { config, notes, .. } = load(&environment(&[])).unwrap();
    assert_eq!(config.shard_count, 16);
    assert_eq!(config.database_statement_timeout_ms, Duration::from_secs(5));
    assert_eq!(config.limit(Limit::BatchItems), Limit::BatchItems.spec().default);
    assert_eq!(config.env, Environment::Development);
    assert!(config.database_url.expose().ends_with("?sslmode=disable"));
    assert_eq!(notes.len(), 2, "{notes:?}");
}

#[test]
fn later_layers_lie_above_earlier_ones() {
    let (_dir, path) = file(
        "layers.toml",
        "shard_count = 4\ndatabase_connections = 8\nlimit_batch_items = 10\n\
         allow_list = [\"+99912345678\", \"+99912345679\"]\nprovider_simulated = true\n\
         provider_url = 'http://127.0.0.1:1'",
    );
    let mut inputs = environment(&[
        ("PUNCTUAL_DATABASE_CONNECTIONS", "9"),
        ("PUNCTUAL_LIMIT_BATCH_ITEMS", "11"),
        ("PUNCTUAL_LOG_FORMAT", ""),
        ("PUNCTUAL_TWILIO_ACCOUNT_SID", "AC00000000000000000000000000000000"),
        ("PUNCTUAL_TWILIO_AUTH_TOKEN", KEY),
    ]);
    inputs.file = Some(path);
    inputs.flags = vec![("limit_batch_items".into(), "12".into())];
    let loaded = load(&inputs).unwrap();
    let config = &loaded.config;
    assert_eq!(config.shard_count, 4);
    assert_eq!(config.database_connections, 9);
    assert_eq!(config.limit(Limit::BatchItems), 12);
    assert_eq!(config.allow_list.len(), 2);
    assert!(config.provider_simulated);
    let sources: Vec<_> = loaded.lines().into_iter().map(|(name, _, from)| (name, from)).collect();
    let source = |name: &str| sources.iter().find(|(found, _)| found == name).unwrap().1.clone();
    assert!(source("shard_count").ends_with("layers.toml"));
    assert_eq!(source("database_connections"), "environment");
    assert_eq!(source("limit_batch_items"), "flag");
    assert_eq!(source("log_format"), "default");
}

#[test]
fn all_mistakes_are_told_at_once_and_none_repeats_a_secret() {
    let (dir, path) =
        file("wrong.toml", "shard_cuont = 4\nshard_count = 2000\nlog_format = { a = 1 }");
    let mut inputs = environment(&[
        ("PUNCTUAL_DATABASE_URL", "postgres://u:hunter2hunter2@h/p?sslmode=prefer"),
        ("PUNCTUAL_ADMIN_KEY", "hunter2"),
        ("PUNCTUAL_ADMIN_KY", "hunter2"),
        ("PUNCTUAL_POSTGRES_BIN_OF_ANOTHER_PROGRAM", "x"),
        ("PUNCTUAL_PROVIDER_SIMULATED", "true"),
        ("PUNCTUAL_PUBLIC_ADDR", "localhost"),
        ("PUNCTUAL_LIMIT_BATCH_ITEMS", "0"),
        ("PUNCTUAL_ALLOW_LIST", "+99987654321,0999"),
        ("PUNCTUAL_WEBHOOK_SECRET_FILE", "/nonexistent/secret"),
    ]);
    inputs.file = Some(path);
    inputs.flags = vec![("drain_grace_ms".into(), "soon".into())];
    let said = said(&inputs).replace(&dir.path().display().to_string(), "DIR");
    assert!(!said.contains("hunter2") && !said.contains("99987"), "{said}");
    expect_test::expect_file!["expected/mistakes.txt"].assert_eq(&(said + "\n"));
}

/// Every number of the table, too small or too large, in one go: each is refused, and the least and
/// the most that it may be are named.
#[test]
fn numbers_out_of_bounds_are_all_told_at_once_with_both_bounds() {
    let bounded: Vec<(Setting, (u64, u64))> = settings()
        .into_iter()
        .filter_map(|setting| setting.within.map(|within| (setting, within)))
        .collect();
    assert!(bounded.len() > Limit::COUNT, "limits and others");
    let unbounded: Vec<_> = settings()
        .into_iter()
        .filter(|setting| setting.form.contains("number") && setting.form.contains("whole"))
        .filter(|setting| setting.within.is_none())
        .map(|setting| setting.name)
        .collect();
    assert!(unbounded.is_empty(), "numbers without bounds: {unbounded:?}");
    let below = |least: u64| if least == 0 { "-1".to_owned() } else { (least - 1).to_string() };
    let silly: [&dyn Fn(u64, u64) -> String; 3] =
        [&|least, _| below(least), &|_, most| (most + 1).to_string(), &|_, _| {
            "99999999999999999999999".to_owned()
        }];
    for silly in silly {
        let values = bounded
            .iter()
            .map(|(setting, (least, most))| (setting.variable(), silly(*least, *most)));
        let values: Vec<_> = values.collect();
        let pairs: Vec<_> = values.iter().map(|(name, text)| (&**name, &**text)).collect();
        let said = said(&environment(&pairs));
        assert_eq!(said.lines().count(), bounded.len(), "{said}");
        for (setting, (least, most)) in &bounded {
            let line = format!(
                "{} (environment): must be a whole number from {least} to {most}",
                setting.variable()
            );
            assert!(said.lines().any(|told| told == line), "{line}, in:\n{said}");
        }
    }
    let bounds: [fn((u64, u64)) -> u64; 2] = [|(least, _)| least, |(_, most)| most];
    for value in bounds {
        let limits = bounded.iter().filter(|(setting, _)| setting.name.starts_with(LIMIT_PREFIX));
        let values: Vec<_> =
            limits.map(|(setting, w)| (setting.variable(), value(*w).to_string())).collect();
        let pairs: Vec<_> = values.iter().map(|(name, text)| (&**name, &**text)).collect();
        assert!(load(&environment(&pairs)).is_ok(), "the bounds themselves are fine");
    }
}

#[test]
fn what_only_fits_together_is_checked() {
    let simulated = environment(&[("PUNCTUAL_PROVIDER_SIMULATED", "true")]);
    expect_test::expect![[r#"
        PUNCTUAL_PROVIDER_SIMULATED (environment): only a provider on loopback can be a simulator
        PUNCTUAL_TWILIO_ACCOUNT_SID (not set): is needed by this provider to send texts
        PUNCTUAL_TWILIO_AUTH_TOKEN (not set): is needed by this provider to send texts"#]]
    .assert_eq(&said(&simulated));
    let production = environment(&[("PUNCTUAL_ENV", "production")]);
    expect_test::expect![[r#"
        PUNCTUAL_ADMIN_KEY (not set): is needed in production; make one: openssl rand -hex 32
        PUNCTUAL_PUBLIC_URL (not set): is needed in production: providers call it back
        PUNCTUAL_SIGNING_KEY (not set): is needed in production; make one: openssl rand -hex 32
        PUNCTUAL_TWILIO_ACCOUNT_SID (not set): is needed by this provider to send texts
        PUNCTUAL_TWILIO_AUTH_TOKEN (not set): is needed by this provider to send texts"#]]
    .assert_eq(&said(&production));
    let nothing = said(&Inputs::default());
    let needed = "PUNCTUAL_DATABASE_URL (not set): is needed: a URL such as postgres://";
    assert!(nothing.starts_with(needed) && !nothing.contains('\n'), "{nothing}");
}

/// Wherever somebody may be texted, and all of it at once.
#[test]
fn what_it_takes_to_reach_a_provider_is_told_before_anything_is_begun() {
    let listed = ("PUNCTUAL_ALLOW_LIST", "+99912345678");
    let wrong = [
        listed,
        ("PUNCTUAL_PROVIDER", "webhook"),
        ("PUNCTUAL_PROVIDER_URL", "http://texts.example/messages"),
        ("PUNCTUAL_LEASE_MS", "12999"),
    ];
    expect_test::expect![[r#"
        PUNCTUAL_LEASE_MS (environment): must be at least 13000: 5000 above provider_total_ms
        PUNCTUAL_PROVIDER_URL (environment): must begin with https:// unless it is on loopback
        PUNCTUAL_WEBHOOK_SECRET (not set): is needed by this provider to send texts"#]]
    .assert_eq(&said(&environment(&wrong)));
    let right = [
        listed,
        ("PUNCTUAL_PROVIDER", "webhook"),
        ("PUNCTUAL_PROVIDER_URL", "http://127.0.0.1:1/messages"),
        ("PUNCTUAL_WEBHOOK_SECRET", KEY),
        ("PUNCTUAL_LEASE_MS", "13000"),
    ];
    assert!(load(&environment(&right)).is_ok());
}

#[test]
fn a_try_ends_when_all_of_it_has_to() {
    let shorter = ("PUNCTUAL_PROVIDER_TOTAL_MS", "4999");
    // Whichever of the two was set.
    assert_eq!(
        said(&environment(&[shorter])),
        "PUNCTUAL_PROVIDER_FIRST_BYTE_MS (not set): must be at most provider_total_ms, 4999 ms"
    );
    assert_eq!(
        said(&environment(&[("PUNCTUAL_PROVIDER_FIRST_BYTE_MS", "60000")])),
        "PUNCTUAL_PROVIDER_FIRST_BYTE_MS (environment): must be at most provider_total_ms, 8000 ms"
    );
    let both = [shorter, ("PUNCTUAL_PROVIDER_FIRST_BYTE_MS", "4999")];
    assert!(load(&environment(&both)).is_ok());
}

#[test]
fn production_with_all_that_it_needs() {
    let inputs = environment(&[
        ("PUNCTUAL_ENV", "production"),
        ("PUNCTUAL_ADMIN_KEY", KEY),
        ("PUNCTUAL_SIGNING_KEY", KEY),
        ("PUNCTUAL_PUBLIC_URL", "https://reminders.example/"),
        ("PUNCTUAL_TWILIO_ACCOUNT_SID", "AC00000000000000000000000000000000"),
        ("PUNCTUAL_TWILIO_AUTH_TOKEN", KEY),
    ]);
    let Loaded { config, notes, .. } = load(&inputs).unwrap();
    assert!(config.env.is_production() && notes.is_empty());
    let mut held = inputs.clone();
    held.environment.push(("PUNCTUAL_STAGE_GATES".into(), "open".into()));
    expect_test::expect!["PUNCTUAL_STAGE_GATES (environment): no stage can be held in production"]
        .assert_eq(&said(&held));
    assert_eq!(config.public_url.unwrap().as_str(), "https://reminders.example");
}

#[test]
fn sizes_of_pools_must_fit_the_connections_that_there_are() {
    let sizes = |text| environment(&[("PUNCTUAL_DATABASE_POOL_SIZES", text)]);
    assert!(load(&sizes("interactive=9,pipeline=7,replica_interactive=7")).is_ok());
    let wrong = said(&sizes("interactive=10,pipeline=7,replica_interactive=8"));
    let line = |needed: u32, name: &str| {
        let name_and_place = "PUNCTUAL_DATABASE_POOL_SIZES (environment)";
        format!("{name_and_place}: with one for each other pool these are {needed}, above {name}")
    };
    let both = [line(19, "database_connections"), line(9, "database_replica_connections")];
    assert_eq!(wrong, both.join("\n"));
    let more = [
        ("PUNCTUAL_DATABASE_POOL_SIZES", "interactive=10,pipeline=7"),
        ("PUNCTUAL_DATABASE_CONNECTIONS", "19"),
        ("PUNCTUAL_STAGE_TASKS", "settle=1"),
    ];
    let Loaded { config, .. } = load(&environment(&more)).unwrap();
    assert_eq!((config.tasks(Stage::Settle), config.tasks(Stage::Claim)), (1, 2));
    assert_eq!(
        said(&environment(&[("PUNCTUAL_STAGE_TASKS", "deliver=3")])),
        "PUNCTUAL_STAGE_TASKS (environment): must be numbers of tasks from 1 to 64 such as \
         plan=2,claim=4; entry 1 must name one of plan, receive, release, claim, settle"
    );
}

#[test]
fn what_falls_back_must_fit_the_pools_that_it_falls_to() {
    let replica = ("PUNCTUAL_DATABASE_REPLICA_URLS", "postgres://u@127.0.0.2/p");
    let said_of = |pairs: &[(&str, &str)]| said(&environment(&[&[replica][..], pairs].concat()));
    let line = |name: &str, places: u32, size: u32, pool: &str| {
        format!(
            "PUNCTUAL_LIMIT_{name}: {places} places are more than the {size} connections of the \
             pool {pool}: lower it, or give the pool more (database_connections, \
             database_pool_sizes)"
        )
    };
    // Of 18 connections eight and two.
    let fits = [
        ("PUNCTUAL_LIMIT_FALLBACK_READS", "8"),
        ("PUNCTUAL_LIMIT_FALLBACK_REPORTS", "2"),
        ("PUNCTUAL_LIMIT_FOREIGN_TOKENS", "2"),
    ];
    assert!(load(&environment(&[&[replica][..], &fits].concat())).is_ok());
    let wrong = said_of(&[
        ("PUNCTUAL_LIMIT_FALLBACK_READS", "9"),
        ("PUNCTUAL_LIMIT_FALLBACK_REPORTS", "3"),
        ("PUNCTUAL_LIMIT_FOREIGN_TOKENS", "4"),
    ]);
    let lines = [
        line("FALLBACK_READS (environment)", 9, 8, "interactive"),
        line("FALLBACK_REPORTS (environment)", 3, 2, "reporting"),
        line("FOREIGN_TOKENS (environment)", 4, 2, "reporting"),
    ];
    assert_eq!(wrong, lines.join("\n"));
    // What nobody set doesn't fit either where the pools were made small.
    let small = ("PUNCTUAL_DATABASE_CONNECTIONS", "5");
    assert_eq!(said_of(&[small]), line("FALLBACK_READS (not set)", 3, 2, "interactive"));
    let given = ("PUNCTUAL_DATABASE_POOL_SIZES", "interactive=2");
    assert_eq!(said_of(&[given]), line("FALLBACK_READS (not set)", 3, 2, "interactive"));
    // Without a replica nothing falls back.
    assert!(load(&environment(&[small])).is_ok());
}

#[test]
fn a_secret_from_a_file() {
    let (_dir, path) = file("key", &format!("{KEY}\n"));
    let mut inputs = environment(&[("PUNCTUAL_ADMIN_KEY_FILE", path.to_str().unwrap())]);
    let loaded = load(&inputs).unwrap();
    assert_eq!(loaded.config.admin_key.expose(), KEY);
    let printed = format!("{:?} {:?}", loaded.lines(), loaded.config);
    assert!(!printed.contains(KEY) && !printed.contains("hunter2"), "{printed}");
    inputs.environment.push(("PUNCTUAL_ADMIN_KEY".into(), KEY.into()));
    assert!(said(&inputs).contains("keep one of them"));
}

#[test]
fn tls_by_the_urls_sslmode() {
    let driver = |url: &str| {
        let inputs = environment(&[("PUNCTUAL_DATABASE_URL", url)]);
        let loaded = load(&inputs).unwrap();
        let config = loaded.config;
        assert!(config.database_url.expose().parse::<tokio_postgres::Config>().is_ok());
        config.database_url.expose().rsplit_once("sslmode=").unwrap().1.to_owned()
    };
    assert_eq!(driver("postgres://u@localhost/p"), "disable");
    assert_eq!(driver("postgres:///p?host=/run/postgresql"), "disable");
    assert_eq!(driver("postgres://u@db.example/p"), "require");
    assert_eq!(driver("postgres://u@db.example/p?sslmode=disable"), "disable");
    assert_eq!(
        driver("postgres://u@db.example/p?sslmode=verify-full&connect_timeout=3"),
        "require"
    );
    assert!(said(&environment(&[("PUNCTUAL_DATABASE_URL", "host=x")])).contains("postgres://"));
}

#[test]
fn a_file_that_is_no_file_and_one_that_is_no_toml() {
    let mut inputs = environment(&[("PUNCTUAL_CONFIG", "/nonexistent/punctual.toml")]);
    assert!(said(&inputs).starts_with("PUNCTUAL_CONFIG (/nonexistent/punctual.toml): "));
    let content = "shard_count = 4\nadmin_key = hunter2hunter2hunter2\n";
    let (_dir, path) = file("broken.toml", content);
    inputs.file = Some(path);
    let said = said(&inputs);
    assert!(said.starts_with("line 2 (") && !said.contains("hunter2"), "{said}");
}
