//! The numbers of a study's exports: one export of a study at a time, and a number is used up only by completion.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use crate::model::id::StudyId;
use crate::people::{People, decide::study, refusal::Refusal};

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
        taken.number = self.study(study)?.exports.saturating_add(1);
        Ok(taken)
    }

    /// The export of this number is complete; durable on return.
    pub fn export_done(&self, export: &ExportNumber) -> Result<(), Refusal> {
        let name = self.read().study_of_id(&export.study).map(|study| study.name.clone());
        let name = name.ok_or_else(|| Refusal::NoStudy(String::new()))?;
        self.change_study(&name, |before| Ok::<_, Refusal>(study::exported(before, export.number)))?;
        Ok(())
    }
}
