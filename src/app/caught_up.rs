//! Waiting for filing: what was answered before something was asked for is to be in it.

use std::thread;
use std::time::Duration;

use crate::clock::{Clock, SystemClock};
use crate::journal::Journal;
use crate::people::People;
use crate::people::refusal::Refusal;

/// How long is waited.
const CATCH_UP: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Waits until everything that was answered before is filed, held data that were linked included.
pub(super) fn caught_up(people: &People, journal: &Journal) -> Result<(), Refusal> {
    let started = SystemClock.monotonic();
    let mut answered = journal.newest();
    loop {
        let picked_up = people.read().pickups().is_empty();
        if picked_up && journal.filed() >= answered {
            return Ok(());
        }
        if !picked_up {
            answered = journal.newest();
        }
        if SystemClock.monotonic().saturating_sub(started) > CATCH_UP {
            return Err(Refusal::FilingBehind);
        }
        thread::sleep(LOOK_AGAIN);
    }
}
