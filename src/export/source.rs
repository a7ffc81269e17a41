//! The store as a dataset sees it: participants and chosen records, read as they are asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use serde_json::value::RawValue;

use crate::dataset::source::{Content, ParticipantRow, RecordHead, Source, Visitor};
use crate::export::select::{Chosen, Scope, select};
use crate::model::id::OwnerId;
use crate::model::participant::Participant;
use crate::model::study::{Keep, Rules};
use crate::model::summary::SummaryType;
use crate::people::People;
use crate::records::catalog::{Catalog, Error};
use crate::records::head::PackId;
use crate::records::index::IndexEntry;
use crate::records::read::Window;

/// A study's records.
pub struct StoreSource<'a> {
    catalog: &'a Catalog,
    people: &'a People,
    participants: Vec<Arc<Participant>>,
    rules: Rules,
    scope: Scope,
    sequence: u64,
}

impl<'a> StoreSource<'a> {
    /// The records of these participants up to this commit, sorted by code here: what is filed meanwhile is another
    /// dataset's. The caller holds [`Catalog::reading`].
    pub fn new(
        catalog: &'a Catalog,
        people: &'a People,
        mut participants: Vec<Arc<Participant>>,
        rules: Rules,
        scope: Scope,
        sequence: u64,
    ) -> Self {
        participants.sort_by(|left, right| left.code.cmp(&right.code));
        Self { catalog, people, participants, rules, scope, sequence }
    }

    fn chosen(&self, participant: &Participant, wanted: impl Fn(&SummaryType) -> bool) -> io::Result<Vec<Chosen>> {
        self.check(&participant.id)?;
        let mut entries = self.catalog.entries(&participant.id).map_err(other)?;
        entries.retain(|(_, entry)| entry.sequence <= self.sequence);
        Ok(select(entries, participant, &self.scope, |summary_type| {
            self.rules.collects(summary_type.name()) && wanted(summary_type)
        }))
    }

    /// A participant who withdraws while the dataset is made ends it: nothing of theirs may be handed out.
    fn check(&self, id: &OwnerId) -> io::Result<()> {
        let directory = self.people.read();
        let takes_part = directory.participant(id).is_some_and(|found| found.is_readable());
        if takes_part { Ok(()) } else { Err(io::Error::other("a participant withdrew meanwhile; export again")) }
    }
}

impl Source for StoreSource<'_> {
    fn participants(&mut self) -> io::Result<Vec<ParticipantRow>> {
        let mut rows = Vec::with_capacity(self.participants.len());
        for participant in &self.participants {
            let chosen = self.chosen(participant, |_| true)?;
            let starts = || chosen.iter().filter_map(|version| version.entry.start);
            rows.push(ParticipantRow {
                code: participant.code.clone(),
                state: participant.state,
                window: participant.window,
                consent_version: participant.consent.as_ref().map(|consent| consent.version.clone()),
                consent_date: participant.consent.as_ref().map(|consent| consent.date.clone()),
                first_record: starts().min(),
                last_record: starts().max(),
                records: chosen.len() as u64,
            });
        }
        Ok(rows)
    }

    fn types(&mut self) -> io::Result<Vec<SummaryType>> {
        let mut types = BTreeSet::new();
        for participant in &self.participants {
            types.extend(self.chosen(participant, |_| true)?.into_iter().map(|version| version.entry.summary_type));
        }
        Ok(types.into_iter().collect())
    }

    fn records(&mut self, summary_type: &SummaryType, visit: &mut Visitor<'_>) -> io::Result<()> {
        for participant in &self.participants {
            let mut window = Window::default();
            let mut identities = Identities::default();
            for version in self.chosen(participant, |found| found == summary_type)? {
                self.check(&participant.id)?;
                let record_id = version.entry.record_id.text();
                let head = RecordHead {
                    participant: &participant.code,
                    record_id: &record_id,
                    received: version.entry.received,
                    revision: version.revision,
                    current: version.current,
                    start: version.entry.start,
                    offset: version.entry.offset,
                };
                let names = match self.rules.names {
                    Keep::Keep => identities.names(self.catalog, &participant.id, &version.pack, &version.entry)?,
                    Keep::Drop => Vec::new(),
                };
                let mut content = Stored {
                    catalog: self.catalog,
                    owner: participant.id,
                    version: &version,
                    window: &mut window,
                    names,
                };
                visit(&head, &mut content)?;
            }
        }
        Ok(())
    }
}

/// The content of a stored record.
struct Stored<'a> {
    catalog: &'a Catalog,
    owner: OwnerId,
    version: &'a Chosen,
    window: &'a mut Window,
    /// Members to put in front: `"activityName":"…",`.
    names: Vec<u8>,
}

impl Content for Stored<'_> {
    fn read(&mut self, piece: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        let Chosen { pack, entry, .. } = self.version;
        let mut names = self.names.clone();
        let read = self.catalog.data(&self.owner, pack, entry, self.window, &mut |bytes| {
            if names.is_empty() {
                return piece(bytes);
            }
            // The names stand behind the object's opening brace; an object without other members needs no comma.
            let rest = bytes.get(1..).unwrap_or_default();
            if rest.first() == Some(&b'}') {
                names.pop();
            }
            piece(b"{")?;
            piece(&std::mem::take(&mut names))?;
            piece(rest)
        });
        read.map_err(other)
    }
}

/// The identity parts of the pack read last.
#[derive(Default)]
struct Identities {
    pack: Option<PackId>,
    section: Vec<u8>,
}

impl Identities {
    /// The names and descriptions of a record as members with a comma behind each.
    fn names(&mut self, catalog: &Catalog, owner: &OwnerId, pack: &PackId, entry: &IndexEntry) -> io::Result<Vec<u8>> {
        if self.pack != Some(*pack) {
            self.section = catalog.identity_section(owner, pack).map_err(other)?;
            self.pack = Some(*pack);
        }
        let (from, length) = (entry.identity.0 as usize, entry.identity.1 as usize);
        let Some(part) = self.section.get(from..from + length).filter(|part| !part.is_empty()) else {
            return Ok(Vec::new());
        };
        // Values are copied as they were written: half a surrogate pair is valid JSON, and no text.
        let unreadable = |_| io::Error::new(io::ErrorKind::InvalidData, "a record's names cannot be read");
        let members: BTreeMap<String, &RawValue> = serde_json::from_slice(part).map_err(unreadable)?;
        let mut names = Vec::new();
        for name in ["activityName", "activityDescription"] {
            if let Some(value) = members.get(name) {
                names.extend_from_slice(format!("\"{name}\":{},", value.get()).as_bytes());
            }
        }
        Ok(names)
    }
}

fn other(error: Error) -> io::Error {
    io::Error::other(error.to_string())
}
