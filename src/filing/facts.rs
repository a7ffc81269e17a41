//! What filing reads of a record from its key fields: when it happened, which version of it is current, its natural key.
//!
//! Facts: Activity API 1.2.3 and Women's Health API 1.0.4, "Summary Endpoints"; Health types as seen on the wire.

use crate::model::entry::{Entry, Field};
use crate::model::summary::{Currency, NaturalKey, SummaryType};
use crate::model::time::UnixSeconds;

/// Times and rank of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// When what it records began, where it says so.
    pub start: Option<UnixSeconds>,
    /// Seconds from UTC to the device's local time, where it says so.
    pub offset: Option<i32>,
    /// The version with the highest rank is current.
    pub rank: i64,
}

/// The facts of an item of this type.
pub fn facts(summary_type: &SummaryType, entry: &Entry) -> Facts {
    let seconds = |field| entry.field(field).and_then(UnixSeconds::of_number).map(|time| time.0);
    let known = summary_type.known();
    let calendar = || entry.field(Field::CalendarDate).and_then(UnixSeconds::of_date);
    let start = match known.map(|known| known.key) {
        Some(NaturalKey::PeriodStartDate) => seconds(Field::LastUpdated).map(UnixSeconds),
        Some(NaturalKey::CalendarDate) => calendar(),
        Some(NaturalKey::SummaryId) | None => {
            let time = seconds(Field::StartTime).or_else(|| seconds(Field::MeasurementTime));
            time.map(UnixSeconds).or_else(calendar)
        }
    };
    let rank = match known.map(|known| known.currency) {
        Some(Currency::LastUpdated) => seconds(Field::LastUpdated),
        Some(Currency::LongestDuration) => seconds(Field::Duration),
        Some(Currency::LatestArrival) => None,
        None => seconds(Field::LastUpdated).or_else(|| seconds(Field::Duration)),
    };
    let offset = seconds(Field::Offset).and_then(|offset| i32::try_from(offset).ok());
    Facts { start, offset, rank: rank.unwrap_or(0) }
}

/// The text that names an item among those of its type and user; `None` where the item lacks it.
pub fn natural_key<'a>(summary_type: &SummaryType, entry: &'a Entry) -> Option<(NaturalKey, &'a str)> {
    let key = summary_type.known().map_or(NaturalKey::SummaryId, |known| known.key);
    let field = match key {
        NaturalKey::SummaryId => Field::SummaryId,
        NaturalKey::PeriodStartDate => Field::PeriodStartDate,
        NaturalKey::CalendarDate => Field::CalendarDate,
    };
    entry.field(field).map(|text| (key, text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::entry::{Shape, Whose};

    fn entry(fields: &[(Field, &str)]) -> Entry {
        Entry {
            member: "x".into(),
            span: 0..2,
            shape: Shape::Push,
            whose: Whose::Nobody,
            fields: fields.iter().map(|(field, text)| (*field, Box::from(*text))).collect(),
        }
    }

    #[track_caller]
    fn check(summary_type: &str, fields: &[(Field, &str)], expected: (Option<i64>, Option<i32>, i64)) {
        let Facts { start, offset, rank } = facts(&SummaryType::named(summary_type), &entry(fields));
        assert_eq!((start.map(|time| time.0), offset, rank), expected);
    }

    #[test]
    fn times_and_rank_come_from_the_fields_of_the_type() {
        use Field::{CalendarDate, Duration, LastUpdated, MeasurementTime, Offset, StartTime};
        check(
            "activities",
            &[(StartTime, "1700000000"), (Offset, "-3600"), (Duration, "60")],
            (Some(1_700_000_000), Some(-3600), 60),
        );
        check("moveIQActivities", &[(StartTime, "1700000000.5")], (Some(1_700_000_000), None, 0));
        check("moveIQActivities", &[(StartTime, "1.7000000005E9")], (Some(1_700_000_000), None, 0));
        check("mct", &[(LastUpdated, "1700000001")], (Some(1_700_000_001), None, 1_700_000_001));
        check("userMetrics", &[(CalendarDate, "2026-11-01")], (Some(1_793_491_200), None, 0));
        check("bodyComps", &[(MeasurementTime, "1700000002")], (Some(1_700_000_002), None, 0));
        check("sleeps", &[], (None, None, 0));
        check("beats", &[(LastUpdated, "5"), (Duration, "7")], (None, None, 5));
    }
}
