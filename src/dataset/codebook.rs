//! The codebook and the data package: the tables' declarations, for people and for programs.

use std::io::{self, Write};

use serde_json::json;

use crate::dataset::{
    column::{Kind, Table},
    manifest::FileEntry,
};

/// Writes `codebook.csv`, one row a column; returns the rows.
pub fn write_codebook(tables: &[Table], output: &mut dyn Write) -> io::Result<u64> {
    let mut csv = csv_writer(output);
    csv.write_record(["table", "variable", "type", "unit", "label", "values", "missing", "garmin_field"])?;
    let mut rows = 0;
    for table in tables {
        for column in table.columns {
            let garmin = column.garmin_path();
            let values = if column.kind == Kind::Boolean { "true, false" } else { column.values };
            csv.write_record([
                table.name,
                column.name,
                column.kind.name(),
                column.unit,
                column.label,
                values,
                "empty",
                garmin,
            ])?;
            rows += 1;
        }
    }
    csv.flush()?;
    Ok(rows)
}

/// A CSV writer in the dataset's dialect: RFC 4180 with LF.
pub fn csv_writer<W: Write>(output: W) -> csv::Writer<W> {
    csv::WriterBuilder::new().terminator(csv::Terminator::Any(b'\n')).from_writer(output)
}

/// Writes `datapackage.json`: a Frictionless tabular data package of the tables among `files`.
pub fn write_data_package(
    study: &str,
    tables: &[Table],
    files: &[FileEntry],
    output: &mut dyn Write,
) -> io::Result<()> {
    let resources: Vec<_> = tables
        .iter()
        .filter_map(|table| {
            let file = files.iter().find(|file| file.path == table.path())?;
            Some(resource(table, file))
        })
        .collect();
    let package = json!({
        "profile": "tabular-data-package",
        "name": study.to_ascii_lowercase(),
        "resources": resources,
    });
    serde_json::to_writer_pretty(&mut *output, &package)?;
    output.write_all(b"\n")
}

fn resource(table: &Table, file: &FileEntry) -> serde_json::Value {
    let fields: Vec<_> = table
        .columns
        .iter()
        .map(|column| {
            let mut field = json!({ "name": column.name, "type": column.kind.name(), "title": column.label });
            if !column.unit.is_empty() {
                field["unit"] = column.unit.into();
            }
            field
        })
        .collect();
    json!({
        "profile": "tabular-data-resource",
        "name": table.name,
        "path": file.path,
        "description": table.label,
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "bytes": file.bytes,
        "hash": format!("sha256:{}", file.sha256),
        "dialect": { "lineTerminator": "\n" },
        "schema": { "fields": fields, "primaryKey": table.key, "missingValues": [""] },
    })
}
