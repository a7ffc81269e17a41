//! Picking up: what was held for a connection goes back through the journal once somebody is linked to it, so that it
//! takes the same way as if it had come then, with the time it did come.

use std::collections::BTreeMap;
use std::io;

use memchr::memchr;

use crate::filing::failure::Failure;
use crate::filing::worker::Parts;
use crate::journal::{Header, Spool};
use crate::json::split::Splitter;
use crate::model::entry::{BEFORE_FILE, Entry, Field, Shape};
use crate::model::id::OwnerId;
use crate::model::time::UnixSeconds;
use crate::queue::job::is_file;
use crate::queue::view::HeldPing;
use crate::records::head::PackId;
use crate::records::index::{IndexEntry, Place};
use crate::records::read::Window;

/// A notification being written from held items.
struct Resent<'a> {
    spool: Spool,
    splitter: Splitter,
    user: &'a str,
    failed: Option<Failure>,
    /// Of a body that may hold a file.
    file: Option<File>,
}

/// What is known by and by of a record that may be a file.
#[derive(Default)]
struct File {
    /// The item that announced it.
    item: Option<Entry>,
    /// The file's length so far, once the item is over.
    bytes: Option<u64>,
}

/// Puts everything held under this owner back into the journal. The caller destroys what was held then; after a crash
/// in between it is sent once more, and filing finds duplicates.
pub fn send_again(parts: &Parts, owner: &OwnerId) -> Result<(), Failure> {
    let directory = parts.people.read();
    let Some(connection) = directory.held_owner(owner) else { return Ok(()) };
    let held = &connection.held;
    let mut arrivals: BTreeMap<UnixSeconds, Vec<(PackId, IndexEntry)>> = BTreeMap::new();
    for (pack, entry) in parts.catalog.entries(owner)? {
        arrivals.entry(entry.received).or_default().push((pack, entry));
    }
    let mut items = 0_u64;
    for (received, mut entries) in arrivals {
        entries.sort_by(|(_, left), (_, right)| left.sort_key().cmp(&right.sort_key()));
        items += entries.len() as u64;
        let (files, objects): (Vec<_>, Vec<_>) = entries.into_iter().partition(|(_, entry)| may_be_file(entry));
        let header = || Header { received, client: held.client.clone(), pull: None };
        if !objects.is_empty() {
            let mut resent = Resent::new(parts, held.user.expose())?;
            resent.body(parts, owner, &objects)?;
            resent.commit(header())?;
        }
        for (pack, entry) in files {
            let mut resent = Resent::new(parts, held.user.expose())?;
            resent.file(parts, owner, &pack, &entry)?;
            resent.commit(header())?;
        }
    }
    for ping in parts.queue.held_pings(owner)? {
        items += 1;
        let mut resent = Resent::new(parts, held.user.expose())?;
        resent.ping(&ping)?;
        resent.commit(Header { received: ping.received, client: held.client.clone(), pull: None })?;
    }
    tracing::info!(items, "held items of a connection that was linked are filed for its participants");
    Ok(())
}

/// Files stand by themselves; so does what was pushed in their place, if it is as large.
fn may_be_file(entry: &IndexEntry) -> bool {
    is_file(&entry.summary_type) && matches!(entry.data, Place::Large(_))
}

impl<'a> Resent<'a> {
    fn new(parts: &Parts, user: &'a str) -> Result<Self, Failure> {
        Ok(Self { spool: parts.journal.spool()?, splitter: Splitter::new(), user, failed: None, file: None })
    }

    /// A notification of one ping, as it came.
    fn ping(&mut self, ping: &HeldPing) -> Result<(), Failure> {
        let name = serde_json::to_string(ping.summary_type.name()).expect("text is written to memory");
        self.write(format!("{{{name}:[{}]}}", ping.item).as_bytes())
    }

    /// One notification with a member per summary type.
    fn body(&mut self, parts: &Parts, owner: &OwnerId, entries: &[(PackId, IndexEntry)]) -> Result<(), Failure> {
        let mut window = Window::default();
        let mut before = None;
        for (pack, entry) in entries {
            if before == Some(&entry.summary_type) {
                self.write(b",")?;
            } else {
                let name = serde_json::to_string(entry.summary_type.name()).expect("text is written to memory");
                self.write(if before.is_none() { b"{" } else { b"]," })?;
                self.write(name.as_bytes())?;
                self.write(b":[")?;
                before = Some(&entry.summary_type);
            }
            self.item(parts, owner, pack, entry, &mut window)?;
        }
        self.write(if before.is_none() { b"{}" } else { b"]}" })
    }

    /// A body of one file: the item that announced it, and behind it the file.
    fn file(&mut self, parts: &Parts, owner: &OwnerId, pack: &PackId, entry: &IndexEntry) -> Result<(), Failure> {
        let name = serde_json::to_string(entry.summary_type.name()).expect("text is written to memory");
        self.file = Some(File::default());
        self.write(format!("{{{name}:[").as_bytes())?;
        self.item(parts, owner, pack, entry, &mut Window::default())?;
        let bytes = self.file.as_ref().and_then(|file| file.bytes);
        if bytes.is_none() {
            self.write(BEFORE_FILE.as_bytes())?;
        }
        let mut item = self.file.take().and_then(|file| file.item).ok_or(Failure::Inconsistent)?;
        if let Some(bytes) = bytes {
            item.shape = Shape::File;
            item.fields.retain(|(field, _)| *field != Field::CallbackUrl);
            item.fields.push((Field::FileBytes, bytes.to_string().into()));
        }
        Ok(self.spool.entry(&item)?)
    }

    /// The held object with its `userId` put back in front.
    fn item(
        &mut self,
        parts: &Parts,
        owner: &OwnerId,
        pack: &PackId,
        entry: &IndexEntry,
        window: &mut Window,
    ) -> Result<(), Failure> {
        let user = serde_json::to_string(self.user).expect("text is written to memory");
        self.write(b"{\"userId\":")?;
        self.write(user.as_bytes())?;
        let mut begun = 0;
        let read = parts.catalog.data(owner, pack, entry, window, &mut |mut piece| {
            // The object's own brace is already written; a comma follows it unless the object is empty.
            if begun == 0 {
                piece = piece.get(1..).unwrap_or_default();
                begun = 1;
            }
            if begun == 1 && !piece.is_empty() {
                begun = 2;
                if piece[0] != b'}' {
                    self.keep_error(b",");
                }
            }
            self.keep_error(piece);
            if self.failed.is_some() { Err(io::Error::other("the journal took no more")) } else { Ok(()) }
        });
        match self.failed.take() {
            Some(failure) => Err(failure),
            None => Ok(read?),
        }
    }

    fn keep_error(&mut self, bytes: &[u8]) {
        if self.failed.is_none()
            && let Err(failure) = self.content(bytes)
        {
            self.failed = Some(failure);
        }
    }

    /// The next bytes of a record: the first line feed ends the object, and a file follows.
    fn content(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let Some(file) = &mut self.file else { return self.write(bytes) };
        if let Some(length) = &mut file.bytes {
            *length += bytes.len() as u64;
            return Ok(self.spool.write(bytes)?);
        }
        let Some(end) = memchr(b'\n', bytes) else { return self.write(bytes) };
        file.bytes = Some(0);
        self.write(&bytes[..end])?;
        self.write(BEFORE_FILE.as_bytes())?;
        self.content(&bytes[end + 1..])
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let mut outcome = Ok(());
        let Self { spool, splitter, file, .. } = self;
        let split = splitter.feed(bytes, &mut |entry| match file {
            Some(file) => file.item = Some(entry),
            None if outcome.is_ok() => outcome = spool.entry(&entry),
            None => {}
        });
        split.map_err(|_| Failure::Inconsistent)?;
        outcome?;
        Ok(spool.write(bytes)?)
    }

    fn commit(self, header: Header) -> Result<(), Failure> {
        self.splitter.finish().map_err(|_| Failure::Inconsistent)?;
        self.spool.commit(header)?;
        Ok(())
    }
}
