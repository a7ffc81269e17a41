//! A site that holds much of many people: small records in packs, large ones in files that compress badly.
//!
//! All of it comes through the door, in bodies that mix many users as Garmin's do, sent by several at once.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{fs, path::Path, thread};

use serde_json::json;
use studygate::simulate::health;
use studygate::simulate::notification::Notification;
use studygate::simulate::random::Random;
use studygate::simulate::record::Record;
use studygate::simulate::user::{Population, User};

use crate::site::{Site, files_below};
use crate::traffic::MIDNIGHT;

const SENDERS: usize = 4;
/// Users whose records share a body.
const USERS_A_BODY: usize = 100;
/// Small records of each of them in it: a quarter of a day.
const SMALL_A_USER: usize = 24;
const SMALL_A_DAY: usize = 96;
/// Large records that share a body.
const LARGE_A_BODY: usize = 100;
/// Characters of a large record. They have 6 bits each: its file takes three quarters of that.
const LARGE_CHARACTERS: usize = 340_000;
const NOISE_CHARACTERS: usize = 8 << 20;
const DAY_S: i64 = 86_400;
const PATIENCE: Duration = Duration::from_secs(900);

/// What each participant has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share {
    /// Small records.
    pub(crate) small: usize,
    /// Large records, of a quarter of a megabyte on disk each.
    pub(crate) large: usize,
}

/// Sends all of these users of a population, and waits until it is filed; returns how many records that were.
pub(crate) fn fill(site: &Site, population: &Population, users: &[User], share: Share) -> usize {
    let noise = noise();
    let groups: Vec<&[User]> = users.chunks(USERS_A_BODY).collect();
    let quarters = share.small.div_ceil(SMALL_A_USER);
    let small = groups.len() * quarters;
    let large = (users.len() * share.large).div_ceil(LARGE_A_BODY);
    let next = AtomicUsize::new(0);
    let records = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..SENDERS {
            scope.spawn(|| {
                let (mut client, path) = (site.client(), site.notification_path());
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let (body, count) = match number.checked_sub(small) {
                        None => small_body(population, groups[number % groups.len()], number / groups.len(), share),
                        Some(number) if number < large => large_body(users, number, share, &noise),
                        Some(_) => return,
                    };
                    assert_eq!(client.post(&path, body.as_bytes()).expect("an answer"), 200, "{}", site.log());
                    records.fetch_add(count as u64, Ordering::Relaxed);
                }
            });
        }
    });
    let began = Instant::now();
    while site.metric("studygate_journal_bodies") != Some(0.0) {
        assert!(began.elapsed() < PATIENCE, "filing does not end:\n{}", site.log());
        thread::sleep(Duration::from_millis(200));
    }
    usize::try_from(records.into_inner()).expect("they were counted")
}

/// The blocks that a folder's files take, in bytes.
pub(crate) fn disk_bytes(folder: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    files_below(folder).iter().filter_map(|file| fs::metadata(file).ok()).map(|found| found.blocks() * 512).sum()
}

/// A quarter of a day of these users.
fn small_body(population: &Population, users: &[User], quarter: usize, share: Share) -> (String, usize) {
    let (day, part) = (quarter * SMALL_A_USER / SMALL_A_DAY, quarter * SMALL_A_USER % SMALL_A_DAY);
    let midnight = MIDNIGHT.plus(DAY_S * i64::try_from(day).expect("few days"));
    let wanted = SMALL_A_USER.min(share.small - quarter * SMALL_A_USER);
    let of_user = |user: &User| -> Vec<Record> {
        let day = health::epochs(user, midnight, u32::try_from(SMALL_A_DAY).expect("few"));
        day.into_iter().skip(part).take(wanted).collect()
    };
    let records: Vec<Record> = users.iter().flat_map(of_user).collect();
    (Notification::of(population.users(), &records).to_json(), records.len())
}

/// Large records of as many users in turn.
fn large_body(users: &[User], number: usize, share: Share, noise: &str) -> (String, usize) {
    let all = users.len() * share.large;
    let mut body = Notification::new();
    let places = (number * LARGE_A_BODY..all).take(LARGE_A_BODY);
    let count = places.len();
    for place in places {
        let (user, round) = (&users[place % users.len()], place / users.len());
        let start = MIDNIGHT.plus(i64::try_from(round).expect("few") * 7200);
        let from = place * 7919 % (NOISE_CHARACTERS - LARGE_CHARACTERS);
        let id = user.activity_id(round as u64);
        let item = json!({
            "userId": user.id,
            "summaryId": format!("{id}-detail"),
            "activityId": user.activity_id_value(&id),
            "startTimeInSeconds": start.0,
            "durationInSeconds": 3600,
            "track": &noise[from..from + LARGE_CHARACTERS],
        });
        body = body.raw("activityDetails", item.to_string());
    }
    (body.to_json(), count)
}

fn noise() -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut random = Random::at(41, &[]);
    (0..NOISE_CHARACTERS).map(|_| char::from(LETTERS[(random.bits() >> 58) as usize])).collect()
}
