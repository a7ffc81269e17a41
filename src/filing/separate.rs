//! Separates a record: what names the person goes to the identity part, pseudonyms stand in its place, and what a study
//! that minimises drops goes nowhere.
//!
//! What names a person, and what a study's rules drop, is [`deidentify`](crate::dataset::deidentify)'s knowledge.

use crate::dataset::deidentify::{Change, Deidentify, Named, Part, Verdict, is_persons_words, part};
use crate::json::rewrite::{Action, Rules};
use crate::records::pseudonym::Pseudonyms;

/// The rules by which a record is separated.
pub enum Separation<'a> {
    /// For a participant: what identifies goes to the identity part.
    Participant {
        /// Makes what stands in its place.
        pseudonyms: &'a Pseudonyms,
        /// Where the study minimises, what it stores.
        minimised: Option<Deidentify<'a>>,
    },
    /// For a connection that nobody is linked to: whole, but for whose it is.
    Held,
}

impl Rules for Separation<'_> {
    fn action(&mut self, path: &[Box<str>], name: &str) -> Action {
        let Self::Participant { minimised, .. } = self else {
            let owner = path.is_empty() && matches!(name, "userId" | "userAccessToken");
            return if owner { Action::DropUndigested } else { Action::Keep };
        };
        // What is not stored is not digested: a copy with and one without it are the same record, and one that comes
        // again when the rules keep more is another version.
        let stored = minimised.map(|rules| rules.stored(path, name));
        match part(path, name) {
            Part::Nowhere => Action::DropUndigested,
            Part::Identity(Named::ByGarmin) if minimised.is_some() => Action::DropUndigested,
            Part::Identity(_) if stored == Some(Verdict::Drop) => Action::DropUndigested,
            Part::Identity(_) => Action::Divert,
            Part::Pseudonym => Action::Replace,
            Part::Data => match stored {
                None | Some(Verdict::Keep) => Action::Keep,
                Some(Verdict::Drop) => Action::DropUndigested,
                Some(Verdict::Change(_)) => Action::Replace,
            },
        }
    }

    fn replace(&mut self, path: &[Box<str>], name: &str, value: &str) -> Option<(String, String)> {
        let Self::Participant { pseudonyms, minimised } = self else { return None };
        let (name, pseudonym) = match name {
            "activityId" => ("activity_id", pseudonyms.activity(value)),
            "parentSummaryId" => ("parent_record_id", pseudonyms.record(value)),
            _ => {
                let rules = minimised.as_ref()?;
                let change: Change = match rules.stored(path, name) {
                    Verdict::Change(change) => change,
                    Verdict::Keep | Verdict::Drop => return None,
                };
                return rules.changed(change, value, None).map(|changed| (name.to_owned(), changed.json()));
            }
        };
        Some((name.to_owned(), format!("\"{}\"", pseudonym.text())))
    }
}

/// Of what was diverted, what a study that minimises stores: the words of persons that it keeps, and no original of what
/// was replaced.
pub fn minimise(diverted: &mut Vec<(String, String)>) {
    diverted.retain(|(path, _)| is_persons_words(path));
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
