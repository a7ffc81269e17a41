//! What a person sees of quarantined items, and decides about them.
//!
//! Never: an item of somebody who has left; a Garmin id; content in the log.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::thread;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::access::rights::Reach;
use crate::app::desk::unavailable;
use crate::app::pieces::{PIECES_WAITING, Pieces};
use crate::app::site::Site;
use crate::filing::failure::Failure;
use crate::filing::quarantine::{Holder, ItemId, Listed, Quarantine, Reason, Sent, SentAs, kind};
use crate::http::local::desk::{self, Concerned, Retry};
use crate::http::local_api::StreamPiece;
use crate::journal::{self, Journal};
use crate::model::entry::BEFORE_FILE;
use crate::model::summary::SummaryType;
use crate::people::People;
use crate::people::directory::Directory;
use crate::people::refusal::{Kind, Refusal};
use crate::people::standing::Standing;
use crate::upstream::refusal::Refused;
use crate::upstream::rules::Rules;

/// So much of an item's text is shown.
const TEXT_BYTES_SHOWN: usize = 64 * 1024;
/// So much of a file says what it is.
const FILE_BYTES_READ: usize = 512;

/// The quarantine as a person has it.
pub(super) struct Decisions {
    quarantine: Arc<Quarantine>,
    people: Arc<People>,
    callbacks: Arc<Rules>,
    journal: Journal,
}

/// Whose an item is, in words of the study; nobody's where all are `None`.
#[derive(Default)]
struct Whose {
    study: Option<String>,
    code: Option<String>,
    handle: Option<String>,
}

/// The beginnings of an item's text and of its file.
struct Beginnings {
    text_left: u64,
    separator_left: usize,
    text: Vec<u8>,
    file: Vec<u8>,
    /// Whether all that is wanted is there.
    enough: bool,
    has_file: bool,
}

impl Decisions {
    pub(super) fn new(site: &Site) -> Self {
        Self {
            quarantine: Arc::clone(&site.quarantine),
            people: Arc::clone(&site.people),
            callbacks: Arc::clone(&site.callbacks),
            journal: site.journal.clone(),
        }
    }

    /// All items within this reach, the oldest first.
    pub(super) fn list(&self, reach: &Reach) -> Result<Vec<Value>, Refusal> {
        let directory = self.people.read();
        let mut items = self.quarantine.list()?;
        items.sort_by_key(|listed| (listed.item.received, listed.id.text()));
        let seen = |listed: &Listed| whose(&directory, listed.holder).filter(|whose| whose.is_within(reach));
        let shown = items.iter().filter_map(|listed| Some(self.view(listed, seen(listed)?)));
        Ok(shown.collect())
    }

    /// An item with the beginning of its content.
    pub(super) fn show(&self, id: &str, reach: &Reach) -> Result<Value, Refusal> {
        let (listed, whose) = self.found(id, reach)?;
        let beginnings = self.beginnings(&listed)?;
        let mut shown = self.view(&listed, whose);
        if let Some(members) = shown.as_object_mut() {
            let cut = listed.item.text_bytes() > beginnings.text.len() as u64;
            members.insert("text".to_owned(), json!(String::from_utf8_lossy(&beginnings.text)));
            members.insert("text_cut".to_owned(), json!(cut));
            if beginnings.has_file {
                members.insert("kind".to_owned(), json!(kind(&beginnings.file)));
            }
        }
        Ok(shown)
    }

    /// The bytes of its file, or of its text; and whose it is.
    pub(super) fn content(&self, id: &str, reach: &Reach) -> Result<(Option<Concerned>, desk::Pieces), Refusal> {
        let (listed, whose) = self.found(id, reach)?;
        let before_file = listed.item.file_bytes.map_or(0, |_| listed.item.text_bytes() + BEFORE_FILE.len() as u64);
        let quarantine = Arc::clone(&self.quarantine);
        let (sender, pieces) = mpsc::channel(PIECES_WAITING);
        let run = move || {
            let mut output = Pieces::new(sender.clone());
            let mut left = before_file;
            let read = quarantine.content(&listed, &mut |piece| {
                let skipped = usize::try_from(left).map_or(piece.len(), |left| left.min(piece.len()));
                left -= skipped as u64;
                output.write_all(&piece[skipped..])
            });
            let last = match read.map_err(io::Error::other).and_then(|()| output.flush()) {
                Ok(()) => Ok(StreamPiece::End),
                Err(cause) => {
                    tracing::warn!(%cause, "a quarantined item was not handed over whole");
                    Err(io::Error::other("the item could not be read"))
                }
            };
            if sender.blocking_send(last).is_err() {
                tracing::info!("whoever asked for a quarantined item went away before its end");
            }
        };
        thread::Builder::new().name("quarantine".to_owned()).spawn(run).map_err(|cause| unavailable(&cause))?;
        Ok((whose.concerned(), pieces))
    }

    /// Sends an item through filing once more; returns whose it is.
    pub(super) fn retry(&self, id: &str, retry: Retry, reach: &Reach) -> Result<Option<Concerned>, Refusal> {
        let (listed, whose) = self.found(id, reach)?;
        let sent_as = match retry {
            Retry::AsItCame => SentAs::ItCame,
            Retry::Accepted => SentAs::Accepted,
        };
        let refused = |sentence: &str| Err(Refusal::Other(Kind::Conflict, sentence.to_owned()));
        match self.quarantine.send_back(&self.journal, listed.id, sent_as) {
            Ok(Sent::Done) => Ok(whose.concerned()),
            Ok(Sent::NoSuchItem) => Err(unknown()),
            Ok(Sent::NeedsAcceptance) => refused(
                "The file is not what it was announced as; look at it with `studygate quarantine show`, \
                 then keep it with `studygate quarantine retry --accept`, or drop it.",
            ),
            Ok(Sent::NotAFile) => refused("The item is no file that could be accepted; try it again without --accept."),
            Ok(Sent::Full) => {
                refused("The quarantine is full, so the item could not come back; drop some items first.")
            }
            Err(Failure::Journal(journal::Error::DiskLow)) => {
                let sentence = "The disk is under its reserve; free space on it, then try again.";
                Err(Refusal::Other(Kind::Unavailable, sentence.to_owned()))
            }
            Err(Failure::Journal(journal::Error::Closed)) => {
                Err(Refusal::Other(Kind::Unavailable, "The gateway is stopping; try again later.".to_owned()))
            }
            Err(Failure::Engine(cause)) => Err(cause.into()),
            Err(cause) => Err(unavailable(&cause)),
        }
    }

    /// Destroys an item; returns whose it was.
    pub(super) fn remove(&self, id: &str, reach: &Reach) -> Result<Option<Concerned>, Refusal> {
        let (listed, whose) = self.found(id, reach)?;
        if self.quarantine.drop_item(listed.id)? { Ok(whose.concerned()) } else { Err(unknown()) }
    }

    fn view(&self, listed: &Listed, whose: Whose) -> Value {
        let item = &listed.item;
        let is_callback = item.reason == Reason::RefusedCallback;
        let refused = item.text.as_deref().filter(|_| is_callback).and_then(|text| refused(&self.callbacks, text));
        json!({
            "id": listed.id.text(),
            "received": item.received.to_string(),
            "type": SummaryType::named(&item.member).label(),
            "reason": item.reason.name(),
            "detail": refused.map(|refused| refused.to_string()),
            "bytes": item.bytes,
            "file_bytes": item.file_bytes,
            "study": whose.study,
            "code": whose.code,
            "unassigned": whose.handle,
        })
    }

    fn found(&self, id: &str, reach: &Reach) -> Result<(Listed, Whose), Refusal> {
        let id = ItemId::parse(id).ok_or_else(unknown)?;
        let listed = self.quarantine.find(id)?.ok_or_else(unknown)?;
        let whose = whose(&self.people.read(), listed.holder);
        let whose = whose.filter(|whose| whose.is_within(reach)).ok_or_else(unknown)?;
        Ok((listed, whose))
    }

    fn beginnings(&self, listed: &Listed) -> Result<Beginnings, Refusal> {
        let mut found = Beginnings::of(listed.item.text_bytes(), listed.item.file_bytes.is_some());
        let read = self.quarantine.content(listed, &mut |piece| found.take(piece));
        match read {
            Err(cause) if !found.enough => Err(unavailable(&cause)),
            Ok(()) | Err(_) => {
                found.text.truncate(whole_characters(&found.text));
                Ok(found)
            }
        }
    }
}

impl Whose {
    /// What nobody could be told to own may hold anything of any study.
    fn is_within(&self, reach: &Reach) -> bool {
        reach.covers_some(self.study.as_deref())
    }

    /// The participant whose it is.
    fn concerned(self) -> Option<Concerned> {
        Some(Concerned { study: self.study?, code: self.code? })
    }
}

impl Beginnings {
    fn of(text_bytes: u64, has_file: bool) -> Self {
        Self {
            text_left: text_bytes,
            separator_left: if has_file { BEFORE_FILE.len() } else { 0 },
            text: Vec::new(),
            file: Vec::new(),
            enough: false,
            has_file,
        }
    }

    /// Keeps what is wanted of the next bytes; an error where no more are.
    fn take(&mut self, piece: &[u8]) -> io::Result<()> {
        let length = usize::try_from(self.text_left).map_or(piece.len(), |left| left.min(piece.len()));
        let (text, rest) = piece.split_at(length);
        self.text_left -= length as u64;
        self.text.extend_from_slice(&text[..text.len().min(TEXT_BYTES_SHOWN - self.text.len())]);
        let (separator, file) = rest.split_at(self.separator_left.min(rest.len()));
        self.separator_left -= separator.len();
        self.file.extend_from_slice(&file[..file.len().min(FILE_BYTES_READ - self.file.len())]);
        let text_is_full = self.text.len() == TEXT_BYTES_SHOWN;
        self.enough = if self.has_file { self.file.len() == FILE_BYTES_READ } else { text_is_full };
        if self.enough { Err(io::Error::other("that is enough")) } else { Ok(()) }
    }
}

/// How many bytes of a text that may be cut within a character are whole characters.
fn whole_characters(text: &[u8]) -> usize {
    std::str::from_utf8(text).map_or_else(|error| error.valid_up_to(), str::len)
}

/// Whose it is; `None` where they have left.
fn whose(directory: &Directory, holder: Holder) -> Option<Whose> {
    let Holder::Owner(owner) = holder else { return Some(Whose::default()) };
    if let Some(participant) = directory.participant(&owner) {
        let study = directory.study_of_id(&participant.study)?.name.clone();
        let stays = participant.is_readable();
        let code = participant.code.clone();
        return stays.then(|| Whose { study: Some(study), code: Some(code.to_string()), handle: None });
    }
    let connection = directory.held_owner(&owner)?;
    let stays = !matches!(directory.standing(&connection.digest), Standing::Tombstoned);
    stays.then(|| Whose { handle: Some(connection.held.handle.clone()), ..Whose::default() })
}

/// What speaks against a ping's callback URL, by the rules as they are.
fn refused(callbacks: &Rules, text: &str) -> Option<Refused> {
    #[derive(Deserialize)]
    struct Ping {
        #[serde(rename = "callbackURL")]
        url: String,
    }
    let ping: Ping = serde_json::from_str(text).ok()?;
    callbacks.vet(&ping.url).err()
}

fn unknown() -> Refusal {
    let sentence = "The quarantine has no item of this id; `studygate quarantine list` shows the ids.";
    Refusal::Other(Kind::NotFound, sentence.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_speaks_against_a_callback_is_said_by_the_rules_as_they_are() {
        let text = r#"{"userId":"u","callbackURL":"https://elsewhere.example/wellness-api/rest/mct?token=t"}"#;
        let hosts = |host: &str| Rules::new(&[host.to_owned()], false).expect("a host");
        assert_eq!(refused(&hosts("apis.example"), text), Some(Refused::Host));
        assert_eq!(refused(&hosts("elsewhere.example"), text), None);
        assert_eq!(refused(&hosts("apis.example"), "{"), None);
    }

    /// The beginnings of a content that comes in pieces of this size, and whether more was asked for to the end.
    fn check(text: &str, file: Option<&[u8]>, piece_bytes: usize) -> (Vec<u8>, Vec<u8>, bool) {
        let mut content = text.as_bytes().to_vec();
        if let Some(file) = file {
            content.extend_from_slice(BEFORE_FILE.as_bytes());
            content.extend_from_slice(file);
        }
        let mut found = Beginnings::of(text.len() as u64, file.is_some());
        let to_the_end = content.chunks(piece_bytes).all(|piece| found.take(piece).is_ok());
        assert_eq!(found.enough, !to_the_end);
        (found.text, found.file, to_the_end)
    }

    #[test]
    fn beginnings_are_the_same_however_the_content_comes() {
        let (long_text, long_file) = ("x".repeat(TEXT_BYTES_SHOWN + 9), vec![7; FILE_BYTES_READ + 9]);
        for piece_bytes in [1, 2, 3, 700, 1 << 20] {
            assert_eq!(check("{}", None, piece_bytes), (b"{}".to_vec(), Vec::new(), true));
            assert_eq!(check("{}", Some(b"<html>"), piece_bytes), (b"{}".to_vec(), b"<html>".to_vec(), true));
            assert_eq!(check("{}", Some(&long_file), piece_bytes).1, long_file[..FILE_BYTES_READ]);
            let (text, file, to_the_end) = check(&long_text, None, piece_bytes);
            assert_eq!((text.len(), file.len(), to_the_end), (TEXT_BYTES_SHOWN, 0, false));
            let (text, file, _) = check(&long_text, Some(b"FIT"), piece_bytes);
            assert_eq!((text.len(), &file[..]), (TEXT_BYTES_SHOWN, &b"FIT"[..]), "the file is looked at all the same");
        }
    }

    #[test]
    fn text_is_cut_between_characters() {
        assert_eq!(whole_characters("aä".as_bytes()), 3);
        assert_eq!(whole_characters(&"aä".as_bytes()[..2]), 1);
    }
}
