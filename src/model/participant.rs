//! A participant: one study, one code, one random id, a window, and links to connections.

use serde::{Deserialize, Serialize};

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

/// A span of time, `from` included, `to` not; an open end has no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// The first second.
    pub from: Option<UnixSeconds>,
    /// The second after the last.
    pub to: Option<UnixSeconds>,
}

impl Window {
    /// Whether this time lies within.
    pub fn contains(&self, time: UnixSeconds) -> bool {
        self.from.is_none_or(|from| from <= time) && self.to.is_none_or(|to| time < to)
    }

    /// Whether some time lies within both.
    pub fn overlaps(&self, other: &Window) -> bool {
        let before = |end: Option<UnixSeconds>, start: Option<UnixSeconds>| {
            end.zip(start).is_some_and(|(end, start)| end <= start)
        };
        !before(self.to, other.from) && !before(other.to, self.from)
    }
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

    /// Whether the study collects a record of this event time for the participant.
    pub fn collects(&self, time: UnixSeconds) -> bool {
        self.state != ParticipantState::Withdrawn
            && self.window.contains(time)
            && !self.pauses.iter().any(|pause| pause.contains(time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(from: Option<i64>, to: Option<i64>) -> Window {
        Window { from: from.map(UnixSeconds), to: to.map(UnixSeconds) }
    }

    #[test]
    fn window_holds_its_first_second_and_not_its_end() {
        let day = window(Some(10), Some(20));
        assert!(day.contains(UnixSeconds(10)) && !day.contains(UnixSeconds(20)));
        assert!(window(None, None).contains(UnixSeconds(i64::MIN)));
    }

    #[test]
    fn windows_that_only_touch_do_not_overlap() {
        assert!(!window(None, Some(10)).overlaps(&window(Some(10), None)));
        assert!(window(None, Some(11)).overlaps(&window(Some(10), None)));
    }
}
