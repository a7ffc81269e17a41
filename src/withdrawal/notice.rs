//! Notices: deregistrations and permission changes, applied before their 200.

use serde_json::Value;

use crate::audit::{Act, Event};
use crate::journal::{Header, Position};
use crate::model::connection::ConnectionDigest;
use crate::model::entry::{Entry, Field, Whose};
use crate::model::id::OwnerId;
use crate::model::participant::ParticipantState;
use crate::model::summary::{DEREGISTRATIONS, PERMISSION_CHANGES};
use crate::model::time::UnixSeconds;
use crate::people::decide::permission::Telling;
use crate::people::directory::Directory;
use crate::people::permissions::{Came, Told};
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
    /// Permission changes.
    pub permissions: PermissionChanges,
    /// Of the unknown, those of connections whose participants had left before.
    pub repeated: usize,
    /// The same for the audit log, which the caller writes before anybody is told.
    pub events: Vec<Event>,
}

/// Permission changes by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PermissionChanges {
    /// They hold.
    pub applied: usize,
    /// A later state was told before.
    pub older: usize,
    /// They claim to be more than a day ahead of the clock.
    pub ahead: usize,
    /// Their connection is neither linked nor held.
    pub unknown: usize,
    /// They name no list, or no time.
    pub unreadable: usize,
}

impl Withdrawal {
    /// Applies deregistrations and permission changes; durable on return.
    pub fn apply(&self, position: Position, header: &Header, controls: &[Entry]) -> Result<Applied, Failure> {
        let Header { client, received, .. } = header;
        let came = Came { received: *received, body: position.0 };
        let mut applied = Applied::default();
        let mut owners = Vec::new();
        let mut turn = self.people.turn();
        for entry in controls {
            let Whose::User(user) = &entry.whose else { continue };
            let connection = self.people.digest(client, user);
            if &*entry.member == DEREGISTRATIONS {
                self.deregister(&mut turn, &connection, *received, &mut applied, &mut owners);
            } else {
                let told = told(entry, came).map(|told| turn.permissions(&connection, &told));
                if let Some(Telling::Applied(changes)) = &told {
                    let holders = turn.directory().link_holders(&connection, *received).current;
                    let act = |_: &OwnerId| Act::PermissionChanged { repeated: changes.is_empty() };
                    applied.events.extend(events(turn.directory(), &holders, act));
                }
                applied.permissions.count(told.as_ref());
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
    /// whether it was. Of the others a change of permissions may be about to be: it holds before anything that came
    /// later is filed, and to apply it twice changes nothing. Returns what belongs in the audit log.
    pub fn confirm(&self, position: Position, entry: &Entry, header: &Header) -> Result<Vec<Event>, Failure> {
        let replayed = position <= self.replayed;
        if !replayed && &*entry.member != PERMISSION_CHANGES {
            return Ok(Vec::new());
        }
        let mut events = self.apply(position, header, std::slice::from_ref(entry))?.events;
        if !replayed {
            // Whoever took the body enters what it repeats.
            events.retain(|event| event.act != Act::PermissionChanged { repeated: true });
        }
        Ok(events)
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

impl PermissionChanges {
    fn count(&mut self, told: Option<&Telling>) {
        let counter = match told {
            Some(Telling::Applied(_)) => &mut self.applied,
            Some(Telling::Older) => &mut self.older,
            Some(Telling::Ahead) => &mut self.ahead,
            Some(Telling::Unknown) => &mut self.unknown,
            None => &mut self.unreadable,
        };
        *counter += 1;
    }
}

/// What a change item of a body that came then tells; `None` where it is not readable.
fn told(entry: &Entry, came: Came) -> Option<Told> {
    let listed: Vec<Value> = serde_json::from_str(entry.field(Field::Permissions)?).ok()?;
    let changed = UnixSeconds::of_number(entry.field(Field::ChangeTime)?)?;
    Some(Told::new(listed.iter().filter_map(Value::as_str), changed, came, entry.span.start))
}
