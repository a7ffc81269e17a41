//! Activity files from the ping to the dataset: whole, joined to their activity, checked by content, fetched once.

use std::collections::BTreeMap;

use serde_json::Value;
use studygate::simulate::callbacks::fault::Fault;
use studygate::simulate::file::{self, FileType};
use studygate::simulate::notification::Notification;
use studygate::simulate::record::Record;
use studygate::simulate::user::Population;

use crate::garmin::{Garmin, assert_silent, counted, notification, pulls, runs, sha256, wait_until_pulled};
use crate::site::{Site, dataset::Dataset};

const KEEPING: [&str; 6] = ["--unknown", "keep", "--files", "keep", "--location", "keep"];

/// The digest of each file in the dataset by its activity's start.
fn by_start(dataset: &Dataset) -> BTreeMap<i64, String> {
    let rows = dataset.table("activity_files");
    let ids: BTreeMap<_, _> = dataset
        .raw("activities")
        .into_iter()
        .map(|line| {
            let start = line["record"]["startTimeInSeconds"].as_i64().expect("a time");
            (line["record"]["activity_id"].to_string().replace('"', ""), start)
        })
        .collect();
    rows.iter()
        .map(|row| {
            let bytes = std::fs::read(dataset.folder().join(&row["file"])).expect("a file");
            assert_eq!(sha256(&bytes), row["sha256"]);
            assert_eq!(bytes.len().to_string(), row["file_bytes"]);
            (ids[&row["activity_id"]], row["sha256"].clone())
        })
        .collect()
}

fn start_of(record: &Record) -> i64 {
    record.content["startTimeInSeconds"].as_i64().expect("a time")
}

fn quarantined(site: &Site) -> Vec<Value> {
    site.cli_json(&["quarantine", "list"])["quarantine"].as_array().expect("a list").clone()
}

#[test]
fn files_of_each_format_are_kept_whole_and_joined_whether_they_come_before_or_after_their_activity() {
    let population = Population::new(961, 2);
    let garmin = Garmin::start();
    let mut site = garmin.site();
    site.add_study("FILES", &KEEPING);
    site.add_study("PLAIN", &["--unknown", "keep"]);
    site.add_participants("FILES", &population);
    site.add_participant("PLAIN", "P001", population.user(1));
    let mut expected = BTreeMap::new();
    let mut pings = Vec::new();
    let (mut before, mut after) = (Vec::new(), Vec::new());
    // One of the users has activityIds beyond what a float holds.
    for user in population.users() {
        let types = [FileType::Fit, FileType::Tcx, FileType::Gpx].repeat(2);
        for (number, (run, file_type)) in runs(user, 40).into_iter().zip(types).enumerate() {
            let bytes = file::of(user, &run, file_type).expect("a watch recorded it");
            expected.insert(start_of(&run), sha256(&bytes));
            pings.push(garmin.file(user, &run, file_type.name(), &bytes, Vec::new()));
            if number < 3 {
                before.push(run)
            } else {
                after.push(run)
            };
        }
    }
    assert_eq!(expected.len(), 12, "the activities of both users start apart");
    site.push(&Notification::of(population.users(), &before).to_json());
    site.push(&notification(&pings));
    wait_until_pulled(&site);
    assert_eq!(counted(&site, "activityFiles", "done"), 12.0);
    site.push(&Notification::of(population.users(), &after).to_json());
    let dataset = site.export("FILES");
    assert_eq!(by_start(&dataset), expected);
    assert!(pings.iter().all(|ping| garmin.fetches_of(ping.offer).len() == 1));
    let plain = site.export("PLAIN");
    assert!(!plain.folder().join("files").exists(), "a study that does not keep files has none");
    assert_silent(&site, &garmin.markers(population.users()));
    site.kill();
    site.start();
    assert_eq!(by_start(&site.export("FILES")), expected, "after a restart");
}

#[test]
fn file_that_is_not_what_it_was_announced_as_waits_in_quarantine_until_a_person_accepts_it() {
    let population = Population::new(962, 1);
    let user = population.user(0);
    let garmin = Garmin::start();
    let mut site = garmin.site();
    site.add_study("ODD", &KEEPING);
    site.add_participants("ODD", &population);
    let run = runs(user, 14).remove(0);
    let page = b"<!doctype html><title>Sorry</title>";
    let ping = garmin.file(user, &run, "FIT", page, Vec::new());
    site.push(&Notification::of(population.users(), std::slice::from_ref(&run)).to_json());
    site.push(&notification([&ping]));
    wait_until_pulled(&site);
    assert!(pulls(&site, &["--all"]).is_empty(), "the pull itself is done");
    let items = quarantined(&site);
    assert_eq!((items.len(), &items[0]["reason"]), (1, &"unexpected-file".into()));
    assert_eq!((&items[0]["code"], &items[0]["file_bytes"]), (&"P000".into(), &page.len().into()));
    let id = items[0]["id"].as_str().expect("an id");
    let shown = site.cli_json(&["quarantine", "show", id]);
    assert!(shown["kind"].is_string() && !shown["text"].to_string().contains("Sorry"), "{shown}");
    let saved = site.scratch("odd.fit");
    site.cli(&["quarantine", "show", id, "-o", saved.to_str().expect("UTF-8")]);
    assert_eq!(std::fs::read(&saved).expect("written"), page);
    assert!(site.export("ODD").table("activity_files").is_empty());
    assert_eq!(site.run(&["quarantine", "retry", id]).status.code(), Some(1), "it takes --accept");
    site.kill();
    site.start();
    site.cli(&["quarantine", "retry", id, "--accept"]);
    let retried = &site.cli_json(&["audit", "list", "--act", "quarantine-retried"])["entries"];
    assert_eq!((&retried[0]["study"], &retried[0]["code"]), (&"ODD".into(), &"P000".into()));
    assert!(retried[1].is_null(), "what was refused is not entered: {retried}");
    site.wait_until_filed();
    assert!(quarantined(&site).is_empty());
    assert_eq!(by_start(&site.export("ODD")), BTreeMap::from([(start_of(&run), sha256(page))]));
}

#[test]
fn file_that_is_held_already_is_done_where_garmin_says_gone_and_any_other_is_gone() {
    let population = Population::new(963, 1);
    let user = population.user(0);
    let garmin = Garmin::start();
    let mut site = garmin.site();
    site.add_study("GONE", &KEEPING);
    site.add_participants("GONE", &population);
    let runs = runs(user, 30);
    let bytes = file::of(user, &runs[0], FileType::Gpx).expect("a watch recorded it");
    let first = garmin.file(user, &runs[0], "GPX", &bytes, Vec::new());
    site.push(&Notification::of(population.users(), &runs).to_json());
    site.push(&notification([&first]));
    wait_until_pulled(&site);
    let again = garmin.file(user, &runs[0], "GPX", b"", vec![Fault::Status(410)]);
    let other = garmin.file(user, &runs[1], "GPX", b"", vec![Fault::Status(410)]);
    site.push(&notification([&again, &other]));
    wait_until_pulled(&site);
    assert_eq!(counted(&site, "activityFiles", "done"), 2.0);
    assert_eq!(counted(&site, "activityFiles", "gone"), 1.0);
    let listed = pulls(&site, &["--all"]);
    assert_eq!((listed.len(), &listed[0]["state"]), (1, &"gone".into()));
    assert_eq!(listed[0]["last"], "Garmin answered 410");
    assert_eq!(by_start(&site.export("GONE")), BTreeMap::from([(start_of(&runs[0]), sha256(&bytes))]));
}
