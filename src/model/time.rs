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
    fn date_reads_as_its_midnight() {
        let midnight = UnixSeconds::of_date("2026-11-01").expect("a date");
        assert_eq!(midnight.to_string(), "2026-11-01T00:00:00Z");
        assert_eq!(midnight.date(), "2026-11-01");
        assert_eq!(UnixSeconds::of_date("2026-13-01"), None);
    }
}
