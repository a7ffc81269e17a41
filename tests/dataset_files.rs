//! Activity files in a dataset: byte for byte where the study keeps them, without a trace where it does not.

#[allow(dead_code, reason = "each test file uses its own part of it")]
mod dataset_support;

use std::{
    collections::{BTreeMap, HashMap},
    io,
};

use data_encoding::HEXLOWER;
use dataset_support::{MARKERS, Meter, NOON, RUN_FILE, Study, about, dataset, opened, recorded, scratch, seed, tree};
use ring::digest::{SHA256, digest};
use studygate::{
    dataset::{
        manifest::{FileEntry, Manifest},
        source::{Content, ParticipantRow, RecordHead, Source, Visitor},
        write::{Options, write},
    },
    model::{
        study::{Keep, LocationRule, Rules},
        summary::SummaryType,
        time::UnixSeconds,
    },
};

const RUN: &str = "files/SLEEP-01/ggggggggggggggg2.fit";
const OTHER: &str = "files/SLEEP-02/ggggggggggggggg3.tcx";

fn keeping() -> Rules {
    Rules { files: Keep::Keep, location: LocationRule::Keep, ..Rules::default() }
}

/// The files of the study's dataset under these rules, opened.
fn files_of(study: &mut Study, rules: Rules) -> BTreeMap<String, Vec<u8>> {
    let dir = tempfile::tempdir().expect("a folder");
    tree(&opened(&dataset(study, rules).output, dir.path()).1)
}

/// The rows of a table by their columns.
fn rows(files: &BTreeMap<String, Vec<u8>>, table: &str) -> Vec<HashMap<String, String>> {
    let mut csv = csv::Reader::from_reader(&*files[&format!("data/{table}.csv")]);
    csv.deserialize().map(|row| row.expect("a row as wide as its header")).collect()
}

fn kept(files: &BTreeMap<String, Vec<u8>>) -> Vec<&str> {
    files.keys().filter(|path| path.starts_with("files/")).map(String::as_str).collect()
}

#[test]
fn kept_files_stand_in_the_dataset_byte_for_byte_and_are_proved() {
    let files = files_of(&mut Study::made_up(), keeping());
    assert_eq!(kept(&files), [RUN, OTHER]);
    let manifest: Manifest = serde_json::from_slice(&files["manifest.json"]).expect("a manifest");
    let sums = String::from_utf8_lossy(&files["SHA256SUMS"]);
    let table = rows(&files, "activity_files");
    for (path, row, bytes) in [(RUN, &table[0], 200_000), (OTHER, &table[1], 70)] {
        assert_eq!(files[path], recorded(bytes), "{path}");
        let sha256 = HEXLOWER.encode(digest(&SHA256, &files[path]).as_ref());
        let expected = FileEntry { path: path.into(), bytes: bytes as u64, sha256: sha256.clone(), rows: None };
        assert!(manifest.files.contains(&expected), "{path}");
        assert!(sums.contains(&format!("{sha256}  {path}\n")), "{path}");
        assert_eq!((row["file"].as_str(), row["sha256"].as_str()), (path, sha256.as_str()));
        assert_eq!(row["file_bytes"], bytes.to_string());
    }
    let page = String::from_utf8_lossy(&files["README.txt"]);
    assert!(page.contains("identify people") && page.contains("serial"), "{page}");
    assert!(page.lines().count() < 45, "one screen, however many files there are");
}

#[test]
fn dropped_files_leave_what_is_said_of_them_and_no_byte() {
    let files = files_of(&mut Study::made_up(), Rules::default());
    assert!(kept(&files).is_empty());
    for (path, bytes) in &files {
        let text = String::from_utf8_lossy(bytes);
        assert!(!MARKERS.iter().any(|marker| text.contains(marker)), "{path}: {text}");
    }
    let table = rows(&files, "activity_files");
    let row = &table[0];
    let expected = [
        ("participant", "SLEEP-01"),
        ("record_id", "ggggggggggggggg2"),
        ("start_utc", "2026-11-01T12:00:00Z"),
        ("file_type", "FIT"),
        ("activity_type", "RUNNING"),
        ("activity_name", ""),
        ("activity_description", ""),
        ("device_name", "Watch 9"),
        ("manual", "false"),
        ("file", ""),
        ("file_bytes", ""),
        ("sha256", ""),
    ];
    for (column, value) in expected {
        assert_eq!(row[column], value, "{column}");
    }
    assert_eq!(table.len(), 2);
}

#[test]
fn raw_records_hold_what_is_said_of_a_file_and_never_the_file() {
    for rules in [Rules::default(), keeping()] {
        let files = files_of(&mut Study::made_up(), rules);
        let raw = String::from_utf8_lossy(&files["raw/activityFiles.ndjson"]);
        let lines: Vec<serde_json::Value> =
            raw.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0]["record"]["activity_id"], "bbbbbbbbbbbbbbb2");
        assert_eq!(lines[1]["record"], serde_json::json!({"fileType": "TCX"}));
    }
}

#[test]
fn file_joins_its_activity() {
    let files = files_of(&mut Study::made_up(), Rules::default());
    let (activities, table) = (rows(&files, "activities"), rows(&files, "activity_files"));
    let joined: Vec<_> = activities.iter().filter(|row| row["activity_id"] == table[0]["activity_id"]).collect();
    assert_eq!(joined.len(), 1);
    assert_eq!(joined[0]["duration_s"], "1789");
}

#[test]
fn names_and_devices_follow_the_study_s_rules() {
    let rules = Rules { names: Keep::Keep, devices: Keep::Drop, ..Rules::default() };
    let files = files_of(&mut Study::made_up(), rules);
    let row = &rows(&files, "activity_files")[0];
    let found = ["activity_name", "activity_description", "device_name"].map(|column| row[column].as_str());
    assert_eq!(found, ["Olterra Running", "with Marwood", ""]);
}

#[test]
fn same_source_gives_same_files_in_whatever_pieces_it_comes() {
    let trees = [1, 5, 4096, usize::MAX].map(|piece_bytes| {
        let mut study = Study { piece_bytes, ..Study::made_up() };
        files_of(&mut study, keeping())
    });
    assert!(trees.iter().all(|tree| *tree == trees[0]));
}

#[test]
fn file_of_no_known_type_has_an_extension_that_promises_nothing() {
    let mut study = Study::made_up();
    study.add_file("SLEEP-02", "ggggggggggggggg4", "{}", b"");
    study.add_file("SLEEP-02", "ggggggggggggggg5", r#"{"fileType":"../../x"}"#, b"x");
    let files = files_of(&mut study, keeping());
    assert_eq!(files["files/SLEEP-02/ggggggggggggggg4.bin"], b"");
    assert_eq!(files["files/SLEEP-02/ggggggggggggggg5.bin"], b"x");
    let table = rows(&files, "activity_files");
    assert_eq!((table[2]["file_type"].as_str(), table[2]["file_bytes"].as_str()), ("", "0"));
}

#[test]
fn participant_whose_code_is_no_folder_name_has_one_all_the_same() {
    let mut study = Study::default();
    study.add_file("..x", "ggggggggggggggg4", r#"{"fileType":"GPX"}"#, b"1");
    study.add_file("CON", "ggggggggggggggg4", r#"{"fileType":"GPX"}"#, b"2");
    study.add_file("_CON_", "ggggggggggggggg4", r#"{"fileType":"GPX"}"#, b"3");
    let files = files_of(&mut study, keeping());
    let names = ["_..x_", "_CON_", "__CON__"].map(|name| format!("files/{name}/ggggggggggggggg4.gpx"));
    assert_eq!(kept(&files).len(), 3);
    for ((name, content), row) in names.iter().zip([b"1", b"2", b"3"]).zip(rows(&files, "activity_files")) {
        assert_eq!((&files[name], &row["file"]), (&content.to_vec(), name));
    }
}

#[test]
fn code_that_would_leave_the_folder_fails_the_export() {
    let mut study = Study::default();
    study.add_file("../x", "ggggggggggggggg4", "{}", b"1");
    let refused = write(&mut study, &about(keeping()), &Options::default(), &scratch(), &seed(), Vec::new())
        .expect_err("no folder");
    assert!(refused.to_string().contains("record ggggggggggggggg4"), "{refused}");
}

#[test]
fn older_version_has_a_row_and_no_file() {
    let mut study = Study::default();
    study.add_file("A", "ggggggggggggggg4", r#"{"fileType":"FIT"}"#, b"old");
    study.add_file("A", "ggggggggggggggg5", r#"{"fileType":"FIT"}"#, b"new");
    let held = study.records.values_mut().next().expect("the files");
    held[1].record_id = held[0].record_id;
    held[0].current = false;
    let files = files_of(&mut study, keeping());
    assert_eq!(kept(&files), ["files/A/ggggggggggggggg4.fit"]);
    assert_eq!(files["files/A/ggggggggggggggg4.fit"], b"new");
    let paths: Vec<_> = rows(&files, "activity_files").iter().map(|row| row["file"].clone()).collect();
    assert_eq!(paths, ["", "files/A/ggggggggggggggg4.fit"]);
}

#[test]
fn record_without_a_file_has_a_row_and_the_files_behind_it_are_found() {
    let mut study = Study::default();
    study.add("activityFiles", "A", "ggggggggggggggg4", r#"{"fileType":"FIT"}"#);
    study.add_file("A", "ggggggggggggggg5", r#"{"fileType":"FIT"}"#, b"x");
    let files = files_of(&mut study, keeping());
    let paths: Vec<_> = rows(&files, "activity_files").iter().map(|row| row["file"].clone()).collect();
    assert_eq!(paths, ["", "files/A/ggggggggggggggg5.fit"]);
}

#[test]
fn malformed_record_is_named_by_its_pseudonym_alone() {
    let cut = r#"{"fileType":"FIT","activityName":"Olterra Running""#;
    let run_on = r#"{"fileType":"FIT"}MKR-FILE"#;
    for content in [cut, run_on, "", "MKR-FILE\n"] {
        for rules in [Rules::default(), keeping()] {
            let mut study = Study::made_up();
            study.add("activityFiles", "SLEEP-02", "ggggggggggggggg4", content);
            let refused = write(&mut study, &about(rules), &Options::default(), &scratch(), &seed(), Vec::new())
                .expect_err("malformed")
                .to_string();
            assert!(refused.contains("record ggggggggggggggg4"), "{refused}");
            assert!(!refused.contains("SLEEP-02") && !refused.contains("MKR") && !refused.contains("Olterra"));
        }
    }
}

/// One file of 24 MB that watches how much of the dataset has been written, and how much was read of it.
#[derive(Default)]
struct Long {
    meter: Meter,
    written_halfway: usize,
    read: Vec<usize>,
}

impl Content for Long {
    fn read(&mut self, piece: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        self.read.push(0);
        let mut give = |bytes: &[u8]| {
            *self.read.last_mut().expect("a pass") += bytes.len();
            piece(bytes)
        };
        give(format!("{RUN_FILE}\n").as_bytes())?;
        let recorded = recorded(240_000);
        for number in 0..100 {
            give(&recorded)?;
            if number == 50 {
                self.written_halfway = self.meter.0.get();
            }
        }
        Ok(())
    }
}

impl Source for Long {
    fn participants(&mut self) -> io::Result<Vec<ParticipantRow>> {
        Ok(Vec::new())
    }

    fn types(&mut self) -> io::Result<Vec<SummaryType>> {
        Ok(vec![SummaryType::named("activityFiles")])
    }

    fn records(&mut self, summary_type: &SummaryType, visit: &mut Visitor<'_>) -> io::Result<()> {
        if summary_type.name() != "activityFiles" {
            return Ok(());
        }
        let head = RecordHead {
            participant: "SLEEP-01",
            record_id: "ggggggggggggggg2",
            received: UnixSeconds(NOON),
            revision: 1,
            current: true,
            start: None,
            offset: None,
            shift: None,
        };
        visit(&head, self)
    }
}

#[test]
fn long_file_leaves_while_it_is_read_and_is_read_once() {
    let meter = Meter::default();
    let mut source = Long { meter: meter.clone(), ..Long::default() };
    let written = write(&mut source, &about(keeping()), &Options::default(), &scratch(), &seed(), meter.clone())
        .expect("written");
    let file = written.files.iter().find(|file| file.path == RUN).expect("the file");
    assert_eq!(file.bytes, 24_000_000);
    let total = meter.0.get();
    assert!(source.written_halfway > total / 3, "{} of {total} bytes halfway", source.written_halfway);
    let description = RUN_FILE.len() + 1;
    assert_eq!(source.read, [description + 24_000_000, description], "the file, then the table and raw");
}

#[test]
fn files_come_first_in_the_order_of_their_records() {
    let written = dataset(&mut Study::made_up(), keeping());
    let paths: Vec<_> = written.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths[..3], [RUN, OTHER, "data/participants.csv"]);
}
