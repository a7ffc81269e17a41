//! Control items: deregistrations and permission changes, which hold from their 200 on.

use crate::ingest::refusal::Refusal;
use crate::journal::{Header, Position};
use crate::model::{
    entry::{Entry, Shape, Whose},
    summary::{DEREGISTRATIONS, PERMISSION_CHANGES},
};

/// The control items of one body were not made durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreFailed;

/// What obeys control items.
pub trait Controls: Send + Sync {
    /// Applies the control items of the durable body at this place, in their order; returns when reads obey them, durably. Called on
    /// a blocking thread; filing may hand the same items in again.
    fn apply(&self, position: Position, header: &Header, controls: &[Entry]) -> Result<(), StoreFailed>;
}

/// The most control items of one body, and their size in memory in bytes; a body with more is too large. Garmin
/// sends one of them for one user's click.
const ITEMS_MAX: usize = 100_000;
const BYTES_MAX: usize = 16 << 20;

/// The control items found so far in one body.
#[derive(Default)]
pub(crate) struct Found {
    items: Vec<Entry>,
    bytes: usize,
}

impl Found {
    /// An entry of the body.
    pub(crate) fn note(&mut self, entry: &Entry) -> Result<(), Refusal> {
        if !matches!(entry.shape, Shape::Push | Shape::Ping) || !is_control(&entry.member) {
            return Ok(());
        }
        // Without a user there is nobody to apply it to; filing puts it into quarantine.
        let Whose::User(user) = &entry.whose else {
            return Ok(());
        };
        let fields: usize = entry.fields.iter().map(|(_, text)| text.len() + size_of_val(text)).sum();
        self.bytes += size_of::<Entry>() + user.len() + fields;
        if self.items.len() >= ITEMS_MAX || self.bytes > BYTES_MAX {
            return Err(Refusal::TooLarge);
        }
        self.items.push(entry.clone());
        Ok(())
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The control items, in their order.
    pub(crate) fn into_items(self) -> Vec<Entry> {
        self.items
    }
}

/// Whether what stands under this key is obeyed rather than filed.
pub(crate) fn is_control(member: &str) -> bool {
    member == DEREGISTRATIONS || member == PERMISSION_CHANGES
}
