//! What the gateway itself knows of its log, from the store and from the file beside it.

use std::path::Path;

use crate::audit::Error;
use crate::audit::anchor::{Anchor, AnchorRow};
use crate::audit::line::mac_key;
use crate::audit::log::failed;
use crate::audit::opening::Known;
use crate::audit::tail::{Kept, kept};
use crate::audit::verify::Trust;
use crate::dataset::manifest::Signer;
use crate::model::audit::Checkpoint;

/// What the gateway itself knows of its log.
pub(super) fn own_trust(row: &AnchorRow, dir: &Path) -> Result<Trust, Error> {
    let site = row.keyring.site();
    let stored = row.load()?;
    let Known { entries, is_lost } = known(stored.as_ref(), kept(dir, &row.keyring).map_err(failed)?);
    Ok(Trust {
        mac: Some(mac_key(&site)),
        site_key: Some(Signer::from_seed(&site.signing_seed).public_key()),
        heads: stored.into_iter().filter_map(|anchor| anchor.head).collect(),
        known: entries,
        kept_is_lost: is_lost,
        whole: true,
    })
}

/// What the store and the file beside the log say of its end. Where the store knows of an end, there is such a file.
pub(super) fn known(stored: Option<&Anchor>, kept: Kept) -> Known {
    let head = stored.and_then(|anchor| anchor.head.as_ref()).map(Checkpoint::from);
    let end = stored.and_then(|anchor| anchor.end.clone());
    let is_missing = matches!(kept, Kept::Missing | Kept::Nothing) && end.is_some();
    let is_lost = stored.is_none() || is_missing || kept == Kept::Unreadable;
    let last = if let Kept::To(last) = kept { Some(last) } else { None };
    Known { entries: head.into_iter().chain(end).chain(last).collect(), is_lost }
}
