//! The tokens of the scanner, and its states with what follows what.

/// What stands next. Places are relative to the chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// `{` or `[`; counted in the depth.
    Open(Container),
    /// `}` or `]`; no longer counted in the depth.
    Close(Container),
    /// Characters of a string between its quotes, as written.
    Text {
        /// Whether it is a member's name.
        name: bool,
        /// Where they stand.
        part: Part,
        /// Whether they hold no escape or piece of one.
        plain: bool,
    },
    /// Characters of a number.
    Number(Part),
    /// A word, when it has ended.
    Word(Word),
    /// The chunk is used up.
    Starved,
}

/// A stretch of a string or a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) from: usize,
    pub(super) to: usize,
    /// Whether the string or number starts here.
    pub(super) first: bool,
    /// Whether it ends here.
    pub(super) last: bool,
}

impl Part {
    /// Its bytes, in the chunk it was found in.
    #[inline]
    pub(super) fn of<'a>(&self, chunk: &'a [u8]) -> &'a [u8] {
        &chunk[self.from..self.to]
    }

    /// Whether it is all of the string or number.
    #[inline]
    pub(super) fn whole(&self) -> bool {
        self.first && self.last
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Container {
    Object,
    Array,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    True,
    False,
    Null,
}

impl Word {
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::True => "true",
            Self::False => "false",
            Self::Null => "null",
        }
    }
}

/// Where the grammar stands between two tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expect {
    Top,
    FirstName,
    Name,
    Colon,
    FirstValue,
    Value,
    CommaOrEnd,
    Nothing,
}

/// The token that a chunk ended in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Within {
    Nothing,
    Text { name: bool, escape: Escape },
    Number(Numeral),
    Word { word: Word, matched: u8 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Escape {
    None,
    Backslash,
    Hex { left: u8 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Numeral {
    Minus,
    Zero,
    Integer,
    Point,
    Fraction,
    Exponent,
    ExponentSign,
    ExponentDigits,
}

impl Numeral {
    /// Whether a number may end here.
    pub(super) fn may_end(self) -> bool {
        matches!(self, Self::Zero | Self::Integer | Self::Fraction | Self::ExponentDigits)
    }
}

#[inline]
pub(super) fn after_comma(objects: u64) -> Expect {
    if objects & 1 == 1 { Expect::Name } else { Expect::Value }
}

#[inline]
pub(super) fn end_of(objects: u64) -> u8 {
    if objects & 1 == 1 { b'}' } else { b']' }
}

pub(super) fn word_of(byte: u8) -> Word {
    match byte {
        b't' => Word::True,
        b'f' => Word::False,
        _ => Word::Null,
    }
}

pub(super) fn after_escaped(escape: Escape, byte: u8) -> Option<Escape> {
    match (escape, byte) {
        (Escape::Backslash, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Some(Escape::None),
        (Escape::Backslash, b'u') => Some(Escape::Hex { left: 4 }),
        (Escape::Hex { left: 1 }, _) if byte.is_ascii_hexdigit() => Some(Escape::None),
        (Escape::Hex { left }, _) if byte.is_ascii_hexdigit() => Some(Escape::Hex { left: left - 1 }),
        _ => None,
    }
}

pub(super) fn after_digit(state: Numeral, byte: u8) -> Option<Numeral> {
    match (state, byte) {
        (Numeral::Minus, b'0') => Some(Numeral::Zero),
        (Numeral::Minus | Numeral::Integer, b'0'..=b'9') => Some(Numeral::Integer),
        (Numeral::Zero | Numeral::Integer, b'.') => Some(Numeral::Point),
        (Numeral::Point | Numeral::Fraction, b'0'..=b'9') => Some(Numeral::Fraction),
        (Numeral::Zero | Numeral::Integer | Numeral::Fraction, b'e' | b'E') => Some(Numeral::Exponent),
        (Numeral::Exponent, b'+' | b'-') => Some(Numeral::ExponentSign),
        (Numeral::Exponent | Numeral::ExponentSign | Numeral::ExponentDigits, b'0'..=b'9') => {
            Some(Numeral::ExponentDigits)
        }
        _ => None,
    }
}
