//! What is collected for whom, and when.

use std::sync::Arc;

use super::{NOW, Site, push, rows, texts};
use crate::dataset::source::Source;
use crate::export::plan::plan;
use crate::export::select::Scope;
use crate::export::source::StoreSource;
use crate::model::participant::{Bound, Window};
use crate::model::study::Rules;
use crate::model::time::UnixSeconds;
use crate::people::decide::participant::Step;
use crate::store::engine::{row, table};
use crate::telemetry::filing::RecordResult::{NotPermitted, OutsideWindow, Stored};

fn from(seconds: i64) -> Window {
    Window { from: Some(UnixSeconds(seconds).into()), to: None }
}

fn daily(user: &str, number: i64, start: i64) -> String {
    push("dailies", user, &format!(r#""summaryId":"d{number}","startTimeInSeconds":{start}"#))
}

#[test]
fn one_person_in_two_studies_is_filed_twice_and_nothing_joins_the_two() {
    let mut site = Site::with(&["u1"]);
    site.study("T", Rules::default());
    site.participant("T", "Q1", "u1");
    site.receive(&push("activities", "u1", r#""summaryId":"x1","activityId":5,"startTimeInSeconds":1793509200"#));
    let [one, other] = [site.records("S", "P1"), site.records("T", "Q1")];
    assert_eq!((one.len(), other.len()), (1, 1));
    assert_ne!(one[0].entry.record_id, other[0].entry.record_id);
    assert_ne!(one[0].entry.key, other[0].entry.key);
    assert_ne!(one[0].data, other[0].data, "the activity's pseudonym differs");
    let keyring = &site.at().keyring;
    let keys = |study, code| keyring.owner(&site.id(study, code)).expect("keys").data.clone();
    assert!(keys("S", "P1") != keys("T", "Q1"));
}

#[test]
fn what_no_window_covers_is_counted_and_not_kept() {
    let mut site = Site::new();
    site.study("S", Rules::default());
    site.participant_within("S", "P1", "u1", from(NOW), Window::default());
    site.participant_within("S", "P2", "u2", Window::default(), from(NOW));
    for user in ["u1", "u2"] {
        site.receive(&daily(user, 1, NOW - 1));
        site.receive(&daily(user, 2, NOW));
    }
    assert_eq!((site.counted("dailies", OutsideWindow), site.counted("dailies", Stored)), (2, 2));
    assert_eq!((site.records("S", "P1").len(), site.records("S", "P2").len()), (1, 1));
}

#[test]
fn days_of_a_window_are_those_of_the_participants_own_clock_in_filing_and_export_alike() {
    let mut site = Site::new();
    site.study("S", Rules::default());
    let (first, after) = (Bound::of_date("2026-11-01"), Bound::after_date("2026-11-03"));
    let three_days = Window { from: first, to: after };
    let midnight = UnixSeconds::of_date("2026-11-01").expect("a date").0;
    for (user, hours) in [("auckland", 13), ("berlin", 1), ("new-york", -4), ("unsaid", 0)] {
        site.participant_within("S", user, user, three_days, three_days);
        for day in -1..4 {
            // A daily begins at midnight where the watch is.
            let start = midnight + day * 86_400 - hours * 3600;
            let offset = format!(r#","startTimeOffsetInSeconds":{}"#, hours * 3600);
            let offset = if user == "unsaid" { "" } else { &offset };
            let rest = format!(r#""summaryId":"d{day}","startTimeInSeconds":{start}{offset}"#);
            site.receive(&push("dailies", user, &rest));
        }
    }
    let people = Arc::clone(&site.at().people);
    let study = people.study("S").expect("a study");
    let plan = plan(&people, &study, Scope::default(), 1, u64::MAX, site.now()).expect("it may");
    let catalog = Arc::clone(&site.at().catalog);
    let exported = StoreSource::new(&catalog, &people, &plan).participants().expect("read");
    for row in exported {
        assert_eq!((site.records("S", &row.code).len(), row.records), (3, 3), "{}", row.code);
    }
    let other_days = Scope { window: Window { from: Bound::of_date("2026-11-02"), to: after }, ..Scope::default() };
    let plan = self::plan(&people, &study, other_days, 1, u64::MAX, site.now()).expect("it may");
    let exported = StoreSource::new(&catalog, &people, &plan).participants().expect("read");
    assert!(exported.iter().all(|row| row.records == 2), "{exported:?}");
}

#[test]
fn ping_is_kept_while_it_may_lead_into_a_day_of_the_window_anywhere() {
    let mut site = Site::new();
    site.study("S", Rules::default());
    let window = Window { from: Some(Bound::Day(UnixSeconds(NOW + 13 * 3600))), to: None };
    let later = Window { from: Some(Bound::Day(UnixSeconds(NOW + 15 * 3600))), to: None };
    for (user, window, expected) in [("u1", window, 1), ("u2", later, 0)] {
        let owner = site.participant_within("S", user, user, window, Window::default());
        let url = r#""callbackURL":"https://apis.example/wellness-api/rest/dailies?token=t""#;
        site.receive(&push("dailies", user, url));
        assert_eq!(pings(&site, owner.as_bytes()), expected, "{user}");
    }
}

#[test]
fn what_happened_in_a_pause_is_not_kept_though_it_comes_later() {
    let mut site = Site::with(&["u1"]);
    let people = &site.at().people;
    people.step_participant("S", "P1", Step::Pause, UnixSeconds(NOW)).expect("paused");
    people.step_participant("S", "P1", Step::Resume, UnixSeconds(NOW + 10)).expect("resumed");
    for (number, start) in (0..).zip([NOW - 1, NOW, NOW + 9, NOW + 10]) {
        site.receive(&daily("u1", number, start));
    }
    assert_eq!((site.counted("dailies", OutsideWindow), site.records("S", "P1").len()), (2, 2));
}

#[test]
fn link_that_has_ended_takes_what_happened_before_and_nothing_after() {
    let mut site = Site::with(&["u1"]);
    let (at, people) = (UnixSeconds(NOW), &site.at().people);
    people.unlink_participant("S", "P1", None, at, at).expect("unlinked");
    site.receive(&daily("u1", 1, NOW - 1));
    site.receive(&daily("u1", 2, NOW));
    assert_eq!((site.counted("dailies", OutsideWindow), site.records("S", "P1").len()), (1, 1));
    assert_eq!(site.at().people.read().held_count(), 0);
}

#[test]
fn study_keeps_the_types_it_collects_and_pings_are_no_exception() {
    let mut site = Site::new();
    site.study("S", Rules { types: vec!["dailies".into()], ..Rules::default() });
    let owner = site.participant("S", "P1", "u1");
    site.receive(&push("sleeps", "u1", r#""summaryId":"s1""#));
    site.receive(&daily("u1", 1, NOW));
    for summary_type in ["sleeps", "dailies"] {
        let url = format!(r#""callbackURL":"https://apis.example/wellness-api/rest/{summary_type}?token=t""#);
        site.receive(&push(summary_type, "u1", &url));
    }
    assert_eq!((site.counted("sleeps", NotPermitted), site.records("S", "P1").len()), (2, 1));
    assert_eq!(pings(&site, owner.as_bytes()), 1);
}

#[test]
fn dataset_up_to_a_commit_has_nothing_of_what_is_filed_while_it_is_made() {
    let mut site = Site::with(&["u1"]);
    site.receive(&daily("u1", 1, NOW));
    let (catalog, people) = (Arc::clone(&site.at().catalog), Arc::clone(&site.at().people));
    let sequence = catalog.sequence();
    site.receive(&daily("u1", 2, NOW));
    let records = |sequence| {
        let study = people.study("S").expect("a study");
        let plan = plan(&people, &study, Scope::default(), 1, sequence, site.now()).expect("it may");
        let mut source = StoreSource::new(&catalog, &people, &plan);
        source.participants().expect("read")[0].records
    };
    assert_eq!((records(sequence), records(catalog.sequence())), (1, 2));
}

#[test]
fn window_pinged_again_replaces_the_ping_and_another_stands_beside_it() {
    let mut site = Site::with(&["u1"]);
    let owner = site.id("S", "P1");
    let ping = |start: u32, token: &str| {
        let url = format!("https://apis.example/wellness-api/rest/dailies?token={token}");
        push("dailies", "u1", &format!(r#""callbackURL":"{url}","uploadStartTimeInSeconds":{start}"#))
    };
    for body in [ping(1, "a"), ping(1, "b"), ping(2, "a")] {
        site.receive(&body);
    }
    assert_eq!(pings(&site, owner.as_bytes()), 2);
    assert!(texts(&site.records("S", "P1")).is_empty());
}

#[test]
fn ping_that_comes_late_is_kept_while_it_may_lead_into_the_window() {
    let mut site = Site::new();
    site.study("S", Rules::default());
    let day = 86_400;
    let ended = Window { from: None, to: Some(UnixSeconds(NOW + day).into()) };
    let owner = site.participant_within("S", "P1", "u1", ended, Window::default());
    let ping = |start: i64| {
        let url = "https://apis.example/wellness-api/rest/dailies?token=t";
        push("dailies", "u1", &format!(r#""callbackURL":"{url}","uploadStartTimeInSeconds":{start}"#))
    };
    site.wait(3 * day);
    site.receive(&ping(1));
    assert_eq!(pings(&site, owner.as_bytes()), 1, "two days after the end");
    site.wait(6 * day);
    site.receive(&ping(2));
    assert_eq!(pings(&site, owner.as_bytes()), 1, "eight days after the end");
    assert_eq!(site.counted("dailies", OutsideWindow), 1);
}

fn pings(site: &Site, owner: &[u8; 16]) -> usize {
    rows(site, &row(owner, table::PULL, &[]))
}
