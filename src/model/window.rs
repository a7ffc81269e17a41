//! Spans of time: by instants, or by days on the participant's own clock.
//!
//! A day is what people agree on in a consent, and what a watch counts by: a bound that was given as a date holds against
//! the local time that a record itself tells. A record that tells no offset counts by UTC.

use serde::{Deserialize, Serialize};

use crate::model::time::UnixSeconds;

const DAY_S: i64 = 86_400;
/// No clock on Earth is further ahead of UTC (Line Islands, UTC+14).
const AHEAD_MAX_S: i32 = 14 * 3600;
/// No clock on Earth is further behind UTC (Baker Island, UTC-12).
const BEHIND_MAX_S: i32 = 12 * 3600;

/// A span of time, `from` included, `to` not; an open end has no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Where it begins.
    pub from: Option<Bound>,
    /// Where it ends: the first instant or day that is outside.
    pub to: Option<Bound>,
}

/// Where a window begins or ends. Stored as a number, or as a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub enum Bound {
    /// An instant.
    At(UnixSeconds),
    /// The beginning of a day on the participant's clock, as that midnight would be in UTC.
    Day(UnixSeconds),
}

/// When something happened, with the offset of the device's clock from UTC in seconds, where it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The time.
    pub at: UnixSeconds,
    /// Seconds from UTC to the device's local time.
    pub offset: Option<i32>,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Stored {
    At(UnixSeconds),
    Day(String),
}

impl Bound {
    /// The beginning of the day of this date, `2026-11-01`.
    pub fn of_date(text: &str) -> Option<Self> {
        UnixSeconds::of_date(text).map(Self::Day)
    }

    /// Where a window ends whose last day is of this date, `2026-11-01`.
    pub fn after_date(text: &str) -> Option<Self> {
        let next = UnixSeconds::of_date(text)?.plus(DAY_S);
        // The last day that can be written has none after it.
        Self::of_date(&next.date())
    }

    /// As if every clock showed UTC: what orders bounds of both kinds.
    pub fn in_utc(self) -> UnixSeconds {
        let (Self::At(time) | Self::Day(time)) = self;
        time
    }

    /// The earlier of the two, each taken as if every clock showed UTC.
    pub fn earlier(self, other: Self) -> Self {
        if self.in_utc() <= other.in_utc() { self } else { other }
    }

    /// Whether this time has been reached.
    fn is_reached(self, moment: Moment) -> bool {
        match self {
            Self::At(time) => time <= moment.at,
            Self::Day(midnight) => midnight <= moment.local(),
        }
    }

    /// Whether a window that ends here has surely ended where one begins that begins there.
    fn is_before(self, start: Self) -> bool {
        let (end, begin) = (self.in_utc(), start.in_utc());
        match (self, start) {
            (Self::At(_), Self::At(_)) | (Self::Day(_), Self::Day(_)) => end <= begin,
            (Self::Day(_), Self::At(_)) => end.plus(i64::from(BEHIND_MAX_S)) <= begin,
            (Self::At(_), Self::Day(_)) => end <= begin.plus(-i64::from(AHEAD_MAX_S)),
        }
    }
}

impl Moment {
    /// What the device's clock showed, as that would be in UTC.
    fn local(self) -> UnixSeconds {
        self.at.plus(i64::from(self.offset.unwrap_or(0)))
    }
}

impl Window {
    /// Whether this time lies within.
    pub fn contains(&self, time: impl Into<Moment>) -> bool {
        let moment = time.into();
        self.from.is_none_or(|from| from.is_reached(moment)) && self.to.is_none_or(|to| !to.is_reached(moment))
    }

    /// Whether this time may lie within, wherever on Earth it was told.
    pub fn may_contain(&self, at: UnixSeconds) -> bool {
        let anywhere = |offset| Moment { at, offset: Some(offset) };
        self.from.is_none_or(|from| from.is_reached(anywhere(AHEAD_MAX_S)))
            && self.to.is_none_or(|to| !to.is_reached(anywhere(-BEHIND_MAX_S)))
    }

    /// Whether the window has not ended at this time; one that ends with a day ends as if every clock showed UTC.
    pub fn is_current(&self, now: UnixSeconds) -> bool {
        self.to.is_none_or(|to| to.in_utc() > now)
    }

    /// Whether some time may lie within both.
    pub fn overlaps(&self, other: &Window) -> bool {
        let before =
            |end: Option<Bound>, start: Option<Bound>| end.zip(start).is_some_and(|(end, start)| end.is_before(start));
        !before(self.to, other.from) && !before(other.to, self.from)
    }

    /// Whether it ends before it begins.
    pub fn is_backwards(&self) -> bool {
        self.from.zip(self.to).is_some_and(|(from, to)| to.in_utc() < from.in_utc())
    }

    /// The beginning as people write it: the first day as a date, or the first instant.
    pub fn first(&self) -> Option<String> {
        self.from.map(|from| match from {
            Bound::At(time) => time.to_string(),
            Bound::Day(midnight) => midnight.date(),
        })
    }

    /// The end as people write it: the last day, included, as a date, or the first instant that is outside.
    pub fn last(&self) -> Option<String> {
        self.to.map(|to| match to {
            Bound::At(time) => time.to_string(),
            Bound::Day(midnight) => midnight.plus(-DAY_S).date(),
        })
    }
}

impl From<UnixSeconds> for Bound {
    fn from(time: UnixSeconds) -> Self {
        Self::At(time)
    }
}

/// A time whose offset is not known: it counts by UTC.
impl From<UnixSeconds> for Moment {
    fn from(at: UnixSeconds) -> Self {
        Self { at, offset: None }
    }
}

impl From<Bound> for Stored {
    fn from(bound: Bound) -> Self {
        match bound {
            Bound::At(time) => Self::At(time),
            Bound::Day(midnight) => Self::Day(midnight.date()),
        }
    }
}

impl TryFrom<Stored> for Bound {
    type Error = &'static str;

    fn try_from(stored: Stored) -> Result<Self, Self::Error> {
        match stored {
            Stored::At(time) => Ok(Self::At(time)),
            Stored::Day(date) => Self::of_date(&date).ok_or("no date"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_S: i64 = 3600;

    fn day(text: &str) -> Option<Bound> {
        Some(Bound::of_date(text).expect("a date"))
    }

    fn window(from: Option<i64>, to: Option<i64>) -> Window {
        let at = |time: i64| Bound::At(UnixSeconds(time));
        Window { from: from.map(at), to: to.map(at) }
    }

    fn midnight(text: &str) -> UnixSeconds {
        UnixSeconds::of_date(text).expect("a date")
    }

    #[test]
    fn window_holds_its_first_second_and_not_its_end() {
        let span = window(Some(10), Some(20));
        assert!(span.contains(UnixSeconds(10)) && !span.contains(UnixSeconds(20)));
        assert!(window(None, None).contains(UnixSeconds(i64::MIN)));
    }

    #[test]
    fn windows_that_only_touch_do_not_overlap() {
        assert!(!window(None, Some(10)).overlaps(&window(Some(10), None)));
        assert!(window(None, Some(11)).overlaps(&window(Some(10), None)));
        let (until, from) =
            (Window { from: None, to: day("2026-11-02") }, Window { from: day("2026-11-02"), to: None });
        assert!(!until.overlaps(&from) && !from.overlaps(&until));
        assert!(until.overlaps(&Window { from: day("2026-11-01"), to: None }));
    }

    #[test]
    fn day_and_instant_overlap_where_they_may_anywhere_on_earth() {
        let until = Window { from: None, to: day("2026-11-02") };
        let from = |hours: i64| Window { from: Some(midnight("2026-11-02").plus(hours * HOUR_S).into()), to: None };
        assert!(until.overlaps(&from(11)) && !until.overlaps(&from(12)));
        let begins = Window { from: day("2026-11-02"), to: None };
        let to = |hours: i64| Window { from: None, to: Some(midnight("2026-11-02").plus(hours * HOUR_S).into()) };
        assert!(begins.overlaps(&to(-13)) && !begins.overlaps(&to(-14)));
    }

    #[test]
    fn day_is_the_one_on_the_participants_own_clock() {
        let november_first = Window { from: day("2026-11-01"), to: day("2026-11-02") };
        let check = |hours: i64, offset: Option<i64>, expected: bool| {
            let offset = offset.map(|hours| i32::try_from(hours * HOUR_S).expect("an offset"));
            let moment = Moment { at: midnight("2026-11-01").plus(hours * HOUR_S), offset };
            assert_eq!(november_first.contains(moment), expected, "{hours} {offset:?}");
        };
        // Midnight in Auckland, Berlin, New York.
        for offset in [13, 1, -4] {
            check(-offset, Some(offset), true);
            check(-offset - 1, Some(offset), false);
            check(23 - offset, Some(offset), true);
            check(24 - offset, Some(offset), false);
        }
        check(0, None, true);
        check(-1, None, false);
    }

    #[test]
    fn what_may_lie_within_somewhere_is_not_left_out() {
        let november_first = Window { from: day("2026-11-01"), to: day("2026-11-02") };
        let may = |hours: i64| november_first.may_contain(midnight("2026-11-01").plus(hours * HOUR_S));
        assert_eq!([-15, -14, 0, 35, 36].map(may), [false, true, true, true, false]);
        assert!(november_first.is_current(midnight("2026-11-02").plus(-1)));
        assert!(!november_first.is_current(midnight("2026-11-02")));
        let instants = window(Some(10), Some(20));
        assert_eq!([9, 10, 19, 20].map(|at| instants.may_contain(UnixSeconds(at))), [false, true, true, false]);
    }

    #[test]
    fn both_stored_forms_are_read_and_days_are_shown_as_they_were_given() {
        let stored = r#"{"from":1793509200,"to":"2026-11-08"}"#;
        let read: Window = serde_json::from_str(stored).expect("it opens");
        assert_eq!(read, Window { from: Some(UnixSeconds(1_793_509_200).into()), to: day("2026-11-08") });
        assert_eq!(serde_json::to_string(&read).expect("JSON"), stored);
        assert_eq!(
            (read.first().as_deref(), read.last().as_deref()),
            (Some("2026-11-01T05:00:00Z"), Some("2026-11-07"))
        );
        for wrong in [r#"{"from":"soon","to":null}"#, r#"{"from":1.5,"to":null}"#, r#"{"from":null,"to":null,"x":1}"#] {
            assert!(serde_json::from_str::<Window>(wrong).is_err(), "{wrong}");
        }
    }
}
