//! An engine in memory, for tests of what stands above.

use std::{
    collections::BTreeMap,
    sync::{PoisonError, RwLock},
};

use crate::store::engine::{Batch, Compacted, Engine, Error, GoOn};

/// Ordered rows in memory.
#[derive(Debug, Default)]
pub struct Memory {
    rows: RwLock<BTreeMap<Vec<u8>, Vec<u8>>>,
}

impl Engine for Memory {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.rows.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned())
    }

    fn scan(&self, prefix: &[u8], each: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<(), Error> {
        let found: Vec<_> = self
            .rows
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .range(prefix.to_vec()..)
            .take_while(|(key, _)| key.starts_with(prefix))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        for (key, value) in found {
            if !each(&key, &value) {
                break;
            }
        }
        Ok(())
    }

    fn scan_from(&self, first: &[u8], each: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<(), Error> {
        let rows = self.rows.read().unwrap_or_else(PoisonError::into_inner);
        let found: Vec<_> = rows.range(first.to_vec()..).map(|(key, value)| (key.clone(), value.clone())).collect();
        drop(rows);
        for (key, value) in found {
            if !each(&key, &value) {
                break;
            }
        }
        Ok(())
    }

    fn commit(&self, batch: Batch) -> Result<(), Error> {
        let mut rows = self.rows.write().unwrap_or_else(PoisonError::into_inner);
        for (key, value) in batch.operations {
            match value {
                Some(value) => rows.insert(key, value),
                None => rows.remove(&key),
            };
        }
        Ok(())
    }

    fn bytes(&self) -> u64 {
        0
    }

    fn live_bytes(&self) -> Result<u64, Error> {
        let rows = self.rows.read().unwrap_or_else(PoisonError::into_inner);
        Ok(rows.iter().map(|(key, value)| (key.len() + value.len()) as u64).sum())
    }

    fn compact(&self, _room: u64, _go_on: GoOn<'_>) -> Result<Compacted, Error> {
        Ok(Compacted::Done)
    }
}
