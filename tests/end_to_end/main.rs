//! The way of a notification from Garmin's POST to the opened dataset, through the real binary.

mod audit;
mod audit_tampering;
mod clear_text;
mod coverage;
mod deregistration;
mod disclosure;
mod hostile;
mod identity;
mod keys;
mod kills;
mod large;
mod permissions;
mod pushes;
mod quarantine;
mod resurrection;
mod revisions;
mod sealed_files;
mod seen;
#[path = "../site/mod.rs"]
mod site;
mod startup;
mod unassigned;

use serde_json::Value;
use studygate::model::time::UnixSeconds;
use studygate::simulate::record::{Density, Record, day};
use studygate::simulate::user::{Population, User};

/// The first simulated day: 2026-11-01.
const MIDNIGHT: UnixSeconds = UnixSeconds(1_793_491_200);

/// The records of a user on the days from the first one.
fn days(user: &User, count: i64) -> Vec<Record> {
    (0..count).flat_map(|number| day(user, MIDNIGHT.plus(number * 86_400), Density::default())).collect()
}

/// The first record of a type among the days of a user.
fn first_of(population: &Population, user: usize, summary_type: &str) -> Record {
    let mut records = days(population.user(user), 14).into_iter();
    records.find(|record| record.summary_type == summary_type).expect("a fortnight has one")
}

/// The record, with this member set.
fn with(record: &Record, member: &str, value: Value) -> Record {
    let mut changed = record.clone();
    changed.content.insert(member.to_owned(), value);
    changed
}
