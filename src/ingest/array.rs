//! Whether text is one bare JSON array: it must be, before a key and braces are put around it.
//!
//! Looks at brackets and strings alone. That the text is JSON is for the splitter to prove; together they leave an
//! answer no way to end the array that it stands in and begin another member.

use crate::ingest::refusal::Malformed;

/// Push-fed.
#[derive(Default)]
pub(crate) struct BareArray {
    at: u64,
    place: Place,
    /// Containers that are open.
    depth: u64,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Before,
    Within,
    String,
    Escape,
    Behind,
    /// It is no array, whatever follows.
    Elsewhere,
}

impl BareArray {
    /// Takes the next bytes; an error at the first that cannot belong to one array.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        for (at, &byte) in (self.at..).zip(bytes) {
            self.place = self.step(byte);
            if self.place == Place::Elsewhere {
                return Err(Malformed::NotAnAnswer(at));
            }
        }
        self.at += bytes.len() as u64;
        Ok(())
    }

    /// The text is over: an error where the array is not.
    pub(crate) fn finish(&self) -> Result<(), Malformed> {
        if self.place == Place::Behind { Ok(()) } else { Err(Malformed::NotAnAnswer(self.at)) }
    }

    fn step(&mut self, byte: u8) -> Place {
        match (self.place, byte) {
            (Place::Before, b'[') | (Place::Within, b'[' | b'{') => {
                self.depth += 1;
                Place::Within
            }
            (Place::Within, b']' | b'}') => {
                self.depth -= 1;
                if self.depth == 0 { Place::Behind } else { Place::Within }
            }
            (place @ (Place::Before | Place::Behind), b' ' | b'\t' | b'\r' | b'\n') => place,
            (Place::Before | Place::Behind | Place::Elsewhere, _) => Place::Elsewhere,
            (Place::Within, b'"') => Place::String,
            (Place::String, b'"') => Place::Within,
            (Place::String, b'\\') => Place::Escape,
            (Place::Escape, _) => Place::String,
            (place, _) => place,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::*;

    fn is_array(text: &[u8], piece: usize) -> bool {
        let mut array = BareArray::default();
        text.chunks(piece).all(|piece| array.feed(piece).is_ok()) && array.finish().is_ok()
    }

    #[test]
    fn one_array_is_told_from_everything_else_however_it_is_cut() {
        for piece in [1, 2, 100] {
            for text in ["[]", " [1,[2,{\"a\":[]}]]\r\n", r#"["]","\"]","\\"]"#] {
                assert!(is_array(text.as_bytes(), piece), "{text}");
            }
            for text in ["", " ", "{}", "1", "[", "[]]", "[],[]", "]}{", "[]x", r#"["]"#, "[],\"a\":[]", "\u{feff}[]"] {
                assert!(!is_array(text.as_bytes(), piece), "{text}");
            }
        }
    }

    proptest! {
        #[test]
        fn whatever_wraps_to_json_is_an_array_exactly_where_it_is_one_by_itself(text in r#"[\[\]{}",:1\\ ]{0,12}"#) {
            let wrapped = format!("{{\"a\":{text}}}");
            let by_itself = serde_json::from_str::<Vec<serde_json::Value>>(&text).is_ok();
            let is_json = serde_json::from_str::<serde_json::Value>(&wrapped).is_ok();
            prop_assert_eq!(is_json && is_array(text.as_bytes(), 3), by_itself);
        }

        #[test]
        fn any_bytes_are_taken_without_a_fault(text in proptest::collection::vec(any::<u8>(), 0..64)) {
            prop_assert_eq!(is_array(&text, 1), is_array(&text, 64));
        }
    }
}
