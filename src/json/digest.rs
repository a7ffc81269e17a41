//! The digest of an object's content: the same for every way to write it, with a key so that it tells nothing.
//!
//! ```text
//! scalar = 's' decoded characters 0xFF | 'n' number as written 0xFF | 't' | 'f' | 'z'
//! array  = SipHash('a' value*)             value = scalar, or 'a' / 'o' and the digest of what it holds
//! object = SipHash('o' sum count)          sum of SipHash('m' decoded name 0xFF value), modulo 2^128
//! ```
//! SipHash-1-3 with 128 bits. Half a surrogate pair is digested as three bytes that no UTF-8 holds.

use std::hash::Hasher;

use siphasher::sip128::{Hasher128, SipHasher13};

use crate::json::text::{Piece, Unescape};
use crate::json::token::{Container, Part, Word};

/// Ends what has no length before it: no UTF-8 holds this byte.
const END: u8 = 0xFF;

/// Digests tokens as they come.
#[derive(Debug)]
pub(super) struct Digester {
    blank: SipHasher13,
    unescape: Unescape,
    frames: Vec<Frame>,
    digest: [u8; 16],
}

/// An open container.
#[derive(Debug)]
struct Frame {
    container: Container,
    /// What is being digested: the current member of an object, or the array so far.
    hasher: SipHasher13,
    sum: u128,
    count: u64,
}

impl Digester {
    pub(super) fn new(key: &[u8; 16]) -> Self {
        let blank = SipHasher13::new_with_key(key);
        Self { blank, unescape: Unescape::default(), frames: Vec::with_capacity(4), digest: [0; 16] }
    }

    /// A container opens.
    pub(super) fn open(&mut self, container: Container) {
        let mut hasher = self.blank;
        if container == Container::Array {
            hasher.write_u8(b'a');
        }
        self.frames.push(Frame { container, hasher, sum: 0, count: 0 });
    }

    /// The innermost container closes.
    pub(super) fn close(&mut self) {
        let Some(frame) = self.frames.pop() else {
            return;
        };
        let (tag, hasher) = match frame.container {
            Container::Array => (b'a', frame.hasher),
            Container::Object => {
                let mut hasher = self.blank;
                hasher.write_u8(b'o');
                hasher.write(&frame.sum.to_le_bytes());
                hasher.write(&frame.count.to_le_bytes());
                (b'o', hasher)
            }
        };
        let digest = u128::from(hasher.finish128()).to_le_bytes();
        match self.frames.last_mut() {
            None => self.digest = digest,
            Some(outer) => {
                outer.hasher.write_u8(tag);
                outer.hasher.write(&digest);
                outer.value_ended();
            }
        }
    }

    /// Characters of a member's name. A member whose value is not told afterwards does not count.
    #[inline]
    pub(super) fn name(&mut self, raw: &[u8], part: Part, plain: bool) {
        if let Some(frame) = self.frames.last_mut() {
            if part.first {
                frame.hasher = self.blank;
                frame.hasher.write_u8(b'm');
            }
            characters(&mut self.unescape, &mut frame.hasher, raw, part, plain);
        }
    }

    /// Characters of a string that is a value.
    #[inline]
    pub(super) fn text(&mut self, raw: &[u8], part: Part, plain: bool) {
        if let Some(frame) = self.frames.last_mut() {
            if part.first {
                frame.hasher.write_u8(b's');
            }
            characters(&mut self.unescape, &mut frame.hasher, raw, part, plain);
            if part.last {
                frame.value_ended();
            }
        }
    }

    /// Characters of a number.
    #[inline]
    pub(super) fn number(&mut self, raw: &[u8], part: Part) {
        if let Some(frame) = self.frames.last_mut() {
            if part.first {
                frame.hasher.write_u8(b'n');
            }
            frame.hasher.write(raw);
            if part.last {
                frame.hasher.write_u8(END);
                frame.value_ended();
            }
        }
    }

    /// A word.
    pub(super) fn word(&mut self, word: Word) {
        if let Some(frame) = self.frames.last_mut() {
            frame.hasher.write_u8(match word {
                Word::True => b't',
                Word::False => b'f',
                Word::Null => b'z',
            });
            frame.value_ended();
        }
    }

    /// The digest of the object that was opened first, when it has closed.
    pub(super) fn digest(&self) -> [u8; 16] {
        self.digest
    }
}

impl Frame {
    #[inline]
    fn value_ended(&mut self) {
        if self.container == Container::Object {
            self.sum = self.sum.wrapping_add(u128::from(self.hasher.finish128()));
            self.count += 1;
        }
    }
}

#[inline]
fn characters(unescape: &mut Unescape, hasher: &mut SipHasher13, raw: &[u8], part: Part, plain: bool) {
    if part.first && plain {
        hasher.write(raw);
    } else {
        unescape.feed(raw, |piece| digest_piece(hasher, piece));
    }
    if part.last {
        unescape.finish(|piece| digest_piece(hasher, piece));
        hasher.write_u8(END);
    }
}

fn digest_piece(hasher: &mut SipHasher13, piece: Piece<'_>) {
    match piece {
        Piece::Run(run) => hasher.write(run),
        Piece::Char(decoded) => hasher.write(decoded.encode_utf8(&mut [0; 4]).as_bytes()),
        Piece::Lone(unit) => {
            let [high, low] = unit.to_be_bytes();
            let bits = high << 2 | low >> 6;
            hasher.write(&[0xE0 | high >> 4, 0x80 | bits & 0x3F, 0x80 | low & 0x3F]);
        }
    }
}
