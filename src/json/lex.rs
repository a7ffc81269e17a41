//! Lexical scans over a slice, eight bytes at a time: the end of a run of string bytes, of digits, of a number.
//!
//! A byte of a word is tested by arithmetic that may carry into the bytes after it, never before it: the first hit,
//! which is the only one used, is exact.

const ONES: u64 = u64::MAX / 255;
const HIGH_BITS: u64 = ONES << 7;

/// Place of the first `"`, `\` or control character at or after `from`; the length of `bytes` where there is none.
#[inline]
pub(super) fn text_run_end(bytes: &[u8], mut from: usize) -> usize {
    while let Some(word) = word_at(bytes, from) {
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        let quote = zero_bytes(word ^ (ONES * b'"' as u64));
        let backslash = zero_bytes(word ^ (ONES * b'\\' as u64));
        let hits = (control | quote | backslash) & HIGH_BITS;
        if hits != 0 {
            return from + first_byte(hits);
        }
        from += 8;
    }
    while bytes.get(from).is_some_and(|&byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
        from += 1;
    }
    from
}

/// Place of the first byte at or after `from` that is no digit; the length of `bytes` where there is none.
#[inline]
pub(super) fn digits_end(bytes: &[u8], mut from: usize) -> usize {
    while let Some(word) = word_at(bytes, from) {
        let low = word ^ (ONES * b'0' as u64);
        let hits = (low.wrapping_add(ONES * 0x76) | low) & HIGH_BITS;
        if hits != 0 {
            return from + first_byte(hits);
        }
        from += 8;
    }
    while bytes.get(from).is_some_and(u8::is_ascii_digit) {
        from += 1;
    }
    from
}

/// End of the number that starts at `from`, where it is well-formed and something follows it in `bytes`.
#[inline]
pub(super) fn whole_number_end(bytes: &[u8], from: usize) -> Option<usize> {
    let start = from + usize::from(*bytes.get(from)? == b'-');
    let mut end = digits_end(bytes, start);
    if end == start || (end > start + 1 && bytes[start] == b'0') {
        return None;
    }
    let mut next = *bytes.get(end)?;
    if next == b'.' {
        let fraction = end + 1;
        end = digits_end(bytes, fraction);
        if end == fraction {
            return None;
        }
        next = *bytes.get(end)?;
    }
    if next | 0x20 == b'e' {
        let sign = usize::from(matches!(bytes.get(end + 1)?, b'+' | b'-'));
        let exponent = end + 1 + sign;
        end = digits_end(bytes, exponent);
        if end == exponent {
            return None;
        }
    }
    (end < bytes.len()).then_some(end)
}

/// Whether JSON calls this byte white space.
#[inline]
pub(super) fn is_white(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}

#[inline]
fn word_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk::<8>().map(|word| u64::from_le_bytes(*word))
}

#[inline]
fn zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word
}

#[inline]
fn first_byte(hits: u64) -> usize {
    (hits.trailing_zeros() / 8) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_run_ends_at_every_special_byte_and_at_no_other() {
        for byte in 0..=u8::MAX {
            for place in 0..20 {
                let mut bytes = [b'a'; 20];
                bytes[place] = byte;
                let special = byte < 0x20 || byte == b'"' || byte == b'\\';
                assert_eq!(text_run_end(&bytes, 0), if special { place } else { 20 }, "byte {byte:#x} at {place}");
            }
        }
    }

    #[test]
    fn digits_end_at_every_byte_that_is_none() {
        for byte in 0..=u8::MAX {
            for place in 0..20 {
                let mut bytes = *b"01234567890123456789";
                bytes[place] = byte;
                assert_eq!(digits_end(&bytes, 0), if byte.is_ascii_digit() { 20 } else { place });
            }
        }
    }

    #[test]
    fn whole_number_is_found_only_where_its_end_is_in_sight() {
        let check = |text: &str, expected: Option<usize>| {
            assert_eq!(whole_number_end(text.as_bytes(), 0), expected, "{text}");
        };
        check("0,", Some(1));
        check("-0]", Some(2));
        check("10.25}", Some(5));
        check("1E-5,", Some(4));
        check("1.5e+10 ", Some(7));
        check("12345678901234567890.12345678901 ", Some(32));
        for none in ["", "-", "01,", "1", "1.", "1.,", "-,", "1e,", "1e+,", "1e5", "1.5"] {
            check(none, None);
        }
    }
}
