//! The press: threads that pack what a dataset's files are made of, block by block, and set it aside.
//!
//! Blocks know nothing of each other, so that they can be deflated side by side and joined in any cut. A file that is
//! written gathers one block in memory; however many there are, so many blocks and a few more are all there is.

use std::{
    io::{self, Read},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use flate2::{Compress, Compression, FlushCompress};

use crate::dataset::{
    spill::{Block, Spill},
    stream::Packing,
};

/// Bytes of a block before it is deflated.
pub(super) const BLOCK_BYTES: usize = 128 << 10;
/// Of a dataset of a simulated study 2.7 times as fast as level 6 and 8 % larger; level 2 is 1.25 times as fast again and
/// another 7 % larger.
const LEVEL: u32 = 3;
const THREADS: usize = 2;
const WAITING_MAX: usize = 4;

/// What ends a deflated stream: an empty last block.
pub(super) const END: &[u8] = &[3, 0];

/// The way to the threads.
#[derive(Clone)]
pub(super) struct Press {
    jobs: SyncSender<Job>,
    failed: Arc<Mutex<Option<io::Error>>>,
}

/// The blocks of one file, in order, as they get ready.
#[derive(Clone, Debug, Default)]
pub(super) struct Blocks(Arc<Mutex<Vec<Block>>>);

struct Job {
    bytes: Vec<u8>,
    packing: Packing,
    blocks: Blocks,
    number: usize,
}

/// Runs `work` with a press that sets aside into `spill`; on return every block is set aside.
pub(super) fn with_press<T>(spill: &Spill, work: impl FnOnce(&Press) -> io::Result<T>) -> io::Result<T> {
    let failed = Arc::new(Mutex::new(None));
    let (jobs, waiting) = sync_channel(WAITING_MAX);
    let waiting = Arc::new(Mutex::new(waiting));
    let press = Press { jobs, failed: Arc::clone(&failed) };
    let done = thread::scope(|scope| {
        for _ in 0..THREADS {
            let (waiting, failed) = (Arc::clone(&waiting), Arc::clone(&failed));
            scope.spawn(move || deflate_all(&waiting, &failed, spill));
        }
        let done = work(&press);
        drop(press);
        done
    });
    match failed.lock().unwrap_or_else(PoisonError::into_inner).take() {
        Some(error) => Err(error),
        None => done,
    }
}

impl Press {
    /// Packs the next block of a file. An error is told by [`with_press`], too.
    pub(super) fn put(&self, bytes: Vec<u8>, packing: Packing, blocks: &Blocks) -> io::Result<()> {
        let number = {
            let mut held = blocks.0.lock().unwrap_or_else(PoisonError::into_inner);
            held.push(Block::default());
            held.len() - 1
        };
        let job = Job { bytes, packing, blocks: blocks.clone(), number };
        let is_lost = || io::Error::other("the dataset's files could not be set aside");
        if self.failed.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
            return Err(is_lost());
        }
        self.jobs.send(job).map_err(|_| is_lost())
    }
}

impl Blocks {
    /// All of them, once the press is done.
    pub(super) fn all(&self) -> Vec<Block> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn deflate_all(waiting: &Mutex<Receiver<Job>>, failed: &Mutex<Option<io::Error>>, spill: &Spill) {
    let mut compress = Compress::new(Compression::new(LEVEL), false);
    let mut deflated = Vec::new();
    loop {
        let job = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        let done = match job.packing {
            Packing::Stored => spill.put(&job.bytes),
            Packing::Deflated => deflate(&mut compress, &job.bytes, &mut deflated).and_then(|()| spill.put(&deflated)),
        };
        match done {
            Ok(block) => job.blocks.0.lock().unwrap_or_else(PoisonError::into_inner)[job.number] = block,
            // What is left is taken and thrown away, so that nobody waits.
            Err(error) => *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error),
        }
    }
}

/// One block: it refers to nothing before it, and ends at a whole byte.
fn deflate(compress: &mut Compress, bytes: &[u8], deflated: &mut Vec<u8>) -> io::Result<()> {
    compress.reset();
    deflated.clear();
    // Five bytes for each stored block of 16 KiB at the least, and the empty one that a flush ends with.
    deflated.reserve(bytes.len() + bytes.len() / 1024 + 64);
    loop {
        let (read, written) = (compress.total_in(), compress.total_out());
        let from = usize::try_from(read).expect("a block is small");
        compress.compress_vec(&bytes[from..], deflated, FlushCompress::Sync).map_err(io::Error::other)?;
        let is_read = usize::try_from(compress.total_in()).is_ok_and(|read| read == bytes.len());
        if is_read && deflated.len() < deflated.capacity() {
            return Ok(());
        }
        if compress.total_in() == read && compress.total_out() == written {
            return Ok(());
        }
        deflated.reserve(BLOCK_BYTES);
    }
}

/// What a deflated block was.
pub(super) fn inflate(block: &[u8]) -> io::Result<Vec<u8>> {
    let mut inflated = Vec::with_capacity(BLOCK_BYTES);
    flate2::bufread::DeflateDecoder::new(&*[block, END].concat()).read_to_end(&mut inflated)?;
    Ok(inflated)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::spill::Scratch;

    #[test]
    fn blocks_side_by_side_make_one_stream() {
        let dir = tempfile::tempdir().expect("a folder");
        let scratch = Scratch {
            dir: dir.path().to_owned(),
            rng: Arc::new(ring::rand::SystemRandom::new()),
            room: Arc::new(|_| true),
        };
        let spill = Spill::new(&scratch);
        let mut random = 1_u64;
        let mut noise = || {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (random >> 56) as u8
        };
        let parts: Vec<Vec<u8>> =
            vec![vec![7; 300_000], (0..BLOCK_BYTES).map(|_| noise()).collect(), Vec::new(), b"end".to_vec()];
        let blocks = Blocks::default();
        with_press(&spill, |press| {
            parts.iter().try_for_each(|part| press.put(part.clone(), Packing::Deflated, &blocks))
        })
        .expect("done");
        let mut stream = Vec::new();
        blocks.all().iter().for_each(|block| stream.extend(spill.get(*block).expect("there")));
        stream.extend_from_slice(END);
        let mut inflated = Vec::new();
        flate2::read::DeflateDecoder::new(&*stream).read_to_end(&mut inflated).expect("a deflated stream");
        assert_eq!(inflated, parts.concat());
    }

    #[test]
    fn full_disk_is_told() {
        let scratch = Scratch {
            dir: "/nowhere/at/all".into(),
            rng: Arc::new(ring::rand::SystemRandom::new()),
            room: Arc::new(|_| true),
        };
        let spill = Spill::new(&scratch);
        let blocks = Blocks::default();
        let failed =
            with_press(&spill, |press| (0..100).try_for_each(|_| press.put(vec![0; 10], Packing::Deflated, &blocks)));
        assert_eq!(failed.expect_err("no such folder").kind(), io::ErrorKind::NotFound);
    }
}
