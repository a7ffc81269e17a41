//! What was sent and what was acknowledged, to hold a dataset against.
//!
//! The rule it checks: of every record that was acknowledged in some version, the dataset has exactly one row, and
//! that row is the version that is current among those sent. What was sent without an answer may be there or not.

use std::collections::{BTreeMap, HashMap};

use ring::digest::{SHA256, digest};
use serde::Serialize;
use serde_json::Value;

use crate::simulate::record::{Record, without_pseudonyms};

/// A row of a dataset's `raw/<type>.ndjson`.
#[derive(Clone, Debug)]
pub struct Row {
    /// Whose it is: the user's place in the population, found by the participant's code.
    pub user: usize,
    /// The type, from the file's name.
    pub summary_type: String,
    /// Its `record`.
    pub record: Value,
}

/// A POST in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sending(usize);

/// All POSTs of a run, in the order they were sent.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    sendings: Vec<(Vec<Record>, bool)>,
}

/// Where a record stands after a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// Whose it is.
    pub user: usize,
    /// Its type.
    #[serde(rename = "type")]
    pub summary_type: String,
    /// Its natural key.
    pub key: String,
    /// Its different versions, in the order they were first sent.
    pub versions: Vec<Version>,
    /// The place among them of the current one of those that were acknowledged.
    pub current: Option<usize>,
}

/// One version of a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Version {
    /// The SHA-256 of its research view as JSON, members sorted, in hexadecimal digits.
    pub sha256: String,
    /// Its rank.
    pub rank: i64,
    /// Whether it was acknowledged.
    pub acknowledged: bool,
}

type Key = (usize, String, String);

impl Ledger {
    /// Notes that a POST with these records is about to be sent.
    pub fn sent(&mut self, records: &[Record]) -> Sending {
        self.sendings.push((records.to_vec(), false));
        Sending(self.sendings.len() - 1)
    }

    /// Notes that it was answered with 200.
    pub fn acknowledged(&mut self, sending: Sending) {
        self.sendings[sending.0].1 = true;
    }

    /// How many different records were acknowledged.
    pub fn records_acknowledged(&self) -> usize {
        self.versions().values().filter(|versions| versions.iter().any(|(_, acknowledged)| *acknowledged)).count()
    }

    /// How the rows of a dataset differ from what must be there; empty where they do not. At most 20 are told.
    pub fn differences(&self, rows: &[Row]) -> Vec<String> {
        let versions = self.versions();
        let mut keys_of_content: HashMap<(usize, &str, String), &Key> = HashMap::new();
        for (key, all) in &versions {
            for (record, _) in all {
                keys_of_content.insert((key.0, &key.1, record.research_view().to_string()), key);
            }
        }
        let mut told = Vec::new();
        let mut found: HashMap<&Key, Vec<String>> = HashMap::new();
        for row in rows {
            let content = without_pseudonyms(row.record.clone()).to_string();
            match keys_of_content.get(&(row.user, row.summary_type.as_str(), content.clone())) {
                Some(key) => found.entry(key).or_default().push(content),
                None => told.push(format!("user {}: a row of {} that was never sent so", row.user, row.summary_type)),
            }
        }
        for (key, all) in &versions {
            let rows = found.get(key).map_or(&[][..], Vec::as_slice);
            told.extend(difference(all, rows).map(|what| format!("user {}: a record of {} {what}", key.0, key.1)));
        }
        told.truncate(20);
        told
    }

    /// The same without the records that `is_out` names.
    #[must_use]
    pub fn without(mut self, is_out: impl Fn(&Record) -> bool) -> Self {
        self.sendings.iter_mut().for_each(|(records, _)| records.retain(|record| !is_out(record)));
        self
    }

    /// Every record with its versions, sorted by user, type and key.
    pub fn standings(&self) -> Vec<Standing> {
        let versions = self.versions().into_iter();
        versions.map(|((user, summary_type, key), all)| standing(user, summary_type, key, &all)).collect()
    }

    fn versions(&self) -> BTreeMap<Key, Vec<(&Record, bool)>> {
        let mut versions: BTreeMap<Key, Vec<(&Record, bool)>> = BTreeMap::new();
        for (records, acknowledged) in &self.sendings {
            for record in records {
                let key = (record.user, record.summary_type.clone(), record.natural_key());
                versions.entry(key).or_default().push((record, *acknowledged));
            }
        }
        versions
    }
}

fn standing(user: usize, summary_type: String, key: String, all: &[(&Record, bool)]) -> Standing {
    let mut versions: Vec<Version> = Vec::new();
    let mut current = None;
    for (record, acknowledged) in all {
        let view = record.research_view().to_string();
        let sha256 = data_encoding::HEXLOWER.encode(digest(&SHA256, view.as_bytes()).as_ref());
        let place = versions.iter().position(|version| version.sha256 == sha256).unwrap_or_else(|| {
            versions.push(Version { sha256, rank: record.rank(), acknowledged: false });
            versions.len() - 1
        });
        versions[place].acknowledged |= acknowledged;
        // Of equal ranks the one that was sent last is current.
        if *acknowledged && current.is_none_or(|best: usize| versions[best].rank <= record.rank()) {
            current = Some(place);
        }
    }
    Standing { user, summary_type, key, versions, current }
}

fn difference(versions: &[(&Record, bool)], rows: &[String]) -> Option<&'static str> {
    let must_be_there = versions.iter().any(|(_, acknowledged)| *acknowledged);
    match rows {
        [] => must_be_there.then_some("was acknowledged and is missing"),
        [row] => (!may_be_current(versions, row)).then_some("stands there in a version that is not the current one"),
        _ => Some("stands there more than once"),
    }
}

/// Whether a version that reads like `row` wins over all that were acknowledged. A version whose answer never came
/// may have arrived, and at any later time.
fn may_be_current(versions: &[(&Record, bool)], row: &str) -> bool {
    let newest_acknowledged = versions
        .iter()
        .enumerate()
        .filter(|(_, (_, acknowledged))| *acknowledged)
        .max_by_key(|(place, (record, _))| (record.rank(), *place));
    versions.iter().enumerate().any(|(place, (record, acknowledged))| {
        let wins = match newest_acknowledged {
            None => true,
            Some((best, _)) if *acknowledged => place == best || same(versions[best].0, record),
            Some((_, (best, _))) => record.rank() >= best.rank(),
        };
        let reads = record.research_view().to_string();
        wins && reads == row
    })
}

fn same(one: &Record, other: &Record) -> bool {
    one.content == other.content
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::UnixSeconds;
    use crate::simulate::health;
    use crate::simulate::user::Population;

    fn record() -> Record {
        health::daily(Population::new(41, 1).user(0), UnixSeconds(1_793_491_200))
    }

    fn row(record: &Record) -> Row {
        let mut raw = record.research_view();
        raw["record_id"] = Value::from("p-1");
        Row { user: record.user, summary_type: record.summary_type.clone(), record: raw }
    }

    #[test]
    fn dataset_with_every_record_once_has_no_difference() {
        let mut ledger = Ledger::default();
        let first = ledger.sent(&[record()]);
        ledger.acknowledged(first);
        let again = ledger.sent(&[record()]);
        ledger.acknowledged(again);
        assert_eq!(ledger.differences(&[row(&record())]), Vec::<String>::new());
        assert_eq!(ledger.records_acknowledged(), 1);
    }

    #[test]
    fn lost_doubled_foreign_and_outdated_rows_are_told() {
        let mut ledger = Ledger::default();
        for version in [record().revised(1), record()] {
            let sending = ledger.sent(&[version]);
            ledger.acknowledged(sending);
        }
        assert!(ledger.differences(&[])[0].contains("missing"));
        let current = row(&record().revised(1));
        assert!(ledger.differences(&[current.clone(), current.clone()])[0].contains("more than once"));
        assert!(ledger.differences(&[row(&record())])[0].contains("not the current"));
        assert!(ledger.differences(&[current, row(&record().revised(2))])[0].contains("never sent"));
    }

    #[test]
    fn standing_names_the_current_version_of_those_acknowledged() {
        let mut ledger = Ledger::default();
        for version in [record(), record().revised(2), record().revised(1), record()] {
            let sending = ledger.sent(&[version]);
            ledger.acknowledged(sending);
        }
        ledger.sent(&[record().revised(3)]);
        let standings = ledger.standings();
        assert_eq!(standings.len(), 1);
        assert_eq!((standings[0].versions.len(), standings[0].current), (4, Some(1)));
        assert!(!standings[0].versions[3].acknowledged);
        assert!(ledger.without(|record| record.user == 0).standings().is_empty());
    }

    #[test]
    fn unanswered_sending_may_be_there_or_not() {
        let mut ledger = Ledger::default();
        ledger.sent(&[record()]);
        assert!(ledger.differences(&[]).is_empty());
        assert!(ledger.differences(&[row(&record())]).is_empty());
        let answered = ledger.sent(&[record().revised(1)]);
        ledger.acknowledged(answered);
        assert!(!ledger.differences(&[row(&record())]).is_empty(), "the older version lost");
    }
}
