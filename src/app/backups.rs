//! Backups of a running gateway: the daily one, those that are handed out, and what is told of them.

use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use jiff::tz::TimeZone;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use crate::app::caught_up::caught_up;
use crate::app::desk::unavailable;
use crate::app::pieces::{PIECES_WAITING, Pieces};
use crate::app::site::Site;
use crate::audit::{self, Act, Event, Log, Who};
use crate::backup::nightly::{TimeOfDay, is_due};
use crate::backup::register::Made;
use crate::backup::{Backups, Failure, Source};
use crate::clock::Clock;
use crate::config::Config;
use crate::http::local::desk::ExportStream;
use crate::http::local_api::StreamPiece;
use crate::journal::Journal;
use crate::lifecycle::Stopped;
use crate::model::time::UnixSeconds;
use crate::people::People;
use crate::people::refusal::{Kind, Refusal};
use crate::withdrawal::Withdrawal;

/// How often it is looked whether anything is due.
const LOOKED_EVERY: Duration = Duration::from_secs(20);
/// How often backups that a purge did not reach are sought, and the purge log is copied, in seconds.
const SOUGHT_EVERY: i64 = 3600;

/// Makes the daily backup, and seeks those that purges did not reach.
pub(super) struct Keeper {
    backups: Arc<Backups>,
    source: Source,
    withdrawal: Arc<Withdrawal>,
    people: Arc<People>,
    journal: Journal,
    clock: Arc<dyn Clock>,
    zone: TimeZone,
    at: TimeOfDay,
    keep: usize,
    done: Mutex<Done>,
}

/// When what was last tried.
#[derive(Clone, Copy, Default)]
struct Done {
    failed: Option<UnixSeconds>,
    sought: Option<UnixSeconds>,
}

impl Keeper {
    /// The keeper of a site, by this zone's time of day.
    pub(super) fn new(site: &Site, config: &Config, clock: &Arc<dyn Clock>, zone: TimeZone) -> Self {
        Self {
            backups: Arc::clone(&site.backups),
            source: source(site),
            withdrawal: Arc::clone(&site.withdrawal),
            people: Arc::clone(&site.people),
            journal: site.journal.clone(),
            clock: Arc::clone(clock),
            zone,
            at: TimeOfDay::parse(&config.backup.at).expect("the configuration was checked"),
            keep: config.backup.keep as usize,
            done: Mutex::default(),
        }
    }

    /// Does what is due.
    pub(super) fn look(&self) {
        let now = self.clock.now();
        let Done { failed, sought } = *self.done.lock().unwrap_or_else(PoisonError::into_inner);
        if self.backups.dir().is_none() {
            return;
        }
        if is_due(self.at, &self.zone, now, self.newest(), failed) {
            let failed = match self.make() {
                Ok(()) => None,
                Err(error) => {
                    tracing::error!(%error, "the daily backup was not made; it is tried again in an hour");
                    self.enter(Act::BackupFailed { backup: None });
                    Some(now)
                }
            };
            self.done.lock().unwrap_or_else(PoisonError::into_inner).failed = failed;
        }
        if sought.is_none_or(|sought| now.0.saturating_sub(sought.0).abs() >= SOUGHT_EVERY) {
            if let Err(error) = self.withdrawal.seek_backups() {
                tracing::error!(%error, "backups could not be sought; it is tried again in an hour");
            }
            self.done.lock().unwrap_or_else(PoisonError::into_inner).sought = Some(now);
        }
    }

    /// When the newest of those in the folder was begun.
    fn newest(&self) -> Option<UnixSeconds> {
        self.backups.all().iter().filter(|made| made.file.is_some()).map(|made| made.made).max()
    }

    /// A backup, whole and verified; then those that are not kept any longer go.
    fn make(&self) -> Result<(), Box<dyn std::error::Error>> {
        caught_up(&self.people, &self.journal)?;
        let made = self.backups.make(&self.source)?;
        self.enter(Act::BackupMade {
            backup: made.id.to_string(),
            bytes: made.bytes.unwrap_or_default(),
            file: made.file.clone(),
        });
        let verified = self.backups.verify(&made)?;
        let gone = self.backups.retain(self.keep)?;
        self.backups.copy_purge_log()?;
        let (rows, files) = (verified.totals.rows, verified.totals.files);
        tracing::info!(bytes = verified.bytes, rows, files, removed = gone, "the daily backup is made and verified");
        Ok(())
    }

    fn enter(&self, act: Act) {
        if let Err(error) = self.source.audit.append(Who::System, vec![Event::new(act)]) {
            tracing::error!(%error, "a backup could not be audited; check the disk");
        }
    }
}

/// Looks until the gateway stops.
pub(super) async fn keep(keeper: Keeper, mut stopped: Stopped) {
    let keeper = Arc::new(keeper);
    let mut ticks = interval(LOOKED_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stopped.wait() => return,
            _ = ticks.tick() => {}
        }
        let looks = Arc::clone(&keeper);
        let mut looking = tokio::task::spawn_blocking(move || looks.look());
        let ended = tokio::select! {
            ended = &mut looking => ended,
            () = stopped.wait() => {
                keeper.backups.stop();
                looking.await
            }
        };
        if ended.is_err() {
            tracing::error!("looking after the backups ended in a panic; it is tried again, please report it");
        }
    }
}

/// Backups as the local API has them.
pub(super) struct Handing {
    backups: Arc<Backups>,
    source: Source,
}

impl Handing {
    pub(super) fn new(site: &Site) -> Self {
        Self { backups: Arc::clone(&site.backups), source: source(site) }
    }

    /// Every backup that is known of.
    pub(super) fn list(&self) -> Value {
        json!({ "backups": self.backups.all().iter().map(view).collect::<Vec<_>>() })
    }

    /// What `status` says.
    pub(super) fn status(&self) -> Value {
        let time = |time: Option<UnixSeconds>| time.map(|time| time.to_string());
        json!({
            "last": time(self.backups.last_success()),
            "last_verified": time(self.backups.last_verified()),
            "daily": self.backups.dir().is_some(),
        })
    }

    /// The purge log as it is.
    pub(super) fn purge_log(&self) -> Result<Vec<u8>, Refusal> {
        self.backups.purge_log().map_err(refused)
    }

    /// Begins to hand a backup out; registered and in the audit log before its first byte.
    pub(super) fn begin(&self, who: Who) -> Result<ExportStream, Refusal> {
        let made = self.backups.register_handed_out().map_err(refused)?;
        let begun = Act::BackupBegun { backup: made.id.to_string() };
        self.source.audit.append(who.clone(), vec![Event::new(begun)]).map_err(|cause| unavailable(&cause))?;
        let stamp: String = made.made.to_string().chars().filter(|digit| !matches!(digit, '-' | ':')).collect();
        let (pieces, receiver) = mpsc::channel(PIECES_WAITING);
        let (backups, source) = (Arc::clone(&self.backups), self.source.clone());
        let run = move || {
            let id = made.id;
            let mut output = Pieces::new(pieces.clone());
            let outcome = backups.hand_out(made, &source, &mut output);
            let act = match &outcome {
                Ok(made) => {
                    Act::BackupMade { backup: id.to_string(), bytes: made.bytes.unwrap_or_default(), file: None }
                }
                Err(failure) => {
                    tracing::warn!(%failure, "a backup failed; its file is not to be used");
                    Act::BackupFailed { backup: Some(id.to_string()) }
                }
            };
            let entered = audited(&source.audit, &who, act);
            let is_whole = outcome.is_ok() && entered.is_ok() && output.flush().is_ok();
            let end = std::io::Error::other("the backup failed");
            if pieces.blocking_send(if is_whole { Ok(StreamPiece::End) } else { Err(end) }).is_err() {
                tracing::info!("whoever asked for a backup went away before its end");
            }
        };
        thread::Builder::new().name("backup".to_owned()).spawn(run).map_err(|cause| unavailable(&cause))?;
        Ok(ExportStream { file_name: format!("studygate-{stamp}.sgbackup"), pieces: receiver })
    }
}

fn audited(log: &Log, who: &Who, act: Act) -> Result<(), audit::Error> {
    log.append(who.clone(), vec![Event::new(act)]).map(drop).inspect_err(|error| {
        tracing::error!(%error, "a backup could not be audited, so its end is withheld; check the disk, then make it again");
    })
}

fn source(site: &Site) -> Source {
    Source { rows: Arc::clone(&site.rows), catalog: Arc::clone(&site.catalog), audit: Arc::clone(&site.audit) }
}

fn view(made: &Made) -> Value {
    json!({
        "id": made.id,
        "made_at": made.made.to_string(),
        "file": made.file,
        "bytes": made.bytes,
        "verified_at": made.verified.map(|time| time.to_string()),
    })
}

fn refused(failure: Failure) -> Refusal {
    match failure {
        Failure::Busy | Failure::Overtaken => Refusal::Other(Kind::Unavailable, failure.to_string()),
        Failure::Engine(cause) => cause.into(),
        Failure::NoFolder
        | Failure::DiskLow
        | Failure::Altered
        | Failure::Records(_)
        | Failure::Keyring(_)
        | Failure::Fault(_)
        | Failure::Closed(_)
        | Failure::Io(_) => unavailable(&failure),
    }
}
