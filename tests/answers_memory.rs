//! Memory does not grow with an answer: the peak of this process is watched.
//!
//! One test in a file of its own, so that nothing else allocates beside it.

#![expect(clippy::unwrap_used, reason = "a test whose stage cannot be set fails")]

#[path = "answers_support/mod.rs"]
mod support;

use std::fs;

use bytes::Bytes;
use studygate::model::entry::Field;
use support::{Site, to};

const GROWTH_KIB_MAX: u64 = 4096;
const PIECES: usize = 1024;
const PIECE_BYTES: usize = 64 * 1024;

#[tokio::test]
async fn memory_does_not_grow_with_an_answer_or_a_file() {
    let site = Site::with(0, 1 << 30);
    records(&site, PIECES / 32).await;
    file(&site, PIECES / 32).await;
    let before = peak_kib();
    records(&site, PIECES).await;
    file(&site, PIECES).await;
    let growth = peak_kib().saturating_sub(before);
    assert!(growth < GROWTH_KIB_MAX, "{growth} KiB more for {} MiB", (PIECES * PIECE_BYTES) >> 20);
}

async fn records(site: &Site, pieces: usize) {
    let item = format!(r#"{{"summaryId":"a","x":"{}"}},"#, "y".repeat(PIECE_BYTES / 16 - 28));
    let piece = Bytes::from(item.repeat(16));
    let mut intake = site.answers.records(to("epochs"));
    intake.push(Bytes::from_static(b"[")).await.unwrap();
    for _ in 0..pieces {
        // As from the network: each piece is memory of its own.
        intake.push(Bytes::copy_from_slice(&piece)).await.unwrap();
    }
    intake.push(Bytes::from_static(b"{}]")).await.unwrap();
    let taken = intake.end().await.unwrap().durable().await.unwrap();
    assert_eq!(taken.items, pieces as u64 * 16 + 1);
}

async fn file(site: &Site, pieces: usize) {
    let fields = [(Field::SummaryId, "a".into())];
    let mut intake = site.answers.file(to("activityFiles"), "{}", &fields, None).await.unwrap();
    for number in 0..pieces {
        let byte = u8::try_from(number % 251).unwrap();
        intake.push(Bytes::from(vec![byte; PIECE_BYTES])).await.unwrap();
    }
    let taken = intake.end().await.unwrap().durable().await.unwrap();
    assert!(!taken.expected);
}

/// The most memory this process has held so far.
fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
