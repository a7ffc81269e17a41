//! Verifies a log, here or on a copy: with the site's public key alone up to its last head, with the log's own key each
//! line.
//!
//! Never: a log whole in memory.

use std::io::{self, BufRead, BufReader, Read};

use crate::audit::act::is_head;
use crate::audit::folder::Piece;
use crate::audit::line::{BEFORE_FIRST, Line, LineDigest, hex, is_signed};
use crate::audit::report::{Fault, Finding, Report};
use crate::crypto::digest::DigestKey;
use crate::model::audit::{AuditHead, Checkpoint};

/// No entry is longer.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// What whoever verifies knows from elsewhere.
pub struct Trust {
    /// The key of the MACs: on the box alone.
    pub mac: Option<DigestKey>,
    /// The site's public key, 64 hexadecimal digits.
    pub site_key: Option<String>,
    /// Heads that the site signed, their signatures checked.
    pub heads: Vec<AuditHead>,
    /// Entries that are known to have been there.
    pub known: Vec<Checkpoint>,
    /// Whether more was kept once, and is missing or was altered.
    pub kept_is_lost: bool,
    /// Whether the log is to begin with its first entry; a single older piece does not.
    pub whole: bool,
}

/// Reads all of it and tells what is wrong.
pub fn verify(pieces: Vec<Piece>, trust: &Trust) -> io::Result<Report> {
    let begins_at = pieces.first().and_then(|piece| piece.first).filter(|_| !trust.whole);
    let mut walk = Walk {
        trust,
        report: Report::default(),
        begins_at: begins_at.unwrap_or(1),
        last: None,
        place: Place { file: "log".to_owned(), line: 0, byte: 0 },
        heads_met: 0,
    };
    for piece in pieces {
        walk.piece(piece)?;
    }
    Ok(walk.end())
}

struct Walk<'a> {
    trust: &'a Trust,
    report: Report,
    begins_at: u64,
    /// The highest entry met, and its line's digest; none of a line that cannot be read.
    last: Option<(u64, Option<LineDigest>)>,
    place: Place,
    heads_met: u64,
}

/// Where it is.
struct Place {
    file: String,
    line: u64,
    byte: u64,
}

impl Walk<'_> {
    fn piece(&mut self, piece: Piece) -> io::Result<()> {
        self.place = Place { file: piece.name, line: 0, byte: 0 };
        let mut reader = BufReader::new(piece.file.take(piece.length));
        let mut next = 0;
        loop {
            let mut bytes = Vec::new();
            let read = (&mut reader).take(LINE_BYTES_MAX).read_until(b'\n', &mut bytes)?;
            if read == 0 {
                return Ok(());
            }
            (self.place.line, self.place.byte) = (self.place.line + 1, next);
            next += read as u64;
            match bytes.strip_suffix(b"\n") {
                Some(raw) => self.line(raw),
                None => self.find(None, Fault::Torn),
            }
        }
    }

    fn line(&mut self, raw: &[u8]) {
        self.report.entries += 1;
        let Some(line) = Line::parse(raw) else {
            self.find(None, Fault::Altered);
            // The next one is known by its number; this one may have been any.
            self.last = self.last.map(|(sequence, _)| (sequence + 1, None)).or(Some((self.begins_at, None)));
            return;
        };
        let sequence = line.entry.sequence;
        let digest = line.digest();
        let before = self.last.map_or(self.begins_at - 1, |(last, _)| last);
        let in_order = sequence == before + 1;
        if sequence <= before {
            let same = self.last.is_some_and(|(_, last)| last == Some(digest));
            self.find(Some(sequence), if same { Fault::Repeated } else { Fault::OutOfOrder });
        } else if !in_order {
            self.find(Some(sequence), Fault::Missing { from: before + 1, to: sequence - 1 });
        }
        let ours = self.content(&line, in_order);
        self.head(&line);
        if sequence > before {
            self.last = Some((sequence, ours.then_some(digest)));
            self.report.end = Some(Checkpoint { sequence, digest: hex(&digest) });
        }
        let (first, last) = self.report.range.unwrap_or((sequence, sequence));
        self.report.range = Some((first.min(sequence), last.max(sequence)));
    }

    /// Whether the line can be what the next one follows.
    fn content(&mut self, line: &Line<'_>, in_order: bool) -> bool {
        let sequence = Some(line.entry.sequence);
        if self.trust.mac.as_ref().is_some_and(|mac| !line.is_of(mac)) {
            self.find(sequence, Fault::Altered);
            return false;
        }
        let expected = match self.last {
            Some((_, digest)) => digest,
            None => (self.begins_at == 1).then_some(BEFORE_FIRST),
        };
        if in_order && expected.is_some_and(|expected| expected != line.prev) {
            self.find(sequence, Fault::NotAfterTheOneBefore);
        }
        true
    }

    fn head(&mut self, line: &Line<'_>) {
        let sequence = line.entry.sequence;
        let known = self.trust.heads.iter().filter(|head| head.sequence == sequence);
        let others = known.filter(|head| line.head.as_ref() != Some(head)).count();
        let mut known = self.trust.known.iter().filter(|known| known.sequence == sequence).peekable();
        let is_known = known.peek().is_some();
        if others > 0 || known.any(|known| !line.is_known(known)) {
            self.find(Some(sequence), Fault::Rewritten);
        }
        if is_known && self.report.findings.is_empty() {
            self.report.proven_to = Some(sequence);
        }
        if line.head.is_none() && !is_head(&line.entry.act) {
            return;
        }
        let Some(site_key) = &self.trust.site_key else { return };
        match line.head.as_ref().filter(|head| is_signed(head, site_key)) {
            None => self.find(Some(sequence), Fault::BadSignature),
            Some(head) => {
                self.heads_met += 1;
                self.report.head = Some(head.clone());
                if self.report.findings.is_empty() {
                    self.report.proven_to = Some(sequence);
                }
            }
        }
    }

    fn end(mut self) -> Report {
        let last = self.last.map_or(self.begins_at - 1, |(last, _)| last);
        let heads = self.trust.heads.iter().map(|head| head.sequence);
        let known_to = heads.chain(self.trust.known.iter().map(|known| known.sequence)).max().unwrap_or(0);
        if known_to > last {
            self.find(self.last.map(|(last, _)| last), Fault::CutOff { known_to });
        }
        if self.trust.kept_is_lost {
            self.find(None, Fault::KeptEndLost);
        }
        if self.trust.site_key.is_some() && self.heads_met == 0 {
            self.find(None, Fault::NoHead);
        }
        self.report
    }

    fn find(&mut self, sequence: Option<u64>, fault: Fault) {
        let Place { file, line, byte } = &self.place;
        self.report.add(Finding { file: file.clone(), line: *line, byte: *byte, sequence, fault });
    }
}
