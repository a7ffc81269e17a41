//! Cells: the text that a value has in a table, the same in every format.
//!
//! Never: a number through a float (its digits are copied). Whatever is a time or a date is written here, and in no
//! other place.

use std::borrow::Cow;

use crate::dataset::column::{Column, Kind, OTHER_STATUS, Part, STATUSES};
use crate::model::time::UnixSeconds;

/// The longest text of a cell, in bytes: spreadsheets cut at 32,767 characters. A longer one is cut; `raw/` has it all.
pub const TEXT_BYTES_MAX: usize = 32_000;

const DAY_S: i64 = 86_400;
/// Days of 400 years.
const DAYS_OF_ERA: i64 = 146_097;
/// Days from the first of March of the year 0 to 1970.
const DAYS_BEFORE: i64 = 719_468;

/// A scalar of a record, its escapes decoded.
#[derive(Clone, Copy, Debug)]
pub struct Value<'a> {
    /// The text, or the number or word as it is written.
    pub text: &'a str,
    /// Whether it is a number.
    pub is_number: bool,
}

/// Appends the cell of a value; nothing where it is missing, or none of its column's kind (it stands in `raw/` all the
/// same).
pub fn push_value(column: &Column, value: Value<'_>, output: &mut Vec<u8>) {
    match column.part {
        Part::Whole => push_whole(column.kind, value, output),
        Part::Measured if value.text.starts_with('-') => {}
        Part::Measured => push_whole(column.kind, value, output),
        Part::Status => {
            if let Some(status) = status(value.text) {
                output.extend_from_slice(status.as_bytes());
            }
        }
    }
}

fn push_whole(kind: Kind, value: Value<'_>, output: &mut Vec<u8>) {
    let text = value.text;
    match kind {
        Kind::Text => {
            let mut cut = text.len().min(TEXT_BYTES_MAX);
            while !text.is_char_boundary(cut) {
                cut -= 1;
            }
            output.extend_from_slice(&text.as_bytes()[..cut]);
        }
        Kind::Instant => push_instant(UnixSeconds::of_number(text), output),
        Kind::Integer => {
            if let Some(digits) = integer(text) {
                output.extend_from_slice(digits.as_bytes());
            }
        }
        Kind::Number if value.is_number || is_number(text) => output.extend_from_slice(text.as_bytes()),
        Kind::Boolean if text == "true" || text == "false" => output.extend_from_slice(text.as_bytes()),
        Kind::Date if is_shaped(text, "0000-00-00") => output.extend_from_slice(text.as_bytes()),
        Kind::Time if is_shaped(text, "00:00:00") => output.extend_from_slice(text.as_bytes()),
        Kind::Number | Kind::Boolean | Kind::Date | Kind::Time => {}
    }
}

/// What a negative number of Garmin's says.
fn status(text: &str) -> Option<&'static str> {
    if !text.starts_with('-') || !is_number(text) {
        return None;
    }
    let code = integer(text).and_then(|digits| digits.parse::<i64>().ok());
    let known = STATUSES.iter().find(|(known, _)| code == Some(*known));
    Some(known.map_or(OTHER_STATUS, |(_, status)| status))
}

/// The digits of a number without a fraction, however it is written; `None` where it has one, or is beyond `i64`.
pub fn integer(text: &str) -> Option<Cow<'_, str>> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_plain && (digits == "0" || !digits.starts_with('0')) {
        return text.parse::<i64>().is_ok().then_some(Cow::Borrowed(text));
    }
    let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (digits, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let all = format!("{whole}{fraction}");
    if !is_number(text) || all.len() > 64 {
        return None;
    }
    // What stands behind the point once the exponent has moved it.
    let point = i64::try_from(whole.len()).ok()? + i64::from(exponent);
    let behind = usize::try_from(point.max(0)).ok()?.min(all.len());
    if all.as_bytes()[behind..].iter().any(|digit| *digit != b'0') {
        return None;
    }
    UnixSeconds::of_number(text).map(|seconds| Cow::Owned(seconds.0.to_string()))
}

fn is_number(text: &str) -> bool {
    let starts = text.as_bytes().first().is_some_and(|byte| byte.is_ascii_digit() || *byte == b'-');
    let ends = text.as_bytes().last().is_some_and(u8::is_ascii_digit);
    starts && ends && serde_json::from_str::<&serde_json::value::RawValue>(text).is_ok()
}

fn is_shaped(text: &str, shape: &str) -> bool {
    let fits = |(byte, wanted): (u8, u8)| if wanted == b'0' { byte.is_ascii_digit() } else { byte == wanted };
    text.len() == shape.len() && text.bytes().zip(shape.bytes()).all(fits)
}

/// Appends a time as `2026-11-01T05:00:00Z`; nothing where it is missing, or no time of the years 0 to 9999 and so a
/// made-up one.
pub fn push_instant(time: Option<UnixSeconds>, output: &mut Vec<u8>) {
    if let Some(time) = time.filter(|time| is_believed(*time)) {
        push_date(Some(time), output);
        output.push(b'T');
        push_time(Some(time), output);
        output.push(b'Z');
    }
}

/// Appends the date of a time that has its offset added.
pub fn push_date(local: Option<UnixSeconds>, output: &mut Vec<u8>) {
    let Some(local) = local.filter(|time| is_believed(*time)) else { return };
    let (year, month, day) = date_of(local.0.div_euclid(DAY_S));
    push_digits(year / 100, output);
    push_digits(year % 100, output);
    output.push(b'-');
    push_digits(month, output);
    output.push(b'-');
    push_digits(day, output);
}

/// Appends the time of day of a time that has its offset added.
pub fn push_time(local: Option<UnixSeconds>, output: &mut Vec<u8>) {
    let Some(local) = local.filter(|time| is_believed(*time)) else { return };
    let seconds = local.0.rem_euclid(DAY_S);
    push_digits(seconds / 3600, output);
    output.push(b':');
    push_digits(seconds / 60 % 60, output);
    output.push(b':');
    push_digits(seconds % 60, output);
}

/// Days from 1970 to a date as [`push_date`] writes it.
pub fn days_of(date: &str) -> Option<i64> {
    let mut parts = date.splitn(3, '-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let from_march = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * from_march + 2) / 5 + day - 1;
    Some(era * DAYS_OF_ERA + of_era * 365 + of_era / 4 - of_era / 100 + of_year - DAYS_BEFORE)
}

/// Seconds from midnight to a time of day as [`push_time`] writes it.
pub fn seconds_of(time: &str) -> Option<i64> {
    let mut parts = time.splitn(3, ':').map(|part| part.parse::<i64>().ok());
    let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next()??);
    Some(hours * 3600 + minutes * 60 + seconds)
}

/// The first second of the year 0, and the last of 9999.
fn is_believed(time: UnixSeconds) -> bool {
    (-62_167_219_200..=253_402_300_799).contains(&time.0)
}

/// Year, month and day of a number of days since 1970, by counting from the first of March, so that leap days come last
/// in their year.
fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + DAYS_BEFORE;
    let (era, day) = (days.div_euclid(DAYS_OF_ERA), days.rem_euclid(DAYS_OF_ERA));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year + era * 400 + i64::from(month <= 2), month, of_year - (153 * from_march + 2) / 5 + 1)
}

#[inline]
fn push_digits(number: i64, output: &mut Vec<u8>) {
    let digit = |number: i64| b'0' + u8::try_from(number % 10).expect("a digit is below ten");
    output.extend_from_slice(&[digit(number / 10), digit(number)]);
}

/// Appends a number.
pub fn push_integer(number: i64, output: &mut Vec<u8>) {
    if number < 0 {
        output.push(b'-');
    }
    let mut digits = [0; 20];
    let (mut rest, mut at) = (number.unsigned_abs(), digits.len());
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(rest % 10).expect("a digit is below ten");
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    output.extend_from_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(kind: Kind, text: &str) -> String {
        of(Part::Whole, kind, text)
    }

    fn of(part: Part, kind: Kind, text: &str) -> String {
        let column = Column { part, ..Column::new("x", crate::dataset::column::Origin::Garmin("x"), kind, "x") };
        let mut output = Vec::new();
        push_value(&column, Value { text, is_number: false }, &mut output);
        String::from_utf8(output).expect("text")
    }

    #[test]
    fn numbers_keep_their_digits() {
        for number in ["90071992547409931", "0.5975272352046997", "-25200", "1.0E-4", "144.0"] {
            assert_eq!(cell(Kind::Number, number), number);
        }
        assert_eq!(cell(Kind::Integer, "448"), "448");
    }

    #[test]
    fn integer_has_no_fraction_however_it_is_written() {
        let check = |text, expected| assert_eq!(cell(Kind::Integer, text), expected, "{text}");
        check("144.0", "144");
        check("-144.000", "-144");
        check("1.5E3", "1500");
        check("9007199254740993.0", "9007199254740993");
        check("1200e-2", "12");
        check("0", "0");
        for none in ["144.5", "1e-1", "0.1", "00", "1e30", "9223372036854775808", "", "-", "x", "1.", "12 "] {
            check(none, "");
        }
    }

    #[test]
    fn value_of_another_kind_is_missing() {
        for (kind, value) in [
            (Kind::Number, "=1+1"),
            (Kind::Number, "true"),
            (Kind::Number, ""),
            (Kind::Integer, "null"),
            (Kind::Boolean, "1"),
            (Kind::Date, "soon"),
            (Kind::Instant, "soon"),
            (Kind::Instant, "99999999999999999"),
        ] {
            assert_eq!(cell(kind, value), "", "{kind:?} {value}");
        }
    }

    #[test]
    fn negative_code_is_a_status_and_no_value() {
        for (text, value, status) in [
            ("41", "41", ""),
            ("0", "0", ""),
            ("-1", "", "unmeasurable"),
            ("-2.0", "", "motion"),
            ("-9", "", "other"),
            ("-1.5", "", "other"),
            ("-x", "", ""),
        ] {
            assert_eq!(of(Part::Measured, Kind::Number, text), value, "{text}");
            assert_eq!(of(Part::Status, Kind::Text, text), status, "{text}");
        }
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        let text = "é".repeat(TEXT_BYTES_MAX);
        let cell = cell(Kind::Text, &text);
        assert_eq!(cell.len(), TEXT_BYTES_MAX);
    }

    #[test]
    fn instant_is_made_of_whole_seconds() {
        for text in ["1793509200", "1793509200.75", "1.7935092E9"] {
            assert_eq!(cell(Kind::Instant, text), "2026-11-01T05:00:00Z");
        }
    }

    #[test]
    fn every_time_is_written_as_the_calendar_has_it() {
        let mut seconds = -62_167_219_200_i64;
        while seconds <= 253_402_300_799 {
            let mut written = Vec::new();
            push_instant(Some(UnixSeconds(seconds)), &mut written);
            let written = String::from_utf8(written).expect("text");
            assert_eq!(written, UnixSeconds(seconds).to_string(), "{seconds}");
            let (days, of_day) = (days_of(&written[..10]), seconds_of(&written[11..19]));
            assert_eq!(days.zip(of_day).map(|(days, of_day)| days * DAY_S + of_day), Some(seconds), "{written}");
            seconds += 86_399 * 17 + 12_345;
        }
    }

    #[test]
    fn time_that_no_calendar_has_is_missing() {
        for seconds in [i64::MIN, -62_167_219_201, 253_402_300_800, i64::MAX] {
            let mut written = Vec::new();
            push_instant(Some(UnixSeconds(seconds)), &mut written);
            push_date(Some(UnixSeconds(seconds)), &mut written);
            push_time(Some(UnixSeconds(seconds)), &mut written);
            assert!(written.is_empty(), "{seconds}");
        }
    }
}
