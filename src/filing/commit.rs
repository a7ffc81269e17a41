//! Commits: what was gathered becomes durable, and an owner's small packs become fewer.

use std::sync::Arc;

use crate::filing::batch::Batch;
use crate::filing::failure::Failure;
use crate::filing::progress;
use crate::filing::worker::Filing;
use crate::journal::Position;
use crate::model::id::{OwnerId, StudyId};

use crate::records::catalog::Prepared;
use crate::records::head::PackId;
use crate::records::{merge, pack::Sealed};
use crate::store::engine::Batch as Rows;

/// Sealed packs of a merge that are committed together, in bytes.
const MERGED_BYTES_MAX: usize = 2 << 20;

impl Filing {
    /// Makes the batch durable, and last of all how far filing has come: where a crash leaves a part of it, all of it
    /// is filed again.
    pub(super) fn commit(&mut self, batch: Batch<'_>, filed: Position) -> Result<(), Failure> {
        let Batch { owners, mut rows, tally, held, held_bytes, told, newest, sequence, .. } = batch;
        let mut sealed = Vec::new();
        for (place, (id, mut owner)) in (0_u32..).zip(owners) {
            let builder = owner.take();
            if !builder.is_empty() {
                let pack = PackId::new(sequence, place);
                sealed.push((id, builder.seal(id, &owner.keys, pack, 0, &mut self.fresh, &*self.parts.rng)?));
            }
        }
        let catalog = Arc::clone(&self.parts.catalog);
        let prepared = catalog.prepare(sealed, Vec::new())?;
        self.progress.filed = filed;
        self.progress.sequence = sequence;
        self.progress.highest_time = self.progress.highest_time.max(newest);
        self.parts.queue.filing(told, self.parts.clock.now(), || -> Result<(), Failure> {
            if held.is_empty() {
                rows.append(self.progress_row());
                catalog.commit(prepared, rows)?;
            } else {
                let mut turn = self.parts.people.turn();
                held.iter().for_each(|(owner, note)| turn.held_note(owner, note));
                let (noted, pending) = turn.sealed().map_err(Failure::People)?;
                rows.append(noted);
                rows.append(self.progress_row());
                catalog.commit(prepared, rows)?;
                pending.apply();
            }
            Ok(())
        })?;
        catalog.reached(sequence);
        self.held_bytes = self.held_bytes.saturating_add(held_bytes);
        let directory = self.parts.people.read();
        let named = |study: &StudyId| directory.study_of_id(study).map(|study| study.name.clone());
        let shown = |study: &StudyId| named(study).filter(|_| self.parts.settings.per_study);
        tally.show(&self.parts.metrics, &self.parts.observed, shown);
        Ok(())
    }

    /// Merges the small packs of these owners, unless somebody is reading.
    pub(super) fn merge(&mut self, owners: impl IntoIterator<Item = OwnerId>) -> Result<(), Failure> {
        let catalog = Arc::clone(&self.parts.catalog);
        let Some(_settled) = catalog.settle() else { return Ok(()) };
        let mut sealed: Vec<(OwnerId, Sealed)> = Vec::new();
        let mut removed = Vec::new();
        for owner in owners {
            let Some(packs) = merge::plan(&catalog.heads(&owner)) else { continue };
            if sealed.is_empty() {
                self.progress.sequence += 1;
            }
            let place = u32::try_from(sealed.len()).unwrap_or(u32::MAX);
            let merged = merge::merge(&catalog, owner, &packs, self.progress.sequence, place, &mut self.merged)?;
            sealed.extend(merged.into_iter().map(|pack| (owner, pack)));
            removed.extend(packs.into_iter().map(|pack| (owner, pack)));
            if sealed.iter().map(|(_, pack)| pack.sections.len()).sum::<usize>() > MERGED_BYTES_MAX {
                self.commit_merged(catalog.prepare(std::mem::take(&mut sealed), std::mem::take(&mut removed))?)?;
            }
        }
        if sealed.is_empty() {
            return Ok(());
        }
        self.commit_merged(catalog.prepare(sealed, removed)?)
    }

    fn commit_merged(&self, prepared: Prepared) -> Result<(), Failure> {
        Ok(self.parts.catalog.commit(prepared, self.progress_row())?)
    }

    /// How far filing has come, as a row.
    pub(super) fn progress_row(&self) -> Rows {
        let value = progress::encode(&self.progress, &self.parts.keyring.site().index, &*self.parts.rng);
        let mut rows = Rows::default();
        rows.put(progress::key(), value);
        rows
    }
}
