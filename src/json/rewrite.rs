//! The rewriter: one JSON object in, the same object out in minified form with members kept, dropped, diverted or
//! replaced, and a digest of its content that does not depend on white space, member order or string escapes.
//!
//! Strings and numbers stay as they are written. Memory does not grow with the object: a frame per open container,
//! the names on the way down, 8 KiB of output, at most 320 KiB of diverted values.

use crate::json::digest::Digester;
use crate::json::divert::Diverted;
use crate::json::name::Name;
use crate::json::scan::Scanner;
use crate::json::token::{Container, Part, Token, Word};

pub use crate::json::rules::{Action, Malformed, Rewritten, Rules};

/// Output is gathered up to this many bytes before it is handed over.
const OUTPUT_BYTES: usize = 8 << 10;

/// Push-fed rewriter of one object that the splitter has already proved well-formed.
pub struct Rewriter<R> {
    rules: R,
    scanner: Scanner,
    digester: Digester,
    fate: Fate,
    /// The containers that are open around the value that `fate` is about.
    floor: usize,
    name: Name,
    path: Vec<Box<str>>,
    /// A bit per open container: whether its name is on the path.
    named: u64,
    /// A bit per open container: whether a comma is due before what comes next.
    filled: u64,
    out: Vec<u8>,
    diverted: Diverted,
    malformed: bool,
}

/// What becomes of the tokens that come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// They stay, and names are asked about.
    Walk,
    /// They stay.
    Whole,
    /// They leave, and are digested.
    Leave,
    /// They leave, undigested.
    Vanish,
    /// They are gathered to be diverted.
    Divert,
    /// They are gathered to be diverted, and replaced where they are one scalar.
    Replace,
}

impl<R: Rules> Rewriter<R> {
    /// A rewriter at the start of an object; `digest_key` keys the digest.
    pub fn new(rules: R, digest_key: &[u8; 16]) -> Self {
        Self {
            rules,
            scanner: Scanner::new(),
            digester: Digester::new(digest_key),
            fate: Fate::Walk,
            floor: 0,
            name: Name::default(),
            path: Vec::new(),
            named: 0,
            filled: 0,
            out: Vec::new(),
            diverted: Diverted::default(),
            malformed: false,
        }
    }

    /// Takes the next bytes; what stays is handed to `output` piece by piece. After an error every call gives it
    /// again, and what was handed over is of no use.
    pub fn feed(&mut self, chunk: &[u8], output: &mut dyn FnMut(&[u8])) -> Result<(), Malformed> {
        if self.malformed || self.walk(chunk, output).is_err() {
            self.malformed = true;
            return Err(Malformed);
        }
        self.scanner.next_chunk(chunk.len());
        Ok(())
    }

    /// The object is over.
    pub fn finish(self, output: &mut dyn FnMut(&[u8])) -> Result<Rewritten, Malformed> {
        if self.malformed || !self.scanner.is_over() {
            return Err(Malformed);
        }
        if !self.out.is_empty() {
            output(&self.out);
        }
        let (diverted, cut) = self.diverted.finish();
        Ok(Rewritten { diverted, cut, digest: self.digester.digest() })
    }

    fn walk(&mut self, chunk: &[u8], output: &mut dyn FnMut(&[u8])) -> Result<(), Malformed> {
        let mut at = 0;
        loop {
            if self.fate == Fate::Vanish && self.scanner.depth() > self.floor {
                if !self.scanner.skip(chunk, &mut at, self.floor).map_err(|_| Malformed)? {
                    return Ok(());
                }
                self.fate = Fate::Walk;
            }
            match self.scanner.next(chunk, &mut at).map_err(|_| Malformed)? {
                Token::Starved => return Ok(()),
                Token::Open(container) => self.open(container, output),
                Token::Close(container) => self.close(container, output)?,
                Token::Text { name: true, part, plain } => self.name(chunk, part, plain, output)?,
                Token::Text { name: false, part, plain } => self.text(chunk, part, plain, output)?,
                Token::Number(part) => self.number(chunk, part, output)?,
                Token::Word(word) => self.word(word, output)?,
            }
        }
    }

    fn open(&mut self, container: Container, output: &mut dyn FnMut(&[u8])) {
        let bit = 1 << (self.scanner.depth() - 1);
        let in_object = self.scanner.parent_is_object();
        if self.scanner.depth() > 1 {
            self.element_comma(in_object, self.scanner.depth() - 1, output);
        }
        self.filled &= !bit;
        self.named &= !bit;
        if self.fate == Fate::Walk && in_object {
            self.path.push(self.name.as_str().into());
            self.named |= bit;
        }
        if self.fate != Fate::Vanish {
            self.digester.open(container);
        }
        self.put(if container == Container::Object { b"{" } else { b"[" }, output);
    }

    fn close(&mut self, container: Container, output: &mut dyn FnMut(&[u8])) -> Result<(), Malformed> {
        let bit = 1 << self.scanner.depth();
        if self.named & bit != 0 {
            self.path.pop();
            self.named &= !bit;
        }
        self.put(if container == Container::Object { b"}" } else { b"]" }, output);
        self.digester.close();
        self.value_ended(Scalar::No, output)
    }

    fn name(&mut self, chunk: &[u8], part: Part, plain: bool, output: &mut dyn FnMut(&[u8])) -> Result<(), Malformed> {
        let raw = part.of(chunk);
        self.digester.name(raw, part, plain);
        if self.fate != Fate::Walk {
            if part.first {
                self.comma(self.scanner.depth(), output);
                self.put(b"\"", output);
            }
            self.put(raw, output);
            if part.last {
                self.put(b"\":", output);
            }
            return Ok(());
        }
        self.name.push(raw, part, plain);
        if !part.last {
            return Ok(());
        }
        self.floor = self.scanner.depth();
        self.fate = match self.name.decode() {
            Err(()) => return Err(Malformed),
            Ok(false) => Fate::Leave,
            Ok(true) => match self.rules.action(&self.path, self.name.as_str()) {
                Action::Keep => Fate::Walk,
                Action::KeepWhole => Fate::Whole,
                Action::DropUndigested => Fate::Vanish,
                Action::Drop => Fate::Leave,
                Action::Divert => Fate::Divert,
                Action::Replace => Fate::Replace,
            },
        };
        match self.fate {
            Fate::Walk | Fate::Whole => {
                self.comma(self.scanner.depth(), output);
                self.out.push(b'"');
                self.out.extend_from_slice(self.name.raw());
                self.out.extend_from_slice(b"\":");
            }
            Fate::Divert | Fate::Replace => self.diverted.start(),
            Fate::Leave | Fate::Vanish => {}
        }
        Ok(())
    }

    fn text(&mut self, chunk: &[u8], part: Part, plain: bool, output: &mut dyn FnMut(&[u8])) -> Result<(), Malformed> {
        let raw = part.of(chunk);
        if self.fate != Fate::Vanish {
            self.digester.text(raw, part, plain);
        }
        if part.first {
            self.element_comma(self.scanner.in_object(), self.scanner.depth(), output);
            self.put(b"\"", output);
        }
        self.put(raw, output);
        if part.last {
            self.put(b"\"", output);
            self.value_ended(Scalar::Yes, output)?;
        }
        Ok(())
    }

    fn number(&mut self, chunk: &[u8], part: Part, output: &mut dyn FnMut(&[u8])) -> Result<(), Malformed> {
        let raw = part.of(chunk);
        if self.fate != Fate::Vanish {
            self.digester.number(raw, part);
        }
        if part.first {
            self.element_comma(self.scanner.in_object(), self.scanner.depth(), output);
        }
        self.put(raw, output);
        if part.last { self.value_ended(Scalar::Yes, output) } else { Ok(()) }
    }

    fn word(&mut self, word: Word, output: &mut dyn FnMut(&[u8])) -> Result<(), Malformed> {
        if self.fate != Fate::Vanish {
            self.digester.word(word);
        }
        self.element_comma(self.scanner.in_object(), self.scanner.depth(), output);
        self.put(word.text().as_bytes(), output);
        self.value_ended(Scalar::Yes, output)
    }

    fn value_ended(&mut self, scalar: Scalar, output: &mut dyn FnMut(&[u8])) -> Result<(), Malformed> {
        if self.fate == Fate::Walk || self.scanner.depth() != self.floor {
            return Ok(());
        }
        let fate = std::mem::replace(&mut self.fate, Fate::Walk);
        if fate == Fate::Replace && scalar == Scalar::Yes {
            let value = self.diverted.scalar();
            let member = value.and_then(|value| self.rules.replace(&self.path, self.name.as_str(), &value));
            if let Some((name, json)) = member {
                self.comma(self.floor, output);
                self.put(serde_json::Value::from(name).to_string().as_bytes(), output);
                self.put(b":", output);
                self.put(json.as_bytes(), output);
            }
        }
        if matches!(fate, Fate::Divert | Fate::Replace) {
            self.diverted.keep(&self.path, self.name.as_str())?;
        }
        Ok(())
    }
}

/// Whether the value that ended was a scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scalar {
    Yes,
    No,
}

/// Output.
impl<R> Rewriter<R> {
    /// Before an element of an array: the comma that is due.
    #[inline]
    fn element_comma(&mut self, in_object: bool, depth: usize, output: &mut dyn FnMut(&[u8])) {
        if !in_object {
            self.comma(depth, output);
        }
    }

    #[inline]
    fn comma(&mut self, depth: usize, output: &mut dyn FnMut(&[u8])) {
        let bit = 1 << (depth - 1);
        if self.filled & bit != 0 {
            self.put(b",", output);
        }
        self.filled |= bit;
    }

    #[inline]
    fn put(&mut self, json: &[u8], output: &mut dyn FnMut(&[u8])) {
        match self.fate {
            Fate::Walk | Fate::Whole => {
                if self.out.len() + json.len() > OUTPUT_BYTES && !self.out.is_empty() {
                    output(&self.out);
                    self.out.clear();
                }
                if json.len() > OUTPUT_BYTES {
                    output(json);
                } else {
                    self.out.extend_from_slice(json);
                }
            }
            Fate::Divert | Fate::Replace => self.diverted.push(json),
            Fate::Leave | Fate::Vanish => {}
        }
    }
}
