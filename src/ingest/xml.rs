//! Whether a file is one whole XML document, and what its root is called. No schema, no entities, no DOCTYPE.

use memchr::memchr;

/// A longer name of a root is not one that is looked for.
const NAME_BYTES_MAX: usize = 64;
const BYTE_ORDER_MARK: [u8; 3] = *b"\xEF\xBB\xBF";
const CDATA: &[u8] = b"[CDATA[";
const COMMENT: &[u8] = b"--";

/// Push-fed.
pub(crate) struct Xml {
    place: Place,
    /// Elements that are open.
    depth: u64,
    /// Bytes so far.
    at: u64,
    /// The root's name as written; empty before it.
    root: Vec<u8>,
    /// The name of the element that is closed last.
    closing: Vec<u8>,
    /// Whether the root has ended.
    ended: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Between tags.
    Text,
    /// Behind `<`.
    Tag,
    /// Behind `<!` and so many bytes of what it may begin.
    Bang(Bang, usize),
    /// So many of the hyphens that end it have come.
    Comment(u8),
    /// So many of the brackets that end it have come.
    Cdata(u8),
    /// In an instruction or declaration, perhaps behind `?`.
    Instruction { question: bool },
    /// In the name of an element that opens.
    OpenName,
    /// In its attributes, perhaps behind `/`.
    Attributes { slash: bool },
    /// In a value between these quotes.
    Value(u8),
    /// In the name of an element that closes.
    CloseName,
    /// Behind that name.
    CloseEnd,
    /// It is no XML document.
    Elsewhere,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Bang {
    Comment,
    Cdata,
}

impl Xml {
    pub(crate) fn new() -> Self {
        let (root, closing) = (Vec::new(), Vec::new());
        Self { place: Place::Text, depth: 0, at: 0, root, closing, ended: false }
    }

    /// The next bytes.
    pub(crate) fn push(&mut self, mut bytes: &[u8]) {
        while let Some((&byte, rest)) = bytes.split_first() {
            if self.place == Place::Elsewhere {
                return;
            }
            let skipped = self.passed_over(bytes);
            if skipped > 0 {
                bytes = &bytes[skipped..];
                self.at += skipped as u64;
                continue;
            }
            self.place = self.step(byte);
            self.at += 1;
            bytes = rest;
        }
    }

    /// The root's local name, where the document is whole.
    pub(crate) fn root(&self) -> Option<&[u8]> {
        let is_whole = self.ended && self.place == Place::Text;
        is_whole.then(|| self.root.rsplit(|byte| *byte == b':').next().unwrap_or_default())
    }

    /// How many bytes change nothing.
    fn passed_over(&self, bytes: &[u8]) -> usize {
        let until = if let Place::Value(quote) = self.place {
            quote
        } else if self.place == Place::Text && self.depth > 0 {
            b'<'
        } else {
            return 0;
        };
        memchr(until, bytes).unwrap_or(bytes.len())
    }

    fn step(&mut self, byte: u8) -> Place {
        match (self.place, byte) {
            (Place::Text, b'<') => Place::Tag,
            (Place::Text, _) => self.text(byte),
            (Place::Tag, b'?') => Place::Instruction { question: false },
            (Place::Tag, b'!') => Place::Bang(Bang::Comment, 0),
            (Place::Tag, b'/') => self.close(),
            (Place::Tag, _) => self.open(byte),
            (Place::Bang(Bang::Comment, 0), b'[') if self.depth > 0 => Place::Bang(Bang::Cdata, 1),
            (Place::Bang(Bang::Comment, known), _) => bang(Bang::Comment, known, COMMENT, Place::Comment(0), byte),
            (Place::Bang(Bang::Cdata, known), _) => bang(Bang::Cdata, known, CDATA, Place::Cdata(0), byte),
            (Place::Comment(2), b'>') | (Place::Cdata(2), b'>') => Place::Text,
            // Two hyphens stand in no comment but at its end.
            (Place::Comment(2), _) => Place::Elsewhere,
            (Place::Comment(known), b'-') => Place::Comment(known + 1),
            (Place::Comment(_), _) => Place::Comment(0),
            (Place::Cdata(known), b']') => Place::Cdata((known + 1).min(2)),
            (Place::Cdata(_), _) => Place::Cdata(0),
            (Place::Instruction { question: true }, b'>') => Place::Text,
            (Place::Instruction { .. }, _) => Place::Instruction { question: byte == b'?' },
            (Place::Attributes { .. } | Place::OpenName, b'<') => Place::Elsewhere,
            (Place::OpenName | Place::Attributes { slash: false }, b'>') => self.opened(),
            (Place::Attributes { slash: true }, b'>') => self.closed(),
            (Place::Attributes { slash: true }, _) => Place::Elsewhere,
            (Place::OpenName | Place::Attributes { .. }, b'/') => Place::Attributes { slash: true },
            (Place::OpenName, _) if is_space(byte) => Place::Attributes { slash: false },
            (Place::OpenName, _) => self.name(byte, Place::OpenName),
            (Place::Attributes { .. }, b'"' | b'\'') => Place::Value(byte),
            (Place::Attributes { .. }, _) => Place::Attributes { slash: false },
            (Place::Value(_), _) => Place::Attributes { slash: false },
            (Place::CloseName | Place::CloseEnd, b'>') => self.closed_by_name(),
            (Place::CloseName | Place::CloseEnd, _) if is_space(byte) => Place::CloseEnd,
            (Place::CloseName, _) => self.name(byte, Place::CloseName),
            (Place::CloseEnd | Place::Elsewhere, _) => Place::Elsewhere,
        }
    }

    fn text(&self, byte: u8) -> Place {
        let is_mark = usize::try_from(self.at).ok().and_then(|at| BYTE_ORDER_MARK.get(at)) == Some(&byte);
        if self.depth > 0 || is_space(byte) || is_mark { Place::Text } else { Place::Elsewhere }
    }

    fn open(&mut self, byte: u8) -> Place {
        if self.ended || is_space(byte) || matches!(byte, b'<' | b'>' | b'=' | b'"' | b'\'' | b'&') {
            return Place::Elsewhere;
        }
        self.name(byte, Place::OpenName)
    }

    fn close(&mut self) -> Place {
        self.closing.clear();
        if self.depth > 0 { Place::CloseName } else { Place::Elsewhere }
    }

    /// Keeps the names that the root is told by.
    fn name(&mut self, byte: u8, place: Place) -> Place {
        let name = if place == Place::OpenName && self.depth == 0 {
            &mut self.root
        } else if place == Place::CloseName && self.depth == 1 {
            &mut self.closing
        } else {
            return place;
        };
        if name.len() == NAME_BYTES_MAX {
            return Place::Elsewhere;
        }
        name.push(byte);
        place
    }

    fn opened(&mut self) -> Place {
        self.depth += 1;
        Place::Text
    }

    /// An element without content has ended.
    fn closed(&mut self) -> Place {
        self.ended = self.depth == 0;
        Place::Text
    }

    fn closed_by_name(&mut self) -> Place {
        self.depth -= 1;
        if self.depth == 0 && self.closing != self.root {
            return Place::Elsewhere;
        }
        self.closed()
    }
}

fn bang(bang: Bang, known: usize, wanted: &[u8], whole: Place, byte: u8) -> Place {
    match (wanted.get(known) == Some(&byte), known + 1 == wanted.len()) {
        (true, true) => whole,
        (true, false) => Place::Bang(bang, known + 1),
        (false, _) => Place::Elsewhere,
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::*;

    const TRACK: &str = "\u{feff}<?xml version='1.0'?>\n<!-- a - b -->\n<x:gpx xmlns:x=\"a>b\" y='</gpx>'>\
        <trk a='/'/><gpx>1 &lt; 2</gpx><![CDATA[</x:gpx>]]]><!--</x:gpx>--></x:gpx >\n<!-- end -->\n";

    fn root(text: &str, piece: usize) -> Option<String> {
        let mut xml = Xml::new();
        text.as_bytes().chunks(piece).for_each(|piece| xml.push(piece));
        xml.root().map(|name| String::from_utf8_lossy(name).into_owned())
    }

    #[test]
    fn root_of_a_whole_document_is_found_however_it_is_cut() {
        for piece in [1, 2, 3, 1000] {
            assert_eq!(root(TRACK, piece).as_deref(), Some("gpx"));
            assert_eq!(root("<TrainingCenterDatabase></TrainingCenterDatabase>", piece).unwrap().len(), 22);
            assert_eq!(root("<gpx/>", piece).as_deref(), Some("gpx"));
        }
    }

    #[test]
    fn document_that_was_cut_anywhere_is_not_whole() {
        let end = TRACK.find("</x:gpx >").expect("the end of the root") + "</x:gpx >".len();
        for length in (0..end).filter(|length| TRACK.is_char_boundary(*length)) {
            assert_eq!(root(&TRACK[..length], 7), None, "cut to {length}");
        }
        assert_eq!(root(&TRACK[..end + 5], 7), None, "cut in a comment behind the root");
    }

    #[test]
    fn what_is_no_document_has_no_root() {
        for text in [
            "",
            "gpx",
            "<!DOCTYPE gpx><gpx></gpx>",
            "<gpx></tcx>",
            "<gpx></gpx><gpx></gpx>",
            "<gpx></gpx>x",
            "</gpx>",
            "< gpx></gpx>",
            "<gpx/ >",
            "<gpx><a></gpx>",
            "<![CDATA[]]><gpx/>",
            "<html><!-- a -- b --></html>",
            " \u{feff}<gpx/>",
            "[]",
        ] {
            assert_eq!(root(text, 3), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_taken_without_a_fault(text in "[<>/!?a:'\\-\\[\\] ]{0,40}", bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            prop_assert_eq!(root(&text, 1), root(&text, 64));
            let mut xml = Xml::new();
            xml.push(&bytes);
        }
    }
}
