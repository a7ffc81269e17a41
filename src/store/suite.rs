//! One suite that every engine passes.

use std::sync::Arc;
use std::thread;

use crate::store::engine::{Batch, Engine, Error, SITE, row, table};
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
