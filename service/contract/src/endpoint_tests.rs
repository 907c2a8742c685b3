//! What holds for every row of the endpoints' table.

use std::collections::HashSet;

use super::*;

#[test]
fn names_and_routes_are_unique() {
    let names: HashSet<_> = Endpoint::ALL.iter().map(|e| e.name()).collect();
    assert_eq!(names.len(), Endpoint::COUNT);
    let routes: HashSet<_> =
        Endpoint::ALL.iter().map(|e| (e.spec().listener, e.spec().method, e.spec().path)).collect();
    assert_eq!(routes.len(), Endpoint::COUNT);
}

#[test]
fn names_lead_back_to_their_rows() {
    for &endpoint in Endpoint::ALL {
        assert_eq!(Endpoint::from_name(endpoint.name()), Some(endpoint));
        assert!(!endpoint.help().is_empty());
    }
    assert_eq!(Endpoint::from_name("unmatched"), None);
}

#[test]
fn a_practices_data_needs_a_key() {
    for endpoint in Endpoint::ALL {
        let spec = endpoint.spec();
        if spec.path.starts_with("/v1/practices/") {
            assert!(matches!(spec.access, Access::Practice | Access::AdminKey));
        }
    }
}

#[test]
fn a_parameter_is_named_once_and_is_not_of_the_path() {
    for endpoint in Endpoint::ALL {
        let spec = endpoint.spec();
        let names: HashSet<_> = spec.params.iter().collect();
        assert_eq!(names.len(), spec.params.len(), "{}", endpoint.name());
        for name in spec.params {
            assert!(is_snake_case(name), "{name}");
            assert!(!spec.path.contains(&format!("{{{name}}}")), "{name} is in the path too");
        }
    }
}
