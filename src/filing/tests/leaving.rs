//! Policies: purge and retain, one person in several studies; and that a crash at any step ends in one receipt.

use super::answers::refused;
use super::given::{BY_A_PERSON, target};
use super::{NOW, Site, leaves, noise, push, rows};
use crate::audit::list::Filter;
use crate::model::id::OwnerId;
use crate::model::participant::{ParticipantState, Window};
use crate::model::study::{DataFate, Rules};
use crate::model::time::UnixSeconds;
use crate::people::LinkRequest;
use crate::people::decide::link::Target;
use crate::people::decide::participant::NewParticipant;
use crate::people::refusal::Refusal;
use crate::people::register::{HandedOver, Terms};
use crate::store::engine::{SITE, row, table};
use crate::store::faulty::Fault;
use crate::telemetry::filing::RecordResult::DroppedPurged;
use crate::withdrawal::course::{Haste, Word};
use crate::withdrawal::receipt;
use crate::withdrawal::record::{Cause, Compaction, Purge, Stage};
use crate::withdrawal::{Event, Leave, event::What};

pub(super) fn daily(user: &str, number: u32) -> String {
    push("dailies", user, &format!(r#""summaryId":"d{number}","startTimeInSeconds":{},"n":{number}"#, NOW - 50))
}

pub(super) fn activity(user: &str, number: u32) -> String {
    let item =
        format!(r#""summaryId":"a{number}","startTimeInSeconds":{},"activityName":"Anna's run {number}""#, NOW - 50);
    push("activities", user, &item)
}

pub(super) fn ping(user: &str) -> String {
    let url = "https://apis.example/wellness-api/rest/dailies?token=t";
    push("dailies", user, &format!(r#""uploadStartTimeInSeconds":1,"uploadEndTimeInSeconds":2,"callbackURL":"{url}""#))
}

pub(super) fn rules(on_deregistration: DataFate, grace_days: u8) -> Rules {
    Rules { on_deregistration, grace_days, ..Rules::default() }
}

/// A site with a study of these rules and a participant `P1` of user `u1` who has a record, a name, and a ping.
pub(super) fn site(rules: Rules) -> Site {
    let mut site = Site::new();
    site.study("S", rules);
    site.participant("S", "P1", "u1");
    for body in [daily("u1", 1), activity("u1", 1), ping("u1")] {
        site.receive(&body);
    }
    site
}

pub(super) fn only_purge(site: &Site) -> Purge {
    let purges = site.at().withdrawal.purges(true);
    assert_eq!(purges.len(), 1, "{purges:?}");
    purges.into_iter().next().expect("one")
}

pub(super) fn is_readable(site: &Site, owner: &OwnerId) -> bool {
    site.at().people.read().participant(owner).is_some_and(|found| found.is_readable())
}

#[test]
fn purge_leaves_a_receipt_that_says_what_went() {
    let mut site = site(Rules::default());
    let owner = site.id("S", "P1");
    let (records, bytes) = (site.at().catalog.count(&owner), site.at().catalog.stored_bytes(&owner));
    let epoch = site.at().keyring.epoch();
    site.receive(&leaves("u1"));
    let purge = only_purge(&site);
    assert_eq!((purge.stage, purge.fate, purge.cause), (Stage::Erased, DataFate::Purge, Cause::Deregistration));
    assert_eq!((purge.destroyed.records, purge.destroyed.bytes), (records, bytes));
    assert_eq!((purge.destroyed.pulls, purge.destroyed.links, purge.epoch), (1, 1, Some(epoch)));
    assert_eq!(purge.compaction, Compaction::Done);
    is_entered(&site, &purge, "filed");
    let entry = purge.audit.expect("it is entered");
    site.restart();
    let purge = site.at().withdrawal.purge_of("S", "P1").expect("it outlives the restart");
    let head = site.at().audit.head_over(entry).expect("signed");
    assert!(head.sequence >= entry && site.at().audit.head_over(entry).expect("kept") == head, "signed once");
    let receipt = site.at().withdrawal.receipt(&purge, Some(&head)).expect("read").expect("there is one");
    assert_eq!(receipt::verify(receipt.json().to_string().as_bytes(), None), Ok(receipt.clone()));
    assert_eq!(
        (&receipt.json()["audit_entry"], &receipt.json()["audit_head"]["digest"]),
        (&entry.into(), &head.digest.into())
    );
}

#[test]
fn purge_that_is_not_in_the_audit_log_has_no_receipt_until_a_start_enters_it() {
    let mut site = site(Rules::default());
    site.at().withdrawal.withdraw(&[site.id("S", "P1")], BY_A_PERSON, site.now()).expect("withdrawn");
    let filed = site.at().journal.filed();
    let erased = site.at().withdrawal.carry_out(filed).expect("carried out");
    assert!(matches!(erased.as_slice(), [Event { what: What::Erased, .. }]));
    let purge = only_purge(&site);
    assert_eq!((purge.stage, purge.audit), (Stage::Erased, None));
    assert_eq!(site.at().withdrawal.receipt(&purge, None).expect("read"), None, "nothing is told as done");
    site.restart();
    let purge = only_purge(&site);
    is_entered(&site, &purge, "after the start");
    assert!(site.at().withdrawal.receipt(&purge, None).expect("read").is_some());
    assert_eq!(site.at().withdrawal.unaudited(), []);
}

#[test]
fn crash_at_any_step_ends_in_a_finished_purge_and_one_receipt() {
    for fate in [DataFate::Purge, DataFate::Retain] {
        let mut site = site(rules(fate, 0));
        site.participant("S", "P2", "u2");
        site.receive(&daily("u2", 1));
        let (owner, other) = (site.id("S", "P1"), site.id("S", "P2"));
        site.take(&leaves("u1"));
        let mut at = 1;
        loop {
            let mut failed = false;
            for fault in [Fault::Before(at), Fault::Halfway(at)] {
                let mut copy = site.copy();
                failed |= copy.start(fault).is_err() || copy.try_file().is_err();
                copy.restart();
                copy.file();
                let when = format!("{fate:?} {fault:?}");
                let purge = only_purge(&copy);
                assert_eq!((purge.stage, purge.compaction), (Stage::Erased, Compaction::Done), "{when}");
                assert_eq!(purge.destroyed.pulls, 1, "{when}");
                assert!(copy.at().withdrawal.receipt(&purge, None).expect("read").is_some(), "{when}");
                assert_eq!(copy.at().withdrawal.pending(), 0, "{when}");
                is_entered(&copy, &purge, &when);
                assert_eq!(copy.records_of(&other).len(), 1, "{when}");
                gone(&copy, &owner, fate, &when);
                copy.receive(&daily("u1", 9));
                assert_eq!(copy.counted("dailies", DroppedPurged), 1, "{when}");
            }
            if !failed {
                assert!(at > 6, "the purge has commits to fail at");
                break;
            }
            at += 1;
        }
    }
}

/// Whether the entry that the receipt of a purge names is that of its end, and the only one.
#[track_caller]
fn is_entered(site: &Site, purge: &Purge, when: &str) {
    let number = purge.audit.expect("the receipt names an entry");
    let entries = site.at().audit.list(&Filter::default()).expect("listed").entries;
    let act = if purge.fate == DataFate::Purge { "purge-carried-out" } else { "data-retained" };
    let ends = entries.iter().filter(|entry| entry.act == act);
    let ends: Vec<_> = ends.map(|entry| (entry.sequence, entry.code.as_deref(), &entry.details["purge"])).collect();
    let id = purge.id.to_string().into();
    assert_eq!(ends, [(number, Some("P1"), &id)], "{when}");
}

/// Whether what the policy destroys is gone, and what it retains is not.
#[track_caller]
pub(super) fn gone(site: &Site, owner: &OwnerId, fate: DataFate, when: &str) {
    let keys = site.at().keyring.owner(owner);
    for table in [table::LINKS, table::PERMISSION] {
        assert_eq!(rows(site, &row(&SITE, table, owner.as_bytes())), 0, "{when}");
    }
    for table in [table::PULL, table::PULL_STATE, table::QUARANTINE] {
        assert_eq!(rows(site, &row(owner.as_bytes(), table, &[])), 0, "{when}");
    }
    match fate {
        DataFate::Purge => {
            assert!(keys.is_none() && rows(site, owner.as_bytes()) == 0, "{when}");
            assert!(site.at().people.read().participant(owner).is_none(), "{when}");
        }
        DataFate::Retain => {
            assert!(keys.is_some_and(|keys| keys.identity.is_none()), "{when}");
            assert_eq!(site.records_of(owner).len(), 2, "{when}");
            let directory = site.at().people.read();
            let found = directory.participant(owner).expect("the code stays");
            assert_eq!((found.state, found.is_readable()), (ParticipantState::Retained, true), "{when}");
            for (id, _) in site.at().catalog.heads(owner) {
                assert!(site.at().catalog.identity_section(owner, &id).expect("read").is_empty(), "{when}");
            }
        }
    }
}

#[test]
fn two_hundred_notices_at_once_share_one_rotation() {
    let mut site = Site::new();
    site.brake.least = 1000;
    site.restart();
    site.study("S", Rules::default());
    for number in 0..200 {
        site.participant("S", &format!("P{number}"), &format!("u{number}"));
    }
    site.receive(&daily("u7", 1));
    let epoch = site.at().keyring.epoch();
    let notices: Vec<_> = (0..200).map(|number| format!(r#"{{"userId":"u{number}"}}"#)).collect();
    site.receive(&format!(r#"{{"deregistrations":[{}]}}"#, notices.join(",")));
    assert_eq!(site.at().keyring.epoch(), epoch + 1);
    let purges = site.at().withdrawal.purges(true);
    assert_eq!(purges.len(), 200);
    let mut numbers: Vec<_> = purges.iter().filter_map(|purge| purge.audit).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 200, "each receipt names its own entry");
    assert!(purges.iter().all(|purge| purge.stage == Stage::Erased && purge.epoch == Some(epoch)));
    assert!(site.at().keyring.owners().is_empty());
}

#[test]
fn retained_data_stay_readable_and_may_be_purged_later() {
    let mut site = site(rules(DataFate::Retain, 0));
    let owner = site.id("S", "P1");
    refused(&mut site, "u1", "17");
    assert_eq!(site.at().quarantine.items(), 1);
    site.receive(&leaves("u1"));
    assert_eq!(site.at().quarantine.items(), 0, "refused items are under the identity key");
    gone(&site, &owner, DataFate::Retain, "after the notice");
    assert!(only_purge(&site).destroyed.bytes > 0, "the names");
    site.restart();
    gone(&site, &owner, DataFate::Retain, "after a restart");
    let refused = site.at().people.rename_participant("S", "P1", "P9".into());
    assert_eq!(refused.expect_err("refused"), Refusal::Withdrawn);
    let word = Word { fate: Some(DataFate::Purge), haste: Haste::AtOnce };
    let leave = Leave { word, cause: Cause::StudyClosed };
    site.at().withdrawal.withdraw(&[owner], leave, UnixSeconds(NOW)).expect("withdrawn");
    site.file();
    gone(&site, &owner, DataFate::Purge, "after the study's end");
    assert_eq!(site.at().withdrawal.purges(true).len(), 2, "each has its receipt");
}

#[test]
fn merging_packs_of_retained_data_goes_on() {
    let mut site = site(rules(DataFate::Retain, 0));
    let owner = site.id("S", "P1");
    (2..40).for_each(|number| site.receive(&activity("u1", number)));
    let before = site.records_of(&owner).len();
    site.receive(&leaves("u1"));
    site.restart();
    assert_eq!(site.records_of(&owner).len(), before);
}

#[test]
fn studies_of_one_person_follow_their_own_policies() {
    let mut site = site(rules(DataFate::Purge, 0));
    site.study("T", rules(DataFate::Retain, 0));
    site.study("U", rules(DataFate::Purge, 5));
    site.participant("T", "Q1", "u1");
    site.participant("U", "R1", "u1");
    site.receive(&activity("u1", 7));
    site.receive(&activity("u1", 8));
    let owners = [site.id("S", "P1"), site.id("T", "Q1"), site.id("U", "R1")];
    site.receive(&leaves("u1"));
    gone(&site, &owners[0], DataFate::Purge, "S");
    gone(&site, &owners[1], DataFate::Retain, "T");
    assert!(!is_readable(&site, &owners[2]) && site.records_of(&owners[2]).len() == 2);
    site.receive(&leaves("u1"));
    assert_eq!(site.at().withdrawal.purges(true).len(), 3, "a notice that comes twice changes nothing");
    let waiting = site.at().withdrawal.purges(false);
    site.at().withdrawal.reject_purge(&waiting[0].id, site.now()).expect("rejected");
    site.receive(&daily("u1", 9));
    assert_eq!(site.records_of(&owners[2]).len(), 3, "who stays in one study is collected there");
}

#[test]
fn new_garmin_account_of_a_participant_loses_nothing() {
    let mut site = site(Rules::default());
    let owner = site.id("S", "P1");
    let link = LinkRequest { target: target("u1new"), window: Window::default() };
    site.at().people.link_participant("S", "P1", link).expect("linked");
    site.receive(&daily("u1new", 2));
    let applied = site.apply_counting(&leaves("u1"));
    assert_eq!((applied.ended, applied.withdrawn), (1, 0));
    assert!(matches!(applied.events.as_slice(), [Event { what: What::LinkEnded, purge: None, .. }]));
    site.file();
    assert_eq!((site.records_of(&owner).len(), is_readable(&site, &owner)), (3, true));
    site.receive(&leaves("u1new"));
    gone(&site, &owner, DataFate::Purge, "with the last account");
    site.receive(&daily("u1", 4));
    site.receive(&daily("u1new", 4));
    assert_eq!(site.counted("dailies", DroppedPurged), 2, "neither account comes back");
}

#[test]
fn purged_account_is_linked_again_by_a_deliberate_act_alone() {
    let mut site = site(Rules::default());
    let before = site.id("S", "P1");
    site.receive(&leaves("u1"));
    let new = |code: &str| NewParticipant { code: Some(code.into()), ..NewParticipant::default() };
    let plain = LinkRequest { target: target("u1"), window: Window::default() };
    let refused = site.at().people.add_participant("S", new("P2"), Some(plain), site.now());
    assert!(matches!(refused, Err(Refusal::Tombstoned(_))), "{refused:?}");
    let Target::User(client, user) = target("u1") else { panic!("a user") };
    let deliberate = LinkRequest { target: Target::UserDespiteWithdrawal(client, user), window: Window::default() };
    let taken = site.at().people.add_participant("S", new("P1"), Some(deliberate.clone()), site.now());
    assert!(matches!(taken, Err(Refusal::CodeRetired(_))), "{taken:?}");
    let added = site.at().people.add_participant("S", new("P2"), Some(deliberate), site.now()).expect("linked");
    assert_ne!(added.id, before);
    site.restart();
    site.receive(&daily("u1", 5));
    assert_eq!(site.records("S", "P2").len(), 1);
}

#[test]
fn receipt_names_the_exports_that_hold_the_code() {
    let mut site = site(Rules::default());
    let number = site.at().people.next_export("S").expect("a number");
    let added = NewParticipant { code: Some("P0".into()), ..NewParticipant::default() };
    site.at().people.add_participant("S", added, None, site.now()).expect("a participant");
    let directory = site.at().people.read();
    let handed_over = HandedOver {
        made: site.now(),
        manifest: "cd".repeat(32),
        participants: directory.participants(&site.study_id("S")).cloned().collect(),
        terms: Terms::default(),
    };
    site.at().people.export_done(&number, &handed_over).expect("kept");
    drop(number);
    site.at().withdrawal.withdraw(&[site.id("S", "P1")], BY_A_PERSON, site.now()).expect("withdrawn");
    site.file();
    let receipt = site.at().withdrawal.receipt(&only_purge(&site), None).expect("read").expect("there is one");
    assert_eq!(receipt.json()["exports"][0]["manifest_sha256"], "cd".repeat(32));
    assert!(!receipt.json().to_string().contains("P0"), "nobody else's code");
}

#[test]
fn notice_of_a_held_connection_drops_what_is_held_and_leaves_no_purge() {
    let mut site = Site::with(&["u1"]);
    site.receive(&daily("u9", 1));
    let applied = site.apply_counting(&leaves("u9"));
    assert_eq!((applied.dropped, applied.withdrawn, applied.unknown), (1, 0, 0));
    site.file();
    assert_eq!(site.apply_counting(&leaves("u9")).repeated, 1);
    assert_eq!(site.apply_counting(&leaves("u8")).unknown, 1);
    assert_eq!((site.at().people.read().held_count(), site.at().withdrawal.purges(true).len()), (0, 0));
}

#[test]
fn purge_of_a_file_shared_with_a_study_that_retains_leaves_theirs() {
    let mut site = site(rules(DataFate::Purge, 0));
    site.study("T", rules(DataFate::Retain, 0));
    site.participant("T", "Q1", "u1");
    site.receive(&push("activityDetails", "u1", &format!(r#""summaryId":"l","x":"{}""#, noise(3, 100_000))));
    let owner = site.id("T", "Q1");
    site.receive(&leaves("u1"));
    site.restart();
    assert_eq!(site.records_of(&owner).len(), 1);
    assert_eq!(site.at().blobs.ids().expect("listed").len(), 1);
}
