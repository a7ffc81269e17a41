//! When records happened, read from an index without the rest of it.

use crate::model::summary::{Currency, SummaryType};
use crate::model::time::UnixSeconds;
use crate::records::codec::Cursor;
use crate::records::index::{VERSION, read_column, read_types};

const KEY_BYTES: usize = 10;
const DIGEST_BYTES: usize = 8;

/// When a version of a record happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occurrence<'a> {
    /// The summary type.
    pub summary_type: &'a SummaryType,
    /// The event time, where the record has one.
    pub start: Option<UnixSeconds>,
    /// The device's offset from UTC, in seconds, where the record has one.
    pub offset: Option<i32>,
    /// When it arrived.
    pub received: UnixSeconds,
    /// How long it lasted, in seconds; 0 where its type does not say.
    pub duration: i64,
}

/// Hands the occurrences of these index bytes to `each`; `None` where they are of another version or cut.
pub(super) fn read(bytes: &[u8], each: &mut dyn FnMut(&Occurrence<'_>)) -> Option<()> {
    let mut cursor = Cursor(bytes);
    if cursor.array()? != [VERSION] {
        return None;
    }
    let types = read_types(&mut cursor, bytes.len())?;
    let count = types.len();
    cursor.slice(count.checked_mul(KEY_BYTES)?)?;
    let differing = cursor.slice(count)?.iter().filter(|differs| **differs != 0).count();
    cursor.slice(differing.checked_mul(KEY_BYTES)?)?;
    cursor.slice(count.checked_mul(DIGEST_BYTES)?)?;
    let starts = read_column(&mut cursor, count)?;
    let offsets = read_column(&mut cursor, count)?;
    let received = read_column(&mut cursor, count)?;
    let ranks = read_column(&mut cursor, count)?;
    for (at, summary_type) in types.iter().enumerate() {
        each(&Occurrence {
            summary_type,
            start: starts[at].map(UnixSeconds),
            offset: offsets[at].and_then(|offset| i32::try_from(offset).ok()),
            received: UnixSeconds(received[at]?),
            duration: duration(summary_type, ranks[at]?),
        });
    }
    Some(())
}

/// Of types whose longest version is the current one, the rank is the duration.
fn duration(summary_type: &SummaryType, rank: i64) -> i64 {
    let known = summary_type.known().is_some_and(|known| known.currency == Currency::LongestDuration);
    if known { rank.max(0) } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::index::encode;
    use crate::records::index::tests::entry;

    #[test]
    fn occurrences_say_what_the_index_says() {
        let mut entries: Vec<_> = (0..200).map(entry).collect();
        entries[4].rank = 900;
        let mut at = 0;
        let read = read(&encode(&entries), &mut |found| {
            let expected = &entries[at];
            assert_eq!(found.summary_type, &expected.summary_type);
            assert_eq!(
                (found.start, found.offset, found.received),
                (expected.start, expected.offset, expected.received)
            );
            let duration = if at == 4 || (at > 100 && at.is_multiple_of(2)) { expected.rank } else { 0 };
            assert_eq!(found.duration, duration, "entry {at}");
            at += 1;
        });
        assert_eq!((read, at), (Some(()), 200));
    }

    #[test]
    fn cut_index_is_refused() {
        let bytes = encode(&[entry(1), entry(2)]);
        // Sequences, places and identity parts of two entries stand behind the times.
        let behind = 3 * 4;
        assert!((0..bytes.len() - behind).all(|length| read(&bytes[..length], &mut |_| {}).is_none()));
    }
}
