//! A log whose writing ended somewhere, or whose disk fails or is full.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;

use super::site::{Box, Failing, Held, PATIENCE, add};
use crate::audit::list::Filter;
use crate::audit::{Act, Error, Event, Who};
use crate::clock::{Clock as _, SystemClock};

#[test]
fn write_that_ended_anywhere_leaves_the_entries_before_and_says_what_was_cut() {
    let site = Box::with(2);
    let whole = fs::read(site.file()).expect("the log");
    let tail = site.folder().join("tail");
    let kept = fs::read(&tail).expect("the last entry is kept");
    let log = site.open();
    let event = |code| Event::of_participant(Act::ParticipantShown {}, "ALPHA", code);
    log.append(Who::System, vec![event("A-1"), event("A-2")]).expect("entered");
    drop(log);
    let longer = fs::read(site.file()).expect("the log");
    for length in whole.len()..longer.len() {
        for zeros in [0, 512] {
            let mut image = longer[..length].to_vec();
            image.resize(length + zeros, 0);
            fs::write(site.file(), &image).expect("written");
            // What is kept beside the log is written after it.
            fs::write(&tail, &kept).expect("written");
            let before = image.iter().filter(|byte| **byte == b'\n').count() as u64;
            let ends_whole = image.ends_with(b"\n");
            let log = site.open();
            let next = add(&log, 7);
            assert_eq!(next, before + if ends_whole { 1 } else { 2 }, "cut at {length}");
            let report = log.verify().expect("verified");
            assert_eq!(report.findings, [], "cut at {length} with {zeros} zeros");
            let cut = Filter { act: Some("tail-cut".into()), ..Filter::default() };
            assert_eq!(log.list(&cut).expect("listed").entries.len(), usize::from(!ends_whole));
        }
    }
}

#[test]
fn roll_that_ended_between_its_steps_goes_on_in_the_next_piece() {
    let site = Box::with(3);
    fs::rename(site.file(), site.folder().join("log.000000000001")).expect("renamed");
    let log = site.open();
    assert_eq!(add(&log, 0), 6);
    assert_eq!(log.verify().expect("verified").findings, []);
}

#[test]
fn altered_log_is_put_aside_whole_and_a_next_one_begins() {
    let site = Box::with(3);
    let mut lines = site.lines();
    lines[2] = lines[2].replace("A-1", "B-1");
    site.put(&lines);
    let log = site.open();
    assert_eq!(add(&log, 0), 7, "behind what was found");
    assert_eq!(fs::read_to_string(site.folder().join("log.000000000001")).expect("put aside"), lines.concat());
    let report = log.verify().expect("verified");
    assert_eq!(report.findings.iter().map(|finding| finding.line).collect::<Vec<_>>(), [3]);
}

#[test]
fn started_says_whether_a_stop_came_before() {
    let site = Box::new();
    let start = || {
        let log = site.open();
        log.started().expect("signed");
        let starts = Filter { act: Some("started".into()), ..Filter::default() };
        let entries = log.list(&starts).expect("listed").entries;
        (log, entries.last().expect("a start").details["after_stop"].clone())
    };
    assert_eq!(start().1, true, "the first one");
    let (log, after_stop) = start();
    assert_eq!(after_stop, false, "the gateway was killed");
    log.stopped().expect("signed");
    drop(log);
    assert_eq!(start().1, true);
}

#[test]
fn failed_fsync_or_write_lets_nothing_more_be_entered_until_a_restart() {
    for failing in [Failing { sync: 1, ..Failing::default() }, Failing { write: 1, ..Failing::default() }] {
        let site = Box::new();
        let disk = Arc::new(failing);
        let log = site.open_on(Arc::clone(&disk) as _).expect("opened");
        assert_eq!(add(&log, 1), 1);
        let event = || vec![Event::new(Act::AuditListed {})];
        for _ in 0..2 {
            assert!(matches!(log.append(Who::System, event()), Err(Error::Failed(_))));
            assert!(matches!(log.ready(), Err(Error::Failed(_))));
        }
        assert!(log.has_failed());
        assert_eq!(disk.writes.load(Ordering::SeqCst), 2, "a failed one is not tried again");
        drop(log);
        let log = site.open();
        add(&log, 2);
        log.stopped().expect("signed");
        assert_eq!(log.verify().expect("verified").findings, []);
    }
}

#[test]
fn full_disk_refuses_before_anything_is_written_and_goes_on_once_there_is_room() {
    let site = Box::new();
    let disk = Arc::new(Failing { room: 0, ..Failing::default() });
    let log = site.open_on(Arc::clone(&disk) as _).expect("opened");
    assert!(matches!(log.ready(), Err(Error::DiskLow)));
    assert!(matches!(log.append(Who::Garmin, vec![Event::new(Act::AuditListed {})]), Err(Error::DiskLow)));
    assert!(!log.has_failed());
    assert_eq!(disk.writes.load(Ordering::SeqCst), 0);
    drop(log);
    assert_eq!(add(&site.open(), 1), 1);
}

#[test]
fn one_fsync_serves_all_who_came_during_the_one_before() {
    const MANY: usize = 64;
    let site = Box::new();
    let disk = Arc::new(Held::default());
    let log = Arc::new(site.open_on(Arc::clone(&disk) as _).expect("opened"));
    let enter = |number| {
        let log = Arc::clone(&log);
        thread::spawn(move || add(&log, number))
    };
    let first = enter(0);
    disk.wait_for_sync();
    let many: Vec<_> = (1..=MANY).map(enter).collect();
    let began = SystemClock.monotonic();
    while log.waiting() < MANY {
        assert!(SystemClock.monotonic() - began < PATIENCE, "they do not wait together");
        thread::yield_now();
    }
    disk.let_go();
    let mut numbers: Vec<_> = many.into_iter().map(|one| one.join().expect("entered")).collect();
    numbers.sort_unstable();
    assert_eq!((first.join().expect("entered"), numbers), (1, (2..=MANY as u64 + 1).collect()));
    assert_eq!(disk.syncs(), 2, "one for the first, one for all the others");
    log.stopped().expect("signed");
    assert_eq!(log.verify().expect("verified").findings, []);
}

#[test]
fn kept_head_that_was_altered_is_found() {
    use crate::store::engine::{Batch, Engine as _, SITE, row, table};
    let site = Box::with(1);
    let mut batch = Batch::default();
    batch.put(row(&SITE, table::AUDIT, &[]), vec![1, 2, 3]);
    site.memory.commit(batch).expect("put");
    let report = site.open().verify().expect("verified");
    assert_eq!(report.findings.len(), 1);
}
