//! Records: one pass over an item's bytes makes the copy of everybody it belongs to.

use crate::crypto::key::random;
use crate::dataset::deidentify::Deidentify;
use crate::filing::arrival::Arrival;
use crate::filing::batch::{Batch, Target};
use crate::filing::facts::natural_key;
use crate::filing::failure::Failure;
use crate::filing::item::{Bytes, Copy, FileDigest, LARGE_BYTES, Sink};
use crate::filing::separate::{Separation, identity_part, minimise};
use crate::json::rewrite::Rewritten;
use crate::model::entry::{Field, Shape};
use crate::model::id::{BlobId, OwnerId};
use crate::model::study::Keep;
use crate::records::index::{ContentDigest, IndexEntry, KeyDigest, Place};
use crate::records::large::LargeWriter;
use crate::records::read::LARGE;
use crate::telemetry::filing::RecordResult;

/// What a record takes in memory beside its bytes: its index entry and its place among those gathered.
const RECORD_BYTES: usize = 256;
/// Stands between the object of a record and the file that belongs to it: no object has one outside its texts.
const BEFORE_FILE: &[u8] = b"\n";

impl Batch<'_> {
    /// Files the item for each of these.
    pub(super) fn file(
        &mut self,
        arrival: &Arrival<'_>,
        bytes: &mut Bytes<'_>,
        targets: &[Target<'_>],
    ) -> Result<(), Failure> {
        let (span, summary_type) = (arrival.entry.span.clone(), arrival.summary_type.name());
        let file = arrival.entry.file();
        let large = file.is_some() || span.end - span.start > LARGE_BYTES;
        let mut sinks = Vec::with_capacity(targets.len());
        for target in targets {
            self.owner(&target.owner())?;
            sinks.push(self.sink(&target.owner(), large)?);
        }
        let mut copies: Vec<Copy<'_>> = Vec::with_capacity(targets.len());
        for (target, sink) in targets.iter().zip(sinks) {
            let separation = match target {
                Target::Participant(id, _) => Separation::Participant {
                    pseudonyms: &self.owners[id].pseudonyms,
                    minimised: target.minimised().and_then(|rules| Deidentify::new(rules, summary_type)),
                },
                Target::Held(_) => Separation::Held,
            };
            copies.push(Copy::new(separation, &self.tools.content_key, sink));
        }
        bytes.read(span, &mut |piece| copies.iter_mut().for_each(|copy| copy.feed(piece)))?;
        let finished: Result<Vec<_>, _> = copies.into_iter().map(Copy::finish).collect();
        let mut finished = finished.map_err(|_| Failure::Inconsistent)?;
        if let Some(file) = file {
            let mut whole: Vec<_> = targets
                .iter()
                .zip(&mut finished)
                .filter(|(target, _)| keeps_file(**target))
                .map(|(_, kept)| kept)
                .collect();
            let mut digest = FileDigest::new(&self.tools.content_key);
            whole.iter_mut().for_each(|(sink, _)| sink.write(BEFORE_FILE));
            bytes.read(file, &mut |piece| {
                digest.update(piece);
                whole.iter_mut().for_each(|(sink, _)| sink.write(piece));
            })?;
            whole.iter_mut().for_each(|(_, rewritten)| rewritten.digest = digest.with(&rewritten.digest));
        }
        for (target, (_, rewritten)) in targets.iter().zip(&mut finished) {
            if target.minimised().is_some() {
                minimise(&mut rewritten.diverted);
            }
        }
        for (target, (sink, rewritten)) in targets.iter().zip(finished) {
            self.gather(arrival, *target, sink, &rewritten)?;
        }
        Ok(())
    }

    /// One copy: new, a revision, or a duplicate.
    fn gather(
        &mut self,
        arrival: &Arrival<'_>,
        target: Target<'_>,
        sink: Sink,
        rewritten: &Rewritten,
    ) -> Result<(), Failure> {
        let summary_type = &arrival.summary_type;
        let id = target.owner();
        let catalog = self.tools.catalog;
        let sequence = self.sequence;
        let owner = self.owner(&id)?;
        let content = ContentDigest(rewritten.digest[..8].try_into().expect("a digest has 16 bytes"));
        let by_content = || match target {
            Target::Participant(..) => owner.pseudonyms.content(summary_type, &rewritten.digest),
            Target::Held(_) => KeyDigest(rewritten.digest[..10].try_into().expect("a digest has 16 bytes")),
        };
        // Of what is held every version counts, but for a file, which can be had once.
        let by_name = matches!(target, Target::Participant(..)) || arrival.entry.shape == Shape::File;
        let key = match natural_key(summary_type, arrival.entry).filter(|_| by_name) {
            Some((kind, text)) => owner.pseudonyms.natural_key(kind, text, &arrival.connection),
            None => by_content(),
        };
        let record_id = match (arrival.entry.field(Field::SummaryId), target) {
            (Some(text), Target::Participant(..)) => owner.pseudonyms.record(text),
            (None, _) | (_, Target::Held(_)) => key,
        };
        let judged = owner.judge(catalog, &id, summary_type, key, content)?;
        let counted = if matches!(target, Target::Held(_)) { RecordResult::Held } else { judged };
        if judged != RecordResult::Duplicate {
            let record = IndexEntry {
                summary_type: summary_type.clone(),
                key,
                record_id,
                digest: content,
                start: arrival.facts.start,
                offset: arrival.facts.offset,
                received: arrival.header.received,
                rank: arrival.facts.rank,
                sequence,
                data: Place::Packed { offset: 0, length: 0 },
                identity: (0, 0),
            };
            let identity = identity_part(&rewritten.diverted);
            let (data_bytes, memory_bytes) = match sink {
                Sink::Memory(data) => {
                    owner.builder.push(record, &data, &identity);
                    (data.len() as u64, data.len())
                }
                Sink::File(writer) => {
                    let blob = writer.finish()?;
                    owner.builder.push_large(record, blob, &identity);
                    (catalog.blobs.size(blob), 0)
                }
                Sink::Failed(error) => return Err(error.into()),
            };
            self.bytes += RECORD_BYTES + identity.len() + memory_bytes;
            if let Target::Held(id) = target {
                self.note_held(id, summary_type, data_bytes);
            }
        }
        self.tally.count(summary_type, counted);
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

/// Whether the bytes of a file are stored, and not only what is said of it.
fn keeps_file(target: Target<'_>) -> bool {
    target.minimised().is_none_or(|rules| rules.files == Keep::Keep)
}
