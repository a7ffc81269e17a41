//! Pseudonyms: what stands for Garmin's ids in a participant's records, under a key of the participant's own.

use crate::crypto::digest::DigestKey;
use crate::crypto::key::Key;
use crate::model::connection::ConnectionDigest;
use crate::model::summary::{NaturalKey, SummaryType};
use crate::records::index::KeyDigest;

/// Makes the pseudonyms of one participant.
#[derive(Clone)]
pub struct Pseudonyms(DigestKey);

impl Pseudonyms {
    /// Under the participant's pseudonym key.
    pub fn new(key: &Key) -> Self {
        Self(DigestKey::new(key, "pseudonym"))
    }

    /// Of a summaryId, a parent's included, so that child and parent join.
    pub fn record(&self, summary_id: &str) -> KeyDigest {
        self.of(&[b"summary", summary_id.as_bytes()])
    }

    /// Of an activityId, number or string alike.
    pub fn activity(&self, activity_id: &str) -> KeyDigest {
        self.of(&[b"activity", activity_id.as_bytes()])
    }

    /// The natural key of a record. A date names a record only among those of one connection.
    pub fn natural_key(&self, key: NaturalKey, text: &str, connection: &ConnectionDigest) -> KeyDigest {
        match key {
            NaturalKey::SummaryId => self.record(text),
            NaturalKey::PeriodStartDate => self.of(&[b"period", text.as_bytes(), &connection.0]),
            NaturalKey::CalendarDate => self.of(&[b"day", text.as_bytes(), &connection.0]),
        }
    }

    /// The key of a record that has no natural key: its content.
    pub fn content(&self, summary_type: &SummaryType, digest: &[u8; 16]) -> KeyDigest {
        self.of(&[b"content", summary_type.name().as_bytes(), digest])
    }

    /// The name of a ping: the same window or file, pinged again, has the same one.
    pub fn pull(&self, ping: &[&[u8]; 5]) -> KeyDigest {
        self.of(&[b"pull", ping[0], ping[1], ping[2], ping[3], ping[4]])
    }

    fn of(&self, parts: &[&[u8]]) -> KeyDigest {
        let digest = self.0.digest(parts);
        KeyDigest(digest[..10].try_into().expect("a digest has 32 bytes"))
    }
}
