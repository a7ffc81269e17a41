//! How a body is read: as a notification, whose control items hold from its 200 on, or as the answer to a ping.
//!
//! Never: a control item, another ping or another user's data taken out of an answer.

use std::sync::Arc;

use crate::ingest::{
    controls::{Controls, Found, is_control},
    pending::Taken,
    refusal::{Malformed, Refusal},
    tally::Tally,
};
use crate::journal::{Header, Position};
use crate::model::{
    connection::{ClientId, GarminUserId},
    entry::{Entry, Field, Shape, Whose},
    pull::PullRef,
    summary::SummaryType,
    time::UnixSeconds,
};
use crate::telemetry::ingest::DoorMetrics;

/// Whose an answer is, and what it answers.
#[derive(Clone, Debug)]
pub struct AnswerTo {
    /// The client that the ping came for.
    pub client: ClientId,
    /// Whose the ping was.
    pub user: GarminUserId,
    /// The type that it announced.
    pub summary_type: SummaryType,
    /// The ping.
    pub pull: PullRef,
}

/// How one body is read, and what was found of it so far.
pub(crate) struct Reading {
    as_what: As,
    tally: Tally,
}

enum As {
    Notification { client: ClientId, controls: Arc<dyn Controls>, found: Found },
    Answer(AnswerTo),
}

impl Reading {
    /// What Garmin sends by itself.
    pub(crate) fn notification(client: ClientId, controls: Arc<dyn Controls>) -> Self {
        let as_what = As::Notification { client, controls, found: Found::default() };
        Self { as_what, tally: Tally::of_notification() }
    }

    /// What was asked for.
    pub(crate) fn answer(to: AnswerTo) -> Self {
        Self { as_what: As::Answer(to), tally: Tally::of_answer() }
    }

    /// An entry of the body, as it is to be stored.
    pub(crate) fn entry(&mut self, mut entry: Entry) -> Result<Entry, Refusal> {
        match &mut self.as_what {
            As::Notification { found, .. } => found.note(&entry)?,
            As::Answer(to) => claim(to, &mut entry)?,
        }
        self.tally.note(&entry);
        Ok(entry)
    }

    /// What stands beside the body.
    pub(crate) fn header(&self, received: UnixSeconds) -> Header {
        let (client, pull) = match &self.as_what {
            As::Notification { client, .. } => (client, None),
            As::Answer(to) => (&to.client, Some(to.pull)),
        };
        Header { received, client: client.clone(), pull }
    }

    /// Whether [`settle`](Self::settle) has control items to apply, and so blocks.
    pub(crate) fn has_controls(&self) -> bool {
        match &self.as_what {
            As::Notification { found, .. } => !found.is_empty(),
            As::Answer(_) => false,
        }
    }

    /// The body is durable at this place: its control items are applied, its items counted.
    pub(crate) fn settle(
        self,
        metrics: &DoorMetrics,
        position: Position,
        received: UnixSeconds,
    ) -> Result<Taken, Refusal> {
        let header = self.header(received);
        if let As::Notification { controls, found, .. } = self.as_what {
            let items = found.into_items();
            if !items.is_empty() {
                controls.apply(position, &header, &items).map_err(|_| Refusal::StoreFailed)?;
            }
        }
        self.tally.publish(metrics, received);
        Ok(Taken { items: self.tally.items(), expected: true })
    }
}

/// Makes an entry of an answer the asked user's; an error where it is not of the type that was asked for.
fn claim(to: &AnswerTo, entry: &mut Entry) -> Result<(), Refusal> {
    if &*entry.member != to.summary_type.name() || is_control(&entry.member) || entry.shape == Shape::NotAnArray {
        return Err(Refusal::Malformed(Malformed::NotAnAnswer(entry.span.start)));
    }
    entry.whose = match std::mem::replace(&mut entry.whose, Whose::Unreadable) {
        Whose::Nobody => Whose::User(to.user.expose().into()),
        Whose::User(user) if *user == *to.user.expose() => Whose::User(user),
        // Somebody else's, or nobody knows whose: not to be filed for whom it was asked.
        Whose::User(_) | Whose::Unreadable => Whose::Unreadable,
    };
    if entry.shape == Shape::Ping {
        entry.shape = Shape::Push;
        entry.fields.retain(|(field, _)| *field != Field::CallbackUrl);
    }
    Ok(())
}
