//! Weeks of a population, pushed and pinged with files, faults on and the gateway killed in between: what was
//! acknowledged is in the dataset once, in its current version.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use studygate::backoff::Backoff;
use studygate::client::trust::Trust;
use studygate::simulate::account::Account;
use studygate::simulate::callbacks::Settings as CallbackSettings;
use studygate::simulate::callbacks::fault::Faults;
use studygate::simulate::plan::{self, Mode};
use studygate::simulate::record::Density;
use studygate::simulate::run::{Cast, Settings, play};
use studygate::simulate::sender::{self, Sender, Target};
use studygate::simulate::user::Population;

use crate::garmin::{Garmin, MIDNIGHT, assert_silent, pulls, sha256, wait, wait_until_pulled};
use crate::site::{Site, code_of, dataset::Dataset};

const SEED: u64 = 1001;
const USERS: usize = 50;
const DAYS: u32 = 14;
/// The gateway is killed when so many days are over.
const KILLS: [usize; 3] = [3, 7, 11];
/// Downloads that a kill can break off: those that are under way.
const BROKEN_MAX: usize = 4 * (KILLS.len() + 1);

fn settings() -> Settings {
    let mut plan = plan::Settings::new(SEED, MIDNIGHT, DAYS);
    plan.mode = Mode::Mixed;
    let types = ["activities", "activityFiles", "activityDetails", "dailies", "sleeps", "mct", "bodyComps"];
    plan.types = Some(types.map(str::to_owned).to_vec());
    plan.density = Density { epochs: 1, samples: 5 };
    (plan.deregistered, plan.permission_changes) = (2, 3);
    Settings {
        plan,
        users: USERS,
        per_second: None,
        sent_again: 50,
        on_hold: 5..6,
        large_bytes: None,
        quiet: Duration::from_secs(60),
    }
}

fn sender(site: &Site) -> Arc<Sender> {
    let certificate = std::fs::read(site.configured(&["ingress", "tls", "certificate"])).expect("a certificate");
    let trust = Trust::roots(&certificate).expect("a certificate");
    let url = format!("https://{}{}", site.ingress(), site.notification_path());
    let backoff = Backoff { base: Duration::from_millis(50), cap: Duration::from_secs(1) };
    let settings = sender::Settings { backoff, attempts_max: 1000, ..sender::Settings::default() };
    Arc::new(Sender::new(Target::of(&url, trust).expect("a URL"), settings))
}

/// Per participant and digest, how many files of the dataset have it; each row names a file, whole, of an activity.
fn found(dataset: &Dataset) -> BTreeMap<(String, String), usize> {
    let activities: BTreeSet<_> =
        dataset.table("activities").into_iter().map(|row| row["activity_id"].clone()).collect();
    let mut found = BTreeMap::new();
    for row in dataset.table("activity_files") {
        let bytes = std::fs::read(dataset.folder().join(&row["file"])).expect("a file");
        assert_eq!(sha256(&bytes), row["sha256"]);
        assert!(activities.contains(&row["activity_id"]), "each is joined to its activity");
        *found.entry((row["participant"].clone(), row["sha256"].clone())).or_default() += 1;
    }
    found
}

/// Files of those who stayed: every one is there once, but for so many that broke off as the list of pulls says.
fn check_files(account: &Account, dataset: &Dataset, broken: usize) {
    let left: Vec<_> =
        account.controls.iter().filter(|control| control.granted.is_none()).map(|left| left.user).collect();
    let stayed =
        account.files.iter().filter(|pinged| pinged.is_acknowledged && !left.contains(&pinged.file.record().user));
    // Of an activity that was revised the file is pinged again, and the later one is current.
    let mut current: BTreeMap<(String, &str), BTreeSet<String>> = BTreeMap::new();
    for file in stayed.map(|pinged| &pinged.file) {
        let user = file.record().user;
        let digest = sha256(&file.bytes(account.population.user(user)));
        current.entry((code_of(user), file.activity_id())).or_default().insert(digest);
    }
    let found = found(dataset);
    assert!(found.values().all(|count| *count == 1), "each is there once");
    let is_there = |code: &String, digests: &BTreeSet<String>| {
        digests.iter().filter(|digest| found.contains_key(&(code.clone(), (*digest).clone()))).count()
    };
    let counts: Vec<_> = current.iter().map(|((code, _), digests)| is_there(code, digests)).collect();
    assert!(counts.iter().all(|count| *count <= 1), "one version of each is current");
    let missing = counts.iter().filter(|count| **count == 0).count();
    assert!(missing <= broken, "{missing} files are missing, and {broken} broke off");
    assert_eq!(found.len(), counts.len() - missing, "and there are no others");
}

#[test]
fn everything_acknowledged_in_a_fortnight_of_faults_and_kills_is_in_the_dataset_once() {
    let faults = CallbackSettings { seed: SEED, faults: Faults::passing(), ..CallbackSettings::default() };
    let garmin = Garmin::with(faults);
    let mut site = garmin.stopped_site("");
    site.environment.clear();
    site.start();
    let population = Population::new(SEED, USERS);
    site.add_study("LEDGER", &["--unknown", "keep"]);
    site.add_study("FILES", &["--unknown", "keep", "--files", "keep", "--location", "keep"]);
    for study in ["LEDGER", "FILES"] {
        site.add_participants(study, &population);
    }
    let days = AtomicUsize::new(0);
    let cast = Cast { sender: sender(&site), callbacks: Some(Arc::clone(&garmin.callbacks)) };
    let mut account = thread::scope(|scope| {
        let (garmin, days) = (&garmin, &days);
        let played = scope.spawn(move || {
            let mut tell = |progress: studygate::simulate::run::Progress| {
                days.store(usize::try_from(progress.days).expect("few"), Ordering::Relaxed);
            };
            garmin.runtime.block_on(play(&settings(), cast, &mut tell))
        });
        for kill in KILLS {
            wait("a day to be over", || days.load(Ordering::Relaxed) >= kill);
            site.kill();
            site.start();
        }
        played.join().expect("no panic")
    });
    assert_eq!((account.given_up(), account.waves_lost), (0, 0), "everything was acknowledged");
    // Once more, while the last answers are fetched and filed.
    site.kill();
    site.start();
    wait_until_pulled(&site);
    // What a kill broke off was fetched again after the run had its end.
    account.fetches = garmin.callbacks.fetches();

    let listed = pulls(&site, &["--all"]);
    let broken = listed.iter().filter(|pull| pull["last"] == "Garmin's answer broke off").count();
    assert!(broken <= BROKEN_MAX, "{broken}");
    for pull in &listed {
        let state = pull["state"].as_str().expect("text");
        assert!(["gone", "not_permitted"].contains(&state), "{pull}");
        assert_eq!(state == "gone", pull["last"] == "Garmin's answer broke off", "{pull}");
    }
    let ledger = account.ledger();
    assert!(ledger.records_acknowledged() > 1000 && account.windows.len() > 500 && account.files.len() > 100);
    let mut rows = site.export("LEDGER").rows();
    rows.retain(|row| row.summary_type != "activityFiles");
    assert_eq!(ledger.differences(&rows), Vec::<String>::new());
    check_files(&account, &site.export("FILES"), broken);
    assert_silent(&site, &garmin.markers(population.users()));
}
