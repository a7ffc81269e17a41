//! What the simulated Garmin sends stands in the columns of a dataset: every member is one the gateway knows, and every
//! value is in its cell, in the unit that the column says.

#[allow(dead_code, reason = "each test file uses its own part of it")]
mod dataset_support;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use dataset_support::{Study, dataset, opened, tree};
use serde_json::{Map, Value};
use studygate::dataset::column::{Column, Kind, Origin, Part, Rows, Table, When};
use studygate::dataset::fields::{Members, find, of};
use studygate::dataset::tables::TABLES;
use studygate::model::study::{Keep, LocationRule, Rules};
use studygate::model::time::UnixSeconds;
use studygate::simulate::file::FileOf;
use studygate::simulate::record::{Density, Record, day};
use studygate::simulate::user::Population;

/// Garmin's identifiers, which a dataset replaces by pseudonyms.
const REPLACED: [&str; 2] = ["summaryId", "activityId"];

fn check(members: Members, path: &mut Vec<Box<str>>, value: &Value, summary_type: &str) {
    match value {
        Value::Object(object) => {
            for (name, value) in object.iter().filter(|(name, _)| !REPLACED.contains(&name.as_str())) {
                assert!(find(members, path, name).is_some(), "{summary_type}: {}.{name}", path.join("."));
                path.push(name.as_str().into());
                check(members, path, value, summary_type);
                path.pop();
            }
        }
        Value::Array(items) => items.iter().for_each(|item| check(members, path, item, summary_type)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A fortnight of four users, their files' descriptions among it.
fn fortnight() -> Vec<Record> {
    let mut records = Vec::new();
    for user in Population::new(121, 4).users() {
        for number in 0..14 {
            let midnight = UnixSeconds(1_793_491_200 + number * 86_400);
            let of_day = day(user, midnight, Density::default());
            records
                .extend(of_day.iter().filter_map(|record| FileOf::of(user, record)).map(|file| file.record().clone()));
            records.extend(of_day);
        }
    }
    records
}

#[test]
fn every_member_of_a_simulated_record_is_known_to_the_dataset() {
    let mut types = BTreeSet::new();
    for record in fortnight() {
        let members = of(&record.summary_type).expect("a known type");
        check(members, &mut Vec::new(), &Value::Object(record.content.clone()), &record.summary_type);
        types.insert(record.summary_type);
    }
    assert_eq!(types.len(), 18);
}

#[test]
fn every_simulated_value_stands_in_its_cell() {
    let records = fortnight();
    let mut study = Study::default();
    let mut of_id = HashMap::new();
    for (number, record) in records.iter().enumerate() {
        let id: &'static str = format!("r{number:015}").leak();
        study.add_simulated(record, id);
        of_id.insert(id.to_owned(), record);
    }
    let rules = Rules { location: LocationRule::Keep, names: Keep::Keep, ..Rules::default() };
    let dir = tempfile::tempdir().expect("a folder");
    let files = tree(&opened(&dataset(&mut study, rules).output, dir.path()).1);
    let mut found: BTreeMap<&str, Looked> = BTreeMap::new();
    for table in TABLES.iter().filter(|table| table.rows != Rows::Participant) {
        let mut csv = csv::Reader::from_reader(&*files[&format!("data/{}.csv", table.name)]);
        let names: Vec<String> = csv.headers().expect("a header").iter().map(str::to_owned).collect();
        let mut rows: HashMap<String, Vec<Row>> = HashMap::new();
        for row in csv.records() {
            let row = row.expect("as wide as the header");
            let row: Row = names.iter().cloned().zip(row.iter().map(str::to_owned)).collect();
            rows.entry(row["record_id"].clone()).or_default().push(row);
        }
        let of_type = of_id.iter().filter(|(_, record)| record.summary_type == table.summary_type);
        for (id, record) in of_type {
            let rows = rows.remove(id).unwrap_or_default();
            let looked = found.entry(table.name).or_default();
            looked.values += compare(table, record, &rows);
            looked.rows += rows.len();
        }
        assert!(rows.is_empty(), "{} has rows of no record", table.name);
    }
    for (table, looked) in &found {
        assert!(looked.rows > 0 || ["sleep_naps", "body_battery_events"].contains(table), "{table} is empty");
        assert!(looked.values >= looked.rows, "{table}: {} values in {} rows", looked.values, looked.rows);
    }
    let values: usize = found.values().map(|looked| looked.values).sum();
    assert!(values > 30_000, "{values} values were looked for");
}

type Row = HashMap<String, String>;

#[derive(Debug, Default)]
struct Looked {
    rows: usize,
    values: usize,
}

/// Looks for every value of a record that the table shows; how many there are.
fn compare(table: &Table, record: &Record, rows: &[Row]) -> usize {
    let context = |row: &Row| format!("{} {row:?}", table.name);
    let mut values = 0;
    let expected = expected_rows(table, &record.content);
    assert_eq!(expected.len(), rows.len(), "{}: {:?}", table.name, record.content);
    for (expected, row) in expected.iter().zip(rows) {
        for column in table.columns() {
            let cell = row[column.name].as_str();
            match expected.values.get(column.name) {
                _ if column.name == "activity_id" => {
                    let has_one = record.content.contains_key("activityId");
                    assert_eq!(cell, if has_one { "made-up-activity" } else { "" }, "{}", context(row));
                }
                Some(value) => {
                    assert_eq!(cell, cell_of(column, value), "{} of {}", column.name, context(row));
                    values += 1;
                }
                None if matches!(column.from, Origin::Garmin(_) | Origin::Map(_) | Origin::Record(_)) => {
                    assert_eq!(cell, "", "{} of {}", column.name, context(row));
                }
                None => {}
            }
        }
        if let Some(time) = expected.time {
            let column = if row.contains_key("start_utc") { "start_utc" } else { "time_utc" };
            assert_eq!(row[column], UnixSeconds(time).to_string(), "{}", context(row));
            values += 1;
            if let (Some(date), Some(offset)) = (row.get("local_date"), offset_of(&record.content)) {
                let local = UnixSeconds(time + offset).to_string();
                assert_eq!((date.as_str(), row["local_time"].as_str()), (&local[..10], &local[11..19]));
            }
        }
    }
    values
}

/// A row as it must be.
#[derive(Default)]
struct Expected<'a> {
    time: Option<i64>,
    values: BTreeMap<&'static str, &'a Value>,
}

fn expected_rows<'a>(table: &Table, content: &'a Map<String, Value>) -> Vec<Expected<'a>> {
    let top = content.get("summary").and_then(Value::as_object).filter(|_| table.summary_type == "activityDetails");
    let start = ["startTimeInSeconds", "measurementTimeInSeconds"]
        .iter()
        .find_map(|name| content.get(*name).or(top?.get(*name)).or(content.get(*name))?.as_f64())
        .map(|seconds| seconds as i64);
    let at = |place: &str| -> Vec<&'a Value> {
        let mut at: Vec<&Value> = Vec::new();
        for place in place.split('|') {
            let mut here = None;
            for name in place.split('.') {
                here = match here {
                    None => content.get(name),
                    Some(value) => Value::as_object(value).and_then(|object| object.get(name)),
                };
            }
            match here {
                Some(Value::Array(items)) => at.extend(items),
                Some(value) => at.push(value),
                None => {}
            }
        }
        at
    };
    let time_of = |object: &Value| match table.time {
        When::Members(time, _) => object.get(time).and_then(Value::as_i64),
        When::Record | When::Offset => start,
    };
    let of_object = |object: &'a Value| {
        let mut expected = Expected { time: time_of(object), ..Expected::default() };
        for column in table.columns() {
            if let Origin::Garmin(paths) = column.from
                && let Some(value) = paths.split('|').find_map(|path| below(object, path))
            {
                expected.values.insert(column.name, value);
            }
        }
        expected
    };
    match table.rows {
        Rows::Participant => Vec::new(),
        Rows::Record("") => {
            let mut expected = Expected { time: start, ..Expected::default() };
            for column in table.columns() {
                if let Origin::Garmin(paths) = column.from
                    && let Some(value) = paths.split('|').find_map(|path| below_map(content, path))
                {
                    expected.values.insert(column.name, value);
                }
            }
            vec![expected]
        }
        Rows::Record(place) => {
            at(place).into_iter().map(|object| Expected { time: start, ..of_object(object) }).collect()
        }
        Rows::Elements(place) => at(place).into_iter().map(of_object).collect(),
        Rows::Spans(place, members) => {
            let mut spans: Vec<_> =
                members.iter().flat_map(|member| at(&format!("{place}.{member}"))).map(of_object).collect();
            spans.sort_by_key(|span| span.time);
            spans
        }
        Rows::Offsets("") => by_offset(table, start, |path| content.get(path)).collect(),
        Rows::Offsets(place) => at(place)
            .into_iter()
            .flat_map(|object| {
                let one = of_object(object).values;
                by_offset(table, start, |path| object.get(path)).map(move |mut row| {
                    row.values.extend(one.clone());
                    row
                })
            })
            .collect(),
    }
}

fn by_offset<'a>(
    table: &Table,
    start: Option<i64>,
    map: impl Fn(&str) -> Option<&'a Value>,
) -> impl Iterator<Item = Expected<'a>> {
    let mut rows: BTreeMap<i64, Expected<'a>> = BTreeMap::new();
    for column in table.columns() {
        let Origin::Map(path) = column.from else { continue };
        for (offset, value) in map(path).and_then(Value::as_object).into_iter().flatten() {
            let offset: i64 = offset.parse().expect("an offset");
            let row = rows.entry(offset).or_default();
            row.time = start.map(|start| start + offset);
            row.values.insert(column.name, value);
        }
    }
    rows.into_values()
}

fn below<'a>(object: &'a Value, path: &str) -> Option<&'a Value> {
    below_map(object.as_object()?, path)
}

fn below_map<'a>(object: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    match path.split_once('.') {
        None => object.get(path),
        Some((first, rest)) => below(object.get(first)?, rest),
    }
}

fn offset_of(content: &Map<String, Value>) -> Option<i64> {
    let names =
        ["startTimeOffsetInSeconds", "offsetInSeconds", "offsetStartTimeInSeconds", "measurementTimeOffsetInSeconds"];
    let of = |object: &Map<String, Value>| names.iter().find_map(|name| object.get(*name)?.as_i64());
    of(content).or_else(|| of(content.get("summary")?.as_object()?))
}

/// The cell of a value, worked out by other means than the dataset's.
fn cell_of(column: &Column, value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let negative = value.as_f64().is_some_and(|number| number < 0.0);
    match (column.part, negative) {
        (Part::Measured, true) | (Part::Status, false) => String::new(),
        (Part::Status, true) => match text.as_str() {
            "-1" => "unmeasurable".to_owned(),
            "-2" => "motion".to_owned(),
            other => panic!("{other} is not simulated"),
        },
        (Part::Whole | Part::Measured, _) => match column.kind {
            Kind::Instant => UnixSeconds(value.as_i64().expect("seconds")).to_string(),
            Kind::Integer => value.as_i64().expect("a whole number").to_string(),
            Kind::Text | Kind::Number | Kind::Boolean | Kind::Date | Kind::Time => text,
        },
    }
}

/// Columns that end in a unit say so in the codebook, too, and the member's own name agrees.
#[test]
fn unit_in_a_columns_name_is_that_of_its_member() {
    const UNITS: &[(&str, &str, &str)] = &[
        ("_s", "s", "seconds"),
        ("_m", "m", "meters"),
        ("_g", "g", "grams"),
        ("_cm", "cm", "centimeters"),
        ("_pct", "%", "percent"),
        ("_kcal", "kcal", "calories"),
        ("_bpm", "beats/min", "heartrate"),
        ("_c", "°C", "celcius"),
        ("_deg", "degree", "degree"),
        ("_w", "W", "watts"),
        ("_mg_dl", "mg/dL", "milligramsperdeciliter"),
    ];
    let mut agreed = 0;
    for table in TABLES {
        for column in table.columns() {
            let paths = table.garmin_paths(column);
            for (ending, unit, word) in UNITS.iter().filter(|(ending, ..)| column.name.ends_with(ending)) {
                assert_eq!(column.unit, *unit, "{} ends in {ending}", column.name);
                agreed += usize::from(paths.iter().any(|path| path.to_ascii_lowercase().contains(word)));
            }
            for (_, unit, word) in UNITS.iter().take(4) {
                let named = |path: &String| path.to_ascii_lowercase().ends_with(&format!("in{word}"));
                if paths.iter().any(named) && column.kind != Kind::Instant {
                    assert_eq!(column.unit, *unit, "{}: {paths:?}", column.name);
                }
            }
        }
    }
    assert!(agreed > 80, "{agreed}");
}
