//! The bytes of an item, from memory or from a spilled body, handed once to whoever needs them.

use std::{hash::Hasher, io, ops::Range};

use siphasher::sip128::{Hasher128, SipHasher13};

use crate::filing::separate::Separation;
use crate::journal::{self, Spilled};
use crate::json::rewrite::{Malformed, Rewriter, Rewritten};
use crate::records::large::LargeWriter;

/// Items from this size on go to files of their own.
pub const LARGE_BYTES: u64 = 64 * 1024;

/// Where the bytes of a body's items come from.
pub enum Bytes<'a> {
    /// The body in memory.
    Inline(&'a [u8]),
    /// The spilled body.
    Spilled(&'a mut Spilled),
}

/// Where the data part of a record goes.
pub enum Sink {
    /// Into a pack.
    Memory(Vec<u8>),
    /// Into a file of its own.
    File(Box<LargeWriter>),
    /// Nowhere: writing failed.
    Failed(io::Error),
}

/// One participant's copy of a record in the making.
pub struct Copy<'a> {
    rewriter: Rewriter<Separation<'a>>,
    sink: Sink,
    malformed: bool,
}

impl Bytes<'_> {
    /// Hands the bytes of a span to `output`; spans must ascend from call to call.
    pub fn read(&mut self, span: Range<u64>, output: &mut dyn FnMut(&[u8])) -> Result<(), journal::Error> {
        match self {
            Self::Inline(body) => {
                output(&body[span.start as usize..span.end as usize]);
                Ok(())
            }
            Self::Spilled(spilled) => spilled.read(span, output),
        }
    }
}

/// Digests a file that belongs to a record.
pub struct FileDigest(SipHasher13);

impl FileDigest {
    /// Under the key of all content digests.
    pub fn new(key: &[u8; 16]) -> Self {
        Self(SipHasher13::new_with_key(key))
    }

    /// Takes the file's next bytes.
    pub fn update(&mut self, piece: &[u8]) {
        self.0.write(piece);
    }

    /// The digest of the record of this digest with the file.
    pub fn with(&self, record: &[u8; 16]) -> [u8; 16] {
        let mut both = self.0;
        both.write(record);
        both.finish128().as_bytes()
    }
}

impl Sink {
    /// Adds bytes; a failure is told at the end.
    pub fn write(&mut self, bytes: &[u8]) {
        match self {
            Self::Memory(memory) => memory.extend_from_slice(bytes),
            Self::File(writer) => {
                if let Err(error) = writer.write(bytes) {
                    *self = Self::Failed(error);
                }
            }
            Self::Failed(_) => {}
        }
    }
}

impl<'a> Copy<'a> {
    /// A copy separated by these rules.
    pub fn new(separation: Separation<'a>, digest_key: &[u8; 16], sink: Sink) -> Self {
        Self { rewriter: Rewriter::new(separation, digest_key), sink, malformed: false }
    }

    /// Takes the record's next bytes.
    pub fn feed(&mut self, piece: &[u8]) {
        let sink = &mut self.sink;
        if !self.malformed && self.rewriter.feed(piece, &mut |kept| sink.write(kept)) == Err(Malformed) {
            self.malformed = true;
        }
    }

    /// The record is over: its data part, and what was separated from it.
    pub fn finish(mut self) -> Result<(Sink, Rewritten), Malformed> {
        if self.malformed {
            return Err(Malformed);
        }
        let sink = &mut self.sink;
        let rewritten = self.rewriter.finish(&mut |kept| sink.write(kept))?;
        Ok((self.sink, rewritten))
    }
}
