//! The rules of studies.

use crate::model::{
    id::{OwnerId, StudyId},
    study::{DataFate, DatesRule, Keep, LocationRule, Rules, Study, StudyState},
};
use crate::people::{
    decide::{
        participant::{self, NewParticipant},
        study::{self, NewStudy, StudyChange},
        tests::{NOW, RECIPIENT, directory, new_study, with_study},
    },
    refusal::{Kind, Refusal},
};

#[test]
fn study_rules_that_are_not_built_are_refused_and_the_others_taken() {
    let rules = Rules::default;
    {
        let rules = Rules { garmin: Some("main".into()), ..rules() };
        let new = NewStudy { rules: rules.clone(), ..new_study("S") };
        let refusal = study::add(&directory(), new, StudyId::from_bytes([1; 16]), NOW).expect_err("refused");
        assert_eq!(refusal.kind(), Kind::NotBuilt, "{rules:?}");
        assert!(refusal.to_string().starts_with("This version does not do "), "{refusal}");
    }
    let taken = Rules {
        location: LocationRule::Coarse,
        names: Keep::Keep,
        devices: Keep::Drop,
        pregnancy: Keep::Drop,
        unknown: Keep::Keep,
        on_deregistration: DataFate::Retain,
        grace_days: 30,
        types: vec!["mct".into(), "activities".into(), "mct".into()],
        minimise: true,
        ..rules()
    };
    let new = NewStudy { rules: taken, ..new_study("S") };
    let study = study::add(&directory(), new, StudyId::from_bytes([1; 16]), NOW).expect("taken");
    assert_eq!(study.rules.types, ["activities", "mct"]);
    let new = NewStudy { rules: Rules { grace_days: 31, ..rules() }, ..new_study("S") };
    let refusal = study::add(&directory(), new, StudyId::from_bytes([1; 16]), NOW).expect_err("refused");
    assert_eq!(refusal.kind(), Kind::Invalid);
}

#[test]
fn files_are_kept_together_with_positions_alone_in_whatever_order_rules_change() {
    let with = |files, location| Rules { files, location, ..Rules::default() };
    let add = |rules| study::add(&directory(), NewStudy { rules, ..new_study("S") }, StudyId::from_bytes([1; 16]), NOW);
    let set = |study: &Study, rules| study::set(study, StudyChange { rules: Some(rules), recipients: None });
    for location in [LocationRule::Drop, LocationRule::Coarse] {
        let refusal = add(with(Keep::Keep, location)).expect_err("refused");
        assert_eq!(refusal.kind(), Kind::Invalid);
        let text = refusal.to_string();
        assert!(
            text.contains("\"files keep\"") && text.contains("\"location keep\"") && text.ends_with("\"files drop\".")
        );

        let files_dropped = add(with(Keep::Drop, location)).expect("taken");
        assert_eq!(set(&files_dropped, with(Keep::Keep, location)), Err(refusal.clone()));
        let files_kept = set(&files_dropped, with(Keep::Keep, LocationRule::Keep)).expect("taken");
        assert_eq!(set(&files_kept, with(Keep::Keep, location)), Err(refusal));
        assert!(set(&files_kept, with(Keep::Drop, location)).is_ok());
    }
}

#[test]
fn dates_are_shifted_together_with_files_and_unknown_fields_dropped_alone() {
    let shift = || Rules { dates: DatesRule::Shift, ..Rules::default() };
    let add = |rules| study::add(&directory(), NewStudy { rules, ..new_study("S") }, StudyId::from_bytes([1; 16]), NOW);
    let refused = [
        (Rules { files: Keep::Keep, location: LocationRule::Keep, ..shift() }, "\"files drop\""),
        (Rules { unknown: Keep::Keep, ..shift() }, "\"unknown drop\""),
    ];
    for (rules, remedy) in refused {
        let refusal = add(rules).expect_err("refused");
        assert_eq!(refusal.kind(), Kind::Invalid);
        assert!(refusal.to_string().contains(remedy), "{refusal}");
    }
    assert_eq!(add(shift()).expect("taken").rules.dates, DatesRule::Shift);
}

#[test]
fn dates_stay_as_the_first_dataset_had_them_and_everything_else_may_change() {
    let with = |dates| StudyChange { rules: Some(Rules { dates, ..Rules::default() }), recipients: None };
    let fresh = with_study(&mut directory(), "A", 1);
    let shifting = study::set(&fresh, with(DatesRule::Shift)).expect("nothing was handed out");
    for (study, other) in [(fresh, DatesRule::Shift), (shifting, DatesRule::Keep)] {
        let handed_out = study::exported(&study, 1);
        assert_eq!(study::set(&handed_out, with(other)), Err(Refusal::DatesHandedOut("A".into())));
        let rules = Rules { names: Keep::Keep, ..handed_out.rules.clone() };
        assert!(study::set(&handed_out, StudyChange { rules: Some(rules), recipients: None }).is_ok());
    }
}

#[test]
fn changed_rules_are_told_one_by_one_with_what_cannot_come_back() {
    let minimised = Rules { minimise: true, types: vec!["mct".into()], ..Rules::default() };
    let raised = Rules { location: LocationRule::Coarse, ..minimised.clone() };
    assert_eq!(study::changed(&minimised, &raised), ["location: drop -> coarse"]);
    assert!(study::listed(&raised).contains(&"types: [\"mct\"]".to_owned()));
    let told = |before: &Rules, after: &Rules, wanted: &[&str]| {
        let notes = study::notes(before, after);
        assert_eq!(notes.len(), wanted.len(), "{notes:?}");
        assert!(notes.iter().zip(wanted).all(|(note, wanted)| note.contains(wanted)), "{notes:?}");
    };
    told(&minimised, &raised, &["cannot come back"]);
    told(&raised, &minimised, &[]);
    told(&minimised, &Rules { minimise: false, ..minimised.clone() }, &["cannot come back"]);
    told(&minimised, &Rules { types: vec![], ..minimised.clone() }, &["Types that were not collected"]);
    told(&Rules::default(), &Rules { minimise: true, ..Rules::default() }, &["stays stored"]);
    told(&Rules::default(), &Rules { names: Keep::Keep, ..Rules::default() }, &[]);
}

#[test]
fn study_is_refused_for_what_is_wrong_with_it() {
    let mut directory = directory();
    with_study(&mut directory, "Alpha", 1);
    let secret = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";
    let cases = [
        (new_study("Alpha"), Refusal::StudyExists("Alpha".into())),
        (new_study("ALPHA"), Refusal::StudyExists("ALPHA".into())),
        (new_study(".."), Refusal::BadStudyName("..".into())),
        (NewStudy { recipients: vec![], ..new_study("B") }, Refusal::NoRecipient),
        (NewStudy { recipients: vec![RECIPIENT.into(), secret.into()], ..new_study("B") }, Refusal::BadRecipient(2)),
        (
            NewStudy { rules: Rules { types: vec!["activitys".into()], ..Rules::default() }, ..new_study("B") },
            Refusal::UnknownType("activitys".into(), Some("activities")),
        ),
        (
            NewStudy { rules: Rules { types: vec!["deregistrations".into()], ..Rules::default() }, ..new_study("B") },
            Refusal::UnknownType("deregistrations".into(), None),
        ),
    ];
    for (new, expected) in cases {
        let refusal = study::add(&directory, new, StudyId::from_bytes([2; 16]), NOW).expect_err("refused");
        assert_eq!(refusal, expected);
        assert!(!refusal.to_string().contains("SECRET"));
    }
}

#[test]
fn version_counts_changes_of_rules_and_recipients_only_where_something_differs() {
    let study = with_study(&mut directory(), "A", 1);
    let same = StudyChange { recipients: Some(study.recipients.clone()), rules: Some(study.rules.clone()) };
    assert_eq!(study::set(&study, same).expect("taken").rules_version, 1);
    let rules = Rules { names: Keep::Keep, ..study.rules.clone() };
    let changed = study::set(&study, StudyChange { rules: Some(rules), recipients: None }).expect("taken");
    assert_eq!((changed.rules_version, changed.rules.names), (2, Keep::Keep));
}

#[test]
fn locked_study_takes_recipients_only_and_closed_study_nothing() {
    let mut directory = directory();
    let open = with_study(&mut directory, "A", 1);
    let locked = study::lock(&open).expect("locks");
    assert_eq!(study::lock(&locked), Err(Refusal::NotOpen("A".into())));
    let rules = StudyChange { rules: Some(Rules { names: Keep::Keep, ..open.rules.clone() }), recipients: None };
    assert_eq!(study::set(&locked, rules.clone()), Err(Refusal::StudyLocked("A".into())));
    let other = age::x25519::Identity::generate().to_public().to_string();
    let recipients = StudyChange { recipients: Some(vec![other]), rules: None };
    assert_eq!(study::set(&locked, recipients.clone()).expect("taken").rules_version, 2);

    let closed = study::close(&locked);
    assert_eq!((closed.state, study::close(&closed)), (StudyState::Closed, closed.clone()));
    assert_eq!(study::set(&closed, recipients), Err(Refusal::StudyClosed("A".into())));
    for (study, refusal) in [(&locked, Refusal::StudyLocked("A".into())), (&closed, Refusal::StudyClosed("A".into()))] {
        let id = OwnerId::from_bytes([9; 16]);
        assert_eq!(participant::add(&directory, study, NewParticipant::default(), id, [0; 16], NOW), Err(refusal));
    }
}
