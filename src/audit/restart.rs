//! What a start asks of the log about what a crash may have kept from it.

use crate::audit::act::Act;
use crate::audit::entry::Event;
use crate::audit::intent::Intent;
use crate::audit::list::Filter;
use crate::audit::log::{failed, lock};
use crate::audit::{Error, Log};

/// An entry that names a purge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfPurge {
    /// The purge.
    pub purge: String,
    /// What was done.
    pub act: String,
    /// The entry's number.
    pub sequence: u64,
}

impl Log {
    /// Every entry that names a purge.
    pub fn of_purges(&self) -> Result<Vec<OfPurge>, Error> {
        let (mut filter, mut found) = (Filter::default(), Vec::new());
        loop {
            let page = self.list(&filter).map_err(failed)?;
            found.extend(page.entries.into_iter().filter_map(|entry| {
                let purge = entry.details["purge"].as_str()?.to_owned();
                Some(OfPurge { purge, act: entry.act, sequence: entry.sequence })
            }));
            let Some(next) = page.next else { return Ok(found) };
            filter.after = next;
        }
    }

    /// What was under way when the gateway ended, and whose entry is not there.
    pub(super) fn enter_interrupted(&self, mut left: Vec<Intent>) -> Result<(), Error> {
        if left.is_empty() {
            return Ok(());
        }
        let mut filter = Filter::default();
        loop {
            let page = self.list(&filter).map_err(failed)?;
            for name in page.entries.iter().filter_map(|entry| entry.intent.as_ref()) {
                left.retain(|intent| intent.name != *name);
            }
            let Some(next) = page.next else { break };
            filter.after = next;
        }
        for Intent { name, who, request, study, code } in left {
            let event = Event { act: Act::Interrupted { request }, study, code };
            self.enter(who, vec![event], Some(name))?;
        }
        lock(&self.intents).clear().map_err(failed)
    }
}
