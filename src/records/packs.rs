//! The heads of all packs in memory, by owner, and what the files that several packs share are used for.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use crate::model::id::{BlobId, OwnerId};
use crate::records::head::{Head, Home, PackId};
use crate::records::tidy::Use;

/// An owner's packs, oldest first.
pub(super) type Heads = BTreeMap<PackId, Arc<Head>>;

/// A pack and whose it is.
pub(super) type Owned = (OwnerId, PackId, Arc<Head>);

/// All packs.
#[derive(Default)]
pub(super) struct Packs {
    pub(super) owners: HashMap<OwnerId, Heads>,
    bundles: HashMap<BlobId, Bundle>,
    bundled: Use,
}

/// A file of packs.
#[derive(Default)]
struct Bundle {
    packs: u32,
    used: Use,
}

impl Packs {
    /// A pack is there, in the place of one of its name where there is one; `size` tells what a file takes. Returns the
    /// file that no pack needs any longer.
    pub(super) fn add(
        &mut self,
        owner: OwnerId,
        id: PackId,
        head: Head,
        size: impl FnOnce(BlobId) -> u64,
    ) -> Option<BlobId> {
        if let Home::Blob(blob, _) = head.home {
            let bundled = &mut self.bundled;
            let bundle = self.bundles.entry(blob).or_insert_with(|| {
                let bytes = size(blob);
                bundled.bytes += bytes;
                Bundle { packs: 0, used: Use { bytes, live: 0 } }
            });
            bundle.packs += 1;
            bundle.used.live += head.lengths.all();
            bundled.live += head.lengths.all();
        }
        let before = self.owners.entry(owner).or_default().insert(id, Arc::new(head));
        before.and_then(|before| self.leave(&before))
    }

    /// A pack is gone. Returns the file that no pack needs any longer.
    pub(super) fn remove(&mut self, owner: &OwnerId, id: &PackId) -> Option<BlobId> {
        let heads = self.owners.get_mut(owner)?;
        let head = heads.remove(id)?;
        if heads.is_empty() {
            self.owners.remove(owner);
        }
        self.leave(&head)
    }

    /// What all files of packs take.
    pub(super) fn bundled(&self) -> Use {
        self.bundled
    }

    /// Every file of packs.
    pub(super) fn bundles(&self) -> impl Iterator<Item = (BlobId, Use)> {
        self.bundles.iter().map(|(blob, bundle)| (*blob, bundle.used))
    }

    /// Every pack that lies in one of these files.
    pub(super) fn in_files(&self, files: &HashSet<BlobId>) -> Vec<Owned> {
        let lies = |head: &Head| matches!(head.home, Home::Blob(blob, _) if files.contains(&blob));
        let all = self.owners.iter().flat_map(|(owner, heads)| heads.iter().map(move |(id, head)| (owner, id, head)));
        all.filter(|(.., head)| lies(head)).map(|(owner, id, head)| (*owner, *id, Arc::clone(head))).collect()
    }

    /// Every file that a head names.
    pub(super) fn files(&self) -> impl Iterator<Item = BlobId> {
        let large = self.owners.values().flat_map(|heads| heads.values()).flat_map(|head| head.large.iter().copied());
        self.bundles.keys().copied().chain(large)
    }

    /// The pack does not lie where its head says any longer.
    fn leave(&mut self, head: &Head) -> Option<BlobId> {
        let Home::Blob(blob, _) = head.home else { return None };
        let bundle = self.bundles.get_mut(&blob)?;
        bundle.packs -= 1;
        bundle.used.live -= head.lengths.all();
        self.bundled.live -= head.lengths.all();
        if bundle.packs > 0 {
            return None;
        }
        let gone = self.bundles.remove(&blob)?;
        self.bundled.bytes -= gone.used.bytes;
        Some(blob)
    }
}
