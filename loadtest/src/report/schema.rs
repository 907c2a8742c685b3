//! What a command writes as JSON is as `docs/*.schema.json` say: the schema follows from the type,
//! and what is written is held against it.
//!
//! Never here: the documents. Each has a test of its own beside it that calls this.

use expect_test::ExpectFile;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

/// The schema of a document stands in a file, and these documents are valid by it.
pub(crate) fn check<T: JsonSchema + Serialize>(file: ExpectFile, samples: &[T]) {
    let schema = schemars::schema_for!(T);
    let text = serde_json::to_string_pretty(&schema).expect("a schema is JSON") + "\n";
    file.assert_eq(&text);
    let validator = jsonschema::validator_for(schema.as_value()).expect("it is a schema");
    // One that takes anything would say nothing.
    assert!(!validator.is_valid(&json!({})), "{text}");
    for sample in samples {
        let written = serde_json::to_value(sample).expect("numbers and strings only");
        let wrong: Vec<String> = validator.iter_errors(&written).map(|e| e.to_string()).collect();
        assert!(wrong.is_empty(), "{wrong:#?}\n{written:#}");
    }
}
