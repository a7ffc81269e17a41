//! What a batch puts into quarantine: items that nobody can read, and items of known owners that are refused.

use crate::filing::arrival::Arrival;
use crate::filing::batch::{Batch, Target};
use crate::filing::failure::Failure;
use crate::filing::item::Bytes;
use crate::filing::quarantine::{Holder, Quarantined, Reason, VERSION};
use crate::journal::{Header, Position};
use crate::model::entry::{Entry, Shape, Whose};
use crate::model::summary::SummaryType;
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

    /// An item of a known connection that is refused for this reason: a copy for everybody it would have been filed
    /// for, under their own keys. Nothing else of the item may have been read before.
    pub(super) fn set_aside(
        &mut self,
        arrival: &Arrival<'_>,
        bytes: &mut Bytes<'_>,
        reason: Reason,
        targets: &[Target<'_>],
    ) -> Result<(), Failure> {
        let holders: Vec<_> = targets.iter().map(|target| Holder::Owner(target.owner())).collect();
        self.put_apart(&holders, reason, arrival.entry, bytes, arrival.header, arrival.position)
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

/// Why an item is put apart that nothing but itself speaks against.
pub(super) fn reason(entry: &Entry) -> Reason {
    match (entry.shape, &entry.whose) {
        (Shape::NotAnArray, _) => Reason::NotAnArray,
        (Shape::NotAnObject, _) => Reason::NotAnObject,
        (Shape::UnexpectedFile, _) => Reason::UnexpectedFile,
        (Shape::Push | Shape::Ping | Shape::File, Whose::Nobody) => Reason::Nobody,
        (Shape::Push | Shape::Ping | Shape::File, Whose::Unreadable | Whose::User(_)) => Reason::Unreadable,
    }
}
