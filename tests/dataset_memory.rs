//! Memory of a dataset does not grow with a record or with how many there are: the peak of this process is watched.
//!
//! One test in a file of its own, so that nothing else allocates beside it.

#[allow(dead_code, reason = "each test file uses its own part of it")]
mod dataset_support;

use std::{fs, io, io::Write};

use dataset_support::{NOON, about, scratch, seed};
use studygate::dataset::source::{Content, ParticipantRow, RecordHead, Source, Visitor};
use studygate::dataset::write::{Options, Written, write};
use studygate::model::{study::Rules, summary::SummaryType, time::UnixSeconds};

const GROWTH_KIB_MAX: u64 = 8 * 1024;
const SAMPLES: u32 = 100_000;
const VALUES: u32 = 150_000;

/// One record of each of two types, as many of them as are asked for, of 10 MB each. What each row of the activity
/// needs stands behind its samples; the map of the day's values is not in order.
struct Long {
    records: usize,
    summary_type: &'static str,
}

impl Content for Long {
    fn read(&mut self, piece: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        let mut random = 1_u64;
        let mut number = move || {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            random >> 40
        };
        if self.summary_type == "stressDetails" {
            piece(br#"{"timeOffsetStressLevelValues":{"0":1"#)?;
            (0..VALUES)
                .rev()
                .try_for_each(|value| piece(format!(",\"{}\":{}", value + 1, number() % 100).as_bytes()))?;
            return piece(b"}}");
        }
        piece(br#"{"samples":["#)?;
        for sample in 0..SAMPLES {
            let (comma, heart, power) = (if sample == 0 { "" } else { "," }, number(), number());
            piece(format!("{comma}{{\"heartRate\":{heart},\"powerInWatts\":{power}}}").as_bytes())?;
        }
        piece(br#"],"summary":{"steps":3},"activity_id":"bbbbbbbbbbbbbbb2"}"#)
    }
}

impl Source for Long {
    fn participants(&mut self) -> io::Result<Vec<ParticipantRow>> {
        Ok(Vec::new())
    }

    fn types(&mut self) -> io::Result<Vec<SummaryType>> {
        Ok(["activityDetails", "stressDetails"].map(SummaryType::named).to_vec())
    }

    fn records(&mut self, summary_type: &SummaryType, visit: &mut Visitor<'_>) -> io::Result<()> {
        let known = summary_type.known().expect("a known type");
        if !["activityDetails", "stressDetails"].contains(&known.name) {
            return Ok(());
        }
        self.summary_type = known.name;
        for number in 0..self.records {
            let head = RecordHead {
                participant: "SLEEP-01",
                record_id: &format!("aaaaaaaaaaaaaa{number:02}"),
                received: UnixSeconds(NOON),
                revision: 1,
                current: true,
                start: Some(UnixSeconds(NOON)),
                offset: None,
                shift: None,
            };
            visit(&head, self)?;
        }
        Ok(())
    }
}

fn written(records: usize) -> Written<impl Write> {
    let mut source = Long { records, summary_type: "" };
    write(&mut source, &about(Rules::default()), &Options::default(), &scratch(), &seed(), io::sink()).expect("written")
}

#[test]
fn memory_does_not_grow_with_a_record_or_with_how_many_there_are() {
    written(0);
    let before = peak_kib();
    let written = written(2);
    let growth = peak_kib() - before;
    let rows = |path: &str| written.files.iter().find(|file| file.path == path).and_then(|file| file.rows);
    assert_eq!(rows("data/activity_samples.csv"), Some(2 * u64::from(SAMPLES)));
    assert_eq!(rows("data/stress_values.csv"), Some(2 * u64::from(VALUES) + 2));
    assert!(growth < GROWTH_KIB_MAX, "{growth} KiB more");
}

fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux tells");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("the peak");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
}
