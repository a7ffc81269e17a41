//! The `Retry-After` header: seconds, or a date in one of the three forms of RFC 9110 §5.6.7.

use std::time::Duration;

use jiff::{civil::DateTime, tz::TimeZone};

use crate::model::time::UnixSeconds;

const DATES: [&str; 3] = ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];

/// How long to wait from `now` on; `None` where the value cannot be read. A date that has passed is no wait at all.
pub(super) fn parse(value: &str, now: UnixSeconds) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // A number beyond 64 bits is a wait beyond any other.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let date = DATES.iter().find_map(|form| DateTime::strptime(form, value).ok())?;
    let then = date.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second();
    let seconds = then.saturating_sub(now.0);
    Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-01T05:00:00Z, a Sunday.
    const NOW: UnixSeconds = UnixSeconds(1_793_509_200);

    #[track_caller]
    fn check(value: &str, expected: Option<u64>) {
        assert_eq!(parse(value, NOW), expected.map(Duration::from_secs), "{value}");
    }

    #[test]
    fn seconds_and_dates_are_read() {
        check("120", Some(120));
        check(" 0 ", Some(0));
        check("Sun, 01 Nov 2026 05:00:30 GMT", Some(30));
        check("Sunday, 01-Nov-26 05:01:00 GMT", Some(60));
        check("Sun Nov  1 05:00:05 2026", Some(5));
    }

    #[test]
    fn date_that_has_passed_is_no_wait() {
        check("Sun, 01 Nov 2026 04:59:59 GMT", Some(0));
    }

    #[test]
    fn number_beyond_all_bounds_is_a_long_wait() {
        check("99999999999999999999999", Some(u64::MAX));
    }

    #[test]
    fn what_is_neither_is_none() {
        for value in ["", "-1", "1.5", "soon", "Sun, 32 Nov 2026 05:00:00 GMT", "2026-11-01T05:00:00Z"] {
            check(value, None);
        }
    }
}
