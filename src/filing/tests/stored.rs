//! What a site of the tests has stored, and what it has counted.

use super::given::Record;
use super::site::Site;
use crate::model::id::OwnerId;
use crate::model::summary::SummaryType;
use crate::records::read::Window;
use crate::telemetry::filing::RecordResult;

impl Site {
    /// Everything that is stored of a participant, by type, time and record.
    pub(super) fn records(&self, study: &str, code: &str) -> Vec<Record> {
        self.records_of(&self.id(study, code))
    }

    /// Everything that is stored of an owner.
    pub(super) fn records_of(&self, owner: &OwnerId) -> Vec<Record> {
        let catalog = &self.at().catalog;
        let mut window = Window::default();
        let mut entries = catalog.entries(owner).expect("an index opens");
        entries.sort_by(|(_, left), (_, right)| left.sort_key().cmp(&right.sort_key()));
        let read = |(pack, entry)| {
            let mut data = Vec::new();
            let mut keep = |piece: &[u8]| {
                data.extend_from_slice(piece);
                Ok(())
            };
            catalog.data(owner, &pack, &entry, &mut window, &mut keep).expect("a record opens");
            Record { entry, data: String::from_utf8(data).expect("JSON is text") }
        };
        entries.into_iter().map(read).collect()
    }

    /// How many records of this type came to this since the last start.
    pub(super) fn counted(&self, summary_type: &str, result: RecordResult) -> u64 {
        let label = SummaryType::named(summary_type).label();
        self.at().metrics.records.with_label_values(&[label, result.name()]).get()
    }
}
