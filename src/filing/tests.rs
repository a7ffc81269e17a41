//! Filing, withdrawal and what lies below them, whole: a real keyring and journal, an engine in memory that fails
//! where a test says so, restarts at any moment.

mod answers;
mod backups;
mod compaction;
mod coverage;
mod crashes;
mod disk;
mod given;
mod hand;
mod handed_out;
mod held;
mod increments;
mod jobs;
mod known;
mod leaving;
mod minimised;
mod permissions;
mod pings;
mod places;
mod quarantine;
mod replays;
mod revisions;
mod rotation;
mod site;
mod stored;
mod trail;
mod waiting;
mod windows;
mod withdrawals;

use crate::filing::tests::given::Record;
use crate::filing::tests::site::Site;
use crate::simulate::random::Random;
use crate::store::engine::Engine;

/// A second within the simulated time.
const NOW: i64 = 1_793_509_200;

/// A summary as Garmin pushes it.
fn push(summary_type: &str, user: &str, rest: &str) -> String {
    format!(r#"{{"{summary_type}":[{{"userId":"{user}",{rest}}}]}}"#)
}

/// The content digests of records are compared by what they hold.
fn texts(records: &[Record]) -> Vec<&str> {
    records.iter().map(|record| record.data.as_str()).collect()
}

/// How many rows have this prefix.
fn rows(site: &Site, prefix: &[u8]) -> usize {
    let mut count = 0;
    let counted = site.memory.scan(prefix, &mut |_, _| {
        count += 1;
        true
    });
    counted.expect("the memory engine reads");
    count
}

/// A deregistration.
fn leaves(user: &str) -> String {
    format!(r#"{{"deregistrations":[{{"userId":"{user}"}}]}}"#)
}

/// Text of this many characters that hardly compresses.
fn noise(seed: u64, characters: usize) -> String {
    Random::at(seed, &[]).hex(characters)
}
