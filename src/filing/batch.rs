//! A batch: items filed one after the other into packs in the making, until they are committed together.

use std::collections::HashMap;

use crate::dataset::deidentify::Deidentify;
use crate::filing::arrival::Arrival;
use crate::filing::failure::Failure;
use crate::filing::item::Bytes;
use crate::filing::owner::Owner;
use crate::filing::quarantine::Quarantine;
use crate::filing::refused::reason;
use crate::filing::tally::Tally;
use crate::model::entry::{Entry, Shape};
use crate::model::id::OwnerId;
use crate::model::participant::Moment;
use crate::model::pull::{PullId, PullRef};
use crate::model::study::Rules as StudyRules;
use crate::model::summary::{DEREGISTRATIONS, PERMISSION_CHANGES, SummaryType};
use crate::model::time::UnixSeconds;
use crate::people::directory::Directory;
use crate::people::held::HeldNote;
use crate::people::standing::LinkedTo;
use crate::queue::job::is_file;
use crate::queue::{Queue, Told};
use crate::records::catalog::Catalog;
use crate::store::engine::Batch as Rows;
use crate::telemetry::filing::RecordResult;
use crate::upstream::rules::Rules;

/// A held connection shows so much of a type's name, in characters.
const HELD_NAME_CHARS: usize = 64;

/// A ping may lead to what happened so many days before it came: a watch is synchronised late, and Garmin holds
/// notifications for 7 days (endpoint configuration, "On hold"). What no window covers is left out once it is fetched.
const LATE_DAYS: i64 = 7;
const DAY_S: i64 = 86_400;

/// What a batch is filed with.
pub struct Tools<'a> {
    /// Where records are kept.
    pub catalog: &'a Catalog,
    /// Where unreadable items are kept.
    pub quarantine: &'a Quarantine,
    /// Where jobs are kept.
    pub queue: &'a Queue,
    /// Where callbacks may lead.
    pub callbacks: &'a Rules,
    /// Keys the content digests.
    pub content_key: [u8; 16],
}

/// Items on their way into the store.
pub struct Batch<'a> {
    pub(super) tools: &'a Tools<'a>,
    /// The number of the commit that this batch becomes.
    pub sequence: u64,
    /// The owners that have records in it.
    pub owners: HashMap<OwnerId, Owner>,
    /// Rows beside the packs.
    pub rows: Rows,
    /// What it did.
    pub tally: Tally,
    /// What it adds to held connections.
    pub held: HashMap<OwnerId, HeldNote>,
    /// The highest arrival time in it.
    pub newest: UnixSeconds,
    /// What it adds to held connections, in bytes.
    pub held_bytes: u64,
    /// What the queue of pulls learns once it is committed.
    pub told: Vec<Told>,
    /// The newest ping of each job in it: when it came, and its place in the journal.
    pub(super) pinged: HashMap<PullId, (UnixSeconds, u64)>,
    pub(super) bytes: usize,
}

/// Who gets a record.
#[derive(Clone, Copy)]
pub(super) enum Target<'t> {
    /// A participant, by the rules of the study.
    Participant(OwnerId, &'t StudyRules),
    /// A held connection.
    Held(OwnerId),
}

impl<'a> Batch<'a> {
    /// An empty batch.
    pub fn new(tools: &'a Tools<'a>, sequence: u64) -> Self {
        Self {
            tools,
            sequence,
            owners: HashMap::new(),
            rows: Rows::default(),
            tally: Tally::default(),
            held: HashMap::new(),
            newest: UnixSeconds(0),
            held_bytes: 0,
            told: Vec::new(),
            pinged: HashMap::new(),
            bytes: 0,
        }
    }

    /// What it takes in memory, about.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// An item of a connection with links: a copy for every participant whose window covers it, whose study takes it,
    /// and for whom the user permits it.
    pub fn linked(
        &mut self,
        arrival: &Arrival<'_>,
        bytes: &mut Bytes<'_>,
        links: &[LinkedTo],
        directory: &Directory,
    ) -> Result<(), Failure> {
        let is_ping = arrival.entry.shape == Shape::Ping;
        let received = arrival.header.received;
        // A file's ping says when its activity was; of any other ping, what it leads to says it, and its offset.
        let says_when = !is_ping || is_file(&arrival.summary_type);
        let at = arrival.facts.start.filter(|_| says_when).unwrap_or(received);
        let takes_part = |linked: &&LinkedTo| match is_ping {
            false => linked.collects(Moment { at, offset: arrival.facts.offset }),
            true if says_when => linked.may_collect(at),
            true => (0..=LATE_DAYS).any(|days| linked.may_collect(received.plus(-days * DAY_S))),
        };
        let mut targets: Vec<Target<'_>> = Vec::new();
        let mut result = RecordResult::OutsideWindow;
        for linked in links.iter().filter(|linked| takes_part(linked) && linked.participant.takes(received)) {
            let (owner, summary_type) = (&linked.participant.id, &arrival.summary_type);
            let permits = directory.permits(owner, &arrival.connection, summary_type, arrival.came());
            let rules = &linked.study.rules;
            if permits && rules.collects(summary_type.name()) && stores(rules, summary_type) {
                targets.push(Target::Participant(linked.participant.id, rules));
                if !is_ping {
                    self.tally.stored(linked.study.id, arrival.header.received);
                }
            } else {
                result = RecordResult::NotPermitted;
            }
        }
        if targets.is_empty() {
            self.tally.count(&arrival.summary_type, result);
            return Ok(());
        }
        self.keep(arrival, bytes, &targets)
    }

    /// An item of a connection that nobody is linked to.
    pub fn hold(&mut self, arrival: &Arrival<'_>, bytes: &mut Bytes<'_>, owner: OwnerId) -> Result<(), Failure> {
        let note = self.held.entry(owner).or_default();
        note.now = note.now.max(arrival.header.received);
        self.keep(arrival, bytes, &[Target::Held(owner)])
    }

    fn keep(&mut self, arrival: &Arrival<'_>, bytes: &mut Bytes<'_>, targets: &[Target<'_>]) -> Result<(), Failure> {
        self.newest = self.newest.max(arrival.header.received);
        match arrival.entry.shape {
            Shape::Ping => self.ping(arrival, bytes, targets),
            Shape::Push | Shape::File => self.file(arrival, bytes, targets),
            Shape::UnexpectedFile | Shape::NotAnObject | Shape::NotAnArray => {
                self.set_aside(arrival, bytes, reason(arrival.entry), targets)
            }
        }
    }

    /// The body that answers this ping is in the batch, or in those before it: the job ends with it.
    pub fn answered(&mut self, pull: PullRef) {
        if self.pinged.get(&pull.id).is_none_or(|(_, ping)| *ping <= pull.ping) {
            self.tools.queue.rows(&pull).into_iter().for_each(|row| self.rows.delete(row));
            self.told.push(Told::Answered(pull));
        }
    }

    /// What it takes of an owner is kept under these keys.
    pub(super) fn owner(&mut self, id: &OwnerId) -> Result<&mut Owner, Failure> {
        if !self.owners.contains_key(id) {
            self.owners.insert(*id, Owner::new(self.tools.catalog.keys(id)?));
        }
        Ok(self.owners.get_mut(id).expect("it was added above"))
    }

    /// A held connection has one item more.
    pub(super) fn note_held(&mut self, owner: OwnerId, summary_type: &SummaryType, bytes: u64) {
        self.held_bytes += bytes;
        let items = &mut self.held.entry(owner).or_default().items;
        *items.entry(summary_type.name().chars().take(HELD_NAME_CHARS).collect()).or_default() += 1;
    }

    /// An item that is dropped.
    pub fn drop_item(&mut self, entry: &Entry, result: RecordResult) {
        self.tally.count(&SummaryType::named(&entry.member), result);
    }
}

impl<'t> Target<'t> {
    pub(super) fn owner(self) -> OwnerId {
        match self {
            Self::Participant(id, _) | Self::Held(id) => id,
        }
    }

    /// The rules that say what is stored, where the study minimises.
    pub(super) fn minimised(self) -> Option<&'t StudyRules> {
        match self {
            Self::Participant(_, rules) => Some(rules).filter(|rules| rules.minimise),
            Self::Held(_) => None,
        }
    }
}

/// Whether records of this type are stored: a study that minimises stores none that its rules keep out of datasets.
fn stores(rules: &StudyRules, summary_type: &SummaryType) -> bool {
    !rules.minimise || Deidentify::new(rules, summary_type.name()).is_some()
}

/// Whether an item is a deregistration or a permission change: applied before the answer, not filed.
pub fn is_control(entry: &Entry) -> bool {
    matches!(&*entry.member, DEREGISTRATIONS | PERMISSION_CHANGES) && matches!(entry.shape, Shape::Push | Shape::Ping)
}
