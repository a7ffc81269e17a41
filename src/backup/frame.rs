//! The form of a backup's file, and of the purge log beside it.
//!
//! ```text
//! backup     | head, 4096 | capsule slot 0 | capsule slot 1 | frame … | end frame |
//! purge log  | head, 4096 | frame … | end frame |
//! head       | 8 "sgbackup" or "sgpurges" | 4 version = 1 | 16 id | 8 made | 32 site's public key | 4 bytes of a slot
//!            | zeros | 32 SHA-256 of all before |
//! frame      | 1 kind | 4 bytes of name | 4 bytes of content | name | content | 8 check |
//! check      the first bytes of SHA-256 of the head and of every frame up to here, checks left out
//! end frame  kind 9, no name; content: | 8 rows | 8 files | 8 bytes of files | 8 bytes of the audit log
//!            | 32 SHA-256 of the head and of every frame before | 64 the site's Ed25519 signature over the 64 before |
//! ```
//! | kind | name | content |
//! |---|---|---|
//! | 1 state | | JSON: format of the data directory, epoch |
//! | 2 row | key | value, as it stands in the store: sealed |
//! | 3 piece of the audit log | name of its file | sealed under the index key for backup, file and place |
//! | 4 piece of a file | id, 8 length of the file | as it stands in the folder of files: sealed |
//! | 5 last piece of a file | the same | the same |
//!
//! Integers are big endian. The slots stand apart from the digests, since purges overwrite them (`backup/capsule.rs`).
//!
//! Never: a frame handed out before its check held; a file taken for whole without its end frame.

use std::fmt;
use std::io::{self, Read, Write};

use ring::digest::{Context, SHA256};

use crate::backup::head::{Head, VERSION};
use crate::dataset::manifest::{Signer, verify};

const DIGEST_BYTES: usize = 32;
const NAME_BYTES_MAX: usize = 4096;
/// A frame's content is not longer, in bytes: a row or a piece.
const CONTENT_BYTES_MAX: usize = 64 << 20;
const CHECK_BYTES: usize = 8;
const END_BYTES: usize = 4 * 8 + DIGEST_BYTES + 64;

/// What a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Of the data directory.
    State,
    /// Of the store.
    Row,
    /// Of the audit log.
    Audit,
    /// Of a file, and more of it follows.
    FilePiece,
    /// The last of a file.
    FileEnd,
    /// The end.
    End,
}

/// A piece of the content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What it is.
    pub kind: Kind,
    /// Which.
    pub name: Vec<u8>,
    /// The bytes.
    pub content: Vec<u8>,
}

/// What a file holds in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Rows.
    pub rows: u64,
    /// Files.
    pub files: u64,
    /// Their bytes.
    pub file_bytes: u64,
    /// Bytes of the audit log.
    pub audit_bytes: u64,
}

/// What is wrong with a file.
#[derive(Debug)]
pub enum Fault {
    /// It is no file of this form.
    Foreign,
    /// A later version wrote it.
    Newer(u32),
    /// It ends at this byte, before its end.
    Cut(u64),
    /// Something was altered in what begins at this byte.
    Altered(u64),
    /// Something follows its end, from this byte on.
    Longer(u64),
    /// Something in it does not open where it was sealed, though it is as it was written.
    Sealed,
    /// It cannot be read.
    Io(io::Error),
}

impl Kind {
    fn byte(self) -> u8 {
        match self {
            Self::State => 1,
            Self::Row => 2,
            Self::Audit => 3,
            Self::FilePiece => 4,
            Self::FileEnd => 5,
            Self::End => 9,
        }
    }

    fn of(byte: u8) -> Option<Self> {
        [Self::State, Self::Row, Self::Audit, Self::FilePiece, Self::FileEnd, Self::End]
            .into_iter()
            .find(|kind| kind.byte() == byte)
    }
}

impl Totals {
    fn count(&mut self, kind: Kind, bytes: usize) {
        match kind {
            Kind::Row => self.rows += 1,
            Kind::Audit => self.audit_bytes += bytes as u64,
            Kind::FilePiece => self.file_bytes += bytes as u64,
            Kind::FileEnd => {
                self.files += 1;
                self.file_bytes += bytes as u64;
            }
            Kind::State | Kind::End => {}
        }
    }

    fn encode(&self) -> Vec<u8> {
        [self.rows, self.files, self.file_bytes, self.audit_bytes]
            .iter()
            .flat_map(|number| number.to_be_bytes())
            .collect()
    }
}

/// Writes frames behind a head.
pub struct FrameWriter<W> {
    output: W,
    running: Context,
    totals: Totals,
}

impl<W: Write> FrameWriter<W> {
    /// Behind this head, which is written already, the slots as well.
    pub fn new(output: W, head: &[u8]) -> Self {
        let mut running = Context::new(&SHA256);
        running.update(head);
        Self { output, running, totals: Totals::default() }
    }

    /// Adds a frame.
    pub fn put(&mut self, kind: Kind, name: &[u8], content: &[u8]) -> io::Result<()> {
        if name.len() > NAME_BYTES_MAX || content.len() > CONTENT_BYTES_MAX {
            return Err(io::Error::other("a row is too long for a backup"));
        }
        self.totals.count(kind, content.len());
        let mut start = [0; 9];
        start[0] = kind.byte();
        start[1..5].copy_from_slice(&(name.len() as u32).to_be_bytes());
        start[5..].copy_from_slice(&(content.len() as u32).to_be_bytes());
        for part in [start.as_slice(), name, content] {
            self.running.update(part);
            self.output.write_all(part)?;
        }
        self.output.write_all(&check(&self.running))
    }

    /// Adds the end frame; everything was handed to the output on return.
    pub fn finish(mut self, signer: &Signer) -> io::Result<Totals> {
        let totals = self.totals;
        let mut end = totals.encode();
        end.extend_from_slice(self.running.clone().finish().as_ref());
        let signature = signer.sign(&end);
        end.extend_from_slice(&signature);
        self.put(Kind::End, &[], &end)?;
        self.output.flush()?;
        Ok(totals)
    }
}

/// Reads frames, each checked before it is handed out.
pub struct FrameReader<R> {
    input: R,
    running: Context,
    totals: Totals,
    at: u64,
    site_key: String,
}

impl<R: Read> FrameReader<R> {
    /// Of an input that stands behind the head of these bytes and its slots.
    pub fn new(input: R, head: &Head, bytes: &[u8]) -> Self {
        let mut running = Context::new(&SHA256);
        running.update(bytes);
        Self { input, running, totals: Totals::default(), at: head.frames_at(), site_key: head.site_key_text() }
    }

    /// The next frame; none behind the last one, where the file ends as it should.
    pub fn read(&mut self) -> Result<Option<Frame>, Fault> {
        let began = self.at;
        let before = self.running.clone();
        let mut start = [0; 9];
        self.fill(&mut start)?;
        let length = |at: usize| u32::from_be_bytes([start[at], start[at + 1], start[at + 2], start[at + 3]]) as usize;
        let (name_bytes, content_bytes) = (length(1), length(5));
        let kind = Kind::of(start[0]).ok_or(Fault::Altered(began))?;
        if name_bytes > NAME_BYTES_MAX || content_bytes > CONTENT_BYTES_MAX {
            return Err(Fault::Altered(began));
        }
        self.running.update(&start);
        let (name, content) = (self.part(name_bytes)?, self.part(content_bytes)?);
        let mut checked = [0; CHECK_BYTES];
        self.fill(&mut checked)?;
        if checked != check(&self.running) {
            return Err(Fault::Altered(began));
        }
        if kind == Kind::End {
            self.end(began, &name, &content, before)?;
            return Ok(None);
        }
        self.totals.count(kind, content_bytes);
        Ok(Some(Frame { kind, name, content }))
    }

    /// What came so far; of a whole file once [`read`](Self::read) gave none.
    pub fn totals(&self) -> Totals {
        self.totals
    }

    fn end(&mut self, began: u64, name: &[u8], content: &[u8], before: Context) -> Result<(), Fault> {
        let mut expected = self.totals.encode();
        expected.extend_from_slice(before.finish().as_ref());
        let (found, signature) = content.split_at_checked(END_BYTES - 64).ok_or(Fault::Altered(began))?;
        let signed = verify(found, signature, &self.site_key).is_ok();
        if !name.is_empty() || found != expected || !signed {
            return Err(Fault::Altered(began));
        }
        let mut more = [0];
        if self.input.read(&mut more)? > 0 { Err(Fault::Longer(self.at)) } else { Ok(()) }
    }

    /// Grows with what is there, and not with what an altered length says.
    fn part(&mut self, length: usize) -> Result<Vec<u8>, Fault> {
        let mut bytes = Vec::with_capacity(length.min(1 << 20));
        (&mut self.input).take(length as u64).read_to_end(&mut bytes)?;
        self.at += bytes.len() as u64;
        if bytes.len() < length {
            return Err(Fault::Cut(self.at));
        }
        self.running.update(&bytes);
        Ok(bytes)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), Fault> {
        let mut filled = 0;
        while filled < bytes.len() {
            match self.input.read(&mut bytes[filled..]) {
                Ok(0) => return Err(Fault::Cut(self.at)),
                Ok(read) => {
                    filled += read;
                    self.at += read as u64;
                }
                Err(again) if again.kind() == io::ErrorKind::Interrupted => {}
                Err(other) => return Err(other.into()),
            }
        }
        Ok(())
    }
}

fn check(running: &Context) -> [u8; CHECK_BYTES] {
    *running.clone().finish().as_ref().first_chunk().expect("a digest has 32 bytes")
}

impl From<io::Error> for Fault {
    fn from(cause: io::Error) -> Self {
        Self::Io(cause)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign => f.write_str("this is no backup of studygate; name another file"),
            Self::Newer(version) => write!(
                f,
                "the file has format {version}, this version reads up to {VERSION}; install the version that wrote it"
            ),
            Self::Cut(at) => write!(f, "the file ends at byte {at}, before its end: it was cut; use another backup"),
            Self::Altered(at) => write!(f, "what begins at byte {at} was altered; use another backup"),
            Self::Longer(at) => write!(f, "something was added behind the end, at byte {at}; use another backup"),
            Self::Sealed => f.write_str(
                "something in the backup does not open: it was made of an altered store, or not by this gateway; \
                 use another backup",
            ),
            Self::Io(cause) => write!(f, "the file cannot be read ({cause}); check the disk and its permissions"),
        }
    }
}

impl std::error::Error for Fault {}
