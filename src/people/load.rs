//! Reads the directory from the engine at the start.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::model::{
    connection::ConnectionDigest,
    id::{OwnerId, StudyId},
    participant::Link,
    time::UnixSeconds,
};
use crate::people::{
    change::{Change, KnownLink},
    digests::{Digests, TombstoneDigest},
    directory::Directory,
    held::Held,
    rows::{RETIRED, Row, Rows, Unreadable},
};
use crate::store::engine::{self, Engine, SITE, row, table};

/// Why the directory cannot be read.
#[derive(Debug)]
pub enum Error {
    /// The store failed.
    Store(engine::Error),
    /// A row of this kind was altered.
    Tampered(&'static str),
    /// A row of this kind was written by a newer version.
    Newer(&'static str),
}

/// A tombstone as stored.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredTombstone {
    pub(super) expires: UnixSeconds,
}

/// The directory as stored, and the owners whose rows are left though their keys were destroyed.
pub(super) fn directory(
    engine: &dyn Engine,
    rows: &Rows,
    digests: &Arc<Digests>,
) -> Result<(Directory, Vec<OwnerId>), Error> {
    let mut load = Load { engine, rows, directory: Directory::new(Arc::clone(digests)), keyless: Vec::new() };
    load.studies()?;
    load.tombstones()?;
    load.participants()?;
    load.links(digests)?;
    load.held(digests)?;
    load.permissions()?;
    load.keyless.sort();
    load.keyless.dedup();
    Ok((load.directory, load.keyless))
}

/// A row's item and its sealed value.
type StoredRow = (Vec<u8>, Vec<u8>);

struct Load<'a> {
    engine: &'a dyn Engine,
    rows: &'a Rows,
    directory: Directory,
    keyless: Vec<OwnerId>,
}

impl Load<'_> {
    fn studies(&mut self) -> Result<(), Error> {
        for (item, sealed) in self.table(table::STUDY)? {
            let id = StudyId::from_bytes(first_16(&item, "study")?);
            let change = match item.get(16..) {
                Some([]) => Change::Study(self.rows.open(&Row::study(&id), &sealed)?),
                Some([RETIRED]) => Change::RetiredCodes(id, self.rows.open(&Row::retired(&id), &sealed)?),
                Some(_) | None => return Err(Error::Tampered("study")),
            };
            self.directory.apply(change);
        }
        Ok(())
    }

    fn tombstones(&mut self) -> Result<(), Error> {
        for (item, sealed) in self.table(table::TOMBSTONE)? {
            let digest = TombstoneDigest(first_16(&item, "tombstone")?);
            let stored: StoredTombstone = self.rows.open(&Row::tombstone(&digest), &sealed)?;
            self.directory.apply(Change::Tombstone(digest, stored.expires));
        }
        Ok(())
    }

    fn participants(&mut self) -> Result<(), Error> {
        for (item, sealed) in self.table(table::PARTICIPANT)? {
            let owner = OwnerId::from_bytes(first_16(&item, "participant")?);
            let opened = self.rows.open(&Row::participant(&owner), &sealed);
            if let Some(participant) = self.unless_keyless(owner, opened)? {
                self.directory.apply(Change::Participant(participant));
            }
        }
        Ok(())
    }

    /// A participant whose identity key was destroyed has no links.
    fn links(&mut self, digests: &Digests) -> Result<(), Error> {
        for (item, sealed) in self.table(table::LINKS)? {
            let owner = OwnerId::from_bytes(first_16(&item, "links")?);
            let opened = self.rows.open::<Vec<Link>>(&Row::links(&owner), &sealed);
            let known = |link: Link| KnownLink { digest: digests.connection(&link.client, link.user.expose()), link };
            match opened {
                Ok(links) => {
                    self.directory.apply(Change::Links(owner, links.into_iter().map(known).collect()));
                }
                Err(Unreadable::NoKey) if self.directory.participant(&owner).is_some() => {}
                Err(Unreadable::NoKey) => self.keyless.push(owner),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn held(&mut self, digests: &Digests) -> Result<(), Error> {
        for (item, sealed) in self.table(table::HELD)? {
            let owner = OwnerId::from_bytes(first_16(&item, "held")?);
            let opened = self.rows.open::<Held>(&Row::held(&owner), &sealed);
            if let Some(held) = self.unless_keyless(owner, opened)? {
                let digest = digests.connection(&held.client, held.user.expose());
                self.directory.apply(Change::Held(owner, digest, held));
            }
        }
        Ok(())
    }

    fn permissions(&mut self) -> Result<(), Error> {
        for (item, sealed) in self.table(table::PERMISSION)? {
            let owner = OwnerId::from_bytes(first_16(&item, "permission")?);
            let connection = ConnectionDigest(first_16(item.get(16..).unwrap_or_default(), "permission")?);
            let opened = self.rows.open(&Row::permissions(&owner, &connection), &sealed);
            if let Some(permissions) = self.unless_keyless(owner, opened)? {
                self.directory.apply(Change::Permissions(owner, connection, permissions));
            }
        }
        Ok(())
    }

    fn unless_keyless<T>(&mut self, owner: OwnerId, opened: Result<T, Unreadable>) -> Result<Option<T>, Error> {
        match opened {
            Ok(value) => Ok(Some(value)),
            Err(Unreadable::NoKey) => {
                self.keyless.push(owner);
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Items and sealed values of a table.
    fn table(&self, table: u8) -> Result<Vec<StoredRow>, Error> {
        let prefix = row(&SITE, table, &[]);
        let mut found = Vec::new();
        self.engine
            .scan(&prefix, &mut |key, value| {
                found.push((key[prefix.len()..].to_vec(), value.to_vec()));
                true
            })
            .map_err(Error::Store)?;
        Ok(found)
    }
}

fn first_16(item: &[u8], name: &'static str) -> Result<[u8; 16], Error> {
    item.first_chunk().copied().ok_or(Error::Tampered(name))
}

impl From<Unreadable> for Error {
    fn from(error: Unreadable) -> Self {
        match error {
            Unreadable::NoKey => Self::Tampered("owner"),
            Unreadable::Tampered(name) => Self::Tampered(name),
            Unreadable::Newer(name, _) => Self::Newer(name),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => write!(f, "{error}"),
            Self::Tampered(name) => {
                write!(f, "a {name} row of the store does not open: it was altered; restore the last backup")
            }
            Self::Newer(name) => {
                write!(f, "a {name} row of the store is of a newer version; start the version that wrote it")
            }
        }
    }
}

impl std::error::Error for Error {}
