//! Made-up notifications for the tests of `json`: written in odd ways, damaged, cut into chunks.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::fmt;

use proptest::prelude::{BoxedStrategy, Just, Strategy, any, prop_oneof};
use proptest::{collection::vec, option};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Names that an item is read for, and some that it is not.
const NAMES: &[&str] = &[
    "userId",
    "userId",
    "summaryId",
    "activityId",
    "startTimeInSeconds",
    "startTimeOffsetInSeconds",
    "offsetInSeconds",
    "durationInSeconds",
    "callbackURL",
    "permissions",
    "summary",
    "summary",
    "samples",
    "steps",
    "userid",
    "",
    "é",
    "calendarDate",
];

/// A JSON value with the way it is written.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Plain(String),
    Text(String),
    Array(Vec<Value>),
    Object(Vec<(String, Value)>),
}

/// Where the writer of a document makes its choices.
#[derive(Clone, Debug)]
pub(crate) struct Whims(Vec<u8>, usize);

impl Whims {
    pub(crate) fn new(choices: Vec<u8>) -> Self {
        Self(choices, 0)
    }

    /// One that always writes the shortest form.
    pub(crate) fn none() -> Self {
        Self(vec![0], 0)
    }

    fn next(&mut self) -> u8 {
        self.1 += 1;
        self.0.get(self.1 % self.0.len().max(1)).copied().unwrap_or_default()
    }
}

pub(crate) fn whims() -> impl Strategy<Value = Whims> {
    vec(prop_oneof![3 => Just(0_u8), 1 => any::<u8>()], 1..64).prop_map(Whims::new)
}

impl Value {
    pub(crate) fn write(&self, out: &mut String, whims: &mut Whims) {
        white(out, whims);
        match self {
            Self::Plain(text) => out.push_str(text),
            Self::Text(text) => write_text(text, out, whims),
            Self::Array(values) => {
                out.push('[');
                for (place, value) in values.iter().enumerate() {
                    if place > 0 {
                        out.push(',');
                    }
                    value.write(out, whims);
                }
                white(out, whims);
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (place, (name, value)) in members.iter().enumerate() {
                    if place > 0 {
                        out.push(',');
                    }
                    white(out, whims);
                    write_text(name, out, whims);
                    white(out, whims);
                    out.push(':');
                    value.write(out, whims);
                }
                white(out, whims);
                out.push('}');
            }
        }
        white(out, whims);
    }

    pub(crate) fn written(&self, whims: &mut Whims) -> String {
        let mut out = String::new();
        self.write(&mut out, whims);
        out
    }
}

fn white(out: &mut String, whims: &mut Whims) {
    let whim = whims.next();
    if whim & 0xC0 == 0xC0 {
        for place in 0..whim & 7 {
            out.push(match (whim >> (place & 3)) & 3 {
                0 => ' ',
                1 => '\n',
                2 => '\r',
                _ => '\t',
            });
        }
    }
}

fn write_text(text: &str, out: &mut String, whims: &mut Whims) {
    out.push('"');
    for letter in text.chars() {
        let escaped = whims.next() & 0x90 == 0x90;
        match letter {
            '"' | '\\' | '/' if letter != '/' || escaped => {
                out.push('\\');
                out.push(letter);
            }
            '\n' if !escaped => out.push_str("\\n"),
            _ if escaped || letter < ' ' => {
                for unit in letter.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
            _ => out.push(letter),
        }
    }
    out.push('"');
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-z0-9-]{0,12}",
        2 => vec(any::<char>(), 0..6).prop_map(|letters| letters.into_iter().collect()),
        1 => (200_usize..600).prop_map(|length| "x".repeat(length)),
    ]
}

fn scalar() -> BoxedStrategy<Value> {
    prop_oneof![
        3 => text().prop_map(Value::Text),
        4 => "-?(0|[1-9][0-9]{0,18})(\\.[0-9]{1,12})?([eE][+-]?[0-9]{1,3})?".prop_map(Value::Plain),
        1 => prop_oneof![Just("true"), Just("false"), Just("null")].prop_map(|word| Value::Plain(word.to_owned())),
    ]
    .boxed()
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => (0..NAMES.len()).prop_map(|place| NAMES[place].to_owned()),
        1 => text(),
    ]
}

fn members(value: impl Strategy<Value = Value>, most: usize) -> impl Strategy<Value = Vec<(String, Value)>> {
    vec((name(), value), 0..=most)
}

/// Any value, nested a little.
pub(crate) fn value() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(4, 40, 6, |inner| {
        prop_oneof![vec(inner.clone(), 0..6).prop_map(Value::Array), members(inner, 6).prop_map(Value::Object)]
    })
}

/// An item of a notification.
pub(crate) fn item() -> impl Strategy<Value = Value> {
    members(value(), 10).prop_map(Value::Object)
}

/// A notification: mostly arrays of items, some that are none.
pub(crate) fn notification() -> impl Strategy<Value = Value> {
    let array = vec(prop_oneof![5 => item().boxed(), 1 => value().boxed()], 0..4).prop_map(Value::Array);
    members(prop_oneof![5 => array.boxed(), 1 => value().boxed()], 4).prop_map(Value::Object)
}

/// Damage: a byte put in, taken out or replaced (a structural one by preference), or the end cut off.
pub(crate) fn damage() -> impl Strategy<Value = Vec<(u16, u8, u8)>> {
    const BYTES: &[u8] = b"{}[]:,\"\\ue0-+.9tnfEe \x00\x1f\x7f\x80\xc3\xed\xa0\xf4\n";
    let byte = prop_oneof![4 => (0..BYTES.len()).prop_map(|place| BYTES[place]), 1 => any::<u8>()];
    vec((any::<u16>(), 0_u8..6, byte), 1..4)
}

pub(crate) fn damaged(text: &str, damage: &[(u16, u8, u8)]) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for &(place, kind, byte) in damage {
        let place = usize::from(place) % (bytes.len() + 1);
        let structural = bytes[place..].iter().position(|byte| b"{}[],:\"".contains(byte)).map(|past| place + past);
        match kind {
            0 => bytes.insert(place, byte),
            1 if place < bytes.len() => _ = bytes.remove(place),
            2 if place < bytes.len() => bytes[place] = byte,
            3 | 4 => structural.into_iter().for_each(|place| bytes[place] = byte),
            _ => bytes.truncate(place.max(bytes.len().saturating_sub(3))),
        }
    }
    bytes
}

/// Sizes of chunks; `None` = all in one.
pub(crate) fn cuts() -> impl Strategy<Value = Option<Vec<usize>>> {
    option::of(prop_oneof![Just(vec![1_usize]), vec(1_usize..9, 1..8), vec(1_usize..200, 1..8)])
}

pub(crate) fn chunks<'a>(bytes: &'a [u8], cuts: &Option<Vec<usize>>) -> Vec<&'a [u8]> {
    let Some(cuts) = cuts else {
        return vec![bytes];
    };
    let (mut rest, mut chunks) = (bytes, Vec::new());
    for cut in cuts.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (chunk, after) = rest.split_at((*cut).min(rest.len()));
        chunks.push(chunk);
        rest = after;
    }
    chunks
}

/// The members of an object in their order, duplicates included.
pub(crate) struct Members<'a>(pub(crate) Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}
