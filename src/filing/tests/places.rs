//! The registry of places: all of them filled for a person, and each found empty after the purge.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::answers::{refused, unexpected_file};
use super::given::BY_A_PERSON;
use super::{NOW, Site, leaves, noise, push, rows};
use crate::crypto::key::Key;
use crate::crypto::seal::{Location, open};
use crate::model::id::{BlobId, OwnerId};
use crate::model::participant::Window;
use crate::model::time::UnixSeconds;
use crate::people::LinkRequest;
use crate::people::register::{HandedOver, Terms};
use crate::queue::plan::Event;
use crate::records::catalog::split_row;
use crate::records::head::Home;
use crate::records::large;
use crate::records::pack::{DATA, HEAD, INDEX};
use crate::records::read::LARGE;
use crate::store::engine::{Engine, SITE, row, table};
use crate::withdrawal::places::{Emptied, PLACES};

/// Everything of `u1` and `u1b`, who are one participant, and of `u2`, who shares files with them.
struct Filled {
    site: Site,
    /// The participant and the connection that is still held.
    owners: [OwnerId; 2],
    large: BlobId,
    /// The files that refused items are in.
    refused: Vec<BlobId>,
}

fn filled() -> Filled {
    let mut site = Site::with(&["u1", "u2"]);
    let participant = site.id("S", "P1");
    site.receive(&format!(
        r#"{{"dailies":[{{"userId":"u1","x":"{}"}},{{"userId":"u2","x":"{}"}}]}}"#,
        noise(1, 9000),
        noise(2, 9000)
    ));
    site.receive(&push("sleeps", "u1", r#""summaryId":"s1","n":1"#));
    site.receive(&push("activityDetails", "u1", &format!(r#""summaryId":"l","x":"{}""#, noise(3, 100_000))));
    site.receive(&push("dailies", "u1", r#""callbackURL":"https://apis.example/wellness-api/rest/dailies?token=t""#));
    let told = format!(r#""permissions":["MCT_EXPORT"],"changeTimeInSeconds":{NOW}"#);
    site.receive(&push("userPermissionsChange", "u1", &told));
    site.receive(&push("dailies", "u1b", r#""summaryId":"h1""#));
    site.receive(r#"{"dailies":[1]}"#);
    for user in ["u1", "u1b"] {
        refused(&mut site, user, "17");
        unexpected_file(&mut site, user, b"<html>");
    }
    let (queue, now) = (&site.at().queue, UnixSeconds(NOW));
    let job = queue.take(now).expect("a ping waits");
    let refused = Event::Answered { status: 412, retry_after: None, held: false };
    queue.apply(&job.pull(), refused, now, 0.0).expect("its end is written");
    let refused = site.at().quarantine.list().expect("it opens").iter().filter_map(|listed| listed.item.blob).collect();
    let directory = site.at().people.read();
    let number = site.at().people.next_export("S").expect("a number");
    let participants = vec![Arc::clone(directory.participant(&participant).expect("a participant"))];
    let handed_over = HandedOver { made: now, manifest: String::new(), participants, terms: Terms::default() };
    site.at().people.export_done(&number, &handed_over).expect("handed out");
    let held = site.at().people.read().held().next().expect("it is held").0;
    let link = LinkRequest { target: super::given::target("u1b"), window: Window::default() };
    site.at().people.link_participant("S", "P1", link).expect("linked");
    site.push(&push("dailies", "u1", r#""summaryId":"unfiled""#));
    let heads = site.at().catalog.heads(&participant);
    let large = heads.iter().find_map(|(_, head)| head.large.first().copied()).expect("a large record");
    Filled { site, owners: [participant, held], large, refused }
}

/// Rows and files of the owners in a place.
fn found(filled: &Filled, emptied: Emptied) -> usize {
    let Filled { site, owners, large, refused } = filled;
    let of_each = |count: &dyn Fn(&OwnerId) -> usize| owners.iter().map(count).sum();
    match emptied {
        Emptied::WithTheRecords(table) => of_each(&|owner| rows(site, &row(owner.as_bytes(), table, &[]))),
        Emptied::WithTheOwner(table) => of_each(&|owner| rows(site, &row(&SITE, table, owner.as_bytes()))),
        Emptied::WithThePacks => usize::from(site.at().blobs.size(*large) > 0),
        Emptied::WithTheRows(_) => refused.iter().filter(|blob| site.at().blobs.size(**blob) > 0).count(),
        Emptied::BeforeThePurge => usize::try_from(site.at().journal.backlog().0).expect("few bodies"),
        Emptied::WithTheEpoch => of_each(&|owner| usize::from(site.at().keyring.owner(owner).is_some())),
        Emptied::ByExpiry(_) | Emptied::Kept(_) | Emptied::KeptBesideTheStore => 0,
    }
}

#[test]
fn every_place_that_held_something_of_a_person_is_empty_after_the_purge() {
    let mut filled = filled();
    for place in PLACES {
        let stays = matches!(place.emptied, Emptied::ByExpiry(_) | Emptied::Kept(_) | Emptied::KeptBesideTheStore);
        assert!(stays || found(&filled, place.emptied) > 0, "{}: the test has to fill it", place.name);
    }
    let kept_before: Vec<_> = PLACES.iter().map(|place| kept(&filled.site, place.emptied)).collect();
    filled.site.push(&leaves("u1"));
    filled.site.push(&leaves("u1b"));
    filled.site.file();
    for place in PLACES {
        assert_eq!(found(&filled, place.emptied), 0, "{}", place.name);
    }
    let site = &filled.site;
    assert_eq!(site.records("S", "P2").len(), 1, "who shared a file still reads");
    let grown = PLACES.iter().zip(kept_before);
    for (place, before) in grown {
        let expected = match place.emptied {
            Emptied::Kept(table::TOMBSTONE) => 2,
            // The study, and the codes that are not given again.
            Emptied::Kept(table::STUDY) => 2,
            Emptied::Kept(table::PURGE) => 1,
            Emptied::Kept(_) | Emptied::ByExpiry(_) => before,
            Emptied::WithTheRecords(_)
            | Emptied::WithTheOwner(_)
            | Emptied::WithThePacks
            | Emptied::WithTheRows(_)
            | Emptied::BeforeThePurge
            | Emptied::WithTheEpoch
            | Emptied::KeptBesideTheStore => continue,
        };
        assert_eq!(kept(site, place.emptied), expected, "{}", place.name);
    }
}

/// Rows of the site in a place that is not emptied.
fn kept(site: &Site, emptied: Emptied) -> usize {
    match emptied {
        Emptied::ByExpiry(table) | Emptied::Kept(table) => rows(site, &row(&SITE, table, &[])),
        Emptied::WithTheRecords(_)
        | Emptied::WithTheOwner(_)
        | Emptied::WithThePacks
        | Emptied::WithTheRows(_)
        | Emptied::BeforeThePurge
        | Emptied::WithTheEpoch
        | Emptied::KeptBesideTheStore => 0,
    }
}

#[test]
fn every_table_of_the_store_is_a_place() {
    let source = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/engine.rs")).expect("source");
    let (_, tables) = source.split_once("pub mod table {").expect("the tables");
    let tables: Vec<u8> =
        tables.lines().filter_map(|line| Some(*line.split_once(": u8 = b'")?.1.as_bytes().first()?)).collect();
    assert!(tables.len() >= 10, "{tables:?}");
    for name in tables {
        let registered = PLACES.iter().any(|place| match place.emptied {
            Emptied::WithTheRecords(table)
            | Emptied::WithTheOwner(table)
            | Emptied::WithTheRows(table)
            | Emptied::ByExpiry(table)
            | Emptied::Kept(table) => table == name,
            Emptied::WithThePacks | Emptied::BeforeThePurge | Emptied::WithTheEpoch | Emptied::KeptBesideTheStore => {
                false
            }
        });
        assert!(
            registered,
            "table {:?} holds something of a person, or it does not: say so in PLACES",
            char::from(name)
        );
    }
}

#[test]
fn file_of_several_participants_goes_with_the_last_of_them() {
    let mut site = Site::with(&["u1", "u2"]);
    site.receive(&format!(
        r#"{{"dailies":[{{"userId":"u1","x":"{}"}},{{"userId":"u2","x":"{}"}}]}}"#,
        noise(1, 9000),
        noise(2, 9000)
    ));
    let files = |site: &Site| site.at().blobs.ids().expect("listed").len();
    assert_eq!(files(&site), 1);
    site.receive(&leaves("u1"));
    assert_eq!((files(&site), site.records("S", "P2").len()), (1, 1));
    site.restart();
    assert_eq!((files(&site), site.records("S", "P2").len()), (1, 1));
    site.receive(&leaves("u2"));
    assert_eq!(files(&site), 0);
}

/// A sealed object as somebody who copied the disk before the purge has it.
struct Copied {
    table: &'static str,
    owner: OwnerId,
    item: Vec<u8>,
    sealed: Vec<u8>,
}

/// Heads and sections of the owner's packs, pings and rows.
fn copied(site: &Site, owner: OwnerId) -> Vec<Copied> {
    let mut copied = Vec::new();
    for (id, head) in site.at().catalog.heads(&owner) {
        let value = site.memory.get(&row(owner.as_bytes(), table::PACK, &id.0)).expect("read").expect("a row");
        let (sealed, sections) = split_row(&value).expect("a head and sections");
        let sections = match head.home {
            Home::Row => sections.to_vec(),
            Home::Blob(blob, offset) => {
                let length = usize::try_from(head.lengths.all()).expect("small");
                site.at().blobs.read_at(blob, offset, length).expect("a file")
            }
        };
        let (index, data) = (head.lengths.index as usize, head.lengths.data as usize);
        let parts = [(HEAD, sealed), (INDEX, &sections[..index]), (DATA, &sections[index..index + data])];
        let parts = parts.map(|(table, sealed)| Copied { table, owner, item: id.0.to_vec(), sealed: sealed.to_vec() });
        copied.extend(parts);
    }
    let tables = [(table::PULL, "pull"), (table::PULL_STATE, "pull state"), (table::QUARANTINE, "quarantine")];
    for (table, name) in tables {
        let scanned = site.memory.scan(&row(owner.as_bytes(), table, &[]), &mut |key, value| {
            copied.push(Copied { table: name, owner, item: key[17..].to_vec(), sealed: value.to_vec() });
            true
        });
        scanned.expect("the memory engine reads");
    }
    for (table, name) in [(table::PARTICIPANT, "participant"), (table::LINKS, "links"), (table::HELD, "held")] {
        if let Some(sealed) = site.memory.get(&row(&SITE, table, owner.as_bytes())).expect("read") {
            copied.push(Copied { table: name, owner, item: Vec::new(), sealed });
        }
    }
    copied
}

fn opens(copied: &Copied, keys: &[Key]) -> bool {
    let location = Location { table: copied.table, owner: copied.owner.as_bytes(), item: &copied.item };
    keys.iter().any(|key| open(key, location, &copied.sealed).is_ok())
}

/// Every key that the keyring has.
fn keys(site: &Site) -> Vec<Key> {
    let keyring = &site.at().keyring;
    let site_keys = keyring.site();
    let mut keys = vec![
        site_keys.index.clone(),
        site_keys.tombstone.clone(),
        site_keys.quarantine.clone(),
        site_keys.signing_seed.clone(),
        keyring.journal_current().1,
    ];
    for owner in keyring.owners() {
        let owned = keyring.owner(&owner).expect("it is listed");
        keys.extend([owned.data.clone(), owned.pseudonym.clone()]);
        keys.extend(owned.identity.clone());
    }
    keys
}

#[test]
fn nothing_that_was_copied_from_the_disk_before_opens_with_a_key_that_is_left() {
    let Filled { mut site, owners, large, refused } = filled();
    let before = keys(&site);
    let objects: Vec<_> = owners.iter().flat_map(|owner| copied(&site, *owner)).collect();
    assert!(objects.len() > 14, "{}", objects.len());
    for object in &objects {
        assert!(opens(object, &before), "{} opens while the keys are there", object.table);
    }
    let generation = site.at().keyring.journal_current().0;
    let file = fs::read(path_of(&site, large)).expect("the large record's file");
    let unexpected: Vec<_> = refused.iter().map(|blob| fs::read(path_of(&site, *blob)).expect("a file")).collect();
    site.push(&leaves("u1"));
    site.push(&leaves("u1b"));
    site.file();
    site.restart();
    let left = keys(&site);
    for object in &objects {
        assert!(!opens(object, &left), "{}", object.table);
    }
    assert!(site.at().keyring.journal(generation).is_none(), "nor do bodies of the journal");
    fs::write(path_of(&site, large), file).expect("put back");
    for (blob, bytes) in refused.iter().zip(unexpected) {
        fs::write(path_of(&site, *blob), bytes).expect("put back");
    }
    for key in &left {
        let read = large::read(&site.at().blobs, large, key, LARGE, owners[0].as_bytes(), &mut |_| Ok(()));
        assert!(read.is_err());
        for (blob, owner) in refused.iter().flat_map(|blob| owners.iter().map(move |owner| (*blob, owner))) {
            let read = large::read(&site.at().blobs, blob, key, "quarantine", owner.as_bytes(), &mut |_| Ok(()));
            assert!(read.is_err());
        }
    }
}

fn path_of(site: &Site, blob: BlobId) -> PathBuf {
    let name = blob.to_string();
    site.dir.path().join("blobs").join(&name[..2]).join(name)
}

#[test]
fn turns_of_people_and_filing_at_once_neither_stop_nor_lose_anything() {
    let mut site = Site::with(&["u0"]);
    let people = Arc::clone(&site.at().people);
    let withdrawal = Arc::clone(&site.at().withdrawal);
    let thread = std::thread::spawn(move || {
        for number in 0..15 {
            let link = LinkRequest { target: super::given::target(&format!("v{number}")), window: Window::default() };
            let new = crate::people::decide::participant::NewParticipant {
                code: Some(format!("V{number}")),
                ..Default::default()
            };
            let added = people.add_participant("S", new, Some(link), UnixSeconds(NOW)).expect("added").id;
            if number % 2 == 0 {
                withdrawal.withdraw(&[added], BY_A_PERSON, UnixSeconds(NOW)).expect("withdrawn");
            }
        }
    });
    for round in 0..10 {
        for number in 0..15 {
            site.push(&push("dailies", &format!("v{number}"), &format!(r#""summaryId":"d{round}","n":{number}"#)));
        }
        site.push(&push("dailies", "u0", &format!(r#""summaryId":"d{round}""#)));
        site.round();
    }
    thread.join().expect("the other thread ends");
    site.file();
    assert_eq!(site.records("S", "P1").len(), 10);
    for number in (1..15).step_by(2) {
        assert_eq!(site.records("S", &format!("V{number}")).len(), 10, "V{number}");
    }
    assert_eq!(site.at().withdrawal.pending(), 0);
    let left = site.at().keyring.owners().len();
    assert_eq!(left, 1 + 7, "the keys of who left, and of what was held, are destroyed");
}
