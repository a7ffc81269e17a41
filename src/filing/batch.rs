//! A batch: items filed one after the other into packs in the making, until they are committed together.

use std::collections::HashMap;

use crate::crypto::key::random;
use crate::filing::facts::{Facts, facts, natural_key};
use crate::filing::failure::Failure;
use crate::filing::item::{Bytes, Copy, LARGE_BYTES, Sink};
use crate::filing::owner::Owner;
use crate::filing::quarantine::Quarantine;
use crate::filing::separate::{Separation, identity_part};
use crate::filing::tally::Tally;

use crate::journal::Header;
use crate::model::connection::ConnectionDigest;
use crate::model::entry::{Entry, Field, Shape};
use crate::model::id::{BlobId, OwnerId};
use crate::model::summary::{DEREGISTRATIONS, PERMISSION_CHANGES, SummaryType};
use crate::model::time::UnixSeconds;
use crate::people::held::HeldNote;
use crate::people::standing::LinkedTo;
use crate::records::catalog::Catalog;
use crate::records::index::{ContentDigest, IndexEntry, KeyDigest, Place};
use crate::records::large::LargeWriter;
use crate::records::read::LARGE;
use crate::store::engine::Batch as Rows;
use crate::telemetry::filing::RecordResult;

/// What a record takes in memory beside its bytes: its index entry and its place among those gathered.
const RECORD_BYTES: usize = 256;
/// A held connection shows so much of a type's name, in characters.
const HELD_NAME_CHARS: usize = 64;

/// What a batch is filed with.
pub struct Tools<'a> {
    /// Where records are kept.
    pub catalog: &'a Catalog,
    /// Where unreadable items are kept.
    pub quarantine: &'a Quarantine,
    /// Keys the content digests.
    pub content_key: [u8; 16],
}

/// Items on their way into the store.
pub struct Batch<'a> {
    pub(super) tools: &'a Tools<'a>,
    /// The number of the commit that this batch becomes.
    pub sequence: u64,
    /// The owners that have records in it.
    pub owners: HashMap<OwnerId, Owner>,
    /// Rows beside the packs.
    pub rows: Rows,
    /// What it did.
    pub tally: Tally,
    /// What it adds to held connections.
    pub held: HashMap<OwnerId, HeldNote>,
    /// The highest arrival time in it.
    pub newest: UnixSeconds,
    /// What it adds to held connections, in bytes.
    pub held_bytes: u64,
    pub(super) bytes: usize,
}

/// Who gets a record.
#[derive(Clone, Copy)]
enum Target {
    Participant(OwnerId),
    Held(OwnerId),
}

impl<'a> Batch<'a> {
    /// An empty batch.
    pub fn new(tools: &'a Tools<'a>, sequence: u64) -> Self {
        Self {
            tools,
            sequence,
            owners: HashMap::new(),
            rows: Rows::default(),
            tally: Tally::default(),
            held: HashMap::new(),
            newest: UnixSeconds(0),
            held_bytes: 0,
            bytes: 0,
        }
    }

    /// What it takes in memory, about.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// An item of a connection with links: a copy for every participant whose window covers it.
    pub fn linked(
        &mut self,
        entry: &Entry,
        bytes: &mut Bytes<'_>,
        header: &Header,
        connection: &ConnectionDigest,
        links: &[LinkedTo],
    ) -> Result<(), Failure> {
        let summary_type = SummaryType::named(&entry.member);
        if entry.shape == Shape::Ping {
            return self.ping(&summary_type, entry, bytes, header, links);
        }
        let facts = facts(&summary_type, entry);
        let time = facts.start.unwrap_or(header.received);
        let mut targets: Vec<Target> = Vec::new();
        let mut result = RecordResult::OutsideWindow;
        for linked in links.iter().filter(|linked| linked.collects(time)) {
            if linked.study.rules.collects(summary_type.name()) {
                targets.push(Target::Participant(linked.participant.id));
                self.tally.stored(linked.study.id, header.received);
            } else {
                result = RecordResult::NotPermitted;
            }
        }
        if targets.is_empty() {
            self.tally.count(&summary_type, result);
            return Ok(());
        }
        self.file(&summary_type, entry, bytes, header, facts, Some(connection), &targets)
    }

    /// An item of a connection that nobody is linked to.
    pub fn hold(
        &mut self,
        entry: &Entry,
        bytes: &mut Bytes<'_>,
        header: &Header,
        owner: OwnerId,
    ) -> Result<(), Failure> {
        let summary_type = SummaryType::named(&entry.member);
        let note = self.held.entry(owner).or_default();
        note.now = note.now.max(header.received);
        let facts = facts(&summary_type, entry);
        self.file(&summary_type, entry, bytes, header, facts, None, &[Target::Held(owner)])
    }

    /// An item that is dropped.
    pub fn drop_item(&mut self, entry: &Entry, result: RecordResult) {
        self.tally.count(&SummaryType::named(&entry.member), result);
    }

    /// One pass over the item's bytes makes every copy.
    #[expect(clippy::too_many_arguments, reason = "the facts of one item, all needed at once")]
    fn file(
        &mut self,
        summary_type: &SummaryType,
        entry: &Entry,
        bytes: &mut Bytes<'_>,
        header: &Header,
        facts: Facts,
        connection: Option<&ConnectionDigest>,
        targets: &[Target],
    ) -> Result<(), Failure> {
        self.newest = self.newest.max(header.received);
        let large = entry.span.end - entry.span.start > LARGE_BYTES;
        let mut sinks = Vec::with_capacity(targets.len());
        for target in targets {
            let id = target.owner();
            if !self.owners.contains_key(&id) {
                self.owners.insert(id, Owner::new(self.tools.catalog.keys(&id)?));
            }
            sinks.push(self.sink(&id, large)?);
        }
        let mut copies: Vec<Copy<'_>> = Vec::with_capacity(targets.len());
        for (target, sink) in targets.iter().zip(sinks) {
            let separation = match target {
                Target::Participant(id) => Separation::Participant(&self.owners[id].pseudonyms),
                Target::Held(_) => Separation::Held,
            };
            copies.push(Copy::new(separation, &self.tools.content_key, sink));
        }
        bytes.read(entry.span.clone(), &mut |piece| copies.iter_mut().for_each(|copy| copy.feed(piece)))?;
        let finished: Vec<_> = copies.into_iter().map(Copy::finish).collect();
        for (target, finished) in targets.iter().zip(finished) {
            let (sink, rewritten) = finished.map_err(|_| Failure::Inconsistent)?;
            let id = target.owner();
            let owner = self.owners.get_mut(&id).expect("every target's owner was added above");
            let content = ContentDigest(rewritten.digest[..8].try_into().expect("a digest has 16 bytes"));
            let by_content = || match target {
                Target::Participant(_) => owner.pseudonyms.content(summary_type, &rewritten.digest),
                Target::Held(_) => KeyDigest(rewritten.digest[..10].try_into().expect("a digest has 16 bytes")),
            };
            let key = match (natural_key(summary_type, entry), connection) {
                (Some((kind, text)), Some(connection)) => owner.pseudonyms.natural_key(kind, text, connection),
                (None, _) | (_, None) => by_content(),
            };
            let record_id = match (entry.field(Field::SummaryId), target) {
                (Some(text), Target::Participant(_)) => owner.pseudonyms.record(text),
                (None, _) | (_, Target::Held(_)) => key,
            };
            let judged = owner.judge(self.tools.catalog, &id, summary_type, key, content)?;
            let counted = if matches!(target, Target::Held(_)) { RecordResult::Held } else { judged };
            self.tally.count(summary_type, counted);
            if judged == RecordResult::Duplicate {
                continue;
            }
            let record = IndexEntry {
                summary_type: summary_type.clone(),
                key,
                record_id,
                digest: content,
                start: facts.start,
                offset: facts.offset,
                received: header.received,
                rank: facts.rank,
                sequence: self.sequence,
                data: Place::Packed { offset: 0, length: 0 },
                identity: (0, 0),
            };
            let identity = identity_part(&rewritten.diverted);
            self.bytes += RECORD_BYTES + identity.len();
            let data_bytes = match sink {
                Sink::Memory(data) => {
                    self.bytes += data.len();
                    owner.builder.push(record, &data, &identity);
                    data.len() as u64
                }
                Sink::File(writer) => {
                    let blob = writer.finish()?;
                    owner.builder.push_large(record, blob, &identity);
                    self.tools.catalog.blobs.size(blob)
                }
                Sink::Failed(error) => return Err(error.into()),
            };
            if let Target::Held(id) = target {
                self.held_bytes += data_bytes;
                let items = &mut self.held.entry(*id).or_default().items;
                *items.entry(summary_type.name().chars().take(HELD_NAME_CHARS).collect()).or_default() += 1;
            }
        }
        Ok(())
    }

    fn sink(&self, owner: &OwnerId, large: bool) -> Result<Sink, Failure> {
        if !large {
            return Ok(Sink::Memory(Vec::new()));
        }
        let catalog = self.tools.catalog;
        let id = BlobId::from_bytes(random(&*catalog.rng));
        let keys = &self.owners[owner].keys;
        let writer = LargeWriter::new(&catalog.blobs, id, &keys.data, LARGE, owner.as_bytes(), &*catalog.rng)?;
        Ok(Sink::File(Box::new(writer)))
    }
}

impl Target {
    fn owner(self) -> OwnerId {
        match self {
            Self::Participant(id) | Self::Held(id) => id,
        }
    }
}

/// Whether an item is a deregistration or a permission change: applied before the answer, not filed.
pub fn is_control(entry: &Entry) -> bool {
    matches!(&*entry.member, DEREGISTRATIONS | PERMISSION_CHANGES) && matches!(entry.shape, Shape::Push | Shape::Ping)
}
