//! The grammar of JSON, push-fed: tokens while they are in sight, parts of them where a chunk ends in their midst.
//!
//! It demands an object at the top, nesting of at most [`DEPTH_MAX`], and only white space after the object. It does
//! not check UTF-8, and takes an escaped lone surrogate for what it is: six characters. Its memory is a few words.

use crate::json::fault::{DEPTH_MAX, Fault};
use crate::json::lex::{digits_end, is_white, text_run_end, whole_number_end};
use crate::json::token::{
    Container, Escape, Expect, Numeral, Part, Token, Within, Word, after_comma, after_digit, after_escaped, end_of,
    word_of,
};

/// The scanner between two bytes.
#[derive(Debug)]
pub(super) struct Scanner {
    pub(super) expect: Expect,
    pub(super) within: Within,
    pub(super) depth: usize,
    /// A bit per open container, the innermost lowest: 1 = object.
    pub(super) objects: u64,
    base: u64,
    start: u64,
}

impl Default for Scanner {
    fn default() -> Self {
        Self::new()
    }
}

impl Scanner {
    pub(super) fn new() -> Self {
        Self { expect: Expect::Top, within: Within::Nothing, depth: 0, objects: 0, base: 0, start: 0 }
    }

    /// How many containers are open.
    #[inline]
    pub(super) fn depth(&self) -> usize {
        self.depth
    }

    /// Whether the innermost open container is an object.
    #[inline]
    pub(super) fn in_object(&self) -> bool {
        self.objects & 1 == 1
    }

    /// Whether the container around the innermost open one is an object.
    #[inline]
    pub(super) fn parent_is_object(&self) -> bool {
        self.objects & 2 == 2
    }

    /// Offset in the stream of a place in this chunk.
    pub(super) fn offset(&self, place: usize) -> u64 {
        self.base + place as u64
    }

    /// Offset in the stream where the last token started.
    pub(super) fn start(&self) -> u64 {
        self.start
    }

    /// Whether the top object has ended.
    pub(super) fn is_over(&self) -> bool {
        self.expect == Expect::Nothing
    }

    /// The chunk is used up: the next one follows it.
    pub(super) fn next_chunk(&mut self, len: usize) {
        self.base += len as u64;
    }

    /// The next token at or after `place`, which moves behind it; on a fault it stays at the byte at fault.
    #[inline]
    pub(super) fn next(&mut self, chunk: &[u8], place: &mut usize) -> Result<Token, Fault> {
        if self.within != Within::Nothing {
            return self.resume(chunk, place);
        }
        loop {
            let Some(&byte) = chunk.get(*place) else {
                return Ok(Token::Starved);
            };
            if is_white(byte) {
                *place += 1;
                continue;
            }
            match self.expect {
                Expect::Value | Expect::FirstValue => return self.value(byte, chunk, place),
                Expect::Name | Expect::FirstName if byte == b'"' => return self.text_start(true, chunk, place),
                Expect::FirstName if byte == b'}' => return Ok(self.close(place)),
                Expect::Colon if byte == b':' => self.expect = Expect::Value,
                Expect::CommaOrEnd if byte == b',' => self.expect = after_comma(self.objects),
                Expect::CommaOrEnd if byte == end_of(self.objects) => return Ok(self.close(place)),
                Expect::Top if byte == b'{' => return self.open(Container::Object, place),
                Expect::Top if matches!(byte, b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => {
                    return Err(Fault::NotAnObject);
                }
                Expect::Nothing => return Err(Fault::TrailingData),
                Expect::Top | Expect::Name | Expect::FirstName | Expect::Colon | Expect::CommaOrEnd => {
                    return Err(Fault::NotJson);
                }
            }
            *place += 1;
        }
    }

    #[inline]
    fn value(&mut self, byte: u8, chunk: &[u8], place: &mut usize) -> Result<Token, Fault> {
        match byte {
            b'"' => self.text_start(false, chunk, place),
            b'-' | b'0'..=b'9' => self.number_start(byte, chunk, place),
            b'{' => self.open(Container::Object, place),
            b'[' => self.open(Container::Array, place),
            b't' | b'f' | b'n' => {
                self.start = self.offset(*place);
                self.word(word_of(byte), 0, chunk, place)
            }
            b']' if self.expect == Expect::FirstValue => Ok(self.close(place)),
            _ => Err(Fault::NotJson),
        }
    }

    #[inline]
    fn open(&mut self, container: Container, place: &mut usize) -> Result<Token, Fault> {
        if self.depth == DEPTH_MAX {
            return Err(Fault::TooDeep);
        }
        self.start = self.offset(*place);
        self.depth += 1;
        let object = container == Container::Object;
        self.objects = self.objects << 1 | u64::from(object);
        self.expect = if object { Expect::FirstName } else { Expect::FirstValue };
        *place += 1;
        Ok(Token::Open(container))
    }

    #[inline]
    fn close(&mut self, place: &mut usize) -> Token {
        let container = if self.in_object() { Container::Object } else { Container::Array };
        self.depth -= 1;
        self.objects >>= 1;
        self.expect = if self.depth == 0 { Expect::Nothing } else { Expect::CommaOrEnd };
        *place += 1;
        Token::Close(container)
    }

    #[inline]
    fn text_start(&mut self, name: bool, chunk: &[u8], place: &mut usize) -> Result<Token, Fault> {
        self.start = self.offset(*place);
        *place += 1;
        let from = *place;
        let end = text_run_end(chunk, from);
        if chunk.get(end) == Some(&b'"') {
            *place = end + 1;
            self.expect = if name { Expect::Colon } else { Expect::CommaOrEnd };
            return Ok(Token::Text { name, part: Part { from, to: end, first: true, last: true }, plain: true });
        }
        self.text(name, Escape::None, true, chunk, place)
    }

    #[inline]
    fn number_start(&mut self, byte: u8, chunk: &[u8], place: &mut usize) -> Result<Token, Fault> {
        self.start = self.offset(*place);
        let from = *place;
        if let Some(to) = whole_number_end(chunk, from) {
            *place = to;
            self.expect = Expect::CommaOrEnd;
            return Ok(Token::Number(Part { from, to, first: true, last: true }));
        }
        *place += 1;
        let state = match byte {
            b'-' => Numeral::Minus,
            b'0' => Numeral::Zero,
            _ => Numeral::Integer,
        };
        self.number(state, from, true, chunk, place)
    }

    #[cold]
    fn resume(&mut self, chunk: &[u8], place: &mut usize) -> Result<Token, Fault> {
        if *place >= chunk.len() {
            return Ok(Token::Starved);
        }
        match self.within {
            Within::Text { name, escape } => self.text(name, escape, false, chunk, place),
            Within::Number(state) => self.number(state, *place, false, chunk, place),
            Within::Word { word, matched } => self.word(word, matched, chunk, place),
            Within::Nothing => Ok(Token::Starved),
        }
    }

    fn text(
        &mut self,
        name: bool,
        mut escape: Escape,
        first: bool,
        chunk: &[u8],
        place: &mut usize,
    ) -> Result<Token, Fault> {
        let from = *place;
        let mut plain = escape == Escape::None;
        let mut last = false;
        let mut to = chunk.len();
        while *place < chunk.len() {
            if escape == Escape::None {
                *place = text_run_end(chunk, *place);
                match chunk.get(*place) {
                    None => break,
                    Some(b'"') => {
                        to = *place;
                        *place += 1;
                        last = true;
                        break;
                    }
                    Some(b'\\') => (escape, plain) = (Escape::Backslash, false),
                    Some(_) => return Err(Fault::NotJson),
                }
            } else {
                escape = after_escaped(escape, chunk[*place]).ok_or(Fault::NotJson)?;
            }
            *place += 1;
        }
        if last {
            self.within = Within::Nothing;
            self.expect = if name { Expect::Colon } else { Expect::CommaOrEnd };
        } else {
            self.within = Within::Text { name, escape };
        }
        Ok(Token::Text { name, part: Part { from, to, first, last }, plain })
    }

    fn number(
        &mut self,
        mut state: Numeral,
        from: usize,
        first: bool,
        chunk: &[u8],
        place: &mut usize,
    ) -> Result<Token, Fault> {
        while let Some(&byte) = chunk.get(*place) {
            if matches!(state, Numeral::Integer | Numeral::Fraction | Numeral::ExponentDigits) && byte.is_ascii_digit()
            {
                *place = digits_end(chunk, *place);
                continue;
            }
            match after_digit(state, byte) {
                Some(next) => state = next,
                None if state.may_end() => {
                    self.within = Within::Nothing;
                    self.expect = Expect::CommaOrEnd;
                    return Ok(Token::Number(Part { from, to: *place, first, last: true }));
                }
                None => return Err(Fault::NotJson),
            }
            *place += 1;
        }
        self.within = Within::Number(state);
        Ok(Token::Number(Part { from, to: chunk.len(), first, last: false }))
    }

    fn word(&mut self, word: Word, matched: u8, chunk: &[u8], place: &mut usize) -> Result<Token, Fault> {
        for (matched, &wanted) in (0..).zip(word.text().as_bytes()).skip(usize::from(matched)) {
            match chunk.get(*place) {
                Some(&byte) if byte == wanted => *place += 1,
                Some(_) => return Err(Fault::NotJson),
                None => {
                    self.within = Within::Word { word, matched };
                    return Ok(Token::Starved);
                }
            }
        }
        self.within = Within::Nothing;
        self.expect = Expect::CommaOrEnd;
        Ok(Token::Word(word))
    }
}
