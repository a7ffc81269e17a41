//! Content codings, decoded step by step: each step gives a bounded number of bytes, whatever the input expands to.

use flate2::{Decompress, FlushDecompress, Status};

use crate::ingest::refusal::Malformed;

/// How a body is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// Not at all.
    Identity,
    /// gzip (RFC 1952), one member or several.
    Gzip,
    /// deflate: zlib (RFC 1950), or without its header (RFC 1951) as some senders have it.
    Deflate,
}

impl Coding {
    /// The coding of this `Content-Encoding` value; `None` where it is another, or several.
    pub fn parse(value: &str) -> Option<Self> {
        let value = value.trim();
        let is = |name: &str| value.eq_ignore_ascii_case(name);
        match value {
            _ if value.is_empty() || is("identity") => Some(Self::Identity),
            _ if is("gzip") || is("x-gzip") => Some(Self::Gzip),
            _ if is("deflate") => Some(Self::Deflate),
            _ => None,
        }
    }
}

/// A decoder of gzip or deflate.
pub(crate) struct Inflater {
    stream: Stream,
    /// Bytes taken so far, as sent.
    taken: u64,
}

enum Stream {
    /// Waits for the two bytes that tell zlib from raw deflate; holds the first.
    Undecided(Option<u8>),
    /// Between gzip members, or before the first.
    Between {
        members: u32,
    },
    Running {
        inflate: Box<Decompress>,
        members: Option<u32>,
    },
    Ended,
}

/// What one step did.
pub(crate) struct Step {
    /// How many bytes were written.
    pub written: usize,
    /// Whether another step may give more even without further input.
    pub more: bool,
}

const WINDOW_BITS: u8 = 15;

impl Inflater {
    /// A decoder; `None` for [`Coding::Identity`], which needs none.
    pub(crate) fn new(coding: Coding) -> Option<Self> {
        let stream = match coding {
            Coding::Identity => return None,
            Coding::Gzip => Stream::Between { members: 0 },
            Coding::Deflate => Stream::Undecided(None),
        };
        Some(Self { stream, taken: 0 })
    }

    /// Takes from `input` and fills at most `output`.
    pub(crate) fn step(&mut self, input: &mut &[u8], output: &mut [u8]) -> Result<Step, Malformed> {
        match &mut self.stream {
            Stream::Undecided(first) => self.stream = decide(*first, input, &mut self.taken),
            Stream::Between { .. } if input.is_empty() => {}
            Stream::Between { members } => {
                // A member that is cut anywhere, its first bytes included, is noticed at the end.
                if input[0] != 0x1f {
                    return Err(if *members == 0 {
                        Malformed::Damaged(self.taken)
                    } else {
                        Malformed::TrailingData(self.taken)
                    });
                }
                let members = Some(*members);
                self.stream = Stream::Running { inflate: Box::new(Decompress::new_gzip(WINDOW_BITS)), members };
            }
            Stream::Running { inflate, members } => {
                let (before_in, before_out) = (inflate.total_in(), inflate.total_out());
                let status = inflate
                    .decompress(input, output, FlushDecompress::None)
                    .map_err(|_| Malformed::Damaged(self.taken))?;
                let (read, written) = (span(before_in, inflate.total_in()), span(before_out, inflate.total_out()));
                *input = &input[read..];
                self.taken += inflate.total_in() - before_in;
                match status {
                    Status::StreamEnd => {
                        self.stream = match members {
                            Some(members) => Stream::Between { members: members.saturating_add(1) },
                            None => Stream::Ended,
                        };
                    }
                    Status::BufError if read == 0 && written == 0 && !input.is_empty() => {
                        return Err(Malformed::Damaged(self.taken));
                    }
                    Status::Ok | Status::BufError => {}
                }
                return Ok(Step { written, more: written == output.len() });
            }
            Stream::Ended if input.is_empty() => {}
            Stream::Ended => return Err(Malformed::TrailingData(self.taken)),
        }
        Ok(Step { written: 0, more: false })
    }

    /// The body is over: an error where the stream is not.
    pub(crate) fn finish(&self) -> Result<(), Malformed> {
        match self.stream {
            Stream::Ended => Ok(()),
            Stream::Between { members } if members > 0 => Ok(()),
            Stream::Between { .. } | Stream::Undecided(_) | Stream::Running { .. } => {
                Err(Malformed::CutShort(self.taken))
            }
        }
    }
}

fn span(before: u64, after: u64) -> usize {
    usize::try_from(after - before).expect("a step is no longer than its buffers")
}

/// zlib's two header bytes are a multiple of 31 and name deflate; raw deflate of JSON never begins so.
fn decide(first: Option<u8>, input: &mut &[u8], taken: &mut u64) -> Stream {
    let Some((&byte, rest)) = input.split_first() else {
        return Stream::Undecided(first);
    };
    let Some(first) = first else {
        *input = rest;
        *taken += 1;
        return Stream::Undecided(Some(byte));
    };
    let is_zlib = first & 0x0f == 8 && first >> 4 <= 7 && (u16::from(first) << 8 | u16::from(byte)) % 31 == 0;
    let mut inflate = Box::new(Decompress::new(is_zlib));
    // The first byte was taken from an earlier input; a decoder's first byte gives no output and cannot fail here.
    if inflate.decompress(&[first], &mut [], FlushDecompress::None).is_err() {
        return Stream::Ended;
    }
    Stream::Running { inflate, members: None }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{
        Compression,
        write::{DeflateEncoder, GzEncoder, ZlibEncoder},
    };

    use super::*;

    const TEXT: &[u8] = b"{\"dailies\":[{\"userId\":\"u\"}]} and some more text that repeats, repeats, repeats";

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).expect("in memory");
        encoder.finish().expect("in memory")
    }

    fn zlib(text: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).expect("in memory");
        encoder.finish().expect("in memory")
    }

    fn raw(text: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).expect("in memory");
        encoder.finish().expect("in memory")
    }

    fn decode(coding: Coding, sent: &[u8], piece: usize) -> Result<Vec<u8>, Malformed> {
        let mut inflater = Inflater::new(coding).expect("a coding");
        let mut decoded = Vec::new();
        let mut buffer = [0; 7];
        for mut input in sent.chunks(piece) {
            loop {
                let step = inflater.step(&mut input, &mut buffer)?;
                decoded.extend_from_slice(&buffer[..step.written]);
                if input.is_empty() && !step.more {
                    break;
                }
            }
        }
        inflater.finish().map(|()| decoded)
    }

    #[test]
    fn every_coding_gives_the_text_back_however_it_is_cut() {
        for piece in [1, 2, 3, 1000] {
            assert_eq!(decode(Coding::Gzip, &gzip(TEXT), piece).as_deref(), Ok(TEXT));
            assert_eq!(decode(Coding::Deflate, &zlib(TEXT), piece).as_deref(), Ok(TEXT));
            assert_eq!(decode(Coding::Deflate, &raw(TEXT), piece).as_deref(), Ok(TEXT));
        }
    }

    #[test]
    fn members_of_gzip_follow_each_other() {
        let sent = [gzip(b"{\"a\""), gzip(b":[]}")].concat();
        assert_eq!(decode(Coding::Gzip, &sent, 5).as_deref(), Ok(&b"{\"a\":[]}"[..]));
    }

    #[test]
    fn stream_that_is_cut_anywhere_is_not_whole() {
        for (coding, whole) in [(Coding::Gzip, gzip(TEXT)), (Coding::Deflate, zlib(TEXT)), (Coding::Deflate, raw(TEXT))]
        {
            for cut in 0..whole.len() {
                assert!(decode(coding, &whole[..cut], 3).is_err(), "{coding:?} cut at {cut}");
            }
        }
    }

    #[test]
    fn what_follows_the_stream_is_refused_at_its_place() {
        for (coding, mut sent) in [(Coding::Gzip, gzip(TEXT)), (Coding::Deflate, zlib(TEXT))] {
            let end = u64::try_from(sent.len()).expect("short");
            sent.extend_from_slice(b"garbage");
            assert_eq!(decode(coding, &sent, 1000), Err(Malformed::TrailingData(end)));
        }
    }

    #[test]
    fn altered_stream_is_refused() {
        let mut sent = gzip(TEXT);
        let checksum = sent.len() - 8;
        sent[checksum] ^= 1;
        assert!(matches!(decode(Coding::Gzip, &sent, 4), Err(Malformed::Damaged(_))));
        assert_eq!(decode(Coding::Gzip, TEXT, 4), Err(Malformed::Damaged(0)));
    }

    #[test]
    fn codings_are_known_by_any_case_and_several_are_none() {
        assert_eq!(Coding::parse("X-GZip"), Some(Coding::Gzip));
        assert_eq!(Coding::parse(" identity "), Some(Coding::Identity));
        assert_eq!(Coding::parse("gzip, gzip"), None);
        assert_eq!(Coding::parse("br"), None);
    }
}
