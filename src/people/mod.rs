//! Studies, participants, their links to connections, held connections and tombstones.
//!
//! [`People`] holds all of it in memory as one immutable [`Directory`] that readers share, and in the engine as
//! sealed rows (`rows`). The rules are pure functions ([`decide`]); a [`turn::Turn`] makes what they decide durable first
//! and visible afterwards.
//!
//! Limits: some thousands of participants (a change copies the directory's maps, about a millisecond for 5,000);
//! 32 recipients a study; 64 types counted apart for a held connection.
//!
//! Never: a userId outside sealed rows and memory; a change in memory that is not durable; two participants of one
//! study for one connection at one time.

pub mod change;
pub mod code;
pub mod decide;
pub mod digests;
pub mod directory;
pub mod exports;
pub mod held;
mod holding;
mod leaving;
mod load;
mod participants;
pub mod permissions;
pub mod refusal;
pub mod register;
mod rows;
mod shifts;
pub mod standing;
mod studies;
pub mod turn;

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use ring::rand::SecureRandom;

pub use crate::people::load::Error;
pub use crate::people::participants::LinkRequest;

use crate::crypto::{key::random, keyring::Keyring};
use crate::model::{
    connection::{ClientId, ConnectionDigest},
    id::{OwnerId, StudyId},
};
use crate::people::{digests::Digests, directory::Directory, rows::Rows};
use crate::store::engine::Engine;

/// Settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The most connections that are held at one time; 0 holds none.
    pub held_connections_max: usize,
}

/// Everything that is known of people. Shared; methods take `&self`; changes block until they are durable.
pub struct People {
    settings: Settings,
    engine: Arc<dyn Engine>,
    rows: Rows,
    digests: Arc<Digests>,
    current: RwLock<Arc<Directory>>,
    writing: Mutex<()>,
    exporting: Arc<Mutex<HashSet<StudyId>>>,
    keyless: Vec<OwnerId>,
}

impl People {
    /// Reads the directory from the engine.
    pub fn open(
        engine: Arc<dyn Engine>,
        keyring: Arc<Keyring>,
        rng: Arc<dyn SecureRandom + Send + Sync>,
        settings: Settings,
    ) -> Result<Self, Error> {
        let digests = Arc::new(Digests::new(&keyring.site()));
        let rows = Rows { keyring, rng };
        let (directory, keyless) = load::directory(&*engine, &rows, &digests)?;
        if !keyless.is_empty() {
            tracing::warn!(owners = keyless.len(), "rows of owners whose keys were destroyed are left to be erased");
        }
        Ok(Self {
            settings,
            engine,
            rows,
            digests,
            current: RwLock::new(Arc::new(directory)),
            writing: Mutex::new(()),
            exporting: Arc::default(),
            keyless,
        })
    }

    /// The directory as it is; it does not change while it is held.
    pub fn read(&self) -> Arc<Directory> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The digest of a Garmin user on a client.
    pub fn digest(&self, client: &ClientId, user: &str) -> ConnectionDigest {
        self.digests.connection(client, user)
    }

    /// Owners that had rows at the start though their keys were destroyed: an interrupted purge, to be finished with
    /// [`turn::Turn::erase`] and [`turn::Turn::held_gone`].
    pub fn keyless(&self) -> &[OwnerId] {
        &self.keyless
    }

    fn random<const N: usize>(&self) -> [u8; N] {
        random(&*self.rows.rng)
    }
}
