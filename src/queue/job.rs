//! One job: what is to be pulled for one Garmin connection, and how far that has come.

use serde::{Deserialize, Serialize};

use crate::model::id::OwnerId;
use crate::model::pull::{PullId, PullRef};
use crate::model::summary::SummaryType;
use crate::model::time::UnixSeconds;
use crate::records::index::KeyDigest;

/// How long a callback URL is good for after its ping, in seconds. Source: Activity API 1.2.3, "Ping Service".
pub const URL_LIFE_S: i64 = 86_400;

/// A job in memory: what its order and its next step depend on. The URL stays sealed in the rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Which one.
    pub id: PullId,
    /// The place of the ping in the journal; a later ping for the same window renews the job.
    pub ping: u64,
    /// What is pulled.
    pub summary_type: SummaryType,
    /// The host that the URL names, by its place among the allowed ones.
    pub host: u16,
    /// When the ping came.
    pub received: UnixSeconds,
    /// When nothing is tried any more.
    pub deadline: UnixSeconds,
    /// How far it has come.
    pub state: State,
    /// The rows that hold it: one for each participant (or held connection) it is for.
    pub rows: Vec<(OwnerId, KeyDigest)>,
}

/// How far a job has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// What is to happen with it.
    pub phase: Phase,
    /// Requests made so far.
    pub attempts: u32,
    /// What the last one came to, where it brought no data.
    pub last: Option<Setback>,
    /// A file's only download was begun: where it did not end well, the file is gone.
    pub begun: bool,
}

/// What is to happen with a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It is tried at this time.
    Waiting(UnixSeconds),
    /// A request is under way.
    Running,
    /// The answer is durable in the journal; the job goes once it is filed.
    Delivered,
    /// It ended without data at this time.
    Ended(End, UnixSeconds),
}

/// How a job ended without data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// Garmin refused it for good: 400, 401, 403 and the like; or the URL leads elsewhere.
    Refused,
    /// The user has not permitted this type: a notice said so, or Garmin did by 412.
    NotPermitted,
    /// The file was downloaded before: 410, or its only download broke off.
    Gone,
    /// The URL's time ran out.
    Expired,
}

/// What a request came to, where it brought no data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Setback {
    /// This status.
    Status(u16),
    /// No connection.
    Unreachable,
    /// No trusted TLS connection.
    Tls,
    /// Nothing came for too long.
    TimedOut,
    /// The answer broke off, or is of another length than announced.
    Cut,
    /// The answer is no JSON array.
    Malformed,
    /// The answer is longer than `pull.max_body`.
    TooLarge,
    /// The URL leads elsewhere than to Garmin.
    Elsewhere,
    /// The gateway could not store it: no room, or stopping.
    NotStored,
}

impl Job {
    /// The ping that an answer of it would be to.
    pub fn pull(&self) -> PullRef {
        PullRef { id: self.id, ping: self.ping }
    }

    /// A clock that was ahead is put right: nothing that it said lies further ahead than it could.
    pub(crate) fn put_back(&mut self, now: UnixSeconds) {
        self.received = self.received.min(now);
        self.deadline = self.deadline.min(now.plus(URL_LIFE_S));
        if let Phase::Waiting(at) = &mut self.state.phase {
            *at = (*at).min(now);
        }
    }

    /// Whether it is a file, which can be downloaded once.
    pub fn is_file(&self) -> bool {
        is_file(&self.summary_type)
    }
}

/// Whether this type comes as files.
pub fn is_file(summary_type: &SummaryType) -> bool {
    summary_type.name() == "activityFiles"
}

impl End {
    /// Every end.
    pub const ALL: [Self; 4] = [Self::Refused, Self::NotPermitted, Self::Gone, Self::Expired];

    /// Its name in lists and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::NotPermitted => "not_permitted",
            Self::Gone => "gone",
            Self::Expired => "expired",
        }
    }
}

impl Setback {
    /// What happened, in words that name nobody.
    pub fn text(self) -> String {
        match self {
            Self::Status(status) => format!("Garmin answered {status}"),
            Self::Unreachable => "Garmin could not be reached".to_owned(),
            Self::Tls => "Garmin showed no trusted certificate".to_owned(),
            Self::TimedOut => "Garmin's answer took too long".to_owned(),
            Self::Cut => "Garmin's answer broke off".to_owned(),
            Self::Malformed => "Garmin's answer was no JSON array".to_owned(),
            Self::TooLarge => "Garmin's answer was longer than pull.max_body".to_owned(),
            Self::Elsewhere => "the URL leads elsewhere than to Garmin".to_owned(),
            Self::NotStored => "the answer could not be stored".to_owned(),
        }
    }
}
