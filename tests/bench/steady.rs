//! A steady load of small pushes, each at its own time whether the one before was answered or not in time: what a push
//! waits for a slow one before it counts as its own.

use std::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering},
};
use std::thread::{self, Scope};
use std::time::{Duration, Instant};

use studygate::simulate::user::{Population, User};

use crate::site::{Site, https::Client};
use crate::traffic::Template;

const SENDERS: usize = 4;
/// Each sender's pushes a second.
const RATE: f64 = 25.0;

/// Pushes that were answered: when they were due, and how long after that their 200 came.
#[derive(Default)]
pub(crate) struct Steady {
    answered: Mutex<Vec<(Instant, Duration)>>,
    failures: Mutex<u64>,
    ended: AtomicBool,
}

/// Tells the senders to end when it goes, also where a measurement panics.
pub(crate) struct Ends<'a>(&'a Steady);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.ended.store(true, Ordering::Relaxed);
    }
}

impl Steady {
    /// Starts the load of these users; it ends when what is returned goes.
    pub(crate) fn begin<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        site: &Site,
        population: &'scope Population,
        users: &'scope [User],
    ) -> Ends<'scope> {
        for sender in 0..SENDERS {
            let (client, path) = (site.client(), site.notification_path());
            scope.spawn(move || self.send(client, &path, population, users, sender));
        }
        Ends(self)
    }

    /// Milliseconds that the pushes due between these times took.
    pub(crate) fn within(&self, from: Instant, to: Instant) -> Vec<f64> {
        let answered = self.answered.lock().expect("no sender panics");
        answered.iter().filter(|(due, _)| (from..to).contains(due)).map(|(_, took)| took.as_secs_f64() * 1e3).collect()
    }

    /// Answers other than 200.
    pub(crate) fn failures(&self) -> u64 {
        *self.failures.lock().expect("no sender panics")
    }

    fn send(&self, mut client: Client, path: &str, population: &Population, users: &[User], sender: usize) {
        let templates: Vec<Template> = users.iter().take(50).map(|user| Template::of(population, user)).collect();
        let interval = Duration::from_secs_f64(1.0 / RATE);
        // The senders take turns.
        let mut due = Instant::now() + interval.mul_f64(sender as f64 / SENDERS as f64);
        for number in (sender as u64..).step_by(SENDERS) {
            if self.ended.load(Ordering::Relaxed) {
                return;
            }
            let template = &templates[usize::try_from(number).expect("few") % templates.len()];
            let body = template.body(number);
            thread::sleep(due.saturating_duration_since(Instant::now()));
            match client.post(path, body.as_bytes()) {
                Ok(200) => self.answered.lock().expect("no sender panics").push((due, due.elapsed())),
                Ok(_) | Err(_) => *self.failures.lock().expect("no sender panics") += 1,
            }
            due += interval;
        }
    }
}

/// What 99 of 100 values are not above.
pub(crate) fn p99(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let place = (values.len() * 99).div_ceil(100).saturating_sub(1);
    values.get(place).copied().unwrap_or(f64::NAN)
}
