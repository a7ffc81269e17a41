//! Restoring a data directory from a backup, offline: what was purged since is purged again, and what must never come
//! twice is skipped.
//!
//! ```text
//! backup, purge log checked ─▶ directory claimed ─▶ keys, under a later epoch ─▶ rows, files, audit log
//!   ─▶ tombstones, codes, purges of the purge log ─▶ numbers skipped ─▶ `restored` in the audit log ─▶ FORMAT
//! ```
//! Until FORMAT stands nothing takes the directory for one that holds data; a restore that was cut short is begun anew
//! by the next one. Purges that the log names are written as destroyed: their keys are not restored, and the gateway's
//! next start ends them before any port opens, as it does after a crash.
//!
//! Never: a key of somebody who was purged; a number of an export, a commit or a body given twice.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ring::rand::SystemRandom;

use crate::app::failure::{Failure, Kind};
use crate::app::site::{audit_folder, directory_failure};
use crate::audit::{self, Act, Event, Log, Who};
use crate::backup::frame::Fault;
use crate::backup::purge_log::{self, PurgeLog};
use crate::backup::restore::{self, Opened};
use crate::backup::{self, capsule::Closed};
use crate::clock::Clock;
use crate::config::Config;
use crate::crypto::key::{Key, Rng};
use crate::crypto::keyring::{Keyring, KeysCopy};
use crate::disk::Space;
use crate::filing::progress;
use crate::journal::Position;
use crate::model::id::StudyId;
use crate::model::study::DataFate;
use crate::model::time::UnixSeconds;
use crate::people::{self, People};
use crate::store::engine::{Batch, Engine, SITE, row, table};
use crate::store::format::Claim;
use crate::store::memory::Memory;
use crate::store::sled::Sled;
use crate::telemetry::audit::AuditMetrics;
use crate::telemetry::registry::Registry;
use crate::withdrawal::log as purges;
use crate::withdrawal::record::{Compaction, Purge, Stage};

/// Commits and bodies that are skipped: more than there are in the days that a backup may be old.
const SKIPPED: u64 = 100_000_000;
/// Exports that are skipped beyond those that the purge log knows of: it is copied each hour.
const EXPORTS_SKIPPED: u32 = 10;
/// And where there is no current purge log.
const EXPORTS_SKIPPED_BLINDLY: u32 = 100;

/// What is to be restored.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The backup.
    pub file: PathBuf,
    /// The purge log; else the one beside the backup.
    pub purge_log: Option<PathBuf>,
    /// Whether it is restored without a current purge log, too.
    pub force: Force,
}

/// Whether something is done against advice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Force {
    /// It is refused.
    No,
    /// It is done, and entered into the audit log.
    Yes,
}

/// What was restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// When the backup was begun.
    pub made: UnixSeconds,
    /// Up to when the purge log said everything; none where none was there.
    pub purge_log: Option<UnixSeconds>,
    /// Whether that was not current.
    pub forced: bool,
    /// Study and code of each who was purged since.
    pub purged: Vec<(String, String)>,
    /// Rows, and those that were left out since their keys are destroyed.
    pub rows: (u64, u64),
    /// Files, and those left out.
    pub files: (u64, u64),
}

/// Restores into the data directory of the configuration.
pub fn restore(config: &Config, root_key: &Key, asked: &Asked, clock: &Arc<dyn Clock>) -> Result<Restored, Failure> {
    let rng: Arc<Rng> = Arc::new(SystemRandom::new());
    let opened = restore::open(&asked.file, root_key).map_err(failure)?;
    let (log, forced) = current_log(config, asked, &opened)?;
    let known = log.as_ref().map(|log| purges_of(log, &opened.keys)).unwrap_or_default();
    let dir = config.data_dir.as_path();
    let claim = Claim::new(dir).map_err(|error| directory_failure(dir, &error))?;
    let work = Work { dir, root_key, rng, clock, log: log.as_ref(), known, forced };
    match work.restore(opened, config) {
        Ok((restored, format)) => {
            claim.finish(format).map_err(Failure::storage)?;
            Ok(restored)
        }
        Err(cause) => {
            if let Err(error) = claim.abandon() {
                tracing::warn!(%error, "what was restored so far could not be removed; the next restore does so");
            }
            Err(cause)
        }
    }
}

/// The purge log, and whether the restore goes on though it is not current. Where none is named, the newest counts of
/// those beside the backup and in the folder of backups.
fn current_log(config: &Config, asked: &Asked, opened: &Opened) -> Result<(Option<PurgeLog>, bool), Failure> {
    let beside = asked.file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let site_key = opened.head.site_key_text();
    let places = match &asked.purge_log {
        Some(named) => vec![named.clone()],
        None => {
            let folders = [Some(beside), Some(config.backup.dir.as_path()).filter(|dir| !dir.as_os_str().is_empty())];
            folders.into_iter().flatten().map(|folder| purge_log::beside(folder, &site_key)).collect()
        }
    };
    let read = places.iter().map(|path| match purge_log::read(path) {
        Ok(log) if log.is_of(&opened.head) => Ok(log),
        Ok(_) => Err("is another site's".to_owned()),
        Err(fault) => Err(format!("cannot be used: {fault}")),
    });
    // An error counts less than any log.
    let newest = read.max_by_key(|log| log.as_ref().ok().map(|log| log.made));
    let log = newest.unwrap_or_else(|| Err("is not there".to_owned()));
    let why = match (&log, asked.force) {
        (Ok(current), _) if current.made >= opened.head.made => return Ok((log.ok(), false)),
        (_, Force::Yes) => return Ok((log.ok(), true)),
        (Ok(log), Force::No) => format!("was written on {}, before the backup was made", log.made),
        (Err(why), Force::No) => why.clone(),
    };
    let text = format!(
        "the purge log {} {why}; without a current one, participants who were purged since would come back: give it \
         with --purge-log, or restore nevertheless with --force",
        places[0].display()
    );
    Err(Failure::new(Kind::Refused, text))
}

/// The purges that the log knows of.
fn purges_of(log: &PurgeLog, keys: &KeysCopy) -> Vec<Purge> {
    let index = keys.site().index.clone();
    log.table(table::PURGE).filter_map(|(item, sealed)| purges::read(item, sealed, &index)).collect()
}

struct Work<'a> {
    dir: &'a Path,
    root_key: &'a Key,
    rng: Arc<Rng>,
    clock: &'a Arc<dyn Clock>,
    log: Option<&'a PurgeLog>,
    known: Vec<Purge>,
    forced: bool,
}

impl Work<'_> {
    /// Everything but the mark; also the format of the data directory.
    fn restore(&self, mut opened: Opened, config: &Config) -> Result<(Restored, u32), Failure> {
        for purge in self.known.iter().filter(|purge| has_destroyed(purge)) {
            match purge.fate {
                DataFate::Purge => opened.keys.destroy(&purge.owner),
                DataFate::Retain => opened.keys.destroy_identity(&purge.owner),
            };
        }
        let (head, after) = (opened.head.clone(), self.log.map_or(0, |log| log.epoch));
        let rng = Arc::clone(&self.rng);
        let keyring = Keyring::restore(&self.folder("keyring")?, self.root_key, rng, &opened.keys, after);
        let keyring = Arc::new(keyring.map_err(Failure::storage)?);
        self.folder("journal")?;
        let engine: Arc<dyn Engine> = Arc::new(Sled::open(&self.dir.join("db")).map_err(Failure::storage)?);
        let written = opened.write_into(self.dir, &*engine).map_err(failure)?;
        let purged = self.replay(&*engine, &keyring)?;
        self.skip(&engine, &keyring)?;
        let index = keyring.site().index.clone();
        restore::undo(&*engine, &index, &*self.rng, head.made, self.clock.now()).map_err(failure)?;

        let audit = self.audit(&engine, &keyring, config)?;
        let act = Act::Restored {
            backup: head.id.to_string(),
            made_at: head.made.to_string(),
            purge_log_to: self.log.map(|log| log.made.to_string()),
            forced: self.forced,
            purges: purged.len() as u64,
        };
        audit.append(Who::System, vec![Event::new(act)]).and_then(|_| audit.sign()).map_err(Failure::storage)?;
        let restored = Restored {
            made: head.made,
            purge_log: self.log.map(|log| log.made),
            forced: self.forced,
            purged,
            rows: (written.rows, written.rows_left_out),
            files: (written.files, written.files_left_out),
        };
        Ok((restored, written.state.format))
    }

    /// What the purge log says takes the place of what the backup says; returns who was purged since.
    fn replay(&self, engine: &dyn Engine, keyring: &Keyring) -> Result<Vec<(String, String)>, Failure> {
        let Some(log) = self.log else { return Ok(Vec::new()) };
        let index = keyring.site().index.clone();
        let (mut batch, mut purged) = (Batch::default(), Vec::new());
        for purge in &self.known {
            let key = row(&SITE, table::PURGE, &purge.id.0);
            let before = engine.get(&key).map_err(Failure::storage)?;
            let before = before.and_then(|sealed| purges::read(&purge.id.0, &sealed, &index));
            let again = has_destroyed(purge) && before.is_none_or(|before| before.stage != Stage::Erased);
            let purge = if again { carried_out_again(purge) } else { purge.clone() };
            if again {
                purged.push((purge.study.clone(), purge.code.clone()));
            }
            let (key, sealed) = purges::sealed(&purge, &index, &*self.rng);
            batch.put(key, sealed);
        }
        for table in [table::TOMBSTONE, table::TOKEN] {
            let current = rows_of(log, table);
            if !self.forced {
                // Whom a person has linked again since is kept out no longer, and a revoked token opens nothing.
                let stale = keys(engine, table)?.into_iter().filter(|key| !current.contains_key(key));
                stale.for_each(|key| batch.delete(key));
            }
            current.into_iter().for_each(|(key, value)| batch.put(key, value));
        }
        rows_of(log, table::BACKUP).into_iter().for_each(|(key, value)| batch.put(key, value));
        let studies = keys(engine, table::STUDY)?;
        for (key, value) in rows_of(log, table::STUDY) {
            // Codes that are not given again, of studies that there are.
            let study = &key[..33.min(key.len())];
            if key.len() > 33 && studies.iter().any(|known| known == study) {
                batch.put(key, value);
            }
        }
        if !batch.is_empty() {
            engine.commit(batch).map_err(Failure::storage)?;
        }
        Ok(purged)
    }

    /// Numbers that may have been given since the backup are not given again; a lock that was undone since is undone.
    fn skip(&self, engine: &Arc<dyn Engine>, keyring: &Arc<Keyring>) -> Result<(), Failure> {
        let index = keyring.site().index.clone();
        let mut progress = progress::load(&**engine, keyring).map_err(Failure::storage)?;
        let later = self.log.and_then(|log| log.table(table::PROGRESS).next());
        if let Some(later) = later.and_then(|(_, sealed)| progress::decode(sealed, &index).ok()) {
            progress.filed = progress.filed.max(later.filed);
            progress.sequence = progress.sequence.max(later.sequence);
            progress.highest_time = progress.highest_time.max(later.highest_time);
        }
        progress.filed = Position(progress.filed.0 + SKIPPED);
        progress.sequence += SKIPPED;
        let mut batch = Batch::default();
        batch.put(progress::key(), progress::encode(&progress, &index, &*self.rng));
        engine.commit(batch).map_err(Failure::storage)?;

        let people = self.people(Arc::clone(engine), keyring)?;
        let later = match self.log {
            Some(log) => {
                let (rows, mut batch) = (Memory::default(), Batch::default());
                rows_of(log, table::STUDY).into_iter().for_each(|(key, value)| batch.put(key, value));
                rows.commit(batch).map_err(Failure::storage)?;
                Some(self.people(Arc::new(rows), keyring)?.read())
            }
            None => None,
        };
        let skipped = if self.forced { EXPORTS_SKIPPED_BLINDLY } else { EXPORTS_SKIPPED };
        let studies: BTreeSet<StudyId> = people.read().studies().map(|study| study.id).collect();
        for study in studies {
            let given = later.as_ref().and_then(|later| later.study_of_id(&study)).map_or(0, |study| study.exports);
            people.skip_exports(&study, given, skipped).map_err(Failure::storage)?;
        }
        let mut turn = people.turn();
        self.known
            .iter()
            .filter(|purge| purge.stage == Stage::Rejected)
            .for_each(|purge| turn.lock(&purge.owner, None));
        turn.commit().map_err(Failure::storage)
    }

    fn people(&self, engine: Arc<dyn Engine>, keyring: &Arc<Keyring>) -> Result<People, Failure> {
        let settings = people::Settings { held_connections_max: 0 };
        let (keyring, rng) = (Arc::clone(keyring), Arc::clone(&self.rng));
        People::open(engine, keyring, rng, settings).map_err(Failure::storage)
    }

    fn audit(&self, engine: &Arc<dyn Engine>, keyring: &Arc<Keyring>, config: &Config) -> Result<Log, Failure> {
        let parts = audit::Parts {
            space: Space::new(self.dir, config.storage.disk_reserve).map_err(Failure::storage)?,
            engine: Arc::clone(engine),
            keyring: Arc::clone(keyring),
            rng: Arc::clone(&self.rng),
            clock: Arc::clone(self.clock),
        };
        let metrics = AuditMetrics::register(&Registry::new());
        Log::open(audit::Settings::new(audit_folder(self.dir)), parts, metrics).map_err(Failure::storage)
    }

    fn folder(&self, name: &str) -> Result<PathBuf, Failure> {
        let path = self.dir.join(name);
        DirBuilder::new().mode(0o700).create(&path).map_err(Failure::storage)?;
        Ok(path)
    }
}

/// Whether its keys are destroyed, or were about to be.
fn has_destroyed(purge: &Purge) -> bool {
    (Stage::Destroying..=Stage::Erased).contains(&purge.stage)
}

/// The purge with its keys destroyed: the next start takes rows and files, and enters it into the audit log.
fn carried_out_again(purge: &Purge) -> Purge {
    let mut purge = Purge { stage: Stage::Destroyed, compaction: Compaction::Pending, audit: None, ..purge.clone() };
    (purge.times.erased, purge.times.compacted) = (None, None);
    purge
}

/// The rows of a table in the purge log, by their keys.
fn rows_of(log: &PurgeLog, table: u8) -> BTreeMap<Vec<u8>, Vec<u8>> {
    log.table(table).map(|(item, value)| (row(&SITE, table, item), value.to_vec())).collect()
}

/// The keys of a table's rows.
fn keys(engine: &dyn Engine, table: u8) -> Result<Vec<Vec<u8>>, Failure> {
    let mut keys = Vec::new();
    let scanned = engine.scan(&row(&SITE, table, &[]), &mut |key, _| {
        keys.push(key.to_vec());
        true
    });
    scanned.map_err(Failure::storage).map(|()| keys)
}

fn failure(cause: backup::Failure) -> Failure {
    use backup::Failure as Cause;
    let kind = match &cause {
        Cause::Closed(Closed::WrongRootKey) => Kind::Configuration,
        Cause::Fault(Fault::Io(_)) | Cause::Closed(Closed::Fault(Fault::Io(_))) => Kind::Storage,
        Cause::Fault(_) | Cause::Closed(_) => Kind::Refused,
        Cause::NoFolder
        | Cause::Busy
        | Cause::Overtaken
        | Cause::DiskLow
        | Cause::Altered
        | Cause::Engine(_)
        | Cause::Records(_)
        | Cause::Keyring(_)
        | Cause::Io(_) => Kind::Storage,
    };
    Failure::new(kind, cause)
}
