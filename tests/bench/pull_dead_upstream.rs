//! Pushes of 2 KB while a thousand jobs wait on a host that gives nothing, against pushes while none waits.
//!
//! One process, in turn without and with jobs. The jobs of a round are a participant's of their own and go when they
//! leave, which is over before the next stretch begins.

use std::{
    thread,
    time::{Duration, Instant},
};

use studygate::simulate::user::{Population, User};

use crate::Effort;
use crate::dead::Dead;
use crate::figure::{Figure, median};
use crate::machine;
use crate::pings;
use crate::site::{Site, code_of};
use crate::traffic::Template;

const JOBS: usize = 1000;
const PUSHES: usize = 300;
/// Erasing a participant takes far less.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(20);

pub(crate) fn measure(effort: Effort) -> Vec<Figure> {
    let upstreams = [Dead::refusing(), Dead::silent(), Dead::black_hole()];
    let rounds = effort.rounds + 1;
    let population = Population::new(8, 1 + rounds * upstreams.len());
    let (pushing, pinged) = population.users().split_first().expect("one at least");
    let mut site = Site::stopped_in(machine::work_dir());
    pings::allow(&mut site, &upstreams.each_ref().map(Dead::host), None);
    site.start();
    site.add_study("DEAD", &[]);
    site.add_participant("DEAD", &code_of(pushing.index), pushing);
    let mut pushes = Pushes { template: Template::of(&population, pushing), sent: 0 };
    let mut figures = Vec::new();
    for (upstream, leavers) in upstreams.iter().zip(pinged.chunks(rounds)) {
        let (mut without, mut with) = (Vec::new(), Vec::new());
        // The first round warms up and is not counted.
        for (round, leaver) in leavers.iter().enumerate() {
            site.add_participant("DEAD", &code_of(leaver.index), leaver);
            let alone = pushes.send(&site);
            pings::send_in_vain(&site, leaver, &upstream.host(), JOBS);
            pings::wait_until_queued(&site, JOBS);
            let beside = pushes.send(&site);
            pings::wait_until_queued(&site, JOBS);
            erase(&site, leaver);
            pings::wait_until_queued(&site, 0);
            if round > 0 {
                without.push(alone);
                with.push(beside);
            }
        }
        let (without, with) = (median(without), median(with));
        figures.push(Figure::told(format!("{}: a push, no job waits", upstream.what), without, "ms"));
        figures.push(Figure::told(format!("{}: a push, {JOBS} jobs wait", upstream.what), with, "ms"));
        figures.push(Figure::at_most(format!("{}: with jobs to without", upstream.what), with / without, "", 2.0));
    }
    figures.push(Figure::at_least("records stored to pushes", site.records_stored() / pushes.sent as f64, "", 1.0));
    figures
}

/// One client, one push after the other.
struct Pushes {
    template: Template,
    sent: u64,
}

impl Pushes {
    /// The median of the milliseconds to a 200.
    fn send(&mut self, site: &Site) -> f64 {
        let (mut client, path) = (site.client(), site.notification_path());
        let mut push = |number| {
            let body = self.template.body(number);
            let began = Instant::now();
            assert_eq!(client.post(&path, body.as_bytes()).expect("an answer"), 200);
            began.elapsed().as_secs_f64() * 1e3
        };
        // The first opens the connection.
        push(self.sent);
        let took = (self.sent + 1..).take(PUSHES).map(push).collect();
        self.sent += 1 + PUSHES as u64;
        median(took)
    }
}

/// The participant leaves; returns when all that was theirs is gone, and the keys are replaced.
fn erase(site: &Site, user: &User) {
    let code = code_of(user.index);
    let who = ["--study", "DEAD", "--code", code.as_str()];
    site.cli(&[&["participant", "withdraw", "--yes", "--reason", "asked"][..], &who].concat());
    let began = Instant::now();
    let shown = [&["participant", "show"][..], &who].concat();
    while site.cli_json(&shown)["erased"].is_null() {
        assert!(began.elapsed() < PATIENCE, "the participant is not erased:\n{}", site.log());
        thread::sleep(LOOK);
    }
}
