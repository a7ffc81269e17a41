//! Garmin's summary types: which field names a record, which one times it, which version is current.
//!
//! Facts: Garmin Activity API 1.2.3 and Women's Health API 1.0.4, section "Summary Endpoints"; Health API
//! types as seen on the wire.

use std::fmt;

/// A summary type, by the key it has in a notification.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SummaryType {
    /// One of [`KNOWN`], by its place there.
    Known(u8),
    /// A key the gateway does not know: kept verbatim.
    Other(Box<str>),
}

/// What makes two records of a type the same record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NaturalKey {
    /// `summaryId`.
    SummaryId,
    /// `periodStartDate` (the summaryId of `mct` changes with every update).
    PeriodStartDate,
    /// `calendarDate`.
    CalendarDate,
}

/// Which of several versions of a record is the current one; ties go to the latest arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Currency {
    /// The latest `lastUpdatedTimeInSeconds`.
    LastUpdated,
    /// The longest `durationInSeconds`.
    LongestDuration,
    /// The latest arrival alone.
    LatestArrival,
}

/// Garmin's permission that a type falls under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// `ACTIVITY_EXPORT`.
    Activity,
    /// `HEALTH_EXPORT`.
    Health,
    /// `MCT_EXPORT`.
    Mct,
}

impl Permission {
    /// Every permission that a type falls under.
    pub const ALL: [Self; 3] = [Self::Activity, Self::Health, Self::Mct];

    /// Its name in Garmin's notices.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Activity => "ACTIVITY_EXPORT",
            Self::Health => "HEALTH_EXPORT",
            Self::Mct => "MCT_EXPORT",
        }
    }
}

/// What is known of a summary type.
#[derive(Debug)]
pub struct Known {
    /// The key in a notification.
    pub name: &'static str,
    /// What makes two records the same.
    pub key: NaturalKey,
    /// Which version is current.
    pub currency: Currency,
    /// The permission it falls under.
    pub permission: Permission,
}

use Currency::{LastUpdated, LatestArrival, LongestDuration};
use NaturalKey::{CalendarDate, PeriodStartDate, SummaryId};
use Permission::{Activity, Health, Mct};

const fn known(name: &'static str, key: NaturalKey, currency: Currency, permission: Permission) -> Known {
    Known { name, key, currency, permission }
}

/// Every known type. The place of a row is stored with records: append, never reorder.
pub const KNOWN: &[Known] = &[
    known("activities", SummaryId, LongestDuration, Activity),
    known("activityDetails", SummaryId, LongestDuration, Activity),
    known("activityFiles", SummaryId, LatestArrival, Activity),
    known("manuallyUpdatedActivities", SummaryId, LatestArrival, Activity),
    known("moveIQActivities", SummaryId, LongestDuration, Activity),
    known("mct", PeriodStartDate, LastUpdated, Mct),
    known("dailies", SummaryId, LongestDuration, Health),
    known("epochs", SummaryId, LongestDuration, Health),
    known("sleeps", SummaryId, LongestDuration, Health),
    known("stressDetails", SummaryId, LongestDuration, Health),
    known("hrv", SummaryId, LongestDuration, Health),
    known("bloodPressures", SummaryId, LatestArrival, Health),
    known("healthSnapshot", SummaryId, LongestDuration, Health),
    known("skinTemp", SummaryId, LongestDuration, Health),
    known("bodyComps", SummaryId, LatestArrival, Health),
    known("userMetrics", CalendarDate, LatestArrival, Health),
    known("pulseox", SummaryId, LongestDuration, Health),
    known("allDayRespiration", SummaryId, LongestDuration, Health),
];

/// The key of deregistration notices.
pub const DEREGISTRATIONS: &str = "deregistrations";
/// The key of permission changes.
pub const PERMISSION_CHANGES: &str = "userPermissionsChange";

impl SummaryType {
    /// The type with this key; any key is one.
    pub fn named(name: &str) -> Self {
        KNOWN
            .iter()
            .position(|known| known.name == name)
            .and_then(|place| u8::try_from(place).ok())
            .map_or_else(|| Self::Other(name.into()), Self::Known)
    }

    /// Its key in a notification.
    pub fn name(&self) -> &str {
        match self {
            Self::Known(place) => KNOWN[usize::from(*place)].name,
            Self::Other(name) => name,
        }
    }

    /// What is known of it; `None` for a type the gateway does not know.
    pub fn known(&self) -> Option<&'static Known> {
        match self {
            Self::Known(place) => KNOWN.get(usize::from(*place)),
            Self::Other(_) => None,
        }
    }

    /// Its metric label: the known name, or `other`.
    pub fn label(&self) -> &'static str {
        self.known().map_or("other", |known| known.name)
    }
}

impl fmt::Display for SummaryType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_type_is_found_by_its_name() {
        for known in KNOWN {
            let found = SummaryType::named(known.name);
            assert_eq!(found.name(), known.name);
            assert_eq!(found.label(), known.name);
        }
    }

    #[test]
    fn unknown_type_keeps_its_name_and_is_labelled_other() {
        let beats = SummaryType::named("beats");
        assert_eq!((beats.name(), beats.label()), ("beats", "other"));
    }
}
