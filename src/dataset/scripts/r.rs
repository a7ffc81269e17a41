//! `open.R`: base R.

use std::io::{self, Write};

use super::{Sheet, halves, quoted, values};

/// Writes the script.
pub(super) fn write(sheets: &[Sheet<'_>], output: &mut dyn Write) -> io::Result<()> {
    let (before, behind) = halves(include_str!("open.R"));
    output.write_all(before.as_bytes())?;
    for sheet in sheets {
        let files: Vec<_> = sheet.files.iter().map(|file| quoted(file)).collect();
        writeln!(output, "  table_of({}, {}, c(", quoted(sheet.name), quoted(sheet.label))?;
        writeln!(output, "    {}), list(", files.join(",\n    "))?;
        let columns: Vec<_> = sheet
            .columns
            .iter()
            .map(|column| {
                let fixed: Vec<_> = values(column).into_iter().map(quoted).collect();
                let fixed = if fixed.is_empty() { String::new() } else { format!(", c({})", fixed.join(", ")) };
                let (name, kind) = (quoted(column.name), quoted(column.kind.name()));
                format!("    column({name}, {kind}, {}, {}{fixed})", quoted(column.unit), quoted(column.label))
            })
            .collect();
        writeln!(output, "{}))", columns.join(",\n"))?;
    }
    output.write_all(behind.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::column::Kind;
    use crate::dataset::scripts::tests::{column, script};

    #[test]
    fn every_column_stands_in_the_script_with_its_type_label_and_values() {
        let columns = [column("steps", Kind::Integer, ""), column("state", Kind::Text, "active, paused")];
        let script = script(write, &columns, vec!["data/epochs/A-1.csv", "data/epochs/A-2.csv"]);
        assert!(script.contains("\"data/epochs/A-1.csv\",\n    \"data/epochs/A-2.csv\"), list("), "{script}");
        let steps = r#"column("steps", "integer", "m/s\u00b2", "It's \"so\" \\ here"),"#;
        let state = r#"column("state", "string", "m/s\u00b2", "It's \"so\" \\ here", c("active", "paused"))))"#;
        assert!(script.contains(steps) && script.contains(state), "{script}");
    }
}
