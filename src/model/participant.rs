//! A participant: one study, one code, one random id, a window, and links to connections.

use serde::{Deserialize, Serialize};

pub use crate::model::window::{Bound, Moment, Window};

use crate::model::{
    connection::{ClientId, GarminUserId},
    id::{OwnerId, StudyId},
    shift::Shift,
    time::UnixSeconds,
};

/// A participant as stored, under the participant's data key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Participant {
    /// The random identifier under which everything of the participant is kept.
    pub id: OwnerId,
    /// The one study.
    pub study: StudyId,
    /// The pseudonym, `[A-Za-z0-9._-]{1,32}`, unique in the study.
    pub code: String,
    /// Where the participant stands.
    pub state: ParticipantState,
    /// The time the study collects for.
    pub window: Window,
    /// Times within the window for which nothing is collected; the last may be open.
    pub pauses: Vec<Window>,
    /// The consent given.
    pub consent: Option<Consent>,
    /// When the participant was added.
    pub added: UnixSeconds,
    /// Since when everything of the participant rests, where it does: nothing is collected, exported or shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock: Option<Lock>,
    /// How far dates lie back in datasets of a study that shifts them; made when first needed, the same from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shift: Option<Shift>,
}

/// The rest before a purge that can still be undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// What arrived up to then is still filed.
    pub since: UnixSeconds,
    /// When the purge begins.
    pub until: UnixSeconds,
}

/// Where a participant stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ParticipantState {
    /// Takes part.
    Active,
    /// Takes part, but nothing is collected for now.
    Paused,
    /// Took part to the end; the data stay.
    Completed,
    /// Has left; the data are being destroyed.
    Withdrawn,
    /// Has left; what identified the person is destroyed, the rest stays under the code.
    Retained,
}

/// The consent a participant gave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consent {
    /// The version of the document.
    pub version: String,
    /// The day it was given, as a date.
    pub date: String,
}

/// A link of a participant to a connection, stored under the participant's identity key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// The Garmin client.
    pub client: ClientId,
    /// The Garmin user.
    pub user: GarminUserId,
    /// The event times it covers; current while `to` is open.
    pub window: Window,
}

impl Participant {
    /// Whether the participant's data may be read: exported, pulled or shown.
    pub fn is_readable(&self) -> bool {
        self.state != ParticipantState::Withdrawn && self.lock.is_none()
    }

    /// Whether what arrived then is still taken: what came before a lock is, so that undoing it loses nothing.
    pub fn takes(&self, received: UnixSeconds) -> bool {
        self.lock.is_none_or(|lock| received <= lock.since)
    }

    /// Whether the study may collect a record of this event time, whatever its offset from UTC turns out to be.
    pub fn may_collect(&self, time: UnixSeconds) -> bool {
        self.state != ParticipantState::Withdrawn
            && self.window.may_contain(time)
            && !self.pauses.iter().any(|pause| pause.contains(time))
    }

    /// Whether the study collects a record of this event time for the participant.
    pub fn collects(&self, time: impl Into<Moment>) -> bool {
        let time = time.into();
        self.state != ParticipantState::Withdrawn
            && self.window.contains(time)
            && !self.pauses.iter().any(|pause| pause.contains(time))
    }
}
