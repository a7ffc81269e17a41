//! Golden datasets: a seeded simulation under each policy gives the same bytes, and nothing that the policy drops.
//!
//! `cargo test --test make_golden_datasets` renews `fixtures/dataset/golden/*.txt` from the data directory beside them,
//! and makes that one where there is none.

#[path = "../golden_support/mod.rs"]
mod golden_support;
mod policies;

use std::{collections::BTreeMap, fs};

use policies::{CONSENT_DATE, NOVELTY, WINDOW_DATE, dataset, fixtures, golden, policies, population, sent};
use serde_json::Value;
use studygate::model::{
    shift::Shift,
    study::{DatesRule, Keep, LocationRule, Rules},
};
use studygate::simulate::file::FileOf;

/// A text shorter than this is found by chance.
const MARKER_BYTES_MIN: usize = 6;

#[test]
fn simulation_gives_the_golden_dataset_under_each_policy() {
    for (name, found) in golden() {
        let path = fixtures().join(format!("{name}.txt"));
        let expected = fs::read_to_string(&path).expect("a golden dataset");
        let differing = found.lines().zip(expected.lines()).find(|(found, expected)| found != expected);
        assert_eq!(differing, None, "the first line that differs under {name}; renew with make_golden_datasets");
        assert_eq!(found.len(), expected.len(), "{name}");
    }
}

#[test]
fn nothing_that_a_policy_drops_is_in_any_byte_of_its_dataset() {
    for (name, rules) in policies() {
        let files = dataset(&rules);
        let markers = Markers::of(&rules);
        for (kind, texts) in &markers.dropped {
            assert!(!texts.is_empty(), "the simulation has no {kind}");
            for (path, bytes) in &files {
                let found = texts.iter().find(|text| stands_in(bytes, text));
                assert_eq!(found, None, "a {kind} in {path} under {name}");
            }
        }
        for (kind, texts) in &markers.kept {
            let stands = |text: &Marker| files.values().any(|bytes| stands_in(bytes, text));
            assert!(texts.iter().any(stands), "no {kind} under {name}, which keeps them");
        }
    }
}

#[test]
fn distances_in_time_and_weekdays_stay_where_dates_are_shifted() {
    let datasets: Vec<_> = ["default", "shift"]
        .map(|wanted| policies().into_iter().find(|(name, _)| *name == wanted).expect("a policy").1)
        .iter()
        .map(dataset)
        .collect();
    let [kept, shifted] = [0, 1].map(|at| starts(&datasets[at]));
    assert!(kept.len() > 20 && kept.keys().eq(shifted.keys()));
    let mut shifts: BTreeMap<&str, i64> = BTreeMap::new();
    for ((participant, record), start) in &kept {
        let moved = start - shifted[&(participant.clone(), record.clone())];
        assert_eq!(*shifts.entry(participant).or_insert(moved), moved, "one shift a participant");
    }
    let weeks = |seconds: &i64| u8::try_from(seconds / (7 * 86_400)).ok().filter(|_| seconds % (7 * 86_400) == 0);
    assert!(shifts.values().all(|seconds| weeks(seconds).is_some_and(|weeks| Shift::try_from(weeks).is_ok())));
    assert_eq!(shifts.len(), 3);
}

/// The starts of all raw records that have one, by participant and record.
fn starts(files: &BTreeMap<String, Vec<u8>>) -> BTreeMap<(String, String), i64> {
    let raw = files.iter().filter(|(path, _)| path.starts_with("raw/"));
    let lines = raw.flat_map(|(_, bytes)| std::str::from_utf8(bytes).expect("text").lines());
    let start = |line: &str| {
        let line: Value = serde_json::from_str(line).expect("JSON");
        let text = |name: &str| line[name].as_str().expect("text").to_owned();
        let start = line["record"]["startTimeInSeconds"].as_f64()?;
        Some(((text("participant"), text("record_id")), start as i64))
    };
    lines.filter_map(start).collect()
}

/// A text, and the participant it is of where it may stand with another one by chance, as days do.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Marker {
    text: String,
    of: Option<String>,
}

fn stands_in(bytes: &[u8], marker: &Marker) -> bool {
    let has = |bytes: &[u8], text: &str| memchr::memmem::find(bytes, text.as_bytes()).is_some();
    match &marker.of {
        None => has(bytes, &marker.text),
        Some(code) => bytes.split(|byte| *byte == b'\n').any(|line| has(line, code) && has(line, &marker.text)),
    }
}

/// What the simulation sent that identifies or tells, by what a policy does with it.
struct Markers {
    dropped: BTreeMap<&'static str, Vec<Marker>>,
    kept: BTreeMap<&'static str, Vec<Marker>>,
}

impl Markers {
    fn of(rules: &Rules) -> Self {
        let population = population();
        let (records, files) = sent(population.users());
        let mut found: BTreeMap<&'static str, Vec<Marker>> = BTreeMap::new();
        let mut add_one = |kind: &'static str, text: &str, user: Option<usize>| {
            let of = user.map(|index| format!("GOLDEN-{}", index + 1));
            found.entry(kind).or_default().push(Marker { text: text.to_owned(), of });
        };
        for user in population.users() {
            add_one("userId", &user.id, None);
            add_one("token", &user.token, None);
            add_one("summaryId", &user.prefix, None);
            add_one("device", user.device, None);
            add_one("date", CONSENT_DATE, Some(user.index));
            add_one("date", WINDOW_DATE, Some(user.index));
        }
        add_one("unknown member", NOVELTY, None);
        for text in ["FIRST_TRIMESTER", "SECOND_TRIMESTER", "THIRD_TRIMESTER", "BEFOREBED", "\"numOfBabies\""] {
            add_one("pregnancy", text, None);
        }
        for record in records.iter().chain(files.iter().map(FileOf::record)) {
            add(&Value::Object(record.content.clone()), &mut |kind, text| {
                let of = matches!(kind, "date" | "time").then_some(record.user);
                add_one(kind, text, of);
            });
        }
        let (kept, dropped) = found.into_iter().partition(|(kind, _)| keeps(rules, kind));
        Self { dropped, kept }
    }
}

fn keeps(rules: &Rules, kind: &str) -> bool {
    match kind {
        "name" => rules.names == Keep::Keep,
        "title" => rules.names == Keep::Keep && rules.pregnancy == Keep::Keep,
        "position" => rules.location == LocationRule::Keep,
        "device" => rules.devices == Keep::Keep,
        "pregnancy" => rules.pregnancy == Keep::Keep,
        "unknown member" => rules.unknown == Keep::Keep,
        "time" | "date" => rules.dates == DatesRule::Keep,
        _ => false,
    }
}

fn add(value: &Value, found: &mut dyn FnMut(&'static str, &str)) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let kind = kind(name).filter(|_| !value.is_object() && !value.is_array());
                if let Some(kind) = kind.filter(|_| text.len() >= MARKER_BYTES_MIN && text != "unknown") {
                    found(kind, &text);
                }
                add(value, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| add(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn kind(name: &str) -> Option<&'static str> {
    Some(match name {
        "summaryId" | "parentSummaryId" => "summaryId",
        "activityId" => "activityId",
        "activityName" | "activityDescription" => "name",
        "title" => "title",
        "deviceName" => "device",
        "calendarDate" | "periodStartDate" | "originalDueDate" | "dueDate" | "pregnancyCycleStartDate" => "date",
        _ if name.contains("atitudeInDegree") || name.contains("ongitudeInDegree") => "position",
        _ if name.ends_with("TimeInSeconds") && !name.starts_with("offset") && name != "activeTimeInSeconds" => "time",
        _ => return None,
    })
}
