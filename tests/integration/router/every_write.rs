//! Every endpoint that writes is answered with a token, and a read that shows it sees the write
//! while the replica has not replayed it.
//!
//! Never here: what becomes of a token in trouble (`tokens`, `promotion`).

use std::collections::BTreeSet;

use contract::endpoint::Method;
use contract::{Endpoint, Query, READ_AFTER};
use serde_json::{Value, json};
use stack::postgres::{Options, PostgresPair, Profile};
use stack::provider::LogEntry;
use tests::practice::{FIRST_DUE, settings};
use tests::provider::{call_back, reply, silent, until_accepted};
use tests::{Answer, Call, Practice, TestApp, TestDatabase, appointment, at, phone};

use super::{because, pause, tell, until_read};

/// What a write is to be seen by.
struct Sight {
    read: Call,
    status: u16,
    /// Where in the answer.
    place: &'static str,
    value: Value,
    /// A replica may answer, so that without the token the past is shown.
    is_routed: bool,
}

impl Sight {
    fn of(read: Call, place: &'static str, value: Value) -> Self {
        Self { read, status: 200, place, value, is_routed: false }
    }

    fn routed(self) -> Self {
        Self { is_routed: true, ..self }
    }

    fn shows(&self, answer: &Answer) -> bool {
        answer.status == self.status
            && (self.place.is_empty()
                || answer.json(self.status).pointer(self.place) == Some(&self.value))
    }
}

/// A service whose texts are called back by hand, with a practice of which appointment `a` was told
/// and `b` is planned.
struct World {
    pair: PostgresPair,
    app: TestApp,
    one: Practice,
    text: LogEntry,
    /// A key to be ended, and its number.
    second: (String, i64),
}

async fn world() -> World {
    let pair = PostgresPair::start(Options::new(Profile::Test)).await.unwrap();
    let database = TestDatabase::on(&pair).await;
    let app = TestApp::with().database(database).replica().provider(silent).start().await;
    let one = app.practice(1).await;
    let made = app.post(&one.path("/api-keys"), &json!({})).send().await.json(201);
    let second = (made["api_key"].as_str().unwrap().into(), made["key_id"].as_i64().unwrap());
    one.book(&appointment("a")).await;
    one.book(&appointment("b").phone(2).starts("2026-05-08T14:30")).await;
    app.hold(at(FIRST_DUE)).await;
    let text = until_accepted(&app.simulator, 1).await.remove(0);
    one.until_fate("a", 1, "sent").await;
    World { pair, app, one, text, second }
}

impl World {
    /// Writes by an endpoint, and says by what that is to be seen; nothing where it writes nothing
    /// to the database.
    async fn write(&self, endpoint: Endpoint) -> Option<(Answer, Sight)> {
        let Self { app, one, text, second, pair: _ } = self;
        let appointment_of = |id: &str| app.get(&one.path(&format!("/appointments/{id}")));
        let messages = || app.get(&one.path("/messages"));
        match endpoint {
            Endpoint::PutPractice => {
                let mut renamed = settings(1);
                renamed["name"] = json!("Renamed");
                let answer = app.put(&one.path(""), &renamed).send().await.expect(200);
                Some((answer, Sight::of(app.get(&one.path("")), "/name", json!("Renamed"))))
            }
            Endpoint::CreateApiKey => {
                let answer = app.post(&one.path("/api-keys"), &json!({})).send().await.expect(201);
                let key = answer.json(201)["api_key"].as_str().unwrap().to_owned();
                Some((answer, Sight::of(app.get(&one.path("")).key(&key), "", Value::Null)))
            }
            Endpoint::RevokeApiKey => {
                let (key, id) = second;
                let path = one.path(&format!("/api-keys/{id}"));
                let answer = app.delete(&path).send().await.expect(204);
                let sight = Sight::of(app.get(&one.path("")).key(key), "", Value::Null);
                Some((answer, Sight { status: 401, ..sight }))
            }
            Endpoint::UpsertAppointments => {
                let body = appointment("c").phone(3);
                let call = app.post(&one.path("/appointments"), body.json());
                let sight = Sight::of(appointment_of("c"), "/version", json!(1));
                Some((call.send().await.expect(200), sight.routed()))
            }
            Endpoint::CancelAppointment => {
                let path = one.path("/appointments/b/cancel");
                let answer = app.post(&path, &json!({})).send().await.expect(200);
                let sight = Sight::of(appointment_of("b"), "/status", json!("cancelled"));
                Some((answer, sight.routed()))
            }
            Endpoint::ReceiveStatus => {
                let answer = call_back(&app.client, text, "delivered", &[]).await.expect(204);
                let sight = Sight::of(messages(), "/messages/0/receipt", json!("delivered"));
                Some((answer, sight.routed()))
            }
            Endpoint::ReceiveReply => {
                let (from, sid) = (phone(1), format!("SM{:032x}", 1));
                let answer = reply(&app.client, &from, &one.sender(), &sid, "Yes!").await;
                let sight = Sight::of(messages(), "/messages/0/reply", json!("yes"));
                Some((answer.expect(200), sight.routed()))
            }
            Endpoint::PutClock => {
                let clock = json!({
                    "real_origin": "2100-01-01T00:00:00Z", "speed": 1.0,
                    "domain_origin": at("2026-05-05T12:01"),
                });
                let answer = app.put("/admin/clock", &clock).send().await.expect(200);
                let origin = clock["domain_origin"].clone();
                Some((answer, Sight::of(app.get("/admin/clock"), "/domain_origin", origin)))
            }
            // A gate is the process's own, and what a held stage does by hand is nobody's write.
            Endpoint::PutStage | Endpoint::RunStage => None,
            read => {
                assert_eq!(read.spec().method, Method::Get, "{}: how is it seen?", read.name());
                None
            }
        }
    }

    /// Lets the replica replay, or makes it stand still with all that was written before.
    async fn replay(&self, goes_on: bool) {
        let replica = self.pair.replica();
        if goes_on {
            tell(replica, "SELECT pg_wal_replay_resume()").await;
            return;
        }
        self.pair.wait_until_caught_up(tests::SOON).await.unwrap();
        until_read(&self.app, &self.pair).await;
        pause(replica).await;
    }

    /// Where the primary's log ends.
    async fn end(&self) -> u64 {
        let end = "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint";
        u64::try_from(self.app.database.sql.one::<i64>(end, &[]).await).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_that_shows_the_token_of_any_write_sees_it() {
    let world = world().await;
    let writing = |endpoint: &&Endpoint| endpoint.spec().method != Method::Get;
    let (mut told, mut stale) = (BTreeSet::new(), BTreeSet::new());
    for &endpoint in Endpoint::ALL.iter().filter(writing) {
        let name = endpoint.name();
        world.replay(false).await;
        let before = world.end().await;
        let Some((answer, sight)) = world.write(endpoint).await else {
            world.replay(true).await;
            continue;
        };
        let token = answer.header(READ_AFTER);
        let lsn = token.rsplit_once('.').and_then(|(_, lsn)| u64::from_str_radix(lsn, 16).ok());
        assert!(lsn > Some(before), "{name}: {token:?} is no token of its write");
        if sight.is_routed && !sight.shows(&sight.read.clone().send().await) {
            stale.insert(name);
        }
        let behind = because(&world.app.scrape().await, Query::AppointmentRead, "behind");
        let seen = sight.read.clone().header(READ_AFTER, token).send().await;
        assert!(sight.shows(&seen), "{name}: not seen in {} {}", seen.status, seen.text());
        // The replica isn't asked for anything that shows it.
        let other = world.app.get(&world.one.path("/appointments/a")).header(READ_AFTER, token);
        other.send().await.expect(200);
        let now = because(&world.app.scrape().await, Query::AppointmentRead, "behind");
        assert!(now > behind, "{name}: the token is older than what the replica has");
        told.insert(name);
        world.replay(true).await;
    }
    let all: BTreeSet<&str> = [
        "put_practice",
        "create_api_key",
        "revoke_api_key",
        "upsert_appointments",
        "cancel_appointment",
        "receive_status",
        "receive_reply",
        "put_clock",
    ]
    .into();
    assert_eq!(told, all);
    let routed =
        ["upsert_appointments", "cancel_appointment", "receive_status", "receive_reply"].into();
    assert_eq!(stale, routed, "without the token the past was shown");
    let World { pair, app, .. } = world;
    app.finish().await;
    pair.stop().await;
}
