//! What may be done with the links of participants to connections.
//!
//! Never: two participants of one study linked to one connection at one time; a link of a connection whose user left.

use crate::model::{
    connection::{ClientId, ConnectionDigest, GarminUserId},
    id::OwnerId,
    participant::{Bound, Link, Participant, ParticipantState, Window},
    time::UnixSeconds,
};
use crate::people::{
    change::{Change, KnownLink},
    decide::{participant::checked_window, permission},
    directory::Directory,
    held::Held,
    refusal::Refusal,
    standing::is_current,
};

/// Which connection is to be linked.
#[derive(Clone, Debug)]
pub enum Target {
    /// A Garmin user.
    User(ClientId, GarminUserId),
    /// A Garmin user who left once, and takes part again: a tombstone is lifted.
    UserDespiteWithdrawal(ClientId, GarminUserId),
    /// A held connection, by its handle.
    Handle(String),
}

/// The changes that link this participant: the links, what is known of the permissions, and what is held is marked to
/// be picked up.
///
/// The directory need not know the participant yet.
pub fn link(
    directory: &Directory,
    participant: &Participant,
    target: Target,
    window: Window,
) -> Result<Vec<Change>, Refusal> {
    checked_window(&window)?;
    if matches!(participant.state, ParticipantState::Withdrawn | ParticipantState::Retained) {
        return Err(Refusal::Withdrawn);
    }
    let deliberate = matches!(target, Target::UserDespiteWithdrawal(..));
    let (client, user) = resolved(directory, target)?;
    let digest = directory.digests().connection(&client, user.expose());
    let tombstone = directory.tombstone(&digest);
    if let Some(expires) = tombstone.filter(|_| !deliberate) {
        return Err(Refusal::Tombstoned(expires));
    }
    refuse_overlap(directory, participant, &digest, &window)?;

    let mut links = directory.links(&participant.id).to_vec();
    links.push(KnownLink { digest, link: Link { client, user, window } });
    let mut changes = vec![Change::Links(participant.id, links)];
    if tombstone.is_some() {
        changes.push(Change::TombstoneGone(directory.digests().tombstone(&digest)));
    }
    changes.extend(permission::taken_over(directory, &digest, &participant.id));
    if let Some(owner) = directory.held_of(&digest) {
        changes.extend(picked_up(directory, owner));
    }
    Ok(changes)
}

/// The participant's links after one of them has ended: the one of this number, from 1, or the only current one.
pub fn unlink(
    directory: &Directory,
    participant: &Participant,
    number: Option<usize>,
    at: Bound,
    now: UnixSeconds,
) -> Result<Change, Refusal> {
    let mut links = directory.links(&participant.id).to_vec();
    let current: Vec<usize> = (0..links.len()).filter(|index| is_current(&links[*index].link.window, now)).collect();
    let index = match (number, current.as_slice()) {
        (Some(number), _) => {
            current.iter().copied().find(|index| index + 1 == number).ok_or(Refusal::NoLinkNumber(number))?
        }
        (None, []) => return Err(Refusal::NoLink),
        (None, [only]) => *only,
        (None, _) => return Err(Refusal::SeveralLinks),
    };
    let window = &mut links[index].link.window;
    window.to = Some(window.to.map_or(at, |to| to.earlier(at)));
    checked_window(window)?;
    Ok(Change::Links(participant.id, links))
}

/// The participant's links after those to this connection have ended; `None` where none was current.
pub fn ended(
    directory: &Directory,
    participant: &OwnerId,
    connection: &ConnectionDigest,
    now: UnixSeconds,
) -> Option<Change> {
    let mut links = directory.links(participant).to_vec();
    let mut any = false;
    for known in links.iter_mut().filter(|known| known.digest == *connection) {
        let window = &mut known.link.window;
        if is_current(window, now) {
            // A link that had yet to begin ends where it would have begun: it then covers nothing.
            let begins_later = window.from.filter(|from| from.in_utc() > now);
            window.to = Some(begins_later.unwrap_or(Bound::At(now)));
            any = true;
        }
    }
    any.then_some(Change::Links(*participant, links))
}

fn resolved(directory: &Directory, target: Target) -> Result<(ClientId, GarminUserId), Refusal> {
    match target {
        Target::User(client, user) | Target::UserDespiteWithdrawal(client, user) => Ok((client, user)),
        Target::Handle(handle) => match directory.held_handle(&handle) {
            Some((_, found)) => Ok((found.held.client.clone(), found.held.user.clone())),
            None => Err(Refusal::NoHandle(handle.chars().take(32).collect())),
        },
    }
}

fn refuse_overlap(
    directory: &Directory,
    participant: &Participant,
    digest: &ConnectionDigest,
    window: &Window,
) -> Result<(), Refusal> {
    let in_study = directory.linked(digest).iter().filter(|linked| linked.study.id == participant.study);
    match in_study.into_iter().find(|linked| linked.window.overlaps(window)) {
        None => Ok(()),
        Some(linked) if linked.participant.id == participant.id => Err(Refusal::LinkedAlready),
        Some(linked) => Err(Refusal::LinkedInStudy(linked.participant.code.clone())),
    }
}

/// The held data wait for filing.
fn picked_up(directory: &Directory, owner: OwnerId) -> Option<Change> {
    let found = directory.held_owner(&owner)?;
    Some(Change::Held(owner, found.digest, Held { linked: true, ..Held::clone(&found.held) }))
}
