//! When the daily backup is due, as pure functions: at a time of day in the machine's zone, once; what was missed is
//! made up for, and a failure is tried again an hour later.

use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::TimeZone;

use crate::model::time::UnixSeconds;

/// After a failure it is tried again then, in seconds.
pub const AGAIN_AFTER: i64 = 3600;

/// A time of day, `HH:MM`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeOfDay(Time);

impl TimeOfDay {
    /// The time of this text.
    pub fn parse(text: &str) -> Option<Self> {
        let (hour, minute) = text.split_once(':')?;
        Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok().map(Self)
    }
}

/// Whether a backup is due: the newest one was begun before the last time of day that has passed, and the last failure
/// is an hour ago. Without any backup one is due at once.
pub fn is_due(
    at: TimeOfDay,
    zone: &TimeZone,
    now: UnixSeconds,
    newest: Option<UnixSeconds>,
    failed: Option<UnixSeconds>,
) -> bool {
    let waits = failed.is_some_and(|failed| now.0.saturating_sub(failed.0).abs() < AGAIN_AFTER);
    let last = last_passed(at, zone, now);
    !waits && newest.is_none_or(|newest| newest < last)
}

/// The last moment up to now at which it was this time of day; where the clocks skip it, the moment they skip to.
fn last_passed(at: TimeOfDay, zone: &TimeZone, now: UnixSeconds) -> UnixSeconds {
    let Ok(stamp) = Timestamp::from_second(now.0) else { return now };
    let today = stamp.to_zoned(zone.clone()).date();
    let on = |date: jiff::civil::Date| {
        let zoned = date.to_datetime(at.0).to_zoned(zone.clone()).ok()?;
        Some(UnixSeconds(zoned.timestamp().as_second()))
    };
    let yesterday = today.yesterday().ok().and_then(on);
    on(today).filter(|moment| *moment <= now).or(yesterday).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400;
    /// 2026-11-21, 00:00 UTC.
    const MIDNIGHT: i64 = 1_795_219_200;

    fn check(zone: &TimeZone, now: i64, newest: Option<i64>, failed: Option<i64>, expected: bool) {
        let at = TimeOfDay::parse("02:30").expect("a time of day");
        let found = is_due(at, zone, UnixSeconds(now), newest.map(UnixSeconds), failed.map(UnixSeconds));
        assert_eq!(found, expected, "{now} {newest:?} {failed:?}");
    }

    #[test]
    fn backup_is_due_once_a_day_from_its_time_on() {
        let (zone, half_past_two) = (TimeZone::UTC, MIDNIGHT + 9000);
        check(&zone, MIDNIGHT, None, None, true);
        check(&zone, half_past_two - 1, Some(half_past_two - DAY), None, false);
        check(&zone, half_past_two, Some(half_past_two - DAY), None, true);
        check(&zone, half_past_two + 1, Some(half_past_two), None, false);
        check(&zone, half_past_two + 5 * DAY + 7, Some(half_past_two), None, true);
        // A clock that was ahead: the next one is due when it has come by.
        check(&zone, half_past_two, Some(half_past_two + DAY), None, false);
    }

    #[test]
    fn failure_is_tried_again_an_hour_later() {
        let (zone, now) = (TimeZone::UTC, MIDNIGHT + 9000);
        check(&zone, now + 60, Some(now - DAY), Some(now), false);
        check(&zone, now + AGAIN_AFTER, Some(now - DAY), Some(now), true);
    }

    #[test]
    fn time_of_day_is_the_zones() {
        let ahead = TimeZone::fixed(jiff::tz::offset(2));
        let half_past_two = MIDNIGHT + 9000 - 7200;
        check(&ahead, half_past_two - 1, Some(half_past_two - DAY), None, false);
        check(&ahead, half_past_two, Some(half_past_two - DAY), None, true);
        check(&ahead, half_past_two + 7200, Some(half_past_two), None, false);
    }

    #[test]
    fn only_times_of_day_are_taken() {
        for text in ["", "2", "24:00", "12:60", "a:b"] {
            assert_eq!(TimeOfDay::parse(text), None, "{text}");
        }
    }
}
