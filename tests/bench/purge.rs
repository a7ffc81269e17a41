//! Participants of a large site who leave, one after the other, while the others' data go on coming.
//!
//! Each leaves by Garmin's notice. From its 200 on, every read of theirs is tried until the purge is complete. That the
//! epoch is destroyed is seen from outside: both slots of the epoch key were written. That a purge is complete is what
//! its receipt says, and is looked for once the folder of the database is another one.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use studygate::simulate::large::{GARMIN_MAX, LargeBody, Layout};
use studygate::simulate::notification::Notification;
use studygate::simulate::user::{Population, User};

use crate::Effort;
use crate::crowd::{self, Share};
use crate::dead::Dead;
use crate::figure::{Figure, median};
use crate::machine;
use crate::pings;
use crate::process::resident_mib;
use crate::site::{Site, code_of};
use crate::steady::{Steady, p99};
use crate::traffic::MIDNIGHT;

const STUDY: &str = "CROWD";
const ROUNDS_MAX: usize = 5;
const PATIENCE: Duration = Duration::from_secs(180);
/// A body of somebody who leaves at once behind it.
const BODY_BEFORE_BYTES: u64 = GARMIN_MAX;

pub(crate) fn measure(effort: Effort) -> Vec<Figure> {
    let (participants, rounds) = (effort.participants, effort.rounds.min(ROUNDS_MAX));
    let share = Share { small: effort.summaries / participants, large: effort.large };
    let population = Population::new(11, participants);
    let dead = Dead::black_hole();
    let mut site = Site::stopped_in(machine::work_dir());
    pings::allow(&mut site, &[dead.host()], None);
    // As many as leave here within the hour are no flood.
    site.edit_config(|text| format!("{text}\n[deregistration]\nflood_least = 100\n"));
    site.start();
    site.add_study(STUDY, &[]);
    site.add_participants(STUDY, &population);
    let began = Instant::now();
    let records = crowd::fill(&site, &population, population.users(), share);
    let seconds = began.elapsed().as_secs_f64();
    let stored = site.cli_json(&["status"])["store"].clone();
    let (leavers, others) = population.users().split_at(rounds + 1);
    for user in leavers {
        pings::send_in_vain(&site, user, &dead.host(), 1);
        let url = "https://elsewhere.invalid/wellness-api/rest/dailies?token=0";
        site.push(&Notification::new().ping(user, "dailies", url, MIDNIGHT).to_json());
    }
    site.wait_until_filed();
    let steady = Steady::default();
    let (mut left, mut usual) = (Vec::new(), Vec::new());
    let mut told_of = 0.0;
    thread::scope(|scope| {
        let _ends = steady.begin(scope, &site, &population, others);
        // What the store still does after the load is not the usual.
        thread::sleep(Duration::from_secs(5));
        let (last, first) = leavers.split_last().expect("there is one");
        for user in first {
            let began = Instant::now();
            thread::sleep(Duration::from_secs(2 * effort.round_s));
            usual.extend(steady.within(began, Instant::now()));
            left.push(leave(&site, user, &steady));
        }
        told_of = bodies_told_of(&site, last);
    });
    let worst = |of: fn(&Left) -> f64| left.iter().map(of).fold(0.0, f64::max);
    let during: Vec<f64> = left.iter().flat_map(|left| left.pushes.iter().copied()).collect();
    let counts = (usual.len(), during.len());
    let halves = |values: &[f64]| median(values.to_vec());
    let (middle_usual, middle_during) = (halves(&usual), halves(&during));
    let (usual, during) = (p99(usual), p99(during));
    vec![
        Figure::told("records sent and filed", records as f64, ""),
        Figure::told("their blobs", stored["blob_bytes"].as_f64().unwrap_or(f64::NAN) / 1e6, "MB"),
        Figure::told("their database", stored["database_bytes"].as_f64().unwrap_or(f64::NAN) / 1e6, "MB"),
        Figure::told("seconds to send and file them", seconds, "s"),
        Figure::told(format!("{rounds} notices: slowest 200"), worst(|left| left.answered), "s"),
        Figure::at_most("reads answered after the notice's 200", worst(|left| left.reads), "", 0.0),
        Figure::told("reads tried after the notice's 200, each time", worst(|left| left.tried), ""),
        Figure::at_most("epoch destroyed after the 200, slowest", worst(|left| left.destroyed), "s", 1.0),
        Figure::told("rows and files gone after the 200, slowest", worst(|left| left.erased), "s"),
        Figure::at_most("complete after the 200, slowest", worst(|left| left.complete), "s", 60.0),
        Figure::told(format!("usual: median of {} pushes", counts.0), middle_usual, "ms"),
        Figure::told(format!("during purges: median of {} pushes", counts.1), middle_during, "ms"),
        Figure::told("usual: p99 of the pushes", usual, "ms"),
        Figure::told("during purges: p99 of the pushes", during, "ms"),
        Figure::at_most("p99 during purges to usual", during / usual, "", 3.0),
        Figure::at_most("pushes not answered with 200", steady.failures() as f64, "", 0.0),
        Figure::at_least("bodies told of as pending behind a notice", told_of, "", 1.0),
        Figure::told("resident memory afterwards", resident_mib(site.pid()), "MiB"),
    ]
}

/// One purge: seconds after the notice's 200, and what came of the reads.
struct Left {
    /// From the notice to its 200.
    answered: f64,
    destroyed: f64,
    erased: f64,
    complete: f64,
    tried: f64,
    reads: f64,
    pushes: Vec<f64>,
}

fn leave(site: &Site, user: &User, steady: &Steady) -> Left {
    let code = code_of(user.index);
    assert_eq!(reads(site, &code, "before"), [true; READS], "all of it can be read before: {READS_NAMES}");
    let (database, epoch) = (current(site), epoch_written(&site.data_dir()));
    let notice = Notification::new().deregistration(user).to_json();
    let sent = Instant::now();
    site.push(&notice);
    let began = Instant::now();
    let (destroyed, erased, complete, tried, read) = thread::scope(|scope| {
        let reading = scope.spawn(|| (1_usize, reads(site, &code, "after")));
        let is_other = || epoch_written(&site.data_dir()).into_iter().zip(epoch).all(|(now, before)| now > before);
        let destroyed = wait(began, site, Duration::from_millis(1), is_other);
        let pending = || site.metric("studygate_purge_pending") == Some(0.0);
        let erased = wait(began, site, Duration::from_millis(20), pending);
        wait(began, site, Duration::from_millis(10), || current(site) != database);
        let receipt = || site.cli_json(&["participant", "show", "--study", STUDY, "--code", &code])["receipt"].clone();
        let complete = wait(began, site, Duration::from_millis(200), || receipt()["database"] == "compacted");
        let (tried, read) = reading.join().expect("the reads were tried");
        (destroyed, erased, complete, tried * READS, read.into_iter().filter(|gave| *gave).count())
    });
    Left {
        answered: (began - sent).as_secs_f64(),
        destroyed,
        erased,
        complete,
        tried: tried as f64,
        reads: read as f64,
        pushes: steady.within(began, began + Duration::from_secs_f64(complete)),
    }
}

/// The ways in which a participant's data are read.
const READS: usize = 4;
const READS_NAMES: &str = "export, participant show, quarantine list, pulls list";

/// Which of them give something.
fn reads(site: &Site, code: &str, when: &str) -> [bool; READS] {
    let file = site.scratch(&format!("{code}-{when}.zip.age"));
    let file = file.to_str().expect("UTF-8");
    let export = ["export", "--study", STUDY, "--participant", code, "-o", file];
    let exported = site.run(&export).status.success();
    let shown = site.cli_json(&["participant", "show", "--study", STUDY, "--code", code]);
    let named = |list: &[&str]| site.cli(list).contains(&format!("\"{code}\""));
    let (quarantine, pulls) = (named(&["quarantine", "list", "--json"]), named(&["pulls", "list", "--all", "--json"]));
    [exported, shown["links"].as_array().is_some_and(|links| !links.is_empty()), quarantine, pulls]
}

/// How many bodies are named as pending where somebody leaves behind a large body that takes a while to be filed.
fn bodies_told_of(site: &Site, user: &User) -> f64 {
    let code = code_of(user.index);
    let (mut client, path) = (site.client(), site.notification_path());
    let body = LargeBody::new(std::slice::from_ref(user), MIDNIGHT, BODY_BEFORE_BYTES, Layout::Items(3600));
    assert_eq!(client.post_pieces(&path, BODY_BEFORE_BYTES, body).expect("an answer"), 200);
    let notice = Notification::new().deregistration(user).to_json();
    assert_eq!(client.post(&path, notice.as_bytes()).expect("an answer"), 200);
    let purges = site.cli_json(&["purges", "list", "--all"])["purges"].clone();
    let purge =
        purges.as_array().and_then(|purges| purges.iter().find(|purge| purge["code"] == code.as_str()).cloned());
    purge.map_or(0.0, |purge| purge["bodies_pending"].as_f64().unwrap_or(0.0))
}

/// When the two slots of the epoch key were written.
fn epoch_written(data_dir: &Path) -> [SystemTime; 2] {
    let keyring = data_dir.join("keyring");
    ["epoch.0", "epoch.1"]
        .map(|slot| fs::metadata(keyring.join(slot)).and_then(|found| found.modified()).expect("both slots are there"))
}

/// What says which folder of the database counts.
fn current(site: &Site) -> String {
    fs::read_to_string(site.data_dir().join("db.current")).unwrap_or_default()
}

/// Seconds since `began` until it is so.
fn wait(began: Instant, site: &Site, look: Duration, is_so: impl Fn() -> bool) -> f64 {
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "the purge does not end:\n{}", site.log());
        thread::sleep(look);
    }
    began.elapsed().as_secs_f64()
}
