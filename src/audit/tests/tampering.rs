//! Whatever is done to a log is found, and where.

use std::fs;
use std::time::{Duration, Instant};

use super::site::{Box, add};
use crate::audit::line::{BEFORE_FIRST, Keys, Wanted};
use crate::audit::list::Filter;
use crate::audit::report::{Fault, Report};
use crate::audit::{Act, Event, Who};
use crate::crypto::key::Key;
use crate::crypto::keyring::SiteKeys;
use crate::dataset::manifest::Signer;
use crate::model::time::UnixSeconds;

/// Line and fault of each finding.
fn found(report: &Report) -> Vec<(u64, Fault)> {
    report.findings.iter().map(|finding| (finding.line, finding.fault.clone())).collect()
}

#[test]
fn whole_log_is_proven_to_its_last_head() {
    let site = Box::with(5);
    for report in [site.verify_with_mac(), site.verify_copy(Vec::new())] {
        assert_eq!(found(&report), []);
        assert_eq!((report.entries, report.range, report.proven_to), (7, Some((1, 7)), Some(7)));
    }
    let log = site.open();
    log.started().expect("signed");
    add(&log, 9);
    let report = site.verify_copy(Vec::new());
    assert_eq!((report.range, report.proven_to), (Some((1, 9)), Some(8)), "the last one is not signed yet");
    assert_eq!(log.verify().expect("verified").findings, []);
}

#[test]
fn every_flipped_byte_is_found_where_it_is() {
    let site = Box::with(2);
    let whole = fs::read(site.file()).expect("the log");
    let starts: Vec<usize> = std::iter::once(0)
        .chain(whole.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1))
        .collect();
    for place in 0..whole.len() {
        let mut altered = whole.clone();
        altered[place] ^= 1;
        fs::write(site.file(), &altered).expect("written");
        let line = starts.iter().rposition(|start| *start <= place).expect("a line") as u64 + 1;
        for (report, apart) in [(site.verify_with_mac(), 0), (site.verify_copy(Vec::new()), 1)] {
            let first = report.findings.first().unwrap_or_else(|| panic!("byte {place} of line {line} passed"));
            // Off the box the next line shows it, or the head that it stands in.
            assert!((line..=line + apart).contains(&first.line), "byte {place} of line {line}: {first:?}");
            assert_eq!(first.byte, starts[first.line as usize - 1] as u64);
            assert!(report.proven_to.is_none_or(|to| to < line), "byte {place}");
        }
    }
}

#[test]
fn dropped_swapped_repeated_and_cut_lines_are_found() {
    let site = Box::with(6);
    let lines = site.lines();
    let check = |changed: &[String], expected: &[(u64, Fault)]| {
        site.put(changed);
        assert_eq!(found(&site.verify_with_mac()), expected, "on the box");
        assert_eq!(found(&site.verify_copy(Vec::new())), expected, "off the box");
    };
    let mut dropped = lines.clone();
    dropped.remove(3);
    check(&dropped, &[(4, Fault::Missing { from: 4, to: 4 })]);
    check(&lines[2..], &[(1, Fault::Missing { from: 1, to: 2 })]);
    let mut swapped = lines.clone();
    swapped.swap(2, 3);
    check(&swapped, &[(3, Fault::Missing { from: 3, to: 3 }), (4, Fault::OutOfOrder)]);
    let mut twice = lines.clone();
    twice.insert(4, lines[3].clone());
    check(&twice, &[(5, Fault::Repeated)]);
    let mut torn = lines.clone();
    torn.last_mut().expect("a line").pop();
    check(&torn, &[(8, Fault::Torn)]);
    let mut added = lines.clone();
    added.insert(5, "{}\n".to_owned());
    site.put(&added);
    assert_eq!(found(&site.verify_with_mac())[0], (6, Fault::Altered));
    check(&[], &[(0, Fault::NoHead)]);
}

#[test]
fn cut_end_is_found_against_the_kept_head_and_against_one_that_was_put_by() {
    let site = Box::with(4);
    let lines = site.lines();
    let head = site.verify_copy(Vec::new()).head.expect("a head");
    site.put(&lines[..3]);
    assert_eq!(found(&site.verify_copy(Vec::new())), [], "nothing off the box tells");
    assert_eq!(found(&site.verify_copy(vec![head.clone()])), [(3, Fault::CutOff { known_to: 6 })]);
    let log = site.open();
    assert_eq!(found(&log.verify().expect("verified")), [(4, Fault::Missing { from: 4, to: 6 })]);
    let entries = log.list(&Filter { after: 3, ..Filter::default() }).expect("listed").entries;
    assert_eq!((entries[0].sequence, &*entries[0].act), (7, "damage-found"));
    assert_eq!(entries[0].details["known_to"], 6);
}

#[test]
fn chain_that_is_written_anew_without_the_signing_key_is_found() {
    let site = Box::with(4);
    let head = site.verify_copy(Vec::new()).head.expect("a head");
    let own = site.keyring.site();
    let other = Key::from_bytes([3; 32]);
    let unknown_mac = SiteKeys { index: other.clone(), ..(*own).clone() };
    let unknown_seed = SiteKeys { signing_seed: other, ..(*own).clone() };
    for (keys, on_the_box) in [(unknown_mac, Fault::Altered), (unknown_seed, Fault::BadSignature)] {
        let off_the_box = !matches!(on_the_box, Fault::Altered);
        site.put(&forged(&Keys { mac: Keys::of(&keys).mac, signer: Signer::from_seed(&keys.signing_seed) }));
        assert_eq!(site.verify_with_mac().findings[0].fault, on_the_box);
        let report = site.verify_copy(vec![head.clone()]);
        assert!(report.findings.iter().any(|finding| finding.fault == Fault::Rewritten), "{report:?}");
        if off_the_box {
            assert_eq!(found(&site.verify_copy(Vec::new()))[0], (1, Fault::BadSignature));
        }
    }
    site.put(&forged(&Keys::of(&own))[1..5]);
    assert!(site.verify_copy(Vec::new()).findings.iter().any(|finding| finding.fault == Fault::NoHead));
}

/// A log of the same length that tells of nobody's being added.
fn forged(keys: &Keys) -> Vec<String> {
    let mut prev = BEFORE_FIRST;
    let wanted = Wanted { at: UnixSeconds(super::site::NOW), who: Who::System, events: Vec::new(), intent: None };
    let acts = [Act::HeadSigned {}, Act::AuditListed {}, Act::AuditListed {}, Act::AuditListed {}];
    let acts = acts.into_iter().chain([Act::AuditListed {}, Act::HeadSigned {}]);
    let line = |(sequence, act)| {
        let line = keys.line(sequence, &wanted, &Event::new(act), &prev);
        prev = line.digest;
        String::from_utf8(line.bytes).expect("text")
    };
    (1..).zip(acts).map(line).collect()
}

#[test]
fn head_without_its_signature_is_found() {
    let site = Box::with(0);
    let mut lines = site.lines();
    let at = lines[1].find(r#","signature""#).expect("a signature");
    lines[1].truncate(at);
    lines[1].push_str("}\n");
    site.put(&lines);
    assert_eq!(found(&site.verify_with_mac()), [(2, Fault::BadSignature)]);
}

#[test]
fn pieces_of_a_long_log_are_verified_as_one() {
    let mut site = Box::new();
    site.piece_bytes_max = 2000;
    let log = site.open();
    log.started().expect("signed");
    (0..40).for_each(|number| assert_eq!(add(&log, number), number as u64 + 2));
    let head = log.sign().expect("signed");
    assert!(fs::read_dir(site.folder()).expect("a folder").count() > 5);
    let report = site.verify_copy(vec![head]);
    assert_eq!((found(&report), report.proven_to), (vec![], Some(42)));
    let page = log.list(&Filter { code: Some("A-17".into()), ..Filter::default() }).expect("listed");
    assert_eq!(page.entries.iter().map(|entry| entry.sequence).collect::<Vec<_>>(), [19]);
    let all = log.list(&Filter { after: 30, ..Filter::default() }).expect("listed").entries;
    assert_eq!(all.iter().map(|entry| entry.sequence).collect::<Vec<_>>(), (31..=42).collect::<Vec<_>>());
    drop(log);
    assert_eq!(add(&site.open(), 0), 43, "it goes on over a restart");
    fs::remove_file(site.folder().join("log.000000000001")).expect("a piece");
    assert!(matches!(site.verify_copy(Vec::new()).findings[0].fault, Fault::Missing { from: 1, .. }));
}

#[test]
fn ten_thousand_entries_verify_fast() {
    let site = Box::new();
    let log = site.open();
    let event = |number| Event::of_participant(Act::ParticipantShown {}, "ALPHA", &format!("A-{number}"));
    log.append(Who::Garmin, (0..10_000).map(event).collect()).expect("entered");
    log.stopped().expect("signed");
    let started = Instant::now();
    let report = log.verify().expect("verified");
    assert_eq!((report.entries, report.findings.len()), (10_001, 0));
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}
