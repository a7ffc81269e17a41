//! One step of the directory for each change.

use std::{collections::HashSet, sync::Arc};

use crate::model::{connection::ConnectionDigest, id::OwnerId, participant::Participant, study::Study};
use crate::people::{
    change::{Change, KnownLink},
    code::folded,
    directory::{Directory, Person},
    standing::{HeldConnection, LinkedTo},
};

impl Directory {
    /// The directory after this change.
    pub(crate) fn apply(&mut self, change: Change) {
        match change {
            Change::Study(study) => self.put_study(study),
            Change::RetiredCodes(study, codes) => {
                self.retired.insert(study, codes.into());
            }
            Change::Participant(participant) => self.put_participant(participant),
            Change::Links(owner, links) => self.put_links(&owner, links.into()),
            Change::LinksGone(owner) => {
                self.put_links(&owner, Arc::from([]));
                self.permissions.retain(|(of, _), _| *of != owner);
            }
            Change::ParticipantGone(owner) => self.remove_participant(&owner),
            Change::Held(owner, digest, held) => {
                self.handles.insert(held.handle.clone(), owner);
                self.held_by.insert(digest, owner);
                self.held.insert(owner, HeldConnection { digest, held: Arc::new(held) });
            }
            Change::HeldGone(owner) => {
                if let Some(gone) = self.held.remove(&owner) {
                    self.handles.remove(&gone.held.handle);
                    self.held_by.remove(&gone.digest);
                }
                self.permissions.retain(|(of, _), _| *of != owner);
            }
            Change::Tombstone(digest, expires) => {
                self.tombstones.insert(digest, expires);
            }
            Change::TombstoneGone(digest) => {
                self.tombstones.remove(&digest);
            }
            Change::Permissions(owner, connection, permissions) => {
                self.permissions.insert((owner, connection), Arc::new(permissions));
            }
        }
    }

    fn put_study(&mut self, study: Study) {
        let study = Arc::new(study);
        self.study_names.insert(folded(&study.name), study.id);
        self.studies.insert(study.id, Arc::clone(&study));
        for links in self.connections.values_mut() {
            if links.iter().any(|linked| linked.study.id == study.id) {
                *links = links
                    .iter()
                    .map(|linked| match linked.study.id == study.id {
                        true => LinkedTo { study: Arc::clone(&study), ..linked.clone() },
                        false => linked.clone(),
                    })
                    .collect();
            }
        }
    }

    fn put_participant(&mut self, participant: Participant) {
        let participant = Arc::new(participant);
        let links = self.people.get(&participant.id).map_or_else(|| Arc::from([]), |before| Arc::clone(&before.links));
        self.unlink(&participant.id);
        let codes = Arc::make_mut(self.codes.entry(participant.study).or_default());
        if let Some(before) = self.people.get(&participant.id) {
            codes.remove(&folded(&before.participant.code));
        }
        codes.insert(folded(&participant.code), participant.id);
        self.people.insert(participant.id, Person { participant: Arc::clone(&participant), links: Arc::from([]) });
        self.put_links(&participant.id, links);
    }

    fn put_links(&mut self, owner: &OwnerId, links: Arc<[KnownLink]>) {
        self.unlink(owner);
        let Some(person) = self.people.get_mut(owner) else { return };
        person.links = Arc::clone(&links);
        let Some(study) = self.studies.get(&person.participant.study) else { return };
        for known in links.iter() {
            let linked = LinkedTo {
                participant: Arc::clone(&person.participant),
                study: Arc::clone(study),
                window: known.link.window,
            };
            let of_connection = self.connections.entry(known.digest).or_insert_with(|| Arc::from([]));
            let mut sorted: Vec<_> = of_connection.iter().cloned().chain([linked]).collect();
            // One order whatever the history, so that a directory that was read again is the same.
            sorted.sort_by_key(|linked| linked.participant.id);
            *of_connection = sorted.into();
        }
    }

    fn remove_participant(&mut self, owner: &OwnerId) {
        self.unlink(owner);
        if let Some(gone) = self.people.remove(owner)
            && let Some(codes) = self.codes.get_mut(&gone.participant.study)
        {
            Arc::make_mut(codes).remove(&folded(&gone.participant.code));
        }
        self.permissions.retain(|(of, _), _| of != owner);
    }

    /// Takes the participant out of its connections. Only those it was linked to are touched, by what stands in them.
    fn unlink(&mut self, owner: &OwnerId) {
        let digests: HashSet<ConnectionDigest> = match self.people.get(owner) {
            Some(person) => person.links.iter().map(|known| known.digest).collect(),
            None => return,
        };
        for digest in digests {
            let Some(links) = self.connections.get_mut(&digest) else { continue };
            *links = links.iter().filter(|linked| linked.participant.id != *owner).cloned().collect();
            if links.is_empty() {
                self.connections.remove(&digest);
            }
        }
    }
}
