//! What a dataset holds and what it must not show.

#[allow(dead_code, reason = "each test file uses its own part of it")]
mod dataset_support;

use std::{fs, path::Path};

use dataset_support::{MARKERS, NOON, Study, about, dataset, fixtures, opened, scratch, seed, tree};
use studygate::{
    dataset::{
        column::Kind,
        format::Format,
        manifest::{Manifest, file_name},
        row::Versions,
        tables::named,
        write::{Error, Options, write},
    },
    model::{
        study::{DatesRule, Disagreement, Keep, LocationRule, Rules},
        time::UnixSeconds,
        window::Bound,
    },
};

#[test]
fn opened_dataset_is_the_golden_one() {
    // The folder stays after the test: the suite with Debian's age reads it, and a golden file is renewed from it.
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("dataset");
    drop(fs::remove_dir_all(&dir));
    fs::create_dir_all(&dir).expect("a folder");
    let written = dataset(&mut Study::made_up(), Rules::default());
    fs::write(dir.join(file_name("SLEEP", 7, UnixSeconds(NOON))), &written.output).expect("written");
    let (summary, out) = opened(&written.output, &dir);
    assert_eq!((summary.study.as_str(), summary.number), ("SLEEP", 7));
    let (found, expected) = (tree(&out), tree(&fixtures().join("opened")));
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (path, bytes) in &expected {
        let (found, expected) = (String::from_utf8_lossy(&found[path]), String::from_utf8_lossy(bytes));
        assert_eq!(found, expected, "{path} of {} is not the one in fixtures/dataset/opened", out.display());
    }
}

#[test]
fn same_source_gives_same_content() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut whole = Study::made_up();
    whole.piece_bytes = usize::MAX;
    let trees = [whole, Study::made_up()].map(|mut study| {
        let dir = tempfile::tempdir_in(&dir).expect("a folder");
        tree(&opened(&dataset(&mut study, Rules::default()).output, dir.path()).1)
    });
    assert_eq!(trees[0], trees[1]);
}

#[test]
fn no_identifying_marker_stands_in_a_dataset_by_default() {
    let dir = tempfile::tempdir().expect("a folder");
    let files = tree(&opened(&dataset(&mut Study::made_up(), Rules::default()).output, dir.path()).1);
    for (path, bytes) in &files {
        let text = String::from_utf8_lossy(bytes);
        for marker in MARKERS {
            assert!(!text.contains(marker), "{marker} in {path}");
        }
    }
    assert!(!files.keys().any(|path| path.contains("beats") || path.contains("other-")));
}

#[test]
fn ids_and_names_stay_out_however_little_the_rules_drop() {
    let rules = Rules {
        location: LocationRule::Keep,
        names: Keep::Keep,
        files: Keep::Keep,
        unknown: Keep::Keep,
        ..Rules::default()
    };
    let dir = tempfile::tempdir().expect("a folder");
    let files = tree(&opened(&dataset(&mut Study::made_up(), rules).output, dir.path()).1);
    for (path, bytes) in &files {
        let text = String::from_utf8_lossy(bytes);
        assert!(!text.contains("MKR-USER") && !text.contains("MKR-SUMMARY"), "{path}");
    }
    let activities = String::from_utf8_lossy(&files["raw/activities.ndjson"]);
    assert!(activities.contains("51.053232522681355") && activities.contains("MKR-NOVEL"));
}

#[test]
fn coarse_positions_have_two_decimals_in_tables_and_raw() {
    let rules = Rules { location: LocationRule::Coarse, ..Rules::default() };
    let dir = tempfile::tempdir().expect("a folder");
    let files = tree(&opened(&dataset(&mut Study::made_up(), rules).output, dir.path()).1);
    for path in ["data/activities.csv", "raw/activities.ndjson", "raw/activityDetails.ndjson"] {
        let text = String::from_utf8_lossy(&files[path]);
        assert!(text.contains("51.05") && !text.contains("51.053"), "{path}: {text}");
    }
}

#[test]
fn devices_and_pregnancy_go_where_the_study_drops_them() {
    let rules = Rules { devices: Keep::Drop, pregnancy: Keep::Drop, ..Rules::default() };
    let dir = tempfile::tempdir().expect("a folder");
    let files = tree(&opened(&dataset(&mut Study::made_up(), rules).output, dir.path()).1);
    for (path, bytes) in files.iter().filter(|(path, _)| path.starts_with("raw/") || path.starts_with("data/")) {
        let text = String::from_utf8_lossy(bytes);
        for dropped in ["HYPERLINK", "Watch 9", "58966", "BEFOREBED", "2027-07-17", "TRIMESTER", ":280", ":98", ":6,"] {
            assert!(!text.contains(dropped), "{dropped} in {path}");
        }
    }
}

#[test]
fn unknown_type_kept_by_the_study_gets_a_harmless_file_name() {
    let rules = Rules { unknown: Keep::Keep, ..Rules::default() };
    let written = dataset(&mut Study::made_up(), rules);
    let other = written.files.iter().find(|file| file.path.starts_with("raw/other-")).expect("the unknown type");
    assert_eq!((other.rows, other.path.len()), (Some(1), "raw/other-0123456789abcdef.ndjson".len()));

    let mut study = Study::default();
    study.add("CON", "SLEEP-02", "eeeeeeeeeeeeeee3", "{}");
    let written = dataset(&mut study, Rules { unknown: Keep::Keep, ..Rules::default() });
    assert!(written.files.iter().any(|file| file.path.starts_with("raw/other-")), "Windows takes CON for a device");
}

#[test]
fn integers_beyond_a_float_and_formulas_come_out_right() {
    let dir = tempfile::tempdir().expect("a folder");
    let files = tree(&opened(&dataset(&mut Study::made_up(), Rules::default()).output, dir.path()).1);
    let mut csv = csv::Reader::from_reader(&*files["data/activities.csv"]);
    let column = |name: &str, csv: &mut csv::Reader<&[u8]>| {
        csv.headers().expect("a header").iter().position(|header| header == name).expect("the column")
    };
    let (steps, device) = (column("steps", &mut csv), column("device_name", &mut csv));
    let row = csv.records().next().expect("a row").expect("well-formed");
    assert_eq!((&row[steps], &row[device]), ("9007199254740993", "'=HYPERLINK(\"x\")"));
    assert!(String::from_utf8_lossy(&files["raw/activities.ndjson"]).contains("\"steps\":9007199254740993"));
}

#[test]
fn what_cannot_be_exported_rightly_is_refused() {
    let mut nobody = about(Rules::default());
    nobody.recipients.clear();
    let refused = write(&mut Study::made_up(), &nobody, &Options::default(), &scratch(), &seed(), Vec::new());
    assert!(matches!(refused, Err(Error::NoRecipient)));
    let together = [
        (Rules { files: Keep::Keep, ..Rules::default() }, Disagreement::FilesTellPositions),
        (
            Rules { files: Keep::Keep, location: LocationRule::Coarse, ..Rules::default() },
            Disagreement::FilesTellPositions,
        ),
        (
            Rules { dates: DatesRule::Shift, files: Keep::Keep, location: LocationRule::Keep, ..Rules::default() },
            Disagreement::FilesTellDates,
        ),
        (Rules { dates: DatesRule::Shift, unknown: Keep::Keep, ..Rules::default() }, Disagreement::UnknownMayTellDates),
    ];
    for (rules, expected) in together {
        let refused = write(&mut Study::made_up(), &about(rules), &Options::default(), &scratch(), &seed(), Vec::new());
        assert!(matches!(refused, Err(Error::RulesDisagree(found)) if found == expected), "{expected:?}");
    }
}

#[test]
fn shifted_dates_lie_as_many_weeks_back_as_each_participants_shift_wherever_they_stand() {
    let dir = tempfile::tempdir().expect("a folder");
    let rules = Rules { dates: DatesRule::Shift, ..Rules::default() };
    let mut asked = about(rules);
    asked.window.from = Some(Bound::At(UnixSeconds(NOON - 3 * 86_400)));
    let written =
        write(&mut Study::made_up(), &asked, &Options::default(), &scratch(), &seed(), Vec::new()).expect("written");
    let files = tree(&opened(&written.output, dir.path()).1);
    let text = |path: &str| String::from_utf8_lossy(&files[path]).into_owned();

    let participants = text("data/participants.csv");
    for moved in ["2026-10-10T12:00:00Z", "2026-09-10", "2026-10-11T12:00:00Z", "2026-10-03T12:00:00Z", "2026-09-03"] {
        assert!(participants.contains(moved), "{moved} in {participants}");
    }
    assert!(text("data/activities.csv").contains("2026-10-11T12:00:00Z,-25200,2026-10-11,05:00:00"));
    let activities = text("raw/activities.ndjson");
    assert!(activities.contains(r#""startTimeInSeconds":1791720000"#), "{activities}");
    assert!(activities.contains(r#""received_utc":"2026-10-11T12:01:00Z""#), "{activities}");
    assert!(text("raw/activityDetails.ndjson").contains(r#""laps":[{"startTimeInSeconds":1791720000}]"#));
    let cycle = text("raw/mct.ndjson");
    for moved in [
        r#""periodStartDate":"2026-09-13""#,
        r#""dueDate":"2027-06-20""#,
        r#""reportTimestampInSeconds":1791115201"#,
        r#""lastUpdatedTimeInSeconds":1791115200"#,
    ] {
        assert!(cycle.contains(moved), "{moved} in {cycle}");
    }
    for (path, bytes) in files.iter().filter(|(path, _)| path.starts_with("data/") || path.starts_with("raw/")) {
        let text = String::from_utf8_lossy(bytes);
        for unmoved in ["179353", "2026-11-0", "2026-10-31", "2026-10-01", "2027-07", "weeks"] {
            assert!(!text.contains(unmoved), "{unmoved} in {path}: {text}");
        }
    }
    assert!(text("manifest.json").contains("\"from\": null"), "the window that was asked for would tell the shift");
}

#[test]
fn broken_record_is_named_by_its_pseudonym_alone() {
    let mut study = Study::made_up();
    study.add("hrv", "SLEEP-02", "fffffffffffffff2", r#"{"lastNightAvg":40,"summaryId":"MKR-SUMMARY-2""#);
    let refused = write(&mut study, &about(Rules::default()), &Options::default(), &scratch(), &seed(), Vec::new())
        .expect_err("cut short");
    let text = refused.to_string();
    assert!(text.contains("record fffffffffffffff2"), "{text}");
    assert!(!text.contains("MKR") && !text.contains("SLEEP-02"), "the log may show neither: {text}");
}

#[test]
fn sample_maps_keep_their_samples_and_nothing_else() {
    let mut study = Study::made_up();
    let content = r#"{"record_id":"fffffffffffffff3","steps":12,"timeOffsetHeartRateSamples":{"0":61,"15":62,"owner":"MKR-USER"}}"#;
    study.add("dailies", "SLEEP-02", "fffffffffffffff3", content);
    let dir = tempfile::tempdir().expect("a folder");
    let files = tree(&opened(&dataset(&mut study, Rules::default()).output, dir.path()).1);
    let line = String::from_utf8_lossy(&files["raw/dailies.ndjson"]);
    let kept = r#""record":{"record_id":"fffffffffffffff3","steps":12,"timeOffsetHeartRateSamples":{"0":61,"15":62}}}"#;
    assert!(line.trim_end().ends_with(kept), "{line}");
}

/// The opened dataset of the made-up study with these options.
fn with(options: &Options) -> std::collections::BTreeMap<String, Vec<u8>> {
    let dir = tempfile::tempdir().expect("a folder");
    let written = write(&mut Study::made_up(), &about(Rules::default()), options, &scratch(), &seed(), Vec::new());
    tree(&opened(&written.expect("written").output, dir.path()).1)
}

/// The rows of a CSV table, a map of the columns each.
fn rows(csv: &[u8]) -> Vec<std::collections::BTreeMap<String, String>> {
    let mut csv = csv::Reader::from_reader(csv);
    csv.deserialize().map(|row| row.expect("a row as wide as its header")).collect()
}

#[test]
fn every_format_has_the_same_rows_and_names() {
    let csv = with(&Options::default());
    let ndjson = with(&Options { format: Format::Ndjson, ..Options::default() });
    let parquet = with(&Options { format: Format::Parquet, ..Options::default() });
    let tables: Vec<&str> =
        csv.keys().filter_map(|path| path.strip_prefix("data/")).filter_map(|path| path.strip_suffix(".csv")).collect();
    assert_eq!(tables.len(), 33);
    for table in tables {
        let expected: Vec<Vec<(String, String)>> = rows(&csv[&format!("data/{table}.csv")])
            .into_iter()
            .map(|row| row.into_iter().map(|(name, cell)| (name, harmful(&cell))).collect())
            .collect();
        let lines = String::from_utf8_lossy(&ndjson[&format!("data/{table}.ndjson")]).into_owned();
        let of_lines: Vec<Vec<(String, String)>> = lines
            .lines()
            .map(|line| {
                let row: std::collections::BTreeMap<String, serde_json::Value> =
                    serde_json::from_str(line).expect("an object a line");
                row.into_iter().map(|(name, value)| (name, text_of(&value))).collect()
            })
            .collect();
        assert_eq!(of_lines, expected, "{table} as NDJSON");
        let numbers: Vec<&str> = named(table)
            .expect("a table")
            .columns()
            .filter(|column| column.kind == Kind::Number)
            .map(|column| column.name)
            .collect();
        let as_double = |(name, cell): (String, String)| {
            let double = cell.parse::<f64>().ok().filter(|_| numbers.contains(&name.as_str()));
            (name, double.map_or(cell, |double| double.to_string()))
        };
        let expected: Vec<Vec<_>> = expected.into_iter().map(|row| row.into_iter().map(as_double).collect()).collect();
        let of_sheet = parquet_rows(&parquet[&format!("data/{table}.parquet")]);
        assert_eq!(of_sheet, expected, "{table} as Parquet");
    }
    for other in [&ndjson, &parquet] {
        assert_eq!(other["raw/activityDetails.ndjson"], csv["raw/activityDetails.ndjson"]);
        assert_eq!(other["codebook.csv"], csv["codebook.csv"]);
    }
}

/// A text without the apostrophe that spreadsheets need.
fn harmful(cell: &str) -> String {
    cell.strip_prefix('\'').unwrap_or(cell).to_owned()
}

fn text_of(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(text) => text.clone(),
        other @ (serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::Array(_)
        | serde_json::Value::Object(_)) => other.to_string(),
    }
}

/// The rows of a Parquet table, by name, the cells as CSV has them.
#[expect(clippy::wildcard_enum_match_arm, reason = "a table has few of the many kinds, and any other fails the test")]
fn parquet_rows(file: &[u8]) -> Vec<Vec<(String, String)>> {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::Field;
    let reader = SerializedFileReader::new(bytes::Bytes::copy_from_slice(file)).expect("a Parquet file");
    let day = |days: i64| UnixSeconds(days * 86_400).date();
    let time = |seconds: i64| UnixSeconds(seconds).to_string()[11..19].to_owned();
    let text = |field: &Field| match field {
        Field::Null => String::new(),
        Field::Bool(value) => value.to_string(),
        Field::Long(value) => value.to_string(),
        Field::Double(value) => value.to_string(),
        Field::Str(value) => value.clone(),
        Field::Date(days) => day(i64::from(*days)),
        Field::TimeMillis(millis) => time(i64::from(*millis) / 1000),
        Field::TimestampMillis(millis) => UnixSeconds(millis / 1000).to_string(),
        other => panic!("{other:?} is in no table"),
    };
    let rows = reader.get_row_iter(None).expect("rows").map(|row| {
        let row = row.expect("a row");
        let mut cells: Vec<(String, String)> =
            row.get_column_iter().map(|(name, field)| (name.clone(), text(field))).collect();
        cells.sort();
        cells
    });
    rows.collect()
}

#[test]
fn long_table_has_a_file_for_each_participant_that_the_manifest_and_the_package_name() {
    let whole = with(&Options::default());
    let split = with(&Options { split_rows: 2, ..Options::default() });
    assert!(split.contains_key("data/activity_samples.csv"), "two rows are not over two");
    assert!(!split.contains_key("data/activities.csv"));
    let (first, second) = (&split["data/activities/SLEEP-01.csv"], &split["data/activities/SLEEP-02.csv"]);
    let expected = rows(&whole["data/activities.csv"]);
    assert_eq!([rows(first), rows(second)].concat(), expected);
    assert_eq!((rows(first).len(), rows(second).len()), (2, 1));
    let manifest: Manifest = serde_json::from_slice(&split["manifest.json"]).expect("a manifest");
    let entry = manifest.files.iter().find(|file| file.path == "data/activities/SLEEP-02.csv").expect("named");
    assert_eq!((entry.rows, entry.bytes), (Some(1), second.len() as u64));
    let package: serde_json::Value = serde_json::from_slice(&split["datapackage.json"]).expect("a package");
    let resources = package["resources"].as_array().expect("resources");
    let of_table: Vec<_> = resources
        .iter()
        .filter(|resource| resource["path"].as_str().is_some_and(|path| path.starts_with("data/activities/")))
        .map(|resource| resource["name"].as_str().unwrap_or_default())
        .collect();
    assert_eq!(of_table, ["activities-1", "activities-2"]);
    assert!(String::from_utf8_lossy(&split["README.txt"]).contains("activities/"));
}

#[test]
fn wanted_tables_come_alone_with_the_records_they_are_made_from() {
    let files = with(&Options { tables: vec!["activity_laps".into(), "participants".into()], ..Options::default() });
    let holds_data = |path: &&str| path.starts_with("data/") || path.starts_with("raw/");
    let found: Vec<&str> = files.keys().map(String::as_str).filter(holds_data).collect();
    assert_eq!(found, ["data/activity_laps.csv", "data/participants.csv", "raw/activityDetails.ndjson"]);
    let script = String::from_utf8_lossy(&files["open/open.R"]);
    assert!(script.contains("\"activity_laps\"") && !script.contains("\"activities\""));
}

#[test]
fn every_version_of_a_record_has_rows_of_its_own_where_they_are_asked_for() {
    let mut study = Study::default();
    let sample = r#"{"samples":[{"heartRate":61},{"heartRate":62}],"activity_id":"a"}"#;
    study.add("activityDetails", "A", "ggggggggggggggg4", sample);
    study.add("activityDetails", "A", "ggggggggggggggg4", sample);
    let records = study.records.values_mut().next().expect("the details");
    (records[0].current, records[1].revision) = (false, 2);
    let options = Options { versions: Versions::All, ..Options::default() };
    let dir = tempfile::tempdir().expect("a folder");
    let written = write(&mut study, &about(Rules::default()), &options, &scratch(), &seed(), Vec::new());
    let files = tree(&opened(&written.expect("written").output, dir.path()).1);
    let package: serde_json::Value = serde_json::from_slice(&files["datapackage.json"]).expect("a package");
    for resource in package["resources"].as_array().expect("resources") {
        let key: Vec<&str> = resource["schema"]["primaryKey"]
            .as_array()
            .expect("a key")
            .iter()
            .filter_map(|name| name.as_str())
            .collect();
        let table = rows(&files[resource["path"].as_str().expect("a path")]);
        let mut seen = std::collections::BTreeSet::new();
        for row in table {
            let named: Vec<String> = key.iter().map(|name| row[*name].clone()).collect();
            assert!(seen.insert(named.clone()), "{named:?} twice in {}", resource["name"]);
        }
    }
    assert_eq!(rows(&files["data/activity_samples.csv"]).len(), 4);
    let header = String::from_utf8_lossy(&files["data/activity_samples.csv"]).into_owned();
    assert!(header.starts_with("participant,record_id,revision,received_utc,activity_id,sample,"), "{header}");
}

#[test]
fn field_that_garmin_added_is_named_on_the_page_where_it_stays_and_counted_where_it_goes() {
    let page = |rules| {
        let dir = tempfile::tempdir().expect("a folder");
        let mut study = Study::made_up();
        study.add("hrv", "SLEEP-02", "fffffffffffffff2", r#"{"lastNightAvg":40,"new":{"mood":1,"Jo Marwood":2}}"#);
        let files = tree(&opened(&dataset(&mut study, rules).output, dir.path()).1);
        String::from_utf8_lossy(&files["README.txt"]).into_owned()
    };
    let kept = page(Rules { unknown: Keep::Keep, ..Rules::default() });
    assert!(kept.contains("  hrv: new\n  hrv: new.mood\n"), "{kept}");
    assert!(!kept.contains("Marwood"), "a name that no program gave: {kept}");
    let dropped = page(Rules::default());
    assert!(!dropped.contains("hrv: new") && dropped.contains("rules left out: "), "{dropped}");
}
