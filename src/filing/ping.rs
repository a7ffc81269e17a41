//! Pings: each becomes a durable job, for everybody whose answer it will be.

use std::sync::Arc;

use crate::filing::arrival::Arrival;
use crate::filing::batch::{Batch, Target};
use crate::filing::failure::Failure;
use crate::filing::item::Bytes;
use crate::filing::quarantine::Reason;
use crate::model::entry::Field;
use crate::queue::stored::{NewPing, TEXT_BYTES_MAX, parts};
use crate::queue::{Pinged, Told};

impl Batch<'_> {
    /// One row for each of these; the same window pinged again replaces it. A ping that leads elsewhere than to Garmin
    /// is nothing to be pulled, and a person must look at it.
    pub(super) fn ping(
        &mut self,
        arrival: &Arrival<'_>,
        bytes: &mut Bytes<'_>,
        targets: &[Target<'_>],
    ) -> Result<(), Failure> {
        let entry = arrival.entry;
        let queue = self.tools.queue;
        let parts = parts(&arrival.summary_type, |field| entry.field(field));
        let id = queue.id(&arrival.connection, &parts);
        let callback = match self.tools.callbacks.vet(entry.field(Field::CallbackUrl).unwrap_or_default()) {
            Ok(callback) if queue.has_room(&id, self.told.len()) => callback,
            Ok(_) => return self.set_aside(arrival, bytes, Reason::TooManyPulls, targets),
            Err(refused) => {
                self.tally.refused(refused.name());
                return self.set_aside(arrival, bytes, Reason::RefusedCallback, targets);
            }
        };
        let mut text = Vec::new();
        if entry.span.end - entry.span.start <= TEXT_BYTES_MAX {
            bytes.read(entry.span.clone(), &mut |piece| text.extend_from_slice(piece))?;
        }
        let new = NewPing {
            summary_type: &arrival.summary_type,
            entry,
            text: &text,
            user: arrival.user,
            client: &arrival.header.client,
            received: arrival.header.received,
            ping: arrival.position.0,
        };
        let rng = Arc::clone(&self.tools.catalog.rng);
        let newer_in_batch = self.pinged.get(&id).is_some_and(|(received, _)| *received > arrival.header.received);
        for target in targets {
            let owner = self.owner(&target.owner())?;
            let name = owner.pseudonyms.pull(&parts);
            let is_held = matches!(target, Target::Held(_));
            let owner_id = target.owner();
            // What was held comes back later than it came: a newer ping for the same window stands.
            if newer_in_batch || queue.has_newer(&id, &(owner_id, name), arrival.header.received) {
                continue;
            }
            // Without an identity key the participant has no link that is open.
            let sealed = new.seal(&owner_id, &name, &owner.keys, is_held, &*rng);
            let Some((row, sealed)) = sealed else { continue };
            let length = sealed.len();
            self.bytes += length;
            self.rows.put(row, sealed);
            if let Target::Held(id) = target {
                self.note_held(*id, &arrival.summary_type, length as u64);
            }
            self.pinged.insert(id, (arrival.header.received, arrival.position.0));
            self.told.push(Told::Pinged(Pinged {
                id,
                ping: arrival.position.0,
                summary_type: arrival.summary_type.clone(),
                host: callback.host().into(),
                received: arrival.header.received,
                row: (owner_id, name),
            }));
        }
        Ok(())
    }
}
