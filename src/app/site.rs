//! What lies in the data directory, opened: keys, store, people, records, journal, in the order of their need.
//!
//! ```text
//! data_dir/FORMAT lock keyring/ db/ audit/ blobs/ journal/ ballast
//! ```

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::app::escrow::Escrow;
use crate::app::failure::{Failure, Kind};
use crate::app::observations::Kept;
use crate::audit::{self, Log};
use crate::backup::{self, Backups};
use crate::clock::Clock;
use crate::config::{Config, Deregistration};
use crate::coverage::last_seen::LastSeen;
use crate::crypto::key::{Key, Rng};
use crate::crypto::keyring::{self, Keyring};
use crate::disk::{BALLAST_BYTES, Ballast, Space, copies_on_write};
use crate::filing::progress::{self, Progress};
use crate::filing::quarantine::Quarantine;
use crate::journal::{self, Journal, Reader};
use crate::people::{self, People};
use crate::queue::{self, Queue, schedule};
use crate::records::catalog::Catalog;
use crate::store::blobs::Blobs;
use crate::store::engine::Engine;
use crate::store::format::{DataDirectory, Error as FormatError};
use crate::store::sled::Sled;
use crate::store::snapshot::Snapshots;
use crate::telemetry::audit::AuditMetrics;
use crate::upstream::rules::Rules;
use crate::withdrawal::course::Brake;
use crate::withdrawal::{self, Withdrawal};

/// Who is noticed is locked for so long before the purge begins. An epoch is to be gone a second behind its notice.
const SETTLE_FOR: Duration = Duration::from_millis(200);

/// The opened data directory.
pub struct Site {
    /// Keeps other processes out.
    pub directory: DataDirectory,
    /// The keys.
    pub keyring: Arc<Keyring>,
    /// The disk.
    pub space: Arc<Space>,
    /// The rows.
    pub engine: Arc<dyn Engine>,
    /// The same, as of one moment.
    pub rows: Arc<Snapshots>,
    /// The files.
    pub blobs: Arc<Blobs>,
    /// What nobody could read.
    pub quarantine: Arc<Quarantine>,
    /// Who takes part.
    pub people: Arc<People>,
    /// The records.
    pub catalog: Arc<Catalog>,
    /// Where pings wait to be pulled.
    pub queue: Arc<Queue>,
    /// Where callbacks may lead.
    pub callbacks: Arc<Rules>,
    /// Where bodies are taken.
    pub journal: Journal,
    /// Where filing reads them.
    pub reader: Reader,
    /// How far filing has come.
    pub progress: Progress,
    /// Who leaves.
    pub withdrawal: Arc<Withdrawal>,
    /// The backups.
    pub backups: Arc<Backups>,
    /// Who did what.
    pub audit: Arc<Log>,
    /// What covers whose last days.
    pub last_seen: Arc<LastSeen>,
    /// Whether the root key could be had back.
    pub escrow: Arc<Escrow>,
    /// What was seen of the traffic.
    pub observations: Arc<Kept>,
    /// Randomness.
    pub rng: Arc<Rng>,
}

impl Site {
    /// Opens everything; what was interrupted is found again and goes on with filing.
    pub fn open(
        config: &Config,
        root_key: &Key,
        rng: &Arc<Rng>,
        clock: &Arc<dyn Clock>,
        audit: AuditMetrics,
    ) -> Result<Site, Failure> {
        let dir = config.data_dir.as_path();
        let directory = DataDirectory::open(dir).map_err(|error| directory_failure(dir, &error))?;
        for folder in ["keyring", "journal"] {
            make_folder(&dir.join(folder)).map_err(Failure::storage)?;
        }
        let keyring = Keyring::open(&dir.join("keyring"), root_key, Arc::clone(rng)).map_err(keyring_failure)?;
        let keyring = Arc::new(keyring);
        let space = Space::new(dir, config.storage.disk_reserve).map_err(Failure::storage)?;
        let ballast = Ballast::new(dir, BALLAST_BYTES);
        make_room(&ballast, &space).map_err(Failure::storage)?;
        warn_of_copies(&dir.join("keyring")).map_err(Failure::storage)?;
        let rows = Arc::new(Snapshots::new(Arc::new(Sled::open(&dir.join("db")).map_err(Failure::storage)?)));
        let engine: Arc<dyn Engine> = Arc::clone(&rows) as _;
        let trail = audit::Parts {
            space: Arc::clone(&space),
            engine: Arc::clone(&engine),
            keyring: Arc::clone(&keyring),
            rng: Arc::clone(rng),
            clock: Arc::clone(clock),
        };
        let audit = Log::open(audit::Settings::new(audit_folder(dir)), trail, audit);
        let audit = Arc::new(audit.map_err(Failure::storage)?);
        let blobs = Arc::new(Blobs::open(&dir.join("blobs")).map_err(Failure::storage)?);
        let quarantine =
            Quarantine::open(Arc::clone(&engine), Arc::clone(&blobs), Arc::clone(&keyring), Arc::clone(rng));
        let quarantine = Arc::new(quarantine.map_err(Failure::storage)?);
        let escrow = Escrow::open(Arc::clone(&engine), Arc::clone(&keyring), Arc::clone(rng));
        let escrow = Arc::new(escrow.map_err(Failure::storage)?);
        let progress = progress::load(&*engine, &keyring).map_err(Failure::storage)?;

        let held_connections_max = config.unassigned.max_connections;
        let settings = people::Settings { held_connections_max };
        let people = People::open(Arc::clone(&engine), Arc::clone(&keyring), Arc::clone(rng), settings);
        let people = Arc::new(people.map_err(Failure::storage)?);

        let observations = Kept::open(Arc::clone(&engine), Arc::clone(&keyring), Arc::clone(rng), Arc::clone(&people));
        let observations = Arc::new(observations.map_err(Failure::storage)?);

        let kept = quarantine.files();
        let catalog =
            Catalog::open(Arc::clone(&engine), Arc::clone(&blobs), Arc::clone(&keyring), Arc::clone(rng), kept);
        let catalog = Arc::new(catalog.map_err(Failure::storage)?);

        let last_seen = Arc::new(LastSeen::new(Arc::clone(&catalog)));

        let (journal, reader) = Journal::open(
            &journal::Settings { dir: dir.join("journal") },
            journal::Limits::default(),
            Arc::clone(&keyring),
            Arc::clone(&space),
            Arc::clone(rng),
            progress.filed,
        )
        .map_err(Failure::storage)?;

        let callbacks = Rules::new(&config.pull.hosts, config.pull.allow_private);
        let callbacks = Arc::new(callbacks.map_err(|error| Failure::new(Kind::Configuration, error))?);
        let pulls = queue::Parts {
            engine: Arc::clone(&engine),
            keyring: Arc::clone(&keyring),
            people: Arc::clone(&people),
            catalog: Arc::clone(&catalog),
            rng: Arc::clone(rng),
        };
        let queue = Queue::open_store(queue_settings(config), pulls, &callbacks, clock.now());
        let queue = Arc::new(queue.map_err(Failure::storage)?);
        let backups = Backups::open(backup::Parts {
            settings: backup_settings(config),
            engine: Arc::clone(&engine),
            keyring: Arc::clone(&keyring),
            rng: Arc::clone(rng),
            clock: Arc::clone(clock),
        });
        let backups = Arc::new(backups.map_err(Failure::storage)?);
        let withdrawal = Withdrawal::new(withdrawal::Parts {
            backups: Arc::clone(&backups),
            settings: withdrawal_settings(config),
            people: Arc::clone(&people),
            catalog: Arc::clone(&catalog),
            keyring: Arc::clone(&keyring),
            engine: Arc::clone(&engine),
            queue: Arc::clone(&queue),
            journal: journal.clone(),
            space: Arc::clone(&space),
            rng: Arc::clone(rng),
            clock: Arc::clone(clock),
        });
        let withdrawal = Arc::new(withdrawal.map_err(Failure::storage)?);
        if !ballast.restore(&space).map_err(Failure::storage)? {
            tracing::warn!("the disk has no room for the ballast beside its reserve; free space on it");
        }
        Ok(Site {
            directory,
            keyring,
            space,
            engine,
            rows,
            blobs,
            quarantine,
            people,
            catalog,
            queue,
            callbacks,
            journal,
            reader,
            progress,
            withdrawal,
            backups,
            audit,
            last_seen,
            escrow,
            observations,
            rng: Arc::clone(rng),
        })
    }
}

/// Where the audit log of a data directory lies.
pub fn audit_folder(data_dir: &Path) -> PathBuf {
    data_dir.join("audit")
}

fn queue_settings(config: &Config) -> queue::Settings {
    let schedule = schedule::Settings { concurrency: config.pull.concurrency, ..schedule::Settings::default() };
    queue::Settings { schedule, ..queue::Settings::default() }
}

fn backup_settings(config: &Config) -> backup::Settings {
    let dir = Some(config.backup.dir.clone()).filter(|dir| !dir.as_os_str().is_empty());
    backup::Settings { dir, disk_reserve: config.storage.disk_reserve }
}

fn withdrawal_settings(config: &Config) -> withdrawal::Settings {
    let Deregistration { flood_share, flood_least, hold_for } = config.deregistration;
    withdrawal::Settings {
        tombstone_for: seconds(config.tombstones.keep_for),
        quarantine_for: seconds(config.quarantine.keep_for),
        settle_for: SETTLE_FOR,
        brake: Brake { share: flood_share, least: flood_least, hold_for: seconds(hold_for) },
    }
}

/// A store on a full disk neither opens nor purges: the ballast is what it does so with. (Where the disk fills up
/// while the gateway runs, it stops, and comes by here at its next start.)
fn make_room(ballast: &Ballast, space: &Space) -> io::Result<()> {
    if space.available() < BALLAST_BYTES && ballast.release()? {
        tracing::error!("the disk is full: the ballast was released, so that the store opens; free space on the disk");
    }
    Ok(())
}

fn warn_of_copies(keyring: &Path) -> io::Result<()> {
    if copies_on_write(keyring)? {
        tracing::warn!(
            "the file system writes changed blocks elsewhere, so that destroyed keys may stay readable on the disk; \
             keep the data directory on ext4 or xfs"
        );
    }
    Ok(())
}

fn make_folder(path: &Path) -> io::Result<()> {
    if !path.is_dir() {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        File::open(path.parent().unwrap_or(path))?.sync_all()?;
    }
    Ok(())
}

/// Whole seconds of a setting.
pub fn seconds(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

pub(super) fn directory_failure(dir: &Path, error: &FormatError) -> Failure {
    let kind = match error {
        FormatError::Locked => Kind::Busy,
        FormatError::Newer(_) | FormatError::Unmarked | FormatError::Occupied => Kind::Configuration,
        FormatError::Io(_) => Kind::Storage,
    };
    Failure::new(kind, format!("{}: {error}", dir.display()))
}

pub(super) fn keyring_failure(error: keyring::Error) -> Failure {
    let kind = match error {
        keyring::Error::WrongRootKey | keyring::Error::RootKeyReplaced(_) => Kind::Configuration,
        keyring::Error::Damaged | keyring::Error::NeedsRotation | keyring::Error::Io(_) => Kind::Storage,
    };
    Failure::new(kind, error)
}
