//! TLS as it is in production, to the provider and to PostgreSQL: certificates that are trusted
//! lead on, and others are refused.
//!
//! Never here: what `sslmode` means to the settings (the service's own tests).

mod authority;
mod front;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::Path;

use stack::postgres::{Options, PostgresPair, Profile, Server};
use stack::provider::Options as Provider;
use tests::practice::{FIRST_DUE, SECOND_DUE};
use tests::provider::{accepted, until_accepted};
use tests::slow::Locked;
use tests::{Ending, Practice, Sql, TestApp, TestDatabase, appointment, at, binary, until};

use authority::Authority;
use front::Front;

/// Each to a phone of its own.
const TEXTS: u32 = 40;

#[tokio::test]
async fn texts_wait_until_the_providers_certificate_is_trusted_and_leave_over_few_connections() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, strangers) = (Authority::new(), Authority::new());
    let roots = folder.path().join("roots.pem");
    fs::write(&roots, ours.pem()).unwrap();
    let front = Front::start(strangers.certify()).await;
    let app = TestApp::with()
        .env("PUNCTUAL_PROVIDER_URL", format!("https://{}", front.address))
        .env("SSL_CERT_FILE", roots.display())
        .start()
        .await;
    front.leads_to(&app.simulator.base_url());
    let one = app.practice(1).await;
    let many: Vec<_> = (0..TEXTS).map(|n| appointment(&format!("a-{n}")).phone(n)).collect();
    one.send(&many).await;
    app.hold(at(FIRST_DUE)).await;

    until("a certificate is refused", async || (front.refused() > 0).then_some(())).await;
    assert_eq!(accepted(&app.simulator), []);
    // Nothing was written, so nothing can have been taken: they are tried again, not looked up.
    let unknown = "SELECT count(*) FROM message WHERE state IN ('a', 's')";
    assert_eq!(app.database.sql.one::<i64>(unknown, &[]).await, 0);

    front.shows(ours.certify());
    until_accepted(&app.simulator, u64::from(TEXTS)).await;
    // The day's texts have left; those of two hours before go over connections that are there.
    app.hold(at(SECOND_DUE)).await;
    until_accepted(&app.simulator, 2 * u64::from(TEXTS)).await;
    for n in 0..TEXTS {
        one.until_fate(&format!("a-{n}"), 2, "sent").await;
    }
    let greeted = front.greeted();
    assert!(greeted > 0 && greeted < 2 * u64::from(TEXTS), "{greeted} handshakes");
    // Nobody has to guess why they waited, nor to read it once for each of them.
    let log = app.log();
    let said = |what: &str| log.matches(&format!("\"the provider {what}\"")).count();
    let (gone, back) = (said("can't be reached"), said("is reached again"));
    assert!(gone == back && (1..TEXTS as usize).contains(&gone), "{gone} and {back}");
    app.idle().await;
    app.finish().await;
}

#[tokio::test]
async fn all_connections_to_postgresql_are_encrypted_and_its_certificate_is_checked() {
    let pair = PostgresPair::start(Options::new(Profile::Test)).await.unwrap();
    let database = TestDatabase::on(&pair).await;
    let folder = tempfile::tempdir().unwrap();
    let (ours, strangers) = (Authority::new(), Authority::new());
    let trusted = folder.path().join("trusted.pem");
    fs::write(&trusted, ours.pem()).unwrap();
    let encrypted = |url: String| format!("{url}?sslmode=require");
    let (url, replica_url) = (encrypted(database.url()), encrypted(database.replica_url()));

    let refused = migrate(&url, &trusted).await;
    assert!(refused.contains("does not support TLS"), "{refused}");
    for server in [pair.primary(), pair.replica()] {
        encrypt(server, &ours).await;
    }
    let other = folder.path().join("other.pem");
    fs::write(&other, strangers.pem()).unwrap();
    let refused = migrate(&url, &other).await;
    assert!(refused.contains("certificate"), "{refused}");

    let app = TestApp::with()
        .database(database)
        .env("PUNCTUAL_DATABASE_URL", &url)
        .env("PUNCTUAL_DATABASE_REPLICA_URLS", &replica_url)
        .env("PUNCTUAL_DATABASE_CA_FILE", trusted.display())
        .start()
        .await;
    let one = app.practice(1).await;
    one.book(&appointment("a")).await;
    app.hold(at(FIRST_DUE)).await;
    one.until_fate("a", 1, "sent").await;
    for server in [pair.primary(), pair.replica()] {
        let sql = Sql::connect(&server.url("postgres")).await;
        let of = "FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                  WHERE application_name LIKE 'punctual%' AND backend_type = 'client backend'";
        let all = format!("SELECT count(*) {of}");
        until("the service is there", async || (sql.one::<i64>(&all, &[]).await > 0).then_some(()))
            .await;
        let in_the_clear = sql.one::<i64>(&format!("{all} AND NOT ssl"), &[]).await;
        assert_eq!(in_the_clear, 0, "{:?}", server.address());
    }
    what_is_given_up_is_stopped(&app, &one).await;
    app.idle().await;
    app.finish().await;
    pair.stop().await;
}

/// The caller has left, and the statement has no reason to end but that it is cancelled.
async fn what_is_given_up_is_stopped(app: &TestApp, one: &Practice) {
    let settings = [
        ("PUNCTUAL_DATABASE_REPLICA_URLS", ""),
        ("PUNCTUAL_DATABASE_STATEMENT_TIMEOUT_MS", "600000"),
    ];
    let other = app.another(&settings).await;
    let locked = Locked::appointments(app).await;
    let left = tokio::select! {
        () = locked.holds_up(app) => true,
        _answer = other.get(&one.path("/appointments/a")).send() => false,
    };
    assert!(left, "it was answered");
    until("its statement has ended", async || {
        let running = "SELECT count(*) FROM pg_stat_activity
            WHERE datname = current_database() AND wait_event_type = 'Lock'
              AND query LIKE '%appointment_read%'";
        (app.database.sql.one::<i64>(running, &[]).await == 0).then_some(())
    })
    .await;
    locked.release().await;
    other.finish(Ending::default()).await;
}

/// It would start, be ready and reach nobody, with every text waiting until its appointment begins.
#[tokio::test]
async fn without_authorities_it_does_not_start() {
    let (empty, none) = (tempfile::NamedTempFile::new().unwrap(), tempfile::tempdir().unwrap());
    let nobody = ("SSL_CERT_FILE", empty.path().to_str().unwrap());
    let nowhere = ("SSL_CERT_DIR", none.path().to_str().unwrap());
    let url = |mode| format!("postgres://punctual@127.0.0.1:9/nowhere?sslmode={mode}");
    let (encrypted, plain) = (url("require"), url("disable"));
    let database = [nobody, nowhere, ("PUNCTUAL_DATABASE_URL", &*encrypted)];
    let migrate = binary::run(&["migrate"], &database).await;
    let simulator = [
        nobody,
        nowhere,
        ("PUNCTUAL_DATABASE_URL", &*plain),
        ("PUNCTUAL_PUBLIC_ADDR", "127.0.0.1:0"),
        ("PUNCTUAL_ADMIN_ADDR", "127.0.0.1:0"),
        ("PUNCTUAL_PROVIDER_URL", "https://127.0.0.1:9"),
        ("PUNCTUAL_PROVIDER_SIMULATED", "true"),
        ("PUNCTUAL_TWILIO_ACCOUNT_SID", Provider::ACCOUNT_SID),
        ("PUNCTUAL_TWILIO_AUTH_TOKEN", Provider::AUTH_TOKEN),
    ];
    let serve = binary::run(&["serve"], &simulator).await;
    for (ended, status, setting) in
        [(migrate, 3, "PUNCTUAL_DATABASE_URL"), (serve, 2, "PUNCTUAL_PROVIDER_URL")]
    {
        assert_eq!(ended.status, Some(status), "{ended:?}");
        let said = ended.stderr.lines().last().unwrap_or_default();
        for name in [setting, "ca-certificates", "SSL_CERT_FILE"] {
            assert!(said.contains(name), "{name}: {said}");
        }
    }
}

/// Lets a server speak TLS, with a certificate of an authority.
async fn encrypt(server: &Server, authority: &Authority) {
    let of_data = fs::metadata(server.data()).unwrap();
    let (certificate, key) = authority.certify().pem();
    for (name, text) in [("server.crt", certificate), ("server.key", key)] {
        let path = server.data().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        chown(&path, Some(of_data.uid()), Some(of_data.gid())).unwrap();
    }
    let sql = Sql::connect(&server.url("postgres")).await;
    sql.texts("ALTER SYSTEM SET ssl = on").await;
    sql.texts("SELECT pg_reload_conf()::text").await;
    until("the server speaks TLS", async || {
        // What is reloaded is seen by the sessions that begin after it.
        let sql = Sql::connect(&server.url("postgres")).await;
        (sql.one::<String>("SELECT current_setting('ssl')", &[]).await == "on").then_some(())
    })
    .await;
}

/// What `punctual migrate` says of a database that it can't reach so.
async fn migrate(url: &str, roots: &Path) -> String {
    let roots = roots.to_str().unwrap();
    let settings = [("PUNCTUAL_DATABASE_URL", url), ("PUNCTUAL_DATABASE_CA_FILE", roots)];
    let ended = binary::run(&["migrate"], &settings).await;
    assert_ne!(ended.status, Some(0), "{}", ended.stdout);
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    ended.stderr
}
