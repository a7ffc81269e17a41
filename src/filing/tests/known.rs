//! Bodies whose user is known from elsewhere than their text: answers to pings, pulled files.

use tokio::runtime::Builder;

use super::{NOW, Site};
use crate::journal::Header;
use crate::json::split::Splitter;
use crate::model::connection::ClientId;
use crate::model::entry::{Entry, Field, Shape, Whose};
use crate::model::pull::PullRef;
use crate::model::time::UnixSeconds;

/// Takes a body into the journal, all its items this user's; with a shape, its item is followed by this file.
pub(super) fn take(site: &Site, user: &str, body: &str, file: &[u8], shape: Option<Shape>, pull: Option<PullRef>) {
    let mut entries: Vec<Entry> = Vec::new();
    let mut splitter = Splitter::new();
    splitter.feed(body.as_bytes(), &mut |entry| entries.push(entry)).expect("JSON");
    for entry in &mut entries {
        entry.whose = Whose::User(user.into());
        if let Some(shape) = shape {
            entry.shape = shape;
            entry.fields.push((Field::FileBytes, file.len().to_string().into()));
        }
    }
    let header = Header { received: UnixSeconds(NOW), client: ClientId::single(), pull };
    let journal = &site.at().journal;
    if shape.is_none() && body.len() <= site.inline_bytes_max {
        let runtime = Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(journal.commit(header, body.as_bytes().to_vec(), entries)).expect("durable");
        return;
    }
    let mut spool = journal.spool().expect("a spool");
    spool.write(body.as_bytes()).expect("written");
    spool.write(file).expect("written");
    entries.iter().for_each(|entry| spool.entry(entry).expect("written"));
    spool.commit(header).expect("durable");
}
