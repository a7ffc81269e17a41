//! What filing does between batches: withdrawals, data of connections that were linked since, expiry.

use crate::audit::Who;
use crate::clock::Synchronised;
use crate::filing::failure::Failure;
use crate::filing::hold;
use crate::filing::worker::Filing;
use crate::journal;
use crate::model::time::UnixSeconds;
use crate::records::tidy::WASTE_ALLOWED_BYTES;
use crate::withdrawal::Event;
use crate::withdrawal::record::PurgeId;

/// How often what expires is looked at, in seconds.
const EXPIRY_EVERY: i64 = 60;
/// The clock is not believed to expire anything when it is further than this from the highest time seen, in seconds.
const CLOCK_JUMP_MAX: i64 = 86_400;
/// So many purges are entered with one fsync.
const ENTERED_AT_ONCE: usize = 200;
/// The highest time seen is made durable when it has grown by this without a commit, in seconds.
const TIME_KEPT_EVERY: i64 = 3600;

impl Filing {
    /// Does what is due.
    pub(super) fn chores(&mut self) -> Result<(), Failure> {
        let now = self.parts.clock.now();
        self.parts.withdrawal.end_settling(self.progress.filed, self.parts.clock.monotonic())?;
        if self.parts.withdrawal.is_due(self.progress.filed) {
            let started = self.parts.clock.monotonic();
            let events = self.parts.withdrawal.carry_out(self.progress.filed)?;
            self.enter_erased(&events)?;
            self.parts.quarantine.forget_erased()?;
            let took = self.parts.clock.monotonic().saturating_sub(started);
            self.parts.metrics.purge_duration.observe(took.as_secs_f64());
            self.recount_held();
        }
        if let Some(done) = self.parts.withdrawal.compact_if_due()? {
            self.parts.metrics.compactions.with_label_values(&[done.result]).inc();
            self.parts.metrics.compaction_duration.observe(done.took.as_secs_f64());
            self.enter(Who::System, &done.events)?;
        }
        self.pick_up()?;
        self.parts.catalog.tidy(WASTE_ALLOWED_BYTES)?;
        if now.0.saturating_sub(self.expired_at.0) >= EXPIRY_EVERY {
            // What waits for a clock that can be believed does not wait for a whole round more.
            if self.expire(now)? {
                self.expired_at = now;
            }
        }
        Ok(())
    }

    /// Enters what was done into the audit log.
    pub(super) fn enter(&self, who: Who, events: &[Event]) -> Result<(), Failure> {
        if !events.is_empty() {
            self.parts.audit.append(who, events.iter().map(|event| event.entry(None)).collect())?;
        }
        Ok(())
    }

    /// Enters what was done before a crash, and not entered; what was entered and not numbered is numbered.
    pub(super) fn enter_what_a_crash_left(&self) -> Result<(), Failure> {
        let parts = &self.parts;
        let erased = parts.withdrawal.unaudited();
        if parts.audit.is_after_stop() && erased.is_empty() {
            return Ok(());
        }
        let entered = parts.audit.of_purges()?;
        let of = |purge: &PurgeId, acts: &[&str]| {
            let (purge, acts) = (purge.to_string(), acts.to_vec());
            entered.iter().filter(move |of| of.purge == purge && acts.contains(&&*of.act)).collect::<Vec<_>>()
        };
        let id_of = |event: &Event| event.purge.as_ref().map(|purge| purge.id);
        let number_of_end = |event: &Event| {
            of(&id_of(event)?, &["purge-carried-out", "data-retained"]).first().map(|entry| entry.sequence)
        };
        self.enter(Who::System, &parts.withdrawal.unentered(|purge, acts| of(purge, acts).len()))?;
        let (known, missing): (Vec<_>, Vec<_>) = erased.into_iter().partition(|event| number_of_end(event).is_some());
        let numbers = known.iter().filter_map(|event| Some((id_of(event)?, number_of_end(event)?)));
        parts.withdrawal.audited(&numbers.collect::<Vec<_>>())?;
        self.enter_erased(&missing)
    }

    /// Enters what was destroyed, an entry each, and has each receipt name its own.
    pub(super) fn enter_erased(&self, events: &[Event]) -> Result<(), Failure> {
        for some in events.chunks(ENTERED_AT_ONCE) {
            let done = self.parts.audit.append(Who::System, some.iter().map(|event| event.entry(None)).collect())?;
            let first = done.sequence + 1 - done.entries;
            let entries = some.iter().zip(first..);
            let named = entries.filter_map(|(event, entry)| Some((event.purge.as_ref()?.id, entry)));
            self.parts.withdrawal.audited(&named.collect::<Vec<_>>())?;
        }
        Ok(())
    }

    /// What is held for connections that were linked since goes back into the journal; the keys of all of them are
    /// destroyed with one rotation.
    fn pick_up(&mut self) -> Result<(), Failure> {
        let directory = self.parts.people.read();
        let mut owners = Vec::new();
        for pickup in directory.pickups() {
            // Whose user has left is not filed any more: withdrawal destroys it.
            if directory.tombstone(&pickup.connection).is_none() {
                let sent = hold::send_again(&self.parts, &pickup.owner);
                let quarantine = &self.parts.quarantine;
                match sent.and_then(|()| quarantine.send_again(&self.parts.journal, &pickup.owner)) {
                    Ok(()) => owners.push(pickup.owner),
                    // It stays held, and is picked up once there is room; what was sent again is a duplicate then.
                    Err(Failure::Journal(journal::Error::DiskLow)) => break,
                    Err(failure) => return Err(failure),
                }
            }
        }
        if !owners.is_empty() {
            self.parts.withdrawal.drop_held(&owners)?;
            self.recount_held();
        }
        Ok(())
    }

    /// Destroys what has had its time, where the clock can be believed: it is within a day of the highest time seen, and
    /// the system does not say that nothing keeps it right. Returns whether it can.
    fn expire(&mut self, now: UnixSeconds) -> Result<bool, Failure> {
        let seen = self.progress.highest_time;
        if seen != UnixSeconds(0) && now.0.saturating_sub(seen.0).abs() > CLOCK_JUMP_MAX {
            return Ok(false);
        }
        self.see(now)?;
        let parts = &self.parts;
        if parts.clock.synchronised() == Synchronised::No {
            return Ok(false);
        }
        self.enter(Who::System, &parts.withdrawal.expire_waits(now)?)?;
        parts.quarantine.expire(now.plus(-parts.settings.quarantine_for))?;
        parts.queue.expire(now.plus(-parts.settings.quarantine_for))?;
        if parts.withdrawal.expire_held(now, parts.settings.hold_for)? > 0 {
            self.recount_held();
        }
        self.expire_tombstones(now)?;
        Ok(true)
    }

    fn expire_tombstones(&self, now: UnixSeconds) -> Result<(), Failure> {
        let mut turn = self.parts.people.turn();
        if turn.expire_tombstones(now) > 0 {
            turn.commit().map_err(Failure::People)?;
        }
        Ok(())
    }

    /// Counts what is held anew; called where held data went.
    pub(super) fn recount_held(&mut self) {
        let directory = self.parts.people.read();
        self.held_bytes = directory.held().map(|(owner, _)| self.parts.catalog.stored_bytes(&owner)).sum();
    }

    /// A believable time was seen: a site where no data come still grows older.
    fn see(&mut self, now: UnixSeconds) -> Result<(), Failure> {
        self.progress.highest_time = self.progress.highest_time.max(now);
        if now.0.saturating_sub(self.time_kept.0) >= TIME_KEPT_EVERY {
            self.time_kept = now;
            self.parts.engine.commit(self.progress_row())?;
        }
        Ok(())
    }
}
