//! `kill -9` in the middle of a file's only download: the file is there whole and once, or the list of pulls says
//! that it broke off. Never lost in silence, never half.

use std::time::{Duration, Instant};

use studygate::simulate::random::Random;

use crate::downloads::Downloads;
use crate::garmin::{counted, wait};
use crate::stages::Stage;

/// Kills after the last byte was handed over.
const LATE_KILLS: usize = 12;
/// They come within this time after it.
const LATE_US: u64 = 20_000;

/// Stages, and whether Garmin counts the download that broke off.
const EARLY: [(Stage, bool); 6] = [
    (Stage::BeforeHead, false),
    (Stage::BeforeHead, true),
    (Stage::AfterHead, false),
    (Stage::AfterHead, true),
    (Stage::Middle, false),
    (Stage::Middle, true),
];

#[test]
fn kill_before_the_last_byte_loses_a_file_only_where_garmin_counted_the_download_and_says_so() {
    let mut downloads = Downloads::new(971);
    for (stage, counts) in EARLY {
        let bytes = downloads.ping(stage, counts);
        downloads.stages.wait();
        downloads.site.kill();
        assert_eq!(downloads.outcome(&bytes), !counts, "{stage:?}, counted: {counts}");
    }
    downloads.check();
}

#[test]
fn kill_after_the_last_byte_leaves_the_file_whole_and_once_or_told_of() {
    let mut downloads = Downloads::new(972);
    let mut random = Random::at(972, &[]);
    for _ in 0..LATE_KILLS {
        let bytes = downloads.ping(Stage::LastByte, true);
        downloads.stages.wait();
        let until = Instant::now() + Duration::from_micros(random.below(LATE_US));
        while Instant::now() < until {
            std::hint::spin_loop();
        }
        downloads.site.kill();
        downloads.outcome(&bytes);
    }
    let bytes = downloads.ping(Stage::LastByte, true);
    let site = &downloads.site;
    wait("the file is durable", || counted(site, "activityFiles", "done") == 1.0);
    downloads.site.kill();
    assert!(downloads.outcome(&bytes), "what was durable is there");
    downloads.check();
}
