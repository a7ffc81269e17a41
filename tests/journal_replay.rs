//! The journal across restarts: what was acknowledged comes back, what was cut, altered or moved does not pass.

#![expect(clippy::unwrap_used, reason = "a test whose stage cannot be set fails")]

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use ring::rand::{SecureRandom, SystemRandom};
use studygate::crypto::{key::Key, keyring::Keyring};
use studygate::disk::Space;
use studygate::journal::{Body, Delivery, Error, Header, Journal, Limits, Position, Reader, Settings, Spilled};
use studygate::model::{
    connection::ClientId,
    entry::{Entry, Field, Shape, Whose},
    time::UnixSeconds,
};

const MAGIC: &[u8] = b"\xF5sgj";
const MARKER: &str = "marker-7c1f";

struct Site {
    dir: tempfile::TempDir,
    keyring: Arc<Keyring>,
    limits: Limits,
    runtime: tokio::runtime::Runtime,
}

impl Site {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let keyring = Keyring::open(dir.path(), &Key::from_bytes([9; 32]), Arc::new(SystemRandom::new())).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        // Nothing in memory: all that is read comes from the disk.
        let limits = Limits { handover_bytes_max: 0, ..Limits::default() };
        Self { dir, keyring: Arc::new(keyring), limits, runtime }
    }

    fn journal_dir(&self) -> PathBuf {
        self.dir.path().join("journal")
    }

    fn open(&self, filed: u64) -> (Journal, Reader) {
        self.open_in(self.journal_dir(), filed)
    }

    fn open_in(&self, dir: PathBuf, filed: u64) -> (Journal, Reader) {
        let space = Space::new(self.dir.path(), 0).unwrap();
        let rng = Arc::new(SystemRandom::new());
        Journal::open(&Settings { dir }, self.limits, self.keyring.clone(), space, rng, Position(filed))
            .unwrap_or_else(|error| panic!("{error}"))
    }

    /// Commits bodies of equal length, one group each.
    fn commit(&self, journal: &Journal, count: usize) {
        for number in 0..count {
            let body = format!("{MARKER} body {number:04}");
            let entries = vec![entry(0, body.len() as u64)];
            self.runtime.block_on(journal.commit(header(), body.into_bytes(), entries)).unwrap();
        }
    }

    fn copy(&self) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for file in files(&self.journal_dir()) {
            fs::copy(&file, dir.path().join(file.file_name().unwrap())).unwrap();
        }
        dir
    }

    /// What a reader says of this folder: the places it delivers, and of those it finds missing.
    fn replay(&self, dir: &Path, filed: u64) -> Vec<Result<u64, u64>> {
        let (_journal, mut reader) = self.open_in(dir.to_owned(), filed);
        let mut outcomes = Vec::new();
        loop {
            match reader.next(Duration::ZERO) {
                Ok(Some(delivery)) => outcomes.push(Ok(delivery.position.0)),
                Ok(None) => return outcomes,
                Err(Error::Tampered(Position(place))) => outcomes.push(Err(place)),
                Err(error) => panic!("{error}"),
            }
        }
    }
}

fn header() -> Header {
    Header { received: UnixSeconds(1_790_000_000), client: ClientId::new("client-a"), pull: None }
}

fn entry(start: u64, length: u64) -> Entry {
    Entry {
        member: "epochs".into(),
        span: start..start + length,
        shape: Shape::Push,
        whose: Whose::User(MARKER.into()),
        fields: vec![(Field::SummaryId, format!("{MARKER}-{start}").into())],
    }
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn named(dir: &Path, prefix: &str) -> Vec<PathBuf> {
    let has_prefix = |file: &PathBuf| file.file_name().unwrap().to_str().unwrap().starts_with(prefix);
    files(dir).into_iter().filter(has_prefix).collect()
}

fn frame_starts(segment: &[u8]) -> Vec<usize> {
    segment.windows(MAGIC.len()).enumerate().filter(|(_, part)| *part == MAGIC).map(|(at, _)| at).collect()
}

/// The end of the last frame: behind it are zeros only.
fn written(segment: &[u8]) -> usize {
    segment.len() - segment.iter().rev().take_while(|byte| **byte == 0).count()
}

fn spilled(delivery: Option<Delivery>) -> Spilled {
    match delivery.expect("a body").body {
        Body::Spilled(spilled) => spilled,
        Body::Inline { .. } => panic!("a small body"),
    }
}

fn noise(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    SystemRandom::new().fill(&mut bytes).unwrap();
    bytes
}

#[test]
fn acknowledged_bodies_come_back_after_a_restart() {
    let site = Site::new();
    let (journal, reader) = site.open(0);
    site.commit(&journal, 3);
    drop((journal, reader));
    let (journal, mut reader) = site.open(0);
    assert_eq!(journal.backlog().0, 3);
    for number in 0..3 {
        let delivery = reader.next(Duration::ZERO).unwrap().unwrap();
        let Body::Inline { bytes, entries } = delivery.body else { panic!("a spilled body") };
        assert_eq!(delivery.header, header());
        assert_eq!(bytes, format!("{MARKER} body {number:04}").into_bytes());
        assert!(entries == [entry(0, bytes.len() as u64)]);
    }
    assert!(reader.next(Duration::ZERO).unwrap().is_none());
    reader.filed(Position(3)).unwrap();
    assert_eq!(journal.backlog(), (0, 0));
    assert_eq!(files(&site.journal_dir()), [""; 0].map(PathBuf::from));
}

#[test]
fn crash_at_any_byte_of_the_last_frame_loses_that_frame_alone() {
    let site = Site::new();
    let (journal, reader) = site.open(0);
    site.commit(&journal, 3);
    drop((journal, reader));
    let copy = site.copy();
    let segment = named(copy.path(), "seg-").remove(0);
    let whole = fs::read(&segment).unwrap();
    let (start, end) = (frame_starts(&whole)[2], written(&whole));
    for cut in start..end {
        let mut torn = whole.clone();
        torn[cut..].fill(0);
        if torn == whole {
            continue;
        }
        fs::write(&segment, &torn).unwrap();
        assert_eq!(site.replay(copy.path(), 0), [Ok(1), Ok(2)], "allocated, written up to {cut}");
        fs::write(&segment, &whole[..cut]).unwrap();
        assert_eq!(site.replay(copy.path(), 0), [Ok(1), Ok(2)], "cut to {cut}");
    }
    fs::write(&segment, &whole[..end]).unwrap();
    assert_eq!(site.replay(copy.path(), 0), [Ok(1), Ok(2), Ok(3)]);
}

#[test]
fn journal_goes_on_behind_a_torn_frame() {
    let site = Site::new();
    let (journal, reader) = site.open(0);
    site.commit(&journal, 3);
    drop((journal, reader));
    let segment = named(&site.journal_dir(), "seg-").remove(0);
    let whole = fs::read(&segment).unwrap();
    fs::write(&segment, &whole[..written(&whole) - 1]).unwrap();
    let (journal, reader) = site.open(0);
    assert_eq!(journal.newest(), Position(2));
    site.commit(&journal, 2);
    assert_eq!(journal.newest(), Position(4));
    drop((journal, reader));
    assert_eq!(site.replay(&site.journal_dir(), 0), [Ok(1), Ok(2), Ok(3), Ok(4)]);
}

#[test]
fn altered_byte_of_an_acknowledged_frame_is_reported_at_its_place() {
    let site = Site::new();
    let (journal, reader) = site.open(0);
    site.commit(&journal, 3);
    drop((journal, reader));
    let copy = site.copy();
    let segment = named(copy.path(), "seg-").remove(0);
    let whole = fs::read(&segment).unwrap();
    let starts = frame_starts(&whole);
    for at in starts[1]..starts[2] {
        let mut altered = whole.clone();
        altered[at] ^= 0x40;
        fs::write(&segment, &altered).unwrap();
        assert_eq!(site.replay(copy.path(), 0), [Ok(1), Err(2), Ok(3)], "byte {at}");
    }
}

#[test]
fn frames_altered_while_the_journal_is_open_are_reported() {
    let site = Site::new();
    let (journal, mut reader) = site.open(0);
    site.commit(&journal, 3);
    let segment = named(&site.journal_dir(), "seg-").remove(0);
    let mut bytes = fs::read(&segment).unwrap();
    let starts = frame_starts(&bytes);
    bytes[starts[1]..].fill(0);
    fs::write(&segment, bytes).unwrap();
    assert_eq!(reader.next(Duration::ZERO).unwrap().unwrap().position, Position(1));
    assert!(matches!(reader.next(Duration::ZERO), Err(Error::Tampered(Position(2)))));
    assert!(reader.next(Duration::ZERO).unwrap().is_none());
}

#[test]
fn swapped_repeated_and_removed_frames_are_refused() {
    let site = Site::new();
    let (journal, reader) = site.open(0);
    site.commit(&journal, 4);
    drop((journal, reader));
    let copy = site.copy();
    let segment = named(copy.path(), "seg-").remove(0);
    let whole = fs::read(&segment).unwrap();
    let starts = frame_starts(&whole);
    let frame =
        |number: usize| whole[starts[number]..starts.get(number + 1).map_or(written(&whole), |at| *at)].to_vec();
    let check = |order: &[usize], expected: &[Result<u64, u64>]| {
        let mut bytes = whole[..starts[0]].to_vec();
        order.iter().for_each(|number| bytes.extend(frame(*number)));
        fs::write(&segment, bytes).unwrap();
        assert_eq!(site.replay(copy.path(), 0), expected, "{order:?}");
    };
    check(&[0, 1, 2, 3], &[Ok(1), Ok(2), Ok(3), Ok(4)]);
    check(&[0, 2, 1, 3], &[Ok(1), Err(2), Ok(3), Ok(4)]);
    check(&[0, 1, 0, 2, 2, 3], &[Ok(1), Ok(2), Ok(3), Ok(4)]);
    check(&[0, 3], &[Ok(1), Err(2), Ok(4)]);
    check(&[1, 2, 3], &[Err(1), Ok(2), Ok(3), Ok(4)]);
}

#[test]
fn segment_taken_away_is_noticed() {
    let mut site = Site::new();
    site.limits.segment_bytes_max = 500;
    let (journal, reader) = site.open(0);
    site.commit(&journal, 6);
    drop((journal, reader));
    let copy = site.copy();
    let segments = named(copy.path(), "seg-");
    assert!(segments.len() >= 3);
    let first_of_the_second = frame_starts(&fs::read(&segments[0]).unwrap()).len() as u64 + 1;
    fs::remove_file(&segments[1]).unwrap();
    let outcomes = site.replay(copy.path(), 0);
    assert!(outcomes.contains(&Err(first_of_the_second)));
    assert!(!outcomes.contains(&Ok(first_of_the_second)));
    assert_eq!(outcomes.last(), Some(&Ok(6)));
}

#[test]
fn filed_bodies_are_not_delivered_again_and_positions_never_go_back() {
    let site = Site::new();
    let (journal, mut reader) = site.open(0);
    site.commit(&journal, 3);
    drop(journal);
    // The process dies behind the store's commit and before the journal hears of it.
    assert!(reader.next(Duration::ZERO).unwrap().is_some());
    drop(reader);
    let (journal, mut reader) = site.open(2);
    assert_eq!(reader.next(Duration::ZERO).unwrap().unwrap().position, Position(3));
    reader.filed(Position(3)).unwrap();
    assert!(reader.next(Duration::ZERO).unwrap().is_none());
    drop((journal, reader));
    assert_eq!(files(&site.journal_dir()), [""; 0].map(PathBuf::from));
    let (journal, mut reader) = site.open(3);
    site.commit(&journal, 1);
    assert_eq!(reader.next(Duration::ZERO).unwrap().unwrap().position, Position(4));
    drop((journal, reader));
    let (journal, _reader) = site.open(3);
    assert_eq!(journal.newest(), Position(4));
    site.commit(&journal, 1);
    assert_eq!(journal.newest(), Position(5));
}

#[test]
fn large_body_comes_back_by_its_entries_and_spans() {
    let site = Site::new();
    let (journal, mut reader) = site.open(0);
    // Every item another length; part of it compresses, part does not.
    let random = noise(3 << 20);
    let mut body = Vec::new();
    let mut entries = Vec::new();
    let mut spool = journal.spool().unwrap();
    for number in 0..4000usize {
        let item = [&vec![b'x'; number % 700], &random[number * 700..][..number % 650]].concat();
        entries.push(entry(body.len() as u64, item.len() as u64));
        body.extend_from_slice(&item);
        // The entry before the bytes at one time, behind them at another.
        if number % 2 == 0 {
            spool.entry(&entries[number]).unwrap();
        }
        item.chunks(333).for_each(|piece| spool.write(piece).unwrap());
        if number % 2 == 1 {
            spool.entry(&entries[number]).unwrap();
        }
    }
    assert_eq!(spool.commit(header()).unwrap(), Position(1));
    site.commit(&journal, 1);
    drop(journal);

    let mut found = spilled(reader.next(Duration::ZERO).unwrap());
    for expected in &entries {
        let entry = found.next_entry().unwrap().unwrap();
        assert!(entry == *expected);
        if !entry.span.start.is_multiple_of(3) {
            let mut bytes = Vec::new();
            found.read(entry.span.clone(), &mut |piece| bytes.extend_from_slice(piece)).unwrap();
            assert!(bytes == body[entry.span.start as usize..entry.span.end as usize]);
        }
    }
    assert!(found.next_entry().unwrap().is_none());
    let end = body.len() as u64;
    assert!(found.read(end..end + 1, &mut |_| panic!("bytes behind the end")).is_err());
    drop(found);
    assert_eq!(named(&site.journal_dir(), "body-").len(), 1);
    assert!(reader.next(Duration::ZERO).unwrap().is_some());
    reader.filed(Position(2)).unwrap();
    assert_eq!(named(&site.journal_dir(), "body-").len(), 0);
}

#[test]
fn spans_must_ascend() {
    let site = Site::new();
    let (journal, mut reader) = site.open(0);
    let mut spool = journal.spool().unwrap();
    spool.write(b"0123456789").unwrap();
    spool.commit(header()).unwrap();
    let mut body = spilled(reader.next(Duration::ZERO).unwrap());
    let mut read = |span| {
        let mut bytes = Vec::new();
        body.read(span, &mut |piece| bytes.extend_from_slice(piece)).map(|()| bytes)
    };
    assert_eq!(read(2..4).unwrap(), b"23");
    assert_eq!(read(4..4).unwrap(), b"");
    assert_eq!(read(7..10).unwrap(), b"789");
    assert!(read(3..5).is_err());
}

#[test]
fn aborted_large_body_leaves_nothing() {
    let site = Site::new();
    let (journal, mut reader) = site.open(0);
    let mut spool = journal.spool().unwrap();
    spool.write(&noise(300_000)).unwrap();
    assert_eq!(files(&site.journal_dir()).len(), 1);
    drop(spool);
    assert_eq!(files(&site.journal_dir()).len(), 0);
    assert!(reader.next(Duration::ZERO).unwrap().is_none());

    // A process that is killed drops nothing: the next start sweeps.
    let mut spool = journal.spool().unwrap();
    spool.write(&noise(300_000)).unwrap();
    std::mem::forget(spool);
    assert_eq!(files(&site.journal_dir()).len(), 1);
    assert_eq!(site.replay(&site.journal_dir(), 0), []);
    assert_eq!(files(&site.journal_dir()).len(), 0);
}

/// A journal of a small body, a large one of some chunks, and another small one.
fn with_large_body() -> (Site, tempfile::TempDir, PathBuf) {
    let site = Site::new();
    let (journal, reader) = site.open(0);
    site.commit(&journal, 1);
    let mut spool = journal.spool().unwrap();
    spool.entry(&entry(0, 150_000)).unwrap();
    spool.write(&noise(150_000)).unwrap();
    spool.commit(header()).unwrap();
    site.commit(&journal, 1);
    drop((journal, reader));
    let copy = site.copy();
    let file = named(copy.path(), "body-").remove(0);
    (site, copy, file)
}

#[test]
fn altered_or_cut_file_of_a_large_body_is_refused_and_the_others_pass() {
    let (site, copy, file) = with_large_body();
    let whole = fs::read(&file).unwrap();
    let refused = [Ok(1), Err(2), Ok(3)];
    assert_eq!(site.replay(copy.path(), 0), [Ok(1), Ok(2), Ok(3)]);
    let heads = (0..60).chain(65_570..65_600).chain(131_120..131_160).chain(whole.len() - 60..whole.len());
    for at in heads.chain((0..whole.len()).step_by(9_973)) {
        let mut altered = whole.clone();
        altered[at] ^= 1;
        fs::write(&file, &altered).unwrap();
        assert_eq!(site.replay(copy.path(), 0), refused, "byte {at}");
    }
    for length in (0..60).chain((60..whole.len()).step_by(9_973)).chain([whole.len() - 1]) {
        fs::write(&file, &whole[..length]).unwrap();
        assert_eq!(site.replay(copy.path(), 0), refused, "cut to {length}");
    }
    fs::write(&file, [&whole[..], b"x"].concat()).unwrap();
    assert_eq!(site.replay(copy.path(), 0), refused, "prolonged");
    fs::remove_file(&file).unwrap();
    assert_eq!(site.replay(copy.path(), 0), refused, "taken away");
}

#[test]
fn large_body_cut_at_a_chunk_is_refused_even_with_its_last_flag_forged() {
    let (site, copy, file) = with_large_body();
    let whole = fs::read(&file).unwrap();
    // Opening and header, then the first record: kind, last, length, chunk.
    let first = 8 + 34;
    let length = u32::from_be_bytes(whole[first + 2..first + 6].try_into().unwrap()) as usize;
    let mut cut = whole[..first + 6 + length].to_vec();
    fs::write(&file, &cut).unwrap();
    assert_eq!(site.replay(copy.path(), 0), [Ok(1), Err(2), Ok(3)]);
    cut[first + 1] = 1;
    fs::write(&file, &cut).unwrap();
    assert_eq!(site.replay(copy.path(), 0), [Ok(1), Err(2), Ok(3)]);
}

#[test]
fn files_of_two_large_bodies_cannot_be_swapped() {
    let site = Site::new();
    let (journal, reader) = site.open(0);
    for _ in 0..2 {
        let mut spool = journal.spool().unwrap();
        spool.write(&noise(1000)).unwrap();
        spool.commit(header()).unwrap();
    }
    drop((journal, reader));
    let files = named(&site.journal_dir(), "body-");
    let aside = site.dir.path().join("aside");
    fs::rename(&files[0], &aside).unwrap();
    fs::rename(&files[1], &files[0]).unwrap();
    fs::rename(&aside, &files[1]).unwrap();
    assert_eq!(site.replay(&site.journal_dir(), 0), [Err(1), Err(2)]);
}

#[test]
fn filing_may_pass_over_a_refused_body() {
    let (site, copy, file) = with_large_body();
    fs::write(&file, b"altered").unwrap();
    let (journal, mut reader) = site.open_in(copy.path().to_owned(), 0);
    assert!(reader.next(Duration::ZERO).unwrap().is_some());
    assert!(matches!(reader.next(Duration::ZERO), Err(Error::Tampered(Position(2)))));
    assert!(reader.next(Duration::ZERO).unwrap().is_some());
    reader.filed(Position(3)).unwrap();
    assert_eq!(journal.backlog(), (0, 0));
    assert!(files(copy.path()).is_empty());
}

#[test]
fn nothing_stands_in_clear_on_the_disk() {
    let site = Site::new();
    let (journal, _reader) = site.open(0);
    site.commit(&journal, 5);
    let mut spool = journal.spool().unwrap();
    spool.write(MARKER.repeat(10_000).as_bytes()).unwrap();
    spool.entry(&entry(0, 5)).unwrap();
    spool.commit(header()).unwrap();
    for file in files(&site.journal_dir()) {
        let bytes = fs::read(&file).unwrap();
        for marker in [MARKER, "client-a", "epochs"] {
            assert!(!bytes.windows(marker.len()).any(|part| part == marker.as_bytes()), "{marker}");
        }
    }
}
