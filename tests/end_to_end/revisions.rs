//! Duplicates are one record; of several versions the current one is in the dataset, in whatever order they came.

use studygate::simulate::notification::Notification;
use studygate::simulate::record::Record;
use studygate::simulate::user::Population;

use crate::first_of;
use crate::site::Site;

/// Pushes these versions of one record one after the other; returns what the dataset holds of its type.
fn exported(versions: &[Record], population: &Population) -> Vec<serde_json::Value> {
    let mut site = Site::new();
    site.add_study("REV", &["--unknown", "keep"]);
    site.add_participants("REV", population);
    for version in versions {
        site.push(&Notification::of(population.users(), std::slice::from_ref(version)).to_json());
        site.wait_until_filed();
    }
    site.export("REV").records("P000", &versions[0].summary_type)
}

#[test]
fn record_pushed_twice_appears_once() {
    let population = Population::new(301, 1);
    let daily = first_of(&population, 0, "dailies");
    assert_eq!(exported(&[daily.clone(), daily], &population).len(), 1);
}

#[test]
fn longer_version_replaces_the_shorter_one() {
    let population = Population::new(302, 1);
    let daily = first_of(&population, 0, "dailies");
    let found = exported(&[daily.clone(), daily.revised(2)], &population);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["durationInSeconds"], daily.revised(2).content["durationInSeconds"]);
}

#[test]
fn old_version_that_comes_late_does_not_win() {
    let population = Population::new(303, 1);
    for summary_type in ["dailies", "mct"] {
        let old = first_of(&population, 0, summary_type);
        let (newer, newest) = (old.revised(1), old.revised(2));
        let member = if summary_type == "mct" { "lastUpdatedTimeInSeconds" } else { "durationInSeconds" };
        let found = exported(&[newer, newest.clone(), old], &population);
        assert_eq!(found.len(), 1, "{summary_type}");
        assert_eq!(found[0][member], newest.content[member], "{summary_type}");
    }
}

#[test]
fn newer_data_of_the_same_duration_replace_the_older() {
    let population = Population::new(304, 1);
    let daily = first_of(&population, 0, "dailies");
    let again = crate::with(&daily, "steps", serde_json::json!(31_415));
    let found = exported(&[daily, again], &population);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["steps"], 31_415);
}
