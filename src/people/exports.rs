//! The numbers of a study's exports: one export of a study at a time, and a number is used up only by completion. What
//! was handed out is kept: which codes stood in which export.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};

use crate::model::{id::StudyId, time::UnixSeconds};
use crate::people::{People, change::Change, decide::study, refusal::Refusal, rows::Row};
use crate::store::engine::{Batch, SITE, row, table};

/// A row of the register holds so many codes: it stays below what the engine keeps well.
const CODES_A_ROW: usize = 90;

/// A completed export, and whom it holds. Once it has left, a purge does not reach it: a receipt names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HandedOut {
    /// Its number.
    pub number: u32,
    /// When it was made.
    pub made: UnixSeconds,
    /// SHA-256 of its manifest, 64 hexadecimal digits.
    pub manifest: String,
    /// The codes in it.
    pub codes: Vec<String>,
}

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

    /// The export of this number is complete; durable on return, with what it was.
    pub fn export_done(&self, export: &ExportNumber, handed_out: &HandedOut) -> Result<(), Refusal> {
        let mut turn = self.turn();
        let found = turn.directory().study_of_id(&export.study).cloned();
        let before = found.ok_or_else(|| Refusal::NoStudy(String::new()))?;
        turn.change(Change::Study(study::exported(&before, export.number)));
        let mut batch = self.export_rows(export, handed_out)?;
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

    /// The completed exports of a study that hold this code, by number.
    pub fn exports_with(&self, study: &StudyId, code: &str) -> Result<Vec<HandedOut>, Refusal> {
        let prefix = row(&SITE, table::EXPORT, study.as_bytes());
        let mut found: BTreeMap<u32, HandedOut> = BTreeMap::new();
        let mut unreadable = 0;
        self.engine.scan(&prefix, &mut |key, sealed| {
            let Some((number, part)) = numbers(&key[prefix.len()..]) else { return true };
            match self.rows.open::<HandedOut>(&Row::export(study, number, part), sealed) {
                Ok(stored) if stored.codes.iter().any(|held| held == code) => {
                    found.insert(number, HandedOut { codes: vec![code.to_owned()], ..stored });
                }
                Ok(_) => {}
                Err(_) => unreadable += 1,
            }
            true
        })?;
        if unreadable > 0 {
            tracing::error!(rows = unreadable, "what was handed out cannot all be read; it was altered");
        }
        Ok(found.into_values().collect())
    }

    fn export_rows(&self, export: &ExportNumber, handed_out: &HandedOut) -> Result<Batch, Refusal> {
        let mut batch = Batch::default();
        for (part, codes) in (0..).zip(handed_out.codes.chunks(CODES_A_ROW)) {
            let row = Row::export(&export.study, export.number, part);
            let stored = HandedOut { codes: codes.to_vec(), ..handed_out.clone() };
            batch.put(row.key(), self.rows.seal(&row, &stored).ok_or(Refusal::Withdrawn)?);
        }
        Ok(batch)
    }
}

/// The export's number and the part, of what follows the study in a row's key.
fn numbers(item: &[u8]) -> Option<(u32, u16)> {
    let (number, part) = item.split_first_chunk()?;
    Some((u32::from_be_bytes(*number), u16::from_be_bytes(part.try_into().ok()?)))
}
