//! The export of a million records beside a plain pandas script that writes the same tables from the same records.
//!
//! The script needs pandas; `STUDYGATE_PEER_PYTHON` names a Python that has it, where `python3` has not.

use std::{fs, path::Path, process::Command, time::Instant};

use studygate::simulate::notification::Notification;
use studygate::simulate::record::{Density, Record, day};
use studygate::simulate::user::Population;

use crate::Effort;
use crate::figure::{Figure, median};
use crate::machine;
use crate::process::{peak_mib, reset_peak, resident_mib};
use crate::site::Site;
use crate::traffic::MIDNIGHT;

const PARTICIPANTS: usize = 50;
const DAY_S: i64 = 86_400;
/// With these a day brings about 55 records, so that a year of 50 participants is a million.
const DENSITY: Density = Density { epochs: 44, samples: 300 };
const RECORDS_A_DAY: usize = 55;
const ITEMS_A_BODY: usize = 120;
const STUDY: &str = "EXPORT";

pub(crate) fn measure(effort: Effort) -> Vec<Figure> {
    let population = Population::new(9, PARTICIPANTS);
    let mut site = Site::stopped_in(machine::work_dir());
    site.start();
    site.add_study(STUDY, &[]);
    site.add_participants(STUDY, &population);
    let days = effort.summaries.div_ceil(PARTICIPANTS * RECORDS_A_DAY);
    let records = fill(&site, &population, days);
    site.wait_until_filed();
    // The export is measured on a gateway that has just started, as the memory that filing took is not the export's.
    site.stop();
    site.start();
    let idle = resident_mib(site.pid());
    let rounds = effort.rounds.min(3);
    let (mut seconds, mut peak, mut bytes) = (Vec::new(), 0.0_f64, 0);
    for round in 0..rounds {
        let file = site.scratch(&format!("export-{round}.zip.age"));
        reset_peak(site.pid());
        let began = Instant::now();
        site.cli(&["export", "--study", STUDY, "-o", &file.display().to_string()]);
        seconds.push(began.elapsed().as_secs_f64());
        peak = peak.max(peak_mib(site.pid()) - idle);
        bytes = fs::metadata(&file).expect("the dataset").len();
        if round + 1 < rounds {
            fs::remove_file(&file).expect("the dataset");
        }
    }
    let file = site.scratch(&format!("export-{}.zip.age", rounds - 1));
    let opened = site.scratch("opened");
    let (key, recipient) = (site.key_path(), recipient(&site.key_path()));
    let show = |path: &Path| path.display().to_string();
    site.cli(&["dataset", "open", &show(&file), "-i", &show(&key), "-o", &show(&opened)]);
    let peer = peer(&opened, &site.scratch("peer"), &recipient);
    let ours = median(seconds);
    vec![
        Figure::told("records", records as f64, ""),
        Figure::told("rows of all tables", rows(&opened), ""),
        Figure::told("export", ours, "s"),
        Figure::told("peer", peer.seconds, "s"),
        Figure::at_most("export to peer, time", ours / peer.seconds, "", 0.2),
        Figure::at_most("export, memory over idle", peak, "MiB", 64.0),
        Figure::told("dataset", bytes as f64 / 1e6, "MB"),
        Figure::at_most("dataset to peer's, bytes", bytes as f64 / peer.bytes as f64, "", 1.2),
        Figure::at_most("rows that the peer has otherwise", differing(&opened, &site.scratch("peer")), "", 0.0),
    ]
}

/// Pushes so many days; returns how many records that were.
fn fill(site: &Site, population: &Population, days: usize) -> usize {
    let (mut client, path) = (site.client(), site.notification_path());
    let mut sent = 0;
    for number in 0..days {
        let midnight = MIDNIGHT.plus(DAY_S * i64::try_from(number).expect("few days"));
        for user in population.users() {
            let records: Vec<Record> = day(user, midnight, DENSITY);
            sent += records.len();
            for records in records.chunks(ITEMS_A_BODY) {
                let body = Notification::of(population.users(), records).to_json();
                assert_eq!(client.post(&path, body.as_bytes()).expect("an answer"), 200);
            }
        }
    }
    sent
}

struct Peer {
    seconds: f64,
    bytes: u64,
}

#[expect(clippy::disallowed_methods, reason = "which Python has pandas is the machine's matter")]
fn peer(opened: &Path, folder: &Path, recipient: &str) -> Peer {
    let python = std::env::var("STUDYGATE_PEER_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bench/peer_export.py");
    fs::create_dir(folder).expect("a folder");
    let began = Instant::now();
    let done = Command::new(python).arg(script).arg(opened).arg(folder).arg(recipient).status().expect("Python starts");
    assert!(done.success(), "the peer failed; it needs pandas, zip and age");
    let seconds = began.elapsed().as_secs_f64();
    Peer { seconds, bytes: fs::metadata(folder.join("dataset.zip.age")).expect("its dataset").len() }
}

fn recipient(key: &Path) -> String {
    let text = fs::read_to_string(key).expect("a key file");
    text.trim().parse::<age::x25519::Identity>().expect("a key").to_public().to_string()
}

/// The rows of all tables of an opened dataset.
fn rows(opened: &Path) -> f64 {
    counts(opened).values().sum::<usize>() as f64
}

/// How many rows more or fewer the peer has, over all its tables.
fn differing(opened: &Path, peer: &Path) -> f64 {
    let (ours, theirs) = (counts(opened), counts(peer));
    theirs.iter().map(|(table, rows)| rows.abs_diff(ours.get(table).copied().unwrap_or(0))).sum::<usize>() as f64
}

/// The rows of each table below a folder's `data`, the files of one that is split together.
fn counts(folder: &Path) -> std::collections::BTreeMap<String, usize> {
    let mut counts = std::collections::BTreeMap::new();
    for file in crate::site::files_below(&folder.join("data")) {
        let below = file.strip_prefix(folder.join("data")).expect("a file below it").display().to_string();
        let table = below.split(['/', '.']).next().unwrap_or_default().to_owned();
        let lines = fs::read(&file).expect("a table").iter().filter(|byte| **byte == b'\n').count();
        *counts.entry(table).or_default() += lines - 1;
    }
    counts
}
