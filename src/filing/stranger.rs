//! A connection that nobody is linked to: whether there is room to hold what comes of it, and how holding begins.

use crate::filing::batch::Batch;
use crate::filing::failure::Failure;
use crate::filing::worker::Filing;
use crate::journal::Header;
use crate::model::connection::{ConnectionDigest, GarminUserId};
use crate::model::entry::Entry;
use crate::people::standing::Standing;

impl Filing {
    /// Whether this much more may be held.
    pub(super) fn has_room(&self, batch: &Batch<'_>, entry: &Entry) -> bool {
        let held = self.held_bytes.saturating_add(batch.held_bytes);
        let file = entry.file().map_or(0, |file| file.end - file.start);
        let size = (entry.span.end - entry.span.start).saturating_add(file);
        self.parts.settings.hold && held.saturating_add(size) <= self.parts.settings.hold_bytes_max
    }

    /// From here on the connection is held, unless the limit is reached, or somebody linked it a moment ago: then
    /// nobody would ever pick up what is held of it.
    pub(super) fn start_hold(&self, connection: &ConnectionDigest, header: &Header, user: &str) -> Result<(), Failure> {
        let Some(user) = GarminUserId::parse(user) else { return Ok(()) };
        let mut turn = self.parts.people.turn();
        if matches!(turn.directory().standing(connection), Standing::Unknown) {
            turn.hold(&[(header.client.clone(), user)], header.received).map_err(Failure::People)?;
            turn.commit().map_err(Failure::People)?;
        }
        Ok(())
    }
}
