//! A gateway that has nothing to do: how soon it is ready, what it holds in memory, and what it takes of a processor.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::Effort;
use crate::figure::{Figure, median};
use crate::machine;
use crate::process::{processor_s, resident_mib};
use crate::site::Site;

const STARTS: usize = 5;
/// Longer than the threads of a start live.
const SETTLED: Duration = Duration::from_secs(15);

pub(crate) fn measure(effort: Effort) -> Vec<Figure> {
    let mut site = Site::stopped_in(machine::work_dir());
    // The first start makes the store.
    let first = start(&mut site);
    site.stop();
    let starts = median((0..STARTS).map(|_| restart(&mut site)).collect());
    site.start();
    vec![
        Figure::at_most("start to ready, first of an empty site", first, "s", 0.3),
        Figure::at_most("start to ready, empty, median of 5", starts, "s", 0.3),
        Figure::at_most("idle, empty store", resident_mib(site.pid()), "MiB", 25.0),
        processor("empty store", &site, effort),
    ]
}

/// What an idle gateway takes of a core, once what its start left to do is done.
pub(crate) fn processor(of: &str, site: &Site, effort: Effort) -> Figure {
    thread::sleep(SETTLED);
    let before = processor_s(site.pid());
    let began = Instant::now();
    thread::sleep(Duration::from_secs(effort.idle_s));
    let took = (processor_s(site.pid()) - before) / began.elapsed().as_secs_f64();
    Figure::at_most(format!("idle, {of}: of a core over {} s", effort.idle_s), took * 100.0, "%", 0.1)
}

fn start(site: &mut Site) -> f64 {
    let began = Instant::now();
    site.start();
    began.elapsed().as_secs_f64()
}

fn restart(site: &mut Site) -> f64 {
    let took = start(site);
    site.stop();
    took
}
