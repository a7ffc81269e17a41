//! A spilled body, read back by two cursors over one file.
//!
//! Never: a byte released before every tag and the last flag of the whole file held.

use std::{fs::File, io, ops::Range, os::unix::fs::FileExt, path::Path, sync::Arc};

use zstd::stream::raw::{Decoder, Operation};

use crate::crypto::{
    key::Key,
    seal::Tampered,
    stream::{CHUNK_BYTES_MAX, CHUNK_OVERHEAD, HEADER_BYTES, StreamOpener},
};
use crate::journal::{
    Error, Position,
    frame::FileId,
    packing,
    spool::{BODY, ENTRIES, OPENING, RECORD_HEAD_BYTES, place},
};
use crate::json::entry_codec;
use crate::model::entry::Entry;

const DECODED_BYTES: usize = 64 * 1024;

/// A spilled body, read by two cursors over one file: entries run ahead of bytes; nothing is decoded twice.
pub struct Spilled {
    position: Position,
    entry_records: Records,
    entries: Vec<u8>,
    entries_taken: usize,
    body_records: Records,
    compressed: Vec<u8>,
    compressed_taken: usize,
    decoder: Decoder<'static>,
    decoded: Vec<u8>,
    /// What of `decoded` is not passed yet.
    ready: Range<usize>,
    /// Where in the body the first ready byte stands.
    at: u64,
}

/// Goes through the records of one kind.
struct Records {
    file: Arc<File>,
    offset: u64,
    opener: Box<StreamOpener>,
    ended: bool,
}

/// Why a file cannot be read.
enum Fault {
    Tampered,
    Disk(io::Error),
}

impl Spilled {
    /// Opens the file and verifies all of it.
    pub(crate) fn open(path: &Path, id: &FileId, key: &Key, position: Position) -> Result<Spilled, Error> {
        let verified = || -> Result<Spilled, Fault> {
            let file = Arc::new(File::open(path)?);
            let mut all = Records::new(&file, id, key)?;
            let mut chunk = Vec::with_capacity(CHUNK_BYTES_MAX + CHUNK_OVERHEAD);
            while all.next(None, &mut chunk)? {}
            if all.offset != file.metadata()?.len() {
                return Err(Fault::Tampered);
            }
            Ok(Spilled {
                position,
                entry_records: Records::new(&file, id, key)?,
                entries: Vec::new(),
                entries_taken: 0,
                body_records: Records::new(&file, id, key)?,
                compressed: chunk,
                compressed_taken: usize::MAX,
                decoder: Decoder::new()?,
                decoded: vec![0; DECODED_BYTES],
                ready: 0..0,
                at: 0,
            })
        };
        verified().map_err(|fault| fault.at(position))
    }

    /// The next entry, in order of the items' ends.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, Error> {
        self.take_entry().map_err(|fault| fault.at(self.position))
    }

    /// Hands the bytes of a span to `output` piece by piece; spans must ascend from call to call.
    pub fn read(&mut self, span: Range<u64>, output: &mut dyn FnMut(&[u8])) -> Result<(), Error> {
        self.pass(span, output).map_err(|fault| fault.at(self.position))
    }

    fn take_entry(&mut self) -> Result<Option<Entry>, Fault> {
        while self.entries_taken == self.entries.len() {
            let mut chunk = Vec::new();
            if !self.entry_records.next(Some(ENTRIES), &mut chunk)? {
                return Ok(None);
            }
            self.entries = packing::unpack(&chunk).ok_or(Fault::Tampered)?;
            self.entries_taken = 0;
        }
        let mut rest = &self.entries[self.entries_taken..];
        let entry = entry_codec::decode(&mut rest).ok_or(Fault::Tampered)?;
        self.entries_taken = self.entries.len() - rest.len();
        Ok(Some(entry))
    }

    fn pass(&mut self, span: Range<u64>, output: &mut dyn FnMut(&[u8])) -> Result<(), Fault> {
        if span.start < self.at {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "spans of a spilled body must ascend").into());
        }
        while self.at < span.end {
            if self.ready.is_empty() {
                self.decode()?;
            }
            let skipped = clamp(span.start.saturating_sub(self.at), self.ready.len());
            let taken = clamp(span.end - self.at, self.ready.len());
            if skipped < taken {
                output(&self.decoded[self.ready.start + skipped..self.ready.start + taken]);
            }
            self.ready.start += taken;
            self.at += taken as u64;
        }
        Ok(())
    }

    /// Decodes the next bytes, at least one; past the body's end is past what its entries may name.
    fn decode(&mut self) -> Result<(), Fault> {
        loop {
            let input = self.compressed.get(self.compressed_taken..).unwrap_or_default();
            let status = self.decoder.run_on_buffers(input, &mut self.decoded).map_err(|_| Fault::Tampered)?;
            self.compressed_taken = self.compressed_taken.saturating_add(status.bytes_read);
            if status.bytes_written > 0 {
                self.ready = 0..status.bytes_written;
                return Ok(());
            }
            if self.compressed_taken >= self.compressed.len() {
                if !self.body_records.next(Some(BODY), &mut self.compressed)? {
                    return Err(Fault::Tampered);
                }
                self.compressed_taken = 0;
            }
        }
    }
}

impl Records {
    fn new(file: &Arc<File>, id: &FileId, key: &Key) -> Result<Self, Fault> {
        let mut opening = [0; OPENING.len() + HEADER_BYTES];
        file.read_exact_at(&mut opening, 0)?;
        let header = opening.strip_prefix(&OPENING).ok_or(Fault::Tampered)?;
        let opener = Box::new(StreamOpener::new(key, place(id), header)?);
        Ok(Self { file: file.clone(), offset: opening.len() as u64, opener, ended: false })
    }

    /// The next chunk of the kind (of any kind if `None`); `false` behind the last.
    fn next(&mut self, wanted: Option<u8>, chunk: &mut Vec<u8>) -> Result<bool, Fault> {
        while !self.ended {
            let mut head = [0; RECORD_HEAD_BYTES];
            self.file.read_exact_at(&mut head, self.offset)?;
            let [kind, last, length @ ..] = head;
            let length = u32::from_be_bytes(length) as usize;
            if last > 1 || !matches!(kind, BODY | ENTRIES) || length > CHUNK_BYTES_MAX + CHUNK_OVERHEAD {
                return Err(Fault::Tampered);
            }
            let start = self.offset + RECORD_HEAD_BYTES as u64;
            self.offset = start + length as u64;
            self.ended = last == 1;
            if wanted.is_some_and(|wanted| wanted != kind) {
                self.opener.skip();
                continue;
            }
            chunk.resize(length, 0);
            self.file.read_exact_at(chunk, start)?;
            self.opener.open(kind, last == 1, chunk)?;
            return Ok(true);
        }
        Ok(false)
    }
}

impl Fault {
    fn at(self, position: Position) -> Error {
        match self {
            Self::Tampered => Error::Tampered(position),
            Self::Disk(cause) => Error::Failed(Arc::new(cause)),
        }
    }
}

impl From<Tampered> for Fault {
    fn from(Tampered: Tampered) -> Self {
        Self::Tampered
    }
}

/// A file that ends early or is gone was cut or taken away.
impl From<io::Error> for Fault {
    fn from(cause: io::Error) -> Self {
        if matches!(cause.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::NotFound) {
            Self::Tampered
        } else {
            Self::Disk(cause)
        }
    }
}

fn clamp(distance: u64, limit: usize) -> usize {
    usize::try_from(distance).unwrap_or(usize::MAX).min(limit)
}
