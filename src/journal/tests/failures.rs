//! What the journal does when the disk fails, is full, or forgets what was not fsynced.

use super::*;

#[test]
fn failed_fsync_poisons_the_journal_until_a_restart() {
    for step in [Step::Write, Step::Sync, Step::SyncDir] {
        let bench = Bench::new();
        let (journal, mut reader) = bench.open(0);
        bench.disk.fail_next(step, io::ErrorKind::Other);
        assert!(matches!(bench.commit(&journal, "lost"), Err(Error::Failed(_))));
        let syncs = journal.fsyncs();
        assert!(matches!(bench.commit(&journal, "refused"), Err(Error::Failed(_))));
        assert!(matches!(journal.spool(), Err(Error::Failed(_))));
        assert!(matches!(reader.next(Duration::ZERO), Err(Error::Failed(_))));
        assert_eq!(journal.fsyncs(), syncs, "a failed fsync is not tried again");
        drop((journal, reader));
        let (journal, _reader) = bench.open(0);
        bench.commit(&journal, "kept").unwrap();
    }
}

#[test]
fn waiters_of_a_failed_group_and_behind_it_all_learn_of_it() {
    let bench = Bench::new();
    let (journal, _reader) = bench.open(0);
    bench.commit(&journal, "opens the segment").unwrap();
    bench.disk.hold();
    let first = bench.begin(&journal, "first".into());
    bench.disk.wait_for_sync();
    let behind: Vec<_> = (0..5).map(|number| bench.begin(&journal, format!("{number}"))).collect();
    while journal.handle.shared.waiting() < 5 {
        std::thread::yield_now();
    }
    bench.disk.fail_next(Step::Sync, io::ErrorKind::Other);
    bench.disk.release();
    assert!(first.recv().unwrap().is_ok());
    for answer in behind {
        assert!(matches!(answer.recv().unwrap(), Err(Error::Failed(_))));
    }
}

#[test]
fn full_disk_while_spooling_refuses_that_body_alone() {
    for step in [Step::Write, Step::Sync] {
        let bench = Bench::new();
        let (journal, _reader) = bench.open(0);
        let mut spool = journal.spool().unwrap();
        bench.disk.fail_next(step, io::ErrorKind::StorageFull);
        let noise = noise(500_000);
        let written = spool.write(&noise).and_then(|()| spool.write(&noise));
        assert!(matches!(written.and_then(|()| spool.commit(header())), Err(Error::DiskLow)));
        assert_eq!(bench.files(), [""; 0]);
        assert_eq!(bench.commit(&journal, "others go on").unwrap(), Position(1));
    }
}

#[test]
fn refused_spool_cannot_be_committed_with_a_hole() {
    let bench = Bench::new();
    let (journal, _reader) = bench.open(0);
    let mut spool = journal.spool().unwrap();
    bench.disk.fail_next(Step::Write, io::ErrorKind::StorageFull);
    let noise = noise(1_000_000);
    assert!(matches!(spool.write(&noise), Err(Error::DiskLow)));
    assert!(matches!(spool.write(b"more"), Err(Error::DiskLow)));
    assert!(matches!(spool.commit(header()), Err(Error::DiskLow)));
    assert_eq!(bench.files(), [""; 0]);
}

#[test]
fn disk_under_its_reserve_takes_control_bodies_alone() {
    let mut bench = Bench::new();
    bench.reserve = u64::MAX;
    let (journal, _reader) = bench.open(0);
    assert!(matches!(bench.commit(&journal, "a push"), Err(Error::DiskLow)));
    assert!(matches!(journal.spool(), Err(Error::DiskLow)));
    let control = Entry { member: DEREGISTRATIONS.into(), ..entry(0..1) };
    let commit = |entries| bench.runtime.block_on(journal.commit(header(), b"{}".to_vec(), entries));
    assert_eq!(commit(vec![control.clone()]).unwrap(), Position(1));
    assert!(matches!(commit(vec![control, entry(0..1)]), Err(Error::DiskLow)), "mixed with others");
    assert!(matches!(commit(Vec::new()), Err(Error::DiskLow)), "nothing in it");
}

#[test]
fn hole_in_a_group_that_was_never_acknowledged_is_no_tampering() {
    let bench = Bench::new();
    let (journal, reader) = bench.open(0);
    bench.commit(&journal, "opens the segment").unwrap();
    bench.disk.hold();
    let first = bench.begin(&journal, "first".into());
    bench.disk.wait_for_sync();
    let group: Vec<_> = (0..2).map(|number| bench.begin(&journal, format!("in one group {number}"))).collect();
    while journal.handle.shared.waiting() < 2 {
        std::thread::yield_now();
    }
    bench.disk.release();
    first.recv().unwrap().unwrap();
    assert!(group.into_iter().all(|answer| answer.recv().unwrap().is_ok()));
    drop((journal, reader));

    // The power went while both were written: the later one reached the disk, the earlier one did not.
    let path = segment::path(&bench.journal_dir(), 1);
    let mut bytes = fs::read(&path).unwrap();
    let starts: Vec<_> = memchr::memmem::find_iter(&bytes, &frame::MAGIC).collect();
    bytes[starts[2]..starts[3]].fill(0);
    fs::write(&path, bytes).unwrap();
    let (journal, mut reader) = bench.open(0);
    for place in [1, 2, 4] {
        assert_eq!(reader.next(PATIENCE).unwrap().unwrap().position, Position(place));
    }
    assert_eq!(bench.commit(&journal, "goes on").unwrap(), Position(5));
    assert_eq!(text(reader.next(PATIENCE).unwrap()), "goes on");
}
