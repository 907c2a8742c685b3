//! What the description of the public interface must say.

use super::*;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");

#[test]
fn docs_openapi_json_is_up_to_date() {
    crate::golden::check(PATH, &text());
}

#[test]
fn every_reference_leads_somewhere() {
    let document = document();
    let text = document.to_string();
    let references = text.split("\"$ref\":\"#").skip(1);
    let mut count = 0;
    for reference in references {
        let pointer = reference.split('"').next().unwrap_or_default();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
        count += 1;
    }
    assert!(count > 20);
}

#[test]
fn every_public_endpoint_is_described_and_no_other() {
    let document = document();
    for endpoint in Endpoint::ALL {
        let spec = endpoint.spec();
        let operation = &document["paths"][spec.path][spec.method.name().to_lowercase()];
        let is_public = spec.listener == Listener::Public;
        assert_eq!(operation["operationId"] == endpoint.name(), is_public);
        let takes_body = operation.get("requestBody").is_some();
        let may_have_none = *endpoint == Endpoint::CreateApiKey || !is_public;
        assert!(takes_body == (spec.body_bytes_max > 0) || may_have_none);
    }
}
