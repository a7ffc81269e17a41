//! The records of one owner in the batch at hand, and what decides between new, revision and duplicate.

use std::{collections::HashMap, sync::Arc};

use crate::crypto::keyring::OwnerKeys;
use crate::model::{id::OwnerId, summary::SummaryType};
use crate::records::catalog::{Catalog, Error};
use crate::records::index::{ContentDigest, KeyDigest};
use crate::records::pack::Builder;
use crate::records::pseudonym::Pseudonyms;
use crate::telemetry::filing::RecordResult;

/// An owner with records in the batch.
pub struct Owner {
    /// The owner's keys.
    pub keys: Arc<OwnerKeys>,
    /// Makes the owner's pseudonyms.
    pub pseudonyms: Pseudonyms,
    /// The records gathered.
    pub builder: Builder,
    gathered: HashMap<(SummaryType, KeyDigest), Vec<ContentDigest>>,
}

impl Owner {
    /// An owner without records yet.
    pub fn new(keys: Arc<OwnerKeys>) -> Self {
        let pseudonyms = Pseudonyms::new(&keys.pseudonym);
        Self { keys, pseudonyms, builder: Builder::default(), gathered: HashMap::new() }
    }

    /// What a record with this key and content is, seen against everything held and gathered; unless it is a
    /// duplicate, it counts as gathered from then on.
    pub fn judge(
        &mut self,
        catalog: &Catalog,
        id: &OwnerId,
        summary_type: &SummaryType,
        key: KeyDigest,
        content: ContentDigest,
    ) -> Result<RecordResult, Error> {
        let held = catalog.versions(id, summary_type, &key)?;
        let gathered = self.gathered.entry((summary_type.clone(), key)).or_default();
        if gathered.contains(&content) || held.iter().any(|version| version.digest == content) {
            return Ok(RecordResult::Duplicate);
        }
        let first = gathered.is_empty() && held.is_empty();
        gathered.push(content);
        Ok(if first { RecordResult::Stored } else { RecordResult::Revised })
    }

    /// The records gathered so far, to be packed; what is held then decides alone.
    pub fn take(&mut self) -> Builder {
        self.gathered.clear();
        std::mem::take(&mut self.builder)
    }
}
