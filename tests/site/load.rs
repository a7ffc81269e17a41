//! Senders that behave as Garmin does while a gateway comes and goes, with a ledger of what was answered.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, Scope},
};

use studygate::model::time::UnixSeconds;
use studygate::simulate::ledger::Ledger;
use studygate::simulate::notification::Notification;
use studygate::simulate::random::Random;
use studygate::simulate::record::{Density, Record, day};
use studygate::simulate::user::{Population, User};

use super::https::Client;
use super::{Site, within_patience};

const DAYS_MAX: i64 = 400;
const DAY_S: i64 = 86_400;
const RECORDS_A_BODY: usize = 3;

/// One sender for each user of a population.
pub(crate) struct Load {
    population: Population,
    midnight: UnixSeconds,
    path: String,
    ledger: Mutex<Ledger>,
    acknowledged: AtomicUsize,
    ended: AtomicBool,
}

impl Load {
    /// A load on a site, of the days from `midnight` on; nothing is sent yet.
    pub(crate) fn on(site: &Site, population: &Population, midnight: UnixSeconds) -> Self {
        Self {
            population: population.clone(),
            midnight,
            path: site.notification_path(),
            ledger: Mutex::default(),
            acknowledged: AtomicUsize::new(0),
            ended: AtomicBool::new(false),
        }
    }

    /// Starts the senders; they end with what this returns (a failed test's too), or when their days are over.
    pub(crate) fn begin<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>, site: &Site) -> Ending<'scope> {
        for user in self.population.users() {
            let client = site.client();
            scope.spawn(move || self.send_all(user, client));
        }
        Ending(&self.ended)
    }

    /// Returns once this many more bodies were answered with 200.
    pub(crate) fn wait_for(&self, more: usize) {
        let target = self.acknowledged.load(Ordering::Relaxed) + more;
        within_patience("more was acknowledged", || self.acknowledged.load(Ordering::Relaxed) >= target);
    }

    /// What was sent.
    pub(crate) fn into_ledger(self) -> Ledger {
        self.ledger.into_inner().expect("no sender panicked")
    }

    fn send_all(&self, user: &User, mut client: Client) {
        let mut random = Random::at(501, &[user.index as u64]);
        let records: Vec<Record> = (0..DAYS_MAX)
            .flat_map(|number| day(user, self.midnight.plus(number * DAY_S), Density::default()))
            .collect();
        for body in records.chunks(RECORDS_A_BODY) {
            // Garmin tries again until it is answered; now and then it sends twice what was taken.
            while !self.send(body, &mut client) {
                if self.ended.load(Ordering::Relaxed) {
                    return;
                }
                thread::yield_now();
            }
            if random.chance(10) {
                self.send(body, &mut client);
            }
            if self.ended.load(Ordering::Relaxed) {
                return;
            }
        }
    }

    fn send(&self, records: &[Record], client: &mut Client) -> bool {
        let sending = self.ledger.lock().expect("no sender panics").sent(records);
        let body = Notification::of(self.population.users(), records).to_json();
        let taken = client.post(&self.path, body.as_bytes()).is_ok_and(|status| status == 200);
        if taken {
            self.ledger.lock().expect("no sender panics").acknowledged(sending);
            self.acknowledged.fetch_add(1, Ordering::Relaxed);
        }
        taken
    }
}

/// Tells threads to end, at the latest when it goes.
pub(crate) struct Ending<'flag>(pub(crate) &'flag AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
