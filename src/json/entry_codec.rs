//! Entries as bytes, for the journal to keep beside the body they were found in.
//!
//! ```text
//! entry  = text(member) varint(span start) varint(span length) shape whose varint(count) field*
//! whose  = 0 text(user) | 1 nobody | 2 unreadable
//! field  = field number, text(value)
//! text   = varint(length) bytes, UTF-8
//! varint = seven bits a byte, lowest first, the top bit set on all but the last
//! ```
//! It has no version of its own: what it stands in has one.

use std::sync::Arc;

use crate::model::entry::{Entry, Field, Shape, Whose};

/// Every number of bytes that a `u64` can take as a varint.
const VARINT_BYTES_MAX: u32 = 10;

/// Adds the bytes of an entry to `out`.
pub fn encode(entry: &Entry, out: &mut Vec<u8>) {
    put_text(&entry.member, out);
    put_number(entry.span.start, out);
    put_number(entry.span.end.saturating_sub(entry.span.start), out);
    out.push(entry.shape as u8);
    match &entry.whose {
        Whose::User(user) => {
            out.push(0);
            put_text(user, out);
        }
        Whose::Nobody => out.push(1),
        Whose::Unreadable => out.push(2),
    }
    put_number(entry.fields.len() as u64, out);
    for (field, text) in &entry.fields {
        out.push(*field as u8);
        put_text(text, out);
    }
}

/// Takes one entry off the front of `bytes`; `None` where none stands there, and then `bytes` is of no use.
pub fn decode(bytes: &mut &[u8]) -> Option<Entry> {
    let member = Arc::from(take_text(bytes)?);
    let start = take_number(bytes)?;
    let end = start.checked_add(take_number(bytes)?)?;
    let shape = shape(take_byte(bytes)?)?;
    let whose = match take_byte(bytes)? {
        0 => Whose::User(take_text(bytes)?.into()),
        1 => Whose::Nobody,
        2 => Whose::Unreadable,
        _ => return None,
    };
    let count = take_number(bytes)?;
    // A field takes two bytes at least, so that a false count cannot ask for memory.
    let mut fields = Vec::with_capacity(usize::try_from(count).ok().filter(|count| *count <= bytes.len() / 2)?);
    for _ in 0..count {
        fields.push((Field::numbered(take_byte(bytes)?)?, take_text(bytes)?.into()));
    }
    Some(Entry { member, span: start..end, shape, whose, fields })
}

fn shape(byte: u8) -> Option<Shape> {
    use Shape::{File, NotAnArray, NotAnObject, Ping, Push, UnexpectedFile};
    [Push, Ping, NotAnObject, NotAnArray, File, UnexpectedFile].into_iter().find(|shape| *shape as u8 == byte)
}

fn put_text(text: &str, out: &mut Vec<u8>) {
    put_number(text.len() as u64, out);
    out.extend_from_slice(text.as_bytes());
}

fn put_number(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn take_text<'a>(bytes: &mut &'a [u8]) -> Option<&'a str> {
    let len = usize::try_from(take_number(bytes)?).ok()?;
    let (text, rest) = bytes.split_at_checked(len)?;
    *bytes = rest;
    std::str::from_utf8(text).ok()
}

fn take_number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for place in 0..VARINT_BYTES_MAX {
        let byte = take_byte(bytes)?;
        let bits = u64::from(byte & 0x7F);
        if (bits << (place * 7)) >> (place * 7) != bits {
            return None;
        }
        number |= bits << (place * 7);
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn take_byte(bytes: &mut &[u8]) -> Option<u8> {
    let (byte, rest) = bytes.split_first()?;
    *bytes = rest;
    Some(*byte)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::{Just, Strategy, any, prop_assert, prop_oneof, proptest};

    use super::*;

    fn entry() -> impl Strategy<Value = Entry> {
        let whose = prop_oneof![
            any::<String>().prop_map(|user| Whose::User(user.into())),
            Just(Whose::Nobody),
            Just(Whose::Unreadable),
        ];
        let shape = (1_u8..=4).prop_map(|byte| shape(byte).expect("four shapes"));
        let field = (0..Field::NAMES.len()).prop_map(|row| Field::NAMES[row].1);
        let fields = vec((field, any::<String>().prop_map(String::into_boxed_str)), 0..5);
        (any::<String>(), any::<u64>(), any::<u64>(), shape, whose, fields).prop_map(
            |(member, one, two, shape, whose, fields)| Entry {
                member: member.into(),
                span: one.min(two)..one.max(two),
                shape,
                whose,
                fields,
            },
        )
    }

    proptest! {
        #[test]
        fn entries_survive_their_bytes(entries in vec(entry(), 0..4)) {
            let mut bytes = Vec::new();
            entries.iter().for_each(|entry| encode(entry, &mut bytes));
            let mut rest = bytes.as_slice();
            for entry in &entries {
                prop_assert!(decode(&mut rest).as_ref() == Some(entry));
            }
            prop_assert!(rest.is_empty());
        }

        #[test]
        fn entry_that_is_cut_off_is_none(entry in entry()) {
            let mut bytes = Vec::new();
            encode(&entry, &mut bytes);
            for end in 0..bytes.len() {
                prop_assert!(decode(&mut &bytes[..end]).is_none());
            }
        }

        #[test]
        fn any_bytes_are_an_entry_or_none(bytes in vec(any::<u8>(), 0..64)) {
            let mut rest = bytes.as_slice();
            if let Some(entry) = decode(&mut rest) {
                let mut again = Vec::new();
                encode(&entry, &mut again);
                prop_assert!(decode(&mut again.as_slice()) == Some(entry));
            }
        }
    }

    #[test]
    fn every_field_and_shape_has_a_number_of_its_own() {
        for (_, known) in Field::NAMES {
            assert_eq!(field(*known as u8), Some(*known));
        }
        assert_eq!((field(0), shape(0), shape(5)), (None, None, None));
    }

    #[test]
    fn common_entry_takes_few_bytes() {
        let entry = Entry {
            member: "dailies".into(),
            span: 12..700,
            shape: Shape::Push,
            whose: Whose::User("u1".into()),
            fields: vec![(Field::Duration, "86400".into())],
        };
        let mut bytes = Vec::new();
        encode(&entry, &mut bytes);
        assert_eq!(bytes, b"\x07dailies\x0c\xb0\x05\x01\x00\x02u1\x01\x06\x0586400");
    }
}
