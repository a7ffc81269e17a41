//! Pings are durable before their 200, survive a kill, are renewed while they wait and pulled again once they are done.

use studygate::simulate::callbacks::fault::Fault;
use studygate::simulate::callbacks::{Served, Settings};
use studygate::simulate::user::Population;

use crate::garmin::{Garmin, answer, counted, notification, pair, pulls, wait, wait_until_pulled};
use crate::site::free_address;

#[test]
fn pings_that_were_answered_survive_a_kill_before_anything_could_be_fetched() {
    let population = Population::new(931, 1);
    let user = population.user(0);
    let (pair, listen) = (pair(), free_address());
    let ready = || {
        let clock = std::sync::Arc::new(studygate::clock::SystemClock);
        let garmin = Garmin::of(Settings { listen, seed: 931, ..Settings::default() }, &pair, clock);
        let pings: Vec<_> = (0..20)
            .map(|number| garmin.window(user, "dailies", number, &answer(user, number, 7), Vec::new()))
            .collect();
        (garmin, pings)
    };
    // The tokens are a matter of the seed, so what lies ready later has the same URLs.
    let (garmin, pings) = ready();
    let mut site = garmin.site();
    drop(garmin);
    site.add_study("LAST", &["--unknown", "keep"]);
    site.add_participants("LAST", &population);
    for ping in &pings {
        assert_eq!(site.post(&notification([ping])), 200, "Garmin's own server is not needed for a 200");
    }
    site.kill();
    site.start();
    site.wait_until_filed();
    assert_eq!(site.metric("studygate_pull_queue_length"), Some(20.0));
    assert!(site.metric("studygate_pull_deadline_seconds").is_some_and(|left| (1.0..=86_400.0).contains(&left)));
    wait("a failed attempt", || {
        pulls(&site, &["--all"]).iter().all(|pull| pull["last"] == "Garmin could not be reached")
    });
    site.kill();
    let (garmin, _) = ready();
    site.start();
    wait_until_pulled(&site);
    assert_eq!(counted(&site, "dailies", "done"), 20.0);
    assert_eq!(garmin.callbacks.fetches().len(), 20);
    assert_eq!(site.export("LAST").records("P000", "dailies").len(), 20);
}

#[test]
fn window_that_is_pinged_again_while_it_waits_is_fetched_by_the_newer_url_alone() {
    let population = Population::new(932, 1);
    let user = population.user(0);
    let garmin = Garmin::start();
    let mut site = garmin.site();
    site.add_study("RENEW", &["--unknown", "keep"]);
    site.add_participants("RENEW", &population);
    let expired = garmin.window(user, "dailies", 1, &answer(user, 1, 10), vec![Fault::Status(503); 1000]);
    site.push(&notification([&expired]));
    wait("two attempts", || garmin.fetches_of(expired.offer).len() >= 2);
    wait("the rest after them", || pulls(&site, &["--all"])[0]["state"] == "waiting");
    let id = pulls(&site, &["--all"])[0]["id"].clone();
    let renewed = garmin.window(user, "dailies", 1, &answer(user, 1, 10), vec![Fault::Status(503)]);
    site.push(&notification([&renewed]));
    garmin.wait_for_fetches(renewed.offer, 1);
    let listed = pulls(&site, &["--all"]);
    assert_eq!((listed.len(), &listed[0]["id"]), (1, &id), "it is the same pull");
    assert!(listed[0]["attempts"].as_u64() <= Some(1), "it begins anew: {}", listed[0]);
    let asked_before = garmin.fetches_of(expired.offer).len();
    // A restart finds the renewed ping, not the first.
    site.kill();
    site.start();
    wait_until_pulled(&site);
    assert_eq!(garmin.fetches_of(expired.offer).len(), asked_before, "the older URL is not used any more");
    assert!(garmin.fetches_of(renewed.offer).last().expect("it was fetched").is_whole);

    let again = garmin.window(user, "dailies", 1, &answer(user, 1, 11), Vec::new());
    site.push(&notification([&again]));
    wait_until_pulled(&site);
    assert_eq!(garmin.fetches_of(again.offer).len(), 1, "after it is done, a window is pulled again");
    let records = site.export("RENEW").records("P000", "dailies");
    assert_eq!(records.iter().map(|record| record["steps"].as_i64()).collect::<Vec<_>>(), [Some(11)]);
}

#[test]
fn person_in_two_studies_is_fetched_once_and_filed_in_both() {
    let population = Population::new(933, 1);
    let user = population.user(0);
    let garmin = Garmin::start();
    let mut site = garmin.site();
    for study in ["ONE", "TWO"] {
        site.add_study(study, &["--unknown", "keep"]);
        site.add_participants(study, &population);
    }
    let ping = garmin.window(user, "dailies", 1, &answer(user, 1, 3), vec![Fault::Status(500)]);
    site.push(&notification([&ping]));
    garmin.wait_for_fetches(ping.offer, 1);
    let whom = pulls(&site, &["--all"])[0]["for"].as_array().map(Vec::len);
    assert_eq!(whom, Some(2));
    site.kill();
    site.start();
    wait_until_pulled(&site);
    let served: Vec<_> = garmin.fetches_of(ping.offer).into_iter().map(|fetch| fetch.served).collect();
    assert_eq!(served, [Served::Spoiled(Fault::Status(500)), Served::Good]);
    let ids = ["ONE", "TWO"].map(|study| {
        let lines = site.export(study).raw("dailies");
        assert_eq!(lines.len(), 1, "{study}");
        lines[0]["record_id"].as_str().expect("an id").to_owned()
    });
    assert_ne!(ids[0], ids[1]);
}
