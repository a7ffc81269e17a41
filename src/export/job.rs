//! One export: checked first, then written to a stream, its number used on completion.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;

use crate::crypto::keyring::Keyring;
use crate::dataset::about::About;
use crate::dataset::manifest::file_name;
use crate::dataset::recipient::Recipient;
use crate::dataset::row::Versions;
use crate::dataset::write::{self, Options};
use crate::export::select::Scope;
use crate::export::source::StoreSource;
use crate::model::audit::AuditHead;
use crate::model::participant::Participant;
use crate::model::study::Study;
use crate::model::time::UnixSeconds;
use crate::people::People;
use crate::people::exports::{ExportNumber, HandedOut};
use crate::people::refusal::Refusal;
use crate::records::catalog::Catalog;

/// An export that may be written.
pub struct Export {
    people: Arc<People>,
    catalog: Arc<Catalog>,
    keyring: Arc<Keyring>,
    study: Arc<Study>,
    participants: Vec<Arc<Participant>>,
    scope: Scope,
    number: ExportNumber,
    made: UnixSeconds,
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
        let directory = people.read();
        let found = Arc::clone(directory.study(study)?);
        let mut participants: Vec<_> =
            directory.participants(&found.id).filter(|participant| participant.is_readable()).cloned().collect();
        if !scope.participants.is_empty() {
            for code in &scope.participants {
                if !participants.iter().any(|participant| participant.code == *code) {
                    return Err(Refusal::NoParticipant(code.clone(), None));
                }
            }
            participants.retain(|participant| scope.participants.contains(&participant.code));
        }
        let number = people.next_export(study)?;
        Ok(Export { people, catalog, keyring, study: found, participants, scope, number, made })
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
        let Export { people, catalog, keyring, study, participants, scope, number, made } = self;
        let _reading = catalog.reading();
        let recipients = study.recipients.iter().map(|text| Recipient::parse(text));
        let about = About {
            study: study.name.clone(),
            number: number.number(),
            sequence: catalog.sequence(),
            made_at: made,
            window: scope.window,
            recipients: recipients
                .collect::<Result<_, _>>()
                .expect("a study's recipients were checked when it was made"),
            rules: study.rules.clone(),
            rules_version: study.rules_version,
            software: concat!("studygate ", env!("CARGO_PKG_VERSION")).to_owned(),
            audit,
        };
        let rules = study.rules.clone();
        let covered = participants.len() as u64;
        let codes = participants.iter().map(|participant| participant.code.clone()).collect();
        let versions = if scope.revisions { Versions::All } else { Versions::Current };
        let mut source = StoreSource::new(&catalog, &people, participants, rules, scope, about.sequence);
        let seed = keyring.site().signing_seed.clone();
        let options = Options { versions, ..Options::default() };
        let mut written =
            write::write(&mut source, &about, &options, &catalog.scratch(), &seed, output).map_err(Failure::Dataset)?;
        written.output.flush().map_err(Failure::Io)?;
        let manifest_sha256 = written.manifest_sha256;
        let handed_out = HandedOut { number: number.number(), made, manifest: manifest_sha256.clone(), codes };
        people.export_done(&number, &handed_out).map_err(Failure::People)?;
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
