//! The rules, one table each.

mod links;
mod participants;
mod studies;

use std::sync::Arc;

use crate::crypto::{key::Key, keyring::SiteKeys};
use crate::model::{
    connection::{ClientId, ConnectionDigest, GarminUserId},
    id::{OwnerId, StudyId},
    participant::{Participant, Window},
    study::{Rules, Study},
    time::UnixSeconds,
};
use crate::people::{
    change::Change,
    decide::{
        link::{self, Target},
        participant::{self, NewParticipant},
        study::{self, NewStudy},
    },
    digests::Digests,
    directory::Directory,
    refusal::Refusal,
};

pub(super) const RECIPIENT: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";
pub(super) const NOW: UnixSeconds = UnixSeconds(1_000);

pub(super) fn directory() -> Directory {
    let key = |byte| Key::from_bytes([byte; 32]);
    let site = SiteKeys { index: key(1), tombstone: key(2), quarantine: key(3), signing_seed: key(4) };
    Directory::new(Arc::new(Digests::new(&site)))
}

pub(super) fn new_study(name: &str) -> NewStudy {
    NewStudy { name: name.into(), recipients: vec![RECIPIENT.into()], rules: Rules::default() }
}

pub(super) fn with_study(directory: &mut Directory, name: &str, id: u8) -> Study {
    let study = study::add(directory, new_study(name), StudyId::from_bytes([id; 16]), NOW).expect("a study");
    directory.apply(Change::Study(study.clone()));
    study
}

pub(super) fn with_participant(directory: &mut Directory, study: &Study, code: &str, id: u8) -> Participant {
    let new = NewParticipant { code: Some(code.into()), ..NewParticipant::default() };
    let id = OwnerId::from_bytes([id; 16]);
    let added = participant::add(directory, study, new, id, [0; 16], NOW).expect("a participant");
    directory.apply(Change::Participant(added.clone()));
    added
}

pub(super) fn window(from: Option<i64>, to: Option<i64>) -> Window {
    Window { from: from.map(|at| UnixSeconds(at).into()), to: to.map(|at| UnixSeconds(at).into()) }
}

pub(super) fn user(text: &str) -> Target {
    Target::User(ClientId::single(), GarminUserId::parse(text).expect("a user"))
}

pub(super) fn digest(directory: &Directory, text: &str) -> ConnectionDigest {
    directory.digests().connection(&ClientId::single(), text)
}

pub(super) fn linked(
    directory: &mut Directory,
    participant: &Participant,
    target: Target,
    window: Window,
) -> Result<(), Refusal> {
    link::link(directory, participant, target, window)?.into_iter().for_each(|change| directory.apply(change));
    Ok(())
}
