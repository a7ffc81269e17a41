//! Sending back: a quarantined item goes through the journal once more, as if it had come again at the time it came.
//!
//! What is sent is durable before it leaves quarantine: a crash in between leaves both, and filing finds a duplicate.

use std::{io, sync::PoisonError};

use crate::filing::failure::Failure;
use crate::filing::quarantine::{Holder, ItemId, Listed, Quarantine, Reason};
use crate::journal::{self, Header, Journal, Spool};
use crate::json::split::Splitter;
use crate::model::connection::ClientId;
use crate::model::entry::{BEFORE_FILE, Entry, Field, Shape, Whose};
use crate::model::id::OwnerId;
use crate::records::large;

/// How an item is sent back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SentAs {
    /// As it came.
    ItCame,
    /// A file that is not what it was announced as, as one that is: a person has decided to keep it.
    Accepted,
}

/// What became of sending back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It is durable in the journal and has left quarantine.
    Done,
    /// There is no such item.
    NoSuchItem,
    /// It is an unexpected file: as it came it would come back for certain.
    NeedsAcceptance,
    /// It is none, so there is no file to accept.
    NotAFile,
    /// It might come back, and the quarantine has no room for it.
    Full,
}

/// A body in the making.
struct Sending {
    spool: Spool,
    splitter: Splitter,
    /// How much of the content is JSON text; a file follows.
    text_left: u64,
    user: Option<Box<str>>,
    /// Shape and length of the file.
    file: Option<(Shape, u64)>,
}

impl Quarantine {
    /// Sends an item back by a person's decision. Blocks until it is durable.
    pub fn send_back(&self, journal: &Journal, id: ItemId, sent_as: SentAs) -> Result<Sent, Failure> {
        let _decision = self.decision.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(listed) = self.find(id)? else { return Ok(Sent::NoSuchItem) };
        let shape = match (listed.item.reason == Reason::UnexpectedFile, sent_as) {
            (true, SentAs::ItCame) => return Ok(Sent::NeedsAcceptance),
            (false, SentAs::Accepted) => return Ok(Sent::NotAFile),
            (true, SentAs::Accepted) | (false, SentAs::ItCame) => Shape::File,
        };
        if !self.kept().has_room(listed.item.bytes) {
            return Ok(Sent::Full);
        }
        self.send(journal, &listed, shape)?;
        self.remove(&[listed.slot])?;
        Ok(Sent::Done)
    }

    /// Sends everything back that a held connection holds, each as it came; the caller destroys what was held then.
    pub fn send_again(&self, journal: &Journal, owner: &OwnerId) -> Result<(), Failure> {
        let slots: Vec<_> = self.kept().slots().filter(|slot| slot.holder == Holder::Owner(*owner)).cloned().collect();
        for slot in slots {
            if let Some(listed) = self.listed(slot)? {
                self.send(journal, &listed, Shape::UnexpectedFile)?;
            }
        }
        Ok(())
    }

    fn send(&self, journal: &Journal, listed: &Listed, shape: Shape) -> Result<(), Failure> {
        let item = &listed.item;
        let (opening, closing) = if item.reason == Reason::NotAnArray { ("", "}") } else { ("[", BEFORE_FILE) };
        let before_file = if item.file_bytes.is_some() { BEFORE_FILE.len() as u64 } else { 0 };
        let mut sending = Sending {
            spool: journal.spool()?,
            splitter: Splitter::new(),
            text_left: item.text_bytes() + before_file,
            user: item.user.clone(),
            file: item.file_bytes.map(|bytes| (shape, bytes)),
        };
        let name = serde_json::to_string(&item.member).expect("text is written to memory");
        sending.text(format!("{{{name}:{opening}").as_bytes())?;
        let mut failed = None;
        let read = self.content(listed, &mut |piece| {
            sending.content(piece).map_err(|failure| {
                failed = Some(failure);
                io::Error::other("the journal took no more")
            })
        });
        match (failed, read) {
            (Some(failure), _) => return Err(failure),
            (None, Err(large::Error::Io(cause))) => return Err(cause.into()),
            (None, Err(large::Error::Tampered)) => return Err(Failure::Inconsistent),
            (None, Ok(())) => {}
        }
        if item.file_bytes.is_none() {
            sending.text(closing.as_bytes())?;
        }
        let client = ClientId::new(&item.client);
        sending.commit(Header { received: item.received, client, pull: None })
    }
}

impl Sending {
    /// The next bytes of the item, and of the file behind it.
    fn content(&mut self, piece: &[u8]) -> Result<(), Failure> {
        let length = usize::try_from(self.text_left).map_or(piece.len(), |left| left.min(piece.len()));
        let (text, file) = piece.split_at(length);
        self.text_left -= text.len() as u64;
        if !text.is_empty() {
            self.text(text)?;
        }
        Ok(self.spool.write(file)?)
    }

    fn text(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let Self { spool, splitter, user, file, .. } = self;
        let mut outcome = Ok(());
        let split = splitter.feed(bytes, &mut |entry| {
            if outcome.is_ok() {
                outcome = spool.entry(&known(entry, user.as_deref(), *file));
            }
        });
        split.map_err(|_| Failure::Inconsistent)?;
        outcome?;
        Ok(spool.write(bytes)?)
    }

    fn commit(self, header: Header) -> Result<(), Failure> {
        self.splitter.finish().map_err(|_| Failure::Inconsistent)?;
        let _place: journal::Position = self.spool.commit(header)?;
        Ok(())
    }
}

/// The entry with what is known of it beside its text.
fn known(mut entry: Entry, user: Option<&str>, file: Option<(Shape, u64)>) -> Entry {
    if let Some(user) = user {
        entry.whose = Whose::User(user.into());
    }
    if let Some((shape, bytes)) = file {
        entry.shape = shape;
        entry.fields.retain(|(field, _)| *field != Field::CallbackUrl);
        entry.fields.push((Field::FileBytes, bytes.to_string().into()));
    }
    entry
}
