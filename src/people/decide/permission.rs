//! Which telling of a connection's permissions holds.

use crate::model::{connection::ConnectionDigest, time::UnixSeconds};
use crate::people::{
    change::{Change, Permissions},
    directory::Directory,
};

/// The most permissions that are kept of one telling.
pub const PERMISSIONS_MAX: usize = 32;

/// How far ahead of the clock a change may claim to be, in seconds.
pub const AHEAD_MAX_SECONDS: i64 = 24 * 60 * 60;

/// The changes: one for every owner of the connection who was not told of a later state.
///
/// Of equal times the later arrival holds. What is a day or more ahead of the clock changes nothing, since it would
/// keep every true change out.
pub fn told(
    directory: &Directory,
    connection: &ConnectionDigest,
    mut told: Permissions,
    now: UnixSeconds,
) -> Vec<Change> {
    if told.changed > now.plus(AHEAD_MAX_SECONDS) {
        return Vec::new();
    }
    told.granted.truncate(PERMISSIONS_MAX);
    let linked = directory.linked(connection).iter().map(|linked| linked.participant.id);
    let mut owners: Vec<_> = linked.chain(directory.held_of(connection)).collect();
    owners.sort();
    owners.dedup();
    owners
        .into_iter()
        .filter(|owner| directory.permissions(owner, connection).is_none_or(|before| before.changed <= told.changed))
        .map(|owner| Change::Permissions(owner, *connection, told.clone()))
        .collect()
}
