//! What the directory answers about connections.

use std::sync::Arc;

use crate::model::{
    connection::ConnectionDigest,
    id::OwnerId,
    participant::{Moment, Participant, Window},
    study::{Study, StudyState},
    time::UnixSeconds,
};
use crate::people::held::Held;

/// What is known of a connection.
#[derive(Debug)]
pub enum Standing<'a> {
    /// Linked to these participants, one entry for each link, ended ones too.
    Linked(&'a [LinkedTo]),
    /// Held under this owner's key.
    Held(OwnerId),
    /// Its user has left: what comes is dropped.
    Tombstoned,
    /// Nothing.
    Unknown,
}

/// One link of a connection.
#[derive(Clone, Debug)]
pub struct LinkedTo {
    /// The participant.
    pub participant: Arc<Participant>,
    /// The participant's study.
    pub study: Arc<Study>,
    /// The event times that the link covers.
    pub window: Window,
}

impl LinkedTo {
    /// Whether a record of this event time is collected over this link. (Types are the study's rules' matter.)
    pub fn collects(&self, time: impl Into<Moment>) -> bool {
        let time = time.into();
        self.study.state != StudyState::Closed && self.window.contains(time) && self.participant.collects(time)
    }

    /// Whether a record of this event time may be collected over this link, whatever its offset from UTC turns out to be.
    pub fn may_collect(&self, time: UnixSeconds) -> bool {
        self.study.state != StudyState::Closed && self.window.may_contain(time) && self.participant.may_collect(time)
    }
}

/// Whose current link a connection is, and whose it was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkHolders {
    /// Participants with a link that has not ended.
    pub current: Vec<OwnerId>,
    /// Participants all of whose links to it ended before.
    pub ended: Vec<OwnerId>,
}

/// A held connection in memory.
#[derive(Clone)]
pub struct HeldConnection {
    /// Finds the connection.
    pub digest: ConnectionDigest,
    /// What is stored of it.
    pub held: Arc<Held>,
}

/// A held connection whose data wait to be filed for the participants it is linked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PickUp {
    /// Under whose key the data are held.
    pub owner: OwnerId,
    /// The connection; it resolves to its participants.
    pub connection: ConnectionDigest,
}

/// Whether a link has not ended at this time.
pub fn is_current(window: &Window, now: UnixSeconds) -> bool {
    window.is_current(now)
}
