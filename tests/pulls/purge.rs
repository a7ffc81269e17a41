//! A deregistration while pulls wait and run: nothing of theirs is left, and what comes late is not kept.

use std::time::Duration;

use studygate::simulate::callbacks::Settings;
use studygate::simulate::callbacks::fault::Fault;
use studygate::simulate::file::{self, FileType};
use studygate::simulate::notification::Notification;
use studygate::simulate::user::Population;

use crate::garmin::{Garmin, answer, assert_silent, notification, pair, pulls, runs, wait, wait_until_pulled};

const WAITING: i64 = 50;

#[test]
fn deregistration_takes_the_pulls_that_wait_with_it_and_a_late_answer_is_not_stored() {
    let population = Population::new(991, 2);
    let (leaves, stays) = (population.user(0), population.user(1));
    // Long enough for a purge to be over before the last piece comes.
    let settings = Settings { slow_pause: Duration::from_millis(700), ..Settings::default() };
    let garmin = Garmin::of(settings, &pair(), std::sync::Arc::new(studygate::clock::SystemClock));
    let mut site = garmin.site();
    site.add_study("PURGE", &["--unknown", "keep"]);
    site.add_participants("PURGE", &population);
    let failing =
        |user, number| garmin.window(user, "dailies", number, &answer(user, number, 1), vec![Fault::Status(503); 1000]);
    let waiting: Vec<_> = (0..WAITING).map(|number| failing(leaves, number)).collect();
    let other = failing(stays, 900);
    site.push(&notification(waiting.iter().chain([&other])));
    wait("a failed attempt of each", || {
        pulls(&site, &["--all"]).iter().filter(|pull| pull["attempts"].as_u64() > Some(0)).count() == 51
    });
    let slow = garmin.window(leaves, "sleeps", 901, &answer(leaves, 901, 1), vec![Fault::Slow]);
    let run = runs(leaves, 14).remove(0);
    let bytes = file::of(leaves, &run, FileType::Fit).expect("a watch recorded it");
    let slow_file = garmin.file(leaves, &run, "FIT", &bytes, vec![Fault::Slow]);
    site.push(&notification([&slow, &slow_file]));
    for offer in [slow.offer, slow_file.offer] {
        garmin.wait_for_fetches(offer, 1);
        assert!(!garmin.fetches_of(offer)[0].is_whole, "it is under way");
    }

    site.push(&Notification::new().deregistration(leaves).to_json());
    let listed = pulls(&site, &["--all"]);
    assert!(listed.iter().all(|pull| pull["for"][0]["code"] == "P001"), "from the 200 on nobody sees theirs");
    site.wait_until_filed();
    wait("the purge", || {
        pulls(&site, &["--all"]).len() == 1 && site.metric("studygate_pull_queue_length") == Some(1.0)
    });
    let asked = garmin.callbacks.fetches().len();
    wait("the late answers", || {
        [slow.offer, slow_file.offer].iter().all(|offer| garmin.fetches_of(*offer)[0].is_whole)
    });
    site.wait_until_filed();
    site.kill();
    site.start();
    site.wait_until_filed();
    assert_eq!(site.metric("studygate_pull_queue_length"), Some(1.0), "no row of theirs is left");
    let of_others = |fetch: &&studygate::simulate::callbacks::Fetch| fetch.offer != Some(other.offer);
    let fetches = garmin.callbacks.fetches();
    assert_eq!(fetches[asked..].iter().filter(of_others).count(), 0, "nothing of theirs is asked for any more");
    assert_eq!(site.metric("studygate_unassigned_users"), Some(0.0), "nor is the answer held");
    let id = pulls(&site, &["--all"])[0]["id"].as_str().expect("an id").to_owned();
    site.cli(&["pulls", "drop", &id, "--yes", "--reason", "over"]);
    wait_until_pulled(&site);
    assert!(site.export("PURGE").types().is_empty());
    assert_silent(&site, &garmin.markers(population.users()));
}
