//! Items that nobody can read: kept apart, their neighbours filed.

use super::{Site, noise};
use crate::filing::quarantine::Reason;
use crate::telemetry::filing::RecordResult::{Quarantined, Stored};

/// Files a body with this malformed item between two whole ones.
#[track_caller]
fn check(item: &str, reason: Reason) {
    let mut site = Site::with(&["u1"]);
    let around = |number: u8| format!(r#"{{"userId":"u1","summaryId":"d{number}"}}"#);
    site.receive(&format!(r#"{{"dailies":[{},{item},{}]}}"#, around(1), around(2)));
    let listed = site.at().quarantine.list().expect("it opens");
    let kept: Vec<_> = listed.iter().map(|listed| (listed.item.reason, listed.item.text.as_deref())).collect();
    assert_eq!(kept, [(reason, Some(item))]);
    assert_eq!(listed[0].item.member, "dailies");
    assert_eq!((site.counted("dailies", Quarantined), site.counted("dailies", Stored)), (1, 2), "{item}");
}

#[test]
fn every_malformed_kind_is_kept_and_its_neighbours_are_filed() {
    for item in ["1", "null", "true", r#""text""#, "[]", r#"[{"userId":"u1"}]"#] {
        check(item, Reason::NotAnObject);
    }
    for item in ["{}", r#"{"summaryId":"d9"}"#, r#"{"userId":null,"n":1}"#, r#"{"USERID":"u1"}"#] {
        check(item, Reason::Nobody);
    }
    let long = format!(r#"{{"userId":"{}"}}"#, "u".repeat(257));
    let long_key = format!(r#"{{"userId":"u1","summaryId":"{}"}}"#, "s".repeat(600));
    for item in [
        r#"{"userId":5}"#,
        r#"{"userId":""}"#,
        r#"{"userId":"u1","userId":"u2"}"#,
        r#"{"userId":["u1"]}"#,
        r#"{"userId":"u1","summaryId":"a","summaryId":"b"}"#,
        &long,
        &long_key,
    ] {
        check(item, Reason::Unreadable);
    }
}

#[test]
fn member_that_is_no_array_is_kept_and_its_neighbours_are_filed() {
    let mut site = Site::with(&["u1"]);
    site.receive(r#"{"sleeps":{"userId":"u1"},"epochs":"x","dailies":[{"userId":"u1","n":1}],"version":3}"#);
    let mut kept: Vec<_> =
        site.at().quarantine.list().expect("it opens").into_iter().map(|listed| listed.item).collect();
    kept.sort_by(|left, right| left.member.cmp(&right.member));
    assert!(kept.iter().all(|item| item.reason == Reason::NotAnArray));
    assert_eq!(kept.iter().map(|item| &*item.member).collect::<Vec<_>>(), ["epochs", "sleeps", "version"]);
    assert_eq!(site.counted("dailies", Stored), 1);
}

#[test]
fn notice_without_a_user_is_kept_and_touches_nobody() {
    let mut site = Site::with(&["u1"]);
    site.receive(r#"{"deregistrations":[{},{"userId":7}],"userPermissionsChange":[{"permissions":[]}]}"#);
    assert_eq!(site.at().quarantine.items(), 3);
    assert_eq!(site.at().withdrawal.pending(), 0);
}

#[test]
fn large_malformed_item_is_in_a_file_that_lasts_until_it_expires() {
    let mut site = Site::with(&[]);
    let text = format!("\"{}\"", noise(1, 100_000));
    site.receive(&format!(r#"{{"dailies":[{text}]}}"#));
    let item = site.at().quarantine.list().expect("it opens").remove(0).item;
    assert_eq!((item.bytes, item.text.is_none()), (text.len() as u64, true));
    site.restart();
    assert_eq!(site.at().blobs.ids().expect("listed"), [item.blob.expect("a file")]);
    site.wait(4_999);
    site.file();
    assert_eq!(site.at().quarantine.items(), 1);
    site.wait(100);
    site.file();
    assert_eq!(site.at().quarantine.items(), 0);
    assert!(site.at().quarantine.list().expect("it opens").is_empty());
    assert!(site.at().blobs.ids().expect("listed").is_empty());
}

#[test]
fn quarantine_takes_so_many_items_and_no_more() {
    let mut site = Site::with(&["u1"]);
    site.receive(&format!(r#"{{"dailies":[{}{{"userId":"u1"}}]}}"#, "1,".repeat(10_500)));
    assert_eq!(site.at().quarantine.items(), 10_000);
    assert_eq!(site.counted("dailies", Stored), 1, "what stands behind them is filed");
    site.restart();
    assert_eq!(site.at().quarantine.items(), 10_000);
}
