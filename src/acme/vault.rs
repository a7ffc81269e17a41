//! The state on disk: one sealed file, replaced as a whole.
//!
//! It lies in the data directory and in no backup: an account and a certificate can be had anew at any time, a private
//! key is not to be in more places than it has to, and an older state would bring back waits that are over.
//!
//! ```text
//! data_dir/acme/state    the JSON of `State`, sealed under the index key for ("acme", "", "state")
//! ```

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use zeroize::Zeroizing;

use crate::acme::state::State;
use crate::crypto::key::Rng;
use crate::crypto::keyring::Keyring;
use crate::crypto::seal::{Location, open, seal};

const AT: Location<'static> = Location { table: "acme", owner: &[], item: b"state" };
const FILE: &str = "state";

/// Where the state lies.
pub struct Vault {
    dir: PathBuf,
    keyring: Arc<Keyring>,
    rng: Arc<Rng>,
}

impl Vault {
    /// The one in this folder, which is made with the first state.
    pub fn new(dir: &Path, keyring: Arc<Keyring>, rng: Arc<Rng>) -> Self {
        Self { dir: dir.to_owned(), keyring, rng }
    }

    /// The state that was kept last; an empty one where there is none, or none that opens.
    pub fn load(&self) -> State {
        let sealed = match fs::read(self.dir.join(FILE)) {
            Ok(sealed) => sealed,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return State::default(),
            Err(error) => {
                tracing::error!(%error, "the state of the certificate's order cannot be read; it is begun anew");
                return State::default();
            }
        };
        let opened = open(&self.keyring.site().index, AT, &sealed).ok().map(Zeroizing::new);
        opened.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_else(|| {
            tracing::error!("the state of the certificate's order does not open; the certificate is ordered anew");
            State::default()
        })
    }

    /// Keeps the state; durable on return.
    pub fn keep(&self, state: &State) -> io::Result<()> {
        if !self.dir.is_dir() {
            DirBuilder::new().recursive(true).mode(0o700).create(&self.dir)?;
            File::open(self.dir.parent().unwrap_or(&self.dir))?.sync_all()?;
        }
        let text = Zeroizing::new(serde_json::to_vec(state).map_err(io::Error::other)?);
        let sealed = seal(&self.keyring.site().index, AT, &text, &*self.rng);
        let draft = self.dir.join("state.new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        file.write_all(&sealed)?;
        file.sync_all()?;
        fs::rename(&draft, self.dir.join(FILE))?;
        File::open(&self.dir)?.sync_all()
    }
}
