//! Commands on studies.

use std::sync::Arc;

use crate::model::{id::StudyId, study::Study, time::UnixSeconds};
use crate::people::{
    People,
    change::Change,
    decide::study::{self, NewStudy, StudyChange},
    refusal::Refusal,
};

impl People {
    /// The study of this name.
    pub fn study(&self, name: &str) -> Result<Arc<Study>, Refusal> {
        self.read().study(name).cloned()
    }

    /// Adds a study.
    pub fn add_study(&self, new: NewStudy, now: UnixSeconds) -> Result<Arc<Study>, Refusal> {
        let mut turn = self.turn();
        let added = study::add(turn.directory(), new, StudyId::from_bytes(self.random()), now)?;
        turn.change(Change::Study(added.clone()));
        turn.commit()?;
        Ok(Arc::new(added))
    }

    /// Changes a study's rules or recipients; counts up its version where something differs. Whether dates are shifted
    /// does not change while an export runs, which has its rules already.
    pub fn set_study<E: From<Refusal>>(
        &self,
        name: &str,
        change: impl FnOnce(&Study) -> Result<StudyChange, E>,
    ) -> Result<Arc<Study>, E> {
        self.change_study(name, |before| {
            let after = study::set(before, change(before)?)?;
            if after.rules.dates != before.rules.dates && self.is_exporting(&before.id) {
                return Err(Refusal::ExportRunning.into());
            }
            Ok(after)
        })
    }

    /// From here on the study takes no participants and no changes of its rules.
    pub fn lock_study(&self, name: &str) -> Result<Arc<Study>, Refusal> {
        self.change_study(name, study::lock)
    }

    /// From here on the study takes nothing.
    pub fn close_study(&self, name: &str) -> Result<Arc<Study>, Refusal> {
        self.change_study(name, |before| Ok::<_, Refusal>(study::close(before)))
    }

    pub(super) fn change_study<E: From<Refusal>>(
        &self,
        name: &str,
        decide: impl FnOnce(&Study) -> Result<Study, E>,
    ) -> Result<Arc<Study>, E> {
        let mut turn = self.turn();
        let before = Arc::clone(turn.directory().study(name)?);
        let after = decide(&before)?;
        if after == *before {
            return Ok(before);
        }
        turn.change(Change::Study(after.clone()));
        turn.commit()?;
        Ok(Arc::new(after))
    }
}
