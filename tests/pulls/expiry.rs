//! A URL's time runs out: by a clock that the test moves, through the whole gateway in this process.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use studygate::app::Gateway;
use studygate::clock::{Clock, SystemClock};
use studygate::config::{self, Config, Environment};
use studygate::model::time::UnixSeconds;
use studygate::simulate::callbacks::Settings;
use studygate::simulate::callbacks::fault::Fault;
use studygate::simulate::user::Population;

use crate::garmin::{Garmin, answer, counted, notification, pair, pulls, wait};

/// The machine's clock, ahead by so many seconds.
#[derive(Default)]
struct Ahead(AtomicI64);

impl Clock for Ahead {
    fn now(&self) -> UnixSeconds {
        SystemClock.now().plus(self.0.load(Ordering::Acquire))
    }

    fn monotonic(&self) -> Duration {
        SystemClock.monotonic()
    }
}

#[test]
fn pull_whose_url_ran_out_is_listed_as_expired_and_a_retry_gives_it_one_more_chance() {
    let population = Population::new(951, 1);
    let user = population.user(0);
    let clock = Arc::new(Ahead::default());
    let settings = Settings { lifetime_s: 1_000_000, ..Settings::default() };
    let garmin = Garmin::of(settings, &pair(), Arc::clone(&clock) as _);
    let mut site = garmin.stopped_site("");
    let config = Config::load(&site.config_path(), &Environment::default()).expect("a configuration");
    let root_key = config::read_root_key(config.root_key_file()).expect("a root key").key;
    let start = || garmin.runtime.block_on(Gateway::start_by(&config, &root_key, Arc::clone(&clock) as _));
    let gateway = start().unwrap_or_else(|failure| panic!("{}", failure.text));

    site.add_study("LATE", &["--unknown", "keep"]);
    site.add_participants("LATE", &population);
    let dead = garmin.window(user, "dailies", 1, &answer(user, 1, 1), vec![Fault::Status(500); 2]);
    site.push(&notification([&dead]));
    wait("an attempt", || counted(&site, "dailies", "again") == 1.0);
    let asked = garmin.fetches_of(dead.offer).len();
    assert_eq!(asked, 1, "the next attempt has its wait before it");
    clock.0.fetch_add(86_400 + 1, Ordering::AcqRel);
    // Another ping wakes the worker, which sleeps by the machine's clock.
    let other = garmin.window(user, "sleeps", 2, &answer(user, 2, 1), Vec::new());
    site.push(&notification([&other]));
    wait("the expiry", || counted(&site, "dailies", "expired") == 1.0);
    let listed = pulls(&site, &[]);
    assert_eq!((listed.len(), &listed[0]["state"], &listed[0]["attempts"]), (1, &"expired".into(), &1.into()));
    assert_eq!(garmin.fetches_of(dead.offer).len(), asked, "nothing is asked for after the deadline");
    assert_eq!(site.cli_json(&["status"])["pulls"]["ended"]["expired"], 1);

    garmin.runtime.block_on(gateway.stop()).unwrap_or_else(|failure| panic!("{}", failure.text));
    let gateway = start().unwrap_or_else(|failure| panic!("{}", failure.text));
    let listed = pulls(&site, &[]);
    assert_eq!((listed.len(), &listed[0]["state"]), (1, &"expired".into()), "a restart knows it");
    site.cli(&["pulls", "retry", listed[0]["id"].as_str().expect("an id")]);
    wait("one more request", || garmin.fetches_of(dead.offer).len() == asked + 1);
    wait("its outcome", || pulls(&site, &["--all"]).iter().all(|pull| pull["last"] == "Garmin answered 500"));
    site.cli(&["pulls", "retry", listed[0]["id"].as_str().expect("an id")]);
    wait("the data", || counted(&site, "dailies", "done") == 1.0);
    assert_eq!(site.export("LATE").records("P000", "dailies").len(), 1);
    garmin.runtime.block_on(gateway.stop()).unwrap_or_else(|failure| panic!("{}", failure.text));
}
