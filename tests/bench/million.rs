//! A million summaries of 50 participants: what the store costs in memory, on disk, in writes, and at a start.

use std::{
    os::unix::fs::MetadataExt as _,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use studygate::simulate::health;
use studygate::simulate::notification::Notification;
use studygate::simulate::record::Record;
use studygate::simulate::user::Population;

use crate::Effort;
use crate::figure::{Figure, median};
use crate::idle;
use crate::machine;
use crate::process::{bytes_written, resident_mib};
use crate::site::{Site, files_below};
use crate::traffic::MIDNIGHT;

pub(crate) const PARTICIPANTS: usize = 50;
const ITEMS_A_BODY: usize = 120;
const EPOCHS_A_DAY: usize = 96;
const STARTS: usize = 5;
const DAY_S: i64 = 86_400;

/// Whose summaries one body holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bodies {
    /// One user's: a watch was synchronised.
    OfOneUser,
    /// All users' in turn.
    Mixed,
}

pub(crate) fn measure(effort: Effort) -> Vec<Figure> {
    fill_and_look(effort, Bodies::OfOneUser)
}

pub(crate) fn measure_mixed(effort: Effort) -> Vec<Figure> {
    fill_and_look(effort, Bodies::Mixed)
}

fn fill_and_look(effort: Effort, bodies: Bodies) -> Vec<Figure> {
    let population = Population::new(5, PARTICIPANTS);
    let mut site = Site::stopped_in(machine::work_dir());
    site.start();
    site.add_study("MILLION", &[]);
    site.add_participants("MILLION", &population);
    let written_before = bytes_written(site.pid());
    let began = Instant::now();
    let (summaries, received) = fill(&site, &population, effort.summaries, EPOCHS_A_DAY, bodies);
    site.wait_until_filed();
    let seconds = began.elapsed().as_secs_f64();
    // What the store still has to write in the background belongs to the bill.
    thread::sleep(Duration::from_secs(3));
    let written = bytes_written(site.pid()) - written_before;
    let stored = site.records_stored();
    let after_load = resident_mib(site.pid());
    site.stop();
    let disk = disk_bytes(&site.data_dir());
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        let began = Instant::now();
        site.start();
        starts.push(began.elapsed().as_secs_f64());
        if starts.len() < STARTS {
            site.stop();
        }
    }
    let after_start = resident_mib(site.pid());
    let processor = idle::processor("after a start", &site, effort);
    vec![
        Figure::told("summaries sent", summaries as f64, ""),
        Figure::at_least("summaries stored to sent", stored / summaries as f64, "", 1.0),
        Figure::told("raw JSON", received as f64 / 1e6, "MB"),
        Figure::told("sent and filed at", summaries as f64 / seconds, "/s"),
        Figure::at_most("idle, after the load", after_load, "MiB", 64.0),
        Figure::at_most("idle, after a start", after_start, "MiB", 64.0),
        processor,
        Figure::at_most("start to ready, median of 5", median(starts), "s", 1.0),
        Figure::at_most("disk to raw JSON", disk as f64 / received as f64, "", 0.25),
        Figure::at_most("bytes written to bytes received", written as f64 / received as f64, "", 2.0),
    ]
}

/// Pushes about this many summaries, so many a day and participant; returns how many, and the bytes of their bodies.
pub(crate) fn fill(
    site: &Site,
    population: &Population,
    wanted: usize,
    epochs_a_day: usize,
    bodies: Bodies,
) -> (usize, u64) {
    let days = wanted.div_ceil(PARTICIPANTS * epochs_a_day);
    let (mut client, path) = (site.client(), site.notification_path());
    let (mut summaries, mut received) = (0, 0);
    let mut send = |records: &[Record]| {
        let body = Notification::of(population.users(), records).to_json();
        assert_eq!(client.post(&path, body.as_bytes()).expect("an answer"), 200);
        summaries += records.len();
        received += body.len() as u64;
    };
    let of_day = |user: usize, day: usize| {
        let midnight = MIDNIGHT.plus(DAY_S * i64::try_from(day).expect("few days"));
        health::epochs(population.user(user), midnight, u32::try_from(epochs_a_day).expect("a day has 96"))
    };
    match bodies {
        Bodies::OfOneUser => {
            // Five days of a user make whole bodies.
            for first in (0..days).step_by(5) {
                for user in 0..PARTICIPANTS {
                    let records: Vec<Record> =
                        (first..(first + 5).min(days)).flat_map(|day| of_day(user, day)).collect();
                    records.chunks(ITEMS_A_BODY).for_each(&mut send);
                }
            }
        }
        Bodies::Mixed => {
            for day in 0..days {
                let users: Vec<Vec<Record>> = (0..PARTICIPANTS).map(|user| of_day(user, day)).collect();
                let in_turn: Vec<Record> = (0..epochs_a_day)
                    .flat_map(|epoch| users.iter().map(move |records| records[epoch].clone()))
                    .collect();
                in_turn.chunks(ITEMS_A_BODY).for_each(&mut send);
            }
        }
    }
    (summaries, received)
}

/// The blocks that a folder's files take.
fn disk_bytes(folder: &Path) -> u64 {
    files_below(folder).iter().filter_map(|file| file.metadata().ok()).map(|data| data.blocks() * 512).sum()
}
