//! The members that each summary type is known to have; what is not named here is unknown to the gateway.
//!
//! They are those that the [tables](crate::dataset::tables) are made from, and a few [`BESIDE`] them. Whether a member
//! identifies a person is not decided here but in [`deidentify`](crate::dataset::deidentify).

use std::{collections::BTreeMap, sync::OnceLock};

use crate::dataset::{
    column::{Origin, Rows, Table},
    tables::TABLES,
};

/// The members that an object is known to have.
pub type Members = &'static Tree;

/// What is known to stand in an object, by name.
#[derive(Debug, Default)]
pub struct Tree(BTreeMap<String, Shape>);

/// What stands at a known member.
#[derive(Debug)]
pub enum Shape {
    /// A scalar, or an array of scalars: an object below it is unknown.
    Value,
    /// An object, or an array of objects, with these members.
    Object(Tree),
    /// An object whose members are named by numbers (seconds since the start) and hold values.
    Offsets,
}

/// The members that the gateway itself puts in place of Garmin's identifiers; they name a record, or the activity that
/// a record tells of, and so stand where Garmin has those.
const PSEUDONYMS: [&str; 3] = ["record_id", "activity_id", "parent_record_id"];

/// Known members that no column shows by itself, and why: types, members, reason.
pub const BESIDE: &[(&[&str], &[&str], &str)] = &[
    (
        &[
            "activities",
            "manuallyUpdatedActivities",
            "dailies",
            "epochs",
            "sleeps",
            "stressDetails",
            "hrv",
            "skinTemp",
            "pulseox",
            "allDayRespiration",
        ],
        &["startTimeInSeconds", "startTimeOffsetInSeconds"],
        START,
    ),
    (&["activityDetails"], &["summary.startTimeInSeconds", "summary.startTimeOffsetInSeconds"], START),
    (&["activityFiles"], &["startTimeInSeconds"], START),
    (&["moveIQActivities"], &["startTimeInSeconds", "offsetInSeconds"], START),
    (&["healthSnapshot"], &["startTimeInSeconds", "offsetStartTimeInSeconds"], START),
    (&["bloodPressures", "bodyComps"], &["measurementTimeInSeconds", "measurementTimeOffsetInSeconds"], START),
];
const START: &str = "the time of the record, which every table of the type shows in four columns";

/// The known members of a summary type; `None` for a type the gateway does not know.
pub fn of(summary_type: &str) -> Option<Members> {
    static KNOWN: OnceLock<BTreeMap<&'static str, Tree>> = OnceLock::new();
    KNOWN.get_or_init(known).get(summary_type)
}

/// What is known to stand at the member `name` of the object at `path`; `None` where nothing is.
pub fn find(members: Members, path: &[Box<str>], name: &str) -> Option<&'static Shape> {
    let mut tree = members;
    for (place, step) in (1..).zip(path) {
        match tree.0.get(&**step)? {
            Shape::Object(below) => tree = below,
            Shape::Offsets => return (place == path.len() && is_offset(name)).then_some(&Shape::Value),
            Shape::Value => return None,
        }
    }
    tree.0.get(name)
}

/// Whether the name of a member is a number of seconds since the start.
pub fn is_offset(name: &str) -> bool {
    let digits = name.strip_prefix('-').unwrap_or(name);
    (1..=9).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn known() -> BTreeMap<&'static str, Tree> {
    let mut known: BTreeMap<&'static str, Tree> = BTreeMap::new();
    for table in TABLES.iter().filter(|table| table.rows != Rows::Participant) {
        let tree = known.entry(table.summary_type).or_default();
        tree.add_table(table);
    }
    for (types, members, _) in BESIDE {
        for summary_type in *types {
            let tree = known.entry(summary_type).or_default();
            members.iter().for_each(|member| tree.add(member, Shape::Value));
        }
    }
    known
}

impl Tree {
    /// Everything that is known, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Shape)> {
        self.0.iter().map(|(name, shape)| (name.as_str(), shape))
    }

    fn add_table(&mut self, table: &Table) {
        PSEUDONYMS.iter().for_each(|name| self.add(name, Shape::Value));
        if let Rows::Record(place) = table.rows {
            PSEUDONYMS
                .iter()
                .for_each(|name| self.add(format!("{place}.{name}").trim_start_matches('.'), Shape::Value));
        }
        table.time_paths().concat().iter().for_each(|path| self.add(path, Shape::Value));
        for column in table.columns() {
            let is_map = matches!(column.from, Origin::Map(_));
            for path in table.garmin_paths(column) {
                self.add(&path, if is_map { Shape::Offsets } else { Shape::Value });
            }
        }
    }

    fn add(&mut self, path: &str, shape: Shape) {
        match path.split_once('.') {
            None => {
                self.0.entry(path.to_owned()).or_insert(shape);
            }
            Some((first, rest)) => {
                match self.0.entry(first.to_owned()).or_insert_with(|| Shape::Object(Self::default())) {
                    Shape::Object(below) => below.add(rest, shape),
                    Shape::Value | Shape::Offsets => unreachable!("a member holds values or members, not both"),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::summary::KNOWN;

    fn known(summary_type: &str, path: &str) -> bool {
        let mut path: Vec<Box<str>> = path.split('.').map(Into::into).collect();
        let name = path.pop().expect("a name");
        find(of(summary_type).expect("a known type"), &path, &name).is_some()
    }

    #[test]
    fn every_known_type_has_its_members() {
        for summary_type in KNOWN {
            assert!(of(summary_type.name).is_some(), "{}", summary_type.name);
        }
        assert!(of("beats").is_none());
    }

    #[test]
    fn member_is_known_at_its_own_place_alone() {
        assert!(known("activities", "durationInSeconds"));
        assert!(known("activityDetails", "summary.durationInSeconds"));
        assert!(known("activityDetails", "summary.parent_record_id"));
        assert!(known("activityDetails", "samples.latitudeInDegree"));
        assert!(!known("activities", "samples.latitudeInDegree"));
        assert!(!known("activities", "activityType.durationInSeconds"));
        assert!(!known("activities", "DurationInSeconds"));
        assert!(known("sleeps", "sleepLevelsMap.rem.endTimeInSeconds"));
        assert!(!known("sleeps", "sleepLevelsMap.owner"));
    }

    #[test]
    fn sample_maps_know_numbers_alone() {
        assert!(known("dailies", "timeOffsetHeartRateSamples"));
        assert!(known("dailies", "timeOffsetHeartRateSamples.15"));
        assert!(!known("dailies", "timeOffsetHeartRateSamples.owner"));
        assert!(!known("dailies", "timeOffsetHeartRateSamples.15.deep"));
        assert!(known("healthSnapshot", "summaries.epochSummaries.5"));
    }

    #[test]
    fn member_beside_the_tables_is_in_none_of_them() {
        for (types, members, reason) in BESIDE {
            assert!(!reason.is_empty());
            for table in TABLES.iter().filter(|table| types.contains(&table.summary_type)) {
                for column in table.columns() {
                    let paths = table.garmin_paths(column);
                    assert!(!paths.iter().any(|path| members.contains(&path.as_str())), "{paths:?}");
                }
            }
        }
    }
}
