//! One export: checked first, then written to a stream, its number used on completion.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;

use crate::crypto::keyring::Keyring;
use crate::dataset::about::About;
use crate::dataset::manifest::file_name;
use crate::dataset::recipient::Recipient;
use crate::dataset::row::Versions;
use crate::dataset::spill::Room;
use crate::dataset::write::{self, Options};
use crate::export::plan::{SOFTWARE, plan};
use crate::export::select::Scope;
use crate::export::source::StoreSource;
use crate::model::audit::AuditHead;
use crate::model::study::{DatesRule, Study};
use crate::model::time::UnixSeconds;
use crate::people::People;
use crate::people::exports::ExportNumber;
use crate::people::refusal::Refusal;
use crate::people::register::{HandedOver, Terms};
use crate::records::catalog::Catalog;

/// An export that may be written.
pub struct Export {
    people: Arc<People>,
    catalog: Arc<Catalog>,
    keyring: Arc<Keyring>,
    study: Arc<Study>,
    scope: Scope,
    number: ExportNumber,
    made: UnixSeconds,
    by: String,
    room: Room,
}

/// An export that is complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completed {
    /// Its number.
    pub number: u32,
    /// How many participants it covers.
    pub participants: u64,
    /// SHA-256 of its manifest, 64 hexadecimal digits.
    pub manifest_sha256: String,
}

/// Why an export failed while it was written.
#[derive(Debug)]
pub enum Failure {
    /// The dataset could not be written.
    Dataset(write::Error),
    /// Its number could not be recorded.
    People(Refusal),
    /// The last bytes could not be written.
    Io(io::Error),
}

impl Export {
    /// The export of a study, with the next number of the study.
    pub fn new(
        people: Arc<People>,
        catalog: Arc<Catalog>,
        keyring: Arc<Keyring>,
        study: &str,
        scope: Scope,
        made: UnixSeconds,
    ) -> Result<Export, Refusal> {
        // From here on whether dates are shifted does not change.
        let number = people.next_export(study)?;
        let found = people.study(study)?;
        if found.rules.dates == DatesRule::Shift {
            people.draw_shifts(&found.id)?;
        }
        // What cannot be planned is refused before the first byte; it is planned anew when it is written.
        plan(&people, &found, scope.clone(), number.number(), catalog.sequence(), made)?;
        Ok(Export {
            people,
            catalog,
            keyring,
            study: found,
            scope,
            number,
            made,
            by: String::new(),
            room: Arc::new(|_| true),
        })
    }

    /// The same, setting aside what it must while there is room on the disk.
    pub fn within(self, room: Room) -> Export {
        Export { room, ..self }
    }

    /// The same, asked for by whom these words name; the register keeps them.
    pub fn asked_by(self, by: String) -> Export {
        Export { by, ..self }
    }

    /// The name its file should have.
    pub fn file_name(&self) -> String {
        file_name(&self.study.name, self.number.number(), self.made)
    }

    /// The number it has once it is complete.
    pub fn number(&self) -> u32 {
        self.number.number()
    }

    /// Writes the dataset, this head of the audit log in its manifest; on return it is complete and its number used.
    pub fn write<W: Write>(self, output: W, audit: Option<AuditHead>) -> Result<Completed, Failure> {
        let Export { people, catalog, keyring, study, scope, number, made, by, room } = self;
        let _reading = catalog.reading();
        let plan = plan(&people, &study, scope, number.number(), catalog.sequence(), made).map_err(Failure::People)?;
        let recipients = study.recipients.iter().map(|text| Recipient::parse(text));
        let recipients: Vec<_> =
            recipients.collect::<Result<_, _>>().expect("a study's recipients were checked when it was made");
        let terms = Terms { by, ..plan.terms(recipients.iter().map(Recipient::fingerprint).collect()) };
        let about = About {
            study: study.name.clone(),
            number: number.number(),
            sequence: plan.view.sequence,
            made_at: made,
            window: plan.view.scope.window,
            recipients,
            rules: plan.view.rules.clone(),
            rules_version: plan.rules_version,
            software: SOFTWARE.to_owned(),
            audit,
            lineage: plan.lineage.clone(),
        };
        let versions = if plan.view.scope.revisions { Versions::All } else { Versions::Current };
        let mut source = StoreSource::new(&catalog, &people, &plan);
        let seed = keyring.site().signing_seed.clone();
        let Scope { tables, format, .. } = plan.view.scope.clone();
        let options = Options { versions, tables, format, ..Options::default() };
        let mut written = write::write(&mut source, &about, &options, &catalog.scratch(room), &seed, output)
            .map_err(Failure::Dataset)?;
        written.output.flush().map_err(Failure::Io)?;
        let manifest_sha256 = written.manifest_sha256;
        let participants = plan.view.participants.clone();
        let covered = participants.len() as u64;
        let handed_over = HandedOver { made, manifest: manifest_sha256.clone(), participants, terms };
        people.export_done(&number, &handed_over).map_err(Failure::People)?;
        Ok(Completed { number: number.number(), participants: covered, manifest_sha256 })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dataset(cause) => cause.fmt(f),
            Self::People(cause) => cause.fmt(f),
            Self::Io(cause) => write!(f, "the dataset could not be written: {cause}"),
        }
    }
}

impl std::error::Error for Failure {}
