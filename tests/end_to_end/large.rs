//! Bodies of the size that Garmin demands to be taken.

use std::{
    fs::File,
    io::{BufRead as _, BufReader},
};

use studygate::simulate::large::{GARMIN_MAX, LargeBody, Layout, Tally};
use studygate::simulate::user::Population;

use crate::MIDNIGHT;
use crate::site::Site;

/// Pushes a body of Garmin's largest size; returns what it held, and the items and samples of the dataset.
fn pushed_and_exported(seed: u64, layout: Layout) -> (Tally, Tally) {
    let population = Population::new(seed, 2);
    let mut site = Site::new();
    site.add_study("LARGE", &[]);
    site.add_participants("LARGE", &population);
    let mut body = LargeBody::new(population.users(), MIDNIGHT, GARMIN_MAX, layout);
    let status = site.client().post_pieces(&site.notification_path(), GARMIN_MAX, &mut body).expect("an answer");
    assert_eq!(status, 200);
    let dataset = site.export("LARGE");
    let mut found = Tally { bytes: body.tally().bytes, ..Tally::default() };
    let lines = File::open(dataset.folder().join("raw/activityDetails.ndjson")).expect("the type is there");
    for line in BufReader::new(lines).lines() {
        let line = line.expect("text");
        found.items += 1;
        found.samples += memchr::memmem::find_iter(line.as_bytes(), b"\"airTemperatureCelcius\"").count() as u64;
        assert!(!line.contains("InDegree"), "positions are dropped");
    }
    (body.tally(), found)
}

#[test]
fn body_of_100_mb_ends_in_the_dataset() {
    let (sent, found) = pushed_and_exported(401, Layout::Items(3600));
    assert_eq!(sent, found);
}

#[test]
fn single_item_of_100_mb_with_its_user_last_ends_in_the_dataset() {
    let (sent, found) = pushed_and_exported(402, Layout::SingleItem);
    assert_eq!(sent, found);
    assert_eq!(found.items, 1);
}
