//! Which members of a record identify a person: they go to the identity part, pseudonyms stand in their place.
//!
//! Facts: Activity API 1.2.3 and Women's Health API 1.0.4, the summaries' field tables.

use crate::crypto::digest::DigestKey;
use crate::crypto::key::Key;
use crate::json::rewrite::{Action, Rules};
use crate::model::connection::ConnectionDigest;
use crate::model::entry::{Entry, Field};
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
    pub fn pull(&self, summary_type: &SummaryType, entry: &Entry) -> KeyDigest {
        let text = |field| entry.field(field).unwrap_or_default().as_bytes();
        let window = [text(Field::UploadStart), text(Field::UploadEnd), text(Field::SummaryId)];
        // A ping that names neither window nor file is told from others by its URL alone.
        let url = if window.iter().all(|part| part.is_empty()) { text(Field::CallbackUrl) } else { &[] };
        self.of(&[b"pull", summary_type.name().as_bytes(), window[0], window[1], window[2], url])
    }

    fn of(&self, parts: &[&[u8]]) -> KeyDigest {
        let digest = self.0.digest(parts);
        KeyDigest(digest[..10].try_into().expect("a digest has 32 bytes"))
    }
}

/// The rules by which a record is separated.
pub enum Separation<'a> {
    /// For a participant: what identifies goes to the identity part.
    Participant(&'a Pseudonyms),
    /// For a connection that nobody is linked to: whole, but for whose it is.
    Held,
}

impl Rules for Separation<'_> {
    fn action(&mut self, path: &[Box<str>], name: &str) -> Action {
        if matches!(self, Self::Held) {
            let owner = path.is_empty() && matches!(name, "userId" | "userAccessToken");
            return if owner { Action::DropUndigested } else { Action::Keep };
        }
        match name {
            "userId" | "userAccessToken" | "callbackURL" => Action::DropUndigested,
            "summaryId" | "activityName" | "activityDescription" => Action::Divert,
            "activityId" | "parentSummaryId" => Action::Replace,
            "title" if path.last().is_some_and(|parent| &**parent == "pregnancySnapshot") => Action::Divert,
            _ => Action::Keep,
        }
    }

    fn replace(&mut self, _: &[Box<str>], name: &str, value: &str) -> Option<(String, String)> {
        let Self::Participant(pseudonyms) = self else { return None };
        let (name, pseudonym) = match name {
            "activityId" => ("activity_id", pseudonyms.activity(value)),
            _ => ("parent_record_id", pseudonyms.record(value)),
        };
        Some((name.to_owned(), format!("\"{}\"", pseudonym.text())))
    }
}

/// Diverted members as one JSON object; empty bytes where there are none.
pub fn identity_part(diverted: &[(String, String)]) -> Vec<u8> {
    let mut part = Vec::new();
    for (at, (name, value)) in diverted.iter().enumerate() {
        part.push(if at == 0 { b'{' } else { b',' });
        serde_json::to_writer(&mut part, name).expect("text is written to memory");
        part.push(b':');
        part.extend_from_slice(value.as_bytes());
    }
    if !part.is_empty() {
        part.push(b'}');
    }
    part
}
