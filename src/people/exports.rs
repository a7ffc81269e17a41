//! The numbers of a study's exports: one export of a study at a time, and a number is used up only by completion.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use crate::model::id::StudyId;
use crate::people::{
    People, change::Change, decide::study, refusal::Refusal, register::HandedOver, rows::Row, turn::Turn,
};
use crate::store::engine::Batch;

/// The right to make the export of this number; given back when dropped.
#[derive(Debug)]
pub struct ExportNumber {
    study: StudyId,
    number: u32,
    exporting: Arc<Mutex<HashSet<StudyId>>>,
}

impl ExportNumber {
    /// The number, from 1.
    pub fn number(&self) -> u32 {
        self.number
    }
}

impl Drop for ExportNumber {
    fn drop(&mut self) {
        self.exporting.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.study);
    }
}

impl People {
    /// The number of the study's next export; refused while another export of the study runs.
    pub fn next_export(&self, study: &str) -> Result<ExportNumber, Refusal> {
        // The place is taken before the number is read, so that no other export completes in between.
        let id = self.study(study)?.id;
        if !self.exporting.lock().unwrap_or_else(PoisonError::into_inner).insert(id) {
            return Err(Refusal::ExportRunning);
        }
        let mut taken = ExportNumber { study: id, number: 0, exporting: Arc::clone(&self.exporting) };
        // A change of the study's rules that began before the place was taken ends before the turn is had.
        taken.number = self.turn().directory().study(study)?.exports.saturating_add(1);
        Ok(taken)
    }

    pub(super) fn is_exporting(&self, study: &StudyId) -> bool {
        self.exporting.lock().unwrap_or_else(PoisonError::into_inner).contains(study)
    }

    /// The export of this number is complete; durable on return, with what it was. Refused where somebody in it has
    /// left meanwhile.
    pub fn export_done(&self, export: &ExportNumber, handed_over: &HandedOver) -> Result<(), Refusal> {
        let mut turn = self.turn();
        let found = turn.directory().study_of_id(&export.study).cloned();
        let before = found.ok_or_else(|| Refusal::NoStudy(String::new()))?;
        // The study's row stands last: it is what says that the export is complete.
        let mut batch = self.participants_handed_over(&turn, export.number, handed_over)?;
        batch.append(self.register_rows(&export.study, export.number, handed_over)?);
        turn.change(Change::Study(study::exported(&before, export.number)));
        let (rows, pending) = turn.sealed()?;
        batch.append(rows);
        self.engine.commit(batch)?;
        pending.apply();
        Ok(())
    }

    /// The study's next number is beyond those that were `given` elsewhere and `skipped` more; durable on return.
    pub fn skip_exports(&self, study: &StudyId, given: u32, skipped: u32) -> Result<(), Refusal> {
        let mut turn = self.turn();
        let Some(before) = turn.directory().study_of_id(study).cloned() else { return Ok(()) };
        let reached = before.exports.max(given).saturating_add(skipped);
        turn.change(Change::Study(study::exported(&before, reached)));
        turn.commit()
    }

    /// Each participant as they were handed over, where that differs from what is kept of the exports before.
    fn participants_handed_over(
        &self,
        turn: &Turn<'_>,
        number: u32,
        handed_over: &HandedOver,
    ) -> Result<Batch, Refusal> {
        let mut batch = Batch::default();
        for participant in &handed_over.participants {
            let id = &participant.id;
            if !turn.directory().participant(id).is_some_and(|found| found.is_readable()) {
                return Err(Refusal::Withdrawn);
            }
            let row = Row::handed_out(id, number);
            if number > 1 && self.handed_out(id, number - 1)?.as_ref() == Some(&**participant) {
                // An attempt at this number that did not complete may have left another state.
                batch.delete(row.key());
            } else {
                batch.put(row.key(), self.rows.seal(&row, &**participant).ok_or(Refusal::Withdrawn)?);
            }
        }
        Ok(batch)
    }
}
