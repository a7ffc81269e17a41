//! A spilled body, read back by two cursors over one file.
//!
//! Never: a byte released before every tag and the last flag of the whole file held.

use std::{fs::File, io, ops::Range, os::unix::fs::FileExt, path::Path, sync::Arc};

use zstd::stream::raw::{Decoder, Operation};

use crate::crypto::{
    key::Key,
    keyring::Keyring,
    seal::Tampered,
    stream::{CHUNK_BYTES_MAX, CHUNK_OVERHEAD, StreamOpener},
};
use crate::journal::{
    Error, Header, Position,
    frame::{self, FileId},
    opening::{self, Opening},
    output::{RECORD_HEAD_BYTES, place},
    packing,
    spool::{BODY, ENTRIES, HEADER},
};
use crate::json::entry_codec;
use crate::model::entry::Entry;

const DECODED_BYTES: usize = 64 * 1024;

/// A spilled body, read by two cursors over one file: entries run ahead of bytes; nothing is decoded twice.
pub struct Spilled {
    position: Position,
    given_once: bool,
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

/// The key and header that a file which nothing refers to holds itself; `None` where it holds none, or is not whole.
pub(crate) fn read_given_once(path: &Path, id: &FileId, keyring: &Keyring) -> io::Result<Option<(Key, Header)>> {
    let read = || -> Result<Option<(Key, Header)>, Fault> {
        let file = Arc::new(File::open(path)?);
        let Some(opening) = opening::read(&file)? else {
            return Ok(None);
        };
        let Some(key) = opening.key(id, keyring) else {
            return Ok(None);
        };
        let header = verify(&file, &opening, id, &key, &mut chunk())?;
        Ok(header.map(|header| (key, header)))
    };
    match read() {
        Ok(found) => Ok(found),
        Err(Fault::Tampered) => Ok(None),
        Err(Fault::Disk(cause)) => Err(cause),
    }
}

/// Opens every record; returns the header that stands among them, if one does.
fn verify(
    file: &Arc<File>,
    opening: &Opening,
    id: &FileId,
    key: &Key,
    chunk: &mut Vec<u8>,
) -> Result<Option<Header>, Fault> {
    let mut header = None;
    let mut all = Records::new(file, opening, id, key)?;
    while let Some(kind) = all.next(None, chunk)? {
        if kind == HEADER {
            header = Some(frame::decode_header(&mut &chunk[..]).ok_or(Fault::Tampered)?);
        }
    }
    if all.offset == file.metadata()?.len() { Ok(header) } else { Err(Fault::Tampered) }
}

fn chunk() -> Vec<u8> {
    Vec::with_capacity(CHUNK_BYTES_MAX + CHUNK_OVERHEAD)
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
            let opening = opening::read(&file)?.ok_or(Fault::Tampered)?;
            let mut chunk = chunk();
            verify(&file, &opening, id, key, &mut chunk)?;
            Ok(Spilled {
                position,
                given_once: opening.is_given_once(),
                entry_records: Records::new(&file, &opening, id, key)?,
                entries: Vec::new(),
                entries_taken: 0,
                body_records: Records::new(&file, &opening, id, key)?,
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

    /// Whether the file holds its own key.
    pub(crate) fn is_given_once(&self) -> bool {
        self.given_once
    }

    fn take_entry(&mut self) -> Result<Option<Entry>, Fault> {
        while self.entries_taken == self.entries.len() {
            let mut chunk = Vec::new();
            if self.entry_records.next(Some(ENTRIES), &mut chunk)?.is_none() {
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
                if self.body_records.next(Some(BODY), &mut self.compressed)?.is_none() {
                    return Err(Fault::Tampered);
                }
                self.compressed_taken = 0;
            }
        }
    }
}

impl Records {
    fn new(file: &Arc<File>, opening: &Opening, id: &FileId, key: &Key) -> Result<Self, Fault> {
        let opener = Box::new(StreamOpener::new(key, place(id), &opening.stream)?);
        Ok(Self { file: file.clone(), offset: opening.end, opener, ended: false })
    }

    /// The next chunk of the kind (of any kind if `None`), and its kind; `None` behind the last.
    fn next(&mut self, wanted: Option<u8>, chunk: &mut Vec<u8>) -> Result<Option<u8>, Fault> {
        while !self.ended {
            let mut head = [0; RECORD_HEAD_BYTES];
            self.file.read_exact_at(&mut head, self.offset)?;
            let [kind, last, length @ ..] = head;
            let length = u32::from_be_bytes(length) as usize;
            if last > 1 || !matches!(kind, BODY | ENTRIES | HEADER) || length > CHUNK_BYTES_MAX + CHUNK_OVERHEAD {
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
            return Ok(Some(kind));
        }
        Ok(None)
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
