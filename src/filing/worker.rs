//! The filing thread: bodies in, batches committed, small packs merged, withdrawals carried out, old things expired.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use zstd::bulk::Compressor;

use crate::audit::{Log, Who};
use crate::clock::Clock;
use crate::crypto::digest::DigestKey;
use crate::crypto::key::Rng;
use crate::crypto::keyring::Keyring;
use crate::filing::arrival::Arrival;
use crate::filing::batch::{Batch, Tools, is_control};
pub use crate::filing::failure::Failure;
use crate::filing::item::Bytes;
use crate::filing::progress::Progress;
use crate::filing::quarantine::Quarantine;
use crate::journal::{self, Body, Delivery, Header, Journal, Position, Reader};
use crate::lifecycle::Stopped;
use crate::lifecycle::watchdog::Pulse;
use crate::model::entry::{Entry, Whose};
use crate::model::id::OwnerId;
use crate::model::time::UnixSeconds;
use crate::people::People;
use crate::people::standing::Standing;
use crate::queue::Queue;
use crate::records::catalog::Catalog;
use crate::store::engine::Engine;
use crate::telemetry::filing::{FilingMetrics, RecordResult};
use crate::telemetry::observed::Observed;
use crate::upstream::refusal::Refused;
use crate::upstream::rules::Rules;
use crate::withdrawal::Withdrawal;

/// Bodies that come behind each other within this time are filed together: a pack of many records costs little more
/// than one of few.
const GATHER_IDLE: Duration = Duration::from_millis(30);
/// But none waits longer than this for others.
const GATHER_MAX: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_millis(200);
/// Bodies filed together at most.
const BODIES_MAX: usize = 4096;
/// Bytes of bodies filed together at most.
const BYTES_MAX: usize = 4 << 20;
/// Bytes gathered of a spilled body before they are committed.
const SPILLED_BYTES_MAX: usize = 4 << 20;
/// The same of bodies in memory: more than ordinary ones come to, so that they are committed once.
const INLINE_BYTES_MAX: usize = 8 << 20;
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
    /// Whether metrics name studies.
    pub per_study: bool,
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
    /// Where pings wait to be pulled.
    pub queue: Arc<Queue>,
    /// Where callbacks may lead.
    pub callbacks: Arc<Rules>,
    /// Who has left.
    pub withdrawal: Arc<Withdrawal>,
    /// Where it is said what was done.
    pub audit: Arc<Log>,
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
    /// What outlasts a run.
    pub observed: Arc<Observed>,
}

/// The filing thread's own.
pub struct Filing {
    pub(super) parts: Parts,
    reader: Reader,
    /// How long the journal may be silent before the chores are looked at.
    pub(super) patience: Duration,
    /// The newest body that was altered on disk, until nothing waits for it any longer.
    lost: Option<Position>,
    pub(super) progress: Progress,
    content_key: [u8; 16],
    /// What held connections take: small records uncompressed, large ones as their files.
    pub(super) held_bytes: u64,
    /// When what expires was last looked at.
    pub(super) expired_at: UnixSeconds,
    /// When the highest time seen was last made durable without a batch.
    pub(super) time_kept: UnixSeconds,
    /// Beats with every round.
    pulse: Pulse,
    pub(super) fresh: Compressor<'static>,
    pub(super) merged: Compressor<'static>,
}

impl Filing {
    /// Filing that goes on from this progress.
    pub fn new(parts: Parts, reader: Reader, mut progress: Progress) -> Result<Filing, Failure> {
        let digest = DigestKey::new(&parts.keyring.site().index, "content").digest(&[]);
        // A commit that a crash cut short has used up its number: a pack of it must not be overwritten by another.
        progress.sequence = progress.sequence.max(parts.catalog.sequence());
        parts.catalog.reached(progress.sequence);
        let mut filing = Filing {
            content_key: digest[..16].try_into().expect("a digest has 32 bytes"),
            held_bytes: 0,
            lost: None,
            expired_at: UnixSeconds(0),
            time_kept: progress.highest_time,
            pulse: Pulse::default(),
            fresh: Compressor::new(LEVEL_FRESH)?,
            merged: Compressor::new(LEVEL_MERGED)?,
            parts,
            reader,
            patience: PATIENCE,
            progress,
        };
        filing.recount_held();
        filing.enter_what_a_crash_left()?;
        for refused in Refused::ALL {
            filing.parts.metrics.refused_callbacks.with_label_values(&[refused.name()]);
        }
        Ok(filing)
    }

    /// The count that grows with every round, also where there is nothing to file.
    pub fn pulse(&self) -> Pulse {
        self.pulse.clone()
    }

    /// Files until every purge is done that was begun before the start: no port is open yet.
    pub fn end_purges(&mut self) -> Result<(), Failure> {
        while self.parts.withdrawal.pending() > 0 {
            self.round()?;
        }
        Ok(())
    }

    /// Files until the gateway stops and the journal is empty, or something fails.
    pub fn run(mut self, stopped: &Stopped) -> Result<(), Failure> {
        loop {
            let filed = self.round()?;
            if !filed && stopped.is_stopped() && self.parts.journal.backlog().0 == 0 {
                return Ok(());
            }
        }
    }

    /// Files what has come, then does what else is due; whether anything had come.
    pub(super) fn round(&mut self) -> Result<bool, Failure> {
        self.pulse.beat();
        let deliveries = self.gather()?;
        let any = !deliveries.is_empty();
        if let Some(oldest) = deliveries.first() {
            let waited = self.parts.clock.now().0.saturating_sub(oldest.header.received.0);
            let seconds = u32::try_from(waited.max(0)).unwrap_or(u32::MAX);
            self.parts.metrics.lag.set(f64::from(seconds));
            self.file(deliveries)?;
        } else {
            if let Some(lost) = self.lost.take() {
                // Everything before it is filed, and a purge need not wait for it.
                self.progress.filed = self.progress.filed.max(lost);
                self.reader.filed(lost)?;
            }
            self.parts.metrics.lag.set(0.0);
        }
        self.chores()?;
        Ok(any)
    }

    fn gather(&mut self) -> Result<Vec<Delivery>, Failure> {
        let mut deliveries = Vec::new();
        let Some(first) = self.next(self.patience)? else { return Ok(deliveries) };
        let mut bytes = inline_bytes(&first);
        let mut place = first.position;
        let spilled = matches!(first.body, Body::Spilled(_));
        deliveries.push(first);
        let started = self.parts.clock.monotonic();
        while !spilled && deliveries.len() < BODIES_MAX && bytes < BYTES_MAX {
            let monotonic = self.parts.clock.monotonic();
            if self.parts.withdrawal.waits_for(place, monotonic) {
                break;
            }
            let left = GATHER_MAX.saturating_sub(monotonic.saturating_sub(started));
            let Some(next) = self.next(left.min(GATHER_IDLE))? else { break };
            bytes += inline_bytes(&next);
            place = next.position;
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
                Err(error @ journal::Error::Tampered(position)) => {
                    self.lost = self.lost.max(Some(position));
                    tracing::error!(%error, "a body was altered on disk; what it held must be asked for again");
                }
                other => return Ok(other?),
            }
        }
    }

    fn file(&mut self, deliveries: Vec<Delivery>) -> Result<(), Failure> {
        let catalog = Arc::clone(&self.parts.catalog);
        let quarantine = Arc::clone(&self.parts.quarantine);
        let (queue, callbacks) = (Arc::clone(&self.parts.queue), Arc::clone(&self.parts.callbacks));
        let tools = Tools {
            catalog: &catalog,
            quarantine: &quarantine,
            queue: &queue,
            callbacks: &callbacks,
            content_key: self.content_key,
        };
        let mut batch = Batch::new(&tools, self.progress.sequence + 1);
        let mut touched = BTreeSet::new();
        let mut filed = self.progress.filed;
        for delivery in deliveries {
            filed = delivery.position;
            let mut replayed = Vec::new();
            match delivery.body {
                Body::Inline { bytes, entries } => {
                    for entry in &entries {
                        self.item(&mut batch, entry, &mut Bytes::Inline(&bytes), &delivery.header, filed)?;
                        replayed.extend(self.parts.withdrawal.is_replayed(filed, entry).then(|| entry.clone()));
                        self.relieve(&tools, &mut batch, &mut touched, INLINE_BYTES_MAX)?;
                    }
                }
                Body::Spilled(mut spilled) => {
                    while let Some(entry) = spilled.next_entry()? {
                        self.item(&mut batch, &entry, &mut Bytes::Spilled(&mut spilled), &delivery.header, filed)?;
                        replayed.extend(self.parts.withdrawal.is_replayed(filed, &entry).then_some(entry));
                        self.relieve(&tools, &mut batch, &mut touched, SPILLED_BYTES_MAX)?;
                    }
                }
            }
            if !replayed.is_empty() {
                let events = self.parts.withdrawal.replay(filed, &delivery.header, &replayed)?;
                self.enter(Who::Garmin, &events)?;
            }
            if let Some(pull) = delivery.header.pull {
                batch.answered(pull);
            }
        }
        touched.extend(batch.owners.keys().copied());
        self.commit(batch, filed)?;
        self.reader.filed(filed)?;
        self.merge(touched)
    }

    /// Commits a batch that is full in the middle of a body; a crash before the body's end files all of it again.
    fn relieve<'a>(
        &mut self,
        tools: &'a Tools<'a>,
        batch: &mut Batch<'a>,
        touched: &mut BTreeSet<OwnerId>,
        bytes_max: usize,
    ) -> Result<(), Failure> {
        if batch.bytes() > bytes_max {
            touched.extend(batch.owners.keys().copied());
            let full = std::mem::replace(batch, Batch::new(tools, batch.sequence + 1));
            self.commit(full, self.progress.filed)?;
        }
        Ok(())
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
            let events = self.parts.withdrawal.confirm(position, entry, header)?;
            return self.enter(Who::Garmin, &events);
        }
        let user = match &entry.whose {
            Whose::User(user) => user,
            Whose::Nobody | Whose::Unreadable => {
                return batch.quarantine(entry, bytes, header, position);
            }
        };
        let connection = self.parts.people.digest(&header.client, user);
        let arrival = Arrival::new(entry, header, position, user, connection);
        let mut directory = self.parts.people.read();
        if matches!(directory.standing(&connection), Standing::Unknown) && self.has_room(batch, entry) {
            self.start_hold(&connection, header, user)?;
            directory = self.parts.people.read();
        }
        match directory.standing(&connection) {
            Standing::Linked(links) => batch.linked(&arrival, bytes, links, &directory)?,
            Standing::Tombstoned => batch.drop_item(entry, RecordResult::DroppedPurged),
            Standing::Held(owner) if !directory.permits(&owner, &connection, &arrival.summary_type, arrival.came()) => {
                batch.drop_item(entry, RecordResult::NotPermitted);
            }
            Standing::Held(owner) if self.has_room(batch, entry) => batch.hold(&arrival, bytes, owner)?,
            Standing::Held(_) | Standing::Unknown => batch.drop_item(entry, RecordResult::NotHeld),
        }
        Ok(())
    }
}

fn inline_bytes(delivery: &Delivery) -> usize {
    match &delivery.body {
        Body::Inline { bytes, .. } => bytes.len(),
        Body::Spilled(_) => 0,
    }
}
