//! Verifying a backup: the whole file, its capsule, and with the root key every object in it.
//!
//! Without the root key, any byte that was altered, cut off or added is found, and the site's signature proves what the
//! slots of the capsule do not hold. With it, the capsule is opened, the signature is held against the site's own key,
//! and each row, each record and each file is opened where it was sealed.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use crate::backup::deep::{Deep, Opened};
use crate::backup::frame::{Fault, FrameReader, Kind, Totals};
use crate::backup::head::{Form, HEAD_BYTES, Head};
use crate::backup::purge_log::site_key;
use crate::backup::state::State;
use crate::backup::{Failure, capsule};
use crate::crypto::key::Key;
use crate::dataset::manifest::Signer;

/// What was verified, without a finding.
#[derive(Debug)]
pub struct Verified {
    /// The head.
    pub head: Head,
    /// What made it, and of what.
    pub state: State,
    /// What it holds.
    pub totals: Totals,
    /// Its length.
    pub bytes: u64,
    /// What was opened, where the root key was given.
    pub opened: Option<Opened>,
}

/// Verifies a file; with the root key also that everything in it opens.
pub fn verify(path: &Path, root: Option<&Key>) -> Result<Verified, Failure> {
    let file = File::open(path)?;
    let bytes = file.metadata()?.len();
    let (head, head_bytes) = Head::read(&mut &file)?;
    if head.form != Form::Backup {
        return Err(Fault::Foreign.into());
    }
    let mut slots = Vec::new();
    (&file).take(2 * u64::from(head.slot_bytes)).read_to_end(&mut slots)?;
    if slots.len() < 2 * head.slot_bytes as usize {
        return Err(Fault::Cut((HEAD_BYTES + slots.len()) as u64).into());
    }
    capsule::check(&slots)?;
    drop(slots);
    let mut deep = match root {
        Some(root) => {
            let keys = capsule::open(&file, &head, root)?.keys;
            if site_key(&Signer::from_seed(&keys.site().signing_seed)) != head.site_key {
                return Err(Fault::Altered(0).into());
            }
            Some(Deep::new(keys, head.clone()))
        }
        None => None,
    };
    (&file).seek(SeekFrom::Start(head.frames_at()))?;
    let mut frames = FrameReader::new(BufReader::with_capacity(128 * 1024, &file), &head, &head_bytes);
    let mut state = None;
    while let Some(frame) = frames.read()? {
        if frame.kind == Kind::State {
            state = Some(State::decode(&frame.content)?);
        } else if let Some(deep) = &mut deep {
            deep.frame(&frame)?;
        }
    }
    let state = state.ok_or(Fault::Altered(head.frames_at()))?;
    let opened = deep.map(Deep::end).transpose()?;
    Ok(Verified { totals: frames.totals(), head, state, bytes, opened })
}
