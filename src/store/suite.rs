//! One suite that every engine passes.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use crate::store::engine::{Batch, Compacted, Engine, Error, SITE, row, table};
use crate::store::faulty::{Fault, Faulty};
use crate::store::memory::Memory;
use crate::store::sled::Sled;

fn put(engine: &dyn Engine, key: &[u8], value: &[u8]) {
    let mut batch = Batch::default();
    batch.put(key.to_vec(), value.to_vec());
    engine.commit(batch).expect("committed");
}

fn keys(engine: &dyn Engine, prefix: &[u8]) -> Vec<Vec<u8>> {
    let mut keys = Vec::new();
    let scanned = engine.scan(prefix, &mut |key, _| {
        keys.push(key.to_vec());
        true
    });
    scanned.expect("scanned");
    keys
}

#[track_caller]
fn check(engine: &dyn Engine) {
    assert_eq!(engine.get(b"a").expect("read"), None);
    put(engine, b"b1", b"x");
    put(engine, b"a", b"1");
    put(engine, b"b0", b"");
    put(engine, b"a", b"2");
    assert_eq!(engine.get(b"a").expect("read").as_deref(), Some(b"2".as_slice()));
    assert_eq!(engine.get(b"b0").expect("read").as_deref(), Some(b"".as_slice()));
    assert_eq!(keys(engine, b"b"), [b"b0".to_vec(), b"b1".to_vec()]);

    let mut batch = Batch::default();
    batch.put(b"b2".to_vec(), b"y".to_vec());
    batch.delete(b"b0".to_vec());
    batch.delete(b"absent".to_vec());
    engine.commit(batch).expect("committed");
    assert_eq!(keys(engine, b"b"), [b"b1".to_vec(), b"b2".to_vec()]);

    let mut seen = 0;
    let scanned = engine.scan(b"", &mut |_, _| {
        seen += 1;
        false
    });
    scanned.expect("scanned");
    assert_eq!(seen, 1, "a scan ends when it is told to");

    let mut many = Batch::default();
    (0..1000_u32).for_each(|number| many.put(row(&SITE, table::STUDY, &number.to_be_bytes()), vec![7; 100]));
    engine.commit(many).expect("committed");
    assert_eq!(keys(engine, &row(&SITE, table::STUDY, &[])).len(), 1000);
}

#[test]
fn memory_engine_passes() {
    check(&Memory::default());
}

#[test]
fn faultless_faulty_engine_passes() {
    check(&Faulty::new(Memory::default(), Fault::None));
}

#[test]
fn sled_engine_passes_and_keeps_its_rows() {
    let dir = tempfile::tempdir().expect("a folder");
    let before = {
        let engine = Sled::open(dir.path()).expect("opened");
        check(&engine);
        keys(&engine, b"")
    };
    assert_eq!(keys(&Sled::open(dir.path()).expect("opened again"), b""), before);
}

#[test]
fn summary_that_a_power_cut_left_half_written_keeps_no_database_from_opening() {
    let dir = tempfile::tempdir().expect("a folder");
    let engine = Sled::open(dir.path()).expect("opened");
    put(&engine, b"key", b"value");
    drop(engine);
    let folder = dir.path();
    assert!(folder.join("db").exists(), "the engine's folder");
    std::fs::write(folder.join("snap.7FFFFFFFFFFFFFFF.generating"), b"half of a summary of the log").expect("written");
    let engine = Sled::open(dir.path()).expect("opened again");
    assert_eq!(keys(&engine, b""), [b"key".to_vec()]);
}

#[test]
fn commits_of_many_threads_are_all_durable_on_return() {
    let dir = tempfile::tempdir().expect("a folder");
    let engine = Arc::new(Sled::open(dir.path()).expect("opened"));
    let threads: Vec<_> = (0..16_u8)
        .map(|number| {
            let engine = Arc::clone(&engine);
            thread::spawn(move || (0..20_u8).for_each(|at| put(&*engine, &[number, at], b"v")))
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().expect("ended"));
    drop(engine);
    assert_eq!(keys(&Sled::open(dir.path()).expect("opened again"), b"").len(), 320);
}

#[test]
fn failed_commit_poisons_the_engine() {
    for fault in [Fault::Before(2), Fault::Halfway(2)] {
        let engine = Faulty::new(Memory::default(), fault);
        put(&engine, b"a", b"1");
        let mut batch = Batch::default();
        batch.put(b"b".to_vec(), b"1".to_vec());
        batch.put(b"c".to_vec(), b"1".to_vec());
        assert!(matches!(engine.commit(batch.clone()), Err(Error::Failed(_))));
        assert!(matches!(engine.commit(batch), Err(Error::Poisoned)));
        assert!(matches!(engine.get(b"a"), Err(Error::Poisoned)));
        let expected = if fault == Fault::Before(2) { 1 } else { 2 };
        assert_eq!(keys(&engine.restart(), b"").len(), expected);
    }
}

#[test]
fn compaction_leaves_nothing_of_what_was_deleted_and_all_of_what_lives() {
    let dir = tempfile::tempdir().expect("a folder");
    let base = dir.path().join("db");
    let engine = Sled::open(&base).expect("opened");
    let secret = |number: u32| format!("ciphertext of who has left {number:08}").into_bytes();
    let key = |number: u32| row(&[7; 16], table::PACK, &number.to_be_bytes());
    for number in 0..2000 {
        put(&engine, &key(number), &secret(number));
    }
    let mut batch = Batch::default();
    (0..1000).for_each(|number| batch.delete(key(number)));
    engine.commit(batch).expect("committed");
    let lives = keys(&engine, b"");
    assert!(holds(dir.path(), &secret(500)), "deleting alone erases nothing");
    assert_eq!(engine.compact(1000, &|| true).expect("looked at"), Compacted::NoRoom);
    assert!(holds(dir.path(), &secret(500)));
    assert_eq!(engine.compact(1 << 30, &|| true).expect("compacted"), Compacted::Done);
    for number in 0..1000 {
        assert!(!holds(dir.path(), &secret(number)), "{number}");
    }
    assert!(holds(dir.path(), &secret(1500)));
    assert_eq!(keys(&engine, b""), lives);
    put(&engine, b"later", b"1");
    assert_eq!(engine.compact(1 << 30, &|| true).expect("compacted again"), Compacted::Done);
    drop(engine);
    let again = Sled::open(&base).expect("opened again");
    assert_eq!(keys(&again, b"").len(), lives.len() + 1);
}

#[test]
fn reader_of_the_old_files_reads_to_the_end_and_keeps_them_until_then() {
    let dir = tempfile::tempdir().expect("a folder");
    let base = dir.path().join("db");
    let engine = Sled::open(&base).expect("opened");
    (0..100_u8).for_each(|number| put(&engine, &[number], b"v"));
    let mut seen = 0;
    let scanned = engine.scan(b"", &mut |_, _| {
        if seen == 0 {
            assert_eq!(engine.compact(1 << 30, &|| true).expect("compacted"), Compacted::InUse);
            put(&engine, b"x", b"written meanwhile");
        }
        seen += 1;
        true
    });
    scanned.expect("read to the end");
    assert_eq!((seen, keys(&engine, b"").len()), (100, 101));
    assert!(!base.exists(), "they went with their last reader");
}

#[test]
fn commits_during_a_compaction_are_in_what_counts_afterwards() {
    let dir = tempfile::tempdir().expect("a folder");
    let base = dir.path().join("db");
    let engine = Arc::new(Sled::open(&base).expect("opened"));
    let writer = Arc::clone(&engine);
    let thread = thread::spawn(move || (0..200_u8).for_each(|number| put(&*writer, &[number], b"v")));
    for _ in 0..5 {
        engine.compact(1 << 30, &|| true).expect("compacted");
    }
    thread.join().expect("ended");
    drop(engine);
    assert_eq!(keys(&Sled::open(&base).expect("opened again"), b"").len(), 200);
}

/// Each time that it is asked whether to go on, somebody writes: what is copied already, and what is not.
#[test]
fn rows_written_while_others_are_copied_are_as_they_were_last_written() {
    let dir = tempfile::tempdir().expect("a folder");
    let base = dir.path().join("db");
    let engine = Sled::open(&base).expect("opened");
    let key = |number: u32| row(&[7; 16], table::PACK, &number.to_be_bytes());
    let mut rows = Batch::default();
    (0..2000).for_each(|number| rows.put(key(number), vec![b'a'; 4000]));
    engine.commit(rows).expect("committed");
    let written = AtomicU32::new(0);
    let write = || {
        let number = written.fetch_add(1, Ordering::Relaxed);
        let mut batch = Batch::default();
        for at in [number, 1999 - number] {
            batch.put(key(at), b"changed".to_vec());
            batch.delete(key(500 + at / 2));
            batch.put(key(9000 + at), b"new".to_vec());
        }
        engine.commit(batch).expect("a commit does not wait for the compaction");
        true
    };
    assert_eq!(engine.compact(1 << 30, &write).expect("compacted"), Compacted::Done);
    assert!(written.into_inner() > 3, "it was asked several times");
    let all = |engine: &Sled| {
        let mut rows = Vec::new();
        let mut keep = |key: &[u8], value: &[u8]| {
            rows.push((key.to_vec(), value.to_vec()));
            true
        };
        engine.scan(b"", &mut keep).expect("scanned");
        rows
    };
    let now = all(&engine);
    assert_eq!(engine.get(&key(1999)).expect("read").as_deref(), Some(b"changed".as_slice()));
    assert_eq!(engine.get(&key(1499)).expect("read"), None, "deleted behind the copying");
    assert_eq!(engine.get(&key(500)).expect("read"), None, "deleted when it was copied");
    assert_eq!(engine.get(&key(9000)).expect("read").as_deref(), Some(b"new".as_slice()));
    drop(engine);
    assert_eq!(all(&Sled::open(&base).expect("opened again")), now);
}

#[test]
fn compaction_that_is_told_to_end_leaves_the_database_as_it_was() {
    let dir = tempfile::tempdir().expect("a folder");
    let base = dir.path().join("db");
    let engine = Sled::open(&base).expect("opened");
    let mut rows = Batch::default();
    (0..1000_u32).for_each(|number| rows.put(row(&SITE, table::STUDY, &number.to_be_bytes()), vec![7; 4000]));
    engine.commit(rows).expect("committed");
    assert_eq!(engine.compact(1 << 30, &|| false).expect("begun"), Compacted::Stopped);
    assert!(base.exists() && !dir.path().join("db.2").exists());
    put(&engine, b"later", b"1");
    assert_eq!(engine.compact(1 << 30, &|| true).expect("compacted"), Compacted::Done);
    assert_eq!(keys(&engine, b"").len(), 1001);
}

#[test]
fn live_bytes_are_those_of_keys_and_values() {
    let dir = tempfile::tempdir().expect("a folder");
    let engines: [Box<dyn Engine>; 2] =
        [Box::new(Memory::default()), Box::new(Sled::open(&dir.path().join("db")).expect("opened"))];
    for engine in engines {
        put(&*engine, b"abc", b"12345");
        put(&*engine, b"d", b"");
        put(&*engine, b"abc", b"1");
        assert_eq!(engine.live_bytes().expect("read"), 5);
    }
}

/// The disk as it is whenever a compaction asks whether to go on, copied and opened as after a power cut.
#[test]
fn crash_while_rows_are_copied_loses_nothing_that_was_committed() {
    let dir = tempfile::tempdir().expect("a folder");
    let base = dir.path().join("site").join("db");
    std::fs::create_dir(dir.path().join("site")).expect("made");
    let engine = Sled::open(&base).expect("opened");
    let key = |number: u32| row(&[7; 16], table::PACK, &number.to_be_bytes());
    let mut rows = Batch::default();
    (0..1000).for_each(|number| rows.put(key(number), vec![b'a'; 4000]));
    engine.commit(rows).expect("committed");
    let asked = AtomicU32::new(0);
    let crash = || {
        let number = asked.fetch_add(1, Ordering::Relaxed);
        put(&engine, &key(number), b"changed");
        let image = dir.path().join(format!("crash {number}"));
        copy(&dir.path().join("site"), &image);
        let found = Sled::open(&image.join("db")).expect("it opens");
        assert_eq!(keys(&found, b"").len(), 1000);
        assert_eq!(found.get(&key(number)).expect("read").as_deref(), Some(b"changed".as_slice()));
        assert!(!image.join("db.2").exists(), "what was begun is gone");
        true
    };
    assert_eq!(engine.compact(1 << 30, &crash).expect("compacted"), Compacted::Done);
    assert!(asked.into_inner() > 2, "it was asked several times");
}

/// The disk at each moment of a compaction, as a crash would leave it.
#[test]
fn crash_anywhere_in_a_compaction_leaves_one_whole_database() {
    let dir = tempfile::tempdir().expect("a folder");
    let base = dir.path().join("db");
    let engine = Sled::open(&base).expect("opened");
    (0..100_u8).for_each(|number| put(&engine, &[number], b"v"));
    drop(engine);
    let file = |name: &str| dir.path().join(name);
    let whole = |when: &str, counts: &str| {
        assert_eq!(keys(&Sled::open(&base).expect("opened"), b"").len(), 100, "{when}");
        for name in ["db", "db.2"] {
            assert_eq!(file(name).exists(), name == counts, "{when}: {name}");
        }
    };
    std::fs::create_dir(file("db.2")).expect("made");
    whole("the new folder is begun", "db");
    copy(&base, &file("db.2"));
    std::fs::write(file("db.current.new"), "2\n").expect("written");
    whole("the pointer is not in place", "db");
    copy(&base, &file("db.2"));
    std::fs::write(file("db.current"), "2\n").expect("written");
    whole("the pointer is in place", "db.2");
    std::fs::remove_dir_all(file("db.2")).expect("removed");
    assert!(Sled::open(&base).is_err(), "an empty database does not pass for the one that is gone");
}

/// Whether these bytes stand in any file below.
pub(crate) fn holds(dir: &Path, wanted: &[u8]) -> bool {
    std::fs::read_dir(dir).expect("a folder").flatten().any(|entry| {
        let path = entry.path();
        if path.is_dir() {
            return holds(&path, wanted);
        }
        let bytes = std::fs::read(&path).expect("read");
        memchr::memmem::find(&bytes, wanted).is_some()
    })
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("made");
    for entry in std::fs::read_dir(from).expect("a folder").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("copied");
        }
    }
}
