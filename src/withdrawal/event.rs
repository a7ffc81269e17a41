//! What happened in a withdrawal, as a value, and the entry of the audit log that it makes. Whoever asked for the step
//! enters it before anybody is told that it is done.
//!
//! Never: anything of the person but the study and the code.

use crate::audit::{self, Act};
use crate::model::id::OwnerId;
use crate::model::study::DataFate;
use crate::model::time::UnixSeconds;
use crate::people::directory::Directory;
use crate::withdrawal::record::{Cause, Purge, Why};

/// One fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What.
    pub what: What,
    /// Of which purge, as it stood then; none where nothing is to be destroyed.
    pub purge: Option<Purge>,
    /// In which study; none where it concerns no participant.
    pub study: Option<String>,
    /// Of whom.
    pub code: Option<String>,
    /// When.
    pub at: UnixSeconds,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A participant is locked, and is purged later.
    Locked(Cause, Why),
    /// A participant has left.
    Left(Cause),
    /// A notice came again, or is applied once more at a start: its participant had left before, or is about to.
    Repeated,
    /// One of a participant's connections has ended; others have not, and nothing is destroyed.
    LinkEnded,
    /// A person had a purge that waited begin.
    Confirmed,
    /// The wait of a purge was over, and it began.
    WaitOver,
    /// A person decided against the purge.
    Rejected,
    /// The keys are destroyed, rows and files are gone.
    Erased,
    /// The database was rewritten without what was deleted.
    Compacted,
    /// What a participant permits was told.
    Permitted {
        /// Whether it held already.
        repeated: bool,
    },
    /// So many notices named connections that are neither linked nor held, or whose participants are gone.
    Unknown(u64),
    /// What was held for so many connections is dropped.
    Dropped(u64),
}

impl Event {
    /// This happened to the purge.
    pub(super) fn of(purge: &Purge, what: What, at: UnixSeconds) -> Self {
        let (study, code) = (Some(purge.study.clone()), Some(purge.code.clone()));
        Self { what, purge: Some(purge.clone()), study, code, at }
    }

    /// This happened to a participant whom the directory knows, and to no purge.
    pub(super) fn to(directory: &Directory, participant: &OwnerId, what: What, at: UnixSeconds) -> Option<Self> {
        let found = directory.participant(participant)?;
        let study = directory.study_of_id(&found.study)?;
        Some(Self { what, purge: None, study: Some(study.name.clone()), code: Some(found.code.clone()), at })
    }

    /// This concerns nobody who is known.
    pub(super) fn of_nobody(what: What, at: UnixSeconds) -> Self {
        Self { what, purge: None, study: None, code: None, at }
    }

    /// What the audit log says of it; `reason` is what a person gave for it, where one did.
    pub fn entry(&self, reason: Option<&str>) -> audit::Event {
        let reason = reason.map(str::to_owned);
        let purge = self.purge.as_ref();
        let id = || purge.map(|purge| purge.id.to_string());
        let data = || purge.map(|purge| fate(purge.fate));
        let waits_until = || purge.and_then(|purge| Some(purge.wait?.until.to_string()));
        let act = match self.what {
            What::Locked(Cause::Deregistration, Why::Flood) => {
                Act::DeregistrationHeld { purge: id(), data: data(), waits_until: waits_until() }
            }
            What::Locked(Cause::Deregistration, Why::Settling) => {
                Act::DeregistrationObeyed { repeated: false, purge: id(), data: data(), waits_until: None }
            }
            What::Locked(Cause::Deregistration, Why::Grace) | What::Left(Cause::Deregistration) => {
                Act::DeregistrationObeyed { repeated: false, purge: id(), data: data(), waits_until: waits_until() }
            }
            What::Repeated => {
                Act::DeregistrationObeyed { repeated: true, purge: id(), data: data(), waits_until: waits_until() }
            }
            What::Locked(cause @ (Cause::Person | Cause::StudyClosed), _)
            | What::Left(cause @ (Cause::Person | Cause::StudyClosed)) => Act::ParticipantWithdrawn {
                reason,
                with_the_study: cause == Cause::StudyClosed,
                purge: id(),
                data: data(),
                waits_until: waits_until(),
            },
            What::LinkEnded => Act::DeregistrationEndedLink {},
            What::Confirmed => Act::PurgeConfirmed { purge: id(), reason },
            What::WaitOver => Act::PurgeBegun { purge: id() },
            What::Rejected => Act::PurgeRejected { purge: id(), reason },
            What::Erased => erased(id(), purge),
            What::Compacted => Act::DatabaseCompacted { purge: id() },
            What::Permitted { repeated } => Act::PermissionChanged { repeated },
            What::Unknown(notices) => Act::DeregistrationUnknown { notices },
            What::Dropped(connections) => Act::DeregistrationDropped { connections },
        };
        audit::Event { act, study: self.study.clone(), code: self.code.clone() }
    }
}

/// What a purge destroyed, as its own row says it.
fn erased(id: Option<String>, purge: Option<&Purge>) -> Act {
    let counts = purge.map(|purge| purge.destroyed).unwrap_or_default();
    let epoch_destroyed = purge.and_then(|purge| purge.epoch);
    match purge.map(|purge| purge.fate) {
        Some(DataFate::Retain) => Act::DataRetained { purge: id, bytes: counts.bytes, epoch_destroyed },
        Some(DataFate::Purge) | None => {
            Act::PurgeCarriedOut { purge: id, records: counts.records, bytes: counts.bytes, epoch_destroyed }
        }
    }
}

fn fate(fate: DataFate) -> &'static str {
    match fate {
        DataFate::Purge => "purge",
        DataFate::Retain => "retain",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::act::NAMES;

    #[test]
    fn every_fact_has_its_own_act_and_a_persons_reason_stands_where_a_person_decides() {
        let (person, notice) = (Cause::Person, Cause::Deregistration);
        let cases = [
            (What::Locked(notice, Why::Flood), "deregistration-held", false),
            (What::Locked(notice, Why::Grace), "deregistration-obeyed", false),
            (What::Locked(notice, Why::Settling), "deregistration-obeyed", false),
            (What::Left(notice), "deregistration-obeyed", false),
            (What::Repeated, "deregistration-obeyed", false),
            (What::Locked(person, Why::Grace), "participant-withdrawn", true),
            (What::Left(person), "participant-withdrawn", true),
            (What::Left(Cause::StudyClosed), "participant-withdrawn", true),
            (What::LinkEnded, "deregistration-ended-link", false),
            (What::Confirmed, "purge-confirmed", true),
            (What::WaitOver, "purge-begun", false),
            (What::Rejected, "purge-rejected", true),
            (What::Erased, "purge-carried-out", false),
            (What::Compacted, "database-compacted", false),
            (What::Permitted { repeated: false }, "permission-changed", false),
            (What::Unknown(3), "deregistration-unknown", false),
            (What::Dropped(2), "deregistration-dropped", false),
        ];
        for (what, name, has_reason) in cases {
            let (study, code) = (Some("S".to_owned()), Some("P1".to_owned()));
            let event = Event { what, purge: None, study, code, at: UnixSeconds(0) };
            let entry = event.entry(Some("asked to"));
            let text = serde_json::to_string(&entry.act).expect("JSON");
            assert_eq!((entry.act.name(), entry.code.as_deref()), (name, Some("P1")));
            assert_eq!(text.contains("asked to"), has_reason, "{text}");
            assert!(NAMES.contains(&name));
        }
    }
}
