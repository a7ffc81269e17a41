//! The rules of links.

use crate::model::{
    connection::{ClientId, GarminUserId},
    id::OwnerId,
    time::UnixSeconds,
};
use crate::people::{
    change::Change,
    decide::{
        link::{self, Target},
        permission::{self, Telling},
        study,
        tests::{NOW, digest, directory, linked, user, window, with_participant, with_study},
    },
    directory::Directory,
    held::Held,
    permissions::{Came, Permissions, Told},
    refusal::Refusal,
    standing::Standing,
};

#[test]
fn one_connection_has_one_code_of_a_study_at_a_time_and_any_number_of_studies() {
    let mut directory = directory();
    let (a, b) = (with_study(&mut directory, "A", 1), with_study(&mut directory, "B", 2));
    let p1 = with_participant(&mut directory, &a, "P1", 11);
    let p2 = with_participant(&mut directory, &a, "P2", 12);
    let q1 = with_participant(&mut directory, &b, "Q1", 21);
    linked(&mut directory, &p1, user("u"), window(None, Some(100))).expect("links");

    let overlapping = [window(None, None), window(Some(99), None), window(Some(0), Some(1))];
    for times in overlapping {
        assert_eq!(linked(&mut directory, &p2, user("u"), times), Err(Refusal::LinkedInStudy("P1".into())));
        assert_eq!(linked(&mut directory, &p1, user("u"), times), Err(Refusal::LinkedAlready));
    }
    linked(&mut directory, &p2, user("u"), window(Some(100), None)).expect("the time after is free");
    linked(&mut directory, &q1, user("u"), window(None, None)).expect("another study is free");
    linked(&mut directory, &p2, user("other"), window(None, None)).expect("another connection is free");

    let Standing::Linked(links) = directory.standing(&digest(&directory, "u")) else {
        panic!("the connection is linked");
    };
    let at = |time| -> Vec<&str> {
        links.iter().filter(|l| l.collects(UnixSeconds(time))).map(|l| &*l.participant.code).collect()
    };
    assert_eq!((at(50), at(100)), (vec!["P1", "Q1"], vec!["P2", "Q1"]));
}

#[test]
fn unlink_ends_the_only_current_link_or_the_numbered_one() {
    let mut directory = directory();
    let study = with_study(&mut directory, "A", 1);
    let p1 = with_participant(&mut directory, &study, "P1", 11);
    let unlink = |directory: &Directory, number| link::unlink(directory, &p1, number, UnixSeconds(500).into(), NOW);
    assert_eq!(unlink(&directory, None).expect_err("refused"), Refusal::NoLink);
    linked(&mut directory, &p1, user("u"), window(None, None)).expect("links");
    linked(&mut directory, &p1, user("v"), window(None, None)).expect("links");
    assert_eq!(unlink(&directory, None).expect_err("refused"), Refusal::SeveralLinks);
    assert_eq!(unlink(&directory, Some(3)).expect_err("refused"), Refusal::NoLinkNumber(3));
    let change = unlink(&directory, Some(2)).expect("ends");
    directory.apply(change);
    assert_eq!(unlink(&directory, Some(2)).expect_err("refused"), Refusal::NoLinkNumber(2));
    let change = unlink(&directory, None).expect("ends the one that is left");
    directory.apply(change);
    let ends: Vec<_> = directory.links(&p1.id).iter().map(|known| known.link.window.to).collect();
    assert_eq!(ends, [Some(UnixSeconds(500).into()); 2]);
}

#[test]
fn closed_study_collects_nothing_over_its_links() {
    let mut directory = directory();
    let study = with_study(&mut directory, "A", 1);
    let p1 = with_participant(&mut directory, &study, "P1", 11);
    linked(&mut directory, &p1, user("u"), window(None, None)).expect("links");
    let collects = |directory: &Directory| directory.linked(&digest(directory, "u"))[0].collects(NOW);
    assert!(collects(&directory));
    directory.apply(Change::Study(study::close(&study)));
    assert!(!collects(&directory));
}

#[test]
fn holders_of_a_link_are_told_apart_by_whether_it_has_ended() {
    let mut directory = directory();
    let (a, b) = (with_study(&mut directory, "A", 1), with_study(&mut directory, "B", 2));
    let p1 = with_participant(&mut directory, &a, "P1", 11);
    let p2 = with_participant(&mut directory, &a, "P2", 12);
    let q1 = with_participant(&mut directory, &b, "Q1", 21);
    linked(&mut directory, &p1, user("u"), window(None, Some(100))).expect("links");
    linked(&mut directory, &p2, user("u"), window(Some(100), None)).expect("links");
    linked(&mut directory, &q1, user("u"), window(None, Some(5_000))).expect("links");
    let holders = directory.link_holders(&digest(&directory, "u"), NOW);
    assert_eq!((holders.current, holders.ended), (vec![p2.id, q1.id], vec![p1.id]));
    let change = link::ended(&directory, &p2.id, &digest(&directory, "u"), NOW).expect("was current");
    directory.apply(change);
    let holders = directory.link_holders(&digest(&directory, "u"), NOW);
    assert_eq!((holders.current, holders.ended), (vec![q1.id], vec![p1.id, p2.id]));
}

#[test]
fn tombstoned_connection_is_not_linked_and_what_comes_is_dropped() {
    let mut directory = directory();
    let study = with_study(&mut directory, "A", 1);
    let p1 = with_participant(&mut directory, &study, "P1", 11);
    let connection = digest(&directory, "u");
    let tombstone = directory.digests().tombstone(&connection);
    directory.apply(Change::Tombstone(tombstone, UnixSeconds(9_000)));
    assert!(matches!(directory.standing(&connection), Standing::Tombstoned));
    assert!(matches!(directory.standing(&digest(&directory, "v")), Standing::Unknown));
    let refused = linked(&mut directory, &p1, user("u"), window(None, None));
    assert_eq!(refused, Err(Refusal::Tombstoned(UnixSeconds(9_000))));
    directory.apply(Change::TombstoneGone(tombstone));
    linked(&mut directory, &p1, user("u"), window(None, None)).expect("links");
}

#[test]
fn held_connection_resolves_to_its_participant_at_once_and_waits_to_be_picked_up() {
    let mut directory = directory();
    let study = with_study(&mut directory, "A", 1);
    let p1 = with_participant(&mut directory, &study, "P1", 11);
    let owner = OwnerId::from_bytes([77; 16]);
    let held = Held {
        client: ClientId::single(),
        user: GarminUserId::parse("u").expect("a user"),
        handle: "k3v9q2ma".into(),
        first_seen: NOW,
        last_seen: NOW,
        items: [("epochs".to_owned(), 3)].into(),
        device: None,
        linked: false,
    };
    let connection = digest(&directory, "u");
    directory.apply(Change::Held(owner, connection, held));
    let permissions = Permissions::default().after(told(&["ACTIVITY_EXPORT"], NOW.0, 1)).expect("newer");
    directory.apply(Change::Permissions(owner, connection, permissions.clone()));
    assert!(matches!(directory.standing(&connection), Standing::Held(of) if of == owner));

    let wrong = linked(&mut directory, &p1, Target::Handle("nosuch".into()), window(None, None));
    assert_eq!(wrong, Err(Refusal::NoHandle("nosuch".into())));
    linked(&mut directory, &p1, Target::Handle("K3V9Q2MA".into()), window(None, None)).expect("links");
    assert!(matches!(directory.standing(&connection), Standing::Linked([only]) if only.participant.id == p1.id));
    assert_eq!(directory.pickups().iter().map(|pickup| pickup.owner).collect::<Vec<_>>(), [owner]);
    assert_eq!(directory.permissions(&p1.id, &connection).map(|kept| (**kept).clone()), Some(permissions));

    directory.apply(Change::HeldGone(owner));
    assert!(directory.pickups().is_empty() && directory.held_of(&connection).is_none());
}

/// A list that came now, in this body.
fn told(granted: &[&str], changed: i64, body: u64) -> Told {
    Told::new(granted.iter().copied(), UnixSeconds(changed), Came { received: NOW, body }, 0)
}

#[test]
fn notice_of_permissions_is_applied_older_ahead_or_of_nobody() {
    let mut directory = directory();
    let study = with_study(&mut directory, "A", 1);
    let p1 = with_participant(&mut directory, &study, "P1", 11);
    linked(&mut directory, &p1, user("u"), window(None, None)).expect("links");
    let connection = digest(&directory, "u");
    let steps: [(&[&str], i64, u64, &str, &str); 8] = [
        (&["HEALTH_EXPORT"], 10, 1, "applied", "HEALTH_EXPORT"),
        (&[], 10, 2, "applied", ""),
        (&[], 10, 2, "applied", ""),
        (&["HEALTH_EXPORT"], 9, 3, "older", ""),
        (&["HEALTH_EXPORT"], 10, 1, "older", ""),
        (&["MCT_EXPORT"], 11, 4, "applied", "MCT_EXPORT"),
        (&["ACTIVITY_EXPORT"], NOW.0 + permission::AHEAD_MAX_SECONDS + 1, 5, "ahead", "MCT_EXPORT"),
        (&["ACTIVITY_EXPORT"], NOW.0 + permission::AHEAD_MAX_SECONDS, 6, "applied", "ACTIVITY_EXPORT"),
    ];
    for (granted, changed, body, expected, holds) in steps {
        let telling = permission::told(&directory, &connection, &told(granted, changed, body));
        let name = match telling {
            Telling::Applied(changes) => {
                changes.into_iter().for_each(|change| directory.apply(change));
                "applied"
            }
            Telling::Older => "older",
            Telling::Ahead => "ahead",
            Telling::Unknown => "unknown",
        };
        assert_eq!(name, expected, "at {changed} in body {body}");
        let current = directory.permissions(&p1.id, &connection).and_then(|known| known.current().cloned());
        assert_eq!(current.map(|told| told.granted.join(",")).as_deref(), Some(holds), "at {changed} in body {body}");
    }
    let stranger = digest(&directory, "v");
    assert!(matches!(permission::told(&directory, &stranger, &told(&[], 1, 1)), Telling::Unknown));
}

#[test]
fn second_participant_of_a_connection_takes_over_its_permissions_and_both_follow_it() {
    let mut directory = directory();
    let [first, second] = [("A", 1), ("B", 2)].map(|(name, number)| with_study(&mut directory, name, number));
    let p1 = with_participant(&mut directory, &first, "P1", 11);
    let q1 = with_participant(&mut directory, &second, "Q1", 12);
    let connection = digest(&directory, "u");
    let tell = |directory: &mut Directory, told: &Told| match permission::told(directory, &connection, told) {
        Telling::Applied(changes) => {
            let count = changes.len();
            changes.into_iter().for_each(|change| directory.apply(change));
            count
        }
        Telling::Older | Telling::Ahead | Telling::Unknown => 0,
    };
    linked(&mut directory, &p1, user("u"), window(None, None)).expect("links");
    assert_eq!(tell(&mut directory, &told(&["MCT_EXPORT"], 10, 1)), 1);
    linked(&mut directory, &q1, user("u"), window(None, None)).expect("links");
    assert_eq!(directory.permissions(&q1.id, &connection), directory.permissions(&p1.id, &connection));
    assert!(directory.permissions(&q1.id, &connection).is_some());
    assert_eq!(tell(&mut directory, &told(&[], 11, 2)), 2);
    assert_eq!(directory.permissions(&q1.id, &connection), directory.permissions(&p1.id, &connection));
}
