//! How far filing has come: one small sealed row, committed together with what was filed.

use ring::rand::SecureRandom;

use crate::crypto::key::Key;
use crate::crypto::keyring::Keyring;
use crate::crypto::seal::{self, Location, Tampered};
use crate::filing::failure::Failure;
use crate::journal::Position;
use crate::model::time::UnixSeconds;
use crate::records::error as records;
use crate::store::engine::{Engine, SITE, row, table};

const VERSION: u8 = 1;
const AT: Location<'static> = Location { table: "progress", owner: &[], item: &[] };

/// How far filing has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bodies up to this place are filed.
    pub filed: Position,
    /// The newest commit; every commit has the next number.
    pub sequence: u64,
    /// The highest time seen: the clock is not believed before it.
    pub highest_time: UnixSeconds,
}

impl Default for Progress {
    fn default() -> Self {
        Self { filed: Position(0), sequence: 0, highest_time: UnixSeconds(0) }
    }
}

/// How far filing had come when the gateway last stopped.
pub fn load(engine: &dyn Engine, keyring: &Keyring) -> Result<Progress, Failure> {
    match engine.get(&key())? {
        None => Ok(Progress::default()),
        Some(sealed) => decode(&sealed, &keyring.site().index).map_err(|_| Failure::Records(records::Error::Tampered)),
    }
}

/// The row's key.
pub fn key() -> Vec<u8> {
    row(&SITE, table::PROGRESS, &[])
}

/// The row's value, sealed under the index key.
pub fn encode(progress: &Progress, index: &Key, rng: &dyn SecureRandom) -> Vec<u8> {
    let mut value = vec![VERSION];
    value.extend_from_slice(&progress.filed.0.to_be_bytes());
    value.extend_from_slice(&progress.sequence.to_be_bytes());
    value.extend_from_slice(&progress.highest_time.0.to_be_bytes());
    seal::seal(index, AT, &value, rng)
}

/// What the row says.
pub fn decode(sealed: &[u8], index: &Key) -> Result<Progress, Tampered> {
    let value = seal::open(index, AT, sealed)?;
    let [VERSION, numbers @ ..] = value.as_slice() else { return Err(Tampered) };
    let number = |at: usize| -> Option<[u8; 8]> { numbers.get(at * 8..at * 8 + 8)?.try_into().ok() };
    let (Some(filed), Some(sequence), Some(time)) = (number(0), number(1), number(2)) else { return Err(Tampered) };
    Ok(Progress {
        filed: Position(u64::from_be_bytes(filed)),
        sequence: u64::from_be_bytes(sequence),
        highest_time: UnixSeconds(i64::from_be_bytes(time)),
    })
}
