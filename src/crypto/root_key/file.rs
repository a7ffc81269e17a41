//! The file of the root key, where the gateway may replace it: the next key lies beside it until it is in force.
//!
//! Never: a moment at which neither file holds the key in force.
//!
//! ```text
//! root.key      the configured key
//! root.key.new  the next one, durable before anything is sealed under it; then it gets the name of the other
//! ```

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::crypto::key::{Key, Rng, random};
use crate::crypto::root_key::{parse, text};
use crate::crypto::slots::{Layer, Plain};

const BYTES_MAX: u64 = 4096;

/// What lies beside the file of the root key.
pub enum Staged {
    /// Nothing.
    Nothing,
    /// A key whose writing did not end: nothing was ever sealed under it.
    Torn,
    /// The next key.
    Whole(Key),
}

/// The file of the root key, and its place for the next one.
pub struct RootKeyFile {
    file: PathBuf,
    next: PathBuf,
    layer: Arc<dyn Layer>,
}

impl RootKeyFile {
    /// The file at this path; where that is a link, the file that it leads to.
    pub fn at(path: &Path) -> RootKeyFile {
        Self::on(path, Arc::new(Plain))
    }

    pub(crate) fn on(path: &Path, layer: Arc<dyn Layer>) -> RootKeyFile {
        let file = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let mut next = file.clone().into_os_string();
        next.push(".new");
        RootKeyFile { file, next: next.into(), layer }
    }

    /// Where the next key lies.
    pub fn next(&self) -> &Path {
        &self.next
    }

    /// What lies beside it.
    pub fn staged(&self) -> io::Result<Staged> {
        let mut held = Zeroizing::new(Vec::with_capacity(2 * 64));
        match File::open(&self.next) {
            Ok(file) => file.take(BYTES_MAX).read_to_end(&mut held)?,
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => return Ok(Staged::Nothing),
            Err(other) => return Err(other),
        };
        Ok(parse(&held).map_or(Staged::Torn, Staged::Whole))
    }

    /// Puts the next key beside the file; durable on return, and nothing is there after an error that can be undone.
    pub fn stage(&self, key: &Key) -> io::Result<()> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.next)?;
        let written = self.layer.write(&file, text(key).as_bytes()).and_then(|()| self.layer.sync(&file));
        written.and_then(|()| self.sync_dir()).inspect_err(|_| drop(self.discard()))
    }

    /// The next key becomes the configured one; durable on return. Then the one before is overwritten where it lay.
    pub fn install(&self, rng: &Rng) -> io::Result<()> {
        let before = OpenOptions::new().write(true).open(&self.file);
        self.layer.rename(&self.next, &self.file)?;
        self.sync_dir()?;
        // It opens nothing of this site any more, so that a file which cannot be overwritten is no failure.
        if let Ok(before) = before {
            let noise: [u8; 65] = random(rng);
            drop(self.layer.write(&before, &noise).and_then(|()| self.layer.sync(&before)));
        }
        Ok(())
    }

    /// Removes what lies beside the file, which must not be in force.
    pub fn discard(&self) -> io::Result<()> {
        match std::fs::remove_file(&self.next) {
            Ok(()) => self.sync_dir(),
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(other) => Err(other),
        }
    }

    fn sync_dir(&self) -> io::Result<()> {
        let dir = self.file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        self.layer.sync(&File::open(dir)?)
    }
}
