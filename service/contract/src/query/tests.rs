//! What every row of the table of statements must keep to.

use super::*;
use std::collections::HashSet;

#[test]
fn names_are_unique() {
    let names: HashSet<_> = Query::ALL.iter().map(|q| q.name()).collect();
    assert_eq!(names.len(), Query::COUNT);
}

#[test]
fn callers_are_source_files_of_the_service() {
    for query in Query::ALL {
        let spec = query.spec();
        assert!(spec.file.starts_with("service/src/") && spec.file.ends_with(".rs"));
        assert!(is_snake_case(spec.func), "{}", query.name());
    }
}
