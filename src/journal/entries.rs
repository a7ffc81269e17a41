//! Entries as bytes, for the journal's own frames and files.
//!
//! ```text
//! entry | text member | number start | number length | 1 shape | 1 whose, text user where there is one
//!       | 1 fields | each: 1 field, text |
//! text    number of bytes, UTF-8
//! number  LEB128, as few bytes as it takes
//! ```

use std::sync::Arc;

use crate::model::entry::{Entry, Field, Shape, Whose};

/// Appends the entry to `output`.
pub(crate) fn encode(entry: &Entry, output: &mut Vec<u8>) {
    text(&entry.member, output);
    number(entry.span.start, output);
    number(entry.span.end.saturating_sub(entry.span.start), output);
    output.push(entry.shape as u8);
    match &entry.whose {
        Whose::Nobody => output.push(0),
        Whose::Unreadable => output.push(1),
        Whose::User(user) => {
            output.push(2);
            text(user, output);
        }
    }
    output.push(u8::try_from(entry.fields.len()).expect("each of the few fields stands once at most"));
    for (field, value) in &entry.fields {
        output.push(*field as u8);
        text(value, output);
    }
}

/// Takes one entry off the front; `None` where the bytes are none.
pub(crate) fn decode(input: &mut &[u8]) -> Option<Entry> {
    let member = Arc::from(take_text(input)?);
    let start = take_number(input)?;
    let span = start..start.checked_add(take_number(input)?)?;
    let shape = shape(take_byte(input)?)?;
    let whose = match take_byte(input)? {
        0 => Whose::Nobody,
        1 => Whose::Unreadable,
        2 => Whose::User(take_text(input)?.into()),
        _ => return None,
    };
    let count = take_byte(input)?;
    let mut fields = Vec::with_capacity(usize::from(count));
    for _ in 0..count {
        fields.push((field(take_byte(input)?)?, take_text(input)?.into()));
    }
    Some(Entry { member, span, shape, whose, fields })
}

fn shape(byte: u8) -> Option<Shape> {
    [Shape::Push, Shape::Ping, Shape::NotAnObject, Shape::NotAnArray].into_iter().find(|shape| *shape as u8 == byte)
}

fn field(byte: u8) -> Option<Field> {
    Field::NAMES.iter().map(|(_, field)| *field).find(|field| *field as u8 == byte)
}

fn text(text: &str, output: &mut Vec<u8>) {
    number(text.len() as u64, output);
    output.extend_from_slice(text.as_bytes());
}

fn number(mut value: u64, output: &mut Vec<u8>) {
    while value >= 0x80 {
        output.push(0x80 | (value & 0x7F) as u8);
        value >>= 7;
    }
    output.push(value as u8);
}

fn take_text<'a>(input: &mut &'a [u8]) -> Option<&'a str> {
    let length = usize::try_from(take_number(input)?).ok()?;
    let (text, rest) = input.split_at_checked(length)?;
    *input = rest;
    std::str::from_utf8(text).ok()
}

fn take_number(input: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = take_byte(input)?;
        let bits = u64::from(byte & 0x7F);
        if shift == 63 && bits > 1 {
            return None;
        }
        value |= bits << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

fn take_byte(input: &mut &[u8]) -> Option<u8> {
    let (byte, rest) = input.split_first()?;
    *input = rest;
    Some(*byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(entry: &Entry) {
        let mut bytes = Vec::new();
        encode(entry, &mut bytes);
        for length in 0..bytes.len() {
            assert!(decode(&mut &bytes[..length]).is_none(), "cut to {length}");
        }
        bytes.extend_from_slice(b"next");
        let mut rest = &bytes[..];
        assert!(decode(&mut rest).as_ref() == Some(entry));
        assert_eq!(rest, b"next");
    }

    #[test]
    fn every_shape_owner_and_field_comes_back() {
        for shape in [Shape::Push, Shape::Ping, Shape::NotAnObject, Shape::NotAnArray] {
            for whose in [Whose::Nobody, Whose::Unreadable, Whose::User("someone-é".into())] {
                let fields = Field::NAMES.iter().map(|(name, field)| (*field, Box::from(*name))).collect();
                check(&Entry { member: "dailies".into(), span: 5..u64::MAX, shape, whose, fields });
            }
        }
        check(&Entry {
            member: "".into(),
            span: 0..0,
            shape: Shape::Push,
            whose: Whose::User("x".repeat(300).into()),
            fields: Vec::new(),
        });
    }

    #[test]
    fn numbers_keep_all_their_bits() {
        for value in [0, 1, 127, 128, 16_383, 16_384, u64::MAX - 1, u64::MAX] {
            let mut bytes = Vec::new();
            number(value, &mut bytes);
            assert_eq!(take_number(&mut &bytes[..]), Some(value));
        }
        assert_eq!(take_number(&mut &[0xFF; 10][..]), None);
    }
}
