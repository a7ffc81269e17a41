//! The filing thread: bodies in, batches committed, small packs merged, withdrawals carried out, old things expired.

use std::{collections::BTreeSet, fmt, io, sync::Arc, time::Duration};

use zstd::bulk::Compressor;

use crate::clock::Clock;
use crate::crypto::digest::DigestKey;
use crate::crypto::key::Rng;
use crate::crypto::keyring::{self, Keyring};
use crate::filing::batch::{Batch, Tools, is_control};
use crate::filing::item::Bytes;
use crate::filing::progress::{self, Progress};
use crate::filing::quarantine::Quarantine;
use crate::journal::{self, Body, Delivery, Header, Journal, Position, Reader};
use crate::lifecycle::Stopped;
use crate::model::connection::GarminUserId;
use crate::model::entry::{Entry, Shape, Whose};
use crate::model::id::OwnerId;
use crate::model::time::UnixSeconds;
use crate::people::People;
use crate::people::refusal::Refusal;
use crate::people::standing::Standing;
use crate::records::catalog::{self, Catalog, Prepared};
use crate::records::head::PackId;
use crate::records::{merge, pack::Sealed};
use crate::store::engine::{self, Batch as Rows, Engine};
use crate::telemetry::filing::{FilingMetrics, RecordResult};
use crate::withdrawal::Withdrawal;

/// Bodies that come within this time are filed together.
const GATHER: Duration = Duration::from_millis(100);
/// How long the journal may be silent before the chores are looked at.
const PATIENCE: Duration = Duration::from_millis(200);
/// Bodies filed together at most.
const BODIES_MAX: usize = 4096;
/// Bytes of bodies filed together at most, and of packs gathered before they are committed.
const BYTES_MAX: usize = 4 << 20;
/// Sealed packs of a merge that are committed together.
const MERGED_BYTES_MAX: usize = 2 << 20;
/// How often what expires is looked at, in seconds.
const EXPIRY_EVERY: i64 = 60;
/// The clock is not believed to expire anything when it is further than this from the highest time seen, in seconds.
const CLOCK_JUMP_MAX: i64 = 86_400;
const LEVEL_FRESH: i32 = 1;
const LEVEL_MERGED: i32 = 3;

/// Settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whether unknown connections are held.
    pub hold: bool,
    /// How long, in seconds.
    pub hold_for: i64,
    /// Bytes held at most, uncompressed.
    pub hold_bytes_max: u64,
    /// How long quarantined items are kept, in seconds.
    pub quarantine_for: i64,
}

/// What filing works with.
pub struct Parts {
    /// Settings.
    pub settings: Settings,
    /// Who is linked to what.
    pub people: Arc<People>,
    /// Where records go.
    pub catalog: Arc<Catalog>,
    /// Where unreadable items go.
    pub quarantine: Arc<Quarantine>,
    /// Who has left.
    pub withdrawal: Arc<Withdrawal>,
    /// The engine below.
    pub engine: Arc<dyn Engine>,
    /// The keys.
    pub keyring: Arc<Keyring>,
    /// Where bodies come from, and held items return to.
    pub journal: Journal,
    /// Randomness.
    pub rng: Arc<Rng>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Metrics.
    pub metrics: FilingMetrics,
}

/// The filing thread's own.
pub struct Filing {
    parts: Parts,
    reader: Reader,
    progress: Progress,
    content_key: [u8; 16],
    held_bytes: u64,
    expired_at: UnixSeconds,
    fresh: Compressor<'static>,
    merged: Compressor<'static>,
}

/// Why filing had to stop.
#[derive(Debug)]
pub enum Failure {
    /// The journal cannot be read.
    Journal(journal::Error),
    /// Records cannot be read or written.
    Records(catalog::Error),
    /// The engine failed.
    Engine(engine::Error),
    /// The keyring failed.
    Keyring(keyring::Error),
    /// The directory of people could not be changed.
    People(Refusal),
    /// A file could not be written.
    Io(io::Error),
    /// An item that the splitter took for well-formed is not.
    Inconsistent,
}

/// How far filing had come when the gateway last stopped.
pub fn load_progress(engine: &dyn Engine, keyring: &Keyring) -> Result<Progress, Failure> {
    match engine.get(&progress::key())? {
        None => Ok(Progress::default()),
        Some(sealed) => {
            progress::decode(&sealed, &keyring.site().index).map_err(|_| Failure::Records(catalog::Error::Tampered))
        }
    }
}

impl Filing {
    /// Filing that goes on from this progress.
    pub fn new(parts: Parts, reader: Reader, progress: Progress) -> Result<Filing, Failure> {
        let digest = DigestKey::new(&parts.keyring.site().index, "content").digest(&[]);
        parts.catalog.reached(progress.sequence);
        let held = parts.people.read();
        let held_bytes = held.held().map(|(owner, _)| raw_bytes(&parts.catalog, &owner)).sum();
        Ok(Filing {
            content_key: digest[..16].try_into().expect("a digest has 32 bytes"),
            held_bytes,
            expired_at: UnixSeconds(0),
            fresh: Compressor::new(LEVEL_FRESH)?,
            merged: Compressor::new(LEVEL_MERGED)?,
            parts,
            reader,
            progress,
        })
    }

    /// Files until the gateway stops and the journal is empty, or something fails.
    pub fn run(mut self, stopped: &Stopped) -> Result<(), Failure> {
        self.parts.metrics.quarantine_items.set(gauge(self.parts.quarantine.count()?));
        loop {
            let deliveries = self.gather()?;
            if deliveries.is_empty() {
                if stopped.is_stopped() && self.parts.journal.backlog().0 == 0 {
                    return Ok(());
                }
                self.parts.metrics.lag.set(0.0);
            } else {
                let waited = self.parts.clock.now().0.saturating_sub(deliveries[0].header.received.0);
                self.parts.metrics.lag.set(waited.max(0) as f64);
                self.file(deliveries)?;
            }
            self.chores()?;
        }
    }

    fn gather(&mut self) -> Result<Vec<Delivery>, Failure> {
        let mut deliveries = Vec::new();
        let Some(first) = self.next(PATIENCE)? else { return Ok(deliveries) };
        let mut bytes = inline_bytes(&first);
        let spilled = matches!(first.body, Body::Spilled(_));
        deliveries.push(first);
        let started = self.parts.clock.monotonic();
        while !spilled && deliveries.len() < BODIES_MAX && bytes < BYTES_MAX {
            let left = GATHER.saturating_sub(self.parts.clock.monotonic().saturating_sub(started));
            let Some(next) = self.next(left)? else { break };
            bytes += inline_bytes(&next);
            let last = matches!(next.body, Body::Spilled(_));
            deliveries.push(next);
            if last {
                break;
            }
        }
        Ok(deliveries)
    }

    /// The next body; one that was altered on disk is passed over, loudly.
    fn next(&mut self, patience: Duration) -> Result<Option<Delivery>, Failure> {
        loop {
            match self.reader.next(patience) {
                Err(error @ journal::Error::Tampered(_)) => {
                    tracing::error!(%error, "what the body held must be asked for again");
                }
                other => return Ok(other?),
            }
        }
    }

    fn file(&mut self, deliveries: Vec<Delivery>) -> Result<(), Failure> {
        let catalog = Arc::clone(&self.parts.catalog);
        let quarantine = Arc::clone(&self.parts.quarantine);
        let tools = Tools { catalog: &catalog, quarantine: &quarantine, content_key: self.content_key };
        let mut batch = Batch::new(&tools, self.progress.sequence + 1);
        let mut touched = BTreeSet::new();
        let mut filed = self.progress.filed;
        for delivery in deliveries {
            filed = delivery.position;
            match delivery.body {
                Body::Inline { bytes, entries } => {
                    for entry in &entries {
                        self.item(&mut batch, entry, &mut Bytes::Inline(&bytes), &delivery.header, filed)?;
                    }
                }
                Body::Spilled(mut spilled) => {
                    while let Some(entry) = spilled.next_entry()? {
                        self.item(&mut batch, &entry, &mut Bytes::Spilled(&mut spilled), &delivery.header, filed)?;
                        if batch.raw_bytes() > BYTES_MAX {
                            touched.extend(batch.owners.keys().copied());
                            let full = std::mem::replace(&mut batch, Batch::new(&tools, self.progress.sequence + 2));
                            self.commit(full, self.progress.filed)?;
                        }
                    }
                }
            }
        }
        touched.extend(batch.owners.keys().copied());
        self.commit(batch, filed)?;
        self.reader.filed(filed)?;
        self.merge(touched)
    }

    fn item(
        &mut self,
        batch: &mut Batch<'_>,
        entry: &Entry,
        bytes: &mut Bytes<'_>,
        header: &Header,
        position: Position,
    ) -> Result<(), Failure> {
        if is_control(entry) && matches!(entry.whose, Whose::User(_)) {
            return Ok(self.parts.withdrawal.confirm(position, entry, header)?);
        }
        let user = match (&entry.whose, entry.shape) {
            (Whose::User(user), Shape::Push | Shape::Ping) => user,
            (Whose::User(_) | Whose::Nobody | Whose::Unreadable, _) => return batch.quarantine(entry, bytes, header),
        };
        let connection = self.parts.people.digest(&header.client, user);
        let directory = self.parts.people.read();
        match directory.standing(&connection) {
            Standing::Linked(links) => batch.linked(entry, bytes, header, &connection, links),
            Standing::Tombstoned => {
                batch.drop_item(entry, RecordResult::DroppedPurged);
                Ok(())
            }
            Standing::Held(owner) => self.hold(batch, entry, bytes, header, Some(owner), user),
            Standing::Unknown => self.hold(batch, entry, bytes, header, None, user),
        }
    }

    fn hold(
        &mut self,
        batch: &mut Batch<'_>,
        entry: &Entry,
        bytes: &mut Bytes<'_>,
        header: &Header,
        owner: Option<OwnerId>,
        user: &str,
    ) -> Result<(), Failure> {
        let size = entry.span.end - entry.span.start;
        let room =
            self.parts.settings.hold && self.held_bytes.saturating_add(size) <= self.parts.settings.hold_bytes_max;
        let owner = match (owner, GarminUserId::parse(user)) {
            _ if !room => None,
            (Some(owner), _) => Some(owner),
            (None, Some(user)) => {
                let wanted = [(header.client.clone(), user)];
                self.parts.people.hold(&wanted, header.received).map_err(Failure::People)?.into_iter().next().flatten()
            }
            (None, None) => None,
        };
        match owner {
            Some(owner) => {
                self.held_bytes += size;
                batch.hold(entry, bytes, header, owner)
            }
            None => {
                batch.drop_item(entry, RecordResult::NotHeld);
                Ok(())
            }
        }
    }

    /// Makes the batch durable, together with how far filing has come.
    fn commit(&mut self, batch: Batch<'_>, filed: Position) -> Result<(), Failure> {
        let Batch { owners, mut rows, tally, held, newest, sequence, .. } = batch;
        let mut sealed = Vec::new();
        for (place, (id, mut owner)) in (0_u32..).zip(owners) {
            let builder = owner.take();
            if !builder.is_empty() {
                let pack = PackId::new(sequence, place);
                sealed.push((id, builder.seal(id, &owner.keys, pack, 0, &mut self.fresh, &*self.parts.rng)?));
            }
        }
        let catalog = Arc::clone(&self.parts.catalog);
        let prepared = catalog.prepare(sealed, Vec::new())?;
        self.progress.filed = filed;
        self.progress.sequence = sequence;
        self.progress.highest_time = self.progress.highest_time.max(newest);
        rows.put(progress::key(), progress::encode(&self.progress, &self.parts.keyring.site().index, &*self.parts.rng));
        if held.is_empty() {
            catalog.commit(prepared, rows)?;
        } else {
            let mut turn = self.parts.people.turn();
            held.iter().for_each(|(owner, note)| turn.held_note(owner, note));
            let (noted, pending) = turn.sealed().map_err(Failure::People)?;
            rows.append(noted);
            catalog.commit(prepared, rows)?;
            pending.apply();
        }
        catalog.reached(sequence);
        let directory = self.parts.people.read();
        tally.show(&self.parts.metrics, |study| directory.study_of_id(study).map(|study| study.name.clone()));
        Ok(())
    }

    /// Merges the small packs of these owners, unless somebody is reading.
    fn merge(&mut self, owners: impl IntoIterator<Item = OwnerId>) -> Result<(), Failure> {
        let catalog = Arc::clone(&self.parts.catalog);
        let Some(_settled) = catalog.settle() else { return Ok(()) };
        let mut sealed: Vec<(OwnerId, Sealed)> = Vec::new();
        let mut removed = Vec::new();
        for owner in owners {
            let Some(packs) = merge::plan(&catalog.heads(&owner)) else { continue };
            if sealed.is_empty() {
                self.progress.sequence += 1;
            }
            let place = u32::try_from(sealed.len()).unwrap_or(u32::MAX);
            let merged = merge::merge(&catalog, owner, &packs, self.progress.sequence, place, &mut self.merged)?;
            sealed.extend(merged.into_iter().map(|pack| (owner, pack)));
            removed.extend(packs.into_iter().map(|pack| (owner, pack)));
            if sealed.iter().map(|(_, pack)| pack.sections.len()).sum::<usize>() > MERGED_BYTES_MAX {
                self.commit_merged(catalog.prepare(std::mem::take(&mut sealed), std::mem::take(&mut removed))?)?;
            }
        }
        if sealed.is_empty() {
            return Ok(());
        }
        self.commit_merged(catalog.prepare(sealed, removed)?)
    }

    fn commit_merged(&self, prepared: Prepared) -> Result<(), Failure> {
        let mut rows = Rows::default();
        rows.put(progress::key(), progress::encode(&self.progress, &self.parts.keyring.site().index, &*self.parts.rng));
        Ok(self.parts.catalog.commit(prepared, rows)?)
    }

    /// What is done between batches: withdrawals, data of connections that were linked since, expiry.
    fn chores(&mut self) -> Result<(), Failure> {
        let now = self.parts.clock.now();
        if self.parts.withdrawal.is_due(self.progress.filed) {
            self.parts.withdrawal.carry_out(self.progress.filed, now).map_err(Failure::from)?;
        }
        for pickup in self.parts.people.read().pickups() {
            let bytes = raw_bytes(&self.parts.catalog, &pickup.owner);
            crate::filing::hold::pick_up(&self.parts, &pickup.owner)?;
            self.held_bytes = self.held_bytes.saturating_sub(bytes);
        }
        if now.0 - self.expired_at.0 >= EXPIRY_EVERY {
            self.expired_at = now;
            self.expire(now)?;
        }
        Ok(())
    }

    fn expire(&mut self, now: UnixSeconds) -> Result<(), Failure> {
        let jump = (now.0 - self.progress.highest_time.0).abs();
        if jump <= CLOCK_JUMP_MAX {
            let Parts { people, quarantine, withdrawal, settings, .. } = &self.parts;
            quarantine.expire(now.plus(-settings.quarantine_for))?;
            let owners = people.expired_held(now, settings.hold_for);
            self.held_bytes -= owners.iter().map(|owner| raw_bytes(&self.parts.catalog, owner)).sum::<u64>();
            withdrawal.drop_held(&owners)?;
            let mut turn = people.turn();
            if turn.expire_tombstones(now) > 0 {
                turn.commit().map_err(Failure::People)?;
            }
        }
        self.parts.metrics.quarantine_items.set(gauge(self.parts.quarantine.count()?));
        Ok(())
    }
}

fn inline_bytes(delivery: &Delivery) -> usize {
    match &delivery.body {
        Body::Inline { bytes, .. } => bytes.len(),
        Body::Spilled(_) => 0,
    }
}

fn raw_bytes(catalog: &Catalog, owner: &OwnerId) -> u64 {
    catalog.heads(owner).iter().map(|(_, head)| head.raw_bytes).sum()
}

fn gauge(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Failures by name, so that `?` reads well.
macro_rules! failure_from {
    ($($cause:ty => $variant:ident),* $(,)?) => {
        $(impl From<$cause> for Failure {
            fn from(cause: $cause) -> Self {
                Self::$variant(cause)
            }
        })*
    };
}

failure_from! {
    journal::Error => Journal,
    catalog::Error => Records,
    engine::Error => Engine,
    keyring::Error => Keyring,
    io::Error => Io,
}

impl From<crate::withdrawal::Failure> for Failure {
    fn from(cause: crate::withdrawal::Failure) -> Self {
        match cause {
            crate::withdrawal::Failure::Records(cause) => Self::Records(cause),
            crate::withdrawal::Failure::Keyring(cause) => Self::Keyring(cause),
            crate::withdrawal::Failure::People(cause) => Self::People(cause),
            crate::withdrawal::Failure::Engine(cause) => Self::Engine(cause),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Journal(cause) => cause.fmt(f),
            Self::Records(cause) => cause.fmt(f),
            Self::Engine(cause) => cause.fmt(f),
            Self::Keyring(cause) => cause.fmt(f),
            Self::People(cause) => cause.fmt(f),
            Self::Io(cause) => write!(f, "a file of the store cannot be written: {cause}"),
            Self::Inconsistent => f.write_str("an item of the journal does not read as it was split"),
        }
    }
}

impl std::error::Error for Failure {}
