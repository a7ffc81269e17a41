//! `CHANGES.csv`: what came, was revised or went since the export before, by the keys of its rows and never by value.
//!
//! ```text
//! table,participant,record_id,revision,what,when_utc
//! sleeps,A-1,k3j…,2,revised,2026-11-01T05:00:00Z     every row of this record in this table
//! participants,A-7,,,withdrawn,2026-11-08T05:00:00Z  every row of this participant in every table
//! ```
//! A record has a line for each table that it stands in; one of a type without a table names its file in `raw/`. Who
//! takes an increment in drops what the lines name, then adds its rows.

use std::collections::HashSet;
use std::io::{self, Write};

use crate::dataset::{
    about::About,
    cell::{push_instant, push_integer},
    csv::push_text,
    pass::raw_name,
    row::Layout,
    source::{Change, Source, What},
};

const HEADER: &[u8] = b"table,participant,record_id,revision,what,when_utc\n";

/// Writes the changes of `source` for a dataset of these tables; returns how many lines there are below the header.
pub fn write_changes(source: &mut dyn Source, layouts: &[Layout], output: &mut dyn Write) -> io::Result<u64> {
    output.write_all(HEADER)?;
    let mut rows = 0;
    let mut line = Vec::new();
    source.changes(&mut |change| {
        for table in places(change, layouts) {
            line.clear();
            push_line(&table, change, &mut line);
            output.write_all(&line)?;
            rows += 1;
        }
        Ok(())
    })?;
    Ok(rows)
}

fn push_line(table: &str, change: &Change<'_>, line: &mut Vec<u8>) {
    push_text(table.as_bytes(), line);
    line.push(b',');
    push_text(change.participant.as_bytes(), line);
    line.push(b',');
    if let Some(record) = &change.record {
        push_text(record.record_id.as_bytes(), line);
        line.push(b',');
        push_integer(i64::from(record.revision), line);
    } else {
        line.push(b',');
    }
    line.push(b',');
    line.extend_from_slice(word(change.what).as_bytes());
    line.push(b',');
    push_instant(change.when, line);
    line.push(b'\n');
}

/// The tables that a change is in.
fn places(change: &Change<'_>, layouts: &[Layout]) -> Vec<String> {
    let Some(record) = &change.record else { return vec!["participants".to_owned()] };
    let name = record.summary_type.name();
    let tables = layouts.iter().map(|layout| layout.table).filter(|table| table.summary_type == name);
    let mut tables: Vec<_> = tables.map(|table| table.name.to_owned()).collect();
    if tables.is_empty() {
        tables.push(format!("raw/{}", raw_name(name, &mut HashSet::new())));
    }
    tables
}

fn word(what: What) -> &'static str {
    match what {
        What::Added => "added",
        What::Revised => "revised",
        What::Removed => "removed",
        What::Withdrawn => "withdrawn",
    }
}

/// Says in `README.txt` what the dataset has to do with those before it.
pub fn write_lineage(about: &About, output: &mut dyn Write) -> io::Result<()> {
    let lineage = &about.lineage;
    if let Some(again) = &lineage.as_of {
        writeln!(output, "This is dataset {:04} of {} made again, by the rules of then.", again.number, again.made)?;
        match &*again.left {
            [] => writeln!(output, "Nobody who was in it has left since.\n")?,
            left => {
                writeln!(output, "Who has left since is not in it any more: {}.", left.join(", "))?;
                writeln!(output, "Names that were destroyed since are not, either.\n")?;
            }
        }
    }
    let Some(before) = lineage.changes_since else {
        return writeln!(output, "CHANGES.csv is empty: there is no dataset to compare this one with.\n");
    };
    writeln!(output, "CHANGES.csv says what came, was revised or went since dataset {before:04}.")?;
    if lineage.increment {
        writeln!(output, "This dataset is an INCREMENT: its tables hold only what came or was revised since")?;
        writeln!(output, "then, data/participants.csv excepted, which is whole. To take it in: drop from what")?;
        writeln!(output, "you have every row that a line of CHANGES.csv names (by table, participant and")?;
        writeln!(output, "record_id; without a record_id, all rows of the participant in all tables; lines of")?;
        writeln!(output, "raw/ and files in files/ go with the table of their type), then add these rows.")?;
    }
    if lineage.everything_again {
        writeln!(output, "The rules that shape the content are others than then, or the program is: every")?;
        writeln!(output, "record counts as revised.")?;
    }
    writeln!(output)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::row::Versions;
    use crate::dataset::source::{ChangeVisitor, ChangedRecord, ParticipantRow, Visitor};
    use crate::dataset::tables::TABLES;
    use crate::model::{summary::SummaryType, time::UnixSeconds};

    struct Changes(Vec<(&'static str, Option<&'static str>, What)>);

    impl Source for Changes {
        fn participants(&mut self) -> io::Result<Vec<ParticipantRow>> {
            Ok(Vec::new())
        }

        fn types(&mut self) -> io::Result<Vec<SummaryType>> {
            Ok(Vec::new())
        }

        fn records(&mut self, _: &SummaryType, _: &mut Visitor<'_>) -> io::Result<()> {
            Ok(())
        }

        fn changes(&mut self, visit: &mut ChangeVisitor<'_>) -> io::Result<()> {
            self.0.iter().try_for_each(|(participant, name, what)| {
                let summary_type = name.map(SummaryType::named);
                let record = summary_type.as_ref().map(|summary_type| ChangedRecord {
                    summary_type,
                    record_id: "abcdefgh",
                    revision: 2,
                });
                visit(&Change { participant, record, what: *what, when: Some(UnixSeconds(1_793_509_200)), shift: None })
            })
        }
    }

    #[test]
    fn each_change_names_the_rows_it_is_about_and_no_value() {
        let mut source = Changes(vec![
            ("A-1", Some("activities"), What::Revised),
            ("-1", Some("activities"), What::Removed),
            ("A-2", Some("beats per/minute"), What::Added),
            ("A-3", None, What::Withdrawn),
        ]);
        let mut text = Vec::new();
        let layouts: Vec<_> = TABLES.iter().map(|table| Layout::new(table, Versions::Current)).collect();
        assert_eq!(write_changes(&mut source, &layouts, &mut text).expect("written"), 4);
        let other = raw_name("beats per/minute", &mut HashSet::new());
        let expected = format!(
            "table,participant,record_id,revision,what,when_utc\n\
             activities,A-1,abcdefgh,2,revised,2026-11-01T05:00:00Z\n\
             activities,'-1,abcdefgh,2,removed,2026-11-01T05:00:00Z\n\
             raw/{other},A-2,abcdefgh,2,added,2026-11-01T05:00:00Z\n\
             participants,A-3,,,withdrawn,2026-11-01T05:00:00Z\n"
        );
        assert_eq!(String::from_utf8(text).expect("text"), expected);
    }
}
