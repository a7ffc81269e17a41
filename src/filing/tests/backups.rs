//! Backups of a site that files: what purges do to them, with kills at every step.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ring::rand::SystemRandom;

use super::{Site, leaves, noise, push};
use crate::backup::frame::Fault;
use crate::backup::nightly::{TimeOfDay, is_due};
use crate::backup::register::Made;
use crate::backup::verify::verify;
use crate::backup::{self, Backups, Failure, Source, capsule, purge_log, restore};
use crate::clock::Clock;
use crate::crypto::key::{Key, Rng};
use crate::crypto::keyring::root::UnderRoot;
use crate::crypto::keyring::{Change, Keyring};
use crate::store::engine::Engine;
use crate::store::faulty::{Fault as EngineFault, Faulty};
use crate::store::memory::Memory;

/// What backups share with the rest of a site.
pub(super) type Shared = (Arc<dyn Engine>, Arc<Keyring>, Arc<Rng>, Arc<dyn Clock>);

/// The backups of a site.
pub(super) fn open(dir: Option<PathBuf>, shared: Shared) -> Result<Arc<Backups>, String> {
    let (engine, keyring, rng, clock) = shared;
    let settings = backup::Settings { dir, disk_reserve: 0 };
    let opened = Backups::open(backup::Parts { settings, engine, keyring, rng, clock });
    opened.map(Arc::new).map_err(|failure| failure.to_string())
}

fn root() -> Key {
    Key::from_bytes([7; 32])
}

/// A site with two participants and a folder of backups; records in rows, in a bundle and in files, refused items, a
/// held connection.
fn filled(folder: &Path) -> Site {
    let mut site = Site::stopped();
    site.backups = Some(folder.to_owned());
    site.restart();
    site.study("S", Default::default());
    for (number, user) in [(1, "u1"), (2, "u2")] {
        site.participant("S", &format!("P{number}"), user);
        site.receive(&push("dailies", user, &format!(r#""summaryId":"d{user}","x":"{}""#, noise(number, 9000))));
        site.receive(&push(
            "activityDetails",
            user,
            &format!(r#""summaryId":"l{user}","x":"{}""#, noise(number, 100_000)),
        ));
        site.receive(&push("sleeps", user, &format!(r#""summaryId":"s{user}""#)));
    }
    site.receive(&push("dailies", "u3", r#""summaryId":"held""#));
    site.receive(r#"{"dailies":[1]}"#);
    site
}

fn source(site: &Site) -> Source {
    let running = site.at();
    Source { rows: Arc::clone(&running.rows), catalog: Arc::clone(&running.catalog), audit: Arc::clone(&running.audit) }
}

fn made(site: &Site) -> (Made, PathBuf) {
    let made = site.at().backups.make(&source(site)).expect("made");
    let path = site.backups.as_ref().expect("a folder").join(made.file.as_ref().expect("a name"));
    (made, path)
}

#[test]
fn backup_is_whole_and_everything_in_it_opens() {
    let folder = tempfile::tempdir().expect("a folder");
    let site = filled(folder.path());
    let (made, path) = made(&site);
    let verified = verify(&path, Some(&root())).expect("whole");
    let opened = verified.opened.expect("opened");
    assert_eq!((opened.destroyed, opened.unknown), (0, 0));
    assert!(opened.rows > 15 && opened.parts > 8, "{opened:?}");
    assert_eq!(verified.totals.files, site.at().blobs.ids().expect("listed").len() as u64);
    assert_eq!((Some(verified.bytes), verified.head.id), (made.bytes, made.id));
    assert!(verify(&path, None).expect("whole").opened.is_none());
    let wrong = verify(&path, Some(&Key::from_bytes([8; 32])));
    assert!(matches!(wrong, Err(Failure::Closed(capsule::Closed::WrongRootKey))), "{wrong:?}");
}

#[test]
fn every_altered_byte_and_every_cut_is_found_without_the_root_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut site = Site::stopped();
    site.backups = Some(folder.path().to_owned());
    site.restart();
    site.study("S", Default::default());
    site.participant("S", "P1", "u1");
    site.receive(&push("dailies", "u1", &format!(r#""summaryId":"d","x":"{}""#, noise(1, 9000))));
    let (_, path) = made(&site);
    let whole = fs::read(&path).expect("read");
    let altered = folder.path().join("altered");
    let check = |bytes: &[u8], what: &str| {
        fs::write(&altered, bytes).expect("written");
        let found = verify(&altered, None);
        assert!(matches!(found, Err(Failure::Fault(_))), "{what}: {found:?}");
    };
    // Of the zeros that fill head and slots up, some.
    let is_filling = |at: usize| whole[at] == 0 && whole[at.saturating_sub(8)..(at + 8).min(whole.len())] == [0; 16];
    let places: Vec<_> = (0..whole.len()).filter(|at| !is_filling(*at) || at % 97 == 0).collect();
    assert!(places.len() > 3000);
    for at in &places {
        let mut bytes = whole.clone();
        bytes[*at] ^= 1 << (at % 8);
        check(&bytes, &format!("byte {at}"));
    }
    for length in places.iter().step_by(13) {
        check(&whole[..*length], &format!("cut to {length}"));
    }
    check(&[&whole[..], b"x"].concat(), "longer");
    verify(&path, None).expect("the file itself is whole");
}

#[test]
fn purge_takes_the_keys_from_every_backup_and_no_other_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut site = filled(folder.path());
    let (_, path) = made(&site);
    let gone = site.id("S", "P1");
    let stays = site.id("S", "P2");
    let keys = site.at().keyring.owner(&gone).expect("keys").data.expose().to_vec();
    site.receive(&leaves("u1"));
    let opened = restore::open(&path, &root()).expect("it opens");
    assert!(opened.keys.owner(&gone).is_none());
    assert!(opened.keys.owner(&stays).is_some_and(|keys| keys.identity.is_some()));
    let found = verify(&path, Some(&root())).expect("whole").opened.expect("opened");
    assert!(found.destroyed > 3, "{found:?}");
    assert!(fs::read(&path).expect("read").windows(32).all(|part| part != keys));
    let purge = site.at().withdrawal.purges(true).pop().expect("a purge");
    assert!(purge.backups_not_reached.is_empty());
    let beside = purge_log::beside(folder.path(), &opened.head.site_key_text());
    assert!(purge_log::read(&beside).expect("whole").is_of(&opened.head));
}

#[test]
fn backup_that_is_not_there_is_named_and_sought_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut site = filled(folder.path());
    let (made, path) = made(&site);
    let away = folder.path().join("elsewhere");
    fs::create_dir(&away).expect("a folder");
    let elsewhere = away.join("x");
    fs::rename(&path, &elsewhere).expect("moved");
    site.receive(&leaves("u1"));
    let purge = || site.at().withdrawal.purges(true).pop().expect("a purge");
    assert_eq!(purge().backups_not_reached.iter().map(|missed| missed.id).collect::<Vec<_>>(), [made.id]);
    site.at().withdrawal.seek_backups().expect("sought");
    assert_eq!(purge().backups_not_reached.len(), 1, "still away");
    fs::rename(&elsewhere, &path).expect("moved back");
    site.at().withdrawal.seek_backups().expect("sought");
    assert!(purge().backups_not_reached.is_empty());
    assert!(verify(&path, Some(&root())).expect("whole").opened.expect("opened").destroyed > 3);
}

#[test]
fn purge_cut_short_at_any_commit_has_reached_the_backups_when_the_site_has_started() {
    for at in 1.. {
        let folder = tempfile::tempdir().expect("a folder");
        let mut site = filled(folder.path());
        let (_, path) = made(&site);
        let gone = site.id("S", "P1");
        site.start(EngineFault::Before(at)).expect("started");
        let pushed = site.take(&leaves("u1"));
        let header = crate::journal::Header {
            received: site.now(),
            client: crate::model::connection::ClientId::single(),
            pull: None,
        };
        let controls = super::given::entries(&leaves("u1"));
        let failed = site.at().withdrawal.apply(pushed, &header, &controls).is_err() || site.try_file().is_err();
        site.restart();
        site.file();
        let opened = restore::open(&path, &root()).expect("it opens");
        assert!(opened.keys.owner(&gone).is_none(), "commit {at}");
        if !failed {
            assert!(at > 3, "{at}");
            return;
        }
    }
}

#[test]
fn half_a_backup_is_never_left_under_a_name_and_its_keys_are_destroyed() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut site = filled(folder.path());
    let (made, path) = made(&site);
    let part = path.with_extension("sgbackup.part");
    let bytes = fs::read(&path).expect("read");
    for length in [0, 100, 4096, 5000, 20_000, bytes.len()] {
        fs::write(&part, &bytes[..length]).expect("written");
        site.restart();
        assert!(!part.exists(), "{length}");
        assert_eq!(site.at().backups.all(), std::slice::from_ref(&made));
    }
    // The register's row is written before and after: whatever is lost in between, what is whole is known.
    let faulty = Arc::new(Faulty::new(Arc::clone(&site.memory), EngineFault::Before(2)));
    site.start_on(faulty).expect("started");
    site.wait(1);
    assert!(site.at().backups.make(&source(&site)).is_err(), "the row that says it is whole is lost");
    site.restart();
    let known = site.at().backups.all();
    let names: Vec<_> = known.iter().filter_map(|made| made.file.clone()).collect();
    let files = fs::read_dir(folder.path()).expect("listed").flatten().map(|entry| entry.file_name());
    let mut files: Vec<_> = files.filter(|name| name.to_string_lossy().ends_with("sgbackup")).collect();
    files.sort();
    assert_eq!(names, files.iter().map(|name| name.to_string_lossy().into_owned()).collect::<Vec<_>>());
}

#[test]
fn only_the_newest_are_kept_and_nothing_else_is_touched() {
    let folder = tempfile::tempdir().expect("a folder");
    let site = filled(folder.path());
    let other = folder.path().join("studygate-notes.sgbackup");
    fs::write(&other, "somebody's").expect("written");
    let at = TimeOfDay::parse("02:30").expect("a time");
    let zone = jiff::tz::TimeZone::UTC;
    let (mut made_in_all, mut paths) = (0, Vec::new());
    // Half-hour steps through five days.
    for _ in 0..240 {
        let backups = &site.at().backups;
        if is_due(at, &zone, site.now(), backups.last_success(), None) {
            paths.push(made(&site).1);
            made_in_all += 1;
            backups.retain(3).expect("retained");
        }
        site.wait(1800);
    }
    assert_eq!(made_in_all, 6, "one at once, and one a night");
    assert_eq!(paths.iter().filter(|path| path.exists()).count(), 3);
    assert!(paths[3..].iter().all(|path| path.exists()), "the newest");
    assert_eq!(site.at().backups.all().len(), 3);
    let by_hand = folder.path().join("by-hand.sgbackup");
    fs::copy(&paths[3], &by_hand).expect("copied");
    site.at().backups.retain(0).expect("retained");
    assert!(by_hand.exists() && other.exists());
    assert!(restore::open(&by_hand, &root()).is_ok());
}

#[test]
fn capsules_open_under_another_root_key_when_they_were_resealed() {
    let folder = tempfile::tempdir().expect("a folder");
    let site = filled(folder.path());
    let (_, path) = made(&site);
    let next = Key::from_bytes([9; 32]);
    let handed_out = site.at().backups.register_handed_out().expect("registered");
    for _ in 0..2 {
        let sealed = site.at().backups.seal_anew(&root(), &next);
        assert_eq!((sealed.capsules, sealed.unreached.len()), (1, 1), "a second time changes nothing");
        assert!(sealed.unreached[0].contains(&handed_out.id.to_string()));
    }
    assert!(restore::open(&path, &root()).is_err());
    assert_eq!(verify(&path, Some(&next)).expect("whole").opened.expect("opened").destroyed, 0);
}

#[test]
fn backup_that_is_cut_anywhere_is_not_restored_and_an_engine_that_fails_neither() {
    let folder = tempfile::tempdir().expect("a folder");
    let site = filled(folder.path());
    let (_, path) = made(&site);
    let bytes = fs::read(&path).expect("read");
    let cut = folder.path().join("cut");
    let dir = tempfile::tempdir().expect("a folder");
    let opened = |path: &Path| restore::open(path, &root()).expect("the capsule is whole");
    for length in (12_288..bytes.len()).step_by(7001) {
        fs::write(&cut, &bytes[..length]).expect("written");
        let target = dir.path().join(length.to_string());
        let written = opened(&cut).write_into(&target, &Memory::default());
        assert!(matches!(written, Err(Failure::Fault(Fault::Cut(_)))), "{length}: {written:?}");
    }
    let engine = Faulty::new(Memory::default(), EngineFault::Before(1));
    assert!(opened(&path).write_into(&dir.path().join("failing"), &engine).is_err());
    let engine = Memory::default();
    let written = opened(&path).write_into(&dir.path().join("whole"), &engine).expect("restored");
    assert_eq!((written.rows_left_out, written.files_left_out), (0, 0));
    let mut rows = 0;
    let counted = engine.scan(&[], &mut |_, _| {
        rows += 1;
        true
    });
    counted.expect("read");
    assert_eq!(rows, written.rows);
}

#[test]
fn backups_of_a_time_that_a_restore_has_undone_lose_the_keys_of_whoever_is_purged_and_no_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut site = filled(folder.path());
    let (older, _) = made(&site);
    site.wait(10);
    let came_later = site.participant("S", "P4", "u4");
    let (_, newer) = made(&site);
    // As the older backup was restored: the keyring knows nothing of who came later.
    let keyring = Arc::clone(&site.at().keyring);
    let index = keyring.site().index.clone();
    restore::undo(&*site.memory, &index, &SystemRandom::new(), older.made, site.now()).expect("written");
    keyring.rotate(&[Change::Destroy(came_later)]).expect("rotated");
    drop(keyring);
    site.restart();
    let gone = site.id("S", "P1");
    site.receive(&leaves("u1"));
    let opened = restore::open(&newer, &root()).expect("it opens");
    assert!(opened.keys.owner(&came_later).is_some(), "nobody has purged them");
    assert!(opened.keys.owner(&gone).is_none());
    assert_eq!(verify(&newer, None).expect("whole").head.id, opened.head.id);
}
