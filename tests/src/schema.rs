//! JSON that a program wrote, held against its schema in `docs/`.

use std::path::Path;

use serde_json::Value;

/// Reads a file, which must be as `docs/NAME.schema.json` says.
///
/// # Panics
/// When it can't be read, or is otherwise.
pub fn read(file: &Path, name: &str) -> Value {
    let text = std::fs::read_to_string(file);
    let text = text.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let written: Value = serde_json::from_str(&text).expect("it is JSON");
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../docs/{name}.schema.json"));
    let schema = std::fs::read_to_string(schema).expect("each document has its schema");
    let schema: Value = serde_json::from_str(&schema).expect("a schema is JSON");
    let validator = jsonschema::validator_for(&schema).expect("it is a schema");
    let wrong: Vec<String> = validator
        .iter_errors(&written)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(wrong.is_empty(), "{} is not as {name}.schema.json: {wrong:#?}", file.display());
    written
}
