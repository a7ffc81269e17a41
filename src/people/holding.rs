//! Held connections: made by filing, noted at, linked by a person, picked up by filing, or expired.

use std::collections::BTreeMap;

use crate::model::{
    connection::{ClientId, GarminUserId},
    id::OwnerId,
    time::UnixSeconds,
};
use crate::people::{
    People,
    change::Change,
    code,
    held::{Held, HeldNote},
    refusal::Refusal,
    turn::{Holder, Turn},
};

/// Handles are drawn again where one is in use; with 31^8 of them a second draw is rare and a fifth is a fault.
const HANDLE_DRAWS_MAX: usize = 5;

impl People {
    /// As [`Turn::hold`], durable on return.
    pub fn hold(
        &self,
        connections: &[(ClientId, GarminUserId)],
        now: UnixSeconds,
    ) -> Result<Vec<Option<OwnerId>>, Refusal> {
        let mut turn = self.turn();
        let owners = turn.hold(connections, now)?;
        turn.commit()?;
        Ok(owners)
    }

    /// Held connections that nobody linked within `hold_for` seconds of their first item.
    pub fn expired_held(&self, now: UnixSeconds, hold_for: i64) -> Vec<OwnerId> {
        let directory = self.read();
        let mut expired: Vec<_> = directory
            .held()
            .filter(|(_, connection)| connection.held.first_seen.plus(hold_for) <= now)
            .filter(|(_, connection)| directory.linked(&connection.digest).is_empty())
            .map(|(owner, _)| owner)
            .collect();
        expired.sort();
        expired
    }
}

impl Turn<'_> {
    /// Owners that hold these connections, in their order: those that hold them already, or new ones, whose keys are
    /// made in one update of the keyring. `None` where the limit of held connections is reached.
    pub fn hold(
        &mut self,
        connections: &[(ClientId, GarminUserId)],
        now: UnixSeconds,
    ) -> Result<Vec<Option<OwnerId>>, Refusal> {
        connections.iter().map(|(client, user)| self.hold_one(client, user, now)).collect()
    }

    /// The held connection has had these items as well. An owner that is not held, or whose key was destroyed, is
    /// passed over.
    pub fn held_note(&mut self, owner: &OwnerId, note: &HeldNote) {
        let Some(found) = self.directory().held_owner(owner).filter(|_| self.has_keys(owner)) else { return };
        let change = Change::Held(*owner, found.digest, found.held.noted(note));
        self.change(change);
    }

    /// Nothing is known of the held connection: its data were picked up, or purged. Its key is not destroyed here.
    pub fn held_gone(&mut self, owner: &OwnerId) {
        self.change(Change::HeldGone(*owner));
    }

    fn hold_one(
        &mut self,
        client: &ClientId,
        user: &GarminUserId,
        now: UnixSeconds,
    ) -> Result<Option<OwnerId>, Refusal> {
        let digest = self.people().digest(client, user.expose());
        if let Some(owner) = self.directory().held_of(&digest) {
            return Ok(Some(owner));
        }
        if self.directory().held_count() >= self.people().settings.held_connections_max {
            return Ok(None);
        }
        let held = Held {
            client: client.clone(),
            user: user.clone(),
            handle: self.unused_handle()?,
            first_seen: now,
            last_seen: now,
            items: BTreeMap::new(),
            device: None,
            linked: false,
        };
        let owner = self.new_owner(Holder::HeldConnection);
        self.change(Change::Held(owner, digest, held));
        Ok(Some(owner))
    }

    fn unused_handle(&self) -> Result<String, Refusal> {
        let people = self.people();
        let drawn = std::iter::repeat_with(|| code::handle(people.random())).take(HANDLE_DRAWS_MAX);
        drawn.into_iter().find(|handle| self.directory().held_handle(handle).is_none()).ok_or(Refusal::Exhausted)
    }
}
