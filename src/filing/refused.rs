//! What a batch puts into quarantine: items that nobody can read, and items of known owners that are refused.

use crate::filing::batch::Batch;
use crate::filing::failure::Failure;
use crate::filing::item::Bytes;
use crate::filing::quarantine::{Holder, Quarantined, Reason, VERSION};
use crate::filing::worker::Filing;
use crate::journal::{Header, Position};
use crate::model::entry::{Entry, Shape, Whose};
use crate::model::id::OwnerId;
use crate::model::summary::SummaryType;
use crate::people::standing::{LinkedTo, Standing};
use crate::telemetry::filing::RecordResult;

impl Batch<'_> {
    /// An item whose owner or shape cannot be read: nobody can say with whom it is to go.
    pub fn quarantine(
        &mut self,
        entry: &Entry,
        bytes: &mut Bytes<'_>,
        header: &Header,
        position: Position,
    ) -> Result<(), Failure> {
        self.put_apart(&[Holder::Site], reason(entry), entry, bytes, header, position)
    }

    /// An item of a held connection that is refused for this reason.
    pub fn quarantine_held(
        &mut self,
        owner: OwnerId,
        reason: Reason,
        entry: &Entry,
        bytes: &mut Bytes<'_>,
        header: &Header,
        position: Position,
    ) -> Result<(), Failure> {
        self.put_apart(&[Holder::Owner(owner)], reason, entry, bytes, header, position)
    }

    /// An item of a connection with links that is refused for this reason: a copy for every participant whose link is
    /// open, under their own key. Nothing else of the item may have been read before.
    pub fn quarantine_linked(
        &mut self,
        links: &[LinkedTo],
        reason: Reason,
        entry: &Entry,
        bytes: &mut Bytes<'_>,
        header: &Header,
        position: Position,
    ) -> Result<(), Failure> {
        let summary_type = SummaryType::named(&entry.member);
        let mut holders = Vec::new();
        let mut result = RecordResult::OutsideWindow;
        for linked in links.iter().filter(|linked| linked.collects(header.received)) {
            let holder = Holder::Owner(linked.participant.id);
            if !linked.study.rules.collects(summary_type.name()) {
                result = RecordResult::NotPermitted;
            } else if !holders.contains(&holder) {
                holders.push(holder);
            }
        }
        if holders.is_empty() {
            self.tally.count(&summary_type, result);
            return Ok(());
        }
        self.put_apart(&holders, reason, entry, bytes, header, position)
    }

    fn put_apart(
        &mut self,
        holders: &[Holder],
        reason: Reason,
        entry: &Entry,
        bytes: &mut Bytes<'_>,
        header: &Header,
        position: Position,
    ) -> Result<(), Failure> {
        self.newest = self.newest.max(header.received);
        let file = entry.file();
        let span = entry.span.start..file.as_ref().map_or(entry.span.end, |file| file.end);
        let known_user = match &entry.whose {
            Whose::User(user) if !holders.contains(&Holder::Site) => Some(user.clone()),
            Whose::User(_) | Whose::Nobody | Whose::Unreadable => None,
        };
        let item = Quarantined {
            version: VERSION,
            received: header.received,
            client: header.client.as_str().to_owned(),
            member: entry.member.to_string(),
            reason,
            bytes: span.end - span.start,
            text: None,
            blob: None,
            user: known_user,
            file_bytes: file.map(|file| file.end - file.start),
        };
        let mut outcome = Ok(());
        let origin = (position, entry.span.start);
        let read = |output: &mut dyn FnMut(&[u8])| outcome = bytes.read(span, output);
        let row_bytes = self.tools.quarantine.put(&mut self.rows, origin, holders, &item, read)?;
        outcome?;
        self.bytes += row_bytes;
        self.tally.count(&SummaryType::named(&entry.member), RecordResult::Quarantined);
        Ok(())
    }
}

impl Filing {
    /// A malformed item of an answer or a file: whose it is, the pull says.
    pub(super) fn refused(
        &self,
        batch: &mut Batch<'_>,
        user: &str,
        entry: &Entry,
        bytes: &mut Bytes<'_>,
        header: &Header,
        position: Position,
    ) -> Result<(), Failure> {
        let directory = self.parts.people.read();
        let why = reason(entry);
        match directory.standing(&self.parts.people.digest(&header.client, user)) {
            Standing::Linked(links) => batch.quarantine_linked(links, why, entry, bytes, header, position)?,
            Standing::Held(owner) => batch.quarantine_held(owner, why, entry, bytes, header, position)?,
            Standing::Tombstoned => batch.drop_item(entry, RecordResult::DroppedPurged),
            Standing::Unknown => batch.drop_item(entry, RecordResult::NotHeld),
        }
        Ok(())
    }
}

/// Why an item is put apart that nothing but itself speaks against.
fn reason(entry: &Entry) -> Reason {
    match (entry.shape, &entry.whose) {
        (Shape::NotAnArray, _) => Reason::NotAnArray,
        (Shape::NotAnObject, _) => Reason::NotAnObject,
        (Shape::UnexpectedFile, _) => Reason::UnexpectedFile,
        (Shape::Push | Shape::Ping | Shape::File, Whose::Nobody) => Reason::Nobody,
        (Shape::Push | Shape::Ping | Shape::File, Whose::Unreadable | Whose::User(_)) => Reason::Unreadable,
    }
}
