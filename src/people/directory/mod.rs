//! Studies, participants, links, held connections and tombstones, in memory: one immutable value that readers share.
//!
//! Never: I/O; a change that is not durable yet (see [`crate::people::turn`]).

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use crate::model::{
    connection::ConnectionDigest,
    id::{OwnerId, StudyId},
    participant::Participant,
    study::Study,
    summary::SummaryType,
    time::UnixSeconds,
};
use crate::people::{
    change::{KnownLink, Retired},
    code::folded,
    digests::{Digests, TombstoneDigest},
    permissions::{Came, Permissions},
    refusal::Refusal,
    standing::{HeldConnection, LinkHolders, LinkedTo, PickUp, Standing, is_current},
};

mod apply;

#[derive(Clone)]
struct Person {
    participant: Arc<Participant>,
    links: Arc<[KnownLink]>,
}

/// The whole directory. Cheap to share, and cheap enough to copy for a change.
#[derive(Clone)]
pub struct Directory {
    digests: Arc<Digests>,
    studies: HashMap<StudyId, Arc<Study>>,
    study_names: BTreeMap<String, StudyId>,
    retired: HashMap<StudyId, Arc<[Retired]>>,
    people: HashMap<OwnerId, Person>,
    codes: HashMap<StudyId, Arc<BTreeMap<String, OwnerId>>>,
    connections: HashMap<ConnectionDigest, Arc<[LinkedTo]>>,
    held: HashMap<OwnerId, HeldConnection>,
    held_by: HashMap<ConnectionDigest, OwnerId>,
    handles: HashMap<String, OwnerId>,
    tombstones: HashMap<TombstoneDigest, UnixSeconds>,
    permissions: HashMap<(OwnerId, ConnectionDigest), Arc<Permissions>>,
}

impl Directory {
    /// An empty directory whose connections are digested so.
    pub fn new(digests: Arc<Digests>) -> Self {
        Self {
            digests,
            studies: HashMap::new(),
            study_names: BTreeMap::new(),
            retired: HashMap::new(),
            people: HashMap::new(),
            codes: HashMap::new(),
            connections: HashMap::new(),
            held: HashMap::new(),
            held_by: HashMap::new(),
            handles: HashMap::new(),
            tombstones: HashMap::new(),
            permissions: HashMap::new(),
        }
    }

    /// What is known of a connection. A tombstone counts for as long as it stands, whatever the links say.
    pub fn standing(&self, connection: &ConnectionDigest) -> Standing<'_> {
        if !self.tombstones.is_empty() && self.tombstones.contains_key(&self.digests.tombstone(connection)) {
            return Standing::Tombstoned;
        }
        if let Some(links) = self.connections.get(connection) {
            return Standing::Linked(links);
        }
        self.held_by.get(connection).map_or(Standing::Unknown, |owner| Standing::Held(*owner))
    }

    /// Every study, by name.
    pub fn studies(&self) -> impl Iterator<Item = &Arc<Study>> {
        self.study_names.values().filter_map(|id| self.studies.get(id))
    }

    /// The study of this name, as it is written.
    pub fn study(&self, name: &str) -> Result<&Arc<Study>, Refusal> {
        self.study_names
            .get(&folded(name))
            .and_then(|id| self.studies.get(id))
            .filter(|study| study.name == name)
            .ok_or_else(|| Refusal::no_study(name))
    }

    /// Whether the name is taken, in whatever letter case.
    pub fn has_study_named(&self, name: &str) -> bool {
        self.study_names.contains_key(&folded(name))
    }

    /// The study of this id.
    pub fn study_of_id(&self, id: &StudyId) -> Option<&Arc<Study>> {
        self.studies.get(id)
    }

    /// The participants of a study, by code.
    pub fn participants(&self, study: &StudyId) -> impl Iterator<Item = &Arc<Participant>> {
        self.codes
            .get(study)
            .into_iter()
            .flat_map(|codes| codes.values())
            .filter_map(|id| self.people.get(id))
            .map(|person| &person.participant)
    }

    /// The codes of a study that are not given again.
    pub fn retired(&self, study: &StudyId) -> &[Retired] {
        self.retired.get(study).map_or(&[], |codes| codes)
    }

    /// The participant of this id.
    pub fn participant(&self, id: &OwnerId) -> Option<&Arc<Participant>> {
        self.people.get(id).map(|person| &person.participant)
    }

    /// The participant of a study who has this code in whatever letter case.
    pub fn participant_coded(&self, study: &StudyId, code: &str) -> Option<&Arc<Participant>> {
        self.codes.get(study)?.get(&folded(code)).and_then(|id| self.participant(id))
    }

    /// The links of a participant, in the order they were made.
    pub fn links(&self, participant: &OwnerId) -> &[KnownLink] {
        self.people.get(participant).map_or(&[], |person| &person.links)
    }

    /// The links of a connection, ended ones too.
    pub fn linked(&self, connection: &ConnectionDigest) -> &[LinkedTo] {
        self.connections.get(connection).map_or(&[], |links| links)
    }

    /// Whose current link the connection is at this time, and whose it was.
    pub fn link_holders(&self, connection: &ConnectionDigest, now: UnixSeconds) -> LinkHolders {
        let mut holders = LinkHolders::default();
        let mut seen = HashSet::new();
        let links = self.linked(connection);
        for linked in links.iter().filter(|linked| is_current(&linked.window, now)) {
            if seen.insert(linked.participant.id) {
                holders.current.push(linked.participant.id);
            }
        }
        for linked in links {
            if seen.insert(linked.participant.id) {
                holders.ended.push(linked.participant.id);
            }
        }
        holders
    }

    /// Every held connection, in no order.
    pub fn held(&self) -> impl Iterator<Item = (OwnerId, &HeldConnection)> {
        self.held.iter().map(|(owner, held)| (*owner, held))
    }

    /// How many connections are held.
    pub fn held_count(&self) -> usize {
        self.held.len()
    }

    /// Under which owner a connection is held, also once it is linked, until its data are filed.
    pub fn held_of(&self, connection: &ConnectionDigest) -> Option<OwnerId> {
        self.held_by.get(connection).copied()
    }

    /// A held connection.
    pub fn held_owner(&self, owner: &OwnerId) -> Option<&HeldConnection> {
        self.held.get(owner)
    }

    /// The held connection of this handle.
    pub fn held_handle(&self, handle: &str) -> Option<(OwnerId, &HeldConnection)> {
        let owner = self.handles.get(&folded(handle))?;
        self.held.get(owner).map(|held| (*owner, held))
    }

    /// Held connections that have been linked since.
    pub fn pickups(&self) -> Vec<PickUp> {
        let linked = self.held.iter().filter(|(_, connection)| connection.held.linked);
        let mut found: Vec<_> =
            linked.map(|(owner, connection)| PickUp { owner: *owner, connection: connection.digest }).collect();
        found.sort_by_key(|pickup| pickup.owner);
        found
    }

    /// When a connection's tombstone expires, where one stands.
    pub fn tombstone(&self, connection: &ConnectionDigest) -> Option<UnixSeconds> {
        self.tombstones.get(&self.digests.tombstone(connection)).copied()
    }

    /// How connections are digested.
    pub fn digests(&self) -> &Digests {
        &self.digests
    }

    /// Every tombstone with its expiry.
    pub fn tombstones(&self) -> impl Iterator<Item = (TombstoneDigest, UnixSeconds)> {
        self.tombstones.iter().map(|(digest, expires)| (*digest, *expires))
    }

    /// What is known of the permissions of an owner's connection.
    pub fn permissions(&self, owner: &OwnerId, connection: &ConnectionDigest) -> Option<&Arc<Permissions>> {
        self.permissions.get(&(*owner, *connection))
    }

    /// Whether the user permitted a record of this type that came then to be had for this owner.
    pub fn permits(
        &self,
        owner: &OwnerId,
        connection: &ConnectionDigest,
        summary_type: &SummaryType,
        came: Came,
    ) -> bool {
        self.permissions(owner, connection).is_none_or(|known| known.permits(summary_type, came))
    }
}
