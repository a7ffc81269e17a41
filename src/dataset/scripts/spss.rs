//! `open.sps`: SPSS and PSPP, which read CSV alone.

use std::io::{self, Write};

use super::{Sheet, halves};
use crate::dataset::column::{Column, Kind};

/// The longest label that SPSS takes.
const LABEL_BYTES_MAX: usize = 250;
/// `ADD FILES` takes 50 at a time, the active dataset among them.
const FILES_MAX: usize = 49;
/// A time in UTC is read as text under this name first: no format of SPSS's has its `T` and `Z`.
const TEXT: &str = "time_text_";

/// Writes the script.
pub(super) fn write(sheets: &[Sheet<'_>], output: &mut dyn Write) -> io::Result<()> {
    let (before, behind) = halves(include_str!("open.sps"));
    output.write_all(before.as_bytes())?;
    for sheet in sheets {
        if sheet.files.iter().all(|file| file.ends_with(".csv")) {
            write_table(sheet, output)?;
        } else {
            writeln!(output, "* {}: SPSS reads CSV alone; export with --format csv.\n", sheet.name)?;
        }
    }
    output.write_all(behind.as_bytes())
}

fn write_table(sheet: &Sheet<'_>, output: &mut dyn Write) -> io::Result<()> {
    // A dataset with a name stays as it is when the next file is read, in PSPP only if it is a copy.
    match sheet.files.as_slice() {
        [file] => read(sheet, file, output)?,
        files => {
            let parts: Vec<String> = (1..=files.len()).map(|number| format!("part_{number}")).collect();
            for (file, part) in files.iter().zip(&parts) {
                read(sheet, file, output)?;
                writeln!(output, "DATASET COPY {part}.")?;
            }
            let mut rest = parts.as_slice();
            let mut before = "";
            while !rest.is_empty() {
                let (some, behind) = rest.split_at(rest.len().min(FILES_MAX));
                let files: Vec<_> = some.iter().map(|part| format!("/FILE={part}")).collect();
                writeln!(output, "ADD FILES{before} {}.\nEXECUTE.", files.join(" "))?;
                (rest, before) = (behind, " /FILE=*");
            }
            writeln!(output, "DATASET CLOSE {}.", parts.join(".\nDATASET CLOSE "))?;
        }
    }
    for (number, column) in times(sheet) {
        let text = format!("{TEXT}{number}");
        let name = column.name;
        writeln!(output, "COMPUTE {name} = NUMBER(SUBSTR({text}, 1, 10), SDATE10)")?;
        writeln!(output, "  + NUMBER(SUBSTR({text}, 12, 8), TIME8).\nFORMATS {name} (DATETIME20).")?;
    }
    let texts: Vec<_> = times(sheet).map(|(number, _)| format!("{TEXT}{number}")).collect();
    if !texts.is_empty() {
        writeln!(output, "EXECUTE.\nDELETE VARIABLES {}.", texts.join(" "))?;
    }
    writeln!(output, "FILE LABEL {}.", literal(sheet.label))?;
    writeln!(output, "VARIABLE LABELS")?;
    for column in &sheet.columns {
        let unit = if column.unit.is_empty() { String::new() } else { format!(" [{}]", column.unit) };
        writeln!(output, "  {} {}", column.name, literal(&format!("{}{unit}", column.label)))?;
    }
    writeln!(output, "  .\nDATASET COPY {}.\n", sheet.name)
}

fn read(sheet: &Sheet<'_>, file: &str, output: &mut dyn Write) -> io::Result<()> {
    writeln!(output, "GET DATA /TYPE=TXT /FILE={} /ENCODING='UTF8'", literal(file))?;
    writeln!(output, "  /ARRANGEMENT=DELIMITED /DELCASE=LINE /FIRSTCASE=2 /DELIMITERS=',' /QUALIFIER='\"'")?;
    writeln!(output, "  /VARIABLES=")?;
    for (number, column) in (0..).zip(&sheet.columns) {
        let (name, format): (String, &str) = match column.kind {
            Kind::Text => (column.name.to_owned(), "A255"),
            Kind::Boolean => (column.name.to_owned(), "A5"),
            Kind::Integer => (column.name.to_owned(), "F20.0"),
            Kind::Number => (column.name.to_owned(), "F20.4"),
            Kind::Date => (column.name.to_owned(), "SDATE10"),
            Kind::Time => (column.name.to_owned(), "TIME8"),
            Kind::Instant => (format!("{TEXT}{number}"), "A20"),
        };
        writeln!(output, "    {name} {format}")?;
    }
    writeln!(output, "  .")
}

/// The columns that are times in UTC, with their places.
fn times<'a>(sheet: &'a Sheet<'_>) -> impl Iterator<Item = (usize, &'a Column)> {
    sheet
        .columns
        .iter()
        .enumerate()
        .filter(|(_, column)| column.kind == Kind::Instant)
        .map(|(at, column)| (at, *column))
}

/// The text between apostrophes; what is not ASCII is left out.
fn literal(text: &str) -> String {
    let plain: String = text.chars().filter(|sign| matches!(sign, ' '..='~')).take(LABEL_BYTES_MAX).collect();
    format!("'{}'", plain.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::scripts::tests::{column, script};

    #[test]
    fn every_column_has_a_format_and_a_label_and_times_are_read_as_text_first() {
        let columns = [column("steps", Kind::Integer, ""), column("start_utc", Kind::Instant, "")];
        let script = script(write, &columns, vec!["data/epochs/A-1.csv", "data/epochs/A-2.csv"]);
        for line in [
            "    steps F20.0\n    time_text_1 A20\n  .\n",
            "/FILE='data/epochs/A-2.csv'",
            "ADD FILES /FILE=part_1 /FILE=part_2.\nEXECUTE.",
            "DATASET COPY epochs.",
            "COMPUTE start_utc = NUMBER(SUBSTR(time_text_1, 1, 10), SDATE10)",
            "DELETE VARIABLES time_text_1.",
            "  steps 'It''s \"so\" \\ here [m/s]'",
        ] {
            assert!(script.contains(line), "{line} in {script}");
        }
    }

    #[test]
    fn table_that_is_no_csv_is_named_and_not_read() {
        let script = script(write, &[column("steps", Kind::Integer, "")], vec!["data/epochs.parquet"]);
        assert!(script.contains("* epochs: SPSS reads CSV alone") && !script.contains("GET DATA"), "{script}");
    }
}
