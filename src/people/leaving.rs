//! What leaving needs of the directory; the order of the steps, and the keys, are withdrawal's.

use crate::model::{connection::ConnectionDigest, id::OwnerId, summary::SummaryType, time::UnixSeconds};
use crate::people::{
    change::{Change, Retired},
    decide::{
        link, participant,
        permission::{self, Telling},
    },
    permissions::Told,
    turn::Turn,
};

impl Turn<'_> {
    /// The connections are not to come back before `expires`. A tombstone that stands longer already stays.
    ///
    /// A tombstone stops every participant's data of the connection: who still takes part in another study over it
    /// must not get one (see [`crate::people::directory::Directory::link_holders`]).
    pub fn tombstone(&mut self, connections: &[ConnectionDigest], expires: UnixSeconds) {
        for connection in connections {
            let longest = self.directory().tombstone(connection).map_or(expires, |before| before.max(expires));
            let digest = self.directory().digests().tombstone(connection);
            self.change(Change::Tombstone(digest, longest));
        }
    }

    /// Tombstones that have expired are taken away; returns how many.
    pub fn expire_tombstones(&mut self, now: UnixSeconds) -> usize {
        let expired: Vec<_> =
            self.directory().tombstones().filter(|(_, expires)| *expires <= now).map(|(digest, _)| digest).collect();
        let count = expired.len();
        expired.into_iter().for_each(|digest| self.change(Change::TombstoneGone(digest)));
        count
    }

    /// The participant has withdrawn: nothing is collected or exported from here on. One who is not known is passed
    /// over.
    pub fn withdraw(&mut self, participant: &OwnerId) {
        if let Some(found) = self.directory().participant(participant) {
            let change = Change::Participant(participant::withdrawn(found));
            self.change(change);
        }
    }

    /// The participant's links to the connection end, where they had not.
    pub fn end_link(&mut self, participant: &OwnerId, connection: &ConnectionDigest, now: UnixSeconds) {
        if let Some(change) = link::ended(self.directory(), participant, connection, now) {
            self.change(change);
        }
    }

    /// Nothing is known of the participant but that the code is not given again. Also finishes what
    /// [`crate::people::People::keyless`] names. The keys are not destroyed here.
    pub fn erase(&mut self, participant: &OwnerId, now: UnixSeconds) {
        self.retire_code(participant, now);
        self.change(Change::ParticipantGone(*participant));
    }

    /// The participant's code is not given again, where it is not retired already. One who is not known is passed over.
    pub fn retire_code(&mut self, participant: &OwnerId, now: UnixSeconds) {
        let Some(gone) = self.directory().participant(participant).cloned() else { return };
        let mut codes = self.directory().retired(&gone.study).to_vec();
        if !codes.iter().any(|retired| retired.code == gone.code) {
            codes.push(Retired { code: gone.code.clone(), at: now });
            self.change(Change::RetiredCodes(gone.study, codes));
        }
    }

    /// The connection has these permissions, for each of its owners who was not told of a later state.
    pub fn permissions(&mut self, connection: &ConnectionDigest, told: &Told) -> Telling {
        let telling = permission::told(self.directory(), connection, told);
        if let Telling::Applied(changes) = &telling {
            self.permission_changes(changes.clone());
        }
        telling
    }

    /// Garmin has refused this type, asked at this time, as one that the user does not permit.
    pub fn refused(
        &mut self,
        connection: &ConnectionDigest,
        owners: &[OwnerId],
        summary_type: &SummaryType,
        asked: UnixSeconds,
    ) {
        let changes = permission::refused(self.directory(), connection, owners, summary_type, asked);
        self.permission_changes(changes);
    }

    /// Who is being purged has no key any more to keep anything under, which must not stop the others' changes.
    fn permission_changes(&mut self, changes: Vec<Change>) {
        for change in changes {
            if matches!(&change, Change::Permissions(owner, ..) if self.has_keys(owner)) {
                self.change(change);
            }
        }
    }
}
