//! The codebook and the data package: the tables' declarations, for people and for programs.

use std::io::{self, Write};

use serde_json::json;

use crate::dataset::{column::Kind, csv::writer, manifest::FileEntry, row::Layout};

/// Writes `codebook.csv`, one row a column; returns the rows.
pub fn write_codebook(layouts: &[Layout], output: &mut dyn Write) -> io::Result<u64> {
    let mut csv = writer(output);
    csv.write_record(["table", "variable", "type", "unit", "label", "values", "missing", "garmin_field"])?;
    let mut rows = 0;
    for layout in layouts {
        for column in &layout.columns {
            let garmin = layout.table.garmin_paths(column).join(" or ");
            let values = if column.kind == Kind::Boolean { "true, false" } else { column.values };
            csv.write_record([
                layout.table.name,
                column.name,
                column.kind.name(),
                column.unit,
                column.label,
                values,
                "empty",
                &garmin,
            ])?;
            rows += 1;
        }
    }
    csv.flush()?;
    Ok(rows)
}

/// Writes `datapackage.json`: a Frictionless tabular data package of the tables among `files`.
pub fn write_data_package(
    study: &str,
    layouts: &[Layout],
    files: &[FileEntry],
    output: &mut dyn Write,
) -> io::Result<()> {
    let resources: Vec<_> = layouts
        .iter()
        .filter_map(|layout| {
            let file = files.iter().find(|file| file.path == layout.table.path())?;
            Some(resource(layout, file))
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

fn resource(layout: &Layout, file: &FileEntry) -> serde_json::Value {
    let fields: Vec<_> = layout
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
        "name": layout.table.name,
        "path": file.path,
        "description": layout.table.label,
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "bytes": file.bytes,
        "hash": format!("sha256:{}", file.sha256),
        "dialect": { "lineTerminator": "\n" },
        "schema": { "fields": fields, "primaryKey": layout.key, "missingValues": [""] },
    })
}
