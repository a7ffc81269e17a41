//! The directory of people over an engine: what is durable, what is sealed, and what a start finds again.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use ring::rand::SystemRandom;
use studygate::crypto::{key::Key, keyring, keyring::Keyring};
use studygate::model::{
    connection::{ClientId, GarminUserId},
    id::OwnerId,
    participant::{Consent, Participant, ParticipantState, Window},
    study::{DatesRule, Rules, Study},
    time::UnixSeconds,
};
use studygate::people::register::{HandedOut, HandedOver, Terms};
use studygate::people::{
    LinkRequest, People, Settings,
    decide::{
        link::Target,
        participant::{NewParticipant, Step},
        permission::Telling,
        study::{NewStudy, StudyChange},
    },
    held::HeldNote,
    permissions::{Came, Told},
    refusal::{Kind, Refusal},
    standing::Standing,
};
use studygate::store::engine::{Batch, Compacted, Engine, Error as EngineError, GoOn};
use studygate::store::memory::Memory;

const RECIPIENT: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";
const NOW: UnixSeconds = UnixSeconds(1_793_509_200);

/// A gateway's people on a memory engine, with a keyring of its own.
struct Site {
    engine: Arc<Memory>,
    keyring: Arc<Keyring>,
    people: People,
    _dir: tempfile::TempDir,
}

impl Site {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let keyring = Arc::new(open_keyring(dir.path()));
        let engine = Arc::new(Memory::default());
        let people = open(Arc::clone(&engine) as _, &keyring);
        Self { engine, keyring, people, _dir: dir }
    }

    fn again(&self) -> People {
        open(Arc::clone(&self.engine) as _, &self.keyring)
    }

    fn with_studies(self, names: &[&str]) -> Self {
        for name in names {
            let new = NewStudy { name: (*name).into(), recipients: vec![RECIPIENT.into()], rules: Rules::default() };
            self.people.add_study(new, NOW).expect("a study");
        }
        self
    }

    fn add(&self, study: &str, code: &str, link: Option<LinkRequest>) -> Result<OwnerId, Refusal> {
        let new = NewParticipant { code: Some(code.into()), ..NewParticipant::default() };
        self.people.add_participant(study, new, link, NOW).map(|added| added.id)
    }

    fn rows(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut rows = Vec::new();
        self.engine
            .scan(&[], &mut |key, value| {
                rows.push((key.to_vec(), value.to_vec()));
                true
            })
            .expect("the memory engine reads");
        rows
    }
}

fn open_keyring(dir: &Path) -> Keyring {
    Keyring::open(dir, &Key::from_bytes([9; 32]), Arc::new(SystemRandom::new())).expect("a keyring")
}

fn open(engine: Arc<dyn Engine>, keyring: &Arc<Keyring>) -> People {
    let settings = Settings { held_connections_max: 2 };
    People::open(engine, Arc::clone(keyring), Arc::new(SystemRandom::new()), settings).expect("people")
}

fn garmin_user(text: &str) -> GarminUserId {
    GarminUserId::parse(text).expect("a user")
}

fn to_user(text: &str) -> LinkRequest {
    LinkRequest { target: Target::User(ClientId::single(), garmin_user(text)), window: Window::default() }
}

fn to_handle(text: &str) -> LinkRequest {
    LinkRequest { target: Target::Handle(text.into()), window: Window::default() }
}

/// What a notice told a moment ago.
fn told(granted: &[&str]) -> Told {
    Told::new(granted.iter().copied(), NOW, Came { received: NOW, body: 1 }, 0)
}

/// All that readers can see, as text.
fn seen(people: &People, users: &[&str]) -> String {
    use std::fmt::Write as _;
    let directory = people.read();
    let mut text = String::new();
    for study in directory.studies() {
        writeln!(text, "{study:?} {:?}", directory.retired(&study.id)).expect("writes");
        for participant in directory.participants(&study.id) {
            writeln!(text, "{participant:?} {:?}", directory.links(&participant.id)).expect("writes");
        }
    }
    for user in users {
        let digest = people.digest(&ClientId::single(), user);
        writeln!(text, "{user}: {:?}", directory.standing(&digest)).expect("writes");
        for linked in directory.linked(&digest) {
            let kept = directory.permissions(&linked.participant.id, &digest);
            writeln!(text, "{kept:?}").expect("writes");
        }
        if let Some(held) = directory.held_of(&digest).and_then(|owner| directory.held_owner(&owner).cloned()) {
            let held = held.held;
            writeln!(text, "{} {:?} {:?} {}", held.handle, held.items, held.device, held.linked).expect("writes");
        }
    }
    writeln!(text, "{:?} {:?}", directory.pickups(), directory.tombstones().count()).expect("writes");
    text
}

#[test]
fn directory_is_the_same_after_a_start() {
    let site = Site::new().with_studies(&["A", "B"]);
    let people = &site.people;
    let p1 = site.add("A", "P1", Some(to_user("user-one"))).expect("added");
    site.add("B", "Q1", Some(to_user("user-one"))).expect("added");
    let gone = site.add("A", "P2", Some(to_user("user-two"))).expect("added");
    people.step_participant("A", "P1", Step::Pause, NOW).expect("pauses");
    people.unlink_participant("B", "Q1", None, NOW, NOW).expect("ends");
    people.lock_study("B").expect("locks");

    let held = people.hold(&[(ClientId::single(), garmin_user("user-three"))], NOW).expect("held")[0].expect("owner");
    let mut turn = people.turn();
    let items = BTreeMap::from([("epochs".to_owned(), 4)]);
    turn.held_note(&held, &HeldNote { now: NOW.plus(60), items, device: Some("Forerunner".into()) });
    let one = people.digest(&ClientId::single(), "user-one");
    let Telling::Applied(changes) = turn.permissions(&one, &told(&["HEALTH_EXPORT"])) else { panic!("it is newer") };
    assert_eq!(changes.len(), 2, "one for each of its participants");
    turn.tombstone(&[people.digest(&ClientId::single(), "user-two")], NOW.plus(60));
    turn.withdraw(&gone);
    turn.erase(&gone, NOW);
    turn.commit().expect("committed");

    let users = ["user-one", "user-two", "user-three", "user-four"];
    let before = seen(people, &users);
    assert!(before.contains("P1") && before.contains("Paused") && before.contains("Tombstoned"), "{before}");
    assert!(before.contains("Forerunner") && before.contains("HEALTH_EXPORT"), "{before}");
    assert!(!before.contains(&gone.to_string()) && before.contains(&p1.to_string()), "{before}");
    assert_eq!(before, seen(&site.again(), &users));
}

#[test]
fn no_user_id_code_or_name_is_in_any_row() {
    let site = Site::new().with_studies(&["STUDYNAME"]);
    site.add("STUDYNAME", "PARTICIPANTCODE", Some(to_user("linkeduserid"))).expect("added");
    let held = site.people.hold(&[(ClientId::single(), garmin_user("helduserid"))], NOW).expect("held");
    let mut turn = site.people.turn();
    let device = Some("DEVICENAME".to_owned());
    turn.held_note(&held[0].expect("owner"), &HeldNote { now: NOW, items: BTreeMap::new(), device });
    turn.tombstone(&[site.people.digest(&ClientId::single(), "leftuserid")], NOW.plus(1));
    turn.commit().expect("committed");

    let rows = site.rows();
    assert_eq!(rows.len(), 5, "study, participant, links, held, tombstone");
    let markers = ["linkeduserid", "helduserid", "leftuserid", "PARTICIPANTCODE", "STUDYNAME", "DEVICENAME"];
    for bytes in rows.iter().flat_map(|(key, value)| [key, value]) {
        for marker in markers {
            assert!(!bytes.windows(marker.len()).any(|window| window == marker.as_bytes()), "{marker} in clear");
        }
    }
}

#[test]
fn row_that_was_altered_or_moved_stops_the_start() {
    let site = Site::new().with_studies(&["A"]);
    site.add("A", "P1", None).expect("added");
    site.add("A", "P2", None).expect("added");
    let participants: Vec<_> = site.rows().into_iter().filter(|(key, _)| key[16] == b'P').collect();
    let mut flipped = participants[0].1.clone();
    *flipped.last_mut().expect("bytes") ^= 1;
    for wrong in [flipped, participants[1].1.clone()] {
        let mut batch = Batch::default();
        batch.put(participants[0].0.clone(), wrong);
        site.engine.commit(batch).expect("committed");
        let rng = Arc::new(SystemRandom::new());
        let settings = Settings { held_connections_max: 0 };
        let refused = People::open(Arc::clone(&site.engine) as _, Arc::clone(&site.keyring), rng, settings);
        let error = refused.err().expect("refused").to_string();
        assert_eq!(error, "a participant row of the store does not open: it was altered; restore the last backup");
    }
}

#[test]
fn two_codes_of_one_study_cannot_share_a_connection_and_the_refused_one_leaves_nothing() {
    let site = Site::new().with_studies(&["A", "B"]);
    site.add("A", "P1", Some(to_user("u"))).expect("added");
    let (rows, keys) = (site.rows().len(), site.keyring.owners().len());
    assert_eq!(site.add("A", "P2", Some(to_user("u"))), Err(Refusal::LinkedInStudy("P1".into())));
    assert_eq!((site.rows().len(), site.keyring.owners().len()), (rows, keys));
    assert!(site.people.read().participant_coded(&site.people.study("A").expect("A").id, "P2").is_none());
    site.add("B", "P1", Some(to_user("u"))).expect("another study is free");
}

#[test]
fn held_data_are_linked_by_handle_picked_up_and_forgotten() {
    let site = Site::new().with_studies(&["A"]);
    let people = &site.people;
    let connection = (ClientId::single(), garmin_user("u"));
    let owner = people.hold(std::slice::from_ref(&connection), NOW).expect("held")[0].expect("owner");
    assert_eq!(people.hold(std::slice::from_ref(&connection), NOW).expect("held"), [Some(owner)]);
    assert!(site.keyring.owner(&owner).expect("keys").identity.is_none());

    let handle = people.read().held_owner(&owner).expect("held").held.handle.clone();
    let id = site.add("A", "P1", Some(to_handle(&handle))).expect("added");
    let digest = people.digest(&ClientId::single(), "u");
    for people in [people, &site.again()] {
        let directory = people.read();
        assert!(matches!(directory.standing(&digest), Standing::Linked([only]) if only.participant.id == id));
        assert_eq!(directory.pickups().iter().map(|pickup| pickup.owner).collect::<Vec<_>>(), [owner]);
        assert!(people.expired_held(NOW.plus(1_000), 10).is_empty(), "what waits for filing does not expire");
    }
    let mut turn = people.turn();
    turn.held_gone(&owner);
    turn.commit().expect("committed");
    assert!(people.read().pickups().is_empty() && site.again().read().pickups().is_empty());
    assert_eq!(site.rows().iter().filter(|(key, _)| key[16] == b'H').count(), 0);
}

#[test]
fn held_connections_have_a_limit_and_expire_from_their_first_item() {
    let site = Site::new();
    let people = &site.people;
    let users = ["a", "b", "c"].map(|user| (ClientId::single(), garmin_user(user)));
    let owners = people.hold(&users, NOW).expect("held");
    assert!(owners[0].is_some() && owners[1].is_some() && owners[2].is_none(), "two are the limit");
    let mut turn = people.turn();
    let note = HeldNote { now: NOW.plus(99), ..HeldNote::default() };
    turn.held_note(&owners[0].expect("owner"), &note);
    turn.commit().expect("committed");
    assert!(people.expired_held(NOW.plus(99), 100).is_empty());
    assert_eq!(people.expired_held(NOW.plus(100), 100).len(), 2);
}

#[test]
fn turn_is_invisible_until_it_is_applied_and_nothing_where_it_is_dropped() {
    let site = Site::new().with_studies(&["A"]);
    let people = &site.people;
    let id = site.add("A", "P1", Some(to_user("u"))).expect("added");
    let state = |people: &People| people.read().participant(&id).map(|found| found.state);

    let mut turn = people.turn();
    turn.withdraw(&id);
    drop(turn.sealed().expect("sealed"));
    assert_eq!(state(people), Some(ParticipantState::Active));

    let mut turn = people.turn();
    turn.withdraw(&id);
    let (batch, pending) = turn.sealed().expect("sealed");
    assert_eq!(state(people), Some(ParticipantState::Active));
    site.engine.commit(batch).expect("committed");
    pending.apply();
    assert_eq!(state(people), Some(ParticipantState::Withdrawn));
    assert_eq!(state(&site.again()), Some(ParticipantState::Withdrawn));
}

#[test]
fn store_that_fails_changes_nothing_in_memory() {
    struct Full;
    impl Engine for Full {
        fn get(&self, _: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
            Ok(None)
        }
        fn scan(&self, _: &[u8], _: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<(), EngineError> {
            Ok(())
        }
        fn scan_from(&self, _: &[u8], _: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<(), EngineError> {
            Ok(())
        }
        fn commit(&self, _: Batch) -> Result<(), EngineError> {
            Err(EngineError::Poisoned)
        }
        fn bytes(&self) -> u64 {
            0
        }
        fn live_bytes(&self) -> Result<u64, EngineError> {
            Ok(0)
        }
        fn compact(&self, _: u64, _: GoOn<'_>) -> Result<Compacted, EngineError> {
            Err(EngineError::Poisoned)
        }
    }
    let dir = tempfile::tempdir().expect("a folder");
    let people = open(Arc::new(Full), &Arc::new(open_keyring(dir.path())));
    let new = NewStudy { name: "A".into(), recipients: vec![RECIPIENT.into()], rules: Rules::default() };
    let refusal = people.add_study(new, NOW).expect_err("refused");
    assert_eq!((refusal.kind(), people.read().studies().count()), (Kind::StoreFailed, 0));
}

#[test]
fn erased_participant_leaves_only_a_code_that_is_not_given_again() {
    let site = Site::new().with_studies(&["A"]);
    let people = &site.people;
    let before = site.rows().len();
    let id = site.add("A", "P1", Some(to_user("u"))).expect("added");
    let digest = people.digest(&ClientId::single(), "u");
    let mut turn = people.turn();
    turn.permissions(&digest, &told(&[]));
    turn.commit().expect("committed");
    assert_eq!(site.rows().len(), before + 3, "participant, links, permissions");

    let mut turn = people.turn();
    turn.erase(&id, NOW);
    turn.commit().expect("committed");
    assert_eq!(site.rows().len(), before + 1, "the codes that are not given again");
    assert!(matches!(people.read().standing(&digest), Standing::Unknown));
    for people in [people, &site.again()] {
        let new = NewParticipant { code: Some("p1".into()), ..NewParticipant::default() };
        let refusal = people.add_participant("A", new, None, NOW).expect_err("refused");
        assert_eq!(refusal, Refusal::CodeRetired("p1".into()));
    }
}

#[test]
fn shift_of_a_participant_is_drawn_once_stays_over_a_start_and_is_sealed() {
    let site = Site::new().with_studies(&["A", "B"]);
    let people = &site.people;
    let study = people.study("A").expect("a study").id;
    let ids: Vec<_> = (0..450).map(|number| site.add("A", &format!("P{number}"), None).expect("added")).collect();
    let other = site.add("B", "Q1", None).expect("added");
    people.draw_shifts(&study).expect("drawn");
    let shifts = |people: &People| -> Vec<_> {
        let directory = people.read();
        ids.iter().map(|id| directory.participant(id).expect("there").shift.expect("drawn")).collect()
    };
    let drawn = shifts(people);
    assert!(drawn.iter().any(|shift| *shift != drawn[0]), "450 participants do not all have one shift");
    assert_eq!(people.read().participant(&other).expect("there").shift, None, "its study shifts nothing");
    assert!(site.rows().iter().all(|(_, value)| !value.windows(5).any(|part| part == b"shift")));

    let later = site.add("A", "P-late", None).expect("added");
    people.step_participant("A", "P7", Step::Pause, NOW).expect("pauses");
    people.draw_shifts(&study).expect("drawn");
    assert_eq!(shifts(people), drawn);
    assert_eq!(shifts(&site.again()), drawn);
    assert!(site.again().read().participant(&later).expect("there").shift.is_some());
}

#[test]
fn dates_rule_does_not_change_while_an_export_runs() {
    let site = Site::new().with_studies(&["A"]);
    let shift = |before: &Study| {
        let rules = Rules { dates: DatesRule::Shift, ..before.rules.clone() };
        Ok::<_, Refusal>(StudyChange { rules: Some(rules), recipients: None })
    };
    let running = site.people.next_export("A").expect("a number");
    assert_eq!(site.people.set_study("A", shift), Err(Refusal::ExportRunning));
    drop(running);
    assert_eq!(site.people.set_study("A", shift).expect("changed").rules.dates, DatesRule::Shift);
}

#[test]
fn purge_that_stopped_after_its_keys_went_is_found_and_finished_at_the_next_start() {
    let site = Site::new().with_studies(&["A"]);
    let id = site.add("A", "P1", Some(to_user("u"))).expect("added");
    let digest = site.people.digest(&ClientId::single(), "u");
    let mut turn = site.people.turn();
    turn.permissions(&digest, &told(&[]));
    turn.commit().expect("committed");
    site.keyring.rotate(&[keyring::Change::Destroy(id)]).expect("rotated");

    let people = site.again();
    assert_eq!(people.keyless(), [id]);
    assert!(matches!(people.read().standing(&digest), Standing::Unknown));
    let mut turn = people.turn();
    turn.erase(&id, NOW);
    turn.commit().expect("committed");
    assert!(site.again().keyless().is_empty());
    assert_eq!(site.rows().len(), 1, "the study alone");
}

#[test]
fn tombstones_stand_until_they_expire_and_the_longest_counts() {
    let site = Site::new();
    let people = &site.people;
    let digest = people.digest(&ClientId::single(), "u");
    let mut turn = people.turn();
    turn.tombstone(&[digest], NOW.plus(100));
    turn.tombstone(&[digest], NOW.plus(50));
    turn.commit().expect("committed");
    let expire = |now| {
        let mut turn = people.turn();
        let count = turn.expire_tombstones(now);
        turn.commit().expect("committed");
        count
    };
    assert_eq!(expire(NOW.plus(99)), 0);
    assert!(matches!(site.again().read().standing(&digest), Standing::Tombstoned));
    assert_eq!(expire(NOW.plus(100)), 1);
    assert!(matches!(site.again().read().standing(&digest), Standing::Unknown));
}

#[test]
fn export_numbers_count_completed_exports_one_at_a_time() {
    let site = Site::new().with_studies(&["A", "B"]);
    let people = &site.people;
    let first = people.next_export("A").expect("a number");
    assert_eq!(first.number(), 1);
    assert_eq!(people.next_export("A").expect_err("refused").kind(), Kind::Unavailable);
    assert_eq!(people.next_export("B").expect("another study").number(), 1);
    drop(first);
    let again = people.next_export("A").expect("the number that was not used");
    assert_eq!(again.number(), 1);
    let added = (0..200).map(|number| {
        let new = NewParticipant { code: Some(format!("A-{number}")), ..NewParticipant::default() };
        people.add_participant("A", new, None, NOW).expect("a participant")
    });
    let terms = Terms { sequence: 7, format: "csv".into(), ..Terms::default() };
    let handed_over = HandedOver { made: NOW, manifest: "ab".repeat(32), participants: added.collect(), terms };
    people.export_done(&again, &handed_over).expect("counted");
    drop(again);
    let study = people.study("A").expect("a study").id;
    for people in [people, &site.again()] {
        let found = people.exports_with(&study, "A-199").expect("read");
        let expected = HandedOut { number: 1, made: NOW, manifest: "ab".repeat(32), codes: vec!["A-199".into()] };
        assert_eq!(found, [expected]);
        assert!(people.exports_with(&study, "A-200").expect("read").is_empty());
        let [listed] = &people.exports(&study).expect("read")[..] else { panic!("one export") };
        assert_eq!((listed.participants, listed.members.len()), (200, 0));
        let shown = people.export(&study, 1).expect("read");
        assert_eq!((shown.members.len(), shown.terms), (200, Some(handed_over.terms.clone())));
        assert_eq!(people.export(&study, 2).expect_err("none").kind(), Kind::NotFound);
    }
    assert_eq!(people.next_export("A").expect("a number").number(), 2);
    assert_eq!(site.again().next_export("A").expect("a number").number(), 2);
}

#[test]
fn participant_is_kept_as_each_export_handed_them_out() {
    let site = Site::new().with_studies(&["A"]);
    let people = &site.people;
    let new = NewParticipant { code: Some("A-1".into()), ..NewParticipant::default() };
    let first = people.add_participant("A", new, None, NOW).expect("a participant");
    let hand_over = |participant: &Arc<Participant>| {
        let number = people.next_export("A").expect("a number");
        let participants = vec![Arc::clone(participant)];
        let terms = Terms::default();
        let handed_over = HandedOver { made: NOW, manifest: String::new(), participants, terms };
        people.export_done(&number, &handed_over).map(|()| number.number())
    };
    assert_eq!(hand_over(&first), Ok(1));
    assert_eq!(hand_over(&first), Ok(2));
    let renamed = people.rename_participant("A", "A-1", "A-2".into()).expect("renamed");
    assert_eq!(hand_over(&renamed), Ok(3));
    let code = |number| people.handed_out(&first.id, number).expect("read").map(|found| found.code);
    assert_eq!([0, 1, 2, 3, 4].map(code).map(|code| code.unwrap_or_default()), ["", "A-1", "A-1", "A-2", "A-2"]);
    let study = people.study("A").expect("a study").id;
    let of_both_codes = people.exports_of(&study, &first.id, "A-2").expect("read");
    assert_eq!(
        of_both_codes.iter().map(|export| export.members[0].code.as_str()).collect::<Vec<_>>(),
        ["A-1", "A-1", "A-2"]
    );

    let mut turn = people.turn();
    turn.withdraw(&first.id);
    turn.commit().expect("withdrawn");
    assert_eq!(hand_over(&renamed), Err(Refusal::Withdrawn));
    let mut turn = people.turn();
    turn.erase(&first.id, NOW);
    turn.commit().expect("erased");
    assert_eq!(code(3), None);
    assert_eq!(people.export(&study, 3).expect("the register stays").members[0].code, "A-2");
    assert_eq!(people.next_export("A").expect("a number").number(), 4);
}

#[test]
fn made_codes_carry_the_consent_and_window_they_were_added_with() {
    let site = Site::new().with_studies(&["Alpha"]);
    let consent = Some(Consent { version: "2.1".into(), date: "2026-11-01".into() });
    let window = Window { from: Some(NOW.into()), to: None };
    let new = NewParticipant { code: None, window, consent: consent.clone() };
    let added = site.people.add_participant("Alpha", new, None, NOW).expect("added");
    assert!(added.code.starts_with("ALPHA-"), "{}", added.code);
    assert_eq!((added.window, &added.consent), (window, &consent));
    let study = site.people.study("Alpha").expect("the study");
    assert_eq!(site.again().read().participant_coded(&study.id, &added.code), Some(&added));
}
