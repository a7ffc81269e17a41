//! Putting an item into quarantine: one pass over its bytes makes a copy for each holder.

use std::io;

use crate::crypto::digest::DigestKey;
use crate::crypto::key::{Key, random};
use crate::crypto::seal;
use crate::filing::quarantine::kept::{Name, Slot};
use crate::filing::quarantine::{Holder, Quarantine, Quarantined, TABLE, at};
use crate::journal::Position;
use crate::model::id::BlobId;
use crate::records::large::LargeWriter;
use crate::store::engine::Batch;

/// Items up to this size stay in the row.
const ROW_BYTES_MAX: u64 = 3072;

/// A copy of an item on its way to its holder.
struct Draft {
    slot: Slot,
    key: Key,
    content: Content,
}

enum Content {
    Row(Vec<u8>),
    File(Box<LargeWriter>),
}

impl Quarantine {
    /// Adds an item, a copy for each holder: `read` hands over its bytes once. `origin` names it by its place in the
    /// journal, so that it stands here once however often its body is filed. Returns how long its rows are; 0 where it
    /// stands already or there is no room left.
    pub fn put(
        &self,
        batch: &mut Batch,
        origin: (Position, u64),
        holders: &[Holder],
        item: &Quarantined,
        read: impl FnOnce(&mut dyn FnMut(&[u8])),
    ) -> io::Result<usize> {
        let mut drafts = Vec::with_capacity(holders.len());
        for holder in holders {
            drafts.extend(self.draft(*holder, origin, item)?);
        }
        if drafts.is_empty() {
            return Ok(0);
        }
        let mut outcome = Ok(());
        read(&mut |piece| {
            for draft in &mut drafts {
                if outcome.is_ok() {
                    outcome = draft.write(piece);
                }
            }
        });
        outcome?;
        drafts.into_iter().map(|draft| self.finish(draft, item.clone(), batch)).sum()
    }

    /// The copy for this holder; `None` where it stands already, there is no room, or the holder has left.
    fn draft(&self, holder: Holder, origin: (Position, u64), item: &Quarantined) -> io::Result<Option<Draft>> {
        let Some(key) = self.key(holder) else { return Ok(None) };
        let (Position(position), offset) = origin;
        let digest = DigestKey::new(&key, "quarantine name").digest(&[&position.to_be_bytes(), &offset.to_be_bytes()]);
        let name: Name = *digest.first_chunk().expect("a digest has 32 bytes");
        let in_file = item.bytes > ROW_BYTES_MAX || item.file_bytes.is_some();
        let blob = in_file.then(|| BlobId::from_bytes(random(&*self.rng)));
        let place = [&name[..], blob.as_ref().map_or(&[], |blob| &blob.as_bytes()[..])].concat();
        let slot = Slot { holder, item: place, blob, received: item.received, bytes: item.bytes };
        if !self.admit(&name, &slot) {
            return Ok(None);
        }
        let content = match blob {
            None => Content::Row(Vec::with_capacity(usize::try_from(item.bytes).unwrap_or_default())),
            Some(id) => {
                let writer = LargeWriter::new(&self.blobs, id, &key, TABLE, holder.place(), &*self.rng)?;
                Content::File(Box::new(writer))
            }
        };
        Ok(Some(Draft { slot, key, content }))
    }

    fn finish(&self, draft: Draft, mut item: Quarantined, batch: &mut Batch) -> io::Result<usize> {
        match draft.content {
            Content::Row(text) => item.text = Some(String::from_utf8_lossy(&text).into_owned()),
            Content::File(writer) => item.blob = Some(writer.finish()?),
        }
        let value = serde_json::to_vec(&item).expect("plain values are written to memory");
        let sealed = seal::seal(&draft.key, at(&draft.slot.holder, &draft.slot.item), &value, &*self.rng);
        let length = sealed.len();
        batch.put(draft.slot.row(), sealed);
        Ok(length)
    }

    fn admit(&self, name: &Name, slot: &Slot) -> bool {
        let mut kept = self.kept();
        if kept.contains(name) {
            return false;
        }
        let room = kept.has_room(slot.bytes);
        if room {
            kept.add(slot.clone());
        } else if kept.refused() {
            tracing::error!(
                items = kept.items(),
                "the quarantine is full: what should go there is dropped; look at it"
            );
        }
        room
    }
}

impl Draft {
    fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        match &mut self.content {
            Content::Row(text) => text.extend_from_slice(piece),
            Content::File(writer) => writer.write(piece)?,
        }
        Ok(())
    }
}
