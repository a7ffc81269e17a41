//! A rotation that a person asks for: what is filed and what is not are readable afterwards, and nothing older is.

use crate::crypto::keyring::JournalGeneration;
use crate::filing::tests::site::Site;
use crate::filing::tests::{leaves, push, texts};

fn rotate(site: &Site) -> JournalGeneration {
    let running = site.at();
    let generation = running.withdrawal.next_generation().expect("begun");
    running.withdrawal.rotate(|changes| running.keyring.rotate(changes)).expect("rotated");
    generation
}

#[test]
fn rotation_keeps_the_keys_of_bodies_that_are_not_filed_and_the_next_one_destroys_them() {
    let mut site = Site::with(&["u1"]);
    site.receive(&push("dailies", "u1", r#""summaryId":"a","steps":1"#));
    site.push(&push("dailies", "u1", r#""summaryId":"b","steps":2"#));
    let generation = rotate(&site);
    let before = JournalGeneration(generation.0 - 1);
    assert!(site.at().keyring.journal(before).is_some(), "a body still needs it");
    // A restart reads the body that was taken before.
    site.restart();
    site.file();
    assert_eq!(texts(&site.records("S", "P1")).len(), 2);
    rotate(&site);
    assert!(site.at().keyring.journal(before).is_none());
    site.restart();
    assert_eq!(texts(&site.records("S", "P1")).len(), 2);
}

#[test]
fn rotation_beside_a_purge_leaves_a_receipt_that_names_the_epoch_of_the_purge() {
    let mut site = Site::with(&["u1", "u2"]);
    site.receive(&push("dailies", "u2", r#""summaryId":"a","steps":1"#));
    rotate(&site);
    let epoch = site.at().keyring.epoch();
    site.receive(&leaves("u1"));
    rotate(&site);
    let purge = site.at().withdrawal.purge_of("S", "P1").expect("a purge");
    assert_eq!((purge.epoch, site.at().keyring.epoch()), (Some(epoch), epoch + 2));
    assert_eq!(site.records("S", "P2").len(), 1);
}
