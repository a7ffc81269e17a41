//! Times as requests give them: a date, or an RFC 3339 time. A date that begins or ends a window is a day on the
//! participants' own clocks; any other is a day in UTC.

use crate::http::problem::Problem;
use crate::model::participant::Bound;
use crate::model::time::UnixSeconds;

const DAY_SECONDS: i64 = 24 * 60 * 60;

/// A beginning or a moment: a date means its first second.
pub(super) fn beginning(name: &str, text: &str) -> Result<UnixSeconds, Problem> {
    date(text).map_or_else(|| moment(name, text), Ok)
}

/// An end, itself not included: a date means that day is, so it ends with the day.
pub(super) fn end(name: &str, text: &str) -> Result<UnixSeconds, Problem> {
    date(text).map_or_else(|| moment(name, text), |day| Ok(day.plus(DAY_SECONDS)))
}

/// Where a window begins: with the day of a date, or at a time.
pub(super) fn window_beginning(name: &str, text: &str) -> Result<Bound, Problem> {
    match date(text) {
        Some(midnight) => Ok(Bound::Day(midnight)),
        None => moment(name, text).map(Bound::At),
    }
}

/// Where a window ends: with the day of a date, included, or at a time, not included.
pub(super) fn window_end(name: &str, text: &str) -> Result<Bound, Problem> {
    match date(text).and_then(|_| Bound::after_date(text)) {
        Some(end) => Ok(end),
        None => moment(name, text).map(Bound::At),
    }
}

/// By its length: the parser of dates passes over a time that follows one.
fn date(text: &str) -> Option<UnixSeconds> {
    UnixSeconds::of_date(text).filter(|_| text.len() == "2026-11-01".len())
}

fn moment(name: &str, text: &str) -> Result<UnixSeconds, Problem> {
    text.parse::<jiff::Timestamp>().map(|time| UnixSeconds(time.as_second())).map_err(|_| {
        Problem::invalid(format!(
            "\"{name}\" must be a date such as 2026-11-01 or a time such as 2026-11-01T05:00:00Z."
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn date_means_its_first_second_and_as_an_end_the_whole_day() {
        let shown = |time: Result<UnixSeconds, Problem>| time.expect("a time").to_string();
        assert_eq!(shown(beginning("from", "2026-11-01")), "2026-11-01T00:00:00Z");
        assert_eq!(shown(end("to", "2026-11-01")), "2026-11-02T00:00:00Z");
        assert_eq!(shown(end("to", "2026-11-01T05:00:00Z")), "2026-11-01T05:00:00Z");
        assert_eq!(shown(beginning("at", "2026-11-01T05:00:00+02:00")), "2026-11-01T03:00:00Z");
        let of_window = |end: Result<Bound, Problem>| end.expect("a bound");
        let midnight = |text: &str| Bound::Day(UnixSeconds::of_date(text).expect("a date"));
        assert_eq!(of_window(window_beginning("from", "2026-11-01")), midnight("2026-11-01"));
        assert_eq!(of_window(window_end("to", "2026-11-01")), midnight("2026-11-02"));
        let instant = UnixSeconds(1_793_509_200).into();
        assert_eq!(of_window(window_end("to", "2026-11-01T05:00:00Z")), instant);
        assert_eq!(of_window(window_beginning("from", "2026-11-01T07:00:00+02:00")), instant);
        assert!(window_end("to", "9999-12-31").is_err());
        for wrong in ["", "yesterday", "2026-13-01", "2026-11-01T05:00:00", "1793509200"] {
            assert!(beginning("from", wrong).is_err() && end("to", wrong).is_err(), "{wrong}");
        }
    }
}
