//! Whose permissions a notice changes, and what holds for who is linked.

use crate::model::{connection::ConnectionDigest, id::OwnerId, summary::SummaryType, time::UnixSeconds};
use crate::people::{
    change::Change,
    directory::Directory,
    permissions::{Permissions, Told},
};

/// How far ahead of the clock a change may claim to be, in seconds.
pub const AHEAD_MAX_SECONDS: i64 = 24 * 60 * 60;

/// What a notice of a change comes to.
#[derive(Clone, Debug)]
pub enum Telling {
    /// It holds after these changes; none where it was applied before.
    Applied(Vec<Change>),
    /// Everybody was told of a later state.
    Older,
    /// It claims to be more than a day ahead of the clock: it would keep every true change out.
    Ahead,
    /// The connection is neither linked nor held.
    Unknown,
}

/// What this notice changes, for every owner of the connection.
pub fn told(directory: &Directory, connection: &ConnectionDigest, told: &Told) -> Telling {
    if told.changed > told.came.received.plus(AHEAD_MAX_SECONDS) {
        return Telling::Ahead;
    }
    let owners = owners(directory, connection);
    if owners.is_empty() {
        return Telling::Unknown;
    }
    let mut known = false;
    let mut changes = Vec::new();
    for owner in owners {
        let before = before(directory, &owner, connection);
        known |= before.knows(told);
        let after = before.after(told.clone());
        changes.extend(after.map(|after| Change::Permissions(owner, *connection, after)));
    }
    if changes.is_empty() && !known { Telling::Older } else { Telling::Applied(changes) }
}

/// Garmin has refused this type as not permitted: noted for those of the connection's owners who are named.
pub fn refused(
    directory: &Directory,
    connection: &ConnectionDigest,
    owners: &[OwnerId],
    summary_type: &SummaryType,
    asked: UnixSeconds,
) -> Vec<Change> {
    let noted = |owner: &OwnerId| {
        let after = before(directory, owner, connection).after_refusal(summary_type, asked)?;
        Some(Change::Permissions(*owner, *connection, after))
    };
    owners.iter().filter_map(noted).collect()
}

/// What holds for a participant who is linked to the connection: the newest that is known of it.
pub fn taken_over(directory: &Directory, connection: &ConnectionDigest, participant: &OwnerId) -> Option<Change> {
    let newest = |known: &Permissions| known.current().map(Told::order);
    let known = owners(directory, connection).into_iter().chain([*participant]);
    let known =
        known.filter_map(|owner| directory.permissions(&owner, connection)).max_by_key(|known| newest(known))?;
    (directory.permissions(participant, connection) != Some(known))
        .then(|| Change::Permissions(*participant, *connection, Permissions::clone(known)))
}

fn before(directory: &Directory, owner: &OwnerId, connection: &ConnectionDigest) -> Permissions {
    directory.permissions(owner, connection).map(|known| Permissions::clone(known)).unwrap_or_default()
}

/// Whom the connection is or was linked to, and under whom it is held.
fn owners(directory: &Directory, connection: &ConnectionDigest) -> Vec<OwnerId> {
    let linked = directory.linked(connection).iter().map(|linked| linked.participant.id);
    let mut owners: Vec<_> = linked.chain(directory.held_of(connection)).collect();
    owners.sort();
    owners.dedup();
    owners
}
