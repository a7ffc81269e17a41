//! Items that nobody can read or that are refused: kept apart, their neighbours filed.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use ring::rand::SystemRandom;

use super::answers::{refused, unexpected_file};
use super::given::open_keyring;
use super::{NOW, Site, leaves, noise, push, rows, texts};
use crate::crypto::keyring::Change;
use crate::crypto::seal::{Location, seal};
use crate::disk::Space;
use crate::filing::quarantine::{
    Holder, ItemId, Listed, Quarantine, Quarantined as Item, Reason, Sent, SentAs, VERSION,
};
use crate::journal::{Body, Delivery, Journal, Limits, Position, Settings as JournalSettings};
use crate::model::connection::ClientId;
use crate::model::entry::{Field, Shape, Whose};
use crate::model::id::OwnerId;
use crate::model::participant::Window;
use crate::model::time::UnixSeconds;
use crate::people::LinkRequest;
use crate::store::engine::{Batch, Engine, SITE, row, table};
use crate::store::faulty::Fault;
use crate::telemetry::filing::RecordResult::{DroppedPurged, Duplicate, Quarantined, Stored};

fn listed(site: &Site) -> Vec<Listed> {
    site.at().quarantine.list().expect("it opens")
}

fn content(site: &Site, listed: &Listed) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut keep = |piece: &[u8]| -> io::Result<()> {
        bytes.extend_from_slice(piece);
        Ok(())
    };
    site.at().quarantine.content(listed, &mut keep).expect("it opens");
    bytes
}

fn rows_of(site: &Site, owner: &OwnerId) -> usize {
    rows(site, &row(owner.as_bytes(), table::QUARANTINE, &[]))
}

/// Puts an item of the participant there that would be filed if it came again.
fn kept(site: &Site, owner: OwnerId, text: &str) -> ItemId {
    let item = Item {
        version: VERSION,
        received: UnixSeconds(NOW - 77),
        client: ClientId::single().as_str().to_owned(),
        member: "dailies".to_owned(),
        reason: Reason::TooManyPulls,
        bytes: text.len() as u64,
        text: None,
        blob: None,
        user: Some("u1".into()),
        file_bytes: None,
    };
    let mut batch = Batch::default();
    let read = |output: &mut dyn FnMut(&[u8])| output(text.as_bytes());
    let holders = [Holder::Owner(owner)];
    let put = site.at().quarantine.put(&mut batch, (Position(1_000_000), 3), &holders, &item, read);
    assert!(put.expect("written") > text.len());
    site.memory.commit(batch).expect("memory takes it");
    listed(site).remove(0).id
}

fn send_back(site: &Site, id: ItemId, sent_as: SentAs) -> Sent {
    site.at().quarantine.send_back(&site.at().journal, id, sent_as).expect("the journal takes it")
}

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

#[test]
fn refused_items_of_a_participant_go_with_their_purge() {
    let mut site = Site::with(&["u1", "u2"]);
    let owner = site.id("S", "P1");
    refused(&mut site, "u1", "17");
    refused(&mut site, "u1", &format!("\"{}\"", noise(1, 90_000)));
    unexpected_file(&mut site, "u1", b"<html>");
    refused(&mut site, "u2", "18");
    assert_eq!(listed(&site).iter().filter(|listed| listed.holder == Holder::Owner(owner)).count(), 3);
    assert_eq!((rows_of(&site, &owner), rows(&site, &row(&SITE, table::QUARANTINE, &[]))), (3, 0));
    site.restart();
    assert_eq!((site.at().quarantine.items(), site.at().blobs.ids().expect("listed").len()), (4, 2));
    site.receive(&leaves("u1"));
    assert_eq!((site.at().quarantine.items(), rows_of(&site, &owner)), (1, 0));
    assert!(site.at().blobs.ids().expect("listed").is_empty());
    refused(&mut site, "u1", "19");
    assert_eq!((site.at().quarantine.items(), site.counted("dailies", DroppedPurged)), (1, 1));
    let left = listed(&site).remove(0);
    assert_eq!((left.holder, content(&site, &left)), (Holder::Owner(site.id("S", "P2")), b"18".to_vec()));
}

#[test]
fn file_stands_behind_the_item_that_announced_it() {
    let mut site = Site::with(&["u1"]);
    unexpected_file(&mut site, "u1", b"\0\xFF not text");
    let listed = listed(&site).remove(0);
    let item = br#"{"userId":"u1","summaryId":"f1","fileType":"FIT"}"#;
    assert_eq!(content(&site, &listed), [&item[..], b"]}\0\xFF not text"].concat());
    assert_eq!((listed.item.file_bytes, listed.item.text_bytes()), (Some(11), item.len() as u64));
    assert_eq!(listed.item.reason, Reason::UnexpectedFile);
}

#[test]
fn person_in_two_studies_has_a_copy_in_each_that_nothing_links() {
    let mut site = Site::with(&["u1"]);
    site.study("T", crate::model::study::Rules::default());
    site.participant("T", "Q1", "u1");
    unexpected_file(&mut site, "u1", b"<html>");
    let names: HashSet<_> = listed(&site).iter().map(|listed| listed.id).collect();
    assert_eq!((names.len(), site.at().blobs.ids().expect("listed").len()), (2, 2));
    let first = site.id("S", "P1");
    site.at().withdrawal.withdraw(&[first], super::given::BY_A_PERSON, UnixSeconds(NOW)).expect("withdrawn");
    site.file();
    let left = listed(&site);
    assert_eq!(left.iter().map(|listed| listed.holder).collect::<Vec<_>>(), [Holder::Owner(site.id("T", "Q1"))]);
    assert!(content(&site, &left[0]).ends_with(b"<html>"));
}

#[test]
fn refused_items_of_a_held_connection_come_to_whoever_is_linked() {
    let mut site = Site::with(&["u1"]);
    site.receive(&push("dailies", "u9", r#""summaryId":"h1""#));
    let held = site.at().people.read().held().next().expect("it is held").0;
    refused(&mut site, "u9", "17");
    unexpected_file(&mut site, "u9", b"<html>");
    assert_eq!((rows_of(&site, &held), site.at().quarantine.items()), (2, 2));
    let link = LinkRequest { target: super::given::target("u9"), window: Window::default() };
    site.at().people.link_participant("S", "P1", link).expect("linked");
    site.file();
    let owner = site.id("S", "P1");
    assert_eq!((rows_of(&site, &held), rows_of(&site, &owner)), (0, 2));
    let reasons: HashSet<_> = listed(&site).iter().map(|listed| listed.item.reason.name()).collect();
    assert_eq!(reasons, HashSet::from(["not-an-object", "unexpected-file"]));
    assert_eq!(site.at().blobs.ids().expect("listed").len(), 1);
}

#[test]
fn destroyed_identity_key_takes_refused_items_with_it() {
    let mut site = Site::with(&["u1"]);
    let owner = site.id("S", "P1");
    unexpected_file(&mut site, "u1", b"<html>");
    let running = site.at();
    running.keyring.rotate(&[Change::DestroyIdentity(owner)]).expect("rotated");
    assert!(listed(&site).is_empty(), "the data key does not open it");
    let (engine, blobs, keyring) = (Arc::clone(&site.memory), Arc::clone(&running.blobs), Arc::clone(&running.keyring));
    let opened = Quarantine::open(engine, blobs, keyring, Arc::new(SystemRandom::new())).expect("it opens");
    assert_eq!((opened.items(), opened.files().len(), rows_of(&site, &owner)), (0, 0, 0));
}

#[test]
fn row_without_a_key_is_swept_and_row_of_the_version_before_is_read() {
    let mut site = Site::new();
    let key = site.at().keyring.site().quarantine.clone();
    let text = format!(
        r#"{{"version":1,"received":{NOW},"client":"default","member":"dailies","reason":"nobody","bytes":2,"text":"{{}}","blob":null}}"#
    );
    let location = Location { table: "quarantine", owner: &[], item: &[7; 16] };
    let mut batch = Batch::default();
    let sealed = seal(&key, location, text.as_bytes(), &SystemRandom::new());
    batch.put(row(&SITE, table::QUARANTINE, &[7; 16]), sealed.clone());
    batch.put(row(&[9; 16], table::QUARANTINE, &[8; 32]), sealed);
    site.memory.commit(batch).expect("memory takes it");
    site.restart();
    let found: Vec<_> = listed(&site).iter().map(|listed| (listed.item.reason, listed.item.text.clone())).collect();
    assert_eq!(found, [(Reason::Nobody, Some("{}".to_owned()))]);
    assert_eq!(rows(&site, &row(&[9; 16], table::QUARANTINE, &[])), 0);
    site.wait(5_100);
    site.file();
    assert_eq!((site.at().quarantine.items(), rows(&site, &row(&SITE, table::QUARANTINE, &[]))), (0, 0));
}

#[test]
fn item_that_is_sent_back_is_filed_as_if_it_had_come_again() {
    let mut site = Site::with(&["u1"]);
    let owner = site.id("S", "P1");
    let id = kept(&site, owner, r#"{"userId":"u1","summaryId":"d1"}"#);
    assert_eq!(send_back(&site, id, SentAs::Accepted), Sent::NotAFile);
    assert_eq!(send_back(&site, id, SentAs::ItCame), Sent::Done);
    assert_eq!((site.at().quarantine.items(), rows_of(&site, &owner)), (0, 0));
    site.file();
    let records = site.records("S", "P1");
    assert_eq!(texts(&records).len(), 1);
    assert_eq!(records[0].entry.received, UnixSeconds(NOW - 77), "the time it came");
    assert_eq!(send_back(&site, id, SentAs::ItCame), Sent::NoSuchItem);
}

#[test]
fn item_that_is_still_malformed_comes_back_as_it_was() {
    let mut site = Site::with(&["u1"]);
    site.receive(r#"{"dailies":[{"summaryId":"d9"}],"sleeps":{"userId":"u1"}}"#);
    refused(&mut site, "u1", &format!("\"{}\"", noise(1, 90_000)));
    let outline = |site: &Site| {
        let mut all: Vec<_> = listed(site)
            .iter()
            .map(|it| (it.item.reason.name(), it.holder == Holder::Site, it.item.received, content(site, it)))
            .collect();
        all.sort();
        all
    };
    let before = outline(&site);
    let ids: HashSet<_> = listed(&site).iter().map(|listed| listed.id).collect();
    assert_eq!((before.len(), ids.len()), (3, 3));
    site.wait(100);
    for id in &ids {
        assert_eq!(send_back(&site, *id, SentAs::ItCame), Sent::Done);
    }
    assert_eq!(site.at().quarantine.items(), 0);
    site.file();
    assert_eq!(outline(&site), before);
    assert!(listed(&site).iter().all(|listed| !ids.contains(&listed.id)), "they are others");
}

#[test]
fn accepted_file_is_in_the_journal_as_one_that_was_expected() {
    let mut site = Site::with(&["u1"]);
    let file = noise(4, 70_000);
    unexpected_file(&mut site, "u1", file.as_bytes());
    let id = listed(&site).remove(0).id;
    assert_eq!(send_back(&site, id, SentAs::ItCame), Sent::NeedsAcceptance);
    assert_eq!(send_back(&site, id, SentAs::Accepted), Sent::Done);
    assert!(site.at().blobs.ids().expect("listed").is_empty());
    let filed = site.at().journal.filed();
    site.kill();
    let delivery = delivered(&site, filed);
    assert_eq!(delivery.header.received, UnixSeconds(NOW));
    let Body::Spilled(mut body) = delivery.body else { panic!("a file is spooled") };
    let entry = body.next_entry().expect("it reads").expect("an entry");
    assert_eq!((entry.shape, &entry.whose, &*entry.member), (Shape::File, &Whose::User("u1".into()), "activityFiles"));
    assert_eq!(entry.field(Field::SummaryId), Some("f1"));
    let (mut text, mut bytes) = (Vec::new(), Vec::new());
    body.read(entry.span.clone(), &mut |piece| text.extend_from_slice(piece)).expect("it reads");
    body.read(entry.file().expect("a file"), &mut |piece| bytes.extend_from_slice(piece)).expect("it reads");
    assert_eq!(text, br#"{"userId":"u1","summaryId":"f1","fileType":"FIT"}"#);
    assert!(bytes == file.as_bytes());
    assert!(body.next_entry().expect("it reads").is_none());
}

/// The next body of a site that does not run.
fn delivered(site: &Site, filed: Position) -> Delivery {
    let dir = site.dir.path();
    let keyring = Arc::new(open_keyring(&dir.join("keyring")));
    let settings = JournalSettings { dir: dir.join("journal") };
    let space = Space::new(dir, 0).expect("a disk");
    let rng = Arc::new(SystemRandom::new());
    let opened = Journal::open(&settings, Limits::default(), keyring, space, rng, filed);
    let (_journal, mut reader) = opened.expect("the journal opens");
    reader.next(Duration::from_secs(10)).expect("it reads").expect("a body")
}

#[test]
fn crash_between_journal_and_row_leaves_both_and_filing_finds_the_duplicate() {
    let mut site = Site::with(&["u1"]);
    let owner = site.id("S", "P1");
    let id = kept(&site, owner, r#"{"userId":"u1","summaryId":"d1"}"#);
    site.start(Fault::Before(1)).expect("it starts");
    let sent = site.at().quarantine.send_back(&site.at().journal, id, SentAs::ItCame);
    assert!(sent.is_err(), "the row cannot be deleted");
    site.restart();
    site.file();
    assert_eq!((site.at().quarantine.items(), site.records("S", "P1").len()), (1, 1));
    assert_eq!(send_back(&site, id, SentAs::ItCame), Sent::Done);
    site.file();
    assert_eq!((site.at().quarantine.items(), site.records("S", "P1").len()), (0, 1));
    assert_eq!(site.counted("dailies", Duplicate), 1);
}

#[test]
fn dropped_item_goes_with_its_file() {
    let mut site = Site::with(&["u1"]);
    unexpected_file(&mut site, "u1", b"<html>");
    refused(&mut site, "u1", "17");
    let quarantine = Arc::clone(&site.at().quarantine);
    for listed in listed(&site) {
        assert!(quarantine.drop_item(listed.id).expect("dropped"));
        assert!(!quarantine.drop_item(listed.id).expect("asked"));
    }
    assert_eq!((quarantine.items(), rows_of(&site, &site.id("S", "P1"))), (0, 0));
    assert!(site.at().blobs.ids().expect("listed").is_empty());
}
