//! Coverage as a person has it: of who may be read when it begins and still when it ends.

use std::collections::HashMap;
use std::sync::Arc;

use crate::app::desk::unavailable;
use crate::coverage::last_seen::LastSeen;
use crate::coverage::report::{Asked, Refused, Report, report};
use crate::model::id::OwnerId;
use crate::model::participant::Participant;
use crate::model::time::UnixSeconds;
use crate::people::People;
use crate::people::refusal::{Kind, Refusal};
use crate::records::catalog::Catalog;
use crate::records::error::Error;

/// What came of a study's participants, day by day.
pub(super) fn coverage(
    people: &People,
    catalog: &Catalog,
    study: &str,
    asked: &Asked,
    now: UnixSeconds,
) -> Result<Report, Refusal> {
    let directory = people.read();
    let found = Arc::clone(directory.study(study)?);
    let is_asked = |participant: &&Arc<Participant>| {
        participant.is_readable() && asked.code.as_ref().is_none_or(|code| participant.code == *code)
    };
    let mut participants: Vec<_> = directory.participants(&found.id).filter(is_asked).cloned().collect();
    drop(directory);
    if let (Some(code), true) = (&asked.code, participants.is_empty()) {
        return Err(Refusal::NoParticipant(code.clone(), None));
    }
    loop {
        let outcome = report(catalog, &found, participants.iter().map(|participant| &**participant), asked, now);
        // Whoever has left meanwhile is not told of.
        let directory = people.read();
        let before = participants.len();
        participants.retain(|participant| directory.participant(&participant.id).is_some_and(|now| now.is_readable()));
        if participants.len() == before {
            return outcome.map_err(refused);
        }
    }
}

/// The last time that the records of each of these cover.
pub(super) fn last_seen(known: &LastSeen, owners: &[OwnerId]) -> Result<HashMap<OwnerId, UnixSeconds>, Refusal> {
    let mut found = HashMap::new();
    for owner in owners {
        match known.of(owner) {
            Ok(last) => found.extend(last.map(|last| (*owner, last))),
            Err(Error::NoKeys) => {}
            Err(cause) => return Err(unavailable(&cause)),
        }
    }
    Ok(found)
}

fn refused(refused: Refused) -> Refusal {
    match refused {
        Refused::Records(cause) => unavailable(&cause),
        Refused::EmptySpan => {
            Refusal::Other(Kind::Invalid, "The last day is before the first; give other days.".to_owned())
        }
        Refused::TooLong => {
            let sentence = "A report covers ten years at most; give the first and the last day.";
            Refusal::Other(Kind::Invalid, sentence.to_owned())
        }
    }
}
