//! The log of a running gateway, shared by whoever does something.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::audit::act::Act;
use crate::audit::anchor::{Anchor, AnchorRow};
use crate::audit::entry::{Event, Who};
use crate::audit::folder::{Piece, make, pieces};
use crate::audit::intent::{Intent, Intents};
use crate::audit::known::{known, own_trust};
use crate::audit::layer::{Layer, Plain};
use crate::audit::line::{Keys, Wanted};
use crate::audit::list::{Filter, Page, list};
use crate::audit::opening;
use crate::audit::report::Report;
use crate::audit::tail::{Tail, kept};
use crate::audit::verify::verify;
use crate::audit::writer::{ROOM_BYTES, Writer};
use crate::audit::{Done, Error};
use crate::clock::Clock;
use crate::crypto::key::{Rng, random};
use crate::crypto::keyring::Keyring;
use crate::disk::Space;
use crate::model::audit::{AuditHead, Checkpoint};
use crate::model::time::UnixSeconds;
use crate::store::engine::Engine;
use crate::telemetry::audit::AuditMetrics;

/// Settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The folder of the log.
    pub dir: PathBuf,
    /// A piece of this length is followed by the next one, in bytes.
    pub piece_bytes_max: u64,
}

/// What the log needs of the rest.
pub struct Parts {
    /// The disk.
    pub space: Arc<Space>,
    /// Keeps the last head.
    pub engine: Arc<dyn Engine>,
    /// The keys.
    pub keyring: Arc<Keyring>,
    /// Randomness.
    pub rng: Arc<Rng>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// The log.
pub struct Log {
    waiting: Mutex<VecDeque<Waiting>>,
    writer: Mutex<Writer>,
    anchor: Mutex<Anchor>,
    pub(super) intents: Mutex<Intents>,
    row: AnchorRow,
    clock: Arc<dyn Clock>,
    dir: PathBuf,
    site_key: String,
    after_stop: bool,
    broken: AtomicBool,
    metrics: AuditMetrics,
}

struct Waiting {
    wanted: Wanted,
    told: Arc<Mutex<Option<Result<Done, Error>>>>,
}

impl Settings {
    /// The log in this folder.
    pub fn new(dir: PathBuf) -> Self {
        Self { dir, piece_bytes_max: 16 << 20 }
    }
}

impl Log {
    /// Opens the log, its end repaired, and says so in it where there was something to repair.
    pub fn open(settings: Settings, parts: Parts, metrics: AuditMetrics) -> Result<Log, Error> {
        Self::open_on(settings, parts, metrics, Arc::new(Plain))
    }

    pub(super) fn open_on(
        settings: Settings,
        parts: Parts,
        metrics: AuditMetrics,
        layer: Arc<dyn Layer>,
    ) -> Result<Log, Error> {
        let Parts { space, engine, keyring, rng, clock } = parts;
        let keys = Keys::of(&keyring.site());
        let site_key = keys.signer.public_key();
        let row = AnchorRow { engine, keyring: Arc::clone(&keyring), rng: Arc::clone(&rng) };
        let folder = make(&settings.dir).map_err(failed)?;
        let stored = row.load()?;
        let known = known(stored.as_ref(), kept(&settings.dir, &keyring).map_err(failed)?);
        let anchor = stored.unwrap_or_default();
        let mut opened = opening::open(&settings.dir, &keys, &known).map_err(failed)?;
        let tail = Tail::open(&settings.dir, &folder, keyring, rng).map_err(failed)?;
        let (intents, left) = Intents::open(&settings.dir, &folder).map_err(failed)?;
        metrics.entries.inc_by(opened.next - 1);
        let notes: Vec<_> = std::mem::take(&mut opened.notes).into_iter().map(Event::new).collect();
        let after_stop = opened.after_stop;
        let Settings { dir, piece_bytes_max } = settings;
        let writer = Writer::new(dir.clone(), layer, space, keys, piece_bytes_max, opened, tail);
        if let Some(at) = anchor.verified {
            metrics.verified(at);
        }
        let (writer, anchor, intents) = (Mutex::new(writer), Mutex::new(anchor), Mutex::new(intents));
        let (waiting, broken) = (Mutex::default(), AtomicBool::new(false));
        let log = Log { waiting, writer, anchor, intents, row, clock, dir, site_key, after_stop, broken, metrics };
        if !notes.is_empty() {
            log.append(Who::System, notes)?;
        }
        log.enter_interrupted(left)?;
        Ok(log)
    }

    /// Whether an entry could be written: asked before an act, which is refused if not.
    pub fn ready(&self) -> Result<(), Error> {
        self.writer().room(ROOM_BYTES)
    }

    /// Whether a write failed, so that nothing is entered until a restart.
    pub fn has_failed(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    /// The site's public key, 64 hexadecimal digits.
    pub fn site_key(&self) -> &str {
        &self.site_key
    }

    /// When everything was last verified without a finding.
    pub fn verified(&self) -> Option<UnixSeconds> {
        lock(&self.anchor).verified
    }

    /// A change is about to be made; durable on return. It is over with [`Log::over`].
    pub fn begin(&self, who: Who, request: String, study: Option<&str>, code: Option<&str>) -> Result<Intent, Error> {
        self.ready()?;
        let name = data_encoding::HEXLOWER.encode(&random::<8>(&*self.row.rng));
        let (study, code) = (study.map(str::to_owned), code.map(str::to_owned));
        let intent = Intent { name, who, request, study, code };
        lock(&self.intents).begin(&intent).map_err(failed)?;
        Ok(intent)
    }

    /// The change that was begun was made, and these acts are entered; or it was not, and there are none.
    pub fn over(&self, intent: &Intent, events: Vec<Event>) -> Result<(), Error> {
        if !events.is_empty() {
            self.enter(intent.who.clone(), events, Some(intent.name.clone()))?;
        }
        lock(&self.intents).end(intent).map_err(failed)
    }

    /// Enters these acts; durable on return. One fsync serves all who wait.
    pub fn append(&self, who: Who, events: Vec<Event>) -> Result<Done, Error> {
        self.enter(who, events, None)
    }

    pub(super) fn enter(&self, who: Who, events: Vec<Event>, intent: Option<String>) -> Result<Done, Error> {
        let told = Arc::new(Mutex::new(None));
        let wanted = Wanted { at: self.clock.now(), who, events, intent };
        lock(&self.waiting).push_back(Waiting { wanted, told: Arc::clone(&told) });
        let mut writer = self.writer();
        // Whoever had the writer before may have written this, too.
        if lock(&told).is_none() {
            let group: Vec<_> = lock(&self.waiting).drain(..).collect();
            let wanted: Vec<_> = group.iter().map(|waiting| &waiting.wanted).collect();
            let outcome = writer.commit(&wanted);
            match &outcome {
                Ok(done) => self.metrics.entries.inc_by(done.iter().map(|done| done.entries).sum()),
                Err(Error::Failed(_)) => self.broken.store(true, Ordering::Relaxed),
                Err(Error::DiskLow | Error::Store(_)) => {}
            }
            for (place, waiting) in group.iter().enumerate() {
                let own = outcome.as_ref().map(|done| done[place].clone()).map_err(Clone::clone);
                *lock(&waiting.told) = Some(own);
            }
        }
        drop(writer);
        lock(&told).take().expect("whoever took the group told each of its members")
    }

    /// The last entry is kept in the store, too, where it is another than the one that is kept there.
    pub fn keep_end(&self) -> Result<(), Error> {
        let end = self.writer().end();
        let mut anchor = lock(&self.anchor);
        if anchor.end != end {
            anchor.end = end;
            self.row.keep(&anchor)?;
        }
        Ok(())
    }

    /// Whether the gateway had been stopped before this start.
    pub fn is_after_stop(&self) -> bool {
        self.after_stop
    }

    /// A signed head that covers this entry: the last one, or one that is signed for it.
    pub fn head_over(&self, entry: u64) -> Result<AuditHead, Error> {
        let last = lock(&self.anchor).head.clone();
        last.filter(|head| head.sequence >= entry).map_or_else(|| self.sign(), Ok)
    }

    /// The gateway starts; the entry is a signed head.
    pub fn started(&self) -> Result<AuditHead, Error> {
        self.head(Act::Started { version: env!("CARGO_PKG_VERSION"), after_stop: self.after_stop })
    }

    /// The gateway stops; the entry is a signed head.
    pub fn stopped(&self) -> Result<AuditHead, Error> {
        self.head(Act::Stopped {})
    }

    /// Signs the head.
    pub fn sign(&self) -> Result<AuditHead, Error> {
        self.head(Act::HeadSigned {})
    }

    fn head(&self, act: Act) -> Result<AuditHead, Error> {
        let head = self.append(Who::System, vec![Event::new(act)])?.head.expect("the entry of a head is signed");
        let mut anchor = lock(&self.anchor);
        if anchor.head.as_ref().is_none_or(|kept| kept.sequence < head.sequence) {
            anchor.head = Some(head.clone());
            anchor.end = anchor.end.take().filter(|end| end.sequence > head.sequence).or(Some(Checkpoint::from(&head)));
            self.row.keep(&anchor)?;
        }
        Ok(head)
    }

    /// The entries that match.
    pub fn list(&self, filter: &Filter) -> io::Result<Page> {
        list(self.pieces()?, filter)
    }

    /// Verifies everything that is durable: chain, MACs, signatures, and the head that the store keeps.
    pub fn verify(&self) -> Result<Report, Error> {
        // First the head: what is appended meanwhile only makes the log longer.
        let trust = own_trust(&self.row, &self.dir)?;
        let report = verify(self.pieces().map_err(failed)?, &trust).map_err(failed)?;
        if report.findings.is_empty() {
            let at = self.clock.now();
            let mut anchor = lock(&self.anchor);
            anchor.verified = Some(at);
            self.row.keep(&anchor)?;
            self.metrics.verified(at);
        } else {
            tracing::error!(
                findings = report.findings.len(),
                "the audit log was tampered with; run `studygate audit verify`"
            );
        }
        Ok(report)
    }

    /// Verifies the log of a gateway that does not run, and touches nothing.
    pub fn verify_at_rest(
        settings: &Settings,
        engine: Arc<dyn Engine>,
        keyring: Arc<Keyring>,
        rng: Arc<Rng>,
    ) -> Result<Report, Error> {
        let trust = own_trust(&AnchorRow { engine, keyring, rng }, &settings.dir)?;
        verify(pieces(&settings.dir).map_err(failed)?, &trust).map_err(failed)
    }

    /// What is durable, opened to be read: nothing is written meanwhile.
    pub fn pieces(&self) -> io::Result<Vec<Piece>> {
        let _nobody_writes = self.writer();
        pieces(&self.dir)
    }

    /// How many wait to be entered with the next group.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        lock(&self.waiting).len()
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        lock(&self.writer)
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn failed(cause: io::Error) -> Error {
    Error::Failed(Arc::new(cause))
}
