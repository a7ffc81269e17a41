//! What a start does with what a crash left: notices are counted as they would have been, and every step is entered
//! once.

use std::time::Duration;

use super::leaving::{daily, gone, is_readable, only_purge, rules, site};
use super::trail::entered;
use super::{Site, leaves};
use crate::model::study::{DataFate, Rules};
use crate::withdrawal::record::{Stage, Why};

const DAY: i64 = 86_400;

fn count(site: &Site, act: &str) -> usize {
    entered(&site.at().audit).iter().filter(|(name, ..)| name == act).count()
}

/// One body that deregisters `u0` to `u5`.
fn six() -> String {
    let notices: Vec<_> = (0..6).map(|number| format!(r#"{{"userId":"u{number}"}}"#)).collect();
    format!(r#"{{"deregistrations":[{}]}}"#, notices.join(","))
}

#[test]
fn flood_that_is_replayed_is_held_whole_as_it_would_have_been_before_the_crash() {
    for inline_bytes_max in [1 << 16, 16] {
        let mut site = Site::stopped();
        site.inline_bytes_max = inline_bytes_max;
        site.restart();
        site.study("S", Rules::default());
        for number in 0..8 {
            site.participant("S", &format!("P{number}"), &format!("u{number}"));
        }
        site.receive(&daily("u0", 1));
        site.take(&six());
        for _ in 0..2 {
            site.restart();
            site.file();
            let purges = site.at().withdrawal.purges(true);
            assert_eq!(purges.len(), 6);
            let waits = |wait: Option<_>| wait == Some(Why::Flood);
            assert!(purges.iter().all(|purge| purge.stage == Stage::Waiting && waits(purge.wait.map(|wait| wait.why))));
            assert_eq!(site.records("S", "P0").len(), 1, "nothing is destroyed");
        }
    }
}

#[test]
fn purge_that_was_begun_before_a_start_is_done_before_anything_else() {
    let mut site = site(rules(DataFate::Purge, 0));
    let owner = site.id("S", "P1");
    site.take(&daily("u1", 5));
    site.push(&leaves("u1"));
    site.restart();
    site.end_purges();
    let purge = only_purge(&site);
    assert_eq!((purge.stage, purge.audit.is_some()), (Stage::Erased, true));
    gone(&site, &owner, DataFate::Purge, "before a port opens");
}

#[test]
fn step_of_a_purge_that_a_crash_kept_from_the_log_is_entered_once_at_the_next_start() {
    let mut site = site(rules(DataFate::Purge, 1));
    site.at().audit.started().expect("signed");
    site.receive(&leaves("u1"));
    site.wait(DAY);
    site.at().withdrawal.expire_waits(site.now()).expect("begun");
    for _ in 0..3 {
        site.restart();
        assert_eq!(count(&site, "purge-begun"), 1);
    }
    site.file();
    for _ in 0..3 {
        site.restart();
        site.file();
        let acts = ["purge-begun", "purge-carried-out", "database-compacted", "deregistration-obeyed"];
        assert_eq!(acts.map(|act| count(&site, act)), [1; 4]);
    }
    site.at().audit.stopped().expect("signed");
    assert_eq!(site.at().audit.verify().expect("verified").findings, []);
}

/// Eight participants whose notices settle until a test says that the moment is over.
fn settling() -> Site {
    let mut site = Site::stopped();
    site.settle_for = Duration::from_secs(1 << 30);
    site.restart();
    site.study("S", Rules::default());
    for number in 0..8 {
        site.participant("S", &format!("P{number}"), &format!("u{number}"));
        site.receive(&daily(&format!("u{number}"), 1));
    }
    site
}

#[test]
fn flood_of_single_notices_within_a_moment_is_held_whole() {
    for restarts in [false, true] {
        let mut site = settling();
        for number in 0..6 {
            let applied = site.apply_counting(&leaves(&format!("u{number}")));
            assert_eq!((applied.withdrawn, applied.awaiting), if number < 4 { (1, 0) } else { (0, 1) });
            let held = if number == 4 { 4 } else { 0 };
            assert_eq!(applied.events.len(), 1 + held, "those of the moment before are held, too");
            assert!(!is_readable(&site, &site.id("S", &format!("P{number}"))), "from the notice on");
            site.round();
        }
        if restarts {
            site.restart();
        }
        site.wait(60);
        site.file();
        let filed = site.at().journal.filed();
        site.at().withdrawal.end_settling(filed, Duration::MAX).expect("nothing settles");
        site.round();
        let purges = site.at().withdrawal.purges(true);
        let waits = purges.iter().map(|purge| (purge.stage, purge.wait.map(|wait| wait.why)));
        assert_eq!(waits.collect::<Vec<_>>(), [(Stage::Waiting, Some(Why::Flood)); 6]);
        assert_eq!(site.records("S", "P0").len(), 1, "nothing is destroyed");
        site.at().withdrawal.reject_purge(&purges[0].id, site.now()).expect("rejected");
        assert!(is_readable(&site, &purges[0].owner), "the first of them can still be undone");
    }
}

#[test]
fn notice_that_is_none_of_a_flood_is_obeyed_when_the_moment_is_over_or_at_the_next_start() {
    for restarts in [false, true] {
        let mut site = settling();
        let owner = site.id("S", "P1");
        site.receive(&leaves("u1"));
        assert_eq!(only_purge(&site).stage, Stage::Waiting);
        assert!(!is_readable(&site, &owner) && site.at().withdrawal.pending() == 1);
        assert_eq!(site.at().withdrawal.in_numbers().begun, 1, "it counts as begun");
        site.wait(1);
        site.receive(&daily("u1", 2));
        assert_eq!(site.records_of(&owner).len(), 1, "what comes meanwhile is not kept");
        if restarts {
            site.restart();
            site.end_purges();
        } else {
            let filed = site.at().journal.filed();
            site.at().withdrawal.end_settling(filed, Duration::MAX).expect("begun");
            site.file();
        }
        assert_eq!(only_purge(&site).stage, Stage::Erased);
        gone(&site, &owner, DataFate::Purge, "after the moment");
        assert_eq!(count(&site, "purge-begun"), 0, "the notice is entered, and that is all");
        assert_eq!(site.at().withdrawal.pending(), 0);
    }
}
