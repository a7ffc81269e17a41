//! Resident memory: idle, and above that the peak while bodies of 100 MB come in and are filed.

use std::thread;

use studygate::simulate::large::{GARMIN_MAX, LargeBody, Layout};
use studygate::simulate::user::Population;

use crate::Effort;
use crate::figure::Figure;
use crate::machine;
use crate::process::{peak_mib, reset_peak, resident_mib};
use crate::site::Site;
use crate::traffic::MIDNIGHT;

const AT_ONCE: usize = 8;
const ONE_BODY_MIB: f64 = 16.0;
/// Half the bodies are one item, the others of well over 50 each.
const ITEMS_LEAST: f64 = (9 + 9 * 50) as f64;
const EIGHT_BODIES_MIB: f64 = 64.0;

pub(crate) fn measure(_: Effort) -> Vec<Figure> {
    let population = Population::new(2, 2 * AT_ONCE + 2);
    let mut site = Site::stopped_in(machine::work_dir());
    site.start();
    let idle = resident_mib(site.pid());
    let mut figures = vec![Figure::at_most("idle, empty store", idle, "MiB", 25.0)];
    site.add_study("MEMORY", &[]);
    site.add_participants("MEMORY", &population);
    // The settled process is the base: what a body adds is measured above it.
    let base = resident_mib(site.pid());
    figures.push(Figure::told("idle, participants added", base, "MiB"));

    let mut at = |what: &str, users: std::ops::Range<usize>, layout, bound| {
        reset_peak(site.pid());
        push_at_once(&site, &population, users, layout);
        let received = peak_mib(site.pid()) - base;
        reset_peak(site.pid());
        let took = site.wait_until_filed().as_secs_f64();
        let filed = peak_mib(site.pid()) - base;
        figures.push(Figure::at_most(format!("{what}, received"), received, "MiB", bound));
        figures.push(Figure::at_most(format!("{what}, filed"), filed, "MiB", bound));
        figures.push(Figure::told(format!("{what}, filed after the last 200 in"), took, "s"));
    };
    at("one body of 100 MB", 0..1, Layout::Items(3600), ONE_BODY_MIB);
    at("one body of 100 MB that is a single item", 1..2, Layout::SingleItem, ONE_BODY_MIB);
    at("eight such at once, items", 2..2 + AT_ONCE, Layout::Items(3600), EIGHT_BODIES_MIB);
    at("eight such at once, single items", 2 + AT_ONCE..2 + 2 * AT_ONCE, Layout::SingleItem, EIGHT_BODIES_MIB);
    figures.push(Figure::at_least("items stored of the 18 bodies", site.records_stored(), "", ITEMS_LEAST));
    figures
}

/// One body of 100 MB for each of these users, all at the same time, made while they are sent.
fn push_at_once(site: &Site, population: &Population, users: std::ops::Range<usize>, layout: Layout) {
    let path = site.notification_path();
    thread::scope(|scope| {
        for user in users {
            let (mut client, path) = (site.client(), path.as_str());
            scope.spawn(move || {
                let owner = &population.users()[user..=user];
                let body = LargeBody::new(owner, MIDNIGHT, GARMIN_MAX, layout);
                assert_eq!(client.post_pieces(path, GARMIN_MAX, body).expect("an answer"), 200);
            });
        }
    });
}
