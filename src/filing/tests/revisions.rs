//! What is new, what is a revision, what is a duplicate; what stays as it came.

use super::{NOW, Site, push, texts};
use crate::telemetry::filing::RecordResult::{Duplicate, Revised, Stored};

/// Files these activities of one user; returns the stored data parts and the counts of stored, revised, duplicate.
#[track_caller]
fn check(bodies: &[String], expected: [u64; 3]) -> Vec<String> {
    let mut together = Site::with(&["u1"]);
    bodies.iter().for_each(|body| together.push(body));
    together.file();
    let mut apart = Site::with(&["u1"]);
    for body in bodies {
        apart.receive(body);
    }
    let counts = |site: &Site| [Stored, Revised, Duplicate].map(|result| site.counted("activities", result));
    assert_eq!(counts(&together), expected, "in one batch");
    assert_eq!(counts(&apart), expected, "in batches of their own");
    let records = apart.records("S", "P1");
    assert_eq!(texts(&together.records("S", "P1")).len(), records.len());
    texts(&records).into_iter().map(str::to_owned).collect()
}

fn activity(rest: &str) -> String {
    push("activities", "u1", rest)
}

#[test]
fn content_written_otherwise_is_a_duplicate() {
    let bodies = [
        activity(r#""summaryId":"x1","durationInSeconds":60,"note":"Zürich \"x\"","list":[1,{"a":1,"b":2}]"#),
        activity(r#""list" : [ 1 , {"b":2, "a":1} ],"note":"Z\u00fcrich \u0022x\u0022", "durationInSeconds":60,"summaryId":"x1""#),
        r#" { "activities" : [ {"summaryId":"\u0078\u0031","durationInSeconds":60,"list":[1,{"a":1,"b":2}],"note":"Zürich \"x\"","userId":"\u00751"} ] } "#.to_owned(),
    ];
    let stored = check(&bodies, [1, 0, 2]);
    assert_eq!(stored, [r#"{"durationInSeconds":60,"note":"Zürich \"x\"","list":[1,{"a":1,"b":2}]}"#]);
}

#[test]
fn pushed_copies_with_and_without_a_token_are_equal() {
    let token = r#""userAccessToken":"secret-1","summaryId":"x1","steps":5"#;
    let stored = check(&[activity(token), activity(r#""summaryId":"x1","steps":5"#)], [1, 0, 1]);
    assert_eq!(stored, [r#"{"steps":5}"#]);
}

#[test]
fn changed_content_is_a_revision_and_the_same_once_more_a_duplicate() {
    let short = activity(r#""summaryId":"x1","durationInSeconds":60"#);
    let long = activity(r#""summaryId":"x1","durationInSeconds":90"#);
    assert_eq!(check(&[short.clone(), long.clone(), short, long], [1, 1, 2]).len(), 2);
}

#[test]
fn old_version_that_comes_late_is_not_current() {
    let mut site = Site::with(&["u1"]);
    site.receive(&activity(r#""summaryId":"x1","durationInSeconds":90"#));
    site.wait(60);
    site.receive(&activity(r#""summaryId":"x1","durationInSeconds":60"#));
    let records = site.records("S", "P1");
    let current = records.iter().max_by_key(|record| record.entry.currency()).expect("two versions");
    assert_eq!(current.data, r#"{"durationInSeconds":90}"#);
}

#[test]
fn record_of_a_cycle_is_known_by_its_first_day_and_the_latest_update_is_current() {
    let mut site = Site::with(&["u1"]);
    for (summary, updated) in [("m1", 20), ("m2", 30), ("m3", 10)] {
        let rest =
            format!(r#""summaryId":"{summary}","periodStartDate":"2026-11-01","lastUpdatedTimeInSeconds":{updated}"#);
        site.receive(&push("mct", "u1", &rest));
    }
    let records = site.records("S", "P1");
    assert!(records.iter().all(|record| record.entry.key == records[0].entry.key), "one record");
    assert_eq!(records.iter().map(|record| record.entry.rank).max(), Some(30));
    assert_eq!(records.len(), 3);
}

#[test]
fn same_summary_of_two_users_is_two_records() {
    let mut site = Site::with(&["u1", "u2"]);
    for user in ["u1", "u2"] {
        site.receive(&push("dailies", user, r#""summaryId":"same","steps":1"#));
    }
    assert_eq!(site.counted("dailies", Stored), 2);
    let [one, other] = [site.records("S", "P1"), site.records("S", "P2")];
    assert_ne!(one[0].entry.record_id, other[0].entry.record_id);
}

#[test]
fn ids_beyond_two_to_the_53_stay_apart_and_number_equals_text() {
    let mut site = Site::with(&["u1"]);
    for (summary, id) in [("a", "9007199254740992"), ("b", "9007199254740993"), ("c", "\"9007199254740993\"")] {
        site.receive(&activity(&format!(r#""summaryId":"{summary}","activityId":{id},"startTimeInSeconds":{NOW}"#)));
    }
    let ids = |site: &Site| -> Vec<String> {
        let values = site.records("S", "P1").into_iter().map(|record| {
            let data: serde_json::Value = serde_json::from_str(&record.data).expect("JSON");
            assert!(data.get("activityId").is_none(), "{data}");
            data["activity_id"].as_str().expect("a pseudonym").to_owned()
        });
        let mut values: Vec<_> = values.collect();
        values.sort();
        values.dedup();
        values
    };
    assert_eq!(ids(&site).len(), 2, "two activities");
}

#[test]
fn child_names_its_parent_by_the_parents_pseudonym() {
    let mut site = Site::with(&["u1"]);
    site.receive(&activity(r#""summaryId":"9007199254740993","startTimeInSeconds":1793509200"#));
    site.receive(&activity(
        r#""summaryId":"child","parentSummaryId":9007199254740993,"startTimeInSeconds":1793509201"#,
    ));
    let records = site.records("S", "P1");
    let parent = records[0].entry.record_id.text();
    assert_eq!(records[1].data, format!(r#"{{"parent_record_id":"{parent}","startTimeInSeconds":1793509201}}"#));
}

#[test]
fn unknown_type_and_misspelled_member_are_kept_as_they_came() {
    let mut site = Site::with(&["u1"]);
    let odd = r#""summaryId":"x1","airTemperatureCelcius":1.50e2,"airTemperatureCelsius":7,"deep":{"x":[null,true]}"#;
    site.receive(&push("beatsPerMoon", "u1", odd));
    let records = site.records("S", "P1");
    assert_eq!(records[0].entry.summary_type.name(), "beatsPerMoon");
    assert_eq!(
        records[0].data,
        r#"{"airTemperatureCelcius":1.50e2,"airTemperatureCelsius":7,"deep":{"x":[null,true]}}"#
    );
}

#[test]
fn record_without_a_start_and_without_a_key_is_filed() {
    let mut site = Site::with(&["u1"]);
    site.receive(&push("dailies", "u1", r#""steps":1"#));
    site.receive(&push("dailies", "u1", r#""steps":2"#));
    site.receive(&push("dailies", "u1", r#""steps":1"#));
    site.receive(r#"{"dailies":[{"userId":"u1"}]}"#);
    let records = site.records("S", "P1");
    assert_eq!(records.len(), 3, "what has no key is told apart by its content");
    assert!(records.iter().all(|record| record.entry.start.is_none()));
    assert_eq!(site.counted("dailies", Duplicate), 1);
}

#[test]
fn identity_stands_apart_and_under_a_key_of_its_own() {
    let mut site = Site::with(&["u1"]);
    site.receive(&activity(
        r#""summaryId":"x1","activityName":"Zürich run","activityDescription":null,"distanceInMeters":5"#,
    ));
    let owner = site.id("S", "P1");
    let catalog = &site.at().catalog;
    let (pack, entry) = catalog.entries(&owner).expect("an index").remove(0);
    assert_eq!(texts(&site.records("S", "P1")), [r#"{"distanceInMeters":5}"#]);
    let identity = catalog.identity_section(&owner, &pack).expect("it opens");
    assert_eq!(
        String::from_utf8_lossy(&identity),
        r#"{"summaryId":"x1","activityName":"Zürich run","activityDescription":null}"#
    );
    assert_eq!(entry.identity.1 as usize, identity.len());
}

#[test]
fn large_record_streams_to_a_file_and_back_whatever_the_order_of_its_members() {
    let mut site = Site::with(&["u1"]);
    let samples: String = (0..60_000).map(|number| format!(r#"{{"t":{number}}},"#)).collect();
    let samples = samples.trim_end_matches(',');
    let first = format!(r#"{{"activityDetails":[{{"samples":[{samples}],"summaryId":"x-detail","userId":"u1"}}]}}"#);
    let other = format!(r#"{{"activityDetails":[{{"userId":"u1","summaryId":"x-detail","samples":[{samples}]}}]}}"#);
    site.receive(&first);
    assert_eq!(site.at().blobs.ids().expect("listed").len(), 1);
    site.receive(&other);
    let records = site.records("S", "P1");
    assert_eq!(texts(&records), [format!(r#"{{"samples":[{samples}]}}"#)]);
    assert_eq!(site.at().blobs.ids().expect("listed").len(), 1, "the duplicate's file is gone");
    site.restart();
    assert_eq!(site.records("S", "P1")[0].data, records[0].data);
}
