//! Tables as JSON, an object a line: every column in every line, null where a cell is missing, numbers with the digits
//! that Garmin wrote.

use crate::dataset::{
    column::Kind,
    row::{Cells, Layout},
};

/// Appends a row.
pub(super) fn push_row(layout: &Layout, cells: &Cells, output: &mut Vec<u8>) {
    for (number, (column, cell)) in layout.columns.iter().zip(cells.iter()).enumerate() {
        output.extend_from_slice(if number == 0 { b"{\"" } else { b",\"" });
        output.extend_from_slice(column.name.as_bytes());
        output.extend_from_slice(b"\":");
        match column.kind {
            _ if cell.is_empty() => output.extend_from_slice(b"null"),
            Kind::Integer | Kind::Number | Kind::Boolean => output.extend_from_slice(cell),
            Kind::Text | Kind::Date | Kind::Time | Kind::Instant => push_text(cell, output),
        }
    }
    output.extend_from_slice(b"}\n");
}

fn push_text(text: &[u8], output: &mut Vec<u8>) {
    let is_plain = |byte: &u8| (b' '..0x7f).contains(byte) && *byte != b'"' && *byte != b'\\';
    if text.iter().all(is_plain) {
        output.push(b'"');
        output.extend_from_slice(text);
        output.push(b'"');
    } else {
        serde_json::to_writer(output, &String::from_utf8_lossy(text)).expect("memory takes all text");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{row::Versions, tables::named};

    #[test]
    fn row_reads_back_with_its_types() {
        let layout = Layout::new(named("activity_files").expect("a table"), Versions::Current);
        let mut cells = Cells::new(layout.columns.len());
        let set = [("participant", "A \"1\"\n"), ("file_bytes", "9007199254740993"), ("manual", "true"), ("file", "é")];
        for (name, text) in set {
            let column = layout.columns.iter().position(|column| column.name == name).expect("a column");
            cells.set(column, |output| output.extend_from_slice(text.as_bytes()));
        }
        let mut line = Vec::new();
        push_row(&layout, &cells, &mut line);
        let row: serde_json::Value = serde_json::from_slice(&line).expect("a line of JSON");
        assert_eq!(row.as_object().expect("an object").len(), layout.columns.len());
        assert_eq!((&row["participant"], &row["manual"]), (&"A \"1\"\n".into(), &true.into()));
        assert_eq!((row["file_bytes"].as_i64(), &row["file"]), (Some(9_007_199_254_740_993), &"é".into()));
        assert!(row["sha256"].is_null() && line.ends_with(b"\n"));
    }
}
