//! When the escrow of the root key was last seen to be right: one small sealed row of the site.
//!
//! Never: a time that was another root key's.
//!
//! ```text
//! | 1 version = 1 | 8 time | 8 fingerprint of the root key |    sealed under the index key
//! ```

use std::sync::{Arc, Mutex, PoisonError};

use crate::crypto::key::Rng;
use crate::crypto::keyring::Keyring;
use crate::crypto::root_key::Fingerprint;
use crate::crypto::seal::{Location, open, seal};
use crate::model::time::UnixSeconds;
use crate::store::engine::{self, Batch, Engine, SITE, row, table};

const VERSION: u8 = 1;
const AT: Location<'static> = Location { table: "escrow", owner: &[], item: &[] };

/// The last time, in memory and in the store.
pub struct Escrow {
    engine: Arc<dyn Engine>,
    keyring: Arc<Keyring>,
    rng: Arc<Rng>,
    last: Mutex<Option<(UnixSeconds, Fingerprint)>>,
}

impl Escrow {
    /// As it is stored.
    pub fn open(engine: Arc<dyn Engine>, keyring: Arc<Keyring>, rng: Arc<Rng>) -> Result<Escrow, engine::Error> {
        // A row that was altered says nothing: it is verified anew.
        let last = engine.get(&key())?.and_then(|sealed| decode(&open(&keyring.site().index, AT, &sealed).ok()?));
        Ok(Escrow { engine, keyring, rng, last: Mutex::new(last) })
    }

    /// When an escrow of the root key in force was last found right.
    pub fn verified(&self) -> Option<UnixSeconds> {
        let (at, of) = (*self.last.lock().unwrap_or_else(PoisonError::into_inner))?;
        (of == Fingerprint::of(&self.keyring.root())).then_some(at)
    }

    /// An escrow of the root key in force was found right; durable on return.
    pub fn keep(&self, at: UnixSeconds) -> Result<(), engine::Error> {
        let of = Fingerprint::of(&self.keyring.root());
        let mut value = vec![VERSION];
        value.extend_from_slice(&at.0.to_be_bytes());
        value.extend_from_slice(of.as_bytes());
        let mut batch = Batch::default();
        batch.put(key(), seal(&self.keyring.site().index, AT, &value, &*self.rng));
        self.engine.commit(batch)?;
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((at, of));
        Ok(())
    }
}

fn key() -> Vec<u8> {
    row(&SITE, table::ESCROW, &[])
}

fn decode(value: &[u8]) -> Option<(UnixSeconds, Fingerprint)> {
    let (&VERSION, rest) = value.split_first()? else { return None };
    let (time, of) = rest.split_first_chunk::<8>()?;
    Some((UnixSeconds(i64::from_be_bytes(*time)), Fingerprint::from_bytes(of.try_into().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::key::Key;
    use crate::store::memory::Memory;
    use ring::rand::SystemRandom;

    #[test]
    fn time_survives_a_restart_and_ends_with_its_root_key() {
        let dir = tempfile::tempdir().expect("a folder");
        let (rng, engine): (Arc<Rng>, Arc<Memory>) = (Arc::new(SystemRandom::new()), Arc::default());
        let keyring = Keyring::open(dir.path(), &Key::from_bytes([1; 32]), Arc::clone(&rng)).expect("a keyring");
        let keyring = Arc::new(keyring);
        let open = || Escrow::open(engine.clone(), Arc::clone(&keyring), Arc::clone(&rng)).expect("opened");
        assert_eq!(open().verified(), None);
        let escrow = open();
        escrow.keep(UnixSeconds(1_793_509_200)).expect("kept");
        assert_eq!((escrow.verified(), open().verified()), (Some(UnixSeconds(1_793_509_200)), escrow.verified()));
        keyring.rotate(&[]).expect("rotated");
        assert!(open().verified().is_some(), "another epoch is no other root key");
        keyring.rotate_root(&Key::from_bytes([2; 32]), &[]).expect("replaced");
        assert_eq!((escrow.verified(), open().verified()), (None, None));
    }
}
