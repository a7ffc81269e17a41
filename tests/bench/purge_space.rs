//! What the disk still holds after nine of ten participants have left, against what the tenth alone takes in a store
//! that nobody ever left.

use std::thread;
use std::time::{Duration, Instant};

use studygate::simulate::notification::Notification;
use studygate::simulate::user::{Population, User};

use crate::Effort;
use crate::crowd::{Share, disk_bytes, fill};
use crate::figure::Figure;
use crate::machine;
use crate::site::{Site, code_of};

const STUDY: &str = "EMPTIED";
const PARTICIPANTS: usize = 100;
const STAY: usize = PARTICIPANTS / 10;
const PATIENCE: Duration = Duration::from_secs(180);
const MIB: f64 = (1 << 20) as f64;
const ALLOWANCE_MIB: f64 = 64.0;
const SETTLING: Duration = Duration::from_secs(5);

pub(crate) fn measure(effort: Effort) -> Vec<Figure> {
    let population = Population::new(12, PARTICIPANTS);
    let share = Share { small: effort.summaries / PARTICIPANTS, large: effort.large };
    // Those who stay are spread among those who leave: their records lie in the same files.
    let stays = |user: &&User| user.index.is_multiple_of(PARTICIPANTS / STAY);
    let stay: Vec<User> = population.users().iter().filter(stays).cloned().collect();
    let leave: Vec<&User> = population.users().iter().filter(|user| !stays(user)).collect();

    let mut emptied = of(population.users());
    let records = fill(&emptied, &population, population.users(), share);
    let full = disk_bytes(&emptied.data_dir()) as f64 / MIB;
    for user in &leave {
        emptied.push(&Notification::new().deregistration(user).to_json());
    }
    let began = Instant::now();
    leave.iter().for_each(|user| wait_for_compaction(&emptied, user));
    let complete = began.elapsed().as_secs_f64();
    settle(&emptied);
    let settled = began.elapsed().as_secs_f64();
    emptied.stop();
    let data = emptied.data_dir();
    let left = disk_bytes(&data) as f64 / MIB;
    let blobs = disk_bytes(&data.join("blobs")) as f64 / MIB;
    drop(emptied);

    let mut alone = of(&stay);
    let kept = fill(&alone, &population, &stay, share);
    alone.stop();
    let data = alone.data_dir();
    let lives = disk_bytes(&data) as f64 / MIB;
    let living_blobs = disk_bytes(&data.join("blobs")) as f64 / MIB;
    vec![
        Figure::told("records sent", records as f64, ""),
        Figure::told("records of those who stay", kept as f64, ""),
        Figure::told("disk before", full, "MiB"),
        Figure::told(format!("{} purges complete after the last notice", leave.len()), complete, "s"),
        Figure::told("disk as it stays after the last notice", settled, "s"),
        Figure::told("blobs of those who stay, in a store of their own", living_blobs, "MiB"),
        Figure::told("blobs afterwards", blobs, "MiB"),
        Figure::told("all of those who stay, in a store of their own", lives, "MiB"),
        Figure::at_most("all afterwards", left, "MiB", 1.5 * lives + ALLOWANCE_MIB),
        Figure::told("afterwards to what lives", left / lives, ""),
    ]
}

/// A site of these users, whose leaving in great numbers is no flood.
fn of(users: &[User]) -> Site {
    let mut site = Site::stopped_in(machine::work_dir());
    site.edit_config(|text| format!("{text}\n[deregistration]\nflood_least = 1000\n"));
    site.start();
    site.add_study(STUDY, &[]);
    for user in users {
        site.add_participant(STUDY, &code_of(user.index), user);
    }
    site
}

/// Waits until the receipt says that nothing of the user is left in the database's files.
fn wait_for_compaction(site: &Site, user: &User) {
    let began = Instant::now();
    let show = ["participant", "show", "--study", STUDY, "--code", &code_of(user.index)];
    while site.cli_json(&show)["receipt"]["database"] != "compacted" {
        assert!(began.elapsed() < PATIENCE, "the purge does not end:\n{}", site.log());
        thread::sleep(Duration::from_millis(200));
    }
}

/// Waits until the disk use stays as it is.
fn settle(site: &Site) {
    let mut before = 0;
    loop {
        thread::sleep(SETTLING);
        let found = disk_bytes(&site.data_dir());
        if found == before {
            return;
        }
        before = found;
    }
}
