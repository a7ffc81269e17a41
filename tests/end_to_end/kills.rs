//! `kill -9` at random moments under load: what was acknowledged is there, once; the ledger is the test's own.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use studygate::simulate::ledger::Ledger;
use studygate::simulate::notification::Notification;
use studygate::simulate::random::Random;
use studygate::simulate::record::Record;
use studygate::simulate::user::Population;

use crate::days;
use crate::site::Site;

const KILLS: usize = 6;
const SENDERS: usize = 4;

#[test]
fn nothing_acknowledged_is_lost_or_doubled_by_kills_under_load() {
    let population = Population::new(501, SENDERS);
    let mut site = Site::new();
    site.add_study("KILLS", &["--unknown", "keep"]);
    site.add_participants("KILLS", &population);
    let path = site.notification_path();
    let ledger = Mutex::new(Ledger::default());
    let acknowledged = AtomicUsize::new(0);
    let ended = AtomicBool::new(false);

    thread::scope(|scope| {
        for user in population.users() {
            let client = site.client();
            let send = |records: &[Record], client: &mut crate::site::https::Client| {
                let sending = ledger.lock().expect("no sender panics").sent(records);
                let body = Notification::of(population.users(), records).to_json();
                let taken = client.post(&path, body.as_bytes()).is_ok_and(|status| status == 200);
                if taken {
                    ledger.lock().expect("no sender panics").acknowledged(sending);
                    acknowledged.fetch_add(1, Ordering::Relaxed);
                }
                taken
            };
            let ended = &ended;
            scope.spawn(move || {
                let mut client = client;
                let mut random = Random::at(501, &[user.index as u64]);
                for records in days(user, 400).chunks(3) {
                    // Garmin tries again until it is answered; now and then it sends twice what was taken.
                    while !ended.load(Ordering::Relaxed) && !send(records, &mut client) {
                        thread::yield_now();
                    }
                    if random.chance(10) {
                        send(records, &mut client);
                    }
                    if ended.load(Ordering::Relaxed) {
                        return;
                    }
                }
            });
        }
        let mut random = Random::at(501, &[99]);
        for _ in 0..KILLS {
            let target = acknowledged.load(Ordering::Relaxed) + 1 + random.below(60) as usize;
            while acknowledged.load(Ordering::Relaxed) < target {
                thread::yield_now();
            }
            for _ in 0..random.below(2000) {
                std::hint::spin_loop();
            }
            site.kill();
            site.start();
        }
        ended.store(true, Ordering::Relaxed);
    });

    let ledger = ledger.into_inner().expect("no sender panicked");
    let dataset = site.export("KILLS");
    assert_eq!(ledger.differences(&dataset.rows()), Vec::<String>::new());
    assert!(ledger.records_acknowledged() > KILLS);
    site.kill();
    site.start();
    assert_eq!(ledger.differences(&site.export("KILLS").rows()), Vec::<String>::new(), "after one more replay");
}
