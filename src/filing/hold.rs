//! Picking up: what was held for a connection goes back through the journal once somebody is linked to it, so that it
//! takes the same way as if it had come then, with the time it did come. A file goes as a body of its own.

use std::collections::BTreeMap;
use std::io;

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
use crate::records::index::IndexEntry;
use crate::records::read::Window;

/// A notification being written from held items.
struct Resent<'a> {
    spool: Spool,
    splitter: Splitter,
    user: &'a str,
    failed: Option<Failure>,
    file: Option<HeldFile>,
}

/// A file behind the item that announced it, which is a body's only one.
#[derive(Default)]
struct HeldFile {
    entry: Option<Entry>,
    /// Its length, once its bytes come.
    bytes: Option<u64>,
}

/// Between a file's item and its bytes, as the record has them; the item itself has none.
const LINE_FEED: u8 = b'\n';

/// Puts everything held under this owner back into the journal. The caller destroys what was held then; after a crash
/// in between it is sent once more, and filing finds duplicates.
pub fn send_again(parts: &Parts, owner: &OwnerId) -> Result<(), Failure> {
    let directory = parts.people.read();
    let Some(connection) = directory.held_owner(owner) else { return Ok(()) };
    let held = &connection.held;
    let mut arrivals: BTreeMap<UnixSeconds, Vec<(PackId, IndexEntry)>> = BTreeMap::new();
    let mut items = 0_u64;
    for (pack, entry) in parts.catalog.entries(owner)? {
        if !is_file(&entry.summary_type) {
            arrivals.entry(entry.received).or_default().push((pack, entry));
            continue;
        }
        items += 1;
        let header = Header { received: entry.received, client: held.client.clone(), pull: None };
        let mut resent = Resent { file: Some(HeldFile::default()), ..Resent::new(parts, held.user.expose())? };
        resent.body(parts, owner, &[(pack, entry)])?;
        resent.commit(header)?;
    }
    for (received, mut entries) in arrivals {
        entries.sort_by(|(_, left), (_, right)| left.sort_key().cmp(&right.sort_key()));
        items += entries.len() as u64;
        let mut resent = Resent::new(parts, held.user.expose())?;
        resent.body(parts, owner, &entries)?;
        resent.commit(Header { received, client: held.client.clone(), pull: None })?;
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
        if self.file.as_ref().is_some_and(|file| file.bytes.is_some()) {
            return Ok(());
        }
        self.write(if before.is_none() { b"{}" } else { b"]}" })
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
            && let Err(failure) = self.write(bytes)
        {
            self.failed = Some(failure);
        }
    }

    /// The next bytes: text, and behind the line feed those of the file.
    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let Some(file) = &mut self.file else { return self.text(bytes) };
        if let Some(length) = &mut file.bytes {
            *length += bytes.len() as u64;
            return Ok(self.spool.write(bytes)?);
        }
        let Some(end) = bytes.iter().position(|byte| *byte == LINE_FEED) else { return self.text(bytes) };
        file.bytes = Some(0);
        self.text(&bytes[..end])?;
        self.text(BEFORE_FILE.as_bytes())?;
        self.write(&bytes[end + 1..])
    }

    fn text(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let mut outcome = Ok(());
        let (spool, file) = (&mut self.spool, &mut self.file);
        let split = self.splitter.feed(bytes, &mut |entry| match file {
            Some(file) => file.entry = Some(entry),
            None if outcome.is_ok() => outcome = spool.entry(&entry),
            None => {}
        });
        split.map_err(|_| Failure::Inconsistent)?;
        outcome?;
        Ok(spool.write(bytes)?)
    }

    fn commit(mut self, header: Header) -> Result<(), Failure> {
        self.splitter.finish().map_err(|_| Failure::Inconsistent)?;
        if let Some(file) = self.file {
            let mut entry = file.entry.ok_or(Failure::Inconsistent)?;
            if let Some(bytes) = file.bytes {
                entry.shape = Shape::File;
                entry.fields.retain(|(field, _)| *field != Field::CallbackUrl);
                entry.fields.push((Field::FileBytes, bytes.to_string().into()));
            }
            self.spool.entry(&entry)?;
        }
        self.spool.commit(header)?;
        Ok(())
    }
}
