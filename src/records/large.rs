//! A record too large for a pack: its data part compressed and sealed chunk by chunk in a file of its own.
//!
//! ```text
//! "SGL1" ‖ stream header ‖ (u32 length ‖ sealed chunk)…      the chunk that ends the file bears the last flag
//! ```

use std::{
    fmt,
    fs::File,
    io::{self, Read, Write},
};

use ring::rand::SecureRandom;

use crate::crypto::{
    key::Key,
    seal::{Location, Tampered},
    stream::{CHUNK_BYTES_MAX, CHUNK_OVERHEAD, HEADER_BYTES, StreamOpener, StreamSealer},
};
use crate::model::id::BlobId;
use crate::store::blobs::{Blobs, Draft};

/// What an object begins with.
pub const MAGIC: &[u8; 4] = b"SGL1";
/// The kind of its chunks.
pub const KIND: u8 = 0;
const COMPRESSION_LEVEL: i32 = 1;
/// Bounds the memory of both sides: 1 MiB.
const WINDOW_LOG: u32 = 20;

/// Writes one large object.
pub struct LargeWriter {
    encoder: zstd::stream::write::Encoder<'static, Chunks>,
}

/// What is wrong with a large object.
#[derive(Debug)]
pub enum Error {
    /// It was altered or cut.
    Tampered,
    /// Reading or writing failed.
    Io(io::Error),
}

struct Chunks {
    sealer: StreamSealer,
    draft: Draft,
    chunk: Vec<u8>,
}

impl LargeWriter {
    /// Starts the object in a new file; `location.item` should be the file's id.
    pub fn new(
        blobs: &Blobs,
        id: BlobId,
        key: &Key,
        table: &'static str,
        owner: &[u8],
        rng: &dyn SecureRandom,
    ) -> io::Result<LargeWriter> {
        let mut draft = blobs.draft(id)?;
        let (sealer, header) = StreamSealer::new(key, Location { table, owner, item: id.as_bytes() }, rng);
        draft.write(MAGIC)?;
        draft.write(&header)?;
        let chunks = Chunks { sealer, draft, chunk: Vec::with_capacity(CHUNK_BYTES_MAX + CHUNK_OVERHEAD) };
        let mut encoder = zstd::stream::write::Encoder::new(chunks, COMPRESSION_LEVEL)?;
        encoder.window_log(WINDOW_LOG)?;
        Ok(LargeWriter { encoder })
    }

    /// Adds bytes.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.encoder.write_all(bytes)
    }

    /// The object is whole and durable.
    pub fn finish(self) -> io::Result<BlobId> {
        let mut chunks = self.encoder.finish()?;
        chunks.put(true)?;
        chunks.draft.finish()
    }
}

impl Chunks {
    fn put(&mut self, last: bool) -> io::Result<()> {
        self.sealer.seal(KIND, last, &mut self.chunk);
        let length = u32::try_from(self.chunk.len()).expect("a chunk is far smaller");
        self.draft.write(&length.to_be_bytes())?;
        self.draft.write(&self.chunk)?;
        self.chunk.clear();
        Ok(())
    }
}

impl Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.chunk.len() == CHUNK_BYTES_MAX {
            self.put(false)?;
        }
        let taken = bytes.len().min(CHUNK_BYTES_MAX - self.chunk.len());
        self.chunk.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Hands the object's bytes to `output` piece by piece, each only after its tag held.
pub fn read(
    blobs: &Blobs,
    id: BlobId,
    key: &Key,
    table: &'static str,
    owner: &[u8],
    output: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> Result<(), Error> {
    let file = blobs.read(id)?;
    let mut left = file.metadata()?.len();
    let mut file = io::BufReader::with_capacity(CHUNK_BYTES_MAX, file);
    let mut start = [0; 4 + HEADER_BYTES];
    take(&mut file, &mut start, &mut left)?;
    if &start[..4] != MAGIC {
        return Err(Error::Tampered);
    }
    let mut opener = StreamOpener::new(key, Location { table, owner, item: id.as_bytes() }, &start[4..])?;
    let mut decoder = zstd::stream::write::Decoder::new(Output(output))?;
    decoder.window_log_max(WINDOW_LOG)?;
    loop {
        let mut length = [0; 4];
        take(&mut file, &mut length, &mut left)?;
        let length = u32::from_be_bytes(length) as usize;
        if length > CHUNK_BYTES_MAX + CHUNK_OVERHEAD {
            return Err(Error::Tampered);
        }
        let mut chunk = vec![0; length];
        take(&mut file, &mut chunk, &mut left)?;
        opener.open(KIND, left == 0, &mut chunk)?;
        decoder.write_all(&chunk)?;
        if left == 0 {
            decoder.flush()?;
            return Ok(());
        }
    }
}

struct Output<'a>(&'a mut dyn FnMut(&[u8]) -> io::Result<()>);

impl Write for Output<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (self.0)(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn take(file: &mut io::BufReader<File>, bytes: &mut [u8], left: &mut u64) -> Result<(), Error> {
    *left = left.checked_sub(bytes.len() as u64).ok_or(Error::Tampered)?;
    Ok(file.read_exact(bytes)?)
}

impl From<io::Error> for Error {
    fn from(cause: io::Error) -> Self {
        Self::Io(cause)
    }
}

impl From<Tampered> for Error {
    fn from(_: Tampered) -> Self {
        Self::Tampered
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tampered => f.write_str("a sealed file does not open: it was altered or cut"),
            Self::Io(cause) => write!(f, "a sealed file cannot be read or written: {cause}"),
        }
    }
}

impl std::error::Error for Error {}
