//! The receipt: that nothing in it can be altered, and what its page says.

use super::*;
use crate::model::id::OwnerId;
use crate::withdrawal::record::{Counts, PurgeId, Stage, Times};

fn purge() -> Purge {
    let at = |seconds: i64| Some(UnixSeconds(1_793_509_200 + seconds));
    Purge {
        id: PurgeId([7; 8]),
        owner: OwnerId::from_bytes([9; 16]),
        study: "SLEEP".into(),
        code: "S-01".into(),
        client: None,
        cause: Cause::Deregistration,
        fate: DataFate::Purge,
        stage: Stage::Erased,
        wait: None,
        times: Times {
            requested: UnixSeconds(1_793_509_200),
            tombstoned: at(0),
            counted: at(1),
            destroyed: at(1),
            erased: at(2),
            compacted: None,
            rejected: None,
        },
        epoch: Some(4),
        destroyed: Counts { records: 1000, bytes: 123_456, pulls: 2, quarantined: 1, links: 1 },
        ownerless: 3,
        ownerless_until: at(2_592_000),
        compaction: Compaction::WaitsForSpace,
        audit: Some(42),
        backups_not_reached: Vec::new(),
    }
}

fn exports() -> Vec<HandedOut> {
    let export = |number| HandedOut { number, made: UnixSeconds(0), manifest: "ab".repeat(32), codes: Vec::new() };
    vec![export(1), export(2)]
}

fn receipt() -> Receipt {
    let head = AuditHead { sequence: 43, digest: "cd".repeat(32), signature: "ef".repeat(64) };
    signed(&purge(), &exports(), Some(&head), &Key::from_bytes([3; 32]))
}

#[test]
fn receipt_verifies_in_any_layout_alone_or_within_an_answer() {
    let receipt = receipt();
    for text in [format!("{}", receipt.json()), format!("{:#}", receipt.json())] {
        assert_eq!(verify(text.as_bytes(), None), Ok(receipt.clone()));
    }
    let answer = json!({ "code": "S-01", "receipt": receipt.json() });
    let key = receipt.json()["site_key"].as_str().expect("a key").to_ascii_uppercase();
    assert_eq!(verify(answer.to_string().as_bytes(), Some(&key)), Ok(receipt));
}

#[test]
fn nothing_in_a_receipt_can_be_altered() {
    fn places(value: &Value, at: String, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                members.iter().for_each(|(name, value)| places(value, format!("{at}/{name}"), found))
            }
            Value::Array(items) => {
                items.iter().zip(0..).for_each(|(item, place): (_, i32)| places(item, format!("{at}/{place}"), found))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => found.push(at),
        }
    }
    let whole = receipt().json().clone();
    let mut found = Vec::new();
    places(&whole, String::new(), &mut found);
    assert!(found.len() > 25, "{found:?}");
    for place in found {
        let mut altered = whole.clone();
        *altered.pointer_mut(&place).expect("it is there") = json!("other");
        assert!(verify(altered.to_string().as_bytes(), None).is_err(), "{place}");
    }
    let mut longer = whole.clone();
    longer["note"] = json!("added");
    assert_eq!(verify(longer.to_string().as_bytes(), None), Err(Bad::Altered));
    for text in ["", "[]", "{}", r#"{"format":"studygate-receipt-1"}"#] {
        assert_eq!(verify(text.as_bytes(), None), Err(Bad::NoReceipt), "{text}");
    }
}

#[test]
fn receipt_of_another_site_does_not_pass_for_this_one() {
    let other = signed(&purge(), &[], None, &Key::from_bytes([4; 32]));
    let key = receipt().json()["site_key"].as_str().expect("a key").to_owned();
    assert_eq!(verify(other.json().to_string().as_bytes(), Some(&key)), Err(Bad::OtherKey));
}

#[test]
fn page_says_what_the_receipt_says_on_one_sheet() {
    let page = receipt().page();
    for expected in
        ["SLEEP", "S-01", "1000", "123456", "2026-11-01T05:00:01Z", "logical erasure", "no room", "number 2"]
    {
        assert!(page.contains(expected), "{expected} in\n{page}");
    }
    assert!(page.lines().count() <= 60 && page.lines().all(|line| line.len() <= 90), "{page}");
}
