//! The log as a start finds it: where it goes on, and what is wrong with its end.
//!
//! ```text
//! ends behind a whole line    it goes on there
//! ends within a line          that line was being written when the gateway ended, and was never acknowledged: it is
//!                             cut off, which an entry says
//! anything else is amiss      the file is put aside as it is; a next one begins, its first entry says what was found,
//!                             and its number leaves out what is known to be missing
//! ```

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use crate::audit::act::Act;
use crate::audit::folder::{self, CURRENT, pieces, rolled};
use crate::audit::line::{BEFORE_FIRST, Keys, Line, LineDigest, hex};
use crate::model::audit::Checkpoint;

/// What is known of the log from elsewhere.
#[derive(Default)]
pub(super) struct Known {
    /// Entries that were there.
    pub(super) entries: Vec<Checkpoint>,
    /// Whether more was kept once, and is not there or does not open.
    pub(super) is_lost: bool,
}

/// Where the log goes on.
pub(super) struct Opened {
    pub(super) folder: File,
    pub(super) file: File,
    pub(super) offset: u64,
    /// The first entry of the file; that of the next entry where it has none.
    pub(super) first: u64,
    pub(super) next: u64,
    pub(super) prev: LineDigest,
    /// What has to be said of it.
    pub(super) notes: Vec<Act>,
    /// Whether the last entry says that the gateway stopped, or there is none.
    pub(super) after_stop: bool,
}

/// What a file of the log holds, as far as it is this gateway's.
#[derive(Default)]
struct Content {
    first: Option<u64>,
    last: Option<Last>,
    /// Up to here each line is whole and follows the one before.
    good: usize,
}

struct Last {
    sequence: u64,
    digest: LineDigest,
    /// Of a head, without its signature.
    head: Option<String>,
    stopped: bool,
}

/// Finds where the log goes on, and repairs its end.
pub(super) fn open(dir: &Path, keys: &Keys, known: &Known) -> io::Result<Opened> {
    let folder = folder::make(dir)?;
    let mut file = folder::current(dir, &folder)?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let content = Content::of(&bytes, keys);
    let (mut offset, mut notes) = (content.good, Vec::new());
    let rest = &bytes[content.good..];
    let mut damaged = false;
    if is_torn(rest) {
        file.set_len(content.good as u64)?;
        file.sync_all()?;
        notes.push(Act::TailCut { bytes: rest.len() as u64 });
    } else if !rest.is_empty() {
        damaged = true;
    }
    let last = match content.last {
        Some(last) => Some(last),
        None => last_of_older(dir, keys)?,
    };
    let whole_to = last.as_ref().map_or(0, |last| last.sequence);
    let known_to = known.entries.iter().map(|entry| entry.sequence).max().unwrap_or(0);
    let is_other =
        |last: &Last| known.entries.iter().any(|entry| entry.sequence == last.sequence && !last.is_known(entry));
    let is_rewritten = last.as_ref().is_some_and(is_other);
    if damaged {
        put_aside(dir, &folder, content.first.unwrap_or(whole_to + 1))?;
        file = folder::current(dir, &folder)?;
        offset = 0;
    }
    if damaged || is_rewritten || known.is_lost || known_to > whole_to {
        tracing::error!(whole_to, known_to, "the audit log is not as it was left; run `studygate audit verify`");
        notes.push(Act::DamageFound { whole_to, known_to });
    }
    let next = whole_to.max(known_to) + 1;
    Ok(Opened {
        folder,
        file,
        offset: offset as u64,
        first: content.first.filter(|_| !damaged).unwrap_or(next),
        next,
        prev: last.as_ref().map_or(BEFORE_FIRST, |last| last.digest),
        notes,
        after_stop: last.is_none_or(|last| last.stopped) && !damaged,
    })
}

/// Bytes behind the last whole line that a write left that did not end: the beginning of a line, or blocks that were
/// never written. (Lines that end and yet are not whole were altered.)
fn is_torn(rest: &[u8]) -> bool {
    !rest.is_empty() && (!rest.contains(&b'\n') || rest.contains(&0))
}

fn last_of_older(dir: &Path, keys: &Keys) -> io::Result<Option<Last>> {
    for piece in pieces(dir)?.into_iter().rev().filter(|piece| piece.name != CURRENT) {
        let mut bytes = Vec::new();
        (&piece.file).read_to_end(&mut bytes)?;
        if let Some(last) = Content::of(&bytes, keys).last {
            return Ok(Some(last));
        }
    }
    Ok(None)
}

fn put_aside(dir: &Path, folder: &File, first: u64) -> io::Result<()> {
    // Only a file that somebody else put there can be in the way.
    let free = (first..).map(|number| rolled(dir, number)).find(|path| !path.exists()).expect("numbers do not end");
    fs::rename(dir.join(CURRENT), free)?;
    folder.sync_all()
}

impl Last {
    fn is_known(&self, known: &Checkpoint) -> bool {
        hex(&self.digest) == known.digest || self.head.as_ref() == Some(&known.digest)
    }
}

impl Content {
    fn of(bytes: &[u8], keys: &Keys) -> Self {
        let mut content = Content::default();
        let (mut offset, mut whole) = (0, true);
        for raw in bytes.split_inclusive(|byte| *byte == b'\n') {
            offset += raw.len();
            let line = raw.strip_suffix(b"\n").and_then(Line::parse).filter(|line| line.is_of(&keys.mac));
            let Some(line) = line else {
                whole = false;
                continue;
            };
            let (sequence, digest) = (line.entry.sequence, line.digest());
            whole &= content.last.as_ref().is_none_or(|last| line.prev == last.digest && sequence == last.sequence + 1);
            if content.last.as_ref().is_none_or(|last| last.sequence < sequence) {
                content.last = Some(Last {
                    sequence,
                    digest,
                    stopped: line.entry.act == "stopped",
                    head: line.head.map(|head| head.digest),
                });
            }
            content.first.get_or_insert(sequence);
            if whole {
                content.good = offset;
            }
        }
        content
    }
}
