//! The keyring's two slot pairs: the epoch key under the root key, the keyring's content under the epoch key.
//!
//! Never: a state from which neither the old nor the new keyring opens; an epoch left readable after its end.
//!
//! ```text
//! epoch.0, epoch.1      counter = epoch;    payload = the epoch key, sealed under the root key
//!                       | 8 fingerprint of that root key | 8 of the root key before, or zeros |
//! keyring.0, keyring.1  counter = version;  payload = the content, sealed under the epoch key for (epoch, version)
//!
//! update   content n+1 under the same epoch into the slot that does not count
//! rotate   content n+1 under epoch e+1 into the slot that does not count; epoch e+1 into its other slot: from here
//!          the new state counts; epoch e destroyed; content n destroyed. With a new root key, epoch e+1 is sealed
//!          under that one; nothing else is
//! open     the newest epoch that opens, with its newest content that opens; then what is neither that nor older
//!          content of the same epoch is destroyed, which ends an interrupted rotation
//! ```
//! The fingerprints are for messages alone: they are not sealed. Versions before 0.2 wrote slots without them.

use std::{io, path::Path, sync::Arc};

use ring::rand::SecureRandom;
use zeroize::Zeroizing;

use crate::crypto::{
    key::Key,
    keyring::Error,
    root_key::Fingerprint,
    seal::{Location, OVERHEAD, open, seal},
    slots::{Layer, Slot, Slots},
};

const EPOCH_STEP_BYTES: usize = 4096;
const CONTENT_STEP_BYTES: usize = 64 * 1024;
const SEALED_EPOCH_BYTES: usize = 32 + OVERHEAD;
const NO_ROOT: Fingerprint = Fingerprint::from_bytes([0; Fingerprint::BYTES]);

/// The content of a keyring in clear, wiped when dropped.
pub(crate) type Content = Zeroizing<Vec<u8>>;

pub(crate) struct Vault {
    root: Key,
    rng: Arc<dyn SecureRandom + Send + Sync>,
    epochs: Slots,
    contents: Slots,
    state: State,
    /// A write failed: what the disk holds is only known again after a restart.
    failed: bool,
}

struct State {
    epoch: u64,
    epoch_key: Key,
    epoch_slot: usize,
    version: u64,
    content_slot: usize,
    /// The root key before the one in force.
    root_before: Fingerprint,
}

/// What an epoch's slot holds.
struct EpochPayload<'a> {
    sealed: &'a [u8],
    root: Fingerprint,
    root_before: Fingerprint,
}

struct Pair {
    epochs: Slots,
    contents: Slots,
}

impl Vault {
    /// The vault in `dir` and its content; `first` makes the content where there is none yet.
    pub(crate) fn open(
        dir: &Path,
        root: &Key,
        rng: Arc<dyn SecureRandom + Send + Sync>,
        layer: Arc<dyn Layer>,
        first: impl FnOnce() -> Content,
    ) -> Result<(Vault, Content), Error> {
        let epochs = Slots::new(dir, "epoch", EPOCH_STEP_BYTES, layer.clone());
        let contents = Slots::new(dir, "keyring", CONTENT_STEP_BYTES, layer);
        let pair = Pair { epochs, contents };
        if !pair.epochs.exist() {
            pair.create(root, &*rng, &first(), 1)?;
        }
        pair.epochs.preallocate()?;
        pair.contents.preallocate()?;
        let (state, content) = pair.newest(root)?;
        pair.destroy_the_rest(&state, &*rng)?;
        let Pair { epochs, contents } = pair;
        Ok((Vault { root: root.clone(), rng, epochs, contents, state, failed: false }, content))
    }

    /// The same on another disk.
    #[cfg(test)]
    pub(crate) fn on(self, layer: Arc<dyn Layer>) -> Vault {
        Vault { epochs: self.epochs.on(layer.clone()), contents: self.contents.on(layer), ..self }
    }

    /// Makes the first state of a vault in an empty folder, in this epoch.
    pub(crate) fn create(
        dir: &Path,
        root: &Key,
        rng: &dyn SecureRandom,
        layer: Arc<dyn Layer>,
        content: &Content,
        epoch: u64,
    ) -> Result<(), Error> {
        let epochs = Slots::new(dir, "epoch", EPOCH_STEP_BYTES, layer.clone());
        let contents = Slots::new(dir, "keyring", CONTENT_STEP_BYTES, layer);
        Pair { epochs, contents }.create(root, rng, content, epoch)
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.state.epoch
    }

    /// Replaces the content, under the same epoch.
    pub(crate) fn update(&mut self, content: &Content) -> Result<(), Error> {
        let (version, slot) = self.begin(content)?;
        let sealed = seal_content(&self.state.epoch_key, self.state.epoch, version, content, &*self.rng);
        self.contents.write(slot, version, &sealed)?;
        (self.state.version, self.state.content_slot) = (version, slot);
        self.failed = false;
        Ok(())
    }

    /// Whether a write failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed
    }

    /// The root key in force.
    pub(crate) fn root(&self) -> &Key {
        &self.root
    }

    /// Replaces the content, under a new epoch; what the old one sealed opens no more.
    pub(crate) fn rotate(&mut self, content: &Content) -> Result<(), Error> {
        self.rotate_under(content, self.root.clone(), self.state.root_before)
    }

    /// The same under a new root key: the old one opens nothing any more.
    pub(crate) fn rotate_root(&mut self, content: &Content, root: Key) -> Result<(), Error> {
        let before = Fingerprint::of(&self.root);
        self.rotate_under(content, root, before)
    }

    fn rotate_under(&mut self, content: &Content, root: Key, root_before: Fingerprint) -> Result<(), Error> {
        let (version, slot) = self.begin(content)?;
        let old = &self.state;
        let epoch = old.epoch + 1;
        let epoch_slot = 1 - old.epoch_slot;
        let epoch_key = Key::random(&*self.rng);
        self.contents.write(slot, version, &seal_content(&epoch_key, epoch, version, content, &*self.rng))?;
        let sealed = seal_epoch(&root, root_before, epoch, &epoch_key, &*self.rng);
        self.epochs.write(epoch_slot, epoch, &sealed)?;
        self.epochs.destroy(old.epoch_slot, &*self.rng)?;
        self.contents.destroy(old.content_slot, &*self.rng)?;
        self.state = State { epoch, epoch_key, epoch_slot, version, content_slot: slot, root_before };
        self.root = root;
        self.failed = false;
        Ok(())
    }

    /// The version and the slot of the next content. Until the caller is done, the vault counts as failed.
    fn begin(&mut self, content: &Content) -> Result<(u64, usize), Error> {
        if self.failed {
            return Err(io::Error::other("an earlier write of the keyring failed; restart the gateway").into());
        }
        let slot = 1 - self.state.content_slot;
        self.contents.make_room(slot, content.len() + OVERHEAD)?;
        self.failed = true;
        Ok((self.state.version + 1, slot))
    }
}

impl Pair {
    /// Makes the first state; it counts once the epoch's file has its name.
    fn create(&self, root: &Key, rng: &dyn SecureRandom, content: &Content, epoch: u64) -> Result<(), Error> {
        for which in [0, 1] {
            // Content past the first version without an epoch is no interrupted beginning: the epoch was lost.
            if matches!(self.contents.read(which)?, Slot::Written { counter, .. } if which == 1 || counter > 1) {
                return Err(Error::Damaged);
            }
        }
        self.contents.preallocate()?;
        let epoch_key = Key::random(rng);
        self.contents.write(0, 1, &seal_content(&epoch_key, epoch, 1, content, rng))?;
        self.epochs.create_first(epoch, &seal_epoch(root, NO_ROOT, epoch, &epoch_key, rng))?;
        Ok(())
    }

    fn newest(&self, root: &Key) -> Result<(State, Content), Error> {
        let sealed_epochs = newest_first(&self.epochs)?;
        let sealed_contents = newest_first(&self.contents)?;
        let mut found_epoch = false;
        for (epoch_slot, epoch, sealed) in &sealed_epochs {
            let payload = EpochPayload::of(sealed);
            let Some(epoch_key) = open_epoch(root, *epoch, payload.sealed) else {
                continue;
            };
            found_epoch = true;
            for (content_slot, version, sealed) in &sealed_contents {
                if let Ok(content) = open(&epoch_key, place(&epoch.to_be_bytes(), &version.to_be_bytes()), sealed) {
                    let (epoch, version) = (*epoch, *version);
                    let (epoch_slot, content_slot) = (*epoch_slot, *content_slot);
                    let root_before = payload.root_before;
                    let state = State { epoch, epoch_key, epoch_slot, version, content_slot, root_before };
                    return Ok((state, Zeroizing::new(content)));
                }
            }
        }
        match sealed_epochs.first() {
            Some((_, _, sealed)) if !found_epoch => Err(EpochPayload::of(sealed).refusal(root)),
            Some(_) | None => Err(Error::Damaged),
        }
    }

    fn destroy_the_rest(&self, state: &State, rng: &dyn SecureRandom) -> Result<(), Error> {
        let other = 1 - state.epoch_slot;
        if !matches!(self.epochs.read(other)?, Slot::Blank | Slot::Destroyed) {
            self.epochs.destroy(other, rng)?;
        }
        let other = 1 - state.content_slot;
        let keep = match self.contents.read(other)? {
            Slot::Blank | Slot::Destroyed => true,
            Slot::Torn => false,
            Slot::Written { counter, payload } => {
                open(&state.epoch_key, place(&state.epoch.to_be_bytes(), &counter.to_be_bytes()), &payload)
                    .map(Zeroizing::new)
                    .is_ok()
            }
        };
        if !keep {
            self.contents.destroy(other, rng)?;
        }
        Ok(())
    }
}

impl<'a> EpochPayload<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        let (sealed, mut names) = bytes.split_at_checked(SEALED_EPOCH_BYTES).unwrap_or((bytes, &[]));
        let mut name = || {
            let (first, rest) = names.split_first_chunk()?;
            names = rest;
            Some(Fingerprint::from_bytes(*first))
        };
        let (root, root_before) = (name().unwrap_or(NO_ROOT), name().unwrap_or(NO_ROOT));
        Self { sealed, root, root_before }
    }

    /// Why this root key does not open it.
    fn refusal(&self, root: &Key) -> Error {
        if self.root_before != NO_ROOT && Fingerprint::of(root) == self.root_before {
            return Error::RootKeyReplaced(self.root);
        }
        Error::WrongRootKey
    }
}

/// The written slots, as (slot, counter, payload).
fn newest_first(slots: &Slots) -> io::Result<Vec<(usize, u64, Vec<u8>)>> {
    let mut written = Vec::new();
    for which in [0, 1] {
        if let Slot::Written { counter, payload } = slots.read(which)? {
            written.push((which, counter, payload));
        }
    }
    written.sort_by_key(|(_, counter, _)| std::cmp::Reverse(*counter));
    Ok(written)
}

fn seal_epoch(root: &Key, root_before: Fingerprint, epoch: u64, key: &Key, rng: &dyn SecureRandom) -> Vec<u8> {
    let place = Location { table: "epoch", owner: b"", item: &epoch.to_be_bytes() };
    let mut payload = seal(root, place, key.expose(), rng);
    payload.extend_from_slice(Fingerprint::of(root).as_bytes());
    payload.extend_from_slice(root_before.as_bytes());
    payload
}

fn open_epoch(root: &Key, epoch: u64, sealed: &[u8]) -> Option<Key> {
    let bytes = open(root, Location { table: "epoch", owner: b"", item: &epoch.to_be_bytes() }, sealed).ok()?;
    Some(Key::from_bytes(*Zeroizing::new(bytes).first_chunk()?))
}

fn seal_content(key: &Key, epoch: u64, version: u64, content: &Content, rng: &dyn SecureRandom) -> Vec<u8> {
    seal(key, place(&epoch.to_be_bytes(), &version.to_be_bytes()), content, rng)
}

fn place<'a>(epoch: &'a [u8; 8], version: &'a [u8; 8]) -> Location<'a> {
    Location { table: "keyring", owner: epoch, item: version }
}
