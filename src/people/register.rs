//! The register of what was handed out: each completed export with its terms, the codes in it, and each participant as
//! they were then, so that an earlier export can be told apart from a later one, and made again.
//!
//! Codes and terms outlast a purge: they are pseudonyms, and a receipt names the exports that a purge did not reach. The
//! participants as they were are sealed under their own keys and go with them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::model::{
    id::{OwnerId, StudyId},
    participant::{Participant, Window},
    study::Rules,
    time::UnixSeconds,
};
use crate::people::{
    People,
    refusal::Refusal,
    rows::{Row, Unreadable},
};
use crate::store::engine::{Batch, SITE, row, table};

/// A row of the register holds so many codes: it stays below what the engine keeps well.
const CODES_A_ROW: usize = 50;

/// What a completed export was, as its maker says it.
#[derive(Clone, Debug)]
pub struct HandedOver {
    /// When it was made.
    pub made: UnixSeconds,
    /// SHA-256 of its manifest, 64 hexadecimal digits.
    pub manifest: String,
    /// Who is in it, as they were.
    pub participants: Vec<Arc<Participant>>,
    /// On which terms.
    pub terms: Terms,
}

/// On which terms an export was handed out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// The newest commit of records that it could hold.
    pub sequence: u64,
    /// The event times it covers.
    pub window: Window,
    /// Whether only the participants who were asked for are in it.
    pub some_participants: bool,
    /// Whether it holds every version of a record.
    pub revisions: bool,
    /// The names of its tables, in order; empty where it has all.
    #[serde(default)]
    pub tables: Vec<String>,
    /// The form of its tables: `csv`, `parquet` or `ndjson`.
    pub format: String,
    /// The study's rules then.
    pub rules: Rules,
    /// Their version.
    pub rules_version: u32,
    /// SHA-256 of the text of each recipient.
    pub recipients: Vec<String>,
    /// The program that made it.
    pub software: String,
    /// Whether it holds only what came, changed or went since `changes_since`.
    pub increment: bool,
    /// The export that its list of changes compares with.
    pub changes_since: Option<u32>,
    /// The export that it makes again.
    pub as_of: Option<u32>,
    /// Who asked for it.
    pub by: String,
}

/// An export that was handed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// Its number.
    pub number: u32,
    /// When it was made.
    pub made: UnixSeconds,
    /// SHA-256 of its manifest, 64 hexadecimal digits.
    pub manifest: String,
    /// How many participants are in it.
    pub participants: u64,
    /// Those of them who were asked for, by code.
    pub members: Vec<Member>,
    /// On which terms; versions that kept none have none.
    pub terms: Option<Terms>,
}

/// Who is in an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The code.
    pub code: String,
    /// Whose it was; versions that kept no terms have none.
    pub id: Option<OwnerId>,
}

/// A completed export that holds a code. Once it has left, a purge does not reach it: a receipt names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandedOut {
    /// Its number.
    pub number: u32,
    /// When it was made.
    pub made: UnixSeconds,
    /// SHA-256 of its manifest, 64 hexadecimal digits.
    pub manifest: String,
    /// The codes in it.
    pub codes: Vec<String>,
}

/// A part of the codes of an export, as stored.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    number: u32,
    made: UnixSeconds,
    manifest: String,
    codes: Vec<String>,
    /// Beside the codes, in their order.
    #[serde(default)]
    owners: Vec<OwnerId>,
}

impl People {
    /// The completed exports of a study, by number, without their members.
    pub fn exports(&self, study: &StudyId) -> Result<Vec<Export>, Refusal> {
        self.register(study, &row(&SITE, table::EXPORT, study.as_bytes()), &|_| false)
    }

    /// The completed export of this number, with its members.
    pub fn export(&self, study: &StudyId, number: u32) -> Result<Export, Refusal> {
        let found = self.register(study, &Row::export_terms(study, number).key(), &|_| true)?;
        found.into_iter().find(|export| export.number == number).ok_or(Refusal::NoExport(number))
    }

    /// The participant as the export of this number handed them out, where it did.
    pub fn handed_out(&self, id: &OwnerId, number: u32) -> Result<Option<Participant>, Refusal> {
        let prefix = Row::handed_out_prefix(id);
        let mut latest = None;
        self.engine.scan(&prefix, &mut |key, sealed| {
            let of = key[prefix.len()..].try_into().map(u32::from_be_bytes);
            if let Some(of) = of.ok().filter(|of| *of <= number) {
                latest = Some((of, sealed.to_vec()));
            }
            true
        })?;
        Ok(latest.and_then(|(of, sealed)| self.opened(&Row::handed_out(id, of), &sealed)))
    }

    /// The completed exports of a study that hold this participant, under whatever code, by number; each with this
    /// participant alone as its member.
    pub fn exports_of(&self, study: &StudyId, id: &OwnerId, code: &str) -> Result<Vec<Export>, Refusal> {
        let is = |member: &Member| member.id.map_or(member.code == code, |of| of == *id);
        let mut found = self.register(study, &row(&SITE, table::EXPORT, study.as_bytes()), &is)?;
        found.retain(|export| !export.members.is_empty());
        Ok(found)
    }

    /// The completed exports of a study that hold this code, by number.
    pub fn exports_with(&self, study: &StudyId, code: &str) -> Result<Vec<HandedOut>, Refusal> {
        let prefix = row(&SITE, table::EXPORT, study.as_bytes());
        let found = self.register(study, &prefix, &|member| member.code == code)?;
        let found = found.into_iter().filter(|export| !export.members.is_empty());
        let shown =
            |Export { number, made, manifest, .. }| HandedOut { number, made, manifest, codes: vec![code.to_owned()] };
        Ok(found.map(shown).collect())
    }

    /// What of the register has keys that begin so, with those members.
    fn register(
        &self,
        study: &StudyId,
        prefix: &[u8],
        wanted: &dyn Fn(&Member) -> bool,
    ) -> Result<Vec<Export>, Refusal> {
        let before = row(&SITE, table::EXPORT, study.as_bytes()).len();
        let mut exports: BTreeMap<u32, Export> = BTreeMap::new();
        let mut terms: BTreeMap<u32, Terms> = BTreeMap::new();
        let completed = self.read().study_of_id(study).map_or(0, |study| study.exports);
        self.engine.scan(prefix, &mut |key, sealed| {
            let Some((number, part)) = numbers(&key[before..]) else { return true };
            // What an attempt that did not complete left behind is no export.
            if number > completed {
                return true;
            }
            match part {
                None => {
                    terms.extend(self.opened(&Row::export_terms(study, number), sealed).map(|found| (number, found)))
                }
                Some(part) => {
                    if let Some(found) = self.opened(&Row::export(study, number, part), sealed) {
                        add(&mut exports, found, wanted);
                    }
                }
            }
            true
        })?;
        for (number, export) in &mut exports {
            export.terms = terms.remove(number);
        }
        Ok(exports.into_values().collect())
    }

    /// The rows of an export.
    pub(super) fn register_rows(&self, study: &StudyId, number: u32, export: &HandedOver) -> Result<Batch, Refusal> {
        let mut batch = Batch::default();
        let terms = Row::export_terms(study, number);
        batch.put(terms.key(), self.rows.seal(&terms, &export.terms).ok_or(Refusal::Keyring)?);
        let nobody = [&[] as &[Arc<Participant>]];
        let chunks = export
            .participants
            .chunks(CODES_A_ROW)
            .chain(nobody.into_iter().filter(|_| export.participants.is_empty()));
        for (part, members) in (0..).zip(chunks) {
            let row = Row::export(study, number, part);
            let stored = Part {
                number,
                made: export.made,
                manifest: export.manifest.clone(),
                codes: members.iter().map(|member| member.code.clone()).collect(),
                owners: members.iter().map(|member| member.id).collect(),
            };
            batch.put(row.key(), self.rows.seal(&row, &stored).ok_or(Refusal::Keyring)?);
        }
        Ok(batch)
    }

    /// A row that does not open is passed over, and said to be.
    fn opened<T: DeserializeOwned>(&self, row: &Row, sealed: &[u8]) -> Option<T> {
        match self.rows.open(row, sealed) {
            Ok(found) => Some(found),
            Err(Unreadable::NoKey) => None,
            Err(unreadable) => {
                tracing::error!(%unreadable, "what was handed out cannot all be read; check the disk");
                None
            }
        }
    }
}

fn add(exports: &mut BTreeMap<u32, Export>, part: Part, wanted: &dyn Fn(&Member) -> bool) {
    let Part { number, made, manifest, codes, owners } = part;
    let empty = || Export { number, made, manifest, participants: 0, members: Vec::new(), terms: None };
    let export = exports.entry(number).or_insert_with(empty);
    export.participants += codes.len() as u64;
    let owners = owners.into_iter().map(Some).chain(std::iter::repeat(None));
    let members = codes.into_iter().zip(owners).map(|(code, id)| Member { code, id });
    export.members.extend(members.filter(wanted));
}

/// The export's number, and the part where the row holds codes, of what follows the study in a row's key.
fn numbers(item: &[u8]) -> Option<(u32, Option<u16>)> {
    let (number, part) = item.split_first_chunk()?;
    let part = if part.is_empty() { None } else { Some(u16::from_be_bytes(part.try_into().ok()?)) };
    Some((u32::from_be_bytes(*number), part))
}
