//! Purges over a database on disk: what is left in its files.

use std::sync::Arc;

use super::leaving::{activity, daily, only_purge, ping};
use super::{Site, leaves};
use crate::model::study::Rules;
use crate::store::engine::{Engine, SITE, row, table};
use crate::store::sled::Sled;
use crate::store::suite::holds;
use crate::withdrawal::record::{Compaction, Stage};

/// The values of all rows with this prefix.
fn values(engine: &dyn Engine, prefix: &[u8]) -> Vec<Vec<u8>> {
    let mut values = Vec::new();
    let scanned = engine.scan(prefix, &mut |_, value| {
        values.push(value.to_vec());
        true
    });
    scanned.expect("read");
    values
}

#[test]
fn no_row_of_who_left_stands_in_the_data_directory_after_the_purge() {
    let mut site = Site::new();
    let engine = Arc::new(Sled::open(&site.dir.path().join("db")).expect("opened"));
    site.start_on(Arc::clone(&engine) as _).expect("started");
    site.study("S", Rules::default());
    let (owner, other) = (site.participant("S", "P1", "u1"), site.participant("S", "P2", "u2"));
    for user in ["u1", "u2"] {
        (1..20).for_each(|number| site.receive(&daily(user, number)));
        site.receive(&activity(user, 1));
        site.receive(&ping(user));
    }
    let of = |owner: &crate::model::id::OwnerId| {
        let mut rows = values(&*engine, owner.as_bytes());
        for table in [table::PARTICIPANT, table::LINKS] {
            rows.extend(values(&*engine, &row(&SITE, table, owner.as_bytes())));
        }
        rows
    };
    let (theirs, others) = (of(&owner), of(&other));
    assert!(theirs.len() > 4, "{}", theirs.len());
    assert!(theirs.iter().all(|value| holds(site.dir.path(), value)));
    site.receive(&leaves("u1"));
    let purge = only_purge(&site);
    assert_eq!((purge.stage, purge.compaction), (Stage::Erased, Compaction::Done));
    for value in &theirs {
        assert!(!holds(site.dir.path(), value), "a row of {} bytes is left", value.len());
    }
    assert!(others.iter().all(|value| holds(site.dir.path(), value)), "what lives is there");
    assert_eq!(site.records_of(&other).len(), 20);
}
