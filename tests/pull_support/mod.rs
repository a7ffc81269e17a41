//! A gateway from the journal to the store with the worker that pulls, in a temporary folder.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use ring::rand::SystemRandom;
use studygate::audit;
use studygate::backoff::Backoff;
use studygate::backup::{self, Backups};
use studygate::clock::{Clock, SystemClock};
use studygate::crypto::key::{Key, Rng};
use studygate::crypto::keyring::Keyring;
use studygate::disk::Space;
use studygate::filing::progress;
use studygate::filing::quarantine::Quarantine;
use studygate::filing::worker::{Filing, Parts as FilingParts, Settings as FilingSettings};
use studygate::ingest::answer::{Answers, Settings as AnswerSettings};
use studygate::journal::{self, Header, Journal, Limits};
use studygate::json::split::Splitter;
use studygate::lifecycle::{Stop, Stopped};
use studygate::model::connection::{ClientId, GarminUserId};
use studygate::model::participant::Window;
use studygate::model::study::Rules as StudyRules;
use studygate::model::time::UnixSeconds;
use studygate::people::decide::{link::Target, participant::NewParticipant, study::NewStudy};
use studygate::people::permissions::Permissions;
use studygate::people::{LinkRequest, People, Settings as PeopleSettings};
use studygate::pull::worker::{Parts, Settings, Worker};
use studygate::queue::job::State;
use studygate::queue::schedule::{self, Filter};
use studygate::queue::{self, Queue};
use studygate::records::catalog::Catalog;
use studygate::store::blobs::Blobs;
use studygate::store::engine::Engine;
use studygate::store::memory::Memory;
use studygate::telemetry::audit::AuditMetrics;
use studygate::telemetry::filing::FilingMetrics;
use studygate::telemetry::ingest::IngestMetrics;
use studygate::telemetry::pull::PullMetrics;
use studygate::telemetry::registry::Registry;
use studygate::upstream::Upstream;
use studygate::withdrawal::{self, Withdrawal, course::Brake};

use crate::upstream_support::{HOST, Server, client_of, rules};

const RECIPIENT: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";
pub(crate) const USER: &str = "user-1";

/// The machine's clock, put ahead.
#[derive(Default)]
pub(crate) struct Ahead(AtomicI64);

impl Clock for Ahead {
    fn now(&self) -> UnixSeconds {
        SystemClock.now().plus(self.0.load(Ordering::Acquire))
    }

    fn monotonic(&self) -> Duration {
        SystemClock.monotonic()
    }
}

/// What lasts over restarts.
pub(crate) struct Disk {
    dir: tempfile::TempDir,
    memory: Arc<Memory>,
    pub(crate) clock: Arc<Ahead>,
}

/// What runs.
pub(crate) struct Site {
    pub(crate) queue: Arc<Queue>,
    pub(crate) registry: Registry,
    catalog: Arc<Catalog>,
    people: Arc<People>,
    journal: Journal,
    clock: Arc<Ahead>,
    filing: Option<(Stop, JoinHandle<()>)>,
    worker: Option<(Stop, tokio::task::JoinHandle<()>)>,
    parts: Option<Parts>,
}

impl Disk {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("a folder"), memory: Arc::default(), clock: Arc::default() }
    }

    /// Starts what is on disk: filing at once, the worker on demand.
    pub(crate) fn start(&self, server: &Server) -> Site {
        self.start_with(client_of(server))
    }

    fn start_with(&self, upstream: Upstream) -> Site {
        let dir = self.dir.path();
        let rng: Arc<Rng> = Arc::new(SystemRandom::new());
        let engine: Arc<dyn Engine> = Arc::clone(&self.memory) as _;
        for folder in ["keyring", "journal"] {
            std::fs::create_dir_all(dir.join(folder)).expect("a folder");
        }
        let root = Key::from_bytes([7; 32]);
        let keyring = Arc::new(Keyring::open(&dir.join("keyring"), &root, Arc::clone(&rng)).expect("a keyring"));
        let blobs = Arc::new(Blobs::open(&dir.join("blobs")).expect("a folder"));
        let quarantine =
            Quarantine::open(Arc::clone(&engine), Arc::clone(&blobs), Arc::clone(&keyring), Arc::clone(&rng));
        let quarantine = Arc::new(quarantine.expect("quarantine"));
        let progress = progress::load(&*engine, &keyring).expect("progress");
        let people = PeopleSettings { held_connections_max: 10 };
        let people = People::open(Arc::clone(&engine), Arc::clone(&keyring), Arc::clone(&rng), people);
        let people = Arc::new(people.expect("people"));
        let kept = quarantine.files();
        let catalog =
            Catalog::open(Arc::clone(&engine), Arc::clone(&blobs), Arc::clone(&keyring), Arc::clone(&rng), kept);
        let catalog = Arc::new(catalog.expect("a catalog"));
        let space = Space::new(dir, 0).expect("a disk");
        let settings = journal::Settings { dir: dir.join("journal") };
        let (keys, random) = (Arc::clone(&keyring), Arc::clone(&rng));
        let (journal, reader) =
            Journal::open(&settings, Limits::default(), keys, Arc::clone(&space), random, progress.filed)
                .expect("a journal");
        let callbacks = Arc::new(rules(&[HOST], true));
        let backoff = Backoff { base: Duration::from_millis(1), cap: Duration::from_millis(1) };
        let queue_settings = queue::Settings { schedule: schedule::Settings::default(), backoff };
        let queue = queue::Parts {
            engine: Arc::clone(&engine),
            keyring: Arc::clone(&keyring),
            people: Arc::clone(&people),
            catalog: Arc::clone(&catalog),
            rng: Arc::clone(&rng),
        };
        let queue = Arc::new(Queue::open_store(queue_settings, queue, &callbacks, self.clock.now()).expect("a queue"));
        let brake = Brake { share: 0.25, least: 5, hold_for: 1000 };
        let backups = Backups::open(backup::Parts {
            settings: backup::Settings { dir: None, disk_reserve: 0 },
            engine: Arc::clone(&engine),
            keyring: Arc::clone(&keyring),
            rng: Arc::clone(&rng),
            clock: Arc::clone(&self.clock) as _,
        });
        let backups = Arc::new(backups.expect("a register"));
        let withdrawal = Withdrawal::new(withdrawal::Parts {
            backups,
            settings: withdrawal::Settings {
                tombstone_for: 1000,
                quarantine_for: 5000,
                brake,
                settle_for: Duration::ZERO,
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
        let registry = Registry::new();
        let trail = audit::Parts {
            space: Space::new(dir, 0).expect("a disk"),
            engine: Arc::clone(&engine),
            keyring: Arc::clone(&keyring),
            rng: Arc::clone(&rng),
            clock: Arc::clone(&self.clock) as _,
        };
        let audit = audit::Settings::new(dir.join("audit"));
        let audit = audit::Log::open(audit, trail, AuditMetrics::register(&registry)).expect("a log");
        let filing = FilingParts {
            settings: FilingSettings {
                hold: true,
                hold_for: 10_000,
                hold_bytes_max: 1 << 30,
                quarantine_for: 5000,
                per_study: false,
            },
            people: Arc::clone(&people),
            catalog: Arc::clone(&catalog),
            quarantine,
            queue: Arc::clone(&queue),
            callbacks: Arc::clone(&callbacks),
            withdrawal: Arc::new(withdrawal.expect("withdrawal")),
            audit: Arc::new(audit),
            engine,
            keyring,
            journal: journal.clone(),
            rng: Arc::clone(&rng),
            clock: Arc::clone(&self.clock) as _,
            metrics: FilingMetrics::register(&registry),
            observed: Arc::default(),
        };
        let filing = Filing::new(filing, reader, progress).expect("filing");
        let (stop, stopped) = Stop::new();
        let filing = std::thread::spawn(move || filing.run(&stopped).expect("filed"));
        let door = IngestMetrics::register(&registry).door();
        let answers = Answers::new(AnswerSettings::default(), journal.clone(), Arc::clone(&self.clock) as _, door);
        let parts = Parts {
            queue: Arc::clone(&queue),
            upstream,
            rules: (*callbacks).clone(),
            answers,
            journal: journal.clone(),
            rng,
            clock: Arc::clone(&self.clock) as _,
            metrics: PullMetrics::register(&registry),
        };
        Site {
            queue,
            registry,
            catalog,
            people,
            journal,
            clock: Arc::clone(&self.clock),
            filing: Some((stop, filing)),
            worker: None,
            parts: Some(parts),
        }
    }

    pub(crate) fn ahead(&self, seconds: i64) {
        self.clock.0.fetch_add(seconds, Ordering::AcqRel);
    }
}

impl Site {
    /// One study with one participant, linked to [`USER`].
    pub(crate) fn enrol(&self) {
        let study = NewStudy { name: "S".into(), recipients: vec![RECIPIENT.into()], rules: StudyRules::default() };
        self.people.add_study(study, self.clock.now()).expect("a study");
        let new = NewParticipant { code: Some("P1".into()), ..NewParticipant::default() };
        let target = Target::User(ClientId::single(), GarminUserId::parse(USER).expect("a user"));
        let link = LinkRequest { target, window: Window::default() };
        self.people.add_participant("S", new, Some(link), self.clock.now()).expect("a participant");
    }

    /// The worker runs.
    pub(crate) fn pull(&mut self, settings: Settings) {
        let worker = Worker::new(settings, self.parts.take().expect("the worker is started once"));
        let (stop, stopped): (Stop, Stopped) = Stop::new();
        let running = tokio::spawn(async move { worker.run(stopped).await.expect("the store is well") });
        self.worker = Some((stop, running));
    }

    /// A notification comes.
    pub(crate) async fn push(&self, body: String) {
        let mut entries = Vec::new();
        let mut splitter = Splitter::new();
        splitter.feed(body.as_bytes(), &mut |entry| entries.push(entry)).expect("JSON");
        splitter.finish().expect("whole JSON");
        let header = Header { received: self.clock.now(), client: ClientId::single(), pull: None };
        self.journal.commit(header, body.into_bytes(), entries).await.expect("durable");
    }

    /// The same, and it is filed.
    pub(crate) async fn receive(&self, body: String) {
        self.push(body).await;
        self.until("filing", |site| site.journal.backlog().0 == 0).await;
    }

    /// Returns once this holds; fails where it does not for long.
    pub(crate) async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let all = async {
            while !holds(self) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        assert!(tokio::time::timeout(Duration::from_secs(60), all).await.is_ok(), "no {what} in a minute");
    }

    /// The states of all jobs.
    pub(crate) fn states(&self) -> Vec<State> {
        let jobs = self.queue.list(&Filter::default(), 1000).expect("a list");
        jobs.into_iter().map(|job| job.state).collect()
    }

    /// The records of the participant.
    pub(crate) fn records(&self) -> usize {
        let directory = self.people.read();
        let study = directory.study("S").expect("a study").id;
        let id = directory.participant_coded(&study, "P1").expect("a participant").id;
        self.catalog.entries(&id).expect("an index").len()
    }

    /// What is known of what [`USER`] permits.
    pub(crate) fn permissions(&self) -> Permissions {
        let directory = self.people.read();
        let connection = self.people.digest(&ClientId::single(), USER);
        let participant = directory.linked(&connection).first().expect("a participant").participant.id;
        directory.permissions(&participant, &connection).map(|known| Permissions::clone(known)).unwrap_or_default()
    }

    /// How often a metric of a type and a result was counted.
    pub(crate) fn counted(&self, summary_type: &str, result: &str) -> u64 {
        let line = format!("studygate_pulls_total{{result=\"{result}\",type=\"{summary_type}\"}} ");
        let text = self.registry.render();
        let found = text.lines().find_map(|other| other.strip_prefix(&line)).expect("the metric");
        found.parse().expect("a number")
    }

    /// The worker stops, as the gateway does.
    pub(crate) async fn stop_pulling(&mut self) {
        if let Some((stop, running)) = self.worker.take() {
            stop.stop();
            running.await.expect("the worker ends well");
        }
    }

    /// Filing stops once it has filed everything.
    pub(crate) async fn stop_filing(&mut self) {
        if let Some((stop, thread)) = self.filing.take() {
            stop.stop();
            tokio::task::spawn_blocking(move || thread.join().expect("filing ends well")).await.expect("joined");
        }
    }

    /// Everything stops.
    pub(crate) async fn stop(mut self) {
        self.stop_pulling().await;
        self.stop_filing().await;
    }
}

/// A ping of [`USER`] for a window.
pub(crate) fn ping(summary_type: &str, window: u32, query: &str) -> String {
    format!(
        r#"{{"{summary_type}":[{{"userId":"{USER}","uploadStartTimeInSeconds":{window},"uploadEndTimeInSeconds":{},"callbackURL":"https://{HOST}/wellness-api/rest/{summary_type}?{query}"}}]}}"#,
        window + 100
    )
}

/// A ping of [`USER`] for a GPX file.
pub(crate) fn file_ping(query: &str) -> String {
    format!(
        r#"{{"activityFiles":[{{"userId":"{USER}","summaryId":"x4711-file","fileType":"GPX","activityId":4711,"startTimeInSeconds":1793500000,"callbackURL":"https://{HOST}/wellness-api/rest/activityFile?{query}"}}]}}"#
    )
}
