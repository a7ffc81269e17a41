//! What is told of withdrawals: those under way and done, and what one would destroy.

use crate::model::audit::AuditHead;
use crate::model::id::OwnerId;
use crate::model::study::DataFate;
use crate::model::time::UnixSeconds;
use crate::people::refusal::Refusal;
use crate::people::register::HandedOut;
use crate::store::engine::table;
use crate::withdrawal::course::{Course, Word, course};
use crate::withdrawal::event::What;
use crate::withdrawal::places::count_rows;
use crate::withdrawal::receipt::{self, Receipt};
use crate::withdrawal::record::{Cause, Compaction, Counts, Purge, PurgeId, Stage, Why};
use crate::withdrawal::{Event, Failure, Withdrawal};

/// A purge that began so many seconds behind its notice did not wait for a grace or a person.
const SETTLED_WITHIN: i64 = 60;

/// What a withdrawal would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    /// Of the data, and after which wait.
    pub course: Course,
    /// What would go.
    pub counts: Counts,
    /// What would stay, where the data are retained.
    pub records_kept: u64,
    /// What has left the site already.
    pub exports: Vec<HandedOut>,
}

/// Purges in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pending {
    /// Begun and not done.
    pub begun: usize,
    /// When the oldest of those was asked for.
    pub oldest: Option<UnixSeconds>,
    /// Waiting for a person to confirm or reject them.
    pub awaiting: usize,
}

impl Withdrawal {
    /// What it would do to let this participant leave now; nothing is changed.
    pub fn preview(&self, participant: &OwnerId, word: Word) -> Result<Preview, Failure> {
        let directory = self.parts.people.read();
        let found = directory.participant(participant).ok_or(Refusal::Withdrawn)?;
        let study = directory.study_of_id(&found.study).ok_or(Refusal::Withdrawn)?;
        let course = course(&study.rules, word, None, self.now());
        let (engine, catalog) = (&*self.parts.engine, &self.parts.catalog);
        let held = catalog.count(participant);
        let (records, records_kept, bytes) = match course.fate {
            DataFate::Purge => (held, 0, catalog.stored_bytes(participant)),
            DataFate::Retain => (0, held, catalog.identity_bytes(participant)),
        };
        let counts = Counts {
            records,
            bytes,
            pulls: count_rows(engine, participant.as_bytes(), table::PULL)?,
            quarantined: count_rows(engine, participant.as_bytes(), table::QUARANTINE)?,
            links: directory.links(participant).len() as u64,
        };
        let exports = self.parts.people.exports_with(&study.id, &found.code)?;
        Ok(Preview { course, counts, records_kept, exports })
    }

    /// Every purge, or those under way alone; the first that was asked for first.
    pub fn purges(&self, all: bool) -> Vec<Purge> {
        self.log.all(|purge| all || purge.is_open())
    }

    /// The newest purge of a participant that was not rejected.
    pub fn purge_of(&self, study: &str, code: &str) -> Option<Purge> {
        let is_theirs = |purge: &Purge| purge.study == study && purge.code == code && purge.stage != Stage::Rejected;
        self.log.all(is_theirs).pop()
    }

    /// How many purges are under way.
    pub fn in_numbers(&self) -> Pending {
        let open = self.log.all(Purge::is_open);
        let begun = || open.iter().filter(|purge| !purge.is_waiting() || purge.is_settling());
        let flooded = |purge: &&Purge| purge.is_waiting() && purge.wait.is_some_and(|wait| wait.why == Why::Flood);
        Pending {
            begun: begun().count(),
            oldest: begun().map(|purge| purge.times.requested).min(),
            awaiting: open.iter().filter(flooded).count(),
        }
    }

    /// The receipt of a purge that is done and entered into the audit log, `None` for any other; with a head of the audit log that covers the
    /// purge's entry, where there is one.
    pub fn receipt(&self, purge: &Purge, head: Option<&AuditHead>) -> Result<Option<Receipt>, Failure> {
        if purge.stage != Stage::Erased || purge.audit.is_none() {
            return Ok(None);
        }
        let directory = self.parts.people.read();
        let exports = match directory.study(&purge.study) {
            Ok(study) => self.parts.people.exports_with(&study.id, &purge.code)?,
            Err(_) => Vec::new(),
        };
        let seed = self.parts.keyring.site().signing_seed.clone();
        Ok(Some(receipt::signed(purge, &exports, head, &seed)))
    }

    /// What was destroyed, and whose entry of the audit log is not known: a crash came between.
    pub fn unaudited(&self) -> Vec<Event> {
        let unaudited = self.log.all(|purge| purge.stage == Stage::Erased && purge.audit.is_none());
        unaudited.iter().map(|purge| Event::of(purge, What::Erased, self.now())).collect()
    }

    /// The steps before and behind an erasure that purges have taken and that are entered fewer times than they
    /// have to be; a crash came between. What a person decided is not among them: intents tell of it.
    pub fn unentered(&self, entered: impl Fn(&PurgeId, &[&str]) -> usize) -> Vec<Event> {
        let mut events = Vec::new();
        for purge in self.log.all(|_| true) {
            let mut missing = |what, names: &[&str], least| {
                if entered(&purge.id, names) < least {
                    events.push(Event::of(&purge, what, self.now()));
                }
            };
            // Of a purge under way the notice is in the journal still, or its end is to be entered.
            if purge.cause == Cause::Deregistration && !purge.is_open() {
                missing(What::Repeated, &["deregistration-obeyed", "deregistration-held"], 1);
            }
            if purge.times.tombstoned > Some(purge.times.requested.plus(SETTLED_WITHIN)) {
                // It waited; where a person had begun it, that stands in an entry of the same name as the end of its wait.
                let least = if purge.cause == Cause::Deregistration { 1 } else { 2 };
                missing(What::WaitOver, &["purge-begun", "purge-confirmed", "participant-withdrawn"], least);
            }
            if purge.compaction == Compaction::Done {
                missing(What::Compacted, &["database-compacted"], 1);
            }
        }
        events
    }

    /// The audit log has these entries of purges; durable on return, and in their receipts from then on.
    pub fn audited(&self, entries: &[(PurgeId, u64)]) -> Result<(), Failure> {
        // A turn, so that no step of a purge is written between reading and writing.
        let _turn = self.parts.people.turn();
        let named = |(id, entry): &(PurgeId, u64)| Some(Purge { audit: Some(*entry), ..self.log.find(id)? });
        self.log.write(&entries.iter().filter_map(named).collect::<Vec<_>>())
    }
}
