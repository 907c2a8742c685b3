//! What many endpoints have in common: who may call, what is read, what is counted.
//!
//! Never here: what one endpoint alone does.

use contract::Endpoint;
use contract::endpoint::{Access, Method};
use serde_json::{Value, json};
use tests::{Answer, Call, TestApp};

/// A request that an endpoint accepts, to be spoilt in one way at a time.
pub(super) struct Good<'a> {
    pub(super) app: &'a TestApp,
    pub(super) endpoint: Endpoint,
    /// The path with its parameters filled in.
    pub(super) path: String,
    /// The body; null for none.
    pub(super) body: Value,
}

impl Good<'_> {
    /// The request as it is accepted, by the admin key.
    pub(super) fn call(&self) -> Call {
        let method: http::Method = self.endpoint.spec().method.name().parse().unwrap();
        let call = self.app.call(method, &self.path);
        if self.body.is_null() { call } else { call.json(&self.body) }
    }

    /// Spoils it in every way that does not depend on what the endpoint does: keys by its access,
    /// bodies by its row.
    pub(super) async fn is_refused_when_spoilt(&self) {
        let spec = self.endpoint.spec();
        match spec.access {
            Access::Open | Access::Provider => {}
            Access::Practice => self.needs_a_key_of_its_practice().await,
            Access::AdminKey => self.needs_the_admin_key().await,
        }
        if spec.body_bytes_max > 0 {
            self.reads_no_more_than_its_limit().await;
        } else {
            let refused = self.call().body("application/json", "{}").send().await;
            refused.problem(413, "body_too_large");
        }
        self.has_its_method_alone().await;
    }

    async fn needs_some_key(&self) {
        let refused = self.call().anonymous().send().await;
        refused.problem(401, "unauthenticated");
        assert!(refused.header("www-authenticate").starts_with("Bearer"));
        for key in ["", "nonsense", "pk_1_1_", "pk_1_1_0123456789012345678901234567890123456789"] {
            self.call().key(key).send().await.problem(401, "unauthenticated");
        }
        let basic = self.call().header("authorization", "Basic YTpi").send().await;
        basic.problem(401, "unauthenticated");
    }

    async fn needs_a_key_of_its_practice(&self) {
        self.needs_some_key().await;
        let stranger = self.app.practice(900).await;
        let refused = self.call().key(&stranger.key).send().await;
        let theirs = without_id(refused.problem(403, "not_your_practice"));
        // Nothing tells what exists from what doesn't.
        let nowhere = self.path.replacen("/practices/1", "/practices/901", 1);
        assert_ne!(nowhere, self.path);
        let elsewhere = Good { path: nowhere, body: self.body.clone(), ..*self };
        let refused = elsewhere.call().key(&stranger.key).send().await;
        assert_eq!(theirs, without_id(refused.problem(403, "not_your_practice")));
    }

    async fn needs_the_admin_key(&self) {
        self.needs_some_key().await;
        let stranger = self.app.practice(900).await;
        self.call().key(&stranger.key).send().await.problem(403, "admin_only");
    }

    async fn reads_no_more_than_its_limit(&self) {
        let most = self.endpoint.spec().body_bytes_max as usize;
        let refused = self.call().body("application/json", vec![b' '; most + 1]).send().await;
        refused.problem(413, "body_too_large");
    }

    async fn has_its_method_alone(&self) {
        let method = http::Method::PATCH;
        let refused = self.app.call(method, &self.path).send().await;
        refused.problem(405, "method_not_allowed");
        let allowed = refused.header("allow").to_owned();
        assert!(allowed.contains(self.endpoint.spec().method.name()), "{allowed}");
    }

    /// Spoils its JSON.
    pub(super) async fn reads_json_alone(&self) {
        let wrong = self.call().body("text/plain", self.body.to_string()).send().await;
        wrong.problem(415, "unsupported_media_type");
        for (kind, coding) in [
            ("application/json", "gzip"),
            ("application/json", "identity, br"),
            ("application/json; charset=utf-16", "identity"),
        ] {
            let call = self.call().body(kind, self.body.to_string());
            let wrong = call.header("content-encoding", coding).send().await;
            wrong.problem(415, "unsupported_media_type");
        }
        for text in ["", "{", "[1,", "nonsense", "{\"a\":1} and more", "\u{1}"] {
            self.call().body("application/json", text).send().await.problem(400, "bad_json");
        }
        let mut unknown = self.body.clone();
        unknown["colour"] = json!("red");
        let said = self.call().json(&unknown).send().await.json_any();
        assert!(said.to_string().contains("colour"), "{said}");
    }
}

/// A problem without what differs from request to request.
fn without_id(mut problem: Value) -> Value {
    problem["request_id"].take();
    problem
}

/// The body of an answer of any status.
trait AnyJson {
    fn json_any(&self) -> Value;
}

impl AnyJson for Answer {
    fn json_any(&self) -> Value {
        self.json(self.status)
    }
}

/// Runs requests and checks that the endpoint's series count them, by status, and that the
/// objectives count them too.
pub(super) async fn is_counted<T>(
    app: &TestApp,
    endpoint: Endpoint,
    status: u16,
    work: impl Future<Output = T>,
) -> T {
    let code = status.to_string();
    let method = endpoint.spec().method;
    let labels = [
        ("http_route", endpoint.name()),
        ("http_request_method", method_name(method)),
        ("http_response_status_code", code.as_str()),
    ];
    let family = "http_server_request_duration_seconds_count";
    let slo = [("http_route", endpoint.name()), ("slo", "availability")];
    let before = app.scrape().await;
    let done = work.await;
    tests::until("the request is counted", async || {
        let now = app.scrape().await;
        let requests = now.sum(family, &labels) - before.sum(family, &labels);
        let judged = now.sum("slo_requests_total", &slo) - before.sum("slo_requests_total", &slo);
        (requests >= 1.0 && judged >= 1.0).then_some(())
    })
    .await;
    done
}

const fn method_name(method: Method) -> &'static str {
    method.name()
}

/// An endpoint's path with something in each place: practice 1, its appointment `a`.
pub(super) fn path_of(endpoint: Endpoint) -> String {
    [
        ("{practice_id}", "1"),
        ("{appointment_id}", "a"),
        ("{key_id}", "1"),
        ("{day}", "2026-05-05"),
        ("{provider}", "twilio"),
        ("{message_id}", "1"),
        ("{attempt_no}", "1"),
        ("{signature}", "x"),
        ("{stage}", "claim"),
        ("{trace_id}", "4bf92f3577b34da6a3ce929d0e0e4736"),
    ]
    .into_iter()
    .fold(endpoint.spec().path.to_owned(), |path, (name, value)| path.replace(name, value))
}
