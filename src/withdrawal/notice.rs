//! Notices: deregistrations and permission changes, applied before their 200.

use crate::journal::{Header, Position};
use crate::model::connection::{ClientId, ConnectionDigest};
use crate::model::entry::{Entry, Field, Whose};
use crate::model::id::OwnerId;
use crate::model::summary::DEREGISTRATIONS;
use crate::model::time::UnixSeconds;
use crate::people::change::Permissions;
use crate::people::turn::Turn;
use crate::withdrawal::{Failure, Withdrawal};

/// How long a connection that nobody was linked to is kept out after its notice, in seconds: a day, for late retries.
const HELD_TOMBSTONE: i64 = 86_400;

/// What a notice brought about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Participants withdrawn.
    pub withdrawn: usize,
    /// Held connections dropped.
    pub dropped: usize,
    /// Notices of connections that are neither linked nor held.
    pub unknown: usize,
    /// Permission changes kept.
    pub permissions: usize,
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
                applied.permissions += turn.permissions(&connection, told, received);
            }
        }
        turn.commit()?;
        self.schedule(&owners)?;
        if applied.withdrawn + applied.dropped + applied.unknown > 0 {
            let Applied { withdrawn, dropped, unknown, .. } = applied;
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
            return;
        }
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
    pub fn confirm(&self, position: Position, entry: &Entry, header: &Header) -> Result<(), Failure> {
        if position <= self.replayed {
            self.apply(&header.client, header.received, std::slice::from_ref(entry))?;
        }
        Ok(())
    }
}

/// The permissions that a change item tells; `None` where it is not readable.
fn permissions(entry: &Entry) -> Option<Permissions> {
    let granted = serde_json::from_str(entry.field(Field::Permissions)?).ok()?;
    let changed = UnixSeconds(entry.field(Field::ChangeTime)?.parse().ok()?);
    Some(Permissions { granted, changed })
}
