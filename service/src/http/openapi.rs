//! The description of the public interface, OpenAPI 3.1: paths, methods, keys, limits and errors
//! from the endpoint table, shapes from the types that the handlers read and write.
//!
//! Never here: a shape; that is beside its handler.

use std::sync::LazyLock;

use bytes::Bytes;
use contract::endpoint::{Access, Listener, Method};
use contract::{Endpoint, Limit, READ_AFTER};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::problem::Code;
use crate::endpoints::{
    cancel_appointment::{CancelAnswer, CancelBody},
    create_api_key::ApiKeyAnswer,
    list_messages::MessagesAnswer,
    read_appointment::AppointmentAnswer,
    read_daily_counts::CountsAnswer,
    read_delivery::DeliveryAnswer,
    read_job_report::JobReportAnswer,
    read_trend::TrendAnswer,
    report,
    shapes::{PracticeAnswer, PracticeSettings},
    upsert_appointments::{AppointmentBody, UpsertAnswer},
};
use crate::obs;

/// The document as it is served.
pub(crate) fn served() -> Bytes {
    static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| text().into());
    DOCUMENT.clone()
}

/// The document as text.
fn text() -> String {
    let text = serde_json::to_string_pretty(&document()).expect("maps with string keys are JSON");
    text + "\n"
}

/// Body and answer of an endpoint.
struct Shapes {
    /// Schema by media type; empty for no body.
    body: Vec<(&'static str, Value)>,
    body_is_required: bool,
    /// Schema by media type; empty for an answer without body.
    answer: Vec<(&'static str, Value)>,
}

impl Shapes {
    const fn none() -> Self {
        Self { body: Vec::new(), body_is_required: true, answer: Vec::new() }
    }

    fn takes(mut self, kind: &'static str, schema: Value) -> Self {
        self.body.push((kind, schema));
        self
    }

    fn gives(mut self, kind: &'static str, schema: Value) -> Self {
        self.answer.push((kind, schema));
        self
    }

    /// As JSON, or as CSV with the same rows.
    fn reports(self, schema: Value) -> Self {
        let rows = "The rows, with a header line (RFC 4180). What a spreadsheet would run as a \
            formula has an apostrophe before it.";
        self.gives(JSON, schema).gives("text/csv", json!({ "type": "string", "description": rows }))
    }
}

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

fn shapes(endpoint: Endpoint, schemas: &mut SchemaGenerator) -> Shapes {
    let none = Shapes::none();
    match endpoint {
        Endpoint::PutPractice => none
            .takes(JSON, of::<PracticeSettings>(schemas))
            .gives(JSON, of::<PracticeAnswer>(schemas)),
        Endpoint::ReadPractice => none.gives(JSON, of::<PracticeAnswer>(schemas)),
        Endpoint::CreateApiKey => none.gives(JSON, of::<ApiKeyAnswer>(schemas)),
        Endpoint::UpsertAppointments => {
            let one = of::<AppointmentBody>(schemas);
            let items_max = Limit::BatchItems.spec().default;
            let several = json!({ "type": "array", "items": one, "maxItems": items_max });
            let lines = "One appointment a line, each a JSON object as in application/json; a \
                         line that is none is rejected by itself.";
            none.takes(JSON, json!({ "oneOf": [one, several] }))
                .takes("application/x-ndjson", json!({ "type": "string", "description": lines }))
                .gives(JSON, of::<UpsertAnswer>(schemas))
        }
        Endpoint::CancelAppointment => Shapes { body_is_required: false, ..none }
            .takes(JSON, of::<CancelBody>(schemas))
            .gives(JSON, of::<CancelAnswer>(schemas)),
        Endpoint::ReadAppointment => none.gives(JSON, of::<AppointmentAnswer>(schemas)),
        Endpoint::ListMessages => none.gives(JSON, of::<MessagesAnswer>(schemas)),
        Endpoint::ReadDailyCounts => none.reports(of::<CountsAnswer>(schemas)),
        Endpoint::ReadJobReport => none.reports(of::<JobReportAnswer>(schemas)),
        Endpoint::ReadDelivery => none.reports(of::<DeliveryAnswer>(schemas)),
        Endpoint::ReadTrend => none.reports(of::<TrendAnswer>(schemas)),
        Endpoint::ReceiveStatus => none.takes(FORM, provider_form()),
        Endpoint::ReceiveReply => none
            .takes(FORM, provider_form())
            .gives("text/xml", json!({ "type": "string", "description": "Empty TwiML." })),
        Endpoint::ReadOpenapi => none.gives(JSON, json!({ "type": "object" })),
        // No body and no answer, or not of the public interface.
        Endpoint::RevokeApiKey
        | Endpoint::ReadHealth
        | Endpoint::ReadReadiness
        | Endpoint::ReadMetrics
        | Endpoint::DebugRequest
        | Endpoint::DebugSlow
        | Endpoint::ReadLive
        | Endpoint::StreamLive
        | Endpoint::RunAudit
        | Endpoint::ReadResiduals
        | Endpoint::ReadBacklog
        | Endpoint::ReadFleet
        | Endpoint::ReadQueries
        | Endpoint::ReadStages
        | Endpoint::PutStage
        | Endpoint::RunStage
        | Endpoint::ReadClock
        | Endpoint::PutClock => none,
    }
}

fn of<T: JsonSchema>(schemas: &mut SchemaGenerator) -> Value {
    schemas.subschema_for::<T>().to_value()
}

fn provider_form() -> Value {
    let description = "As the provider sends it; checked by its signature.";
    json!({ "type": "object", "description": description, "additionalProperties": true })
}

fn document() -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/components/schemas".into();
    let mut schemas = settings.into_generator();
    let mut paths = Map::new();
    for &endpoint in Endpoint::ALL {
        let spec = endpoint.spec();
        if spec.listener == Listener::Public {
            let path = paths.entry(spec.path).or_insert_with(|| json!({}));
            path[spec.method.name().to_lowercase()] = operation(endpoint, &mut schemas);
        }
    }
    let mut refusals: Vec<u16> = Code::ALL.iter().map(|code| code.status()).collect();
    refusals.dedup();
    let refusals = refusals.into_iter().map(|status| (format!("Problem{status}"), refused(status)));
    let mut definitions = schemas.take_definitions(true);
    definitions.insert("Problem".into(), problem_schema());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Punctual",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Appointment reminders on time, with the proof.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": {
            "schemas": definitions,
            "responses": Map::from_iter(refusals),
            "securitySchemes": {
                "practice_key": { "type": "http", "scheme": "bearer", "description":
                    "A key of the practice in the path: pk_<practice>_<key>_<secret>." },
                "admin_key": { "type": "http", "scheme": "bearer", "description":
                    "The operator's key, for every practice." },
            },
        },
    })
}

fn operation(endpoint: Endpoint, schemas: &mut SchemaGenerator) -> Value {
    let spec = endpoint.spec();
    let help = endpoint.help();
    let summary = help.split_inclusive(". ").next().unwrap_or_default().trim();
    let shapes = shapes(endpoint, schemas);
    let mut operation = json!({
        "operationId": endpoint.name(),
        "summary": summary.trim_end_matches('.'),
        "description": help,
        "security": match spec.access {
            Access::Open | Access::Provider => json!([]),
            Access::Practice => json!([{ "practice_key": [] }, { "admin_key": [] }]),
            Access::AdminKey => json!([{ "admin_key": [] }]),
        },
        "parameters": parameters(endpoint),
        "responses": responses(endpoint, shapes.answer),
    });
    if !shapes.body.is_empty() {
        operation["requestBody"] = json!({
            "required": shapes.body_is_required,
            "description": format!("At most {} bytes.", spec.body_bytes_max),
            "content": content(shapes.body),
        });
    }
    operation
}

fn content(shapes: Vec<(&'static str, Value)>) -> Value {
    let by_kind =
        shapes.into_iter().map(|(kind, schema)| (kind.to_owned(), json!({ "schema": schema })));
    Value::Object(by_kind.collect())
}

/// The parameters of an endpoint's path, by the template, and of its query.
fn parameters(endpoint: Endpoint) -> Vec<Value> {
    let template = endpoint.spec().path;
    let names = template.split('/').filter_map(|piece| piece.strip_prefix('{')?.strip_suffix('}'));
    let path = names.map(|name| {
        json!({ "name": name, "in": "path", "required": true, "schema": parameter_schema(name) })
    });
    let query = endpoint.spec().params.iter().map(|name| {
        json!({ "name": name, "in": "query", "required": false, "schema": parameter_schema(name) })
    });
    let token = takes_token(endpoint).then(|| {
        json!({
            "name": READ_AFTER, "in": "header", "required": false,
            "description": "Tokens as answers to writes held them, separated by commas: what is \
                read has seen those writes, whichever server answers.",
            "schema": token_schema(),
        })
    });
    path.chain(query).chain(token).collect()
}

/// Practices and operators have tokens; providers have no use for them.
fn takes_token(endpoint: Endpoint) -> bool {
    match endpoint.spec().access {
        Access::Practice | Access::AdminKey => true,
        Access::Open | Access::Provider => false,
    }
}

fn token_schema() -> Value {
    json!({ "type": "string", "description": "Opaque." })
}

fn parameter_schema(name: &str) -> Value {
    match name {
        "practice_id" | "message_id" | "after" => {
            json!({ "type": "integer", "minimum": 1, "maximum": super::path::MAX_ID })
        }
        "key_id" | "attempt_no" => json!({ "type": "integer", "minimum": 1, "maximum": i32::MAX }),
        "limit" => json!({ "type": "integer", "minimum": 1, "maximum": 500, "default": 100 }),
        "day" | "from" | "until" => json!({ "type": "string", "format": "date" }),
        "appointment_id" => json!({ "type": "string", "pattern": "^[A-Za-z0-9._:-]{1,64}$" }),
        "provider" => json!({ "type": "string", "enum": ["twilio", "webhook"] }),
        _ => json!({ "type": "string" }),
    }
}

fn responses(endpoint: Endpoint, answer: Vec<(&'static str, Value)>) -> Value {
    let mut responses = Map::new();
    let successes = obs::http::successes(endpoint);
    for status in obs::http::statuses(endpoint) {
        let response = if successes.contains(&status) {
            let mut response = json!({ "description": success(status) });
            if !answer.is_empty() {
                response["content"] = content(answer.clone());
            }
            if obs::http::is_report(endpoint) {
                let description = "What it says is complete up to then.";
                let schema = json!({ "type": "string", "format": "date-time" });
                let residuals = "How many promises are out of order: not all zero means that its \
                                 counts can't be trusted.";
                response["headers"] = json!({
                    report::AS_OF: { "description": description, "schema": schema },
                    report::RESIDUALS: {
                        "description": residuals,
                        "schema": {
                            "type": "string",
                            "examples": [report::Residuals::default().to_string()],
                        },
                    },
                });
            }
            if takes_token(endpoint) && endpoint.spec().method != Method::Get {
                let description = "Send it with a read, and the read sees this write.";
                response["headers"] =
                    json!({ READ_AFTER: { "description": description, "schema": token_schema() } });
            }
            response
        } else {
            json!({ "$ref": format!("#/components/responses/Problem{status}") })
        };
        responses.insert(status.to_string(), response);
    }
    Value::Object(responses)
}

const fn success(status: u16) -> &'static str {
    match status {
        201 => "Made.",
        204 => "Done; there is nothing to say.",
        _ => "Done.",
    }
}

fn refused(status: u16) -> Value {
    let codes = Code::ALL.iter().filter(|code| code.status() == status);
    let lines: Vec<String> =
        codes.map(|code| format!("`{}`: {}", code.name(), code.help())).collect();
    let problem = json!({ "$ref": "#/components/schemas/Problem" });
    let mut response = json!({
        "description": lines.join("\n\n"),
        "content": content(vec![("application/problem+json", problem)]),
    });
    if status == 503 {
        let description = "Seconds after which it makes sense to try again.";
        let schema = json!({ "type": "integer" });
        response["headers"] =
            json!({ "Retry-After": { "description": description, "schema": schema } });
    }
    response
}

fn problem_schema() -> Value {
    let codes: Vec<&str> = Code::ALL.iter().map(|code| code.name()).collect();
    json!({
        "type": "object",
        "description": "Problem details, RFC 9457.",
        "required": ["type", "title", "status", "code", "detail", "request_id"],
        "properties": {
            "type": { "type": "string", "description": "urn:punctual:problem: and the code." },
            "title": { "type": "string", "description": "The same for every problem of a code." },
            "status": { "type": "integer" },
            "code": { "type": "string", "enum": codes, "description": "Stable." },
            "detail": { "type": "string", "description": "What is wrong here and what to do." },
            "request_id": { "type": "string", "description": "Leads to the request in the log." },
        },
    })
}

#[cfg(test)]
#[path = "openapi_tests.rs"]
mod tests;
