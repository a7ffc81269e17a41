//! Sealing of large objects chunk by chunk (STREAM: counter and last flag in the nonce).
//!
//! Never: a chunk released before its tag held; two chunks under one nonce.
//!
//! ```text
//! object   | header: 1 version, 1 algorithm, 32 salt | chunk 0 | chunk 1 | … | last chunk |
//! chunk    | ciphertext, as long as the plaintext | 16 tag |
//! nonce    | 4 counter, big endian, from 0 | 1 kind | 1 last: 1, else 0 | 6 zero |
//! ```
//! The key is derived from the salt, the purpose `stream` and the location; header and location are associated with
//! every chunk. How long each chunk is and of which kind is written by whoever frames the chunks: where it is
//! altered, the chunk does not open. An object is whole once a chunk has opened as the last one.

use ring::{
    aead::{Aad, NONCE_LEN, Nonce},
    rand::SecureRandom,
};

use crate::crypto::{
    cipher::{self, ObjectKey},
    key::Key,
    seal::{Location, Tampered},
};

/// The most plaintext one chunk may hold, in bytes.
pub const CHUNK_BYTES_MAX: usize = 64 * 1024;
/// How many bytes longer a sealed chunk is.
pub const CHUNK_OVERHEAD: usize = cipher::TAG_BYTES;
/// The length of the header that stands before the first chunk.
pub const HEADER_BYTES: usize = cipher::HEADER_BYTES;

const PURPOSE: &[u8] = b"stream";

/// Seals the chunks of one object in order.
pub struct StreamSealer {
    object: ObjectKey,
    turn: Turn,
}

/// Opens them in the same order.
pub struct StreamOpener {
    object: ObjectKey,
    turn: Turn,
}

/// Which chunk is next; `None` after the last one.
struct Turn(Option<u32>);

impl StreamSealer {
    /// A sealer under a derived key, and the header the opener needs.
    pub fn new(key: &Key, location: Location<'_>, rng: &dyn SecureRandom) -> (Self, [u8; HEADER_BYTES]) {
        let (object, header) = ObjectKey::fresh(key, PURPOSE, location, rng);
        (Self { object, turn: Turn(Some(0)) }, header)
    }

    /// Seals the chunk in place and appends its tag. `kind` is authenticated, not written; `last` ends the object.
    ///
    /// # Panics
    /// After the last chunk, and after 2^32 - 1 chunks (256 TiB of full ones): a nonce would come twice.
    pub fn seal(&mut self, kind: u8, last: bool, chunk: &mut Vec<u8>) {
        let nonce =
            self.turn.take(kind, last).expect("nothing follows the last chunk, and none has the number 2^32 - 1");
        self.object
            .cipher
            .seal_in_place_append_tag(nonce, Aad::from(&self.object.associated), chunk)
            .expect("a chunk is shorter than the cipher's limit");
    }
}

impl StreamOpener {
    /// The opener for this header.
    pub fn new(key: &Key, location: Location<'_>, header: &[u8]) -> Result<Self, Tampered> {
        Ok(Self { object: ObjectKey::of(key, PURPOSE, location, header)?, turn: Turn(Some(0)) })
    }

    /// Opens the next chunk in place, tag cut off. Nothing of it may be used where this fails.
    pub fn open(&mut self, kind: u8, last: bool, chunk: &mut Vec<u8>) -> Result<(), Tampered> {
        let nonce = self.turn.take(kind, last).ok_or(Tampered)?;
        let length = self
            .object
            .cipher
            .open_in_place(nonce, Aad::from(&self.object.associated), chunk)
            .map_err(|_| Tampered)?
            .len();
        chunk.truncate(length);
        Ok(())
    }

    /// Passes over a chunk without opening it (its successor still opens only in its own place).
    pub fn skip(&mut self) {
        self.turn.take(0, false);
    }
}

impl Turn {
    fn take(&mut self, kind: u8, last: bool) -> Option<Nonce> {
        let counter = self.0?;
        self.0 = if last { None } else { counter.checked_add(1).filter(|next| *next < u32::MAX) };
        let mut nonce = [0; NONCE_LEN];
        nonce[..4].copy_from_slice(&counter.to_be_bytes());
        nonce[4] = kind;
        nonce[5] = u8::from(last);
        Some(Nonce::assume_unique_for_key(nonce))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::rand::SystemRandom;

    const HERE: Location<'_> = Location { table: "blob", owner: b"owner", item: b"1" };

    fn key() -> Key {
        Key::from_bytes([5; 32])
    }

    /// Chunks of kinds 1, 2, 1; the third is the last.
    fn sealed() -> ([u8; HEADER_BYTES], Vec<Vec<u8>>) {
        let (mut sealer, header) = StreamSealer::new(&key(), HERE, &SystemRandom::new());
        let mut chunks = vec![b"first".to_vec(), Vec::new(), b"third".to_vec()];
        for (at, chunk) in chunks.iter_mut().enumerate() {
            sealer.seal([1, 2, 1][at], at == 2, chunk);
        }
        (header, chunks)
    }

    fn open(header: &[u8], chunks: &[(u8, bool, &[u8])]) -> Result<Vec<Vec<u8>>, Tampered> {
        let mut opener = StreamOpener::new(&key(), HERE, header)?;
        let open_one = |&(kind, last, sealed): &(u8, bool, &[u8])| {
            let mut chunk = sealed.to_vec();
            opener.open(kind, last, &mut chunk).map(|()| chunk)
        };
        chunks.iter().map(open_one).collect()
    }

    #[test]
    fn chunks_open_in_order() {
        let (header, c) = sealed();
        let opened = open(&header, &[(1, false, &c[0]), (2, false, &c[1]), (1, true, &c[2])]).unwrap();
        assert_eq!(opened, [b"first".to_vec(), Vec::new(), b"third".to_vec()]);
    }

    #[test]
    fn swapped_dropped_or_relabelled_chunks_do_not_open() {
        let (header, c) = sealed();
        assert!(open(&header, &[(1, false, &c[2])]).is_err(), "swapped");
        assert!(open(&header, &[(1, false, &c[0]), (1, true, &c[2])]).is_err(), "dropped");
        assert!(open(&header, &[(1, true, &c[0])]).is_err(), "cut: the first passed off as the last");
        assert!(open(&header, &[(1, false, &c[0]), (2, false, &c[1]), (1, false, &c[2])]).is_err(), "last denied");
        assert!(open(&header, &[(2, false, &c[0])]).is_err(), "other kind");
        assert!(open(&header, &[(1, false, &c[0]), (2, false, &c[1]), (1, true, &c[2]), (1, true, &c[2])]).is_err());
    }

    #[test]
    fn no_byte_of_header_or_chunk_can_be_altered() {
        let (header, c) = sealed();
        for at in 0..HEADER_BYTES {
            let mut altered = header;
            altered[at] ^= 1;
            assert!(open(&altered, &[(1, false, &c[0])]).is_err(), "header byte {at}");
        }
        for at in 0..c[0].len() {
            let mut altered = c[0].clone();
            altered[at] ^= 1;
            assert!(open(&header, &[(1, false, &altered)]).is_err(), "chunk byte {at}");
            assert!(open(&header, &[(1, false, &c[0][..at])]).is_err(), "cut to {at}");
        }
    }

    #[test]
    fn chunks_do_not_open_elsewhere_or_with_another_key() {
        let (header, c) = sealed();
        for (key, place) in [
            (Key::from_bytes([6; 32]), HERE),
            (key(), Location { table: "body", ..HERE }),
            (key(), Location { owner: b"other", ..HERE }),
            (key(), Location { item: b"2", ..HERE }),
        ] {
            let mut opener = StreamOpener::new(&key, place, &header).unwrap();
            assert_eq!(opener.open(1, false, &mut c[0].clone()), Err(Tampered));
        }
    }

    #[test]
    fn skipped_chunk_keeps_its_successor_in_place() {
        let (header, mut c) = sealed();
        let mut opener = StreamOpener::new(&key(), HERE, &header).unwrap();
        opener.skip();
        opener.open(2, false, &mut c[1]).unwrap();
        opener.open(1, true, &mut c[2]).unwrap();
        assert_eq!(c[2], b"third");
    }

    #[test]
    fn counter_never_wraps() {
        let (mut sealer, header) = StreamSealer::new(&key(), HERE, &SystemRandom::new());
        sealer.turn = Turn(Some(u32::MAX - 1));
        let mut chunk = b"the last there may be".to_vec();
        sealer.seal(1, false, &mut chunk);
        assert!(sealer.turn.take(1, false).is_none(), "chunk 2^32 - 1 is refused");
        let mut opener = StreamOpener::new(&key(), HERE, &header).unwrap();
        opener.turn = Turn(Some(u32::MAX - 1));
        opener.open(1, false, &mut chunk).unwrap();
        assert_eq!(opener.open(1, false, &mut chunk), Err(Tampered));
    }
}
