//! `open.py`: pandas.

use std::io::{self, Write};

use super::{Sheet, halves, quoted, values};

/// Writes the script.
pub(super) fn write(sheets: &[Sheet<'_>], output: &mut dyn Write) -> io::Result<()> {
    let (before, behind) = halves(include_str!("open.py"));
    output.write_all(before.as_bytes())?;
    for sheet in sheets {
        let (name, label) = (quoted(sheet.name), quoted(sheet.label));
        writeln!(output, "    tables[{name}] = load({name}, {label}, [")?;
        for file in &sheet.files {
            writeln!(output, "        {},", quoted(file))?;
        }
        writeln!(output, "    ], [")?;
        for column in &sheet.columns {
            let fixed: Vec<_> = values(column).into_iter().map(|value| quoted(value) + ",").collect();
            let (name, kind) = (quoted(column.name), quoted(column.kind.name()));
            let (unit, label) = (quoted(column.unit), quoted(column.label));
            writeln!(output, "        ({name}, {kind}, {unit}, {label}, ({})),", fixed.join(" "))?;
        }
        writeln!(output, "    ])")?;
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
        let columns = [column("steps", Kind::Integer, ""), column("state", Kind::Text, "active")];
        let script = script(write, &columns, vec!["data/epochs.csv"]);
        assert!(script.contains("load(\"epochs\", \"One row\", [\n        \"data/epochs.csv\",\n    ], ["), "{script}");
        let steps = r#"("steps", "integer", "m/s\u00b2", "It's \"so\" \\ here", ()),"#;
        let state = r#"("state", "string", "m/s\u00b2", "It's \"so\" \\ here", ("active",)),"#;
        assert!(script.contains(steps) && script.contains(state), "{script}");
    }
}
