//! The walker: one JSON object in, what stands in it told to whoever looks, member by member, as it comes.
//!
//! Unlike the [rewriter](crate::json::rewrite) it digests nothing and writes nothing. Memory does not grow with the
//! object: the name at hand, and a bit per open container.

use crate::json::name::Name;
use crate::json::rules::Malformed;
use crate::json::scan::Scanner;
use crate::json::token::{Container, Token, Word};

/// Whoever looks at an object. Told of nothing that stands below a member it does not want.
pub trait Look {
    /// A member of the innermost open object, its name decoded and as it is written: whether it is wanted. One whose
    /// name is over 4 KiB is left out untold.
    fn member(&mut self, name: &str, raw: &[u8]) -> bool;

    /// An object or an array begins: whether it is wanted. The end of one that is not is untold.
    fn open(&mut self, nesting: Nesting) -> bool;

    /// The innermost one ends.
    fn close(&mut self, nesting: Nesting);

    /// A scalar, or a stretch of one.
    fn scalar(&mut self, stretch: Stretch<'_>);
}

/// What nests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nesting {
    /// `{}`.
    Object,
    /// `[]`.
    Array,
}

/// What a scalar is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scalar {
    /// A string; its bytes are those between the quotes, as they are written.
    Text,
    /// A number, as it is written.
    Number,
    /// `true`, `false` or `null`.
    Word,
}

/// A stretch of a scalar; most have one that is first and last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch<'a> {
    /// What it is of.
    pub scalar: Scalar,
    /// As it is written.
    pub bytes: &'a [u8],
    /// Whether the scalar begins here.
    pub first: bool,
    /// Whether it ends here.
    pub last: bool,
    /// Whether it has no escape.
    pub plain: bool,
}

/// Push-fed walker over one object.
#[derive(Default)]
pub struct Walker {
    scanner: Scanner,
    name: Name,
    /// The value at hand is not wanted; so many containers are open around it.
    skipped: Option<usize>,
    is_malformed: bool,
}

impl Walker {
    /// Takes the next bytes. After an error every call gives it again.
    pub fn feed(&mut self, chunk: &[u8], look: &mut impl Look) -> Result<(), Malformed> {
        if self.is_malformed || self.walk(chunk, look).is_err() {
            self.is_malformed = true;
            return Err(Malformed);
        }
        self.scanner.next_chunk(chunk.len());
        Ok(())
    }

    /// The object is over.
    pub fn finish(self) -> Result<(), Malformed> {
        if self.is_malformed || !self.scanner.is_over() { Err(Malformed) } else { Ok(()) }
    }

    fn walk(&mut self, chunk: &[u8], look: &mut impl Look) -> Result<(), Malformed> {
        let mut at = 0;
        loop {
            if let Some(floor) = self.skipped.filter(|floor| self.scanner.depth() > *floor) {
                if !self.scanner.skip(chunk, &mut at, floor).map_err(|_| Malformed)? {
                    return Ok(());
                }
                self.skipped = None;
            }
            match self.scanner.next(chunk, &mut at).map_err(|_| Malformed)? {
                Token::Starved => return Ok(()),
                Token::Open(container) => {
                    if self.skipped.is_none() && !look.open(container.into()) {
                        self.skipped = Some(self.scanner.depth() - 1);
                    }
                }
                Token::Close(container) => look.close(container.into()),
                Token::Text { name: true, part, plain } => {
                    self.name.push(part.of(chunk), part, plain);
                    if part.last {
                        let wanted = self.name.decode().map_err(|()| Malformed)?
                            && look.member(self.name.as_str(), self.name.raw());
                        self.skipped = (!wanted).then(|| self.scanner.depth());
                    }
                }
                Token::Text { name: false, part, plain } => {
                    let stretch = Stretch {
                        scalar: Scalar::Text,
                        bytes: part.of(chunk),
                        first: part.first,
                        last: part.last,
                        plain,
                    };
                    self.scalar(stretch, look);
                }
                Token::Number(part) => {
                    let (first, last) = (part.first, part.last);
                    let stretch = Stretch { scalar: Scalar::Number, bytes: part.of(chunk), first, last, plain: true };
                    self.scalar(stretch, look);
                }
                Token::Word(word) => {
                    let bytes = Word::text(word).as_bytes();
                    self.scalar(Stretch { scalar: Scalar::Word, bytes, first: true, last: true, plain: true }, look);
                }
            }
        }
    }

    #[inline]
    fn scalar(&mut self, stretch: Stretch<'_>, look: &mut impl Look) {
        if self.skipped.is_none() {
            look.scalar(stretch);
        } else if stretch.last {
            self.skipped = None;
        }
    }
}

impl From<Container> for Nesting {
    fn from(container: Container) -> Self {
        match container {
            Container::Object => Self::Object,
            Container::Array => Self::Array,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes what it is told of, without what is named `no`, and of `only` the scalars.
    #[derive(Default)]
    struct Told(String);

    impl Look for Told {
        fn member(&mut self, name: &str, _: &[u8]) -> bool {
            if name != "no" {
                self.0.push_str(&format!(" {name}:"));
            }
            name != "no"
        }

        fn open(&mut self, nesting: Nesting) -> bool {
            let wanted = !self.0.ends_with("only:");
            if wanted {
                self.0.push(if nesting == Nesting::Object { '{' } else { '[' });
            }
            wanted
        }

        fn close(&mut self, nesting: Nesting) {
            self.0.push(if nesting == Nesting::Object { '}' } else { ']' });
        }

        fn scalar(&mut self, stretch: Stretch<'_>) {
            self.0.push_str(std::str::from_utf8(stretch.bytes).expect("text"));
            if stretch.last {
                self.0.push(';');
            }
        }
    }

    fn told(text: &str, piece_bytes: usize) -> Result<String, Malformed> {
        let (mut walker, mut told) = (Walker::default(), Told::default());
        text.as_bytes().chunks(piece_bytes).try_for_each(|piece| walker.feed(piece, &mut told))?;
        walker.finish().map(|()| told.0)
    }

    #[test]
    fn everything_wanted_is_told_in_order_whatever_pieces_it_comes_in() {
        let text = r#"{"a":[1, {"b":"x\ty"},[]],"no":{"a":[{"b":1}]},"no":17,"\u0063":-1.5e3,"no":"x","d":{},"only":[{"f":1},[]],"only":2,"e":null}"#;
        let expected = r"{ a:[1;{ b:x\ty;}[]] c:-1.5e3; d:{} only: only:2; e:null;}";
        for piece_bytes in 1..=text.len() {
            assert_eq!(told(text, piece_bytes).as_deref(), Ok(expected), "in pieces of {piece_bytes}");
        }
    }

    #[test]
    fn what_is_no_whole_object_is_malformed() {
        for text in ["", "{", "[]", "{}{}", r#"{"no":"#, r#"{"no":{}"#, r#"{"a":1,}"#, "{}x"] {
            assert_eq!(told(text, 3), Err(Malformed), "{text}");
        }
    }
}
