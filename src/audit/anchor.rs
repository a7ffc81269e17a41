//! The last signed head and the last entry as the store keeps them, so that a log that was cut at its end is found, and
//! when the log was last verified.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::crypto::key::Rng;
use crate::crypto::keyring::Keyring;
use crate::crypto::seal::{Location, open, seal};
use crate::model::audit::{AuditHead, Checkpoint};
use crate::model::time::UnixSeconds;
use crate::store::engine::{self, Batch, Engine, SITE, row, table};

const VERSION: u8 = 1;
const PLACE: Location<'static> = Location { table: "audit", owner: &[], item: &[] };

/// What is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Anchor {
    pub(super) head: Option<AuditHead>,
    /// The last entry of some seconds ago.
    #[serde(default)]
    pub(super) end: Option<Checkpoint>,
    pub(super) verified: Option<UnixSeconds>,
}

/// Where it is kept: one sealed row of the site.
pub(super) struct AnchorRow {
    pub(super) engine: Arc<dyn Engine>,
    pub(super) keyring: Arc<Keyring>,
    pub(super) rng: Arc<Rng>,
}

impl AnchorRow {
    /// What is kept; nothing where there is no row. The inner `None` is a row that does not open.
    pub(super) fn load(&self) -> Result<Option<Anchor>, engine::Error> {
        let Some(sealed) = self.engine.get(&key())? else { return Ok(Some(Anchor::default())) };
        let opened = open(&self.keyring.site().index, PLACE, &sealed).ok();
        let text = opened.as_deref().and_then(<[u8]>::split_first).filter(|(version, _)| **version == VERSION);
        Ok(text.and_then(|(_, text)| serde_json::from_slice(text).ok()))
    }

    /// Keeps this; durable on return.
    pub(super) fn keep(&self, anchor: &Anchor) -> Result<(), engine::Error> {
        let mut value = vec![VERSION];
        serde_json::to_writer(&mut value, anchor).expect("an anchor is text and numbers");
        let mut batch = Batch::default();
        batch.put(key(), seal(&self.keyring.site().index, PLACE, &value, &*self.rng));
        self.engine.commit(batch)
    }
}

fn key() -> Vec<u8> {
    row(&SITE, table::AUDIT, &[])
}
