//! A journal with a way in for answers.

#![allow(dead_code, reason = "each test file uses its part")]
#![expect(clippy::unwrap_used, reason = "a test whose stage cannot be set fails")]

use std::{
    fs,
    sync::{Arc, Mutex},
    time::Duration,
};

use ring::rand::SystemRandom;
use studygate::clock::Clock;
use studygate::crypto::{key::Key, keyring::Keyring};
use studygate::disk::Space;
use studygate::ingest::answer::{AnswerTo, Answers, Settings};
use studygate::journal::{self, Journal, Position, Reader};
use studygate::model::{
    connection::{ClientId, GarminUserId},
    pull::{PullId, PullRef},
    summary::SummaryType,
    time::UnixSeconds,
};
use studygate::telemetry::{ingest::IngestMetrics, registry::Registry};

pub(crate) const NOW: UnixSeconds = UnixSeconds(1_793_500_000);
pub(crate) const PULL: PullRef = PullRef { id: PullId([3; 12]), ping: 9 };
pub(crate) const BYTES_MAX: u64 = 2 << 20;

pub(crate) struct Site {
    pub(crate) answers: Arc<Answers>,
    pub(crate) reader: Mutex<Reader>,
    pub(crate) registry: Registry,
    dir: tempfile::TempDir,
}

struct Frozen;

impl Clock for Frozen {
    fn now(&self) -> UnixSeconds {
        NOW
    }
}

/// An answer of this type for the user `asked`.
pub(crate) fn to(summary_type: &str) -> AnswerTo {
    AnswerTo {
        client: ClientId::new("client-a"),
        user: GarminUserId::parse("asked").unwrap(),
        summary_type: SummaryType::named(summary_type),
        pull: PULL,
    }
}

impl Site {
    pub(crate) fn new(reserve: u64) -> Self {
        Self::with(reserve, BYTES_MAX)
    }

    pub(crate) fn with(reserve: u64, bytes_max: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let rng = Arc::new(SystemRandom::new());
        let keyring = Keyring::open(dir.path(), &Key::from_bytes([7; 32]), rng.clone()).unwrap();
        let space = Space::new(dir.path(), reserve).unwrap();
        let settings = journal::Settings { dir: dir.path().join("journal") };
        let limits = journal::Limits::default();
        let (journal, reader) = Journal::open(&settings, limits, Arc::new(keyring), space, rng, Position(0))
            .unwrap_or_else(|e| panic!("{e}"));
        let registry = Registry::new();
        let metrics = IngestMetrics::register(&registry).door();
        let answers = Answers::new(Settings { bytes_max, large_answers_max: 2 }, journal, Arc::new(Frozen), metrics);
        Self { answers, reader: Mutex::new(reader), registry, dir }
    }

    /// Whether no file of a body is there.
    pub(crate) fn is_clean(&self) -> bool {
        let mut names = fs::read_dir(self.dir.path().join("journal")).unwrap().map(|entry| entry.unwrap().file_name());
        names.all(|name| !name.to_str().unwrap().starts_with("body-"))
    }

    /// Returns once a body that was given up is gone; its thread notices by itself.
    pub(crate) async fn wait_until_clean(&self) {
        let clean = async {
            while !self.is_clean() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), clean).await.unwrap();
    }
}
