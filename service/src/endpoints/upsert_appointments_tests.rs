//! Items of a request: what each says, and what they are to each other.

use super::*;

fn item(text: &str) -> Result<Appointment, String> {
    check(&RawValue::from_string(text.into()).unwrap(), 0).map_err(|error| error.message)
}

#[test]
fn a_good_item() {
    let good = item(
        r#"{"appointment_id":"a-1","version":3,"starts_at":"2026-05-20T14:30:00-03:00",
            "phone":"+99912345678","status":"cancelled"}"#,
    )
    .unwrap();
    assert_eq!((good.version, good.phone, good.cancelled), (3, 99_912_345_678, true));
}

#[test]
fn bad_items_say_which_field() {
    let with = |field: &str, value: &str| {
        let mut item = serde_json::json!({
            "appointment_id": "a", "version": 1, "starts_at": "2026-05-20T14:30:00-03:00",
            "phone": "+99912345678",
        });
        item[field] = serde_json::from_str(value).unwrap();
        check(&RawValue::from_string(item.to_string()).unwrap(), 0).unwrap_err().message
    };
    for (field, value) in [
        ("appointment_id", "\"\""),
        ("appointment_id", "\"a b\""),
        ("version", "-1"),
        ("version", "9007199254740992"),
        ("starts_at", "\"2026-05-20T14:30:00\""),
        ("starts_at", "\"2026-02-30T14:30:00Z\""),
        ("starts_at", "\"1926-05-20T14:30:00Z\""),
        ("phone", "\"12345\""),
        ("patient_name", "\"a\\u0000b\""),
        ("status", "\"maybe\""),
        ("colour", "1"),
    ] {
        let message = with(field, value);
        let named = message.contains(field);
        assert!(named, "{field}={value}: {message}");
    }
}

#[test]
fn a_wrong_item_says_whose_it_is_where_that_can_be_read() {
    let id = |text: &str| id_of(&RawValue::from_string(text.into()).unwrap());
    assert_eq!(id(r#"{"colour":1,"appointment_id":"a-1","phone":5}"#), Some("a-1".into()));
    for none in [
        r#"{"appointment_id":"a b"}"#,
        r#"{"appointment_id":7}"#,
        r#"{"appointment_id":"a","appointment_id":"b"}"#,
        r#"{"id":"a"}"#,
        r#""a""#,
    ] {
        assert_eq!(id(none), None, "{none}");
    }
}

#[test]
fn of_several_versions_the_first_of_the_highest_counts() {
    let items: Vec<_> =
        [("a", 1, 1), ("b", 5, 1), ("a", 3, 1), ("a", 3, 1), ("b", 4, 1), ("a", 3, 2)]
            .map(|(id, version, phone)| {
                Ok(Appointment {
                    appointment_id: id.into(),
                    version,
                    starts_at: Timestamp::UNIX_EPOCH,
                    phone,
                    patient_name: String::new(),
                    instructions: String::new(),
                    cancelled: false,
                })
            })
            .into();
    let again = |is_same| Place::Again { first: 2, is_same };
    assert_eq!(
        newest_of_each(&items),
        [Place::Older, Place::Newest, Place::Newest, again(true), Place::Older, again(false)]
    );
}

#[test]
fn what_comes_again_is_answered_as_in_a_request_of_its_own() {
    use ItemOutcome::{Conflict, Stored, Superseded, Unchanged};
    for (first, same, other) in [
        (Stored, Unchanged, Conflict),
        (Unchanged, Unchanged, Conflict),
        (Conflict, Conflict, Conflict),
        (Superseded, Superseded, Superseded),
    ] {
        let first = ItemAnswer {
            appointment_id: Some("a".into()),
            version: Some(3),
            outcome: first,
            planned: (first == Stored).then_some(2),
            error: None,
        };
        for (is_same, outcome) in [(true, same), (false, other)] {
            let answer = again(&first, is_same);
            assert_eq!((answer.outcome, answer.version), (outcome, Some(3)), "{first:?}");
            assert_eq!(answer.planned, None, "nothing of it was stored");
        }
    }
}
