//! The directory's rows: where each stands in the engine, under which key it is sealed, and its version.
//!
//! All stand under the site's prefix, so that a start reads them in one run and not from among the records:
//! `0·16 ‖ table ‖ item`, where the item is
//!
//! | table | item | sealed under |
//! |---|---|---|
//! | study | study id | index key |
//! | study (codes not given again) | study id ‖ `r` | index key |
//! | participant | owner id | owner's data key |
//! | links | owner id | owner's identity key |
//! | held connection | owner id | owner's data key |
//! | permissions | owner id ‖ connection digest | owner's data key |
//! | tombstone | tombstone digest | index key |
//! | export handed out: codes | study id ‖ number ‖ part | index key |
//! | export handed out: terms | study id ‖ number | index key |
//! | participant as handed out | owner id ‖ number | owner's data key |
//!
//! A value is one byte of version (1), then JSON. Never: a value in clear; a key made of a userId or a code.

use std::{fmt, sync::Arc};

use ring::rand::SecureRandom;
use serde::{Serialize, de::DeserializeOwned};

use crate::crypto::{
    key::Key,
    keyring::{Keyring, OwnerKeys},
    seal::{self, Location, Tampered},
};
use crate::model::{
    connection::ConnectionDigest,
    id::{OwnerId, StudyId},
};
use crate::people::digests::TombstoneDigest;
use crate::store::engine::{SITE, row, table};

/// The version of every stored form.
const VERSION: u8 = 1;
/// The last byte of the row of codes that are not given again.
pub(super) const RETIRED: u8 = b'r';

/// A row of the directory.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Row {
    table: u8,
    name: &'static str,
    owner: Option<OwnerId>,
    item: Vec<u8>,
    under: Under,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Under {
    Index,
    Data,
    Identity,
}

/// Why a row cannot be read.
#[derive(Debug)]
pub(super) enum Unreadable {
    /// Its owner's key was destroyed.
    NoKey,
    /// It was altered, or is no row of this kind.
    Tampered(&'static str),
    /// A later version wrote it.
    Newer(&'static str, u8),
}

/// Seals and opens rows.
#[derive(Clone)]
pub(super) struct Rows {
    pub(super) keyring: Arc<Keyring>,
    pub(super) rng: Arc<dyn SecureRandom + Send + Sync>,
}

impl Row {
    pub(super) fn study(id: &StudyId) -> Self {
        Self::of_site(table::STUDY, "study", id.as_bytes().to_vec())
    }

    pub(super) fn retired(id: &StudyId) -> Self {
        let mut item = id.as_bytes().to_vec();
        item.push(RETIRED);
        Self::of_site(table::STUDY, "retired", item)
    }

    /// A part of what is known of an export that was handed out.
    pub(super) fn export(study: &StudyId, number: u32, part: u16) -> Self {
        let mut item = study.as_bytes().to_vec();
        item.extend_from_slice(&number.to_be_bytes());
        item.extend_from_slice(&part.to_be_bytes());
        Self::of_site(table::EXPORT, "export", item)
    }

    /// On which terms an export was handed out.
    pub(super) fn export_terms(study: &StudyId, number: u32) -> Self {
        let mut item = study.as_bytes().to_vec();
        item.extend_from_slice(&number.to_be_bytes());
        Self::of_site(table::EXPORT, "export terms", item)
    }

    /// A participant as the export of this number, and those after it, handed them out.
    pub(super) fn handed_out(owner: &OwnerId, number: u32) -> Self {
        Self::of_owner(table::HANDED_OUT, "handed out", owner, &number.to_be_bytes(), Under::Data)
    }

    /// What the keys of all those rows of an owner begin with.
    pub(super) fn handed_out_prefix(owner: &OwnerId) -> Vec<u8> {
        row(&SITE, table::HANDED_OUT, owner.as_bytes())
    }

    pub(super) fn tombstone(digest: &TombstoneDigest) -> Self {
        Self::of_site(table::TOMBSTONE, "tombstone", digest.0.to_vec())
    }

    pub(super) fn participant(owner: &OwnerId) -> Self {
        Self::of_owner(table::PARTICIPANT, "participant", owner, &[], Under::Data)
    }

    pub(super) fn links(owner: &OwnerId) -> Self {
        Self::of_owner(table::LINKS, "links", owner, &[], Under::Identity)
    }

    pub(super) fn held(owner: &OwnerId) -> Self {
        Self::of_owner(table::HELD, "held", owner, &[], Under::Data)
    }

    pub(super) fn permissions(owner: &OwnerId, connection: &ConnectionDigest) -> Self {
        Self::of_owner(table::PERMISSION, "permission", owner, &connection.0, Under::Data)
    }

    /// What the keys of all rows of permissions of an owner begin with.
    pub(super) fn permissions_prefix(owner: &OwnerId) -> Vec<u8> {
        row(&SITE, table::PERMISSION, owner.as_bytes())
    }

    /// Its key in the engine.
    pub(super) fn key(&self) -> Vec<u8> {
        let mut item = self.owner.map_or_else(Vec::new, |owner| owner.as_bytes().to_vec());
        item.extend_from_slice(&self.item);
        row(&SITE, self.table, &item)
    }

    fn of_site(table: u8, name: &'static str, item: Vec<u8>) -> Self {
        Self { table, name, owner: None, item, under: Under::Index }
    }

    fn of_owner(table: u8, name: &'static str, owner: &OwnerId, item: &[u8], under: Under) -> Self {
        Self { table, name, owner: Some(*owner), item: item.to_vec(), under }
    }

    fn location(&self) -> Location<'_> {
        let owner: &[u8] = self.owner.as_ref().map_or(&[], |owner| owner.as_bytes());
        Location { table: self.name, owner, item: &self.item }
    }
}

impl Rows {
    /// The value, sealed for this row; `None` where the key of the row was destroyed.
    pub(super) fn seal<T: Serialize>(&self, row: &Row, value: &T) -> Option<Vec<u8>> {
        let mut plain = vec![VERSION];
        serde_json::to_writer(&mut plain, value).expect("the stored forms have text keys and finite numbers");
        let key = self.key(row)?;
        let sealed = seal::seal(&key, row.location(), &plain, &*self.rng);
        zeroize::Zeroize::zeroize(&mut plain);
        Some(sealed)
    }

    /// The value of this row.
    pub(super) fn open<T: DeserializeOwned>(&self, row: &Row, sealed: &[u8]) -> Result<T, Unreadable> {
        let key = self.key(row).ok_or(Unreadable::NoKey)?;
        let tampered = |_: Tampered| Unreadable::Tampered(row.name);
        let plain = seal::open(&key, row.location(), sealed).map_err(tampered)?;
        match plain.split_first() {
            Some((&VERSION, json)) => serde_json::from_slice(json).map_err(|_| Unreadable::Tampered(row.name)),
            Some((version, _)) => Err(Unreadable::Newer(row.name, *version)),
            None => Err(Unreadable::Tampered(row.name)),
        }
    }

    fn key(&self, row: &Row) -> Option<Key> {
        let owned = |pick: fn(&OwnerKeys) -> Option<Key>| {
            let keys = self.keyring.owner(row.owner.as_ref()?)?;
            pick(&keys)
        };
        match row.under {
            Under::Index => Some(self.keyring.site().index.clone()),
            Under::Data => owned(|keys| Some(keys.data.clone())),
            Under::Identity => owned(|keys| keys.identity.clone()),
        }
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoKey => f.write_str("the key of a row was destroyed"),
            Self::Tampered(name) => write!(f, "a {name} row does not open: it was altered"),
            Self::Newer(name, version) => write!(f, "a {name} row has version {version}, which is newer than this one"),
        }
    }
}
