//! The shift of a participant's dates: one constant number of whole weeks, so that weekdays and all distances in time
//! stay as they are.
//!
//! Never: a moved time that tells the shift. A time that no device tells (zero, a year far off) stands for "none" in
//! some records; moved, it would give the shift away, so it is left out.

use serde::{Deserialize, Serialize};

use crate::model::time::UnixSeconds;

/// So many whole weeks, 1 to [`Shift::WEEKS_MAX`], everything of a participant lies earlier in a dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Shift(u8);

/// A number of weeks that no shift has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfRange;

const WEEK_S: i64 = 7 * 86_400;
/// 2000-01-01 and 2090-01-01: what is recorded lies between.
const BELIEVED: std::ops::Range<i64> = 946_684_800..3_786_912_000;

impl Shift {
    /// The longest shift: within a year, so that nothing lies in the future and ages stay right to a year.
    pub const WEEKS_MAX: u8 = 52;

    /// The shift that these random bytes give; every number of weeks is as likely.
    pub fn drawn(random: [u8; 8]) -> Self {
        let weeks = u64::from_be_bytes(random) % u64::from(Self::WEEKS_MAX);
        Self(u8::try_from(weeks + 1).expect("at most 52"))
    }

    /// The time, moved; `None` where it is none that a device records.
    pub fn time(self, time: UnixSeconds) -> Option<UnixSeconds> {
        BELIEVED.contains(&time.0).then(|| time.plus(-i64::from(self.0) * WEEK_S))
    }

    /// A date written `2026-11-01`, moved; `None` where it is written otherwise, or is none that a device records.
    pub fn date(self, text: &str) -> Option<String> {
        let date = UnixSeconds::of_date(text).filter(|date| date.date() == text)?;
        self.time(date).map(UnixSeconds::date)
    }

    /// Seconds since 1970 as JSON writes numbers, moved, a plain fraction kept; `None` where it is no such number, or
    /// none that a device records.
    pub fn seconds(self, text: &str) -> Option<String> {
        let moved = self.time(UnixSeconds::of_number(text)?)?.0;
        match text.split_once('.') {
            Some((_, fraction)) if fraction.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some(format!("{moved}.{fraction}"))
            }
            Some(_) | None => Some(moved.to_string()),
        }
    }
}

impl TryFrom<u8> for Shift {
    type Error = OutOfRange;

    fn try_from(weeks: u8) -> Result<Self, OutOfRange> {
        if (1..=Self::WEEKS_MAX).contains(&weeks) { Ok(Self(weeks)) } else { Err(OutOfRange) }
    }
}

impl From<Shift> for u8 {
    fn from(shift: Shift) -> Self {
        shift.0
    }
}

impl std::fmt::Display for OutOfRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a shift has 1 to 52 weeks")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEEK: Shift = Shift(1);

    #[test]
    fn every_form_of_a_time_moves_by_the_same_weeks() {
        assert_eq!(WEEK.time(UnixSeconds(1_793_534_400)), Some(UnixSeconds(1_792_929_600)));
        assert_eq!(WEEK.date("2026-11-01").as_deref(), Some("2026-10-25"));
        let check = |text, expected: Option<&str>| assert_eq!(WEEK.seconds(text).as_deref(), expected, "{text}");
        check("1793534400", Some("1792929600"));
        check("1793534400.250", Some("1792929600.250"));
        check("1.7935344E9", Some("1792929600"));
        check("soon", None);
        check("", None);
    }

    #[test]
    fn time_that_stands_for_none_is_left_out_so_that_it_tells_no_shift() {
        for none in ["0", "-1", "1", "9999999999", "253402300799"] {
            assert_eq!(WEEK.seconds(none), None, "{none}");
        }
        for none in ["1970-01-01", "0001-01-01", "9999-12-31", "2099-12-31", "2026-11-1", "01.11.2026", "2026-13-01"] {
            assert_eq!(WEEK.date(none), None, "{none}");
        }
    }

    #[test]
    fn every_draw_is_a_shift_of_one_to_52_weeks_and_each_of_them_is_drawn() {
        let weeks: std::collections::BTreeSet<u8> =
            (0..520_u64).map(|number| Shift::drawn(number.to_be_bytes()).into()).collect();
        assert!(weeks.into_iter().eq(1..=52));
        assert_eq!(Shift::drawn([0xff; 8]).0, u8::try_from(u64::MAX % 52 + 1).expect("small"));
    }

    #[test]
    fn stored_shift_out_of_range_is_refused() {
        assert_eq!(serde_json::to_string(&Shift(52)).expect("JSON"), "52");
        assert!(serde_json::from_str::<Shift>("53").is_err() && serde_json::from_str::<Shift>("0").is_err());
    }
}
