//! Files in which little lives: what lives is moved, wherever that is cut short.

use super::*;

/// Three files that both owners' packs lie in, the second owner's packs gone since; the first owner's records.
fn shared(store: &Store) -> Vec<(u8, u8, String, String)> {
    let catalog = store.catalog();
    let mut compressor = Compressor::new(1).expect("a compressor");
    for sequence in 1..=3_u64 {
        let number = u8::try_from(sequence).expect("few");
        let mut sealed = Vec::new();
        for (owner, records) in [(OWNER, 1), (OTHER, 8)] {
            let mut builder = Builder::default();
            for record in 0..records {
                let text = long(sequence * 100 + record);
                builder.push(entry((number, 1, 0, ""), sequence), text.as_bytes(), b"Anna");
            }
            let keys = catalog.keys(&owner).expect("keys");
            let id = PackId::new(sequence, u32::from(owner == OTHER));
            let pack = builder.seal(owner, &keys, id, 0, &mut compressor, &SystemRandom::new()).expect("sealed");
            sealed.push((owner, pack));
        }
        catalog.commit(catalog.prepare(sealed, Vec::new()).expect("written"), Batch::default()).expect("committed");
    }
    commit(&catalog, OWNER, 4, &[(9, 1, 0, "{}")]).expect("committed");
    assert_eq!(catalog.blobs.ids().expect("listed").len(), 3, "each file holds packs of both");
    assert!(!catalog.tidy(0).expect("looked at"), "all of it lives");
    catalog.erase(&OTHER).expect("erased");
    read(&catalog, OWNER).expect("read")
}

#[test]
fn what_lives_is_moved_out_of_files_in_which_little_does() {
    let store = Store::new();
    let before = shared(&store);
    let catalog = store.catalog();
    let (files, bytes) = (catalog.blobs.ids().expect("listed"), catalog.blobs.bytes());
    assert!(!catalog.tidy(bytes).expect("looked at"), "so much waste is allowed");
    assert!(catalog.tidy(0).expect("tidied"));
    let after = catalog.blobs.ids().expect("listed");
    assert!(after.len() == 1 && !files.contains(&after[0]), "{} files", after.len());
    assert!(catalog.blobs.bytes() * 4 < bytes, "{} of {bytes}", catalog.blobs.bytes());
    assert_eq!(read(&catalog, OWNER).expect("read"), before);
    assert!(!catalog.tidy(0).expect("looked at"), "nothing is left to do");
    let again = store.catalog();
    assert_eq!(read(&again, OWNER).expect("read"), before);
    again.erase(&OWNER).expect("erased");
    assert_eq!((again.blobs.ids().expect("listed").len(), again.blobs.bytes()), (0, 0));
}

#[test]
fn nothing_is_moved_while_somebody_reads() {
    let store = Store::new();
    shared(&store);
    let catalog = store.catalog();
    let reading = catalog.reading();
    assert!(!catalog.tidy(0).expect("looked at"));
    drop(reading);
    assert!(catalog.tidy(0).expect("tidied"));
}

#[test]
fn crash_while_packs_are_moved_leaves_each_whole_in_one_of_two_files() {
    for fault in [Fault::Before(1), Fault::Halfway(1)] {
        let store = Store::new();
        let before = shared(&store);
        let failing = store.open(fault).expect("it opens");
        assert!(failing.tidy(0).is_err());
        drop(failing);
        let catalog = store.catalog();
        assert_eq!(read(&catalog, OWNER).expect("read"), before, "{fault:?}");
        while catalog.tidy(0).expect("tidied") {}
        assert_eq!(read(&catalog, OWNER).expect("read"), before, "{fault:?}");
        assert_eq!(read(&store.catalog(), OWNER).expect("read"), before, "{fault:?}");
    }
}
