//! `kill -9` at random moments under load: what was acknowledged is there, once; the ledger is the test's own.

use std::thread;

use studygate::simulate::random::Random;
use studygate::simulate::user::Population;

use crate::MIDNIGHT;
use crate::site::{Site, load::Load};

const KILLS: usize = 6;
const SENDERS: usize = 4;

#[test]
fn nothing_acknowledged_is_lost_or_doubled_by_kills_under_load() {
    let population = Population::new(501, SENDERS);
    let mut site = Site::new();
    site.add_study("KILLS", &["--unknown", "keep"]);
    site.add_participants("KILLS", &population);
    let load = Load::on(&site, &population, MIDNIGHT);
    let mut random = Random::at(501, &[99]);
    thread::scope(|scope| {
        let sending = load.begin(scope, &site);
        for _ in 0..KILLS {
            load.wait_for(1 + usize::try_from(random.below(60)).expect("few"));
            for _ in 0..random.below(20_000) {
                std::hint::spin_loop();
            }
            site.kill();
            site.start();
        }
        drop(sending);
    });
    let ledger = load.into_ledger();
    assert!(ledger.records_acknowledged() > KILLS);
    assert_eq!(ledger.differences(&site.export("KILLS").rows()), Vec::<String>::new());
    site.kill();
    site.start();
    assert_eq!(ledger.differences(&site.export("KILLS").rows()), Vec::<String>::new(), "after one more replay");
}
