//! Notices: deregistrations and permission changes, applied before their 200.

use crate::audit::{Act, Event};
use crate::journal::{Header, Position};
use crate::model::connection::{ClientId, ConnectionDigest};
use crate::model::entry::{Entry, Field, Whose};
use crate::model::id::OwnerId;
use crate::model::participant::ParticipantState;
use crate::model::summary::DEREGISTRATIONS;
use crate::model::time::UnixSeconds;
use crate::people::change::Permissions;
use crate::people::directory::Directory;
use crate::people::turn::Turn;
use crate::withdrawal::{Failure, Withdrawal};

/// How long a connection that nobody was linked to is kept out after its notice, in seconds: a day, for late retries.
const HELD_TOMBSTONE: i64 = 86_400;

/// What a notice brought about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Participants withdrawn.
    pub withdrawn: usize,
    /// Held connections dropped.
    pub dropped: usize,
    /// Notices of connections that are neither linked nor held.
    pub unknown: usize,
    /// Permission changes kept.
    pub permissions: usize,
    /// Of the unknown, those of connections whose participants had left before.
    pub repeated: usize,
    /// The same for the audit log, which the caller writes before anybody is told.
    pub events: Vec<Event>,
}

impl Withdrawal {
    /// Applies deregistrations and permission changes; durable on return.
    pub fn apply(&self, client: &ClientId, received: UnixSeconds, controls: &[Entry]) -> Result<Applied, Failure> {
        let mut applied = Applied::default();
        let mut owners = Vec::new();
        let mut turn = self.people.turn();
        for entry in controls {
            let Whose::User(user) = &entry.whose else { continue };
            let connection = self.people.digest(client, user);
            if &*entry.member == DEREGISTRATIONS {
                self.deregister(&mut turn, &connection, received, &mut applied, &mut owners);
            } else if let Some(told) = permissions(entry) {
                let kept = turn.permissions(&connection, told, received);
                applied.permissions += kept;
                if kept > 0 {
                    let holders = turn.directory().link_holders(&connection, received).current;
                    let act = |_: &OwnerId| Act::PermissionChanged {};
                    applied.events.extend(events(turn.directory(), &holders, act));
                }
            }
        }
        applied.note_counts();
        turn.commit()?;
        self.schedule(&owners)?;
        if applied.withdrawn + applied.dropped + applied.unknown > 0 {
            let Applied { withdrawn, dropped, unknown, .. } = &applied;
            tracing::info!(withdrawn, dropped, unknown, "deregistration notices applied");
        }
        Ok(applied)
    }

    fn deregister(
        &self,
        turn: &mut Turn<'_>,
        connection: &ConnectionDigest,
        received: UnixSeconds,
        applied: &mut Applied,
        owners: &mut Vec<OwnerId>,
    ) {
        let holders = turn.directory().link_holders(connection, received);
        // What is held may have been linked since, and wait to be filed for its participant.
        let held = turn.directory().held_of(connection);
        if !holders.current.is_empty() {
            turn.tombstone(&[*connection], received.plus(self.settings.tombstone_for));
        } else if held.is_some() && turn.directory().linked(connection).is_empty() {
            // It also tells a restart that what is held has to go.
            turn.tombstone(&[*connection], received.plus(HELD_TOMBSTONE));
        } else {
            applied.unknown += 1;
            // A notice that came again, or is replayed: who left by it is named until the erasure.
            let left: Vec<_> = turn.directory().linked(connection).iter().map(|link| &link.participant).collect();
            let left = left.into_iter().filter(|found| found.state == ParticipantState::Withdrawn);
            let left: Vec<_> = left.map(|found| found.id).collect();
            applied.repeated += usize::from(!left.is_empty());
            let act = |_: &OwnerId| Act::DeregistrationObeyed { repeated: true };
            applied.events.extend(events(turn.directory(), &left, act));
            return;
        }
        let act = |_: &OwnerId| Act::DeregistrationObeyed { repeated: false };
        applied.events.extend(events(turn.directory(), &holders.current, act));
        for participant in &holders.current {
            turn.end_link(participant, connection, received);
            turn.withdraw(participant);
        }
        applied.withdrawn += holders.current.len();
        applied.dropped += usize::from(held.is_some());
        owners.extend(holders.current);
        owners.extend(held);
    }

    /// A control item met while filing: one that was taken before the start is applied again, since nobody knows
    /// whether it was; the others have been.
    pub fn confirm(&self, position: Position, entry: &Entry, header: &Header) -> Result<Vec<Event>, Failure> {
        if position > self.replayed {
            return Ok(Vec::new());
        }
        Ok(self.apply(&header.client, header.received, std::slice::from_ref(entry))?.events)
    }
}

impl Applied {
    /// What concerns no participant is entered as a count: whoever floods the gateway with notices does not flood its
    /// audit log.
    fn note_counts(&mut self) {
        if self.unknown > self.repeated {
            let notices = (self.unknown - self.repeated) as u64;
            self.events.push(Event::new(Act::DeregistrationUnknown { notices }));
        }
        if self.dropped > 0 {
            self.events.push(Event::new(Act::DeregistrationDropped { connections: self.dropped as u64 }));
        }
    }
}

/// An act on each of these, where they are participants.
pub(super) fn events(directory: &Directory, owners: &[OwnerId], act: impl Fn(&OwnerId) -> Act) -> Vec<Event> {
    let event = |owner: &OwnerId| {
        let participant = directory.participant(owner)?;
        let study = directory.study_of_id(&participant.study)?;
        Some(Event::of_participant(act(owner), &study.name, &participant.code))
    };
    owners.iter().filter_map(event).collect()
}

/// The permissions that a change item tells; `None` where it is not readable.
fn permissions(entry: &Entry) -> Option<Permissions> {
    let granted = serde_json::from_str(entry.field(Field::Permissions)?).ok()?;
    let changed = UnixSeconds(entry.field(Field::ChangeTime)?.parse().ok()?);
    Some(Permissions { granted, changed })
}
