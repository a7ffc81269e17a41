//! The fast way over what nobody reads: whole plain tokens in sight, with nothing kept but the nesting.

use crate::json::fault::{DEPTH_MAX, Fault};
use crate::json::lex::{is_white, text_run_end, whole_number_end};
use crate::json::scan::Scanner;
use crate::json::token::{Expect, Token, Within, after_comma, end_of, word_of};

impl Scanner {
    /// Passes over tokens until only `floor` containers are open: whether that is reached in this chunk.
    pub(super) fn skip(&mut self, chunk: &[u8], place: &mut usize, floor: usize) -> Result<bool, Fault> {
        while self.depth > floor {
            if self.within == Within::Nothing {
                self.dash(chunk, place, floor);
                if self.depth == floor {
                    break;
                }
            }
            if self.next(chunk, place)? == Token::Starved {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Passes over the tokens that are whole, plain and in sight; stops before the first that is not, or is at fault.
    fn dash(&mut self, chunk: &[u8], place: &mut usize, floor: usize) {
        let (mut at, mut expect, mut depth, mut objects) = (*place, self.expect, self.depth, self.objects);
        while let Some(&byte) = chunk.get(at) {
            if byte <= b' ' {
                if !is_white(byte) {
                    break;
                }
                at += 1;
                continue;
            }
            match expect {
                Expect::Name | Expect::FirstName if byte == b'"' => {
                    let end = text_run_end(chunk, at + 1);
                    if chunk.get(end) != Some(&b'"') {
                        break;
                    }
                    at = end + 1;
                    expect = Expect::Colon;
                    if chunk.get(at) == Some(&b':') {
                        at += 1;
                        expect = Expect::Value;
                    }
                    continue;
                }
                Expect::Colon if byte == b':' => expect = Expect::Value,
                Expect::Value | Expect::FirstValue => match byte {
                    b'-' | b'0'..=b'9' => {
                        let Some(end) = whole_number_end(chunk, at) else {
                            break;
                        };
                        at = end;
                        expect = Expect::CommaOrEnd;
                        continue;
                    }
                    b'"' => {
                        let end = text_run_end(chunk, at + 1);
                        if chunk.get(end) != Some(&b'"') {
                            break;
                        }
                        at = end;
                        expect = Expect::CommaOrEnd;
                    }
                    b'{' | b'[' if depth < DEPTH_MAX => {
                        depth += 1;
                        objects = objects << 1 | u64::from(byte == b'{');
                        expect = if byte == b'{' { Expect::FirstName } else { Expect::FirstValue };
                    }
                    b't' | b'f' | b'n' => {
                        let word = word_of(byte).text().as_bytes();
                        if !chunk[at..].starts_with(word) {
                            break;
                        }
                        at += word.len() - 1;
                        expect = Expect::CommaOrEnd;
                    }
                    _ => break,
                },
                Expect::CommaOrEnd if byte == b',' => expect = after_comma(objects),
                Expect::CommaOrEnd if byte == end_of(objects) => {
                    depth -= 1;
                    objects >>= 1;
                    if depth == floor {
                        at += 1;
                        break;
                    }
                }
                Expect::Top
                | Expect::FirstName
                | Expect::Name
                | Expect::Colon
                | Expect::CommaOrEnd
                | Expect::Nothing => break,
            }
            at += 1;
        }
        (*place, self.expect, self.depth, self.objects) = (at, expect, depth, objects);
    }
}
