//! The container: a zip, written front to back, encrypted with age on its way out.
//!
//! Memory does not grow with what is written, but for a line for each file. A container that is not [finished](Archive::finish) lacks age's last
//! chunk and the zip's directory, so that nothing opens it.

use std::io::{self, BufWriter, Write};

use ring::digest::{Context, SHA256};
use zip::{CompressionMethod, DateTime, ZipWriter, write::SimpleFileOptions};

use crate::dataset::{manifest::FileEntry, recipient::Recipient};

/// A container that is being written to `W`.
pub struct Archive<W: Write> {
    zip: Zip<W>,
    files: Vec<FileEntry>,
}

type Zip<W> = ZipWriter<zip::write::StreamWriter<age::stream::StreamWriter<W>>>;

const BUFFER_BYTES: usize = 64 * 1024;

impl<W: Write> Archive<W> {
    /// An empty container that every one of the recipients can open; there must be at least one.
    pub fn create(output: W, recipients: &[Recipient]) -> io::Result<Self> {
        let keys = recipients.iter().map(|recipient| recipient.key() as &dyn age::Recipient);
        let encryptor = age::Encryptor::with_recipients(keys).map_err(io::Error::other)?;
        let encrypted = encryptor.wrap_output(output)?;
        Ok(Self { zip: ZipWriter::new_stream(encrypted), files: Vec::new() })
    }

    /// Adds a file; `write` writes its content, knows the files before it, and returns how many rows it has, where it
    /// has rows.
    pub fn add(
        &mut self,
        path: &str,
        write: impl FnOnce(&mut dyn Write, &[FileEntry]) -> io::Result<Option<u64>>,
    ) -> io::Result<()> {
        let mut file = self.begin(path)?;
        let rows = write(&mut file.output, file.files)?;
        file.finish(rows)
    }

    /// Begins a file, whose content is then written to what this returns.
    pub fn begin(&mut self, path: &str) -> io::Result<Open<'_, W>> {
        // The time of an entry is fixed, so that the same content gives the same bytes.
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .last_modified_time(DateTime::default())
            .unix_permissions(0o600)
            .large_file(true);
        let Self { zip, files } = self;
        zip.start_file(path, options)?;
        let counted = Counted { zip, bytes: 0, digest: Context::new(&SHA256) };
        Ok(Open { path: path.to_owned(), output: BufWriter::with_capacity(BUFFER_BYTES, counted), files })
    }

    /// The files added so far, in order.
    pub fn files(&self) -> &[FileEntry] {
        &self.files
    }

    /// Ends the container and returns what it was written to.
    pub fn finish(self) -> io::Result<W> {
        self.zip.finish()?.into_inner().finish()
    }
}

/// A file of a container, while it is written.
pub struct Open<'a, W: Write> {
    path: String,
    output: BufWriter<Counted<'a, W>>,
    files: &'a mut Vec<FileEntry>,
}

impl<W: Write> Open<'_, W> {
    /// Adds bytes.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.output.write_all(bytes)
    }

    /// The file is whole; `rows` is how many it has, where it has rows.
    pub fn finish(self, rows: Option<u64>) -> io::Result<()> {
        let counted = self.output.into_inner().map_err(io::IntoInnerError::into_error)?;
        let (bytes, digest) = (counted.bytes, counted.digest.finish());
        let sha256 = data_encoding::HEXLOWER.encode(digest.as_ref());
        self.files.push(FileEntry { path: self.path, bytes, sha256, rows });
        Ok(())
    }
}

struct Counted<'a, W: Write> {
    zip: &'a mut Zip<W>,
    bytes: u64,
    digest: Context,
}

impl<W: Write> Write for Counted<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.zip.write(bytes)?;
        self.digest.update(&bytes[..written]);
        self.bytes += u64::try_from(written).expect("a length fits 64 bits");
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        // A flush in the middle of a file would only spoil its compression.
        Ok(())
    }
}
