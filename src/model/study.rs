//! A study, and the rules that its participants' data follow.

use serde::{Deserialize, Serialize};

use crate::model::{id::StudyId, time::UnixSeconds};

/// A study as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Study {
    /// Its random identifier.
    pub id: StudyId,
    /// Its name, `[A-Za-z0-9._-]{1,32}`.
    pub name: String,
    /// Whether it takes data.
    pub state: StudyState,
    /// Age recipients (`age1…`), at least one.
    pub recipients: Vec<String>,
    /// What its data follow.
    pub rules: Rules,
    /// Counts the changes of `rules` and `recipients`, from 1.
    pub rules_version: u32,
    /// When it was added.
    pub created: UnixSeconds,
    /// Completed exports so far.
    pub exports: u32,
}

/// Whether a study takes data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StudyState {
    /// Takes data and participants.
    Open,
    /// Takes data, no participants and no changes of its rules.
    Locked,
    /// Takes nothing.
    Closed,
}

/// The rules of a study; contract §1, `study add`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Rules {
    /// Summary types that are collected; empty = all.
    pub types: Vec<String>,
    /// What a deregistration does.
    pub on_deregistration: DataFate,
    /// Days between a deregistration and its purge, 0 to 30.
    pub grace_days: u8,
    /// Positions.
    pub location: LocationRule,
    /// Names and descriptions.
    pub names: Keep,
    /// FIT, TCX and GPX files.
    pub files: Keep,
    /// Device names.
    pub devices: Keep,
    /// Pregnancy fields.
    pub pregnancy: Keep,
    /// Fields and types that the gateway does not know, in datasets.
    pub unknown: Keep,
    /// Dates in datasets.
    pub dates: DatesRule,
    /// Whether what the rules drop is not even stored.
    pub minimise: bool,
    /// When the data are due to be deleted.
    pub retain_until: Option<UnixSeconds>,
    /// Days without data after which a participant counts as silent.
    pub silent_after_days: u16,
    /// The Garmin client that invitations use.
    pub garmin: Option<String>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            types: Vec::new(),
            on_deregistration: DataFate::Purge,
            grace_days: 0,
            location: LocationRule::Drop,
            names: Keep::Drop,
            files: Keep::Drop,
            devices: Keep::Keep,
            pregnancy: Keep::Keep,
            unknown: Keep::Drop,
            dates: DatesRule::Keep,
            minimise: false,
            retain_until: None,
            silent_after_days: 3,
            garmin: None,
        }
    }
}

impl Rules {
    /// Why no study may have these rules together, where none may.
    pub fn disagreement(&self) -> Option<Disagreement> {
        let shifts = self.dates == DatesRule::Shift;
        let found = [
            (self.files == Keep::Keep && self.location != LocationRule::Keep, Disagreement::FilesTellPositions),
            (self.files == Keep::Keep && shifts, Disagreement::FilesTellDates),
            (self.unknown == Keep::Keep && shifts, Disagreement::UnknownMayTellDates),
        ];
        found.into_iter().find(|(holds, _)| *holds).map(|(_, disagreement)| disagreement)
    }

    /// Whether the study collects this summary type.
    pub fn collects(&self, summary_type: &str) -> bool {
        self.types.is_empty() || self.types.iter().any(|name| name == summary_type)
    }
}

/// Rules that contradict each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disagreement {
    /// Files are kept and positions are not; files hold the track.
    FilesTellPositions,
    /// Files are kept and dates are shifted; a file's own dates cannot be.
    FilesTellDates,
    /// Unknown fields are kept and dates are shifted; nobody knows which of them are dates.
    UnknownMayTellDates,
}

/// What becomes of the data of a participant who leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DataFate {
    /// Everything is destroyed.
    Purge,
    /// What identifies the person is destroyed, the rest stays under the code.
    Retain,
}

/// Kept or dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keep {
    /// Stands in datasets.
    Keep,
    /// Does not.
    Drop,
}

/// What becomes of positions; each tells more than the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LocationRule {
    /// Left out.
    Drop,
    /// Cut to two decimals of a degree.
    Coarse,
    /// As Garmin sent them.
    Keep,
}

/// What becomes of dates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DatesRule {
    /// As they are.
    Keep,
    /// Moved by a constant number of whole weeks per participant.
    Shift,
}
