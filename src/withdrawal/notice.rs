//! Notices: deregistrations and permission changes, applied before their 200.

use std::collections::HashSet;

use serde_json::Value;

use crate::journal::{Header, Position};
use crate::model::connection::{ClientId, ConnectionDigest};
use crate::model::entry::{Entry, Field, Whose};
use crate::model::id::OwnerId;
use crate::model::participant::ParticipantState;
use crate::model::summary::{DEREGISTRATIONS, PERMISSION_CHANGES};
use crate::model::time::UnixSeconds;
use crate::people::change::KnownLink;
use crate::people::decide::permission::Telling;
use crate::people::directory::Directory;
use crate::people::permissions::{Came, Told};
use crate::people::standing::is_current;
use crate::people::turn::Turn;
use crate::withdrawal::begin::Begun;
use crate::withdrawal::course::{FLOOD_WITHIN, Word, course, is_flood};
use crate::withdrawal::event::What;
use crate::withdrawal::record::{Cause, Purge, Wait, Why};
use crate::withdrawal::{Event, Failure, Withdrawal};

/// How long a connection that nobody was linked to is kept out after its notice, in seconds: a day, for late retries.
const HELD_TOMBSTONE: i64 = 86_400;

/// What a notice brought about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Participants withdrawn.
    pub withdrawn: usize,
    /// Participants locked until their study's grace is over.
    pub locked: usize,
    /// Participants locked because too many were noticed at once: a person is to look.
    pub awaiting: usize,
    /// Held connections dropped.
    pub dropped: usize,
    /// Notices that ended a link of a participant who has another one: nothing is destroyed.
    pub ended: usize,
    /// Notices of connections whose user has left already, or is about to.
    pub repeated: usize,
    /// Notices of connections that are neither linked nor held.
    pub unknown: usize,
    /// Permission changes.
    pub permissions: PermissionChanges,
    /// What happened to whom, for the audit log: the caller enters it before anybody is told.
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

/// One POST's notices on their way.
struct Notices<'a> {
    client: &'a ClientId,
    received: UnixSeconds,
    /// How long the purges of a flood are held, where this is one.
    held: Option<i64>,
    applied: Applied,
    /// Notices that concern nobody who can be named any more.
    of_nobody: u64,
    begun: Begun,
}

impl Withdrawal {
    /// Applies deregistrations and permission changes; durable on return.
    pub fn apply(&self, position: Position, header: &Header, controls: &[Entry]) -> Result<Applied, Failure> {
        let Header { client, received, .. } = header;
        let came = Came { received: *received, body: position.0 };
        let mut turn = self.parts.people.turn();
        let mut deregistered = Vec::new();
        let (mut applied, mut begun) = (Applied::default(), Begun::default());
        for entry in controls {
            let Whose::User(user) = &entry.whose else { continue };
            let connection = self.parts.people.digest(client, user);
            if &*entry.member == DEREGISTRATIONS {
                deregistered.push(connection);
            } else {
                let told = told(entry, came).map(|told| turn.permissions(&connection, &told));
                if let Some(Telling::Applied(changes)) = &told {
                    let what = What::Permitted { repeated: changes.is_empty() };
                    let holders = turn.directory().link_holders(&connection, *received).current;
                    let event = |owner: &OwnerId| Event::to(turn.directory(), owner, what, *received);
                    begun.events.extend(holders.iter().filter_map(event));
                }
                applied.permissions.count(told.as_ref());
            }
        }
        let held = self.flood(turn.directory(), client, *received, &deregistered);
        let mut notices = Notices { client, received: *received, held, applied, of_nobody: 0, begun };
        for connection in &deregistered {
            self.deregister(&mut turn, connection, &mut notices);
        }
        self.hold_settling(&mut turn, &mut notices);
        let Notices { mut applied, of_nobody, mut begun, .. } = notices;
        // As counts: whoever floods the gateway with notices does not flood its audit log.
        if of_nobody > 0 {
            begun.events.push(Event::of_nobody(What::Unknown(of_nobody), *received));
        }
        if applied.dropped > 0 {
            begun.events.push(Event::of_nobody(What::Dropped(applied.dropped as u64), *received));
        }
        applied.events = self.made_durable(turn, begun)?;
        tell(&applied);
        Ok(applied)
    }

    /// How long purges are held, where these notices and those of the last hour are a flood.
    fn flood(
        &self,
        directory: &Directory,
        client: &ClientId,
        received: UnixSeconds,
        connections: &[ConnectionDigest],
    ) -> Option<i64> {
        if connections.is_empty() {
            return None;
        }
        let brake = &self.parts.settings.brake;
        let lately = self.log.all(|purge| {
            purge.cause == Cause::Deregistration
                && purge.client.as_ref() == Some(client)
                && received.0.saturating_sub(purge.times.requested.0).abs() <= FLOOD_WITHIN
        });
        let mut noticed: HashSet<OwnerId> = lately.iter().map(|purge| purge.owner).collect();
        for connection in connections {
            noticed.extend(directory.link_holders(connection, received).current);
        }
        if noticed.len() < usize::try_from(brake.least).unwrap_or(usize::MAX) {
            return None;
        }
        let people = directory.studies().flat_map(|study| directory.participants(&study.id));
        let is_linked = |links: &[KnownLink]| {
            links.iter().any(|known| known.link.client == *client && is_current(&known.link.window, received))
        };
        let mut known: HashSet<OwnerId> =
            people.filter(|found| is_linked(directory.links(&found.id))).map(|found| found.id).collect();
        known.extend(noticed.iter().copied());
        is_flood(brake, noticed.len(), known.len()).then_some(brake.hold_for)
    }

    /// Where these notices make a flood, those of the moment before are part of it: nothing of theirs is destroyed yet.
    fn hold_settling(&self, turn: &mut Turn<'_>, notices: &mut Notices<'_>) {
        let Some(hold_for) = notices.held else { return };
        let settles = |purge: &Purge| purge.is_settling() && purge.client.as_ref() == Some(notices.client);
        for purge in self.log.all(settles) {
            let wait = Wait { why: Why::Flood, until: purge.times.requested.plus(hold_for) };
            let held = Purge { wait: Some(wait), ..purge };
            self.begin(turn, held, notices.received, &mut notices.begun);
        }
    }

    fn deregister(&self, turn: &mut Turn<'_>, connection: &ConnectionDigest, notices: &mut Notices<'_>) {
        let holders = turn.directory().link_holders(connection, notices.received);
        // What is held may have been linked since, and wait to be filed for its participant.
        let held = turn.directory().held_of(connection);
        let waits_for_filing = !turn.directory().linked(connection).is_empty();
        if holders.current.is_empty() {
            if let Some(owner) = held.filter(|_| !waits_for_filing) {
                // It also tells a restart that what is held has to go.
                turn.tombstone(&[*connection], notices.received.plus(HELD_TOMBSTONE));
                notices.begun.owners.push(owner);
                notices.applied.dropped += 1;
                return;
            }
            // Who left by it is named until the erasure.
            let left: Vec<_> =
                turn.directory().linked(connection).iter().map(|link| link.participant.clone()).collect();
            let left = left.iter().filter(|found| found.state == ParticipantState::Withdrawn);
            let named: Vec<_> =
                left.filter_map(|found| self.again(turn.directory(), &found.id, notices.received)).collect();
            notices.of_nobody += u64::from(named.is_empty());
            notices.begun.events.extend(named);
            if turn.directory().tombstone(connection).is_some() {
                notices.applied.repeated += 1;
            } else {
                notices.applied.unknown += 1;
            }
            return;
        }
        for participant in &holders.current {
            self.notice_of(turn, participant, connection, notices);
        }
    }

    /// A notice for one of the participants who are linked to the connection.
    fn notice_of(
        &self,
        turn: &mut Turn<'_>,
        participant: &OwnerId,
        connection: &ConnectionDigest,
        notices: &mut Notices<'_>,
    ) {
        let received = notices.received;
        let under_way = self.log.open_of(participant).is_some()
            || notices.begun.purges.iter().any(|purge| purge.owner == *participant);
        if under_way {
            notices.applied.repeated += 1;
            notices.begun.events.extend(self.again(turn.directory(), participant, received));
            return;
        }
        let directory = turn.directory();
        let study = directory.participant(participant).and_then(|found| directory.study_of_id(&found.study)).cloned();
        let Some(study) = study else { return };
        let links = turn.directory().links(participant);
        let stays = links.iter().any(|known| known.digest != *connection && is_current(&known.link.window, received));
        if stays {
            // The participant goes on with another account: nothing of theirs is lost.
            turn.end_link(participant, connection, received);
            notices.applied.ended += 1;
            notices.begun.events.extend(Event::to(turn.directory(), participant, What::LinkEnded, received));
            return;
        }
        let mut chosen = course(&study.rules, Word::default(), notices.held, received);
        if chosen.wait.is_none() && !self.parts.settings.settle_for.is_zero() {
            chosen.wait = Some(Wait { why: Why::Settling, until: received });
        }
        let client = Some(notices.client.clone());
        let purge = self.named(turn, participant, chosen, Cause::Deregistration, client, received);
        self.begin(turn, purge, received, &mut notices.begun);
        match notices.begun.purges.last().and_then(|purge| purge.wait).map(|wait| wait.why) {
            Some(Why::Flood) => notices.applied.awaiting += 1,
            Some(Why::Grace) => notices.applied.locked += 1,
            Some(Why::Settling) | None => notices.applied.withdrawn += 1,
        }
    }

    /// A change of permissions met while filing: it may be about to be applied, and holds before anything that came
    /// later is filed; to apply it twice changes nothing. Returns what belongs in the audit log.
    pub fn confirm(&self, position: Position, entry: &Entry, header: &Header) -> Result<Vec<Event>, Failure> {
        if &*entry.member != PERMISSION_CHANGES {
            return Ok(Vec::new());
        }
        let mut events = self.apply(position, header, std::slice::from_ref(entry))?.events;
        if position > self.replayed {
            // Whoever took the body enters what it repeats.
            events.retain(|event| event.what != What::Permitted { repeated: true });
        }
        Ok(events)
    }

    /// Whether an item is a deregistration that was taken before the start, so that nobody knows whether it was
    /// applied: it goes to [`Withdrawal::replay`], with the others of its body.
    pub fn is_replayed(&self, position: Position, entry: &Entry) -> bool {
        position <= self.replayed && &*entry.member == DEREGISTRATIONS && matches!(entry.whose, Whose::User(_))
    }

    /// Applies the deregistrations of a body that was taken before the start, all at once: one by one, the first of a
    /// flood would be obeyed before it shows that it is one. Returns what belongs in the audit log.
    pub fn replay(&self, position: Position, header: &Header, notices: &[Entry]) -> Result<Vec<Event>, Failure> {
        Ok(self.apply(position, header, notices)?.events)
    }

    /// A notice names somebody once more who has left, or is about to.
    fn again(&self, directory: &Directory, participant: &OwnerId, at: UnixSeconds) -> Option<Event> {
        let known = Event::to(directory, participant, What::Repeated, at)?;
        Some(Event { purge: self.log.open_of(participant), ..known })
    }
}

fn tell(applied: &Applied) {
    let Applied { withdrawn, locked, awaiting, dropped, ended, repeated, unknown, .. } = *applied;
    if awaiting > 0 {
        tracing::error!(
            awaiting,
            "so many deregistrations came at once that their purges wait for a person; see `studygate purges list`"
        );
    }
    if withdrawn + locked + dropped + ended + repeated + unknown > 0 {
        tracing::info!(withdrawn, locked, dropped, ended, repeated, unknown, "deregistration notices applied");
    }
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
