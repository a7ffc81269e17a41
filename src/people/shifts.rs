//! The shifts of participants' dates: drawn when a study first needs them, durable before they are used, never drawn
//! again, destroyed with the participant's row.

use crate::model::{id::StudyId, participant::Participant, shift::Shift};
use crate::people::{People, change::Change, refusal::Refusal};

/// The most participants who get a shift in one turn, so that the store takes each turn whole.
const DRAWN_AT_ONCE: usize = 200;

impl People {
    /// Gives every readable participant of the study a shift, where it has none; durable on return.
    pub fn draw_shifts(&self, study: &StudyId) -> Result<(), Refusal> {
        loop {
            let mut turn = self.turn();
            let lacks_one = |found: &&Participant| found.is_readable() && found.shift.is_none();
            let participants = turn.directory().participants(study).map(|found| &**found);
            let lacking: Vec<_> = participants.filter(lacks_one).take(DRAWN_AT_ONCE).cloned().collect();
            if lacking.is_empty() {
                return Ok(());
            }
            for participant in lacking {
                let shift = Some(Shift::drawn(self.random()));
                turn.change(Change::Participant(Participant { shift, ..participant }));
            }
            turn.commit()?;
        }
    }
}
