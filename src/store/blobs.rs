//! Sealed objects that are too large for a row, in files of their own named by random ids.
//!
//! ```text
//! blobs/ab/ab12…ef      one file; its content is sealed by whoever writes it
//! ```
//! A file is durable (file, then directory, fsynced) before its id may stand in a row. What no row names is an
//! orphan of a crash, swept at start. A file is read by position and never changed.

use std::{
    collections::HashSet,
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::model::id::BlobId;

/// The folder of sealed files.
#[derive(Debug)]
pub struct Blobs {
    dir: PathBuf,
    /// Bytes of all files that are whole.
    bytes: Arc<AtomicU64>,
}

/// A file being written; dropped unfinished, it is removed.
pub struct Draft {
    id: BlobId,
    path: PathBuf,
    file: Option<io::BufWriter<File>>,
    bytes: u64,
    all_bytes: Arc<AtomicU64>,
}

impl Blobs {
    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The folder, with its 256 subfolders made durable.
    pub fn open(dir: &Path) -> io::Result<Blobs> {
        fs::create_dir_all(dir)?;
        let mut made = false;
        for first in 0..=255_u8 {
            let part = dir.join(format!("{first:02x}"));
            if !part.is_dir() {
                fs::create_dir(&part)?;
                made = true;
            }
        }
        if made {
            sync_dir(dir)?;
        }
        let blobs = Blobs { dir: dir.to_owned(), bytes: Arc::default() };
        let found = blobs.ids()?.into_iter().map(|id| blobs.size(id)).sum();
        blobs.bytes.store(found, Ordering::Relaxed);
        Ok(blobs)
    }

    /// Starts a file of this random id.
    pub fn draft(&self, id: BlobId) -> io::Result<Draft> {
        let path = self.path(id);
        let file = File::options().write(true).create_new(true).open(&path)?;
        let file = Some(io::BufWriter::with_capacity(128 * 1024, file));
        Ok(Draft { id, path, file, bytes: 0, all_bytes: Arc::clone(&self.bytes) })
    }

    /// A file to be read by position.
    pub fn read(&self, id: BlobId) -> io::Result<File> {
        File::open(self.path(id))
    }

    /// `length` bytes from `offset` on.
    pub fn read_at(&self, id: BlobId, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.read(id)?.read_exact_at(&mut bytes, offset)?;
        Ok(bytes)
    }

    /// The bytes of a file; 0 where there is none.
    pub fn size(&self, id: BlobId) -> u64 {
        fs::metadata(self.path(id)).map_or(0, |found| found.len())
    }

    /// Removes a file, durably; one that is gone already is no error. Returns the bytes it held.
    pub fn remove(&self, id: BlobId) -> io::Result<u64> {
        let path = self.path(id);
        let bytes = self.size(id);
        match fs::remove_file(&path) {
            Ok(()) => {
                self.bytes.fetch_sub(bytes, Ordering::Relaxed);
                sync_dir(path.parent().unwrap_or(&self.dir)).map(|()| bytes)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// Removes every file that is not in `named`; returns how many.
    pub fn sweep(&self, named: &HashSet<BlobId>) -> io::Result<usize> {
        let mut swept = 0;
        for id in self.ids()? {
            if !named.contains(&id) {
                self.remove(id)?;
                swept += 1;
            }
        }
        Ok(swept)
    }

    /// Every file's id.
    pub fn ids(&self) -> io::Result<Vec<BlobId>> {
        let mut ids = Vec::new();
        for part in fs::read_dir(&self.dir)? {
            let part = part?.path();
            if part.is_dir() {
                for file in fs::read_dir(part)? {
                    ids.extend(file?.file_name().to_str().and_then(|name| name.parse::<BlobId>().ok()));
                }
            }
        }
        Ok(ids)
    }

    /// Bytes of all files; kept as they come and go, since it is asked for often.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    fn path(&self, id: BlobId) -> PathBuf {
        let name = id.to_string();
        self.dir.join(&name[..2]).join(name)
    }
}

impl Draft {
    /// The file's id.
    pub fn id(&self) -> BlobId {
        self.id
    }

    /// Bytes written so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Adds bytes.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.bytes += bytes.len() as u64;
        self.file.as_mut().expect("a draft has its file until it is finished").write_all(bytes)
    }

    /// The file is whole: fsynced, then its directory.
    pub fn finish(mut self) -> io::Result<BlobId> {
        let file = self.file.take().expect("a draft has its file until it is finished");
        let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_data()?;
        sync_dir(self.path.parent().unwrap_or(&self.path))?;
        self.all_bytes.fetch_add(self.bytes, Ordering::Relaxed);
        Ok(self.id)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if self.file.take().is_some() && fs::remove_file(&self.path).is_err() {
            tracing::debug!("an unfinished file could not be removed; it is swept at the next start");
        }
    }
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(byte: u8) -> BlobId {
        BlobId::from_bytes([byte; 16])
    }

    #[test]
    fn unnamed_file_is_swept_and_named_one_stays() {
        let dir = tempfile::tempdir().expect("a folder");
        let blobs = Blobs::open(dir.path()).expect("a folder");
        for byte in [1, 2] {
            let mut draft = blobs.draft(id(byte)).expect("a draft");
            draft.write(b"sealed").expect("written");
            draft.finish().expect("durable");
        }
        assert_eq!(blobs.sweep(&HashSet::from([id(1)])).expect("swept"), 1);
        assert_eq!(blobs.ids().expect("listed"), [id(1)]);
        assert_eq!(blobs.read_at(id(1), 2, 4).expect("read"), b"aled");
    }

    #[test]
    fn unfinished_file_leaves_nothing() {
        let dir = tempfile::tempdir().expect("a folder");
        let blobs = Blobs::open(dir.path()).expect("a folder");
        drop(blobs.draft(id(1)).expect("a draft"));
        assert!(blobs.ids().expect("listed").is_empty());
    }
}
