//! The splitter: proves a notification well-formed while it streams in, and finds its items.
//!
//! Memory: the key fields of the item that streams past (at most 16 KiB) and the name of its member; what stands
//! below an item's own members and its `summary` is passed over with nothing kept but the nesting.
//! A fault is the same, at the same offset, however the body is cut into chunks.

use std::sync::Arc;

use crate::json::item::{Item, Kind, Place, Role, malformed};
use crate::json::scan::Scanner;
use crate::json::text::Gathered;
use crate::json::token::{Container, Part, Token, Word};
use crate::json::utf8::{Carry, Checked};
use crate::model::entry::{Entry, Shape};

pub use crate::json::fault::{DEPTH_MAX, Fault, SyntaxError};

/// The bytes of a member's name that an entry keeps.
const MEMBER_BYTES_MAX: usize = 128;

/// Depths, counted as open containers: in the notification, in a member's array, in an item, in its summary.
const IN_TOP: usize = 1;
const IN_ARRAY: usize = 2;
const IN_ITEM: usize = 3;
const IN_SUMMARY: usize = 4;

/// Push-fed splitter of one notification.
pub struct Splitter {
    scanner: Scanner,
    carry: Carry,
    member: Arc<str>,
    item: Item,
    role: Role,
    text: Gathered,
    skipping: Option<Skipping>,
    /// The containers that are open around the one that is passed over.
    floor: usize,
    failed: Option<SyntaxError>,
}

/// A container that is passed over: what is told at its end.
#[derive(Clone, Copy)]
enum Skipping {
    Nothing,
    Value(Kind),
    Malformed { shape: Shape, start: u64 },
}

impl Splitter {
    /// A splitter at the start of a body.
    pub fn new() -> Self {
        Self {
            scanner: Scanner::new(),
            carry: Carry::default(),
            member: Arc::from(""),
            item: Item::default(),
            role: Role::Other,
            text: Gathered::default(),
            skipping: None,
            floor: 0,
            failed: None,
        }
    }

    /// Takes the next bytes; each item that ends in them is handed to `found`. After an error every call gives it
    /// again.
    pub fn feed(&mut self, mut chunk: &[u8], found: &mut dyn FnMut(Entry)) -> Result<(), SyntaxError> {
        loop {
            if let Some(error) = self.failed {
                return Err(error);
            }
            match self.carry.check(&mut chunk) {
                Checked::Nothing => return Ok(()),
                Checked::Text(text) => self.run(text, found)?,
                Checked::Character(bytes, len) => self.run(&bytes[..len], found)?,
                Checked::Invalid => return Err(self.fail(0, Fault::NotUtf8)),
            }
        }
    }

    /// The body is over: an error where it ended early.
    pub fn finish(self) -> Result<(), SyntaxError> {
        match self.failed {
            Some(error) => Err(error),
            None if self.scanner.is_over() && self.carry.is_empty() => Ok(()),
            None => {
                let offset = self.scanner.offset(self.carry.len());
                Err(SyntaxError { offset, fault: Fault::Truncated })
            }
        }
    }

    fn run(&mut self, chunk: &[u8], found: &mut dyn FnMut(Entry)) -> Result<(), SyntaxError> {
        let mut at = 0;
        match self.walk(chunk, &mut at, found) {
            Ok(()) => self.scanner.next_chunk(chunk.len()),
            Err(fault) => return Err(self.fail(at, fault)),
        }
        Ok(())
    }

    fn fail(&mut self, at: usize, fault: Fault) -> SyntaxError {
        let error = SyntaxError { offset: self.scanner.offset(at), fault };
        self.failed = Some(error);
        error
    }

    fn walk(&mut self, chunk: &[u8], at: &mut usize, found: &mut dyn FnMut(Entry)) -> Result<(), Fault> {
        loop {
            if let Some(skipping) = self.skipping {
                if !self.skip(skipping, chunk, at)? {
                    return Ok(());
                }
                self.skipping = None;
                self.skipped(skipping, *at, found);
            }
            match self.scanner.next(chunk, at)? {
                Token::Starved => return Ok(()),
                Token::Open(container) => self.open(container),
                Token::Close(_) if self.scanner.depth() == IN_ARRAY => {
                    found(self.item.end(self.member.clone(), self.scanner.offset(*at)));
                }
                Token::Close(_) => {}
                Token::Text { name: true, part, plain } => self.name(part, plain, chunk),
                Token::Text { name: false, part, plain } => {
                    if self.reads(part) {
                        self.text.text(part.of(chunk), plain);
                    }
                    // The closing quote belongs to the value.
                    self.scalar(Kind::Text, part, part.to + 1, found);
                }
                Token::Number(part) => {
                    if self.reads(part) {
                        self.text.verbatim(part.of(chunk));
                    }
                    self.scalar(Kind::Scalar, part, part.to, found);
                }
                Token::Word(word) => {
                    let part = Part { from: 0, to: 0, first: true, last: true };
                    if self.reads(part) {
                        self.text.verbatim(word.text().as_bytes());
                    }
                    if word == Word::Null {
                        self.role = Role::Other;
                    }
                    self.scalar(Kind::Scalar, part, *at, found);
                }
            }
        }
    }

    /// Whether the scalar that this is a part of is read.
    #[inline]
    fn reads(&mut self, part: Part) -> bool {
        if self.role == Role::Other || self.scanner.depth() < IN_ITEM {
            return false;
        }
        let Some(raw_max) = self.role.raw_max() else {
            return false;
        };
        if part.first {
            self.text.start(raw_max);
        }
        true
    }

    fn scalar(&mut self, kind: Kind, part: Part, end: usize, found: &mut dyn FnMut(Entry)) {
        if !part.last {
            return;
        }
        let shape = match self.scanner.depth() {
            IN_TOP => Shape::NotAnArray,
            IN_ARRAY => Shape::NotAnObject,
            _ => return self.value(self.scanner.depth(), kind),
        };
        found(malformed(self.member.clone(), shape, self.scanner.start()..self.scanner.offset(end)));
    }

    fn value(&mut self, depth: usize, kind: Kind) {
        let role = std::mem::replace(&mut self.role, Role::Other);
        if role != Role::Other {
            let place = if depth == IN_SUMMARY { Place::Summary } else { Place::Top };
            self.item.take(place, role, kind, &mut self.text);
        }
    }

    fn open(&mut self, container: Container) {
        let start = self.scanner.start();
        let kind = if container == Container::Object { Kind::Object } else { Kind::Array };
        self.floor = self.scanner.depth() - 1;
        match (self.floor, container) {
            (0, _) | (IN_TOP, Container::Array) => {}
            (IN_TOP, Container::Object) => {
                self.skipping = Some(Skipping::Malformed { shape: Shape::NotAnArray, start });
            }
            (IN_ARRAY, Container::Object) => self.item.begin(start),
            (IN_ARRAY, Container::Array) => {
                self.skipping = Some(Skipping::Malformed { shape: Shape::NotAnObject, start });
            }
            (IN_ITEM, Container::Object) if self.role == Role::Summary => {}
            _ if self.role == Role::Other => self.skipping = Some(Skipping::Nothing),
            _ => {
                self.text.start(self.role.raw_max().unwrap_or_default());
                self.text.verbatim(b"[");
                self.skipping = Some(Skipping::Value(kind));
            }
        }
    }

    fn skip(&mut self, skipping: Skipping, chunk: &[u8], at: &mut usize) -> Result<bool, Fault> {
        let from = *at;
        let ended = self.scanner.skip(chunk, at, self.floor)?;
        if matches!(skipping, Skipping::Value(_)) {
            self.text.verbatim(&chunk[from..*at]);
        }
        Ok(ended)
    }

    fn skipped(&mut self, skipping: Skipping, at: usize, found: &mut dyn FnMut(Entry)) {
        match skipping {
            Skipping::Nothing => {}
            Skipping::Value(kind) => self.value(self.scanner.depth(), kind),
            Skipping::Malformed { shape, start } => {
                found(malformed(self.member.clone(), shape, start..self.scanner.offset(at)));
            }
        }
    }

    fn name(&mut self, part: Part, plain: bool, chunk: &[u8]) {
        let depth = self.scanner.depth();
        if depth >= IN_ITEM && part.whole() && plain {
            self.role = role(depth, part.of(chunk));
            return;
        }
        if part.first {
            self.text.start(if depth == IN_TOP { MEMBER_BYTES_MAX } else { Role::NAME_BYTES_MAX } * 6);
        }
        self.text.text(part.of(chunk), plain);
        if !part.last {
            return;
        }
        if depth == IN_TOP {
            let name = self.text.start_of_text();
            self.member = cut(name, MEMBER_BYTES_MAX).into();
        } else {
            self.role = self.text.whole().map_or(Role::Other, |name| role(depth, name.as_bytes()));
        }
    }
}

fn cut(text: &str, bytes_max: usize) -> &str {
    let mut end = text.len().min(bytes_max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn role(depth: usize, name: &[u8]) -> Role {
    if depth == IN_ITEM { Role::at_top(name) } else { Role::in_summary(name) }
}

impl Default for Splitter {
    fn default() -> Self {
        Self::new()
    }
}
