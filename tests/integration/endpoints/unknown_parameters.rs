//! Every endpoint with a parameter after its question mark that it doesn't have: it is refused, and
//! nothing is done.
//!
//! Never here: what an endpoint's own parameters have to look like.

use contract::Endpoint;
use contract::endpoint::Access;
use serde_json::json;
use tests::{TestApp, appointment};

use super::common::path_of;

#[tokio::test]
async fn a_parameter_that_nobody_knows_is_refused_everywhere() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    for &endpoint in Endpoint::ALL {
        let spec = endpoint.spec();
        let path = path_of(endpoint) + "?dry=1";
        let call = app.call(spec.method.name().parse().unwrap(), &path);
        // A body that would be taken.
        let call = match endpoint {
            Endpoint::UpsertAppointments => call.json(appointment("a").json()),
            Endpoint::PutPractice => call.json(&tests::practice::settings(1)),
            _ if spec.access == Access::Provider => call.form(&[("MessageSid", "SM1")]),
            _ if spec.body_bytes_max > 0 => call.json(&json!({})),
            _ => call,
        };
        let answer = call.send().await;
        if spec.access == Access::Provider {
            // It may add its own; what is wrong here is the signature.
            answer.problem(403, "bad_signature");
        } else {
            answer.problem(400, "bad_query");
        }
    }
    let booked: i64 = app.database.sql.one("SELECT count(*) FROM appointment", &[]).await;
    assert_eq!(booked, 0, "nothing was done");

    // Who may not call is told that, and not what the endpoint knows.
    app.get(&one.path("?dry=1")).anonymous().send().await.problem(401, "unauthenticated");
    app.finish().await;
}
