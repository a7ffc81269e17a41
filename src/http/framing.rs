//! Watches the framing of HTTP/1.1 requests as their bytes pass, and spoils the head of one that is framed twice.
//!
//! hyper takes Content-Length beside Transfer-Encoding, and a Content-Length that is given twice alike; both are how
//! requests are smuggled past proxies. A second framing header's colon is overwritten with a NUL, which no parser
//! takes for a header: hyper answers 400 and closes. What hyper refuses itself needs no care here: after it nothing
//! on the connection counts.
//!
//! Never: accepting anything; this can only refuse.

/// The longest framing header name, `transfer-encoding`, and one byte to tell a longer one.
const NAME_BYTES: usize = 18;

/// Where in a connection's input the next byte stands.
#[derive(Debug)]
pub(crate) struct Framing {
    state: State,
    name: [u8; NAME_BYTES],
    name_bytes: usize,
    framed: bool,
    body: Body,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// At the first byte of a head, or in blank lines before it.
    Between,
    /// In the request line.
    RequestLine,
    /// In a header's name; at its start where `name_bytes` is 0.
    Name,
    /// In a value that does not matter.
    Value,
    /// In the value of Content-Length.
    Length,
    /// In a body of known length, or a chunk with its line end.
    Skip { left: u64, then_chunk: bool },
    /// In a chunk's size.
    ChunkSize(u64),
    /// Behind a chunk's size.
    ChunkExtension(u64),
    /// In the trailers; `blank` while the line is empty.
    Trailers { blank: bool },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Body {
    Length(u64),
    Chunked,
}

impl Framing {
    pub(crate) fn new() -> Self {
        Self { state: State::Between, name: [0; NAME_BYTES], name_bytes: 0, framed: false, body: Body::Length(0) }
    }

    /// Whether the input stands between two requests.
    pub(crate) fn is_between(&self) -> bool {
        self.state == State::Between
    }

    /// Follows these bytes; a second framing header of a head is spoilt in place.
    pub(crate) fn scan(&mut self, mut input: &mut [u8]) {
        while !input.is_empty() {
            let used = self.step(input);
            input = &mut input[used..];
        }
    }

    /// Takes at least one byte; says how many.
    fn step(&mut self, input: &mut [u8]) -> usize {
        match self.state {
            State::Between => {
                if !matches!(input[0], b'\r' | b'\n') {
                    self.state = State::RequestLine;
                    self.framed = false;
                    self.body = Body::Length(0);
                }
                1
            }
            State::RequestLine | State::Value => match memchr::memchr(b'\n', input) {
                Some(place) => {
                    self.begin_name();
                    place + 1
                }
                None => input.len(),
            },
            State::Name => self.name(input),
            State::Length => {
                self.length(input[0]);
                1
            }
            State::Skip { left, then_chunk } => {
                let used = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
                let left = left - used as u64;
                self.state = match (left, then_chunk) {
                    (0, true) => State::ChunkSize(0),
                    (0, false) => State::Between,
                    (left, then_chunk) => State::Skip { left, then_chunk },
                };
                used
            }
            State::ChunkSize(size) => {
                self.state = match (char::from(input[0]).to_digit(16), input[0]) {
                    (Some(digit), _) => State::ChunkSize(size.saturating_mul(16).saturating_add(u64::from(digit))),
                    (None, b'\n') => chunk(size),
                    (None, _) => State::ChunkExtension(size),
                };
                1
            }
            State::ChunkExtension(size) => match memchr::memchr(b'\n', input) {
                Some(place) => {
                    self.state = chunk(size);
                    place + 1
                }
                None => input.len(),
            },
            State::Trailers { blank } => {
                self.state = match input[0] {
                    b'\n' if blank => State::Between,
                    b'\n' => State::Trailers { blank: true },
                    b'\r' => State::Trailers { blank },
                    _ => State::Trailers { blank: false },
                };
                1
            }
        }
    }

    fn begin_name(&mut self) {
        self.state = State::Name;
        self.name_bytes = 0;
    }

    fn name(&mut self, input: &mut [u8]) -> usize {
        match input[0] {
            b'\n' if self.name_bytes == 0 => self.state = self.after_head(),
            b'\n' => self.begin_name(),
            // Only a line end can follow it; elsewhere it is no header, and hyper refuses it.
            b'\r' => {}
            b':' => {
                let name = &self.name[..self.name_bytes.min(NAME_BYTES)];
                let is_length = name == b"content-length";
                let is_coding = name == b"transfer-encoding";
                self.state = if is_length { State::Length } else { State::Value };
                if is_length || is_coding {
                    if self.framed {
                        input[0] = 0;
                    }
                    self.framed = true;
                    self.body = if is_coding { Body::Chunked } else { Body::Length(0) };
                }
            }
            byte => {
                if let Some(place) = self.name.get_mut(self.name_bytes) {
                    *place = byte.to_ascii_lowercase();
                }
                self.name_bytes = (self.name_bytes + 1).min(NAME_BYTES);
            }
        }
        1
    }

    fn length(&mut self, byte: u8) {
        match (byte, self.body) {
            (b'\n', _) => self.begin_name(),
            (b'0'..=b'9', Body::Length(length)) => {
                self.body = Body::Length(length.saturating_mul(10).saturating_add(u64::from(byte - b'0')));
            }
            // White space around it; or no number, which hyper refuses.
            _ => {}
        }
    }

    fn after_head(&self) -> State {
        match self.body {
            Body::Length(0) => State::Between,
            Body::Length(left) => State::Skip { left, then_chunk: false },
            Body::Chunked => State::ChunkSize(0),
        }
    }
}

/// What follows the line of a chunk's size: its data and their line end, or the trailers.
fn chunk(size: u64) -> State {
    match size {
        0 => State::Trailers { blank: true },
        size => State::Skip { left: size.saturating_add(2), then_chunk: true },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many heads are spoilt, whatever the pieces the input comes in; and whether it ends between requests.
    fn check(input: &str, spoilt: usize, between: bool) {
        for piece in [1, 2, 7, 10_000] {
            let mut framing = Framing::new();
            let mut bytes = input.as_bytes().to_vec();
            for piece in bytes.chunks_mut(piece) {
                framing.scan(piece);
            }
            assert_eq!(bytes.iter().filter(|byte| **byte == 0).count(), spoilt, "{input:?} in pieces of {piece}");
            assert_eq!(framing.is_between(), between, "{input:?} in pieces of {piece}");
        }
    }

    #[test]
    fn ordinary_requests_pass_untouched() {
        check("GET / HTTP/1.1\r\nhost: a\r\n\r\n", 0, true);
        check("POST / HTTP/1.1\r\ncontent-length: 5\r\n\r\nhello", 0, true);
        check("POST / HTTP/1.1\nContent-Length: 5\n\nhel", 0, false);
        check("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\na: b\r\n\r\n", 0, true);
    }

    #[test]
    fn second_framing_header_is_spoilt() {
        check("POST / HTTP/1.1\r\ncontent-length: 5\r\ncontent-length: 5\r\n\r\nhello", 1, true);
        check("POST / HTTP/1.1\r\nContent-Length: 5\r\nTRANSFER-ENCODING: chunked\r\n\r\n0\r\n\r\n", 1, true);
        check("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\ncontent-length: 5\r\n\r\nhello", 1, true);
        check("POST / HTTP/1.1\r\ntransfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 1, true);
    }

    #[test]
    fn headers_of_a_later_request_do_not_count_for_an_earlier_one() {
        let request = "POST / HTTP/1.1\r\ncontent-length: 5\r\n\r\nhello";
        check(&request.repeat(3), 0, true);
        let chunked = "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nA\r\n0123456789\r\n0\r\n\r\n";
        check(&format!("{chunked}\r\n{request}{chunked}"), 0, true);
    }

    #[test]
    fn body_that_looks_like_a_head_is_left_alone() {
        let body = "a: b\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\n";
        check(&format!("POST / HTTP/1.1\r\ncontent-length: {}\r\n\r\n{body}", body.len()), 0, true);
        check(
            &format!("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n", body.len()),
            0,
            true,
        );
    }

    #[test]
    fn names_that_only_begin_alike_are_others() {
        check("POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length-x: 1\r\nx-content-length: 7\r\n\r\n1", 0, true);
        check("POST / HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encodings: 1\r\n\r\n1", 0, true);
    }
}
