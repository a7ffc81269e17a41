//! What waiting jobs cost in memory: a gateway with many of them on a host that gives nothing.
//!
//! The whole process is looked at, each time after a start and a rest: without jobs, with half of them, with all. The
//! store keeps a page cache of a fixed size, which the rows of the first half fill; so what the second half adds is what
//! the queue costs, and what all of them add tells of queue and cache together. What the process takes right after so
//! many pings stands beside it: the allocator keeps what filing needed. A quick run has too few jobs to fill that cache,
//! and so tells more than the queue costs.

use std::{thread, time::Duration};

use studygate::simulate::user::Population;

use crate::Effort;
use crate::dead::Dead;
use crate::figure::Figure;
use crate::machine;
use crate::pings;
use crate::process::resident_mib;
use crate::site::Site;

const KIB_A_MIB: f64 = 1024.0;
/// What the store writes and frees in the background is done by then.
const SETTLING: Duration = Duration::from_secs(3);

pub(crate) fn measure(effort: Effort) -> Vec<Figure> {
    let half = effort.waiting / 2;
    let population = Population::new(7, 2);
    let dead = Dead::black_hole();
    let mut site = Site::stopped_in(machine::work_dir());
    pings::allow(&mut site, &[dead.host()], None);
    site.start();
    site.add_study("WAITING", &[]);
    site.add_participants("WAITING", &population);
    let none = after_start(&mut site, 0);
    let [first, second] = population.users() else { unreachable!("there are two") };
    pings::send_in_vain(&site, first, &dead.host(), half);
    pings::wait_until_queued(&site, half);
    let some = after_start(&mut site, half);
    pings::send_in_vain(&site, second, &dead.host(), half);
    pings::wait_until_queued(&site, 2 * half);
    let pinged = settled(&site);
    let all = after_start(&mut site, 2 * half);
    let per_job = |mib: f64, jobs: usize| mib * KIB_A_MIB / jobs as f64;
    vec![
        Figure::told("after a start, without jobs", none, "MiB"),
        Figure::told(format!("after a start, {half} jobs wait"), some, "MiB"),
        Figure::told(format!("after a start, {} jobs wait", 2 * half), all, "MiB"),
        Figure::told(format!("the same, right after the last {half} pings"), pinged, "MiB"),
        Figure::told("a job of all, the store's cache included", per_job(all - none, 2 * half), "KiB"),
        Figure::at_most("a job of the second half", per_job(all - some, half), "KiB", 1.0),
    ]
}

fn after_start(site: &mut Site, jobs: usize) -> f64 {
    site.stop();
    site.start();
    pings::wait_until_queued(site, jobs);
    settled(site)
}

fn settled(site: &Site) -> f64 {
    thread::sleep(SETTLING);
    resident_mib(site.pid())
}
