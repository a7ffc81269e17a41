//! What can still be undone: a grace, a flood of notices that a person looks at, and that only a believable clock ends it.

use super::given::HOLD_FOR;
use super::leaving::{daily, gone, is_readable, only_purge, rules, site};
use super::trail::entered;
use super::{Site, leaves, rows};
use crate::model::study::DataFate;
use crate::people::refusal::Refusal;
use crate::store::engine::{row, table};
use crate::withdrawal::course::{Haste, Word};
use crate::withdrawal::record::{Cause, Stage, Why};
use crate::withdrawal::{Leave, event::What};

const DAY: i64 = 86_400;

/// The clock goes on step by step, so that it is believed.
fn wait_days(site: &mut Site, days: i64) {
    for _ in 0..days * 2 {
        site.wait(DAY / 2);
        site.file();
        site.round();
    }
}

#[test]
fn grace_locks_and_purges_when_it_is_over() {
    let mut site = site(rules(DataFate::Purge, 3));
    let owner = site.id("S", "P1");
    site.receive(&leaves("u1"));
    for _ in 0..2 {
        assert!(!is_readable(&site, &owner));
        let purge = only_purge(&site);
        assert_eq!((purge.stage, purge.wait.map(|wait| wait.why)), (Stage::Waiting, Some(Why::Grace)));
        site.restart();
    }
    site.wait(10);
    site.receive(&daily("u1", 2));
    assert_eq!(site.records_of(&owner).len(), 2, "what comes during the grace is not kept");
    let refused = site.at().people.rename_participant("S", "P1", "P9".into());
    assert!(matches!(refused, Err(Refusal::Locked(_))), "{refused:?}");
    wait_days(&mut site, 2);
    assert_eq!(only_purge(&site).stage, Stage::Waiting);
    wait_days(&mut site, 1);
    assert_eq!(only_purge(&site).stage, Stage::Erased);
    gone(&site, &owner, DataFate::Purge, "after the grace");
}

#[test]
fn pings_rest_during_a_grace_and_are_there_when_it_is_rejected() {
    let mut site = site(rules(DataFate::Purge, 3));
    let owner = site.id("S", "P1");
    site.receive(&leaves("u1"));
    let job = site.at().queue.take(site.now()).expect("it is due");
    assert!(site.at().queue.open(&job).expect("read").is_none(), "nothing is fetched of who is locked");
    assert!(site.at().queue.rests(&job));
    site.at().withdrawal.reject_purge(&only_purge(&site).id, site.now()).expect("rejected");
    assert!(site.at().queue.open(&job).expect("read").is_some() && !site.at().queue.rests(&job));
    assert_eq!(rows(&site, &row(owner.as_bytes(), table::PULL, &[])), 1);
}

#[test]
fn clock_that_leaps_ends_no_grace() {
    let mut site = site(rules(DataFate::Purge, 3));
    site.receive(&leaves("u1"));
    site.wait(40 * DAY);
    site.file();
    assert_eq!(only_purge(&site).stage, Stage::Waiting);
}

#[test]
fn rejected_purge_leaves_everything_as_it_was() {
    let mut site = site(rules(DataFate::Purge, 3));
    let owner = site.id("S", "P1");
    let before = site.at().people.read().participant(&owner).cloned();
    site.take(&daily("u1", 2));
    site.receive(&leaves("u1"));
    let id = only_purge(&site).id;
    site.wait(10);
    let events = site.at().withdrawal.reject_purge(&id, site.now()).expect("rejected");
    assert_eq!(events.iter().map(|event| event.what).collect::<Vec<_>>(), [What::Rejected]);
    for _ in 0..2 {
        assert_eq!(site.at().people.read().participant(&owner).cloned(), before);
        assert_eq!(site.records_of(&owner).len(), 3, "what came before the notice was filed all the same");
        site.restart();
    }
    site.receive(&daily("u1", 4));
    assert_eq!(site.records_of(&owner).len(), 4);
    site.at().withdrawal.confirm_purge(&id, site.now()).expect_err("it does not wait any longer");
    wait_days(&mut site, 4);
    assert!(is_readable(&site, &owner));
}

#[test]
fn person_may_override_the_policy_and_pass_the_grace_over() {
    let mut site = site(rules(DataFate::Purge, 30));
    let owner = site.id("S", "P1");
    let word = Word { fate: Some(DataFate::Retain), haste: Haste::AfterTheGrace };
    let preview = site.at().withdrawal.preview(&owner, word).expect("looked at");
    assert_eq!((preview.counts.records, preview.records_kept, preview.counts.pulls), (0, 2, 1));
    assert!(site.at().withdrawal.purges(true).is_empty(), "looking changes nothing");
    let leave = Leave { word, cause: Cause::Person };
    site.at().withdrawal.withdraw(&[owner], leave, site.now()).expect("locked");
    site.file();
    assert_eq!(only_purge(&site).stage, Stage::Waiting);
    let leave = Leave { word: Word { haste: Haste::AtOnce, ..word }, ..leave };
    site.at().withdrawal.withdraw(&[owner], leave, site.now()).expect("goes on");
    site.file();
    assert_eq!(only_purge(&site).cause, Cause::Person);
    gone(&site, &owner, DataFate::Retain, "at once");
}

#[test]
fn flood_of_notices_waits_for_a_person() {
    let mut site = Site::with(&["u0", "u1", "u2", "u3", "u4", "u5", "u6", "u7"]);
    for number in 0..8 {
        site.receive(&daily(&format!("u{number}"), 1));
    }
    let owner = site.id("S", "P2");
    let notices: Vec<_> = (0..6).map(|number| format!(r#"{{"userId":"u{number}"}}"#)).collect();
    let applied = site.apply_counting(&format!(r#"{{"deregistrations":[{}]}}"#, notices.join(",")));
    assert_eq!((applied.awaiting, applied.withdrawn), (6, 0));
    let held: Vec<_> = applied.events.iter().map(|event| event.entry(None)).collect();
    assert!(held.len() == 6 && held.iter().all(|entry| entry.act.name() == "deregistration-held"), "{held:?}");
    for _ in 0..2 {
        site.wait(60);
        site.file();
        let numbers = site.at().withdrawal.in_numbers();
        assert_eq!((numbers.awaiting, numbers.begun), (6, 0));
        assert!(!is_readable(&site, &owner));
        site.receive(&daily("u1", 2));
        assert_eq!(site.records_of(&owner).len(), 1, "collection has ended");
        site.restart();
    }
    let purges = site.at().withdrawal.purges(false);
    let of = |code: &str| purges.iter().find(|purge| purge.code == code).expect("it waits").id;
    site.at().withdrawal.reject_purge(&of("P1"), site.now()).expect("rejected");
    let confirmed = site.at().withdrawal.confirm_purge(&of("P2"), site.now()).expect("confirmed");
    assert_eq!(confirmed.iter().map(|event| event.what).collect::<Vec<_>>(), [What::Confirmed]);
    site.file();
    gone(&site, &owner, DataFate::Purge, "confirmed");
    assert!(is_readable(&site, &site.id("S", "P1")));
    assert_eq!(site.apply_counting(&leaves("u6")).awaiting, 1, "the flood goes on within the hour");
    // The six have waited two minutes longer than the last one.
    site.wait(HOLD_FOR - 100);
    site.file();
    site.file();
    let open = site.at().withdrawal.purges(false);
    assert!(open.iter().all(|purge| purge.code == "P7"), "{open:?}");
    let entries = entered(&site.at().audit);
    let begun = entries.iter().filter(|(act, who, ..)| (&**act, &**who) == ("purge-begun", "system"));
    assert_eq!(begun.count(), 4, "those whose wait was over");
    assert_eq!(site.at().people.read().participants(&site.study_id("S")).count(), 3);
}

#[test]
fn few_notices_are_no_flood_and_old_ones_do_not_count() {
    let users: Vec<_> = (0..8).map(|number| format!("u{number}")).collect();
    let mut site = Site::with(&users.iter().map(String::as_str).collect::<Vec<_>>());
    for user in &users[..4] {
        assert_eq!(site.apply_counting(&leaves(user)).withdrawn, 1);
    }
    site.file();
    site.wait(3601);
    assert_eq!(site.apply_counting(&leaves("u4")).withdrawn, 1);
}
