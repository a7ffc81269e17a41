//! The journal's reading side: bodies in order, from memory where they are, else from their segment.
//!
//! Never: a body out of its order, or twice; a file unlinked before its bodies are filed.

use std::{
    collections::VecDeque,
    fs, io,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::crypto::key::Key;
use crate::journal::{
    Body, Delivery, Error, Header, Position,
    frame::{FileId, Kind, decode_inline, decode_reference},
    recovery::file_path,
    segment::{self, FIRST_FRAME, Frame, Walk},
    shared::{Account, Handed, Handover, Place, Segment, Shared},
    spilled::Spilled,
};

/// The active segment is given up past this size once all of it is filed; below it, once nothing comes.
const ACTIVE_KEPT_BYTES: u64 = 1 << 20;

/// The journal's reading side: one only, used by filing's thread.
pub struct Reader {
    shared: Arc<Shared>,
    /// The place the next body should have; it has a later one where bodies are missing.
    expected: u64,
    filed: u64,
    segment: u64,
    offset: u64,
    walk: Option<Walk>,
    /// A frame read ahead, behind a gap that was reported.
    held: Option<(Frame, Place)>,
    unfiled: VecDeque<Unfiled>,
    /// Nothing came for the last patience.
    idle: bool,
}

/// A body that was handed out.
struct Unfiled {
    place: Place,
    file: Option<FileId>,
    /// A start would commit the file, did it outlive the segments that refer to it.
    given_once: bool,
}

/// Where the next body is.
enum Next {
    InMemory(Handed),
    OnDisk(Segment, u64),
    Nowhere,
}

impl Reader {
    pub(crate) fn new(shared: Arc<Shared>, filed: u64) -> Self {
        Self {
            shared,
            expected: filed + 1,
            filed,
            segment: 0,
            offset: FIRST_FRAME,
            walk: None,
            held: None,
            unfiled: VecDeque::new(),
            idle: false,
        }
    }

    /// The next body in order; `None` when none came within `patience`.
    ///
    /// [`Error::Tampered`] concerns the body at its position (or those from there on that are missing); the call after
    /// it goes on with the next, and [`filed`](Self::filed) may pass over it.
    pub fn next(&mut self, patience: Duration) -> Result<Option<Delivery>, Error> {
        let deadline = Instant::now() + patience;
        loop {
            self.shared.healthy()?;
            if let Some((frame, place)) = self.held.take() {
                return self.decode(frame, place).map(Some);
            }
            let next = self.wait(deadline);
            self.idle = matches!(next, Next::Nowhere);
            match next {
                Next::InMemory(handed) => return self.take(handed).map(Some),
                Next::OnDisk(segment, offset) => {
                    if let Some(delivery) = self.read(segment, offset)? {
                        return Ok(Some(delivery));
                    }
                }
                Next::Nowhere => {
                    self.shared.healthy()?;
                    self.sweep()?;
                    return Ok(None);
                }
            }
        }
    }

    /// All bodies up to this place are filed and durable elsewhere: their files and keys go. Segments that are filed
    /// whole are unlinked; the active one too, once it is idle.
    pub fn filed(&mut self, up_to: Position) -> Result<(), Error> {
        self.filed = self.filed.max(up_to.0);
        let mut done = Vec::new();
        let mut given_once = false;
        while self.unfiled.front().is_some_and(|body| body.place.position <= self.filed) {
            let Some(body) = self.unfiled.pop_front() else {
                break;
            };
            if let Some(id) = body.file {
                unlink(&file_path(&self.shared.dir, &id))?;
            }
            given_once |= body.given_once;
            done.push(body.place);
        }
        if given_once {
            self.shared.sync_dir().map_err(|cause| self.shared.poison(cause))?;
        }
        let mut account = self.shared.account();
        account.filed = self.filed;
        for place in done {
            account.bodies = account.bodies.saturating_sub(1);
            account.bytes = account.bytes.saturating_sub(place.disk_bytes);
            account.discount_generation(place.generation, 1);
        }
        drop(account);
        self.shared.room.made();
        self.sweep()
    }

    fn wait(&self, deadline: Instant) -> Next {
        let mut account = self.shared.account();
        loop {
            let next = self.look(&mut account);
            let left = deadline.saturating_duration_since(Instant::now());
            if !matches!(next, Next::Nowhere) || left.is_zero() || self.shared.healthy().is_err() {
                return next;
            }
            account = self.shared.wait(account, left);
        }
    }

    fn look(&self, account: &mut Account) -> Next {
        let Some((segment, offset)) = account.resume(self.segment, self.offset) else {
            return Next::Nowhere;
        };
        let is_here = |handed: &Handed| handed.place.segment == segment.number && handed.place.start == offset;
        let handed = if account.handed.front().is_some_and(is_here) { account.handed.pop_front() } else { None };
        match handed {
            Some(handed) => {
                account.handed_bytes = account.handed_bytes.saturating_sub(handed.handover.memory_bytes());
                Next::InMemory(handed)
            }
            None => Next::OnDisk(segment, offset),
        }
    }

    fn take(&mut self, handed: Handed) -> Result<Delivery, Error> {
        let Handed { place, handover } = handed;
        self.advance(&place);
        match handover {
            Handover::Inline { header, bytes, entries } => {
                self.unfiled.push_back(Unfiled { place, file: None, given_once: false });
                Ok(Delivery { position: Position(place.position), header, body: Body::Inline { bytes, entries } })
            }
            Handover::Reference { header, file, key } => self.open(header, &file, &key, place),
        }
    }

    /// The next frame of the segment; `None` where there is none up to its end.
    fn read(&mut self, segment: Segment, offset: u64) -> Result<Option<Delivery>, Error> {
        if self.walk.is_none() || (self.segment, self.offset) != (segment.number, offset) {
            self.walk = Some(Walk::new(&self.shared.dir, segment.number, offset).map_err(failed)?);
        }
        let walk = self.walk.as_mut().expect("it was opened above");
        let found = walk.next(segment.end, &self.shared.keyring).map_err(failed)?;
        let Some(frame) = found else {
            (self.segment, self.offset) = (segment.number, segment.end);
            if self.expected > segment.last {
                return Ok(None);
            }
            let missing = std::mem::replace(&mut self.expected, segment.last + 1);
            return Err(Error::Tampered(Position(missing)));
        };
        let mut place = Place {
            position: frame.head.position,
            generation: frame.head.generation,
            segment: segment.number,
            start: frame.end - frame.disk_bytes(),
            end: frame.end,
            disk_bytes: frame.disk_bytes(),
        };
        if place.position < self.expected {
            // Filed before, or put behind a later one.
            (self.segment, self.offset) = (segment.number, frame.end);
            return Ok(None);
        }
        if frame.head.kind == Kind::Reference
            && let Some((_, id)) = decode_reference(&frame.content)
        {
            place.disk_bytes += fs::metadata(file_path(&self.shared.dir, &id)).map_or(0, |file| file.len());
        }
        let missing = (place.position > self.expected && frame.head.durable >= self.expected).then_some(self.expected);
        (self.segment, self.offset) = (segment.number, frame.end);
        self.expected = place.position + 1;
        if let Some(missing) = missing {
            self.held = Some((frame, place));
            return Err(Error::Tampered(Position(missing)));
        }
        self.decode(frame, place).map(Some)
    }

    fn decode(&mut self, frame: Frame, place: Place) -> Result<Delivery, Error> {
        let position = Position(place.position);
        match frame.head.kind {
            Kind::Inline => {
                self.unfiled.push_back(Unfiled { place, file: None, given_once: false });
                let (header, bytes, entries) = decode_inline(&frame.content).ok_or(Error::Tampered(position))?;
                Ok(Delivery { position, header, body: Body::Inline { bytes, entries } })
            }
            Kind::Reference => {
                let Some((header, id)) = decode_reference(&frame.content) else {
                    self.unfiled.push_back(Unfiled { place, file: None, given_once: false });
                    return Err(Error::Tampered(position));
                };
                self.open(header, &id, &frame.body_key, place)
            }
        }
    }

    fn open(&mut self, header: Header, id: &FileId, key: &Key, place: Place) -> Result<Delivery, Error> {
        let position = Position(place.position);
        let opened = Spilled::open(&file_path(&self.shared.dir, id), id, key, position);
        let given_once = opened.as_ref().is_ok_and(Spilled::is_given_once);
        self.unfiled.push_back(Unfiled { place, file: Some(*id), given_once });
        let spilled = opened?;
        Ok(Delivery { position, header, body: Body::Spilled(spilled) })
    }

    fn advance(&mut self, place: &Place) {
        (self.segment, self.offset) = (place.segment, place.end);
        self.expected = place.position + 1;
        self.walk = None;
    }

    /// Unlinks the segments of which all is filed.
    fn sweep(&mut self) -> Result<(), Error> {
        let mut gone = Vec::new();
        let mut account = self.shared.account();
        while let Some(segment) = account.segments.front().copied() {
            let is_active = account.active == Some(segment.number);
            let may_go = !is_active || (!account.writing && (self.idle || segment.end > ACTIVE_KEPT_BYTES));
            if segment.last > self.filed || !may_go {
                break;
            }
            if is_active {
                account.active = None;
            }
            account.segments.pop_front();
            gone.push(segment.number);
        }
        drop(account);
        for number in gone {
            if self.segment == number {
                self.walk = None;
            }
            unlink(&segment::path(&self.shared.dir, number))?;
        }
        Ok(())
    }
}

fn unlink(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(failed(cause)),
        _ => Ok(()),
    }
}

fn failed(cause: io::Error) -> Error {
    Error::Failed(Arc::new(cause))
}
