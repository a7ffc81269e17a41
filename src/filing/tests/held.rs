//! Data of unknown connections: held, limited, picked up, expired.

use std::sync::atomic::Ordering;

use super::answers::pulled_file;
use super::{Site, noise, push, rows, texts};
use crate::model::entry::Shape;
use crate::model::participant::Window;
use crate::model::time::UnixSeconds;
use crate::people::LinkRequest;
use crate::people::decide::{link::Target, participant::NewParticipant};
use crate::store::engine::{row, table};
use crate::telemetry::filing::RecordResult::{Duplicate, Held, NotHeld, Stored};

/// Adds a participant who is linked to the connection that is held.
pub(super) fn link_held(site: &Site, code: &str) {
    let handle = site.at().people.read().held().next().expect("one is held").1.held.handle.clone();
    let new = NewParticipant { code: Some(code.into()), ..NewParticipant::default() };
    let link = LinkRequest { target: Target::Handle(handle), window: Window::default() };
    site.at().people.add_participant("S", new, Some(link), UnixSeconds(super::NOW)).expect("linked");
}

#[test]
fn what_was_held_is_filed_for_whom_it_is_linked_to_with_the_time_it_came() {
    let mut site = Site::with(&["u1"]);
    let came = UnixSeconds(super::NOW);
    site.receive(&push("activities", "u3", r#""summaryId":"a1","activityName":"Lake","activityId":7,"n":1"#));
    site.receive(&push("activityDetails", "u3", &format!(r#""summaryId":"l1","x":"{}""#, noise(1, 90_000))));
    site.receive(&push("dailies", "u3", r#""callbackURL":"https://apis.example/wellness-api/rest/dailies?token=t""#));
    site.receive(r#"{"beats":[{"userId":"u3"}]}"#);
    let (owner, held) = {
        let directory = site.at().people.read();
        let (owner, held) = directory.held().next().expect("it is held");
        (owner, held.held.items.values().sum::<u64>())
    };
    assert_eq!((held, site.counted("activities", Held), site.records_of(&owner).len()), (4, 1, 3));
    assert_eq!(site.records_of(&owner)[0].data, r#"{"summaryId":"a1","activityName":"Lake","activityId":7,"n":1}"#);
    let held_files = site.at().blobs.ids().expect("listed");
    site.wait(500);
    link_held(&site, "P3");
    site.file();
    let records = site.records("S", "P3");
    assert_eq!(records.len(), 3);
    assert!(records.iter().all(|record| record.entry.received == came));
    let activity = records.iter().find(|record| record.entry.summary_type.name() == "activities").expect("it is there");
    assert!(activity.data.starts_with(r#"{"activity_id":""#) && !activity.data.contains("Lake"), "{}", activity.data);
    assert_eq!(rows(&site, &row(site.id("S", "P3").as_bytes(), table::PULL, &[])), 1, "the ping waits to be pulled");
    assert_eq!(site.at().people.read().held_count(), 0);
    assert!(site.at().keyring.owner(&owner).is_none(), "the holding key is destroyed");
    assert_eq!(rows(&site, owner.as_bytes()), 0);
    assert!(held_files.iter().all(|file| !site.at().blobs.ids().expect("listed").contains(file)));
    site.receive(&push("activities", "u3", r#""summaryId":"a2","n":2"#));
    assert_eq!(site.counted("activities", Stored), 2, "what comes later takes the straight way");
}

#[test]
fn held_file_is_filed_whole_for_whom_its_connection_is_linked_to() {
    for file in ["", "\n", "]}\n{\"userId\":", &noise(1, 200_000)] {
        let mut site = Site::with(&[]);
        let came = UnixSeconds(super::NOW);
        site.receive(&push("activityFiles", "u3", r#""summaryId":"f0","fileType":"FIT""#));
        site.receive(&push("activityFiles", "u3", &format!(r#""summaryId":"l1","x":"{}""#, noise(2, 70_000))));
        pulled_file(&mut site, "u3", file.as_bytes(), Shape::File);
        site.receive(&push("dailies", "u3", r#""summaryId":"d1""#));
        site.wait(500);
        link_held(&site, "P3");
        site.file();
        let records = site.records("S", "P3");
        assert_eq!(records.len(), 4, "{}", file.len());
        assert!(records.iter().all(|record| record.entry.received == came));
        let whole = format!("{{\"fileType\":\"FIT\"}}\n{file}");
        assert_eq!(texts(&records).iter().filter(|text| ***text == whole).count(), 1, "{}", file.len());
        assert_eq!(site.at().people.read().held_count(), 0);
        pulled_file(&mut site, "u3", file.as_bytes(), Shape::File);
        assert_eq!(site.counted("activityFiles", Duplicate), 1, "the same file that comes again is known");
    }
}

#[test]
fn file_that_does_not_fit_into_what_may_be_held_is_not_held() {
    let mut site = Site::stopped();
    site.settings.hold_bytes_max = 10_000;
    site.restart();
    pulled_file(&mut site, "u3", noise(1, 10_000).as_bytes(), Shape::File);
    assert_eq!(site.counted("activityFiles", NotHeld), 1);
    pulled_file(&mut site, "u3", noise(1, 9_000).as_bytes(), Shape::File);
    assert_eq!(site.counted("activityFiles", Held), 1);
}

#[test]
fn beyond_the_limit_of_connections_nothing_is_held() {
    let mut site = Site::stopped();
    site.held_connections_max = 1;
    site.restart();
    site.receive(&push("dailies", "u1", r#""n":1"#));
    site.receive(&push("dailies", "u2", r#""n":1"#));
    site.receive(&push("dailies", "u1", r#""n":2"#));
    assert_eq!((site.counted("dailies", Held), site.counted("dailies", NotHeld)), (2, 1));
}

#[test]
fn bytes_that_are_held_are_limited_over_restarts_and_given_back() {
    let mut site = Site::with(&[]);
    site.settings.hold_bytes_max = 150_000;
    site.restart();
    site.receive(&push("activityDetails", "u3", &format!(r#""x":"{}""#, noise(1, 90_000))));
    site.receive(&push("dailies", "u3", &format!(r#""x":"{}""#, noise(2, 30_000))));
    let held = site.at().filing.held_bytes;
    assert!((60_000..150_000).contains(&held), "{held}");
    for _ in 0..5 {
        site.receive(&push("dailies", "u3", &format!(r#""x":"{}""#, noise(2, 30_000))));
    }
    assert_eq!(site.at().filing.held_bytes, held, "duplicates take nothing");
    site.restart();
    assert_eq!(site.at().filing.held_bytes, held);
    site.receive(&push("activityDetails", "u4", &format!(r#""x":"{}""#, noise(3, 90_000))));
    assert_eq!(site.counted("activityDetails", NotHeld), 1);
    link_held(&site, "P1");
    site.file();
    assert_eq!(site.at().filing.held_bytes, 0);
    site.receive(&push("activityDetails", "u4", &format!(r#""x":"{}""#, noise(3, 90_000))));
    assert_eq!(site.counted("activityDetails", Held), 1);
}

#[test]
fn site_that_holds_nothing_drops_what_is_unknown() {
    let mut site = Site::stopped();
    site.settings.hold = false;
    site.restart();
    site.receive(&push("dailies", "u1", r#""n":1"#));
    assert_eq!((site.counted("dailies", NotHeld), site.at().people.read().held_count()), (1, 0));
}

#[test]
fn what_nobody_links_in_time_is_destroyed_and_later_data_are_held_anew() {
    let mut site = Site::with(&[]);
    site.receive(&push("activityDetails", "u3", &format!(r#""x":"{}""#, noise(1, 90_000))));
    let owner = site.at().people.read().held().next().expect("it is held").0;
    site.wait(9_999);
    site.file();
    assert_eq!(site.at().people.read().held_count(), 1);
    site.wait(100);
    site.file();
    assert_eq!((site.at().people.read().held_count(), site.at().filing.held_bytes), (0, 0));
    assert!(site.at().keyring.owner(&owner).is_none());
    assert!(site.at().blobs.ids().expect("listed").is_empty());
    assert_eq!(site.at().people.read().tombstones().count(), 0, "nobody is kept out");
    site.receive(&push("dailies", "u3", r#""n":1"#));
    assert_eq!(site.counted("dailies", Held), 1);
}

#[test]
fn expiry_that_was_cut_short_is_finished_at_the_next_start() {
    let mut site = Site::with(&[]);
    site.receive(&push("dailies", "u3", r#""n":1"#));
    site.wait(20_000);
    for number in 1..=4 {
        let mut copy = site.copy();
        copy.start(crate::store::faulty::Fault::Before(number)).expect("started");
        copy.try_file().expect_err("it fails");
        copy.restart();
        copy.file();
        assert_eq!(copy.at().people.read().held_count(), 0, "commit {number}");
        assert!(copy.at().catalog.owners().is_empty(), "commit {number}");
        assert!(copy.at().keyring.owners().is_empty(), "commit {number}");
    }
}

#[test]
fn quiet_site_grows_older_but_a_clock_that_jumps_expires_nothing() {
    let mut site = Site::with(&[]);
    site.settings.hold_for = 150_000;
    site.restart();
    site.receive(&push("dailies", "u3", r#""n":1"#));
    let mut jumping = site.copy();
    jumping.restart();
    jumping.wait(200_000);
    jumping.file();
    assert_eq!(jumping.at().people.read().held_count(), 1, "a clock that jumps is not believed");
    site.restart();
    for _ in 0..4 {
        site.wait(40_000);
        site.file();
        site.restart();
    }
    assert_eq!(site.at().people.read().held_count(), 0, "and one that goes on is");
}

#[test]
fn nothing_expires_by_a_clock_that_nothing_keeps_right() {
    let mut site = Site::with(&[]);
    site.receive(&push("dailies", "u3", r#""n":1"#));
    site.clock.adrift.store(true, Ordering::Release);
    site.wait(20_000);
    site.file();
    assert_eq!(site.at().people.read().held_count(), 1, "its time is over by that clock");
    site.clock.adrift.store(false, Ordering::Release);
    site.file();
    assert_eq!(site.at().people.read().held_count(), 0, "at once when the clock can be believed");
}

#[test]
fn held_items_of_one_connection_are_told_apart_by_content_alone() {
    let mut site = Site::with(&[]);
    for n in [1, 2, 1] {
        site.receive(&push("dailies", "u3", &format!(r#""summaryId":"d1","n":{n}"#)));
    }
    link_held(&site, "P1");
    site.file();
    let records = site.records("S", "P1");
    assert_eq!(texts(&records).len(), 2, "both versions of the one record");
    assert_eq!(records[0].entry.key, records[1].entry.key);
}
