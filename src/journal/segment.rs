//! A segment: frames one after the other in a file, read past damage.
//!
//! ```text
//! seg-<number>  | 8 "sgjrnl" 0 1 | frames | zeros: space allocated ahead |
//! ```
//! A frame counts when its head and its content open. Behind one that does not, the next magic is looked for: a write
//! that did not end may have left holes between whole frames, and so may somebody who altered one.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use memchr::memmem;

use crate::crypto::{key::Key, keyring::Keyring};
use crate::journal::frame::{self, HEAD_BYTES, Head, MAGIC};

/// What a segment begins with.
pub(crate) const OPENING: [u8; 8] = *b"sgjrnl\0\x01";
/// Where its first frame stands.
pub(crate) const FIRST_FRAME: u64 = OPENING.len() as u64;

const PREFIX: &str = "seg-";
const SEARCH_BYTES: usize = 64 * 1024;

/// The path of a segment.
pub(crate) fn path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{PREFIX}{number:016x}"))
}

/// The number in a segment's name; `None` where the name is none.
pub(crate) fn number(name: &str) -> Option<u64> {
    let digits = name.strip_prefix(PREFIX)?;
    (digits.len() == 16).then(|| u64::from_str_radix(digits, 16).ok()).flatten()
}

/// A frame that opened.
pub(crate) struct Frame {
    pub(crate) head: Head,
    pub(crate) body_key: Key,
    /// Packed.
    pub(crate) content: Vec<u8>,
    /// Where the next frame stands.
    pub(crate) end: u64,
}

impl Frame {
    /// Bytes it takes in its segment.
    pub(crate) fn disk_bytes(&self) -> u64 {
        HEAD_BYTES as u64 + u64::from(self.head.content_bytes)
    }
}

/// Goes through the frames of a segment.
pub(crate) struct Walk {
    file: File,
    offset: u64,
}

impl Walk {
    pub(crate) fn new(dir: &Path, number: u64, offset: u64) -> io::Result<Self> {
        Ok(Self { file: File::open(path(dir, number))?, offset })
    }

    /// The segment's file.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// The next frame that opens and ends at `limit` or before.
    pub(crate) fn next(&mut self, limit: u64, keyring: &Keyring) -> io::Result<Option<Frame>> {
        while self.offset + HEAD_BYTES as u64 <= limit {
            if let Some(frame) = self.read(limit, keyring)? {
                self.offset = frame.end;
                return Ok(Some(frame));
            }
            self.offset = self.find_magic(self.offset + 1, limit)?;
        }
        Ok(None)
    }

    fn read(&self, limit: u64, keyring: &Keyring) -> io::Result<Option<Frame>> {
        let mut head = [0; HEAD_BYTES];
        self.file.read_exact_at(&mut head, self.offset)?;
        let Some((head, body_key)) = Head::read(&head, keyring) else {
            return Ok(None);
        };
        let start = self.offset + HEAD_BYTES as u64;
        let end = start + u64::from(head.content_bytes);
        if end > limit {
            return Ok(None);
        }
        let mut sealed = vec![0; head.content_bytes as usize];
        self.file.read_exact_at(&mut sealed, start)?;
        Ok(frame::open_content(&body_key, head.kind, &sealed).map(|content| Frame { head, body_key, content, end }))
    }

    /// Where the magic stands next; `limit` where it does not.
    fn find_magic(&self, from: u64, limit: u64) -> io::Result<u64> {
        let mut block = vec![0; SEARCH_BYTES];
        let mut at = from;
        while at + (MAGIC.len() as u64) <= limit {
            let length = usize::try_from(limit - at).unwrap_or(SEARCH_BYTES).min(SEARCH_BYTES);
            self.file.read_exact_at(&mut block[..length], at)?;
            if let Some(found) = memmem::find(&block[..length], &MAGIC) {
                return Ok(at + found as u64);
            }
            // The last bytes of a block may be the first of a magic.
            at += (length - (MAGIC.len() - 1)) as u64;
        }
        Ok(limit)
    }
}
