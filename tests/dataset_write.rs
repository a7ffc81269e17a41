//! What a dataset holds and what it must not show.

#[allow(dead_code, reason = "each test file uses its own part of it")]
mod dataset_support;

use std::{fs, path::Path};

use dataset_support::{MARKERS, NOON, Study, about, dataset, fixtures, opened, scratch, seed, tree};
use studygate::{
    dataset::{
        manifest::file_name,
        write::{Error, Options, write},
    },
    model::{
        study::{DatesRule, Keep, LocationRule, Rules},
        time::UnixSeconds,
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
        for dropped in ["HYPERLINK", "Watch 9", "58966", "BEFOREBED", "2027-07-17"] {
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
    let shifted = about(Rules { dates: DatesRule::Shift, ..Rules::default() });
    let refused = write(&mut Study::made_up(), &shifted, &Options::default(), &scratch(), &seed(), Vec::new());
    assert!(matches!(refused, Err(Error::ShiftedDates)));
    for location in [LocationRule::Drop, LocationRule::Coarse] {
        let files = about(Rules { files: Keep::Keep, location, ..Rules::default() });
        let refused = write(&mut Study::made_up(), &files, &Options::default(), &scratch(), &seed(), Vec::new());
        assert!(matches!(refused, Err(Error::FilesTellPositions)));
    }
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
