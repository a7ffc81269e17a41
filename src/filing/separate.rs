//! Which members of a record identify a person: they go to the identity part, pseudonyms stand in their place.
//!
//! Facts: Activity API 1.2.3 and Women's Health API 1.0.4, the summaries' field tables.

use crate::json::rewrite::{Action, Rules};
use crate::records::pseudonym::Pseudonyms;

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
