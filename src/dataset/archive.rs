//! The container: a zip, written front to back, encrypted with age on its way out.
//!
//! Memory does not grow with what is written, but for a line for each file. A container that is not [finished](Archive::finish) lacks age's last
//! chunk and the zip's directory, so that nothing opens it.
//!
//! ```text
//! | header, name, deflated content [, lengths and CRC-32 where the header could not know them] | … | directory | end |
//! ```
//! Offsets and lengths beyond 32 bits are written the zip64 way.

use std::io::{self, Write};

use flate2::{Compression, Crc, write::DeflateEncoder};
use ring::digest::{Context, SHA256};

use crate::dataset::{
    directory::{DEFLATED, Directory, Entry, LENGTHS_BEHIND, STORED},
    manifest::FileEntry,
    press::{END, inflate},
    recipient::Recipient,
    spill::{Block, Spill},
    stream::{Packed, Packing, Part},
};

/// A container that is being written to `W`.
pub struct Archive<W: Write> {
    output: Counted<age::stream::StreamWriter<W>>,
    directory: Directory,
    files: Vec<FileEntry>,
}

const LEVEL: u32 = 6;

impl<W: Write> Archive<W> {
    /// An empty container that every one of the recipients can open; there must be at least one.
    pub fn create(output: W, recipients: &[Recipient]) -> io::Result<Self> {
        let keys = recipients.iter().map(|recipient| recipient.key() as &dyn age::Recipient);
        let encryptor = age::Encryptor::with_recipients(keys).map_err(io::Error::other)?;
        let output = Counted { inner: encryptor.wrap_output(output)?, bytes: 0 };
        Ok(Self { output, directory: Directory::default(), files: Vec::new() })
    }

    /// Adds a file; `write` writes its content, knows the files before it, and returns how many rows it has, where it
    /// has rows.
    pub fn add(
        &mut self,
        path: &str,
        write: impl FnOnce(&mut dyn Write, &[FileEntry]) -> io::Result<Option<u64>>,
    ) -> io::Result<()> {
        let mut content = Vec::new();
        let rows = write(&mut content, &self.files)?;
        let mut file = self.begin(path)?;
        file.write(&content)?;
        file.finish(rows)
    }

    /// Begins a file, whose content is then written to what this returns.
    pub fn begin(&mut self, path: &str) -> io::Result<Open<'_, W>> {
        let entry = Entry {
            path: path.to_owned(),
            at: self.output.bytes,
            method: DEFLATED,
            flags: LENGTHS_BEHIND,
            ..Entry::default()
        };
        self.output.write_all(&entry.header())?;
        let started = self.output.bytes;
        let Self { output, directory, files } = self;
        let deflate = DeflateEncoder::new(output, Compression::new(LEVEL));
        Ok(Open { entry, started, deflate, directory, files, digest: Context::new(&SHA256), crc: Crc::new() })
    }

    /// Adds a file that was set aside.
    pub(super) fn add_packed(&mut self, path: &str, packed: &Packed, spill: &Spill) -> io::Result<()> {
        let whole = Whole { crc: packed.crc, bytes: packed.bytes, sha256: packed.sha256.clone(), rows: packed.rows };
        self.add_blocks(path, packed.packing, &packed.blocks.all(), whole, spill)
    }

    /// Adds a part of a deflated file that was set aside, behind the blocks that stand before all its parts.
    pub(super) fn add_part(&mut self, path: &str, packed: &Packed, part: &Part, spill: &Spill) -> io::Result<()> {
        let all = packed.blocks.all();
        let before = packed.parts.first().map_or(0, |part| part.blocks.start);
        let blocks = [&all[..before], &all[part.blocks.clone()]].concat();
        let (mut digest, mut crc, mut bytes) = (Context::new(&SHA256), Crc::new(), 0);
        for block in &blocks {
            let inflated = inflate(&spill.get(*block)?)?;
            digest.update(&inflated);
            crc.update(&inflated);
            bytes += inflated.len() as u64;
        }
        let sha256 = data_encoding::HEXLOWER.encode(digest.finish().as_ref());
        let whole = Whole { crc: crc.sum(), bytes, sha256, rows: part.rows };
        self.add_blocks(path, packed.packing, &blocks, whole, spill)
    }

    fn add_blocks(
        &mut self,
        path: &str,
        packing: Packing,
        blocks: &[Block],
        whole: Whole,
        spill: &Spill,
    ) -> io::Result<()> {
        let (method, end) = match packing {
            Packing::Deflated => (DEFLATED, END),
            Packing::Stored => (STORED, [].as_slice()),
        };
        let packed_bytes = blocks.iter().map(|block| block.bytes() as u64).sum::<u64>() + end.len() as u64;
        let Whole { crc, bytes, sha256, rows } = whole;
        let at = self.output.bytes;
        let entry = Entry { path: path.to_owned(), at, method, flags: 0, crc, bytes, packed_bytes };
        self.output.write_all(&entry.header())?;
        for block in blocks {
            self.output.write_all(&spill.get(*block)?)?;
        }
        self.output.write_all(end)?;
        self.directory.add(&entry);
        self.files.push(FileEntry { path: path.to_owned(), bytes, sha256, rows: Some(rows) });
        Ok(())
    }

    /// The files added so far, in order.
    pub fn files(&self) -> &[FileEntry] {
        &self.files
    }

    /// Ends the container and returns what it was written to.
    pub fn finish(mut self) -> io::Result<W> {
        let end = self.directory.end(self.output.bytes);
        self.output.write_all(&end)?;
        self.output.inner.finish()
    }
}

/// What the header of a file says of it.
struct Whole {
    crc: u32,
    bytes: u64,
    sha256: String,
    rows: u64,
}

/// A file of a container, while it is written.
pub struct Open<'a, W: Write> {
    entry: Entry,
    started: u64,
    deflate: DeflateEncoder<&'a mut Counted<age::stream::StreamWriter<W>>>,
    directory: &'a mut Directory,
    files: &'a mut Vec<FileEntry>,
    digest: Context,
    crc: Crc,
}

impl<W: Write> Open<'_, W> {
    /// Adds bytes.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.digest.update(bytes);
        self.crc.update(bytes);
        self.entry.bytes += bytes.len() as u64;
        self.deflate.write_all(bytes)
    }

    /// The file is whole; `rows` is how many it has, where it has rows.
    pub fn finish(mut self, rows: Option<u64>) -> io::Result<()> {
        let output = self.deflate.finish()?;
        self.entry.crc = self.crc.sum();
        self.entry.packed_bytes = output.bytes - self.started;
        output.write_all(&self.entry.trailer())?;
        self.directory.add(&self.entry);
        let sha256 = data_encoding::HEXLOWER.encode(self.digest.finish().as_ref());
        self.files.push(FileEntry { path: self.entry.path, bytes: self.entry.bytes, sha256, rows });
        Ok(())
    }
}

struct Counted<W> {
    inner: W,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        // A flush in the middle would only cut a chunk of age short.
        Ok(())
    }
}
