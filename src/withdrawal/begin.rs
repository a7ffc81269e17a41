//! How a withdrawal begins: by a person, or when a wait is over; and how it is undone while it waits.

use std::time::Duration;

use crate::journal::Position;
use crate::model::connection::{ClientId, ConnectionDigest};
use crate::model::id::OwnerId;
use crate::model::participant::{Lock, ParticipantState};
use crate::model::time::UnixSeconds;
use crate::people::refusal::{Kind, Refusal};
use crate::people::turn::Turn;
use crate::withdrawal::course::{Course, Word, course};
use crate::withdrawal::event::What;
use crate::withdrawal::record::{Cause, Compaction, Counts, Purge, PurgeId, Stage, Times};
use crate::withdrawal::{Event, Failure, Place, Withdrawal};

/// A person's decision that participants leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leave {
    /// What the person says about it.
    pub word: Word,
    /// What it comes from.
    pub cause: Cause,
}

/// What a step of several participants gathers.
#[derive(Default)]
pub(super) struct Begun {
    pub(super) purges: Vec<Purge>,
    pub(super) events: Vec<Event>,
    /// Whose data go once everything taken before is filed.
    pub(super) owners: Vec<OwnerId>,
}

impl Withdrawal {
    /// Withdraws participants by a person's decision; durable on return, the rest follows. Who waits for a purge already
    /// follows the later word; whose purge has begun is passed over.
    pub fn withdraw(&self, participants: &[OwnerId], leave: Leave, now: UnixSeconds) -> Result<Vec<Event>, Failure> {
        let mut turn = self.parts.people.turn();
        let mut begun = Begun::default();
        for participant in participants {
            let Some(found) = turn.directory().participant(participant).cloned() else { continue };
            let Some(study) = turn.directory().study_of_id(&found.study).cloned() else { continue };
            let before = self.log.open_of(participant);
            if before.as_ref().is_some_and(|purge| !purge.is_waiting()) {
                continue;
            }
            let requested = before.as_ref().map_or(now, |purge| purge.times.requested);
            let chosen = course(&study.rules, leave.word, None, requested);
            let purge = match before {
                Some(before) => Purge { fate: chosen.fate, wait: chosen.wait, cause: leave.cause, ..before },
                None => self.named(&turn, participant, chosen, leave.cause, None, now),
            };
            self.begin(&mut turn, purge, now, &mut begun);
        }
        self.made_durable(turn, begun)
    }

    /// Purges that wait begin now: a person confirms them.
    pub fn confirm_purge(&self, id: &PurgeId, now: UnixSeconds) -> Result<Vec<Event>, Failure> {
        let turn = self.parts.people.turn();
        let purge = self.waiting(id)?;
        self.release(turn, vec![purge], What::Confirmed, now)
    }

    /// A purge that waits is not done: the participant takes part as before.
    pub fn reject_purge(&self, id: &PurgeId, now: UnixSeconds) -> Result<Vec<Event>, Failure> {
        let mut turn = self.parts.people.turn();
        let mut purge = self.waiting(id)?;
        turn.lock(&purge.owner, None);
        purge.stage = Stage::Rejected;
        purge.times.rejected = Some(now);
        let event = Event::of(&purge, What::Rejected, now);
        // The log comes last: where it still says that the purge waits, a start locks the participant again.
        self.commit(turn, &[purge], Place::Last)?;
        tracing::info!("a purge was rejected; the participant takes part as before");
        Ok(vec![event])
    }

    /// Purges whose wait is over begin. The caller has made sure that the time is to be believed.
    pub fn expire_waits(&self, now: UnixSeconds) -> Result<Vec<Event>, Failure> {
        let is_over = |purge: &Purge| {
            purge.is_waiting() && !purge.is_settling() && purge.wait.is_none_or(|wait| wait.until <= now)
        };
        if self.log.all(is_over).is_empty() {
            return Ok(Vec::new());
        }
        let turn = self.parts.people.turn();
        // Looked at again within the turn: a person may have decided meanwhile.
        let over = self.log.all(is_over);
        self.release(turn, over, What::WaitOver, now)
    }

    /// Purges begin whose notice has shown to be none of a flood. Bodies up to `filed` are filed; those of before the start
    /// are awaited. Their notices are entered already, so nothing else is to be.
    pub fn end_settling(&self, filed: Position, monotonic: Duration) -> Result<(), Failure> {
        let is_over = |(_, over): &(PurgeId, Duration)| *over <= monotonic;
        if filed < self.replayed || !self.settling().iter().any(is_over) {
            return Ok(());
        }
        let turn = self.parts.people.turn();
        let over: Vec<_> = self.settling().iter().copied().filter(is_over).map(|(id, _)| id).collect();
        let purges = over.iter().filter_map(|id| self.log.find(id)).filter(Purge::is_settling).collect();
        self.release(turn, purges, What::WaitOver, self.now())?;
        self.settling().retain(|(id, _)| !over.contains(id));
        Ok(())
    }

    /// Ends what a crash left between the log's row and those of the people, in the step that a purge begins with.
    pub(super) fn resume_begun(&self) -> Result<(), Failure> {
        let mut turn = self.parts.people.turn();
        let mut changed = false;
        for purge in self.log.all(Purge::is_open) {
            let Some(found) = turn.directory().participant(&purge.owner) else { continue };
            match (purge.stage, purge.wait) {
                (Stage::Waiting, Some(wait)) if found.lock.is_none() => {
                    turn.lock(&purge.owner, Some(Lock { since: purge.times.requested, until: wait.until }));
                    changed = true;
                }
                (Stage::Tombstoned, _) if found.state != ParticipantState::Withdrawn => {
                    self.depart(&mut turn, &purge.owner, purge.times.tombstoned.unwrap_or(purge.times.requested));
                    changed = true;
                }
                _ => {}
            }
        }
        if changed { self.commit(turn, &[], Place::First) } else { Ok(()) }
    }

    /// A purge of this participant that is to be begun.
    pub(super) fn named(
        &self,
        turn: &Turn<'_>,
        participant: &OwnerId,
        chosen: Course,
        cause: Cause,
        client: Option<ClientId>,
        now: UnixSeconds,
    ) -> Purge {
        let directory = turn.directory();
        let found = directory.participant(participant);
        let study = found.and_then(|found| directory.study_of_id(&found.study));
        Purge {
            id: self.log.name(),
            owner: *participant,
            study: study.map_or_else(String::new, |study| study.name.clone()),
            code: found.map_or_else(String::new, |found| found.code.clone()),
            client,
            cause,
            fate: chosen.fate,
            stage: Stage::Waiting,
            wait: chosen.wait,
            times: Times { requested: now, ..Times::default() },
            epoch: None,
            destroyed: Counts::default(),
            ownerless: 0,
            ownerless_until: None,
            compaction: Compaction::Pending,
            audit: None,
            backups_not_reached: Vec::new(),
        }
    }

    /// The participant is locked where the purge waits, and leaves where it does not.
    pub(super) fn begin(&self, turn: &mut Turn<'_>, mut purge: Purge, now: UnixSeconds, begun: &mut Begun) {
        match purge.wait {
            Some(wait) => {
                turn.lock(&purge.owner, Some(Lock { since: purge.times.requested, until: wait.until }));
                begun.events.push(Event::of(&purge, What::Locked(purge.cause, wait.why), now));
            }
            None => {
                purge.destroyed.links = turn.directory().links(&purge.owner).len() as u64;
                begun.owners.extend(self.depart(turn, &purge.owner, now));
                purge.stage = Stage::Tombstoned;
                purge.times.tombstoned = Some(now);
                begun.events.push(Event::of(&purge, What::Left(purge.cause), now));
            }
        }
        begun.purges.push(purge);
    }

    /// What begun is durable on return, and what is to be destroyed is scheduled.
    pub(super) fn made_durable(&self, turn: Turn<'_>, begun: Begun) -> Result<Vec<Event>, Failure> {
        let Begun { purges, events, owners } = begun;
        self.commit(turn, &purges, Place::First)?;
        let left = purges.iter().filter(|purge| !purge.is_waiting()).count();
        if !purges.is_empty() {
            tracing::info!(left, locked = purges.len() - left, "participants leave");
        }
        let over = self.parts.clock.monotonic() + self.parts.settings.settle_for;
        let settling = purges.iter().filter(|purge| purge.is_settling()).map(|purge| (purge.id, over));
        self.settling().extend(settling);
        self.schedule(&owners)?;
        Ok(events)
    }

    /// Links end and the participant is withdrawn. Connections that nobody else is linked to are kept out: what Garmin
    /// still sends is not to be held for a person who has left. Returns whose data go: the participant's, and what is
    /// held of these connections.
    fn depart(&self, turn: &mut Turn<'_>, participant: &OwnerId, now: UnixSeconds) -> Vec<OwnerId> {
        let mut connections: Vec<ConnectionDigest> =
            turn.directory().links(participant).iter().map(|known| known.digest).collect();
        connections.sort_unstable();
        connections.dedup();
        let mut owners = vec![*participant];
        for connection in &connections {
            turn.end_link(participant, connection, now);
            if turn.directory().link_holders(connection, now).current.is_empty() {
                turn.tombstone(&[*connection], now.plus(self.parts.settings.tombstone_for));
                owners.extend(turn.directory().held_of(connection));
            }
        }
        turn.withdraw(participant);
        owners
    }

    fn release(
        &self,
        mut turn: Turn<'_>,
        purges: Vec<Purge>,
        why: What,
        now: UnixSeconds,
    ) -> Result<Vec<Event>, Failure> {
        let mut begun = Begun::default();
        for purge in purges {
            self.begin(&mut turn, Purge { wait: None, ..purge }, now, &mut begun);
        }
        begun.events.iter_mut().for_each(|event| event.what = why);
        self.made_durable(turn, begun)
    }

    fn waiting(&self, id: &PurgeId) -> Result<Purge, Failure> {
        match self.log.find(id) {
            Some(purge) if purge.is_waiting() => Ok(purge),
            Some(_) => Err(Failure::People(Refusal::Other(
                Kind::Conflict,
                "This purge does not wait any longer; `studygate purges list --all` shows how far it is.".to_owned(),
            ))),
            None => Err(Failure::People(Refusal::Other(
                Kind::NotFound,
                "There is no such purge; `studygate purges list` shows them.".to_owned(),
            ))),
        }
    }
}
