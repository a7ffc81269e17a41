//! What the user does not permit is not kept; what came before is.

use super::given::target;
use super::site::Site;
use super::trail::entered;
use super::{NOW, push, rows, texts};
use crate::model::participant::Window;
use crate::model::study::Rules;
use crate::model::time::UnixSeconds;
use crate::people::LinkRequest;
use crate::people::decide::participant::NewParticipant;
use crate::store::engine::{row, table};
use crate::telemetry::filing::RecordResult::{Held, NotPermitted, Stored};
use crate::withdrawal::Event;

const ALL: &str = r#""ACTIVITY_EXPORT","HEALTH_EXPORT","MCT_EXPORT""#;

/// The item of a notice that these permissions hold since then.
fn item(user: &str, list: &str, changed: i64) -> String {
    format!(r#"{{"userId":"{user}","summaryId":"s","permissions":[{list}],"changeTimeInSeconds":{changed}}}"#)
}

fn notice(items: &[String]) -> String {
    format!(r#"{{"userPermissionsChange":[{}]}}"#, items.join(","))
}

fn told(user: &str, list: &str, changed: i64) -> String {
    notice(&[item(user, list, changed)])
}

fn daily(user: &str, number: u32) -> String {
    push("dailies", user, &format!(r#""summaryId":"d{number}","n":{number}"#))
}

#[test]
fn what_is_not_permitted_is_not_kept_and_counted_until_it_is_permitted_again() {
    let mut site = Site::with(&["u1", "u2"]);
    site.receive(&told("u1", r#""ACTIVITY_EXPORT","COURSE_IMPORT",7,null"#, NOW));
    for restarted in [false, true] {
        if restarted {
            site.restart();
        }
        site.receive(&daily("u1", 1));
        site.receive(&push("mct", "u1", r#""periodStartDate":"2026-10-20""#));
        assert_eq!((site.counted("dailies", NotPermitted), site.counted("mct", NotPermitted)), (1, 1));
        assert!(site.records("S", "P1").is_empty());
    }
    site.receive(&push("activities", "u1", r#""summaryId":"a1","n":1"#));
    site.receive(&push("heartBeats", "u1", r#""summaryId":"b1","n":1"#));
    site.receive(&daily("u2", 1));
    assert_eq!((site.records("S", "P1").len(), site.records("S", "P2").len()), (2, 1));
    site.receive(&told("u1", ALL, NOW + 1));
    site.receive(&daily("u1", 2));
    assert_eq!((site.counted("dailies", Stored), site.records("S", "P1").len()), (2, 3));
}

#[test]
fn changes_of_one_post_end_as_the_last_one_says_also_when_they_are_met_again() {
    let mut site = Site::with(&["u1"]);
    let off_on_off = [item("u1", "", NOW), item("u1", ALL, NOW), item("u1", "", NOW)];
    site.push(&notice(&off_on_off));
    site.push(&daily("u1", 1));
    // The same places in the journal are read once more.
    site.restart();
    site.file();
    site.receive(&daily("u1", 2));
    assert!(site.records("S", "P1").is_empty());
    site.receive(&notice(&[item("u1", ALL, NOW), item("u1", "", NOW), item("u1", ALL, NOW)]));
    site.receive(&daily("u1", 3));
    assert_eq!(site.records("S", "P1").len(), 1);
}

#[test]
fn what_came_before_a_change_is_judged_by_what_held_then_however_late_it_is_filed() {
    for restarted in [false, true] {
        let mut site = Site::with(&["u1"]);
        site.push(&daily("u1", 1));
        site.push(&told("u1", "", NOW));
        site.push(&daily("u1", 2));
        site.wait(5);
        site.push(&told("u1", ALL, NOW + 5));
        site.push(&daily("u1", 3));
        site.push(&told("u1", "", NOW + 6));
        site.push(&daily("u1", 4));
        if restarted {
            site.restart();
        }
        site.file();
        let records = site.records("S", "P1");
        let kept: Vec<_> = [1, 2, 3, 4]
            .into_iter()
            .filter(|number| texts(&records).iter().any(|text| text.contains(&format!(r#""n":{number}"#))))
            .collect();
        assert_eq!((kept, site.counted("dailies", NotPermitted)), (vec![1, 3], 2));
        site.receive(&daily("u1", 1));
        assert_eq!(site.records("S", "P1").len(), 2, "sent again, it has come again");
    }
}

#[test]
fn change_whose_answer_a_crash_cut_off_holds_before_what_came_later_is_filed() {
    let mut site = Site::with(&["u1"]);
    site.take(&told("u1", "", NOW));
    site.take(&daily("u1", 1));
    site.restart();
    site.file();
    assert!(site.records("S", "P1").is_empty());
    site.take(&told("u1", ALL, NOW + 1));
    site.take(&daily("u1", 2));
    site.file();
    assert_eq!(site.records("S", "P1").len(), 1, "also where it is about to be applied");
}

#[test]
fn ping_for_what_is_not_permitted_is_no_job() {
    let mut site = Site::with(&["u1"]);
    let ping = |window: u32| {
        let times = format!(r#""uploadStartTimeInSeconds":{window},"uploadEndTimeInSeconds":{}"#, window + 10);
        push(
            "sleeps",
            "u1",
            &format!(r#"{times},"callbackURL":"https://apis.example/wellness-api/rest/sleeps?token=t""#),
        )
    };
    let jobs = |site: &Site| {
        (site.at().queue.counts().waiting, rows(site, &row(site.id("S", "P1").as_bytes(), table::PULL, &[])))
    };
    site.receive(&ping(1));
    site.receive(&told("u1", r#""ACTIVITY_EXPORT""#, NOW));
    site.receive(&ping(100));
    assert_eq!((jobs(&site), site.counted("sleeps", NotPermitted)), ((1, 1), 1));
    site.receive(&told("u1", ALL, NOW + 1));
    site.receive(&ping(100));
    assert_eq!(jobs(&site), (2, 2));
}

#[test]
fn permissions_of_a_held_connection_hold_at_once_and_for_whom_it_is_linked_to() {
    let mut site = Site::new();
    site.study("S", Rules::default());
    site.study("T", Rules::default());
    // The notice comes before filing has begun to hold anything.
    site.push(&daily("u3", 1));
    site.wait(5);
    site.push(&told("u3", r#""ACTIVITY_EXPORT""#, NOW));
    site.file();
    site.receive(&daily("u3", 2));
    assert_eq!((site.counted("dailies", Held), site.counted("dailies", NotPermitted)), (1, 1));
    site.wait(10);
    site.receive(&told("u3", ALL, NOW + 10));
    site.receive(&daily("u3", 3));
    site.wait(10);
    site.receive(&told("u3", r#""MCT_EXPORT""#, NOW + 20));
    site.wait(10);
    for study in ["S", "T"] {
        let new = NewParticipant { code: Some("P1".into()), ..NewParticipant::default() };
        let link = LinkRequest { target: target("u3"), window: Window::default() };
        site.at().people.add_participant(study, new, Some(link), UnixSeconds(NOW + 30)).expect("linked");
    }
    site.file();
    assert_eq!(site.at().people.read().held_count(), 0);
    site.restart();
    site.receive(&daily("u3", 4));
    // Who is linked first has what was held; whoever comes later has what comes later.
    for (study, expected) in [("S", 2), ("T", 2)] {
        let records = site.records(study, "P1");
        assert_eq!(texts(&records).len(), expected, "what was held came while it was permitted: {study}");
        assert!(!texts(&records).iter().any(|text| text.contains(r#""n":4"#)), "{study}");
    }
}

/// Act, code and whether it is a repetition of these events.
fn texts_of(events: &[Event]) -> Vec<String> {
    let text = |event: &Event| {
        let entry = event.entry(None);
        let repeated = serde_json::to_value(&entry.act).expect("JSON")["details"]["repeated"].clone();
        format!("{} {} {repeated}", entry.act.name(), entry.code.as_deref().unwrap_or("nobody"))
    };
    events.iter().map(text).collect()
}

#[test]
fn change_that_holds_is_told_to_the_audit_log_by_code_and_others_are_not() {
    let mut site = Site::with(&["u1", "u2"]);
    site.receive(&daily("held", 1));
    let none: [String; 0] = [];
    for (user, changed, expected) in [
        ("u1", NOW, vec!["permission-changed P1 false".to_owned()]),
        ("u1", NOW - 1, none.to_vec()),
        ("u2", NOW + 2 * 86_400, none.to_vec()),
        ("nobody", NOW, none.to_vec()),
        ("held", NOW, none.to_vec()),
    ] {
        let body = told(user, "", changed);
        let position = site.take(&body);
        assert_eq!(texts_of(&site.apply(position, &body).events), expected, "{user} {changed}");
    }
    site.file();
    assert_eq!(entered(&site.at().audit), [], "filing does not enter what was entered before the answer");
}

#[test]
fn change_that_filing_meets_first_is_entered_by_it_and_as_repeated_before_the_answer() {
    let mut site = Site::with(&["u1"]);
    let body = told("u1", "", NOW);
    let position = site.take(&body);
    site.file();
    let repeated = |value: bool| serde_json::json!({ "repeated": value });
    let expected = ("permission-changed".into(), "garmin".into(), Some("P1".into()), repeated(false));
    assert_eq!(entered(&site.at().audit), [expected]);
    assert_eq!(texts_of(&site.apply(position, &body).events), ["permission-changed P1 true"]);
}

#[test]
fn change_that_is_replayed_at_a_start_is_entered_as_repeated() {
    let mut site = Site::with(&["u1"]);
    site.push(&told("u1", "", NOW));
    site.restart();
    site.file();
    let entries = entered(&site.at().audit);
    let [(act, who, code, details)] = &*entries else { panic!("{entries:?}") };
    assert_eq!((&**act, &**who, code.as_deref()), ("permission-changed", "garmin", Some("P1")));
    assert_eq!(details["repeated"], true);
}
