//! Commands on participants and their links.

use std::sync::Arc;

use crate::model::{
    participant::{Bound, Participant, Window},
    study::Study,
    time::UnixSeconds,
};
use crate::people::{
    People,
    change::Change,
    decide::{
        link::{self, Target},
        participant::{self, NewParticipant, ParticipantChange, Step},
    },
    directory::Directory,
    refusal::Refusal,
    turn::{Holder, Turn},
};

/// A link to be made.
#[derive(Clone, Debug)]
pub struct LinkRequest {
    /// Which connection.
    pub target: Target,
    /// The event times it covers.
    pub window: Window,
}

impl People {
    /// Adds a participant to a study, linked at once where `link` says to what.
    pub fn add_participant(
        &self,
        study: &str,
        new: NewParticipant,
        link: Option<LinkRequest>,
        now: UnixSeconds,
    ) -> Result<Arc<Participant>, Refusal> {
        let mut turn = self.turn();
        let study = Arc::clone(turn.directory().study(study)?);
        let id = turn.new_owner(Holder::Participant);
        let added = participant::add(turn.directory(), &study, new, id, self.random(), now)?;
        turn.change(Change::Participant(added.clone()));
        if let Some(LinkRequest { target, window }) = link {
            let changes = link::link(turn.directory(), &added, target, window)?;
            changes.into_iter().for_each(|change| turn.change(change));
        }
        turn.commit()?;
        Ok(Arc::new(added))
    }

    /// Changes a participant's window or consent.
    pub fn set_participant(
        &self,
        study: &str,
        code: &str,
        change: ParticipantChange,
    ) -> Result<Arc<Participant>, Refusal> {
        self.change_participant(study, code, |_, _, before| participant::set(before, change))
    }

    /// Gives a participant another code.
    pub fn rename_participant(&self, study: &str, code: &str, new_code: String) -> Result<Arc<Participant>, Refusal> {
        self.change_participant(study, code, |directory, study, before| {
            participant::rename(directory, study, before, new_code)
        })
    }

    /// Pauses, resumes or completes a participant at a time.
    pub fn step_participant(
        &self,
        study: &str,
        code: &str,
        step: Step,
        at: UnixSeconds,
    ) -> Result<Arc<Participant>, Refusal> {
        self.change_participant(study, code, |_, _, before| participant::step(before, step, at))
    }

    /// Links a participant to a connection. What is held of it waits in
    /// [`crate::people::directory::Directory::pickups`] from then on.
    pub fn link_participant(&self, study: &str, code: &str, request: LinkRequest) -> Result<Arc<Participant>, Refusal> {
        let mut turn = self.turn();
        let found = changeable(&turn, study, code)?;
        let changes = link::link(turn.directory(), &found, request.target, request.window)?;
        changes.into_iter().for_each(|change| turn.change(change));
        turn.commit()?;
        Ok(found)
    }

    /// Ends a link of a participant at a time: the one of this number, from 1, or the only current one.
    pub fn unlink_participant(
        &self,
        study: &str,
        code: &str,
        number: Option<usize>,
        at: impl Into<Bound>,
        now: UnixSeconds,
    ) -> Result<Arc<Participant>, Refusal> {
        let mut turn = self.turn();
        let found = changeable(&turn, study, code)?;
        let change = link::unlink(turn.directory(), &found, number, at.into(), now)?;
        turn.change(change);
        turn.commit()?;
        Ok(found)
    }

    fn change_participant(
        &self,
        study: &str,
        code: &str,
        decide: impl FnOnce(&Directory, &Study, &Participant) -> Result<Participant, Refusal>,
    ) -> Result<Arc<Participant>, Refusal> {
        let mut turn = self.turn();
        let before = changeable(&turn, study, code)?;
        let study = Arc::clone(turn.directory().study(study)?);
        let after = decide(turn.directory(), &study, &before)?;
        turn.change(Change::Participant(after.clone()));
        turn.commit()?;
        Ok(Arc::new(after))
    }
}

fn changeable(turn: &Turn<'_>, study: &str, code: &str) -> Result<Arc<Participant>, Refusal> {
    let study = turn.directory().study(study)?;
    participant::find_changeable(turn.directory(), study, code).map(|found| Arc::new(found.clone()))
}
