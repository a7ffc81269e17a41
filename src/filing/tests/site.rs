//! A gateway without its network edge, in a temporary folder.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ring::rand::SystemRandom;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use super::NOW;
use super::backups;
use super::given::{HOLD_FOR, callbacks, entries, open_keyring, target};
use super::hand::Hand;
use super::trail::{self, copy_folder};
use crate::audit::Log;
use crate::backup::Backups;
use crate::clock::Clock as _;
use crate::crypto::key::Rng;
use crate::crypto::keyring::Keyring;
use crate::disk::Space;
use crate::filing::batch::is_control;
use crate::filing::failure::Failure;
use crate::filing::progress;
use crate::filing::quarantine::Quarantine;
use crate::filing::worker::{Filing, Parts, Settings};
use crate::journal::{Header, Journal, Limits, Position, Settings as JournalSettings};
use crate::model::connection::{ClientId, ConnectionDigest};
use crate::model::id::{OwnerId, StudyId};
use crate::model::participant::Window;
use crate::model::study::Rules;
use crate::model::time::UnixSeconds;
use crate::people::decide::{participant::NewParticipant, study::NewStudy};
use crate::people::{LinkRequest, People, Settings as PeopleSettings};
use crate::queue::{self, Queue};
use crate::records::catalog::Catalog;
use crate::store::blobs::Blobs;
use crate::store::engine::{Batch, Engine};
use crate::store::faulty::{Fault, Faulty};
use crate::store::memory::Memory;
use crate::store::snapshot::Snapshots;
use crate::telemetry::filing::FilingMetrics;
use crate::telemetry::registry::Registry;
use crate::withdrawal::course::Brake;
use crate::withdrawal::{self, Applied, Withdrawal};

const RECIPIENT: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";
/// Longer bodies are spilled.
const INLINE_BYTES_MAX: usize = 64 * 1024;
/// A tombstone keeps a connection out for so long, in seconds.
pub(super) const TOMBSTONE_FOR: i64 = 1000;

/// The site: what lasts over restarts, and what runs.
pub(super) struct Site {
    pub(super) dir: TempDir,
    pub(super) memory: Arc<Memory>,
    pub(super) clock: Arc<Hand>,
    pub(super) settings: Settings,
    pub(super) held_connections_max: usize,
    pub(super) inline_bytes_max: usize,
    pub(super) brake: Brake,
    /// The folder of backups, where there is one.
    pub(super) backups: Option<PathBuf>,
    pub(super) settle_for: Duration,
    runtime: Runtime,
    running: Option<Running>,
}

/// What runs.
pub(super) struct Running {
    pub(super) blobs: Arc<Blobs>,
    pub(super) keyring: Arc<Keyring>,
    pub(super) people: Arc<People>,
    pub(super) catalog: Arc<Catalog>,
    pub(super) quarantine: Arc<Quarantine>,
    pub(super) queue: Arc<Queue>,
    pub(super) journal: Journal,
    pub(super) withdrawal: Arc<Withdrawal>,
    pub(super) backups: Arc<Backups>,
    pub(super) rows: Arc<Snapshots>,
    pub(super) audit: Arc<Log>,
    pub(super) metrics: FilingMetrics,
    pub(super) filing: Filing,
}

impl Site {
    /// A site that runs, with nobody in it.
    pub(super) fn new() -> Site {
        let mut site = Site::stopped();
        site.start(Fault::None).expect("an empty site starts");
        site
    }

    /// A site with the study `S` and participants `P1`, `P2`, … linked to these users.
    pub(super) fn with(users: &[&str]) -> Site {
        let site = Site::new();
        site.study("S", Rules::default());
        for (number, user) in (1..).zip(users) {
            site.participant("S", &format!("P{number}"), user);
        }
        site
    }

    /// A site that was never started.
    pub(super) fn stopped() -> Site {
        let settings =
            Settings { hold: true, hold_for: 10_000, hold_bytes_max: 1 << 30, quarantine_for: 5000, per_study: true };
        Site {
            dir: tempfile::tempdir().expect("a folder"),
            memory: Arc::default(),
            clock: Arc::new(Hand::at(NOW)),
            settings,
            held_connections_max: 100,
            inline_bytes_max: INLINE_BYTES_MAX,
            brake: Brake { share: 0.25, least: 5, hold_for: HOLD_FOR },
            backups: None,
            settle_for: Duration::ZERO,
            runtime: Builder::new_current_thread().build().expect("a runtime"),
            running: None,
        }
    }

    pub(super) fn at(&self) -> &Running {
        self.running.as_ref().expect("the site runs")
    }

    /// Ends as a kill would: nothing is finished.
    pub(super) fn kill(&mut self) {
        self.running = None;
    }

    /// Starts what is on disk, with an engine of this fault; why it does not start.
    pub(super) fn start(&mut self, fault: Fault) -> Result<(), String> {
        self.start_on(Arc::new(Faulty::new(Arc::clone(&self.memory), fault)))
    }

    /// The same, with this engine over the site's memory.
    pub(super) fn start_on(&mut self, engine: Arc<dyn Engine>) -> Result<(), String> {
        self.kill();
        let dir = self.dir.path();
        let rng: Arc<Rng> = Arc::new(SystemRandom::new());
        let rows = Arc::new(Snapshots::new(engine));
        let engine: Arc<dyn Engine> = Arc::clone(&rows) as _;
        let keyring = Arc::new(open_keyring(&dir.join("keyring")));
        let blobs = Arc::new(Blobs::open(&dir.join("blobs")).map_err(text)?);
        let quarantine =
            Quarantine::open(Arc::clone(&engine), Arc::clone(&blobs), Arc::clone(&keyring), Arc::clone(&rng));
        let quarantine = Arc::new(quarantine.map_err(text)?);
        let progress = progress::load(&*engine, &keyring).map_err(text)?;
        let people = PeopleSettings { held_connections_max: self.held_connections_max };
        let people = People::open(Arc::clone(&engine), Arc::clone(&keyring), Arc::clone(&rng) as _, people);
        let people = Arc::new(people.map_err(text)?);
        let kept = quarantine.files();
        let catalog =
            Catalog::open(Arc::clone(&engine), Arc::clone(&blobs), Arc::clone(&keyring), Arc::clone(&rng), kept);
        let catalog = Arc::new(catalog.map_err(text)?);
        let journal_dir = dir.join("journal");
        std::fs::create_dir_all(&journal_dir).map_err(text)?;
        let limits = Limits { inline_bytes_max: self.inline_bytes_max, ..Limits::default() };
        let space = Space::new(dir, 0).map_err(text)?;
        let (journal, reader) = Journal::open(
            &JournalSettings { dir: journal_dir },
            limits,
            Arc::clone(&keyring),
            Arc::clone(&space),
            Arc::clone(&rng) as _,
            progress.filed,
        )
        .map_err(text)?;
        let callbacks = Arc::new(callbacks());
        let queue = queue::Parts {
            engine: Arc::clone(&engine),
            keyring: Arc::clone(&keyring),
            people: Arc::clone(&people),
            catalog: Arc::clone(&catalog),
            rng: Arc::clone(&rng),
        };
        let queue = Queue::open_store(queue::Settings::default(), queue, &callbacks, self.clock.now());
        let queue = Arc::new(queue.map_err(text)?);
        let kept = (Arc::clone(&engine), Arc::clone(&keyring), Arc::clone(&rng), Arc::clone(&self.clock) as _);
        let backups = backups::open(self.backups.clone(), kept)?;
        let withdrawal = Withdrawal::new(withdrawal::Parts {
            backups: Arc::clone(&backups),
            settings: withdrawal::Settings {
                tombstone_for: TOMBSTONE_FOR,
                quarantine_for: self.settings.quarantine_for,
                brake: self.brake,
                settle_for: self.settle_for,
            },
            people: Arc::clone(&people),
            catalog: Arc::clone(&catalog),
            keyring: Arc::clone(&keyring),
            engine: Arc::clone(&engine),
            queue: Arc::clone(&queue),
            journal: journal.clone(),
            space: Arc::clone(&space),
            rng: Arc::clone(&rng),
            clock: Arc::clone(&self.clock) as _,
        });
        let withdrawal = Arc::new(withdrawal.map_err(text)?);
        let metrics = FilingMetrics::register(&Registry::new());
        let space = Space::new(self.dir.path(), 0).map_err(text)?;
        let clock = Arc::clone(&self.clock) as _;
        let trail = (space, Arc::clone(&engine), Arc::clone(&keyring), Arc::clone(&rng), clock);
        let audit = Arc::new(trail::open(self.dir.path(), trail)?);
        let parts = Parts {
            settings: self.settings.clone(),
            people: Arc::clone(&people),
            catalog: Arc::clone(&catalog),
            quarantine: Arc::clone(&quarantine),
            queue: Arc::clone(&queue),
            callbacks,
            withdrawal: Arc::clone(&withdrawal),
            audit: Arc::clone(&audit),
            engine,
            keyring: Arc::clone(&keyring),
            journal: journal.clone(),
            rng,
            clock: Arc::clone(&self.clock) as _,
            metrics: metrics.clone(),
            observed: Arc::default(),
        };
        let mut filing = Filing::new(parts, reader, progress).map_err(text)?;
        filing.patience = Duration::from_millis(5);
        self.running = Some(Running {
            blobs,
            keyring,
            people,
            catalog,
            quarantine,
            queue,
            journal,
            withdrawal,
            backups,
            rows,
            audit,
            metrics,
            filing,
        });
        Ok(())
    }

    /// Another site with the same things on its disk; this one is killed.
    pub(super) fn copy(&mut self) -> Site {
        self.kill();
        let copy = Site::stopped();
        copy_folder(self.dir.path(), copy.dir.path());
        let mut rows = Batch::default();
        let copied = self.memory.scan(&[], &mut |key, value| {
            rows.put(key.to_vec(), value.to_vec());
            true
        });
        copied.and_then(|()| copy.memory.commit(rows)).expect("memory takes them");
        copy.clock.now.store(self.clock.now().0, Ordering::Release);
        Site { settings: self.settings.clone(), brake: self.brake, settle_for: self.settle_for, ..copy }
    }

    /// Files what has come, in one go.
    pub(super) fn round(&mut self) {
        self.running.as_mut().expect("the site runs").filing.round().expect("filed");
    }

    /// A kill and a start without faults.
    pub(super) fn restart(&mut self) {
        self.start(Fault::None).expect("the site starts again");
    }

    /// The clock goes on.
    pub(super) fn wait(&self, seconds: i64) {
        self.clock.now.fetch_add(seconds, Ordering::AcqRel);
    }

    /// A study.
    pub(super) fn study(&self, name: &str, rules: Rules) {
        let new = NewStudy { name: name.into(), recipients: vec![RECIPIENT.into()], rules };
        self.at().people.add_study(new, self.clock.now()).expect("a study");
    }

    /// A participant who is linked to a user without limits.
    pub(super) fn participant(&self, study: &str, code: &str, user: &str) -> OwnerId {
        self.participant_within(study, code, user, Window::default(), Window::default())
    }

    /// A participant with a window, linked to a user for another.
    pub(super) fn participant_within(
        &self,
        study: &str,
        code: &str,
        user: &str,
        window: Window,
        link: Window,
    ) -> OwnerId {
        let new = NewParticipant { code: Some(code.into()), window, ..NewParticipant::default() };
        let link = LinkRequest { target: target(user), window: link };
        self.at().people.add_participant(study, new, Some(link), self.clock.now()).expect("a participant").id
    }

    /// The id of a participant.
    pub(super) fn id(&self, study: &str, code: &str) -> OwnerId {
        let directory = self.at().people.read();
        let study = directory.study(study).expect("a study").id;
        directory.participant_coded(&study, code).expect("a participant").id
    }

    /// The digest of a user's connection.
    pub(super) fn connection(&self, user: &str) -> ConnectionDigest {
        self.at().people.digest(&ClientId::single(), user)
    }

    /// Takes a notification as the door does: durable first, then its control items.
    pub(super) fn push(&self, body: &str) {
        let position = self.take(body);
        self.apply(position, body);
    }

    /// Takes a notification into the journal, and nothing more; returns its place.
    pub(super) fn take(&self, body: &str) -> Position {
        let mut entries = entries(body);
        let header = Header { received: self.clock.now(), client: ClientId::single(), pull: None };
        let journal = &self.at().journal;
        if body.len() <= self.inline_bytes_max {
            let bytes = body.as_bytes().to_vec();
            self.runtime.block_on(journal.commit(header, bytes, entries)).expect("durable")
        } else {
            let mut spool = journal.spool().expect("a spool");
            body.as_bytes().chunks(60_000).for_each(|chunk| spool.write(chunk).expect("written"));
            entries.drain(..).for_each(|entry| spool.entry(&entry).expect("written"));
            spool.commit(header).expect("durable")
        }
    }

    /// Applies the control items of a notification that came now, and stands there; what came of them.
    pub(super) fn apply(&self, position: Position, body: &str) -> Applied {
        let controls: Vec<_> = entries(body).into_iter().filter(is_control).collect();
        let header = Header { received: self.clock.now(), client: ClientId::single(), pull: None };
        self.at().withdrawal.apply(position, &header, &controls).expect("applied")
    }

    /// Takes a notification as the door does; what came of its control items.
    pub(super) fn apply_counting(&self, body: &str) -> Applied {
        let position = self.take(body);
        self.apply(position, body)
    }

    /// The time.
    pub(super) fn now(&self) -> UnixSeconds {
        self.clock.now()
    }

    /// The id of a study.
    pub(super) fn study_id(&self, name: &str) -> StudyId {
        self.at().people.read().study(name).expect("a study").id
    }

    /// What a start does before a port opens.
    pub(super) fn end_purges(&mut self) {
        self.running.as_mut().expect("the site runs").filing.end_purges().expect("done");
    }

    /// Files until nothing is left to do.
    pub(super) fn file(&mut self) {
        self.try_file().expect("filed");
    }

    /// The same, or why it stopped.
    pub(super) fn try_file(&mut self) -> Result<(), Failure> {
        let filing = &mut self.running.as_mut().expect("the site runs").filing;
        loop {
            let filed = filing.round()?;
            if !filed && filing.parts.journal.backlog().0 == 0 {
                return Ok(());
            }
        }
    }

    /// Takes a notification and files it.
    pub(super) fn receive(&mut self, body: &str) {
        self.push(body);
        self.file();
    }
}

fn text(error: impl ToString) -> String {
    error.to_string()
}
