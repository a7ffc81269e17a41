//! What is kept of the log's end, beside it and in the store; and what is said of acts that a crash interrupted.

use std::fs;
use std::path::PathBuf;

use super::site::{Box, add};
use crate::audit::list::Filter;
use crate::audit::report::Fault;
use crate::audit::{Act, Entry, Event, Log, Who};

fn tail(site: &Box) -> PathBuf {
    site.folder().join("tail")
}

fn faults(log: &Log) -> Vec<Fault> {
    log.verify().expect("verified").findings.into_iter().map(|finding| finding.fault).collect()
}

fn entered(log: &Log, act: &str) -> Vec<Entry> {
    log.list(&Filter { act: Some(act.into()), ..Filter::default() }).expect("listed").entries
}

/// A log with three entries behind its only head, none of them in the store.
fn unsigned() -> Box {
    let site = Box::new();
    let log = site.open();
    log.started().expect("signed");
    (0..3).for_each(|number| assert_eq!(add(&log, number), number as u64 + 2));
    site
}

#[test]
fn entries_cut_behind_the_last_head_are_found_while_it_runs_at_rest_and_at_the_next_start() {
    let site = unsigned();
    let lines = site.lines();
    for left in 1..4 {
        site.put(&lines[..left]);
        let at_rest = site.verify_at_rest().findings;
        assert_eq!(at_rest.len(), 1, "{at_rest:?}");
        assert_eq!((at_rest[0].line, &at_rest[0].fault), (left as u64, &Fault::CutOff { known_to: 4 }));
    }
    let log = site.open();
    let damage = entered(&log, "damage-found");
    assert_eq!((damage[0].sequence, &damage[0].details["known_to"]), (5, &4.into()), "the number tells of the gap");
    assert_eq!(faults(&log), [Fault::Missing { from: 4, to: 4 }]);
    let mut lines = site.lines();
    lines.pop();
    site.put(&lines);
    assert_eq!(faults(&log), [Fault::CutOff { known_to: 5 }], "while it runs");
}

#[test]
fn last_line_that_is_torn_though_it_was_acknowledged_is_found() {
    let site = unsigned();
    let mut lines = site.lines();
    lines[3].truncate(40);
    site.put(&lines);
    let log = site.open();
    assert_eq!((entered(&log, "tail-cut").len(), entered(&log, "damage-found").len()), (1, 1));
}

#[test]
fn last_entry_that_was_replaced_by_one_under_the_same_key_is_found() {
    let site = unsigned();
    let before = fs::read(tail(&site)).expect("kept");
    let lines = site.lines();
    site.put(&lines[..3]);
    fs::remove_file(tail(&site)).expect("it was kept");
    add(&site.open(), 9);
    fs::write(tail(&site), before).expect("put back");
    assert_eq!(site.verify_at_rest().findings[0].fault, Fault::Rewritten);
    assert_eq!(entered(&site.open(), "damage-found").len(), 1);
}

#[test]
fn older_or_missing_copy_beside_the_log_does_not_hide_what_the_store_knows() {
    for goes in [true, false] {
        let site = Box::new();
        let log = site.open();
        log.started().expect("signed");
        let older = fs::read(tail(&site)).expect("kept");
        (0..3).for_each(|number| assert_eq!(add(&log, number), number as u64 + 2));
        log.keep_end().expect("kept");
        drop(log);
        let lines = site.lines();
        site.put(&lines[..2]);
        let changed = if goes { fs::remove_file(tail(&site)) } else { fs::write(tail(&site), &older) };
        changed.expect("ours to change");
        let findings = site.verify_at_rest().findings;
        assert_eq!(findings[0].fault, Fault::CutOff { known_to: 4 });
        assert_eq!(entered(&site.open(), "damage-found").len(), 1);
    }
}

#[test]
fn copy_beside_the_log_that_is_missing_or_altered_is_found_and_an_older_one_is_what_a_power_cut_leaves() {
    let site = unsigned();
    let log = site.open();
    log.keep_end().expect("kept");
    let before = fs::read(tail(&site)).expect("kept");
    add(&log, 9);
    drop(log);
    for damaged in [None, Some(vec![7; 1024]), Some(vec![0; 1024])] {
        match damaged {
            None => fs::remove_file(tail(&site)).expect("it was kept"),
            Some(bytes) => fs::write(tail(&site), bytes).expect("written"),
        }
        assert_eq!(site.verify_at_rest().findings[0].fault, Fault::KeptEndLost);
    }
    fs::write(tail(&site), before).expect("put back");
    assert_eq!(site.verify_at_rest().findings, [], "the log is longer than what is kept of it");
    let log = site.open();
    assert_eq!((entered(&log, "damage-found").len(), faults(&log)), (0, vec![]));
}

#[test]
fn each_of_its_two_sectors_may_be_lost_in_a_write() {
    let site = unsigned();
    let whole = fs::read(tail(&site)).expect("kept");
    for sector in 0..2 {
        let mut torn = whole.clone();
        torn[sector * 512..sector * 512 + 512].fill(0xA5);
        fs::write(tail(&site), torn).expect("written");
        assert_eq!(site.verify_at_rest().findings, []);
    }
}

#[test]
fn number_of_entries_and_the_time_of_the_last_verification_survive_a_restart() {
    let site = unsigned();
    let text = |site: &Box| site.metrics();
    let _log = site.open();
    assert!(text(&site).contains("\nstudygate_audit_entries_total 4\n"), "{}", text(&site));
    let stamp = "\nstudygate_audit_verify_last_success_timestamp_seconds ";
    assert!(!text(&site).contains(stamp), "it has not happened yet");
    let log = site.open();
    assert_eq!(faults(&log), []);
    drop(log);
    let _log = site.open();
    assert!(text(&site).contains(stamp));
    site.put(&site.lines()[..1]);
    let log = site.open();
    let before = text(&site);
    assert!(!faults(&log).is_empty() && text(&site) == before, "what is found is no success");
}

#[test]
fn change_that_a_crash_interrupted_is_entered_at_the_next_start_as_whose_it_was() {
    let site = Box::new();
    let log = site.open();
    log.started().expect("signed");
    let who = || Who::Socket { uid: 1000, login_uid: Some(1001) };
    let begin = |request: &str| log.begin(who(), request.to_owned(), Some("ALPHA"), Some("A-1")).expect("durable");
    let event = |act| Event::of_participant(act, "ALPHA", "A-1");
    let (paused, resumed, linked) = (begin("PAUSE"), begin("RESUME"), begin("LINK"));
    log.over(&paused, vec![event(Act::ParticipantPaused {})]).expect("entered");
    log.over(&resumed, Vec::new()).expect("over");
    log.append(Who::System, vec![Event::new(Act::AuditListed {})]).expect("entered");
    let file = site.folder().join("under-way");
    assert!(fs::read_to_string(&file).expect("intents").contains(&paused.name), "one is under way still");
    drop((log, linked));
    for round in 0..2 {
        let log = site.open();
        let found = entered(&log, "interrupted");
        let requests: Vec<_> = found.iter().map(|entry| entry.details["request"].clone()).collect();
        assert_eq!(requests, ["LINK"], "start {round}: once, and neither what was entered nor what was refused");
        assert_eq!((found[0].study.as_deref(), found[0].code.as_deref()), (Some("ALPHA"), Some("A-1")));
        assert_eq!(found[0].who["uid"], 1000);
        assert_eq!(faults(&log), []);
    }
}

#[test]
fn intent_that_was_not_durable_was_not_acted_on() {
    let site = Box::new();
    drop(site.open());
    fs::write(site.folder().join("under-way"), br#"{"begun":{"name":"00","who":{"by":"sys"#).expect("written");
    assert!(entered(&site.open(), "interrupted").is_empty());
}
