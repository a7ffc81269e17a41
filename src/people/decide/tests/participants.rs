//! The rules of participants.

use crate::model::{
    id::OwnerId,
    participant::{Consent, Participant},
    study::Study,
    time::UnixSeconds,
};
use crate::people::{
    change::{Change, Retired},
    decide::{
        participant::{self, NewParticipant, ParticipantChange, Step},
        tests::{NOW, directory, window, with_participant, with_study},
    },
    directory::Directory,
    refusal::{Kind, Refusal},
};

#[test]
fn code_is_unique_in_its_study_in_any_letter_case_and_not_given_again() {
    let mut directory = directory();
    let (a, b) = (with_study(&mut directory, "A", 1), with_study(&mut directory, "B", 2));
    with_participant(&mut directory, &a, "P1", 11);
    directory.apply(Change::RetiredCodes(a.id, vec![Retired { code: "Old".into(), at: NOW }]));
    let add = |study: &Study, code: &str| {
        let new = NewParticipant { code: Some(code.into()), ..NewParticipant::default() };
        participant::add(&directory, study, new, OwnerId::from_bytes([9; 16]), [0; 16], NOW).map(|added| added.code)
    };
    assert_eq!(add(&a, "p1"), Err(Refusal::CodeTaken("p1".into())));
    assert_eq!(add(&a, "OLD"), Err(Refusal::CodeRetired("OLD".into())));
    assert_eq!(add(&a, "a b"), Err(Refusal::BadCode("a b".into())));
    assert_eq!(add(&b, "P1"), Ok("P1".into()));
    assert_eq!(
        participant::find(&directory, &a, "p1").map(|found| found.id),
        Err(Refusal::NoParticipant("p1".into(), Some("P1".into())))
    );
}

#[test]
fn made_code_is_found_and_a_mistyped_one_is_said_to_be_so() {
    let mut directory = directory();
    let study = with_study(&mut directory, "Alpha", 1);
    let id = OwnerId::from_bytes([9; 16]);
    let made =
        participant::add(&directory, &study, NewParticipant::default(), id, [77; 16], NOW).expect("a made code").code;
    let last = if made.ends_with('2') { '3' } else { '2' };
    let wrong = format!("{}{last}", &made[..made.len() - 1]);
    let refused = participant::find(&directory, &study, &wrong).map(|found| found.id);
    assert_eq!(refused, Err(Refusal::MistypedCode(wrong)));
}

#[test]
fn rename_frees_the_old_code_and_may_change_letter_case() {
    let mut directory = directory();
    let study = with_study(&mut directory, "A", 1);
    let p1 = with_participant(&mut directory, &study, "P1", 11);
    with_participant(&mut directory, &study, "P2", 12);
    let rename = |directory: &Directory, to: &str| participant::rename(directory, &study, &p1, to.into());
    assert_eq!(rename(&directory, "P2").map(|after| after.code), Err(Refusal::CodeTaken("P2".into())));
    assert_eq!(rename(&directory, "p1").expect("taken").code, "p1");
    let renamed = rename(&directory, "P3").expect("taken");
    directory.apply(Change::Participant(renamed));
    assert!(participant::find(&directory, &study, "P1").is_err());
    assert_eq!(participant::find(&directory, &study, "P3").expect("found").id, p1.id);
}

#[test]
fn pauses_and_completion_bound_what_is_collected() {
    let mut directory = directory();
    let study = with_study(&mut directory, "A", 1);
    let active = with_participant(&mut directory, &study, "P1", 11);
    let step = |before: &Participant, step, at| participant::step(before, step, UnixSeconds(at));
    let paused = step(&active, Step::Pause, 100).expect("pauses");
    assert!(paused.collects(UnixSeconds(99)) && !paused.collects(UnixSeconds(100)));
    let resumed = step(&paused, Step::Resume, 200).expect("resumes");
    assert!(!resumed.collects(UnixSeconds(199)) && resumed.collects(UnixSeconds(200)));
    let done = step(&resumed, Step::Complete, 300).expect("completes");
    assert!(done.collects(UnixSeconds(299)) && !done.collects(UnixSeconds(300)));

    assert_eq!(step(&resumed, Step::Pause, 150), Err(Refusal::PauseOverlaps(UnixSeconds(200))));
    assert_eq!(step(&paused, Step::Resume, 50), Err(Refusal::EmptyWindow));
    for (before, wrong) in
        [(&active, Step::Resume), (&paused, Step::Pause), (&done, Step::Complete), (&done, Step::Pause)]
    {
        assert_eq!(step(before, wrong, 400).expect_err("refused").kind(), Kind::Conflict);
    }
    let gone = participant::withdrawn(&active);
    assert_eq!(step(&gone, Step::Pause, 400), Err(Refusal::Withdrawn));
    assert!(!gone.collects(UnixSeconds(1)));
}

#[test]
fn window_and_consent_are_set_cleared_and_checked() {
    let mut directory = directory();
    let study = with_study(&mut directory, "A", 1);
    let before = with_participant(&mut directory, &study, "P1", 11);
    let consent = Consent { version: "2.1".into(), date: "2026-11-01".into() };
    let change = ParticipantChange {
        from: Some(Some(UnixSeconds(5).into())),
        to: Some(Some(UnixSeconds(9).into())),
        consent: Some(Some(consent.clone())),
    };
    let after = participant::set(&before, change).expect("taken");
    assert_eq!((after.window, after.consent.clone()), (window(Some(5), Some(9)), Some(consent)));
    let cleared = ParticipantChange { from: Some(None), consent: Some(None), to: None };
    let cleared = participant::set(&after, cleared).expect("taken");
    assert_eq!((cleared.window, cleared.consent), (window(None, Some(9)), None));

    let backwards = ParticipantChange { from: Some(Some(UnixSeconds(10).into())), ..ParticipantChange::default() };
    assert_eq!(participant::set(&after, backwards), Err(Refusal::EmptyWindow));
    for (version, date) in [("", "2026-11-01"), ("1", "2026-11-31"), ("1\n", "2026-11-01")] {
        let consent = Consent { version: version.into(), date: date.into() };
        let change = ParticipantChange { consent: Some(Some(consent)), ..ParticipantChange::default() };
        assert_eq!(participant::set(&before, change).expect_err("refused").kind(), Kind::Invalid);
    }
}
