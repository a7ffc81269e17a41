//! Leaving: what a notice does, what it leaves alone, and that a crash at any step is finished at the next start.

use super::given::BY_A_PERSON;
use super::site::TOMBSTONE_FOR;
use super::trail::entered;
use super::{NOW, Site, leaves, noise, push, rows, texts};
use crate::audit::Act;
use crate::model::participant::{ParticipantState, Window};
use crate::model::study::Rules;
use crate::model::time::UnixSeconds;
use crate::people::LinkRequest;
use crate::people::decide::participant::NewParticipant;
use crate::people::refusal::Refusal;
use crate::store::engine::{SITE, row, table};
use crate::store::faulty::Fault;
use crate::telemetry::filing::RecordResult::{DroppedPurged, Held};

fn daily(user: &str, number: u32) -> String {
    push("dailies", user, &format!(r#""summaryId":"d{number}","startTimeInSeconds":{},"n":{number}"#, NOW - 50))
}

/// Whether nothing is left of the participant `P1` of `S` but the code that is not given again.
#[track_caller]
fn is_gone(site: &Site, owner: &crate::model::id::OwnerId, when: &str) {
    let directory = site.at().people.read();
    let study = directory.study("S").expect("a study").id;
    assert!(directory.participant(owner).is_none(), "{when}");
    assert_eq!(directory.retired(&study).iter().map(|retired| &*retired.code).collect::<Vec<_>>(), ["P1"], "{when}");
    assert!(site.at().keyring.owner(owner).is_none(), "{when}");
    assert_eq!(rows(site, owner.as_bytes()), 0, "{when}");
    for table in [table::PARTICIPANT, table::LINKS, table::PERMISSION] {
        assert_eq!(rows(site, &row(&SITE, table, owner.as_bytes())), 0, "{when}");
    }
    assert_eq!(site.at().withdrawal.pending(), 0, "{when}");
}

#[test]
fn crash_at_any_step_of_a_purge_is_finished_at_the_next_start() {
    let mut site = Site::with(&["u1", "u2"]);
    site.receive(&format!(
        r#"{{"dailies":[{{"userId":"u1","x":"{}"}},{{"userId":"u2","x":"{}"}}]}}"#,
        noise(1, 9000),
        noise(2, 9000)
    ));
    site.receive(&push("activityDetails", "u1", &format!(r#""summaryId":"l","x":"{}""#, noise(3, 100_000))));
    site.receive(&push("dailies", "u1", r#""callbackURL":"https://apis.example/wellness-api/rest/dailies?token=t""#));
    let owner = site.id("S", "P1");
    site.push(&leaves("u1"));
    let mut at = 1;
    loop {
        let mut failed = false;
        for fault in [Fault::Before(at), Fault::Halfway(at)] {
            let mut copy = site.copy();
            let started = copy.start(fault);
            failed |= started.is_err() || copy.try_file().is_err();
            copy.restart();
            copy.file();
            is_gone(&copy, &owner, &format!("{fault:?}"));
            assert_eq!(copy.records("S", "P2").len(), 1, "{fault:?}: the other of the same file is untouched");
            assert_eq!(copy.at().blobs.ids().expect("listed").len(), 1, "{fault:?}: the shared file alone is left");
            copy.receive(&daily("u1", 9));
            assert_eq!(copy.counted("dailies", DroppedPurged), 1, "{fault:?}");
        }
        if !failed {
            assert!(at > 4, "the purge has commits to fail at");
            return;
        }
        at += 1;
    }
}

#[test]
fn notice_that_is_durable_but_was_not_applied_is_applied_at_the_next_start() {
    let mut site = Site::with(&["u1"]);
    site.receive(&daily("u1", 1));
    let owner = site.id("S", "P1");
    site.take(&leaves("u1"));
    site.restart();
    site.file();
    is_gone(&site, &owner, "after the start");
}

#[test]
fn bodies_taken_before_the_notice_go_with_it_and_so_do_the_keys_of_the_journal() {
    let mut site = Site::with(&["u1", "u2"]);
    let generation = site.at().keyring.journal_current().0;
    site.push(&daily("u1", 1));
    site.push(&daily("u2", 1));
    site.push(&leaves("u1"));
    let owner = site.id("S", "P1");
    assert!(!site.at().withdrawal.is_due(crate::journal::Position(0)), "what was taken is filed first");
    site.file();
    is_gone(&site, &owner, "after filing");
    assert_eq!(site.records("S", "P2").len(), 1);
    assert!(site.at().keyring.journal(generation).is_none(), "the key of those bodies is destroyed");
}

#[test]
fn body_that_was_altered_on_disk_does_not_keep_a_purge_waiting() {
    let mut site = Site::with(&["u1"]);
    site.receive(&daily("u1", 1));
    let owner = site.id("S", "P1");
    site.take(&push("activityDetails", "u1", &format!(r#""summaryId":"l","x":"{}""#, noise(1, 100_000))));
    site.push(&leaves("u1"));
    site.take(&push("activityDetails", "u1", &format!(r#""summaryId":"m","x":"{}""#, noise(2, 100_000))));
    let journal = site.dir.path().join("journal");
    site.kill();
    for file in std::fs::read_dir(journal).expect("a folder").flatten() {
        if file.file_name().to_string_lossy().starts_with("body-") {
            let mut bytes = std::fs::read(file.path()).expect("read");
            bytes[60] ^= 1;
            std::fs::write(file.path(), bytes).expect("written");
        }
    }
    site.restart();
    site.file();
    is_gone(&site, &owner, "after filing what could be read");
}

#[test]
fn reads_obey_a_notice_from_its_answer_on() {
    let mut site = Site::with(&["u1"]);
    site.receive(&daily("u1", 1));
    let owner = site.id("S", "P1");
    site.push(&leaves("u1"));
    let state = |site: &Site| site.at().people.read().participant(&owner).map(|found| found.state);
    assert_eq!(state(&site), Some(ParticipantState::Withdrawn));
    site.restart();
    assert_eq!(state(&site), Some(ParticipantState::Withdrawn));
}

#[test]
fn late_data_are_dropped_until_the_tombstone_expires() {
    let mut site = Site::with(&["u1"]);
    site.receive(&leaves("u1"));
    site.receive(&daily("u1", 1));
    site.restart();
    site.receive(&daily("u1", 2));
    assert_eq!(site.counted("dailies", DroppedPurged), 1);
    let link = LinkRequest { target: super::given::target("u1"), window: Window::default() };
    let new = NewParticipant { code: Some("P7".into()), ..NewParticipant::default() };
    let refused = site.at().people.add_participant("S", new, Some(link), UnixSeconds(NOW));
    assert!(matches!(refused, Err(Refusal::Tombstoned(_))), "{refused:?}");
    site.wait(TOMBSTONE_FOR + 60);
    site.file();
    site.receive(&daily("u1", 3));
    assert_eq!(site.counted("dailies", Held), 1);
}

#[test]
fn notice_of_somebody_unknown_or_whose_link_has_ended_touches_nothing() {
    let mut site = Site::with(&["u1"]);
    site.receive(&daily("u1", 1));
    site.receive(&leaves("u7"));
    let at = UnixSeconds(NOW);
    site.at().people.unlink_participant("S", "P1", None, at, at).expect("unlinked");
    site.wait(10);
    site.receive(&leaves("u1"));
    let directory = site.at().people.read();
    assert_eq!(directory.tombstones().count(), 0);
    let found = directory.participant(&site.id("S", "P1")).expect("still there").state;
    assert_eq!((found, site.records("S", "P1").len()), (ParticipantState::Active, 1));
    assert_eq!(site.at().withdrawal.pending(), 0);
    site.receive(&daily("u7", 1));
    assert_eq!(site.counted("dailies", Held), 1, "whom nobody knew may come");
}

#[test]
fn participant_of_every_study_of_the_connection_is_purged() {
    let mut site = Site::with(&["u1"]);
    site.study("T", Rules::default());
    site.participant("T", "Q1", "u1");
    site.receive(&daily("u1", 1));
    let owners = [site.id("S", "P1"), site.id("T", "Q1")];
    let epoch = site.at().keyring.epoch();
    site.receive(&leaves("u1"));
    assert!(owners.iter().all(|owner| site.at().keyring.owner(owner).is_none()));
    assert_eq!(site.at().keyring.epoch(), epoch + 1, "with one rotation");
}

#[test]
fn held_connection_goes_with_the_notice_also_when_a_crash_comes_first() {
    for crashes in [false, true] {
        let mut site = Site::with(&[]);
        site.receive(&push("activityDetails", "u3", &format!(r#""x":"{}""#, noise(1, 90_000))));
        let owner = site.at().people.read().held().next().expect("it is held").0;
        site.push(&leaves("u3"));
        if crashes {
            site.restart();
        }
        site.file();
        assert_eq!(site.at().people.read().held_count(), 0);
        assert!(site.at().keyring.owner(&owner).is_none());
        assert!(site.at().blobs.ids().expect("listed").is_empty());
        assert_eq!(site.at().filing.held_bytes, 0);
        site.receive(&daily("u3", 1));
        assert_eq!(site.counted("dailies", DroppedPurged), 1);
    }
}

#[test]
fn participant_withdrawn_by_a_person_goes_and_what_garmin_still_sends_is_dropped() {
    let mut site = Site::with(&["u1", "u2"]);
    site.receive(&daily("u1", 1));
    let owner = site.id("S", "P1");
    site.at().withdrawal.withdraw(&[owner], BY_A_PERSON, UnixSeconds(NOW)).expect("withdrawn");
    site.file();
    is_gone(&site, &owner, "after the withdrawal");
    site.receive(&daily("u1", 2));
    assert_eq!((site.counted("dailies", DroppedPurged), site.at().people.read().held_count()), (1, 0));
}

#[test]
fn withdrawal_from_one_study_leaves_the_other_one_of_the_same_person_alone() {
    let mut site = Site::with(&["u1"]);
    site.study("T", Rules::default());
    site.participant("T", "Q1", "u1");
    site.receive(&daily("u1", 1));
    let owner = site.id("S", "P1");
    site.at().withdrawal.withdraw(&[owner], BY_A_PERSON, UnixSeconds(NOW)).expect("withdrawn");
    site.file();
    site.receive(&daily("u1", 2));
    is_gone(&site, &owner, "after the withdrawal");
    assert_eq!(texts(&site.records("T", "Q1")).len(), 2);
}

#[test]
fn permissions_are_kept_for_linked_and_held_and_an_empty_list_is_a_change() {
    let mut site = Site::with(&["u1"]);
    site.receive(&daily("u3", 1));
    let told = |user: &str, list: &str, at: i64| {
        let item = format!(r#""summaryId":"same","permissions":[{list}],"changeTimeInSeconds":{at}"#);
        push("userPermissionsChange", user, &item)
    };
    for user in ["u1", "u3"] {
        site.receive(&told(user, r#""ACTIVITY_EXPORT","MCT_EXPORT""#, NOW));
        site.receive(&told(user, "", NOW + 1));
        site.receive(&told(user, r#""ACTIVITY_EXPORT""#, NOW - 1));
    }
    site.restart();
    let directory = site.at().people.read();
    let held = directory.held().next().expect("it is held").0;
    for (owner, user) in [(site.id("S", "P1"), "u1"), (held, "u3")] {
        let kept = directory.permissions(&owner, &site.connection(user)).expect("they are kept");
        let told = kept.current().expect("a list");
        assert_eq!((told.granted.len(), told.changed), (0, UnixSeconds(NOW + 1)));
    }
}

#[test]
fn purge_is_in_the_audit_log_which_outlives_it() {
    let site = &mut Site::with(&["u1", "u2"]);
    site.receive(&daily("u1", 1));
    site.receive(&leaves("u1"));
    site.restart();
    let entries = entered(&site.at().audit);
    let [(act, who, code, details), (compacted, ..), (notice, ..)] = &*entries else { panic!("{entries:?}") };
    assert_eq!((&**act, &**who, code.as_deref()), ("purge-carried-out", "system", Some("P1")));
    let destroyed = site.at().keyring.epoch() - 1;
    assert_eq!((&details["records"], &details["epoch_destroyed"]), (&1.into(), &destroyed.into()));
    assert_eq!(compacted, "database-compacted");
    assert_eq!(notice, "deregistration-obeyed", "whoever takes the body enters it, which the tests' site does not");
    site.at().audit.stopped().expect("signed");
    assert_eq!(site.at().audit.verify().expect("verified").findings, []);
}

#[test]
fn notice_that_is_replayed_at_a_start_is_entered_as_repeated() {
    let site = &mut Site::with(&["u1"]);
    site.push(&leaves("u1"));
    site.restart();
    site.file();
    let acts: Vec<_> =
        entered(&site.at().audit).into_iter().map(|(act, _, code, details)| (act, code, details)).collect();
    assert_eq!((&*acts[0].0, acts[0].1.as_deref()), ("deregistration-obeyed", Some("P1")));
    assert_eq!(acts[0].2["repeated"], true);
    let names: Vec<_> = acts.iter().skip(1).map(|(act, ..)| &**act).collect();
    assert_eq!(names, ["purge-carried-out", "database-compacted"]);
}

#[test]
fn notices_tell_the_audit_log_of_participants_by_code_and_of_others_by_count() {
    let site = Site::with(&["u1"]);
    let many: Vec<_> = (0..50).map(|number| format!(r#"{{"userId":"nobody{number}"}}"#)).collect();
    let body = format!(r#"{{"deregistrations":[{{"userId":"u1"}},{}]}}"#, many.join(","));
    let events: Vec<_> = site.apply(site.take(&body), &body).events.iter().map(|event| event.entry(None)).collect();
    let texts: Vec<_> = events.iter().map(|event| (event.act.name(), event.code.as_deref())).collect();
    assert_eq!(texts, [("deregistration-obeyed", Some("P1")), ("deregistration-unknown", None)]);
    assert_eq!(events[1].act, Act::DeregistrationUnknown { notices: 50 });
}
