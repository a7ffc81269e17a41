//! The last time that each participant's records cover, kept in memory: packs never change, so that each is read once.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::coverage::gather::covered_to;
use crate::model::id::OwnerId;
use crate::model::time::UnixSeconds;
use crate::records::catalog::{Catalog, Error};
use crate::records::head::PackId;

/// What is known of each participant.
pub struct LastSeen {
    catalog: Arc<Catalog>,
    known: Mutex<HashMap<OwnerId, Known>>,
}

#[derive(Clone, Default)]
struct Known {
    packs: HashSet<PackId>,
    last: Option<UnixSeconds>,
}

impl LastSeen {
    /// Nothing is read yet.
    pub fn new(catalog: Arc<Catalog>) -> LastSeen {
        LastSeen { catalog, known: Mutex::default() }
    }

    /// The last time that this participant's records cover; reads what came since it was last asked for.
    pub fn of(&self, owner: &OwnerId) -> Result<Option<UnixSeconds>, Error> {
        let _reading = self.catalog.reading();
        let before = self.known().get(owner).cloned().unwrap_or_default();
        let mut known = Known { packs: HashSet::new(), last: before.last };
        for (id, head) in self.catalog.heads(owner) {
            if !before.packs.contains(&id) {
                self.catalog
                    .occurrences(owner, &id, &head, &mut |found| known.last = known.last.max(covered_to(found)))?;
            }
            known.packs.insert(id);
        }
        let last = known.last;
        self.known().insert(*owner, known);
        Ok(last)
    }

    /// The same as of when it was last asked for; nothing is read.
    pub fn known_of(&self, owner: &OwnerId) -> Option<UnixSeconds> {
        self.known().get(owner)?.last
    }

    /// Forgets everybody but these.
    pub fn keep(&self, owners: &HashSet<OwnerId>) {
        self.known().retain(|owner, _| owners.contains(owner));
    }

    fn known(&self) -> MutexGuard<'_, HashMap<OwnerId, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
