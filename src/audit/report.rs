//! What verifying a log found.

use std::fmt;

use serde::Serialize;
use serde_json::{Value, json};

use crate::model::audit::{AuditHead, Checkpoint};

/// More findings than this are not told one by one.
pub const FINDINGS_MAX: usize = 1000;

/// What was read, how far it is proven, and what is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// How many entries were read.
    pub entries: u64,
    /// The first and the last of them.
    pub range: Option<(u64, u64)>,
    /// Up to here nothing was altered, dropped, added or put elsewhere since the site signed it, or somebody noted it as
    /// a checkpoint.
    pub proven_to: Option<u64>,
    /// The last entry, to be noted as a checkpoint.
    pub end: Option<Checkpoint>,
    /// The last head whose signature holds.
    pub head: Option<AuditHead>,
    /// What is wrong, in the order of the log; at most [`FINDINGS_MAX`].
    pub findings: Vec<Finding>,
}

/// Something that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The file.
    pub file: String,
    /// The line in it, from 1.
    pub line: u64,
    /// Where the line begins, in bytes from the file's beginning.
    pub byte: u64,
    /// The entry's number, as far as it can be told.
    pub sequence: Option<u64>,
    /// What is wrong.
    #[serde(flatten)]
    pub fault: Fault,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "fault", rename_all = "kebab-case")]
pub enum Fault {
    /// The line has not the form of an entry, or was not written under the log's key.
    Altered,
    /// Line and the one before do not belong together.
    NotAfterTheOneBefore,
    /// The signature does not hold, or is not there.
    BadSignature,
    /// Entries are missing before this one.
    Missing {
        /// The first of them.
        from: u64,
        /// The last.
        to: u64,
    },
    /// An entry stands a second time.
    Repeated,
    /// An entry stands behind a later one.
    OutOfOrder,
    /// The last line does not end.
    Torn,
    /// The log ends before an entry that is known to have been there.
    CutOff {
        /// That entry.
        known_to: u64,
    },
    /// Another entry is known to have been at this place.
    Rewritten,
    /// No head is signed.
    NoHead,
    /// What the gateway keeps of the log's end is missing, or was altered.
    KeptEndLost,
}

impl Report {
    /// As JSON, each finding with its sentence.
    pub fn told(&self) -> Value {
        let mut told = json!(self);
        let findings = self.findings.iter().map(|finding| {
            let mut one = json!(finding);
            one["text"] = json!(finding.to_string());
            one
        });
        told["findings"] = findings.collect();
        told
    }

    pub(super) fn add(&mut self, finding: Finding) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding);
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, byte, sequence, fault } = self;
        write!(f, "{file}, line {line}, byte {byte}")?;
        if let Some(sequence) = sequence {
            write!(f, ", entry {sequence}")?;
        }
        write!(f, ": {fault}")
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Altered => f.write_str("this line was altered"),
            Self::NotAfterTheOneBefore => f.write_str("this line or the one before it was altered"),
            Self::BadSignature => f.write_str("this head is not signed by the site"),
            Self::Missing { from, to } if from == to => write!(f, "entry {from} is missing before this one"),
            Self::Missing { from, to } => write!(f, "entries {from} to {to} are missing before this one"),
            Self::Repeated => f.write_str("this entry stands here a second time"),
            Self::OutOfOrder => f.write_str("this entry stands behind a later one"),
            Self::Torn => f.write_str("the last line does not end"),
            Self::CutOff { known_to } => write!(f, "the log ends here, but once went on to entry {known_to} at least"),
            Self::Rewritten => f.write_str("another entry stood here once: the log was rewritten"),
            Self::NoHead => f.write_str("the log holds no head that the site signed"),
            Self::KeptEndLost => f.write_str("what the gateway keeps of the log's end is missing, or was altered"),
        }
    }
}
