//! Every member that an API document lists is in a column of a table, or among the few that are named with a reason.

mod documented_members;

use documented_members::{ALL, Members, Shape};
use studygate::dataset::fields::{self, BESIDE, find};
use studygate::dataset::tables::TABLES;
use studygate::model::summary::KNOWN;

/// The paths of the scalars below an object; of a map its own.
fn paths(members: Members, prefix: &str, found: &mut Vec<String>) {
    for (name, shape) in members.iter().flat_map(|group| group.iter()) {
        let path = format!("{prefix}{name}");
        match shape {
            Shape::Value | Shape::Offsets => found.push(path),
            Shape::Object(below) => paths(below, &format!("{path}."), found),
        }
    }
}

#[test]
fn every_documented_member_is_in_a_table_or_named_with_a_reason() {
    let pseudonyms = ["record_id", "activity_id", "parent_record_id"];
    let mut count = 0;
    for (summary_type, members) in ALL {
        let mut documented = Vec::new();
        paths(members, "", &mut documented);
        let tables = || TABLES.iter().filter(|table| table.summary_type == *summary_type);
        let shown: Vec<String> = tables()
            .flat_map(|table| {
                let columns = table.columns().flat_map(|column| table.garmin_paths(column));
                columns.chain(table.time_paths().concat()).collect::<Vec<_>>()
            })
            .collect();
        for path in documented {
            let name = path.rsplit('.').next().unwrap_or_default();
            let beside = |(types, members, _): &(&[&str], &[&str], &str)| {
                types.contains(summary_type) && members.contains(&path.as_str())
            };
            assert!(
                shown.contains(&path) || BESIDE.iter().any(beside) || pseudonyms.contains(&name),
                "{summary_type}: {path} is in no table"
            );
            count += 1;
        }
    }
    assert_eq!(ALL.len(), KNOWN.len());
    assert!(count > 300, "{count}");
}

#[test]
fn every_documented_member_is_known() {
    for (summary_type, members) in ALL {
        let known = fields::of(summary_type).expect("a known type");
        let mut documented = Vec::new();
        paths(members, "", &mut documented);
        for path in documented {
            let mut steps: Vec<Box<str>> = path.split('.').map(Into::into).collect();
            let name = steps.pop().expect("a name");
            assert!(find(known, &steps, &name).is_some(), "{summary_type}: {path}");
        }
    }
}
