//! A purge as it is written down: what started it, how far it has come, what it destroyed.
//!
//! ```text
//! waiting ─▶ tombstoned ─▶ destroying ─▶ destroyed ─▶ erased      (then the database is compacted)
//!    └─────▶ rejected
//! ```
//! Never: anything of the person but the study and the code.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::backup::Missed;
use crate::model::connection::ClientId;
use crate::model::id::OwnerId;
use crate::model::study::DataFate;
use crate::model::time::UnixSeconds;

/// Names a purge; random.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PurgeId(pub [u8; 8]);

/// What started a purge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// Garmin's notice.
    Deregistration,
    /// A person at the site.
    Person,
    /// The end of the study.
    StudyClosed,
}

/// How far a purge has come; what is named has been done, and is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// The participant is locked, and nothing is destroyed.
    Waiting,
    /// Nothing is read of the participant, and what comes is dropped.
    Tombstoned,
    /// What is there is counted, and the keys are about to go.
    Destroying,
    /// The keys are destroyed with their epoch.
    Destroyed,
    /// Rows and files are gone.
    Erased,
    /// A person decided against it; nothing was destroyed.
    Rejected,
}

/// Why a purge waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// The study gives a grace.
    Grace,
    /// Too many notices came at once: a person is to look.
    Flood,
    /// A notice came a moment ago: what comes behind it may show that it is one of a flood.
    Settling,
}

/// A purge that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wait {
    /// Why.
    pub why: Why,
    /// When it begins all the same.
    pub until: UnixSeconds,
}

/// When each step was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Times {
    /// The notice came, or a person decided.
    pub requested: UnixSeconds,
    /// Reads were refused from here on.
    pub tombstoned: Option<UnixSeconds>,
    /// Everything taken before was filed, and what there was counted.
    pub counted: Option<UnixSeconds>,
    /// The survivors' keys were under the next epoch, and this one was destroyed.
    pub destroyed: Option<UnixSeconds>,
    /// Rows and files were gone.
    pub erased: Option<UnixSeconds>,
    /// The database was rewritten without what was deleted.
    pub compacted: Option<UnixSeconds>,
    /// A person decided against it.
    pub rejected: Option<UnixSeconds>,
}

/// What a purge destroyed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Records, revisions included; none where they are retained.
    pub records: u64,
    /// Bytes of records, or of their identifying parts where the rest is retained.
    pub bytes: u64,
    /// Pings that waited to be pulled.
    pub pulls: u64,
    /// Refused items.
    pub quarantined: u64,
    /// Links to Garmin connections.
    pub links: u64,
}

/// Whether the database was rewritten since.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Compaction {
    /// It is due.
    #[default]
    Pending,
    /// It waits for space on the disk.
    WaitsForSpace,
    /// It was: nothing that was deleted is in its files.
    Done,
}

/// A purge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Purge {
    /// Names it.
    pub id: PurgeId,
    /// Under whose id the keys were kept.
    pub owner: OwnerId,
    /// The study's name.
    pub study: String,
    /// The participant's code.
    pub code: String,
    /// The Garmin client that the notice came for.
    pub client: Option<ClientId>,
    /// What started it.
    pub cause: Cause,
    /// What becomes of the data.
    pub fate: DataFate,
    /// How far it has come.
    pub stage: Stage,
    /// What it waits for, while it does.
    pub wait: Option<Wait>,
    /// When.
    pub times: Times,
    /// The epoch that is destroyed.
    pub epoch: Option<u64>,
    /// What was destroyed.
    pub destroyed: Counts,
    /// What of the site's quarantine had no readable owner then.
    pub ownerless: u64,
    /// When the last of that expires.
    pub ownerless_until: Option<UnixSeconds>,
    /// Of the database.
    pub compaction: Compaction,
    /// The entry of the audit log, where there is one.
    pub audit: Option<u64>,
    /// The backups that still hold the destroyed keys.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub backups_not_reached: Vec<Missed>,
}

impl Purge {
    /// Whether something is still to be destroyed.
    pub fn is_open(&self) -> bool {
        self.stage < Stage::Erased
    }

    /// Whether it waits for the moment that shows whether its notice is one of a flood.
    pub fn is_settling(&self) -> bool {
        self.is_waiting() && self.wait.is_some_and(|wait| wait.why == Why::Settling)
    }

    /// Whether it waits for a person or for time.
    pub fn is_waiting(&self) -> bool {
        self.stage == Stage::Waiting
    }
}

impl fmt::Display for PurgeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for PurgeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PurgeId({self})")
    }
}

impl PurgeId {
    /// The id of this text.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = data_encoding::HEXLOWER.decode(text.as_bytes()).ok()?;
        bytes.try_into().ok().map(Self)
    }
}

impl Serialize for PurgeId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PurgeId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("not 16 hexadecimal digits"))
    }
}
