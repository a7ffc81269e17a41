//! What was seen of the traffic, kept over a restart: one sealed row of the site, written once a minute where something
//! changed, and at the end.
//!
//! Never: a reason for the gateway not to start. A row that does not open is told of, and everything is seen anew.
//!
//! ```text
//! | 1 version = 1 | JSON |    sealed under the index key
//! ```

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use crate::crypto::key::Rng;
use crate::crypto::keyring::Keyring;
use crate::crypto::seal::{Location, open, seal};
use crate::lifecycle::Stopped;
use crate::people::People;
use crate::store::engine::{self, Batch, Engine, SITE, row, table};
use crate::telemetry::observed::{Observations, Observed};

const VERSION: u8 = 1;
const AT: Location<'static> = Location { table: "observed", owner: &[], item: &[] };
/// What was seen within this time is seen anew after a crash.
const KEPT_EVERY: Duration = Duration::from_secs(60);

/// What was seen, and its row.
pub struct Kept {
    engine: Arc<dyn Engine>,
    keyring: Arc<Keyring>,
    rng: Arc<Rng>,
    people: Arc<People>,
    /// What is seen, and was before.
    pub observed: Arc<Observed>,
    /// So many changes are in the row.
    written: Mutex<u64>,
}

impl Kept {
    /// As it is stored.
    pub fn open(
        engine: Arc<dyn Engine>,
        keyring: Arc<Keyring>,
        rng: Arc<Rng>,
        people: Arc<People>,
    ) -> Result<Kept, engine::Error> {
        let known = load(&*engine, &keyring)?.unwrap_or_default();
        let observed = Arc::new(Observed::from_kept(known));
        Ok(Kept { engine, keyring, rng, people, observed, written: Mutex::new(0) })
    }

    /// Makes durable what has changed; nothing is written where nothing has.
    pub fn keep(&self) -> Result<(), engine::Error> {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut known, changes) = self.observed.kept();
        if changes == *written {
            return Ok(());
        }
        // Studies whose data were purged are not spoken of any longer.
        let directory = self.people.read();
        known.last_record.retain(|study, _| directory.study_of_id(study).is_some());
        let mut value = vec![VERSION];
        serde_json::to_writer(&mut value, &known).expect("text and numbers");
        let mut batch = Batch::default();
        batch.put(key(), seal(&self.keyring.site().index, AT, &value, &*self.rng));
        self.engine.commit(batch)?;
        *written = changes;
        Ok(())
    }
}

/// What the row says, where there is one that opens.
pub fn load(engine: &dyn Engine, keyring: &Keyring) -> Result<Option<Observations>, engine::Error> {
    let Some(sealed) = engine.get(&key())? else { return Ok(None) };
    let known = open(&keyring.site().index, AT, &sealed).ok().and_then(|value| {
        let (&VERSION, json) = value.split_first()? else { return None };
        serde_json::from_slice(json).ok()
    });
    if known.is_none() {
        tracing::error!("what was seen before this start cannot be read; times of earlier notifications are lost");
    }
    Ok(known)
}

/// Keeps what is seen until the gateway stops; the last of it is kept when filing has ended, too.
pub(super) async fn keep(kept: Arc<Kept>, mut stopped: Stopped) {
    let mut ticks = interval(KEPT_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stopped.wait() => return,
            _ = ticks.tick() => write(&kept).await,
        }
    }
}

/// Makes durable what has changed. A failure is told: it keeps nothing from being answered.
pub(super) async fn write(kept: &Arc<Kept>) {
    let keeps = Arc::clone(kept);
    match tokio::task::spawn_blocking(move || keeps.keep()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::error!(%error, "what was seen of the traffic could not be kept; it is tried again, check the disk")
        }
        Err(_) => tracing::error!(
            "keeping what was seen of the traffic ended in a panic; it is tried again, please report it"
        ),
    }
}

fn key() -> Vec<u8> {
    row(&SITE, table::OBSERVED, &[])
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;

    use super::*;
    use crate::crypto::key::Key;
    use crate::model::id::StudyId;
    use crate::model::time::UnixSeconds;
    use crate::people::Settings;
    use crate::store::memory::Memory;
    use crate::telemetry::observed::Came;

    const AT: UnixSeconds = UnixSeconds(1_793_509_200);

    struct Site {
        _dir: tempfile::TempDir,
        engine: Arc<Memory>,
        keyring: Arc<Keyring>,
        rng: Arc<Rng>,
    }

    impl Site {
        fn new() -> Self {
            let (dir, rng): (_, Arc<Rng>) = (tempfile::tempdir().expect("a folder"), Arc::new(SystemRandom::new()));
            let keyring = Keyring::open(dir.path(), &Key::from_bytes([1; 32]), Arc::clone(&rng)).expect("a keyring");
            Self { _dir: dir, engine: Arc::default(), keyring: Arc::new(keyring), rng }
        }

        fn start(&self) -> Kept {
            let parts = || (self.engine.clone() as Arc<dyn Engine>, Arc::clone(&self.keyring), Arc::clone(&self.rng));
            let ((engine, keyring, rng), settings) = (parts(), Settings { held_connections_max: 0 });
            let people = Arc::new(People::open(engine, keyring, rng, settings).expect("nobody"));
            let (engine, keyring, rng) = parts();
            Kept::open(engine, keyring, rng, people).expect("opened")
        }

        fn row(&self) -> Option<Vec<u8>> {
            self.engine.get(&key()).expect("memory")
        }
    }

    #[test]
    fn what_was_seen_survives_a_restart_and_goes_on() {
        let site = Site::new();
        let kept = site.start();
        kept.observed.came(Came::Summary("hrv"), 2, AT);
        kept.observed.answered(100_000_000, Duration::from_secs(3), AT);
        kept.keep().expect("written");
        let again = site.start();
        let (known, _) = again.observed.kept();
        assert_eq!(known, kept.observed.kept().0);
        again.observed.came(Came::Summary("hrv"), 1, AT.plus(9));
        again.keep().expect("written");
        let seen = site.start().observed.kept().0.types["hrv"];
        assert_eq!((seen.first, seen.last, seen.items), (AT, AT.plus(9), 3));
    }

    #[test]
    fn nothing_is_written_where_nothing_changed_and_nothing_stands_in_clear() {
        let site = Site::new();
        let kept = site.start();
        kept.keep().expect("nothing to do");
        assert_eq!(site.row(), None);
        kept.observed.came(Came::Summary("bodyComps"), 1, AT);
        kept.keep().expect("written");
        let first = site.row().expect("a row");
        kept.keep().expect("nothing to do");
        assert_eq!(site.row().as_ref(), Some(&first));
        assert!(!first.windows(9).any(|part| part == b"bodyComps"));
    }

    #[test]
    fn row_that_was_altered_says_nothing_and_study_that_is_gone_is_forgotten() {
        let site = Site::new();
        let kept = site.start();
        kept.observed.stored(StudyId::from_bytes([9; 16]), AT);
        kept.keep().expect("written");
        assert_eq!(site.start().observed.kept().0, Observations::default(), "there is no such study");
        let mut altered = site.row().expect("a row");
        altered[40] ^= 1;
        let mut batch = Batch::default();
        batch.put(key(), altered);
        site.engine.commit(batch).expect("memory");
        assert_eq!(load(&*site.engine, &site.keyring).expect("read"), None);
        assert_eq!(site.start().observed.kept().0, Observations::default());
    }
}
