//! The codebook and the data package: the tables' declarations, for people and for programs.

use std::io::{self, Write};

use serde_json::json;

use crate::dataset::{column::Kind, csv::writer, format::Format, manifest::FileEntry, row::Layout};

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
    format: Format,
    files: &[FileEntry],
    output: &mut dyn Write,
) -> io::Result<()> {
    let resources: Vec<_> = layouts
        .iter()
        .flat_map(|layout| {
            let count = layout.files(files).count();
            (1..).zip(layout.files(files)).map(move |(number, file)| {
                // A table that has a file for each participant is so many tables to programs.
                let name = layout.table.name;
                let name = if count == 1 { name.to_owned() } else { format!("{name}-{number}") };
                resource(&name, layout, format, file)
            })
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

fn resource(name: &str, layout: &Layout, format: Format, file: &FileEntry) -> serde_json::Value {
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
    let mut resource = json!({
        "profile": "tabular-data-resource",
        "name": name,
        "path": file.path,
        "description": layout.table.label,
        "format": format.name(),
        "mediatype": format.media_type(),
        "bytes": file.bytes,
        "hash": format!("sha256:{}", file.sha256),
        "schema": { "fields": fields, "primaryKey": layout.key, "missingValues": [""] },
    });
    if format != Format::Parquet {
        resource["encoding"] = "utf-8".into();
    }
    if format == Format::Csv {
        resource["dialect"] = json!({ "lineTerminator": "\n" });
    }
    resource
}
