//! Pings: kept, sealed, until they are pulled.
//!
//! Everything of a ping identifies the person (its URL is a bearer secret), so it stands under the identity key.

use std::sync::Arc;

use serde::Serialize;

use crate::crypto::seal::{self, Location};
use crate::filing::batch::Batch;
use crate::filing::failure::Failure;
use crate::filing::item::Bytes;
use crate::filing::owner::Owner;
use crate::journal::Header;
use crate::model::entry::Entry;
use crate::model::summary::SummaryType;
use crate::model::time::UnixSeconds;
use crate::people::standing::LinkedTo;
use crate::store::engine::{row, table};
use crate::telemetry::filing::RecordResult;

/// The version of the stored form.
const VERSION: u8 = 1;
/// The text of a ping up to this size is kept beside its key fields, in bytes.
const TEXT_BYTES_MAX: u64 = 3072;
/// The table name that pings are sealed for.
const TABLE: &str = "pull";

/// A ping as stored.
#[derive(Serialize)]
struct Stored<'a> {
    version: u8,
    #[serde(rename = "type")]
    summary_type: &'a str,
    received: UnixSeconds,
    client: &'a str,
    /// Key fields by their number; `callbackURL` is one of them.
    fields: Vec<(u8, &'a str)>,
    /// All of it, where it is not too long.
    item: Option<&'a str>,
}

impl Batch<'_> {
    /// A ping is kept for every participant whose link is open; the same window pinged again replaces it.
    pub(super) fn ping(
        &mut self,
        summary_type: &SummaryType,
        entry: &Entry,
        bytes: &mut Bytes<'_>,
        header: &Header,
        links: &[LinkedTo],
    ) -> Result<(), Failure> {
        self.newest = self.newest.max(header.received);
        let open: Vec<_> = links.iter().filter(|linked| linked.collects(header.received)).collect();
        let taken: Vec<_> =
            open.iter().filter(|linked| linked.study.rules.collects(summary_type.name())).copied().collect();
        if taken.is_empty() {
            let result = if open.is_empty() { RecordResult::OutsideWindow } else { RecordResult::NotPermitted };
            self.tally.count(summary_type, result);
            return Ok(());
        }
        let mut text = Vec::new();
        if entry.span.end - entry.span.start <= TEXT_BYTES_MAX {
            bytes.read(entry.span.clone(), &mut |piece| text.extend_from_slice(piece))?;
        }
        let stored = Stored {
            version: VERSION,
            summary_type: summary_type.name(),
            received: header.received,
            client: header.client.as_str(),
            fields: entry.fields.iter().map(|(field, text)| (*field as u8, &**text)).collect(),
            item: std::str::from_utf8(&text).ok().filter(|text| !text.is_empty()),
        };
        let value = serde_json::to_vec(&stored).expect("text is written to memory");
        for linked in taken {
            let id = linked.participant.id;
            let catalog = self.tools.catalog;
            let keys = catalog.keys(&id)?;
            // Without an identity key the participant has no link that is open.
            let Some(identity) = &keys.identity else { continue };
            let owner = self.owners.entry(id).or_insert_with(|| Owner::new(Arc::clone(&keys)));
            let name = owner.pseudonyms.pull(summary_type, entry);
            let location = Location { table: TABLE, owner: id.as_bytes(), item: &name.0 };
            let sealed = seal::seal(identity, location, &value, &*catalog.rng);
            self.bytes += sealed.len();
            self.rows.put(row(id.as_bytes(), table::PULL, &name.0), sealed);
        }
        Ok(())
    }
}
