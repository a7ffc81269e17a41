//! Pushes of 2 KB on 64 kept-alive connections, each durable and filed, against nginx answering the same at once.

use studygate::simulate::user::Population;

use crate::Effort;
use crate::figure::{Figure, median};
use crate::machine;
use crate::nginx::Nginx;
use crate::site::Site;
use crate::wrk;

const PARTICIPANTS: usize = 100;

pub(crate) fn measure(effort: Effort) -> Vec<Figure> {
    let population = Population::new(3, PARTICIPANTS);
    let mut site = Site::stopped_in(machine::work_dir());
    site.start();
    site.add_study("SMALL", &[]);
    site.add_participants("SMALL", &population);
    let nginx = Nginx::beside(&site);
    let script = site.scratch("push.lua");
    wrk::write_script(&script, &population);
    let path = site.notification_path();
    let (mut ours, mut peer) = (Vec::new(), Vec::new());
    let (mut failures, mut answers) = (0, 0.0);
    // The first round of each warms up and is not counted.
    for round in 0..=effort.rounds as u64 {
        let rate = wrk::load(&script, site.ingress(), &path, effort.round_s, round);
        site.wait_until_filed();
        let bare = wrk::load(&script, nginx.address(), "/bare", effort.round_s, round);
        failures += rate.failures + bare.failures;
        answers += rate.answers;
        if round > 0 {
            ours.push(rate.answers_a_second);
            peer.push(bare.answers_a_second);
        }
    }
    let long = wrk::load(&script, site.ingress(), &path, effort.long_s, 1 + effort.rounds as u64);
    let behind = site.wait_until_filed().as_secs_f64();
    failures += long.failures;
    answers += long.answers;
    let (ours, peer) = (median(ours), median(peer));
    vec![
        Figure::told("gateway: pushes of 2 KB", ours, "/s"),
        Figure::told("nginx: the same with a bare 200", peer, "/s"),
        Figure::at_least("gateway to nginx", ours / peer, "", 0.15),
        Figure::told(format!("gateway over {} s", effort.long_s), long.answers_a_second, "/s"),
        Figure::at_least(format!("gateway over {} s, to nginx", effort.long_s), long.answers_a_second / peer, "", 0.15),
        Figure::at_most("journal empty after the load", behind, "s", 10.0),
        Figure::at_least("records stored to pushes answered", site.records_stored() / answers, "", 1.0),
        Figure::at_most("answers other than 200", failures as f64, "", 0.0),
    ]
}
