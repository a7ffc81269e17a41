//! One finding: what was looked at, how bad it is, what is to be said, and what to do.

use serde_json::{Value, json};

use crate::doctor::sentence::{Sentence, Shown, StandIns};

/// How bad it is; the worst is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It is as it should be.
    Ok,
    /// Worth knowing; or it could not be looked at.
    Note,
    /// It works, but somebody should see to it.
    Warning,
    /// It does not work, or data or keys are in danger.
    Problem,
}

impl Severity {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at.
    pub check: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// One sentence, without its full stop.
    pub says: Sentence,
    /// What to do, where there is something to do.
    pub remedy: Option<Sentence>,
}

impl Finding {
    /// It is as it should be.
    pub fn ok(check: &'static str, says: Sentence) -> Self {
        Self { check, severity: Severity::Ok, says, remedy: None }
    }

    /// Worth knowing.
    pub fn note(check: &'static str, says: Sentence, remedy: Sentence) -> Self {
        Self { check, severity: Severity::Note, says, remedy: Some(remedy) }
    }

    /// Somebody should see to it.
    pub fn warning(check: &'static str, says: Sentence, remedy: Sentence) -> Self {
        Self { check, severity: Severity::Warning, says, remedy: Some(remedy) }
    }

    /// It does not work, or something is in danger.
    pub fn problem(check: &'static str, says: Sentence, remedy: Sentence) -> Self {
        Self { check, severity: Severity::Problem, says, remedy: Some(remedy) }
    }

    /// As JSON, for the site itself.
    pub fn json(&self) -> Value {
        json!({
            "check": self.check,
            "severity": self.severity.name(),
            "says": self.says.to_string(),
            "remedy": self.remedy.as_ref().map(Sentence::to_string),
        })
    }

    /// What it says and what to do, as it may leave the site.
    pub fn redacted(&self, stand_ins: &mut StandIns) -> (Shown, Option<Shown>) {
        (self.says.redacted(stand_ins), self.remedy.as_ref().map(|remedy| remedy.redacted(stand_ins)))
    }
}

/// How many problems and warnings there are.
pub fn count(findings: &[Finding]) -> (usize, usize) {
    let of = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    (of(Severity::Problem), of(Severity::Warning))
}
