//! Bodies that are given only once, at every moment a crash may come.

use std::{
    collections::HashMap,
    os::unix::fs::MetadataExt,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use super::*;

/// A disk that keeps an image of the folder at every step: what is left if the process is killed there, and what is
/// left if the power goes.
struct Witness {
    dir: PathBuf,
    images: tempfile::TempDir,
    seen: Mutex<Seen>,
    acknowledged: AtomicBool,
}

#[derive(Default)]
struct Seen {
    /// Contents as of the last sync of each file.
    synced: HashMap<u64, Vec<u8>>,
    /// Names as of the last sync of the folder.
    named: HashMap<String, u64>,
    images: Vec<Image>,
}

/// What is left at one moment.
struct Image {
    dir: PathBuf,
    moment: Moment,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// Nobody was answered.
    Killed {
        file_is_whole: bool,
    },
    PowerLost {
        acknowledged: bool,
    },
}

impl Witness {
    fn new(dir: PathBuf) -> Arc<Self> {
        let (images, seen) = (tempfile::tempdir().unwrap(), Mutex::default());
        Arc::new(Self { dir, images, seen, acknowledged: AtomicBool::new(false) })
    }

    fn keep(&self) {
        let mut seen = self.seen.lock().unwrap();
        let count = seen.images.len();
        let killed = self.images.path().join(format!("{count}-killed"));
        let dark = self.images.path().join(format!("{count}-dark"));
        copy(&self.dir, &killed);
        fs::create_dir(&dark).unwrap();
        for (name, inode) in &seen.named {
            fs::write(dark.join(name), seen.synced.get(inode).map_or(&[][..], Vec::as_slice)).unwrap();
        }
        let file_is_whole = body_file(&killed).is_some_and(|file| ends_with_last_record(&fs::read(file).unwrap()));
        seen.images.push(Image { dir: killed, moment: Moment::Killed { file_is_whole } });
        let acknowledged = self.acknowledged.load(Ordering::SeqCst);
        seen.images.push(Image { dir: dark, moment: Moment::PowerLost { acknowledged } });
    }
}

impl layer::Layer for Witness {
    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        let (half, rest) = bytes.split_at(bytes.len() / 2);
        self.keep();
        file.write_all_at(half, offset)?;
        self.keep();
        file.write_all_at(rest, offset + half.len() as u64)?;
        self.keep();
        Ok(())
    }

    fn sync_data(&self, file: &File) -> io::Result<()> {
        file.sync_data()?;
        let length = usize::try_from(file.metadata()?.len()).unwrap();
        let mut content = vec![0; length];
        // Files are opened for writing alone: their content is read by name.
        let inode = file.metadata()?.ino();
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            if entry.metadata()?.ino() == inode {
                content = fs::read(entry.path())?;
            }
        }
        self.seen.lock().unwrap().synced.insert(inode, content);
        self.keep();
        Ok(())
    }

    fn sync_dir(&self, dir: &File) -> io::Result<()> {
        dir.sync_all()?;
        let names = fs::read_dir(&self.dir)?.map(|entry| {
            let entry = entry.unwrap();
            (entry.file_name().into_string().unwrap(), entry.metadata().unwrap().ino())
        });
        self.seen.lock().unwrap().named = names.collect();
        self.keep();
        Ok(())
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

fn body_file(dir: &Path) -> Option<PathBuf> {
    let mut paths = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    paths.find(|path| path.file_name().unwrap().to_str().unwrap().starts_with("body-"))
}

/// Goes by the lengths of the records alone.
fn ends_with_last_record(file: &[u8]) -> bool {
    let mut rest = file.get(8 + 8 + 82 + 34..).unwrap_or_default();
    while let Some(([_, last, length @ ..], chunk)) = rest.split_first_chunk::<6>() {
        let length = u32::from_be_bytes(*length) as usize;
        match chunk.get(length..) {
            Some(behind) if *last == 1 => return behind.is_empty(),
            Some(behind) => rest = behind,
            None => return false,
        }
    }
    false
}

fn open_in(bench: &Bench, dir: &Path, layer: Arc<dyn layer::Layer>, filed: u64) -> (Journal, Reader) {
    let space = Space::new(bench.dir.path(), bench.reserve).unwrap();
    let rng = Arc::new(SystemRandom::new());
    let shared = Shared::new(dir, bench.limits, bench.keyring.clone(), space, rng, layer);
    Journal::open_on(shared, Position(filed)).unwrap_or_else(|error| panic!("{error}"))
}

/// All bodies of a folder in order, as bytes and entries.
fn replay(bench: &Bench, dir: &Path, filed: u64) -> Vec<(Header, Vec<u8>, Vec<Entry>)> {
    let (_journal, mut reader) = open_in(bench, dir, Arc::new(Plain), filed);
    let mut bodies = Vec::new();
    while let Some(delivery) = reader.next(Duration::ZERO).unwrap() {
        let Body::Spilled(mut spilled) = delivery.body else { panic!("a small body") };
        let mut entries = Vec::new();
        while let Some(entry) = spilled.next_entry().unwrap() {
            entries.push(entry);
        }
        let mut bytes = Vec::new();
        let end = entries.last().map_or(0, |entry| entry.span.end);
        spilled.read(0..end, &mut |piece| bytes.extend_from_slice(piece)).unwrap();
        bodies.push((delivery.header, bytes, entries));
    }
    bodies
}

/// A whole body of a file whose frame was never written: the gateway was killed between the two.
fn orphan(bench: &Bench, bytes: &[u8]) -> PathBuf {
    let witness = Witness::new(bench.journal_dir());
    let (journal, reader) = open_in(bench, &bench.journal_dir(), witness.clone(), 0);
    spool(&journal, bytes).commit(header()).unwrap();
    drop((journal, reader));
    let seen = witness.seen.lock().unwrap();
    let whole = |image: &&Image| image.moment == (Moment::Killed { file_is_whole: true });
    let dir = seen.images.iter().find(whole).unwrap().dir.clone();
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 1, "the file alone");
    fs::remove_dir_all(bench.journal_dir()).unwrap();
    copy(&dir, &bench.journal_dir());
    bench.journal_dir()
}

fn spool(journal: &Journal, bytes: &[u8]) -> Spool {
    let mut spool = journal.spool_once().unwrap();
    spool.write(bytes).unwrap();
    spool.entry(&entry(0..bytes.len() as u64)).unwrap();
    spool
}

#[test]
fn crash_at_any_step_leaves_the_whole_body_or_none() {
    let bench = Bench::new();
    let witness = Witness::new(bench.journal_dir());
    let (journal, reader) = open_in(&bench, &bench.journal_dir(), witness.clone(), 0);
    let bytes = noise(200_000);
    let position = spool(&journal, &bytes).commit(header()).unwrap();
    assert_eq!(position, Position(1));
    witness.acknowledged.store(true, Ordering::SeqCst);
    witness.keep();
    drop((journal, reader));

    let seen = witness.seen.lock().unwrap();
    let expected = [(header(), bytes.clone(), vec![entry(0..bytes.len() as u64)])];
    let (mut with, mut without) = (0, 0);
    for image in &seen.images {
        // A second crash right behind the recovery changes nothing.
        for _ in 0..2 {
            let found = replay(&bench, &image.dir, 0);
            assert!(found.is_empty() || found == expected, "half a body: {:?}", image.moment);
            let must = matches!(
                image.moment,
                Moment::Killed { file_is_whole: true } | Moment::PowerLost { acknowledged: true }
            );
            let must_not = image.moment == Moment::Killed { file_is_whole: false };
            assert!(!must || found.len() == 1, "lost: {:?}", image.moment);
            assert!(!must_not || found.is_empty(), "out of nothing: {:?}", image.moment);
            if found.is_empty() { without += 1 } else { with += 1 }
        }
    }
    assert!(with > 10 && without > 10, "both sides of the crash were seen: {with}, {without}");
}

#[test]
fn filed_body_is_not_taken_for_an_orphan_when_its_file_outlives_filing() {
    let bench = Bench::new();
    let (journal, reader) = bench.open(0);
    spool(&journal, b"{}").commit(header()).unwrap();
    drop((journal, reader));
    // Filing has stored the body and the process dies before the file goes.
    assert!(replay(&bench, &bench.journal_dir(), 1).is_empty());
    assert_eq!(bench.files(), [""; 0]);
}

#[test]
fn file_goes_for_good_before_the_segment_that_tells_of_it() {
    let bench = Bench::new();
    let (journal, mut reader) = bench.open(0);
    let position = spool(&journal, b"{}").commit(header()).unwrap();
    reader.next(PATIENCE).unwrap().unwrap();
    bench.disk.fail_next(Step::SyncDir, io::ErrorKind::Other);
    assert!(matches!(reader.filed(position), Err(Error::Failed(_))));
    assert_eq!(bench.files(), ["seg-0000000000000001"]);
}

#[test]
fn altered_cut_or_renamed_orphan_is_swept() {
    let bench = Bench::new();
    let dir = orphan(&bench, b"a download that cannot be made again");
    let path = body_file(&dir).unwrap();
    let whole = fs::read(&path).unwrap();
    let attempts = (0..whole.len()).map(|at| {
        let mut altered = whole.clone();
        altered[at] ^= 1;
        altered
    });
    let cut = (0..whole.len()).map(|length| whole[..length].to_vec());
    for file in attempts.chain(cut).chain([[&whole[..], b"\0"].concat()]) {
        fs::write(&path, file).unwrap();
        assert!(replay(&bench, &dir, 0).is_empty());
        assert_eq!(bench.files(), [""; 0]);
    }
    fs::write(dir.join(format!("body-{:032x}", 7)), &whole).unwrap();
    fs::write(dir.join("body-of-another-name"), &whole).unwrap();
    assert!(replay(&bench, &dir, 0).is_empty(), "elsewhere");
    assert_eq!(bench.files(), [""; 0]);
    fs::write(&path, &whole).unwrap();
    assert_eq!(replay(&bench, &dir, 0).len(), 1);
}

#[test]
fn orphan_comes_behind_what_was_committed_and_before_what_is_new() {
    let bench = Bench::new();
    let dir = orphan(&bench, b"{}");
    let kept = dir.with_extension("kept");
    fs::rename(&dir, &kept).unwrap();
    let (journal, reader) = bench.open(0);
    bench.commit(&journal, "before").unwrap();
    drop((journal, reader));
    let file = body_file(&kept).unwrap();
    fs::rename(&file, dir.join(file.file_name().unwrap())).unwrap();
    let (journal, mut reader) = bench.open(0);
    assert_eq!(journal.newest(), Position(2));
    assert_eq!(bench.commit(&journal, "behind").unwrap(), Position(3));
    assert_eq!(text(reader.next(PATIENCE).unwrap()), "before");
    let delivery = reader.next(PATIENCE).unwrap().unwrap();
    assert!(delivery.position == Position(2) && matches!(delivery.body, Body::Spilled(_)));
    assert_eq!(text(reader.next(PATIENCE).unwrap()), "behind");
}

#[test]
fn body_that_is_to_be_answered_is_swept_however_whole() {
    let bench = Bench::new();
    let (journal, reader) = bench.open(0);
    let mut spool = journal.spool().unwrap();
    spool.write(b"{}").unwrap();
    spool.commit(header()).unwrap();
    drop((journal, reader));
    fs::remove_file(bench.journal_dir().join("seg-0000000000000001")).unwrap();
    assert!(replay(&bench, &bench.journal_dir(), 0).is_empty());
    assert_eq!(bench.files(), [""; 0]);
}

#[test]
fn generation_of_an_open_file_is_in_use_until_it_is_referred_to() {
    let bench = Bench::new();
    let (journal, mut reader) = bench.open(0);
    let begun = spool(&journal, b"{}");
    let given_up = spool(&journal, b"{}");
    bench.keyring.update(&[Change::NextJournalGeneration]).unwrap();
    assert_eq!(journal.oldest_generation(), Some(JournalGeneration(1)));
    let position = begun.commit(header()).unwrap();
    assert_eq!(journal.oldest_generation(), Some(JournalGeneration(1)), "the other one is open");
    drop(given_up);
    assert_eq!(journal.oldest_generation(), Some(JournalGeneration(2)));
    reader.next(PATIENCE).unwrap().unwrap();
    reader.filed(position).unwrap();
    assert_eq!(journal.oldest_generation(), None);
}

#[test]
fn whole_file_whose_frame_finds_no_room_waits_for_the_next_start() {
    let bench = Bench::new();
    let (journal, reader) = bench.open(0);
    let spool = spool(&journal, b"{}");
    bench.disk.fail_next(Step::Sync, io::ErrorKind::StorageFull);
    assert!(matches!(spool.commit(header()), Err(Error::DiskLow)));
    assert_eq!(bench.files().len(), 1);
    assert_eq!(journal.oldest_generation(), Some(JournalGeneration(1)), "a purge would destroy it");
    drop((journal, reader));
    assert_eq!(replay(&bench, &bench.journal_dir(), 0).len(), 1);
}

#[test]
fn disk_under_its_reserve_refuses_a_file_before_it_is_begun() {
    let mut bench = Bench::new();
    bench.reserve = u64::MAX;
    let (journal, _reader) = bench.open(0);
    assert!(matches!(journal.spool_once(), Err(Error::DiskLow)));
    assert_eq!(bench.files(), [""; 0]);
    assert_eq!(journal.oldest_generation(), None);
}
