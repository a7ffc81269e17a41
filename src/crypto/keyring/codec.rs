//! The keyring's content as bytes.
//!
//! ```text
//! | 1 version = 1 | index, tombstone, quarantine, signing seed: 32 each
//! | 4 generations | each: 8 generation, 32 key | 4 owners | each: 16 id, 1 has identity, 32 data, 32 pseudonym, 32 identity |
//! ```
//! Integers are big endian; an owner without an identity key has no bytes for it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use zeroize::Zeroizing;

use crate::crypto::{
    key::Key,
    keyring::{JournalGeneration, Keys, OwnerKeys, SiteKeys, vault::Content},
};
use crate::model::id::OwnerId;

const VERSION: u8 = 1;
const OWNER_BYTES_MAX: usize = 16 + 1 + 3 * 32;

pub(crate) fn encode(keys: &Keys) -> Content {
    // All at once: a vector that grows leaves copies of keys behind.
    let length = 1 + 4 * 32 + 4 + keys.journal.len() * 40 + 4 + keys.owners.len() * OWNER_BYTES_MAX;
    let mut bytes = Zeroizing::new(Vec::with_capacity(length));
    bytes.push(VERSION);
    for key in [&keys.site.index, &keys.site.tombstone, &keys.site.quarantine, &keys.site.signing_seed] {
        bytes.extend_from_slice(key.expose());
    }
    bytes.extend_from_slice(&count(keys.journal.len()));
    for (generation, key) in &keys.journal {
        bytes.extend_from_slice(&generation.0.to_be_bytes());
        bytes.extend_from_slice(key.expose());
    }
    bytes.extend_from_slice(&count(keys.owners.len()));
    for (id, owner) in &keys.owners {
        bytes.extend_from_slice(id.as_bytes());
        bytes.push(u8::from(owner.identity.is_some()));
        for key in [Some(&owner.data), Some(&owner.pseudonym), owner.identity.as_ref()].into_iter().flatten() {
            bytes.extend_from_slice(key.expose());
        }
    }
    bytes
}

/// The keys of these bytes; `None` where they are of no version that is known here.
pub(crate) fn decode(bytes: &[u8]) -> Option<Keys> {
    let mut rest = bytes;
    if take::<1>(&mut rest)? != [VERSION] {
        return None;
    }
    let site = SiteKeys {
        index: key(&mut rest)?,
        tombstone: key(&mut rest)?,
        quarantine: key(&mut rest)?,
        signing_seed: key(&mut rest)?,
    };
    let mut journal = BTreeMap::new();
    for _ in 0..u32::from_be_bytes(take(&mut rest)?) {
        journal.insert(JournalGeneration(u64::from_be_bytes(take(&mut rest)?)), key(&mut rest)?);
    }
    let mut owners = HashMap::new();
    for _ in 0..u32::from_be_bytes(take(&mut rest)?) {
        let id = OwnerId::from_bytes(take(&mut rest)?);
        let has_identity = take::<1>(&mut rest)? == [1];
        let (data, pseudonym) = (key(&mut rest)?, key(&mut rest)?);
        let identity = if has_identity { Some(key(&mut rest)?) } else { None };
        owners.insert(id, Arc::new(OwnerKeys { data, identity, pseudonym }));
    }
    (rest.is_empty() && !journal.is_empty()).then(|| Keys { site: Arc::new(site), owners, journal })
}

fn count(length: usize) -> [u8; 4] {
    u32::try_from(length).expect("a keyring has fewer than 2^32 entries").to_be_bytes()
}

fn key(rest: &mut &[u8]) -> Option<Key> {
    take(rest).map(Key::from_bytes)
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk()?;
    *rest = tail;
    Some(*head)
}
