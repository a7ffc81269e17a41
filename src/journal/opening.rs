//! What a body's own file begins with.
//!
//! ```text
//! to be answered | 8 "sgbody" 0 1 | 34 header of the stream |
//! given once     | 8 "sgbody" 0 2 | 8 generation | 82 body key, sealed under the generation's key | 34 header of the stream |
//! ```
//! The key is sealed for the generation and the file's identifier, so that it opens at the head of that file alone.

use std::{fs::File, io, os::unix::fs::FileExt};

use ring::rand::SecureRandom;
use zeroize::Zeroizing;

use crate::crypto::{
    key::Key,
    keyring::{JournalGeneration, Keyring},
    seal::{self, Location},
    stream::HEADER_BYTES,
};
use crate::journal::frame::FileId;

const MAGIC: [u8; 7] = *b"sgbody\0";
const TO_BE_ANSWERED: u8 = 1;
const GIVEN_ONCE: u8 = 2;
const GENERATION_BYTES: usize = 8;
const WRAPPED_BYTES: usize = 32 + seal::OVERHEAD;
const KEY_BYTES: usize = GENERATION_BYTES + WRAPPED_BYTES;

/// What a file begins with, as it was read.
pub(crate) struct Opening {
    /// The header of the stream that follows.
    pub(crate) stream: [u8; HEADER_BYTES],
    /// Where the first record stands.
    pub(crate) end: u64,
    wrapped: Option<[u8; KEY_BYTES]>,
}

/// The opening of a file whose key stands in a segment alone.
pub(crate) fn to_be_answered(stream: &[u8; HEADER_BYTES]) -> Vec<u8> {
    [&MAGIC[..], &[TO_BE_ANSWERED], stream].concat()
}

/// The opening of a file that holds its own key.
pub(crate) fn given_once(
    id: &FileId,
    body_key: &Key,
    (generation, generation_key): (JournalGeneration, &Key),
    stream: &[u8; HEADER_BYTES],
    rng: &dyn SecureRandom,
) -> Vec<u8> {
    let mut opening = [&MAGIC[..], &[GIVEN_ONCE], &generation.0.to_be_bytes()].concat();
    let bound = bound(id, generation);
    seal::seal_onto(generation_key, place(&bound), body_key.expose(), rng, &mut opening);
    opening.extend_from_slice(stream);
    opening
}

/// Reads the opening; `None` where the file begins otherwise.
pub(crate) fn read(file: &File) -> io::Result<Option<Opening>> {
    let mut magic = [0; MAGIC.len() + 1];
    file.read_exact_at(&mut magic, 0)?;
    let mut end = magic.len() as u64;
    let wrapped = match magic.strip_prefix(&MAGIC) {
        Some([TO_BE_ANSWERED]) => None,
        Some([GIVEN_ONCE]) => {
            let mut wrapped = [0; KEY_BYTES];
            file.read_exact_at(&mut wrapped, end)?;
            end += KEY_BYTES as u64;
            Some(wrapped)
        }
        _ => return Ok(None),
    };
    let mut stream = [0; HEADER_BYTES];
    file.read_exact_at(&mut stream, end)?;
    Ok(Some(Opening { stream, end: end + HEADER_BYTES as u64, wrapped }))
}

impl Opening {
    /// Whether the file holds its own key.
    pub(crate) fn is_given_once(&self) -> bool {
        self.wrapped.is_some()
    }

    /// The key that the file holds; `None` where it holds none, was altered, or its generation is destroyed.
    pub(crate) fn key(&self, id: &FileId, keyring: &Keyring) -> Option<Key> {
        let (generation, sealed) = self.wrapped.as_ref()?.split_first_chunk()?;
        let generation = JournalGeneration(u64::from_be_bytes(*generation));
        let bound = bound(id, generation);
        let key = Zeroizing::new(seal::open(&keyring.journal(generation)?, place(&bound), sealed).ok()?);
        Some(Key::from_bytes(*key.first_chunk()?))
    }
}

fn bound(id: &FileId, generation: JournalGeneration) -> [u8; GENERATION_BYTES + size_of::<FileId>()] {
    let mut bound = [0; GENERATION_BYTES + size_of::<FileId>()];
    bound[..GENERATION_BYTES].copy_from_slice(&generation.0.to_be_bytes());
    bound[GENERATION_BYTES..].copy_from_slice(id);
    bound
}

fn place(bound: &[u8]) -> Location<'_> {
    Location { table: "journal file key", owner: b"", item: bound }
}
