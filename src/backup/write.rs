//! The content of a backup: what the gateway holds, as it was at one moment, front to back into any output.
//!
//! Never: a row of an owner without keys; a file that no row names; more in memory than a piece.

use std::collections::HashSet;
use std::io::{self, Read, Write};
use std::sync::Arc;

use serde::Deserialize;

use crate::audit::Log;
use crate::audit::folder::Piece;
use crate::backup::Failure;
use crate::backup::frame::{FrameWriter, Kind, Totals};
use crate::backup::head::Head;
use crate::backup::state::{State, audit_place};
use crate::crypto::key::Rng;
use crate::crypto::keyring::KeysCopy;
use crate::crypto::seal::{Location, open, seal};
use crate::dataset::manifest::Signer;
use crate::model::id::{BlobId, OwnerId};
use crate::records::catalog::{Catalog, head_of};
use crate::store::engine::{SITE, table};
use crate::store::snapshot::{Snapshot, Snapshots};

/// Files and the audit log are taken in such pieces, in bytes.
pub(super) const PIECE_BYTES: usize = 64 * 1024;

/// What is backed up.
#[derive(Clone)]
pub struct Source {
    /// The rows.
    pub rows: Arc<Snapshots>,
    /// The files.
    pub catalog: Arc<Catalog>,
    /// The audit log.
    pub audit: Arc<Log>,
}

/// Writes everything behind the slots.
pub(super) fn content(
    source: &Source,
    snapshot: Snapshot<'_>,
    keys: &KeysCopy,
    head: &Head,
    rng: &Rng,
    output: &mut dyn Write,
) -> Result<Totals, Failure> {
    let mut frames = FrameWriter::new(output, &head.encode());
    frames.put(Kind::State, &[], &State::of(keys).encode())?;
    let named = rows(snapshot, keys, &mut frames)?;
    // The log is appended to meanwhile; what is in it beyond the rows says only what came later.
    for piece in source.audit.pieces()? {
        audit_piece(piece, keys, head, rng, &mut frames)?;
    }
    let mut named: Vec<_> = named.into_iter().collect();
    named.sort_unstable();
    for id in named {
        file(source, id, &mut frames)?;
    }
    Ok(frames.finish(&Signer::from_seed(&keys.site().signing_seed))?)
}

/// Writes the rows; returns the files that they name.
fn rows(
    mut snapshot: Snapshot<'_>,
    keys: &KeysCopy,
    frames: &mut FrameWriter<&mut dyn Write>,
) -> Result<HashSet<BlobId>, Failure> {
    let mut named = HashSet::new();
    loop {
        let piece = snapshot.piece()?;
        if piece.is_empty() {
            return Ok(named);
        }
        for (key, value) in piece {
            let owner = owner_of(&key);
            if let Some(owner) = &owner {
                // Without keys it is the remainder of a purge.
                let Some(keys) = keys.owner(owner) else { continue };
                if let Some((.., head)) = head_of(&key, &value, &keys)? {
                    named.extend(head.files());
                }
            }
            if key.get(16) == Some(&table::QUARANTINE) {
                named.extend(refused_file(owner.as_ref(), &key[17..], &value, keys));
            }
            frames.put(Kind::Row, &key, &value)?;
        }
    }
}

fn audit_piece(
    piece: Piece,
    keys: &KeysCopy,
    head: &Head,
    rng: &Rng,
    frames: &mut FrameWriter<&mut dyn Write>,
) -> Result<(), Failure> {
    let (mut log, mut at) = (piece.file.take(piece.length), 0_u64);
    loop {
        let bytes = up_to(&mut log, PIECE_BYTES)?;
        if bytes.is_empty() {
            return Ok(());
        }
        let item = audit_place(&piece.name, at);
        let place = Location { table: "backup audit", owner: head.id.as_bytes(), item: &item };
        frames.put(Kind::Audit, &item, &seal(&keys.site().index, place, &bytes, rng))?;
        at += bytes.len() as u64;
    }
}

fn file(source: &Source, id: BlobId, frames: &mut FrameWriter<&mut dyn Write>) -> Result<(), Failure> {
    let mut file = match source.catalog.files().read(id) {
        Ok(file) => file,
        // A purge took it, or it was sent back into the journal: this moment cannot be had any more.
        Err(gone) if gone.kind() == io::ErrorKind::NotFound => return Err(Failure::Overtaken),
        Err(other) => return Err(other.into()),
    };
    let mut name = id.as_bytes().to_vec();
    name.extend_from_slice(&file.metadata()?.len().to_be_bytes());
    let mut bytes = up_to(&mut file, PIECE_BYTES)?;
    loop {
        let next = up_to(&mut file, PIECE_BYTES)?;
        let kind = if next.is_empty() { Kind::FileEnd } else { Kind::FilePiece };
        frames.put(kind, &name, &bytes)?;
        if next.is_empty() {
            return Ok(());
        }
        bytes = next;
    }
}

/// As many bytes as there are, but no more than these.
pub(super) fn up_to(input: &mut impl Read, bytes_max: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(bytes_max);
    input.take(bytes_max as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Whose row it is; none where it is the site's.
pub fn owner_of(key: &[u8]) -> Option<OwnerId> {
    let owner = key.first_chunk::<16>().filter(|owner| **owner != SITE)?;
    Some(OwnerId::from_bytes(*owner))
}

/// The file that holds a refused item, where one does: its row's key ends with it behind a name of 16 bytes, or, as
/// earlier versions wrote it, it stands in the row alone.
pub(super) fn refused_file(owner: Option<&OwnerId>, item: &[u8], value: &[u8], keys: &KeysCopy) -> Option<BlobId> {
    #[derive(Deserialize)]
    struct Refused {
        blob: Option<BlobId>,
    }
    if let Some(file) = item.get(16..).and_then(|file| file.try_into().ok()) {
        return Some(BlobId::from_bytes(file));
    }
    let key = match owner {
        None => keys.site().quarantine.clone(),
        Some(owner) => keys.owner(owner).map(|keys| keys.identity.clone().unwrap_or_else(|| keys.data.clone()))?,
    };
    let owner = owner.map_or(&[][..], |owner| owner.as_bytes());
    let plain = open(&key, Location { table: "quarantine", owner, item }, value).ok()?;
    serde_json::from_slice::<Refused>(&plain).ok()?.blob
}
