//! Keys and callers.

use std::cell::Cell;

use super::*;

const ADMIN: &str = "an-admin-key-of-some-length";

fn make_key(practice_id: i64, key_id: i32) -> (String, Hash) {
    let secret = NewSecret::random();
    (secret.shown(practice_id, key_id), *secret.hash())
}

fn headers(key: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(http::header::AUTHORIZATION, format!("Bearer {key}").parse().unwrap());
    headers
}

fn path(practice_id: &str) -> PathParams {
    PathParams::new(vec![("practice_id", practice_id.to_owned())])
}

struct Store {
    hash: Option<Hash>,
    reads: Cell<u32>,
}

impl Store {
    async fn read(&self) -> Result<Option<Hash>, Problem> {
        self.reads.set(self.reads.get() + 1);
        Ok(self.hash)
    }
}

async fn ask(
    keys: &Keys,
    store: &Store,
    (endpoint, practice_id): (Endpoint, &str),
    key: &str,
    now: Instant,
) -> Result<Principal, Code> {
    let (path, headers) = (path(practice_id), headers(key));
    let read = async |_, _| store.read().await;
    let answer = keys.resolve(endpoint, &path, &headers, now, read).await;
    answer.map_err(|problem| problem.code)
}

#[tokio::test]
async fn who_may_do_what() {
    let (shown, hash) = make_key(7, 2);
    let store = Store { hash: Some(hash), reads: Cell::new(0) };
    let keys = Keys::new(ADMIN, 100, 1);
    let now = Instant::now();
    let of = Principal::Practice { practice_id: 7, key_id: 2 };
    let (read, put) = (Endpoint::ReadPractice, Endpoint::PutPractice);
    assert_eq!(ask(&keys, &store, (read, "7"), &shown, now).await, Ok(of));
    assert_eq!(ask(&keys, &store, (read, "8"), &shown, now).await, Err(Code::NotYourPractice));
    assert_eq!(ask(&keys, &store, (read, "x"), &shown, now).await, Err(Code::NotYourPractice));
    assert_eq!(ask(&keys, &store, (put, "7"), &shown, now).await, Err(Code::AdminOnly));
    assert_eq!(ask(&keys, &store, (put, "7"), ADMIN, now).await, Ok(Principal::Admin));
    assert_eq!(ask(&keys, &store, (read, "7"), ADMIN, now).await, Ok(Principal::Admin));
    assert_eq!(store.reads.get(), 1, "what is stored is read once");
    let open = ask(&keys, &store, (Endpoint::ReadOpenapi, ""), "x", now).await;
    assert_eq!(open, Ok(Principal::Anonymous));
    let callback = ask(&keys, &store, (Endpoint::ReceiveStatus, "7"), "x", now).await;
    assert_eq!(callback, Ok(Principal::Provider));
}

/// While nobody can be asked: what a caller hears who shows a key.
async fn ask_nobody(keys: &Keys, key: &str, code: Code, now: Instant) -> Result<Principal, Code> {
    let (path, headers) = (path("7"), headers(key));
    let read = async |_, _| Err(Problem::new(code, "away"));
    let answer = keys.resolve(Endpoint::ReadPractice, &path, &headers, now, read).await;
    answer.map_err(|problem| problem.code)
}

#[tokio::test]
async fn a_key_that_was_valid_is_believed_while_there_is_no_primary() {
    let (shown, hash) = make_key(7, 2);
    let (other, _) = make_key(7, 2);
    let keys = Keys::new(ADMIN, 100, 1);
    let began = Instant::now();
    let read = (Endpoint::ReadPractice, "7");
    let away = Err(Code::Unavailable);
    assert_eq!(ask_nobody(&keys, &shown, Code::Unavailable, began).await, away, "never seen");
    let store = Store { hash: Some(hash), reads: Cell::new(0) };
    let of = Ok(Principal::Practice { practice_id: 7, key_id: 2 });
    assert_eq!(ask(&keys, &store, read, &shown, began).await, of);

    let later = began + LIFE;
    assert_eq!(ask_nobody(&keys, &shown, Code::Unavailable, later).await, of);
    let wrong = ask_nobody(&keys, &other, Code::Unavailable, later).await;
    assert_eq!(wrong, Err(Code::Unauthenticated), "its secret is another one");
    let busy = ask_nobody(&keys, &shown, Code::Overloaded, later).await;
    assert_eq!(busy, Err(Code::Overloaded), "there is one to ask");
    let too_late = began + LIFE_ALONE;
    assert_eq!(ask_nobody(&keys, &shown, Code::Unavailable, too_late).await, away);

    // What was seen last counts: it was revoked.
    let none = Store { hash: None, reads: Cell::new(0) };
    assert_eq!(ask(&keys, &none, read, &shown, later).await, Err(Code::Unauthenticated));
    assert_eq!(ask_nobody(&keys, &shown, Code::Unavailable, later + LIFE).await, away);
}

#[tokio::test]
async fn keys_that_are_none() {
    let (shown, hash) = make_key(7, 2);
    let store = Store { hash: Some(hash), reads: Cell::new(0) };
    let keys = Keys::new(ADMIN, 100, 1);
    let (other, _) = make_key(7, 2);
    let cut = &shown[..shown.len() - 1];
    for wrong in
        ["", "x", "pk_", "pk_7_2", "pk_7_2_", "pk_0_2_x", "pk_7_-1_x", &other, cut, &shown[3..]]
    {
        let answer = ask(&keys, &store, (Endpoint::ReadPractice, "7"), wrong, Instant::now()).await;
        assert_eq!(answer, Err(Code::Unauthenticated), "{wrong}");
    }
    for headers in [
        HeaderMap::new(),
        HeaderMap::from_iter([(http::header::AUTHORIZATION, "Basic eDp5".parse().unwrap())]),
    ] {
        let read = async |_, _| store.read().await;
        let path = path("7");
        let answer =
            keys.resolve(Endpoint::ReadPractice, &path, &headers, Instant::now(), read).await;
        assert_eq!(answer.unwrap_err().code, Code::Unauthenticated);
    }
}

#[tokio::test]
async fn what_is_stored_is_believed_for_a_minute_also_that_there_is_none() {
    let (shown, hash) = make_key(7, 2);
    let endpoint = (Endpoint::ReadPractice, "7");
    let keys = Keys::new(ADMIN, 100, 1);
    let start = Instant::now();
    let mut store = Store { hash: None, reads: Cell::new(0) };
    assert!(ask(&keys, &store, endpoint, &shown, start).await.is_err());
    store.hash = Some(hash);
    let later = start + LIFE - Duration::from_secs(1);
    assert!(ask(&keys, &store, endpoint, &shown, later).await.is_err());
    assert_eq!(store.reads.get(), 1);
    assert!(ask(&keys, &store, endpoint, &shown, start + LIFE).await.is_ok());
    store.hash = None;
    assert!(ask(&keys, &store, endpoint, &shown, start + LIFE).await.is_ok(), "revoked, known");
    keys.forget(7, 2);
    assert!(ask(&keys, &store, endpoint, &shown, start + LIFE).await.is_err(), "forgotten");
}

#[tokio::test]
async fn what_is_known_is_bounded_and_made_up_keys_push_no_others_out() {
    let keys = Keys::new(ADMIN, 100, 1);
    let endpoint = (Endpoint::ReadPractice, "7");
    let start = Instant::now();
    let mut store = Store { hash: None, reads: Cell::new(0) };
    let mut newest = String::new();
    for key_id in 1..=1_000 {
        let (shown, hash) = make_key(7, key_id);
        store.hash = Some(hash);
        assert!(ask(&keys, &store, endpoint, &shown, start).await.is_ok());
        let known = keys.known.lock().unwrap().keys.len();
        assert!(known <= 100, "{known}");
        newest = shown;
    }
    // The newest stays known, whatever else is tried.
    store.hash = None;
    for key_id in 1_001..=2_000 {
        let (shown, _) = make_key(7, key_id);
        let answer = ask(&keys, &store, endpoint, &shown, start).await;
        assert_eq!(answer, Err(Code::Unauthenticated));
        let known = keys.known.lock().unwrap().none.len();
        assert!(known <= 100, "{known}");
    }
    assert_eq!(store.reads.get(), 2_000);
    assert!(ask(&keys, &store, endpoint, &newest, start).await.is_ok());
    assert_eq!(store.reads.get(), 2_000, "it was forgotten");
}

/// What is in memory needs no place, and neither does the admin key.
#[tokio::test]
async fn look_ups_have_places_and_none_waits_for_one() {
    let (shown, hash) = make_key(7, 2);
    let store = Store { hash: Some(hash), reads: Cell::new(0) };
    let keys = Keys::new(ADMIN, 100, 1);
    let endpoint = (Endpoint::ReadPractice, "7");
    let now = Instant::now();
    assert!(ask(&keys, &store, endpoint, &shown, now).await.is_ok());
    let (other, _) = make_key(7, 3);
    let held = keys.place().await.unwrap();
    assert_eq!(ask(&keys, &store, endpoint, &other, now).await, Err(Code::Overloaded));
    assert!(ask(&keys, &store, endpoint, &shown, now).await.is_ok());
    assert!(ask(&keys, &store, endpoint, ADMIN, now).await.is_ok());
    assert_eq!(store.reads.get(), 1);
    drop(held);
    assert_eq!(ask(&keys, &store, endpoint, &other, now).await, Err(Code::Unauthenticated));
    assert_eq!(store.reads.get(), 2);
}
