//! The binary's command line and settings: every mistake is told in one line that says what is
//! wrong, where, and what to do; all of them at once; and the exit status is what scripts go by.
//!
//! Never here: what a setting does.

use tests::binary::run;
use tests::database::{empty, pair};

const NOWHERE: &str = "postgres://punctual:the-password-in-the-url@127.0.0.1:9/nowhere";

#[tokio::test]
async fn all_mistakes_at_once_a_line_each() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "shard_count = 2000\nshard_cuont = 4\n").unwrap();
    let path = file.path().to_str().unwrap();
    let wrong = [
        ("PUNCTUAL_ENV", "moon"),
        ("PUNCTUAL_DATABASE_URL", "mysql://x"),
        ("PUNCTUAL_DATABASE_CONNECTIONS", "2"),
        ("PUNCTUAL_DATABASE_POOL_SIZES", "interactive=none"),
        ("PUNCTUAL_STAGE_TASKS", "plan=2,deliver=2"),
        ("PUNCTUAL_ADMIN_KEY", "short"),
        ("PUNCTUAL_PUBLIC_ADDR", "everywhere"),
        ("PUNCTUAL_PROVIDER", "pigeon"),
        ("PUNCTUAL_PROVIDER_URL", "http://texts.example"),
        ("PUNCTUAL_LEASE_MS", "6000"),
        ("PUNCTUAL_ALLOW_LIST", "+99912345678,54321"),
        ("PUNCTUAL_LIMIT_COMMIT_QUEUE", "0"),
        ("PUNCTUAL_LOG_FORMAT", "verse"),
        ("PUNCTUAL_SHARD_CUONT", "4"),
        ("RUST_LOG", "punctual=loud"),
    ];
    let output = run(
        &[
            "serve",
            "--no-such-flag",
            "in-sight-of-everybody",
            "--drain-grace-ms",
            "soon",
            "--shard-conut=4",
            "--config",
            path,
        ],
        &wrong,
    )
    .await;
    assert_eq!((output.status, output.stdout.as_str()), (Some(2), ""), "{output:?}");
    let lines: Vec<&str> = output.stderr.lines().collect();
    for (name, _) in wrong {
        let about = lines.iter().filter(|line| line.contains(&format!("{name} (environment)")));
        assert_eq!(about.count(), 1, "{name}: {}", output.stderr);
    }
    for (written, said) in [
        ("--no-such-flag", "unexpected argument"),
        ("--shard-conut", "a similar argument exists: '--shard-count'"),
        ("--drain-grace-ms (flag)", "must be a whole number"),
        ("shard_count", "must be a whole number from 1 to 1024"),
        ("shard_cuont", "did you mean shard_count?"),
    ] {
        let about = lines.iter().filter(|line| line.contains(written) && line.contains(said));
        assert_eq!(about.count(), 1, "{written}: {}", output.stderr);
    }
    assert_eq!(lines.len(), 20, "{}", output.stderr);
    for given in ["everybody", "moon", "mysql", "short", "pigeon", "54321", "loud"] {
        let harmless = given == "short" || given == "loud"; // words of the explanations
        assert!(harmless || !output.stderr.contains(given), "{given}: {}", output.stderr);
    }
}

#[tokio::test]
async fn what_is_needed_is_asked_for() {
    let output = run(&["serve"], &[]).await;
    assert_eq!(output.status, Some(2));
    assert!(output.stderr.starts_with("punctual: PUNCTUAL_DATABASE_URL (not set)"), "{output:?}");
    let production = [("PUNCTUAL_DATABASE_URL", NOWHERE), ("PUNCTUAL_ENV", "production")];
    let output = run(&["serve"], &production).await;
    assert_eq!(output.status, Some(2));
    for name in
        ["ADMIN_KEY", "SIGNING_KEY", "PUBLIC_URL", "TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN"]
    {
        assert!(output.stderr.contains(&format!("PUNCTUAL_{name}")), "{name}: {}", output.stderr);
    }
    // A simulator only here: never by mistake in the place of a real provider.
    let simulated = [
        ("PUNCTUAL_DATABASE_URL", NOWHERE),
        ("PUNCTUAL_PROVIDER_SIMULATED", "true"),
        ("PUNCTUAL_PROVIDER_URL", "https://api.twilio.com"),
    ];
    let output = run(&["serve"], &simulated).await;
    assert_eq!(output.status, Some(2));
    assert!(output.stderr.contains("PUNCTUAL_PROVIDER_SIMULATED"), "{output:?}");
}

#[tokio::test]
async fn wrong_commands_and_flags_are_one_line() {
    for arguments in [
        &["dance"][..],
        &["serve", "--colour", "red"],
        &["serve", "--shard-count"],
        &["serve", "--admin-key", "in-sight-of-everybody"],
        &["migrate", "now"],
    ] {
        let output = run(arguments, &[("PUNCTUAL_DATABASE_URL", NOWHERE)]).await;
        assert_eq!(output.status, Some(2), "{arguments:?}: {output:?}");
        assert_eq!(output.stderr.lines().count(), 1, "{arguments:?}: {}", output.stderr);
        assert!(output.stderr.starts_with("punctual: "), "{}", output.stderr);
        assert!(!output.stderr.contains("everybody"), "a secret: {}", output.stderr);
    }
    let nothing = run(&[], &[]).await;
    assert_eq!(nothing.status, Some(2));
    let url = [("PUNCTUAL_DATABASE_URL", NOWHERE)];
    let file = run(&["config", "--config", "/nowhere/punctual.toml"], &url).await;
    assert_eq!((file.status, file.stderr.lines().count()), (Some(2), 1), "{file:?}");
    assert!(file.stderr.contains("/nowhere/punctual.toml"), "{file:?}");
}

#[tokio::test]
async fn help_names_commands_and_settings() {
    for arguments in [&["--help"][..], &["serve", "--help"]] {
        let output = run(arguments, &[]).await;
        assert_eq!((output.status, output.stderr.as_str()), (Some(0), ""), "{arguments:?}");
        for name in ["PUNCTUAL_DATABASE_URL", "--shard-count", "PUNCTUAL_LIMIT_COMMIT_QUEUE"] {
            assert!(output.stdout.contains(name), "{arguments:?} doesn't name {name}");
        }
    }
    let help = run(&["-h"], &[]).await;
    for command in ["serve", "migrate", "audit", "bench", "config"] {
        assert!(help.stdout.contains(command), "{command}: {}", help.stdout);
    }
    let version = run(&["--version"], &[]).await;
    let (name, revision) = version.stdout.split_once(" (revision ").unwrap();
    assert!(name.starts_with("punctual ") && revision.ends_with(")\n"), "{version:?}");
    // It was built from a clone: the house's style is checked in one as well.
    assert!(revision.len() > 7 && !revision.starts_with("unknown"), "{version:?}");
}

#[tokio::test]
async fn config_shows_what_holds_and_no_secret() {
    let secrets = [
        ("PUNCTUAL_DATABASE_URL", NOWHERE),
        ("PUNCTUAL_ADMIN_KEY", "an-admin-key-for-the-test"),
        ("PUNCTUAL_SIGNING_KEY", "a-signing-key-for-the-test"),
        ("PUNCTUAL_TWILIO_AUTH_TOKEN", "an-auth-token-for-the-test"),
        ("PUNCTUAL_WEBHOOK_SECRET", "a-webhook-secret-for-the-test"),
        ("PUNCTUAL_DATABASE_CONNECTIONS", "24"),
    ];
    let output = run(&["config", "--shard-count", "4"], &secrets).await;
    assert_eq!((output.status, output.stderr.as_str()), (Some(0), ""), "{output:?}");
    let line = |name: &str| {
        let found = output.stdout.lines().find(|line| line.split(' ').next() == Some(name));
        found.unwrap_or_else(|| panic!("{name}: {}", output.stdout)).to_owned()
    };
    for (name, value, source) in [
        ("shard_count", " 4 ", "# flag"),
        ("database_connections", " 24 ", "# environment"),
        ("log_format", " text ", "# default"),
    ] {
        assert!(line(name).contains(value) && line(name).ends_with(source), "{}", line(name));
    }
    for secret in ["the-password-in-the-url", "for-the-test"] {
        assert!(!output.stdout.contains(secret), "{}", output.stdout);
    }
}

#[tokio::test]
async fn a_database_that_is_not_there_is_status_3() {
    for command in ["migrate", "audit"] {
        let output = run(&[command], &[("PUNCTUAL_DATABASE_URL", NOWHERE)]).await;
        assert_eq!(output.status, Some(3), "{command}: {output:?}");
        assert_eq!(output.stderr.lines().count(), 1, "{command}: {}", output.stderr);
        assert!(output.stderr.contains("PUNCTUAL_DATABASE_URL"), "{}", output.stderr);
        assert!(!output.stderr.contains("the-password-in-the-url"), "{}", output.stderr);
    }
    let unknown = pair().await.primary().url("no_such_database");
    let output = run(&["migrate"], &[("PUNCTUAL_DATABASE_URL", &unknown)]).await;
    assert_eq!(output.status, Some(3), "{output:?}");
}

/// One that is there and was never migrated is no database of ours: told, not crashed over.
#[tokio::test]
async fn an_audit_without_a_schema_fails_in_one_line() {
    let database = empty().await;
    let output = run(&["audit"], &[("PUNCTUAL_DATABASE_URL", &database.url())]).await;
    assert!(matches!(output.status, Some(1 | 3)), "{output:?}");
    assert_eq!(output.stderr.lines().count(), 1, "{}", output.stderr);
}
