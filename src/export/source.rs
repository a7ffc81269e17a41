//! The store as a dataset sees it: participants and chosen records, read as they are asked for.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::sync::Arc;

use serde_json::value::RawValue;

use crate::dataset::deidentify::{Deidentify, is_persons_words};
use crate::dataset::source::{
    Beside, Change, ChangeVisitor, ChangedRecord, Content, ParticipantRow, RecordHead, Source, TypesVisitor, Visitor,
    What,
};
use crate::export::difference::{Difference, difference};
use crate::export::plan::{Base, Plan, View};
use crate::export::select::{Chosen, select};
use crate::model::id::OwnerId;
use crate::model::participant::{Participant, ParticipantState};
use crate::model::study::Keep;
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
    plan: &'a Plan,
    /// The participants as the export that is compared with handed them out.
    before: HashMap<OwnerId, Arc<Participant>>,
    survey: Option<Survey>,
}

/// Who there is, and records of which types.
#[derive(Default)]
struct Survey {
    participants: Vec<ParticipantRow>,
    types: BTreeSet<SummaryType>,
}

/// Packs that were read lately: records that lie side by side in time are of several.
#[derive(Default)]
struct Windows {
    held: HashMap<PackId, (u64, Window)>,
    uses: u64,
}

/// Bytes of packs that are held at most, but for the one that is read.
const WINDOWS_BYTES_MAX: usize = 8 << 20;

impl Windows {
    fn of(&mut self, pack: &PackId) -> &mut Window {
        self.uses += 1;
        while !self.held.contains_key(pack)
            && self.held.values().map(|(_, window)| window.bytes()).sum::<usize>() > WINDOWS_BYTES_MAX
        {
            let oldest = self.held.iter().min_by_key(|(_, (used, _))| *used).map(|(pack, _)| *pack);
            oldest.map(|oldest| self.held.remove(&oldest));
        }
        let (used, window) = self.held.entry(*pack).or_default();
        *used = self.uses;
        window
    }
}

impl<'a> StoreSource<'a> {
    /// The records that this plan names: what is filed meanwhile is another dataset's. The caller holds
    /// [`Catalog::reading`].
    pub fn new(catalog: &'a Catalog, people: &'a People, plan: &'a Plan) -> Self {
        let before = plan.base.as_ref().map(Base::participants).unwrap_or_default();
        Self { catalog, people, plan, before, survey: None }
    }

    /// All that stands in the dataset of a participant, or would, were it no increment.
    fn chosen(&self, participant: &Participant, wanted: impl Fn(&SummaryType) -> bool) -> io::Result<Vec<Chosen>> {
        let view = &self.plan.view;
        Ok(viewed(self.entries(participant)?, view, participant, |summary_type| {
            view.rules.collects(summary_type.name()) && wanted(summary_type)
        }))
    }

    /// What is written of a participant.
    fn written(&self, participant: &Participant, wanted: impl Fn(&SummaryType) -> bool) -> io::Result<Vec<Chosen>> {
        match &self.plan.base {
            Some(base) if self.plan.lineage.increment => {
                let difference = self.difference(base, participant, wanted)?;
                Ok(difference.came.into_iter().map(|(version, _)| version).collect())
            }
            Some(_) | None => self.chosen(participant, wanted),
        }
    }

    /// What became of a participant's records since the export that is compared with.
    fn difference(
        &self,
        base: &Base,
        participant: &Participant,
        wanted: impl Fn(&SummaryType) -> bool,
    ) -> io::Result<Difference> {
        let entries = self.entries(participant)?;
        let of = |entries, view: &View, participant: &Participant| {
            viewed(entries, view, participant, |summary_type| {
                Deidentify::new(&view.rules, summary_type.name()).is_some() && wanted(summary_type)
            })
        };
        let earlier = self.before.get(&participant.id).filter(|earlier| earlier.code == participant.code);
        let before = earlier.map_or_else(Vec::new, |earlier| of(entries.clone(), &base.view, earlier));
        let view = &self.plan.view;
        let now = of(entries, view, participant);
        // Names go with the identity key when what identifies a participant is destroyed, and the rest is retained.
        let is_retained = |one: &Participant| one.state == ParticipantState::Retained;
        let names_went = view.rules.names == Keep::Keep
            && is_retained(participant)
            && !earlier.is_some_and(|earlier| is_retained(earlier));
        let again = |entry: &IndexEntry| base.everything_again || (names_went && entry.identity.1 > 0);
        Ok(difference(before, now, view.scope.revisions, again))
    }

    fn entries(&self, participant: &Participant) -> io::Result<Vec<(PackId, IndexEntry)>> {
        self.check(&participant.id)?;
        self.catalog.entries(&participant.id).map_err(other)
    }

    /// A participant who withdraws while the dataset is made ends it: nothing of theirs may be handed out.
    fn check(&self, id: &OwnerId) -> io::Result<()> {
        let directory = self.people.read();
        let takes_part = directory.participant(id).is_some_and(|found| found.is_readable());
        if takes_part { Ok(()) } else { Err(io::Error::other("a participant withdrew meanwhile; export again")) }
    }

    /// Who there is, and records of which types, found out once.
    fn survey(&mut self) -> io::Result<&Survey> {
        if self.survey.is_none() {
            let mut survey = Survey::default();
            for participant in &self.plan.view.participants {
                let chosen = self.chosen(participant, |_| true)?;
                let starts = || chosen.iter().filter_map(|version| version.entry.start);
                survey.participants.push(ParticipantRow {
                    code: participant.code.clone(),
                    state: participant.state,
                    window: participant.window,
                    consent_version: participant.consent.as_ref().map(|consent| consent.version.clone()),
                    consent_date: participant.consent.as_ref().map(|consent| consent.date.clone()),
                    first_record: starts().min(),
                    last_record: starts().max(),
                    records: chosen.len() as u64,
                    shift: participant.shift,
                });
                let written = if self.plan.lineage.increment { self.written(participant, |_| true)? } else { chosen };
                survey.types.extend(written.into_iter().map(|version| version.entry.summary_type));
            }
            self.survey = Some(survey);
        }
        Ok(self.survey.as_ref().expect("just made"))
    }

    /// Visits a participant's records of some types by time, which is about the order of their packs.
    fn records_of(
        &self,
        participant: &Participant,
        wanted: &dyn Fn(&SummaryType) -> bool,
        visit: &mut TypesVisitor<'_>,
    ) -> io::Result<()> {
        let (mut windows, mut identities) = (Windows::default(), Identities::default());
        let mut versions = self.written(participant, wanted)?;
        versions.sort_by_key(|version| {
            let entry = &version.entry;
            (entry.start.unwrap_or(entry.received), entry.record_id, entry.sequence)
        });
        for version in &versions {
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
                shift: participant.shift,
            };
            let names = match self.plan.view.rules.names {
                Keep::Keep => identities.names(self.catalog, &participant.id, &version.pack, &version.entry)?,
                Keep::Drop => Vec::new(),
            };
            let window = windows.of(&version.pack);
            let mut content = Stored { catalog: self.catalog, owner: participant.id, version, window, names };
            visit(&version.entry.summary_type, &head, &mut content)?;
        }
        Ok(())
    }

    /// The changes of a participant who stands in the dataset: the records that came or changed, then those that went.
    fn changes_of(&self, base: &Base, participant: &Participant, visit: &mut ChangeVisitor<'_>) -> io::Result<()> {
        let code = participant.code.as_str();
        if self.before.get(&participant.id).is_none_or(|earlier| earlier.code != code) {
            let when = Some(participant.added);
            visit(&Change { participant: code, record: None, what: What::Added, when, shift: participant.shift })?;
        }
        let Difference { mut came, mut gone } = self.difference(base, participant, |_| true)?;
        came.sort_by(|(left, _), (right, _)| left.entry.sort_key().cmp(&right.entry.sort_key()));
        gone.sort_by(|left, right| left.entry.sort_key().cmp(&right.entry.sort_key()));
        let came = came.iter().map(|(version, what)| (version, *what, version.entry.received));
        let gone = gone.iter().map(|version| (version, What::Removed, self.plan.noticed));
        for (version, what, when) in came.chain(gone) {
            let record_id = version.entry.record_id.text();
            let summary_type = &version.entry.summary_type;
            let record = ChangedRecord { summary_type, record_id: &record_id, revision: version.revision };
            visit(&Change {
                participant: code,
                record: Some(record),
                what,
                when: Some(when),
                shift: participant.shift,
            })?;
        }
        Ok(())
    }
}

/// The records of a participant as a view shows them.
fn viewed(
    mut entries: Vec<(PackId, IndexEntry)>,
    view: &View,
    participant: &Participant,
    wanted: impl Fn(&SummaryType) -> bool,
) -> Vec<Chosen> {
    entries.retain(|(_, entry)| entry.sequence <= view.sequence);
    select(entries, participant, &view.scope, wanted)
}

impl Source for StoreSource<'_> {
    fn participants(&mut self) -> io::Result<Vec<ParticipantRow>> {
        Ok(self.survey()?.participants.clone())
    }

    fn types(&mut self) -> io::Result<Vec<SummaryType>> {
        Ok(self.survey()?.types.iter().cloned().collect())
    }

    fn records(&mut self, summary_type: &SummaryType, visit: &mut Visitor<'_>) -> io::Result<()> {
        self.all_records(std::slice::from_ref(summary_type), &mut |_, head, content| visit(head, content))
    }

    fn all_records(&mut self, types: &[SummaryType], visit: &mut TypesVisitor<'_>) -> io::Result<()> {
        for participant in &self.plan.view.participants {
            self.records_of(participant, &|found| types.contains(found), visit)?;
        }
        Ok(())
    }

    fn changes(&mut self, visit: &mut ChangeVisitor<'_>) -> io::Result<()> {
        let Some(base) = &self.plan.base else { return Ok(()) };
        let present: HashMap<_, _> =
            self.plan.view.participants.iter().map(|participant| (participant.id, &participant.code)).collect();
        let mut departed = base.members.iter().filter_map(|member| match member.id.and_then(|id| present.get(&id)) {
            Some(code) if **code == member.code => None,
            Some(_) => Some((&member.code, What::Removed)),
            None => Some((&member.code, What::Withdrawn)),
        });
        let mut next = departed.next();
        for participant in &self.plan.view.participants {
            while let Some((code, what)) = next.filter(|(code, _)| **code <= participant.code) {
                visit(&Change { participant: code, record: None, what, when: Some(self.plan.noticed), shift: None })?;
                next = departed.next();
            }
            self.changes_of(base, participant, visit)?;
        }
        for (code, what) in next.into_iter().chain(departed) {
            visit(&Change { participant: code, record: None, what, when: Some(self.plan.noticed), shift: None })?;
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
    names: Vec<(String, String)>,
}

impl Content for Stored<'_> {
    fn read(&mut self, piece: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        let Chosen { pack, entry, .. } = self.version;
        self.catalog.data(&self.owner, pack, entry, self.window, piece).map_err(other)
    }

    fn beside(&self) -> Beside {
        Beside { names: self.names.clone(), shift: None }
    }
}

/// The identity parts of the pack read last.
#[derive(Default)]
struct Identities {
    pack: Option<PackId>,
    section: Vec<u8>,
}

impl Identities {
    /// The names and descriptions of a record, by their paths.
    fn names(
        &mut self,
        catalog: &Catalog,
        owner: &OwnerId,
        pack: &PackId,
        entry: &IndexEntry,
    ) -> io::Result<Vec<(String, String)>> {
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
        let names = members.into_iter().filter(|(path, _)| is_persons_words(path));
        Ok(names.map(|(path, value)| (path, value.get().to_owned())).collect())
    }
}

fn other(error: Error) -> io::Error {
    io::Error::other(error.to_string())
}
