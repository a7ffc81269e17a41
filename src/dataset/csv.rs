//! CSV in the dataset's dialect: RFC 4180 with LF, one header row.
//!
//! Never: a text that a spreadsheet would run as a formula.

use std::io::Write;

use crate::dataset::{
    column::Kind,
    row::{Cells, Layout},
};

/// Appends the header.
pub(super) fn push_header(layout: &Layout, output: &mut Vec<u8>) {
    for (number, column) in layout.columns.iter().enumerate() {
        if number > 0 {
            output.push(b',');
        }
        output.extend_from_slice(column.name.as_bytes());
    }
    output.push(b'\n');
}

/// Appends a row.
pub(super) fn push_row(layout: &Layout, cells: &Cells, output: &mut Vec<u8>) {
    for (number, (column, cell)) in layout.columns.iter().zip(cells.iter()).enumerate() {
        if number > 0 {
            output.push(b',');
        }
        if column.kind == Kind::Text { push_text(cell, output) } else { output.extend_from_slice(cell) }
    }
    output.push(b'\n');
}

/// The text, quoted where it needs to be, with an apostrophe before what a spreadsheet would take for the start of a
/// formula.
pub(super) fn push_text(text: &[u8], output: &mut Vec<u8>) {
    let formula = matches!(text.first(), Some(b'=' | b'+' | b'-' | b'@' | b'\t' | b'\r' | b'\n'));
    let quoted = text.iter().any(|byte| matches!(byte, b'"' | b',' | b'\r' | b'\n'));
    if quoted {
        output.push(b'"');
    }
    if formula {
        output.push(b'\'');
    }
    if quoted {
        for byte in text {
            if *byte == b'"' {
                output.push(b'"');
            }
            output.push(*byte);
        }
        output.push(b'"');
    } else {
        output.extend_from_slice(text);
    }
}

/// A CSV writer in the dataset's dialect, for small tables.
pub fn writer<W: Write>(output: W) -> csv::Writer<W> {
    csv::WriterBuilder::new().terminator(csv::Terminator::Any(b'\n')).from_writer(output)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> String {
        let mut output = Vec::new();
        push_text(text.as_bytes(), &mut output);
        String::from_utf8(output).expect("text")
    }

    #[test]
    fn formula_is_made_harmless() {
        for formula in ["=cmd()", "+1", "-1", "@SUM(A1)", "\tx"] {
            assert_eq!(text(formula), format!("'{formula}"));
        }
        assert_eq!(text("\n=x"), "\"'\n=x\"");
        assert_eq!(text("\rx"), "\"'\rx\"");
        assert_eq!(text("a=b"), "a=b");
        assert_eq!(text(""), "");
    }

    #[test]
    fn what_is_written_reads_back() {
        for written in ["plain", "a,b", "a \"quoted\" word", "two\nlines", "é", ",", "\""] {
            let line = format!("{},x\n", text(written));
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(line.as_bytes());
            let record = reader.records().next().expect("a row").expect("well-formed");
            assert_eq!((&record[0], &record[1]), (written, "x"));
        }
    }
}
