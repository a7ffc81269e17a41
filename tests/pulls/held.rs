//! Pings of a user whom nobody linked yet: pulled into the hold, and in the dataset once somebody links them.

use studygate::simulate::file::{self, FileType};
use studygate::simulate::user::Population;

use crate::garmin::{Garmin, answer, assert_silent, notification, pulls, runs, sha256, wait_until_pulled};

#[test]
fn records_and_files_are_pulled_into_the_hold_and_filed_at_the_link() {
    let population = Population::new(941, 1);
    let user = population.user(0);
    let garmin = Garmin::start();
    let mut site = garmin.site();
    let run = runs(user, 14).remove(0);
    let bytes = file::of(user, &run, FileType::Fit).expect("a watch recorded it");
    let fetched = [
        garmin.window(user, "dailies", 1, &answer(user, 1, 5), Vec::new()),
        garmin.file(user, &run, "FIT", &bytes, Vec::new()),
    ];
    site.push(&notification(&fetched));
    wait_until_pulled(&site);
    assert!(fetched.iter().all(|ping| garmin.fetches_of(ping.offer).len() == 1), "what is held is fetched in time");
    let list = site.cli_json(&["unassigned", "list"]);
    let handle = list["unassigned"][0]["handle"].as_str().unwrap_or_else(|| panic!("no handle in {list}")).to_owned();
    assert_silent(&site, &garmin.markers(population.users()));
    site.kill();
    site.start();
    site.add_study("HOLD", &["--unknown", "keep", "--files", "keep", "--location", "keep"]);
    let link = ["participant", "add", "--study", "HOLD", "--code", "P000", "--unassigned", &handle];
    site.cli(&[&link[..], &["--from", "2020-01-01"]].concat());
    site.wait_for_metric("studygate_unassigned_users", 0.0);
    let dataset = site.export("HOLD");
    assert_eq!(dataset.records("P000", "dailies").len(), 1);
    let files = dataset.table("activity_files");
    assert_eq!((files.len(), files[0]["sha256"].as_str()), (1, sha256(&bytes).as_str()));
    assert_eq!(std::fs::read(dataset.folder().join(&files[0]["file"])).expect("a file"), bytes);
    assert!(pulls(&site, &["--all"]).is_empty());
    assert_eq!(garmin.callbacks.fetches().len(), 2, "nothing was fetched a second time");
}
