//! What is in quarantine, in memory: enough to count, to limit, to expire and to find without opening a row.

use std::collections::HashMap;

use crate::filing::quarantine::item::{Holder, ItemId};
use crate::model::{id::BlobId, time::UnixSeconds};
use crate::store::engine::{row, table};

/// So many items are kept at most, and so many bytes of them; what comes after is dropped, loudly.
const ITEMS_MAX: usize = 10_000;
const BYTES_MAX: u64 = 1 << 30;

/// What an item's row begins with, after its holder and table: random to whoever has no key.
pub(super) type Name = [u8; 16];

/// One item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) holder: Holder,
    /// The name of its row, and the id of its file where there is one.
    pub(super) item: Vec<u8>,
    pub(super) blob: Option<BlobId>,
    pub(super) received: UnixSeconds,
    pub(super) bytes: u64,
}

/// Every item.
#[derive(Default)]
pub(super) struct Kept {
    slots: HashMap<Name, Slot>,
    bytes: u64,
    full: bool,
}

impl Slot {
    /// Its row's key.
    pub(super) fn row(&self) -> Vec<u8> {
        row(self.holder.prefix(), table::QUARANTINE, &self.item)
    }

    /// What it is shown by.
    pub(super) fn id(&self) -> ItemId {
        ItemId::of(name(&self.item).expect("a row's name has 16 bytes"))
    }
}

/// The name that a row's key ends with, or that stands there before the id of its file.
pub(super) fn name(item: &[u8]) -> Option<&Name> {
    item.first_chunk().filter(|_| matches!(item.len(), 16 | 32))
}

/// The file that a row's key names.
pub(super) fn named_blob(item: &[u8]) -> Option<BlobId> {
    Some(BlobId::from_bytes(item.get(16..)?.try_into().ok()?))
}

impl Kept {
    pub(super) fn contains(&self, name: &Name) -> bool {
        self.slots.contains_key(name)
    }

    /// Whether one more item of this size would be taken.
    pub(super) fn has_room(&self, bytes: u64) -> bool {
        self.slots.len() < ITEMS_MAX && self.bytes.saturating_add(bytes) <= BYTES_MAX
    }

    /// That an item was not taken; whether it is the first since there was room.
    pub(super) fn refused(&mut self) -> bool {
        !std::mem::replace(&mut self.full, true)
    }

    pub(super) fn add(&mut self, slot: Slot) {
        self.bytes += slot.bytes;
        if let Some(name) = name(&slot.item).copied()
            && let Some(before) = self.slots.insert(name, slot)
        {
            self.bytes -= before.bytes;
        }
    }

    pub(super) fn remove(&mut self, slot: &Slot) {
        if let Some(removed) = name(&slot.item).and_then(|name| self.slots.remove(name)) {
            self.bytes -= removed.bytes;
            self.full = false;
        }
    }

    /// Forgets those of holders that have no key any more: their rows went with it.
    pub(super) fn retain(&mut self, has_key: impl Fn(&Holder) -> bool) {
        let gone: Vec<_> = self.slots.values().filter(|slot| !has_key(&slot.holder)).cloned().collect();
        gone.iter().for_each(|slot| self.remove(slot));
    }

    pub(super) fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.slots.values()
    }

    pub(super) fn find(&self, id: ItemId) -> Option<&Slot> {
        self.slots.values().find(|slot| slot.id() == id)
    }

    pub(super) fn items(&self) -> u64 {
        self.slots.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(number: usize, bytes: u64) -> Slot {
        let mut item = number.to_be_bytes().to_vec();
        item.resize(16, 0);
        Slot { holder: Holder::Site, item, blob: None, received: UnixSeconds(0), bytes }
    }

    #[test]
    fn room_comes_back_with_what_goes() {
        let mut kept = Kept::default();
        kept.add(slot(0, BYTES_MAX - 1));
        assert!(kept.has_room(1) && !kept.has_room(2));
        assert!(kept.refused() && !kept.refused(), "told once");
        kept.remove(&slot(0, 0));
        assert!(kept.has_room(BYTES_MAX) && kept.refused(), "told again once it was not full");
        (0..ITEMS_MAX).for_each(|number| kept.add(slot(number, 0)));
        assert!(!kept.has_room(0));
        kept.add(slot(1, 5));
        assert_eq!((kept.items(), kept.bytes), (ITEMS_MAX as u64, 5), "the same item again is not another");
    }
}
