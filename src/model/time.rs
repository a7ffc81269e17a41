//! Points in time as the gateway keeps them: whole seconds, UTC.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Seconds since 1970-01-01T00:00:00Z, leap seconds not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixSeconds(pub i64);

impl UnixSeconds {
    /// This many seconds later (earlier where negative); saturates at the ends of `i64`.
    pub const fn plus(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// Midnight UTC of a date written `2026-11-01`; `None` where the text is no such date.
    pub fn of_date(text: &str) -> Option<Self> {
        let date: jiff::civil::Date = text.parse().ok()?;
        let midnight = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
        Some(Self(midnight.timestamp().as_second()))
    }

    /// The whole seconds of a number as JSON writes it, never through a float: a fraction is cut off, and an exponent
    /// counts (`1.7935092E9` is how some senders write a float). `None` where the text is no number, or it is beyond
    /// `i64`.
    pub fn of_number(text: &str) -> Option<Self> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (sign, unsigned) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
        let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_digits(whole) || !is_digits(fraction) {
            return None;
        }
        let digits = format!("{whole}{fraction}");
        let point = i64::try_from(whole.len()).ok()?.saturating_add(i64::from(exponent));
        let Ok(length) = usize::try_from(point) else { return Some(Self(0)) };
        let significant = digits.trim_start_matches('0');
        let leading = digits.len() - significant.len();
        let kept = length.saturating_sub(leading);
        if significant.is_empty() || kept == 0 {
            return Some(Self(0));
        }
        // No `i64` has more than 19 digits.
        if kept > 19 {
            return None;
        }
        let zeros = "0".repeat(kept.saturating_sub(significant.len()));
        let cut = &significant[..kept.min(significant.len())];
        format!("{sign}{cut}{zeros}").parse().ok().map(Self)
    }

    /// The UTC date, written `2026-11-01`.
    pub fn date(self) -> String {
        self.to_string().chars().take(10).collect()
    }
}

/// RFC 3339 in UTC with a `Z`: `2026-11-01T05:00:00Z`.
impl fmt::Display for UnixSeconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_second(self.0) {
            Ok(time) => write!(f, "{time}"),
            Err(_) => f.write_str("out-of-range"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_prints_as_rfc_3339() {
        assert_eq!(UnixSeconds(1_793_509_200).to_string(), "2026-11-01T05:00:00Z");
    }

    #[test]
    fn number_reads_as_its_whole_seconds() {
        #[track_caller]
        fn check(text: &str, expected: Option<i64>) {
            assert_eq!(UnixSeconds::of_number(text), expected.map(UnixSeconds), "{text}");
        }
        check("1793509200", Some(1_793_509_200));
        check("1793509200.9", Some(1_793_509_200));
        check("1.7935092E9", Some(1_793_509_200));
        check("1.79350920099E+9", Some(1_793_509_200));
        check("17935092000e-1", Some(1_793_509_200));
        check("-3.6e3", Some(-3600));
        check("0", Some(0));
        check("-0.5", Some(0));
        check("0e999999999", Some(0));
        check("5e-400", Some(0));
        check("0.00012e6", Some(120));
        check("9223372036854775807", Some(i64::MAX));
        check("-9223372036854775808", Some(i64::MIN));
        for none in
            ["9223372036854775808", "1e400", "1e99999999999", "", "-", "x", "1.", ".5", "true", "1e", "+1", "0x10"]
        {
            check(none, None);
        }
    }

    #[test]
    fn date_reads_as_its_midnight() {
        let midnight = UnixSeconds::of_date("2026-11-01").expect("a date");
        assert_eq!(midnight.to_string(), "2026-11-01T00:00:00Z");
        assert_eq!(midnight.date(), "2026-11-01");
        assert_eq!(UnixSeconds::of_date("2026-13-01"), None);
    }
}
