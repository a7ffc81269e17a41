//! One item on its way into a batch, with all that is known of it.

use crate::filing::facts::{Facts, facts};
use crate::journal::{Header, Position};
use crate::model::connection::ConnectionDigest;
use crate::model::entry::Entry;
use crate::model::summary::SummaryType;
use crate::people::permissions::Came;

/// An item whose user can be read.
pub struct Arrival<'a> {
    /// What was found of it.
    pub entry: &'a Entry,
    /// Its type.
    pub summary_type: SummaryType,
    /// Times and rank.
    pub facts: Facts,
    /// What stands beside its body.
    pub header: &'a Header,
    /// Where its body stands in the journal.
    pub position: Position,
    /// Whose it is, as Garmin names them.
    pub user: &'a str,
    /// Whose it is.
    pub connection: ConnectionDigest,
}

impl<'a> Arrival<'a> {
    /// When its body came.
    pub fn came(&self) -> Came {
        Came { received: self.header.received, body: self.position.0 }
    }

    /// The item of this user.
    pub fn new(
        entry: &'a Entry,
        header: &'a Header,
        position: Position,
        user: &'a str,
        connection: ConnectionDigest,
    ) -> Self {
        let summary_type = SummaryType::named(&entry.member);
        let facts = facts(&summary_type, entry);
        Self { entry, summary_type, facts, header, position, user, connection }
    }
}
