//! Strings decoded piece by piece: the escapes of JSON, with a limit on what is kept.

/// What a stretch of a string's characters stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// These bytes, as written.
    Run(&'a [u8]),
    /// This character, which was escaped.
    Char(char),
    /// Half of a surrogate pair without the other.
    Lone(u16),
}

/// Decoder of one string whose escapes the scanner has checked.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Unescape {
    escape: Escape,
    high: Option<u16>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Escape {
    #[default]
    None,
    Backslash,
    Hex {
        left: u8,
        unit: u16,
    },
}

impl Unescape {
    /// Takes the next characters between the quotes.
    pub(super) fn feed(&mut self, mut raw: &[u8], mut take: impl FnMut(Piece<'_>)) {
        while let Some(&byte) = raw.first() {
            match self.escape {
                Escape::None => {
                    let run = memchr::memchr(b'\\', raw).unwrap_or(raw.len());
                    if run > 0 {
                        self.finish(&mut take);
                        take(Piece::Run(&raw[..run]));
                        raw = &raw[run..];
                        continue;
                    }
                    self.escape = Escape::Backslash;
                }
                Escape::Backslash if byte == b'u' => self.escape = Escape::Hex { left: 4, unit: 0 },
                Escape::Backslash => {
                    self.finish(&mut take);
                    take(Piece::Char(short_escape(byte)));
                    self.escape = Escape::None;
                }
                Escape::Hex { left, unit } => {
                    let digit = (byte as char).to_digit(16).map_or(0, |digit| digit as u16);
                    let unit = unit << 4 | digit;
                    self.escape = Escape::Hex { left: left - 1, unit };
                    if left == 1 {
                        self.escape = Escape::None;
                        self.unit(unit, &mut take);
                    }
                }
            }
            raw = &raw[1..];
        }
    }

    /// The string is over.
    pub(super) fn finish(&mut self, mut take: impl FnMut(Piece<'_>)) {
        if let Some(high) = self.high.take() {
            take(Piece::Lone(high));
        }
    }

    fn unit(&mut self, unit: u16, mut take: impl FnMut(Piece<'_>)) {
        if let (Some(high), 0xDC00..=0xDFFF) = (self.high, unit) {
            self.high = None;
            for decoded in char::decode_utf16([high, unit]).flatten() {
                take(Piece::Char(decoded));
            }
            return;
        }
        self.finish(&mut take);
        match unit {
            0xD800..=0xDBFF => self.high = Some(unit),
            _ => take(char::from_u32(u32::from(unit)).map_or(Piece::Lone(unit), Piece::Char)),
        }
    }
}

fn short_escape(byte: u8) -> char {
    match byte {
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        other => other as char,
    }
}

/// A text gathered from pieces, up to a number of bytes.
#[derive(Default)]
pub(super) struct Gathered {
    unescape: Unescape,
    bytes: Vec<u8>,
    bytes_max: usize,
    raw_len: usize,
    flaw: bool,
}

impl Gathered {
    /// Starts anew: at most `bytes_max` bytes as written, between the quotes.
    pub(super) fn start(&mut self, bytes_max: usize) {
        self.unescape = Unescape::default();
        self.bytes.clear();
        (self.bytes_max, self.raw_len, self.flaw) = (bytes_max, 0, false);
    }

    /// Takes characters of a string, as written.
    pub(super) fn text(&mut self, raw: &[u8], plain: bool) {
        let raw = self.clip(raw);
        if plain && self.unescape.high.is_none() {
            self.bytes.extend_from_slice(raw);
            return;
        }
        let Self { unescape, bytes, flaw, .. } = self;
        unescape.feed(raw, |piece| push(bytes, flaw, piece));
    }

    /// Takes characters that stand for themselves.
    pub(super) fn verbatim(&mut self, raw: &[u8]) {
        let raw = self.clip(raw);
        self.bytes.extend_from_slice(raw);
    }

    /// The text, where it is whole: not over its limit, no half of a surrogate pair in it.
    pub(super) fn whole(&mut self) -> Option<&str> {
        self.flush();
        if self.flaw || self.is_over() { None } else { std::str::from_utf8(&self.bytes).ok() }
    }

    /// The start of the text, as much as was kept, with U+FFFD for half a surrogate pair.
    pub(super) fn start_of_text(&mut self) -> &str {
        self.flush();
        match std::str::from_utf8(&self.bytes) {
            Ok(text) => text,
            Err(error) => std::str::from_utf8(&self.bytes[..error.valid_up_to()]).unwrap_or_default(),
        }
    }

    /// Whether more came than is kept.
    pub(super) fn is_over(&self) -> bool {
        self.raw_len > self.bytes_max
    }

    fn flush(&mut self) {
        let Self { unescape, bytes, flaw, .. } = self;
        unescape.finish(|piece| push(bytes, flaw, piece));
    }

    fn clip<'a>(&mut self, raw: &'a [u8]) -> &'a [u8] {
        let room = self.bytes_max.saturating_sub(self.raw_len);
        self.raw_len = self.raw_len.saturating_add(raw.len());
        &raw[..raw.len().min(room)]
    }
}

fn push(bytes: &mut Vec<u8>, flaw: &mut bool, piece: Piece<'_>) {
    match piece {
        Piece::Run(run) => bytes.extend_from_slice(run),
        Piece::Char(decoded) => bytes.extend_from_slice(decoded.encode_utf8(&mut [0; 4]).as_bytes()),
        Piece::Lone(_) => {
            *flaw = true;
            bytes.extend_from_slice("\u{FFFD}".as_bytes());
        }
    }
}
