//! What the facts mean: pure functions from what was observed to findings with their remedies.
//!
//! A problem is what does not work, or endangers data or keys. A warning is what works and should be seen to. What could
//! not be looked at is a note that says by whom it can be.

mod access;
mod certificates;
mod disk;
mod keys;
mod reach;
mod review;
mod running;
mod studies;

#[cfg(test)]
mod tests;

use crate::doctor::facts::Facts;
use crate::doctor::finding::Finding;
use crate::doctor::sentence::Sentence;
use crate::model::time::UnixSeconds;

const DAY: i64 = 86_400;

/// Everything that is to be said, in the order in which a person looks.
pub fn findings(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    keys::judge(facts, &mut found);
    access::judge(facts, &mut found);
    certificates::judge(facts, &mut found);
    disk::judge(facts, &mut found);
    reach::judge(facts, &mut found);
    running::judge(facts, &mut found);
    studies::judge(facts, &mut found);
    review::judge(facts, &mut found);
    found
}

/// The remedy for what whoever asks may not look at.
fn as_root() -> Sentence {
    Sentence::new("run `studygate doctor` as root, or as the gateway's user")
}

/// Whole days from one time to another, not below zero.
fn days(from: UnixSeconds, to: UnixSeconds) -> u64 {
    u64::try_from(to.0.saturating_sub(from.0) / DAY).unwrap_or(0)
}
