//! What the simulated Garmin sends stands in the columns of a dataset: every member is one the gateway knows.

use serde_json::Value;
use studygate::dataset::fields::{Members, find, of};
use studygate::model::time::UnixSeconds;
use studygate::simulate::file::FileOf;
use studygate::simulate::record::{Density, day};
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

#[test]
fn every_member_of_a_simulated_record_is_known_to_the_dataset() {
    let population = Population::new(121, 4);
    let mut types = std::collections::BTreeSet::new();
    for user in population.users() {
        for number in 0..14 {
            let midnight = UnixSeconds(1_793_491_200 + number * 86_400);
            let records = day(user, midnight, Density::default());
            let files: Vec<FileOf> = records.iter().filter_map(|record| FileOf::of(user, record)).collect();
            for record in records.iter().chain(files.iter().map(FileOf::record)) {
                let members = of(&record.summary_type).expect("a known type");
                check(members, &mut Vec::new(), &Value::Object(record.content.clone()), &record.summary_type);
                types.insert(record.summary_type.clone());
            }
        }
    }
    assert_eq!(types.len(), 18);
}
