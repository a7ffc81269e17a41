//! Exports of a study whose people come, revise, move and leave: increments, earlier exports made again, the register.

use std::sync::Arc;

use super::given::{BY_A_PERSON, target};
use super::handed_out::{Files, Rows, as_of, asked, changes, export, manifest, rows, since, site, take_in, text};
use super::{NOW, Site, push};
use crate::export::select::Scope;
use crate::model::participant::Window;
use crate::model::study::{DataFate, Keep, LocationRule, Rules};
use crate::model::time::UnixSeconds;
use crate::people::LinkRequest;
use crate::people::decide::participant::{NewParticipant, ParticipantChange};
use crate::people::decide::study::StudyChange;
use crate::people::refusal::Refusal;
use crate::simulate::random::Random;
use crate::withdrawal::Leave;
use crate::withdrawal::course::{Haste, Word};

const WEEK_S: i64 = 7 * 86_400;

/// A week of three users: days, nights and runs, some of last week's once more and longer, and a type nobody knows.
fn week(site: &mut Site, number: u64) {
    let mut random = Random::at(number, &[]);
    for user in ["u1", "u2", "u3"] {
        for day in 0..7_i64 {
            let start = NOW + i64::try_from(number).expect("few") * WEEK_S + day * 86_400;
            let id = number * 7 + day.unsigned_abs();
            let steps = random.below(20_000);
            let daily =
                format!(r#""summaryId":"d{id}","startTimeInSeconds":{start},"steps":{steps},"durationInSeconds":60"#);
            site.push(&push("dailies", user, &daily));
            let run = format!(
                r#""summaryId":"a{id}","activityId":{id},"startTimeInSeconds":{start},"activityName":"Run","durationInSeconds":60,
                "startingLatitudeInDegree":47.12345"#
            );
            site.push(&push("activities", user, &run));
            if id > 7 && day % 3 == 0 {
                let (earlier, start) = (id - 7, start - WEEK_S);
                let longer = format!(
                    r#""summaryId":"d{earlier}","startTimeInSeconds":{start},"steps":1,"durationInSeconds":90"#
                );
                site.push(&push("dailies", user, &longer));
            }
        }
        let cycle = format!(
            r#""summaryId":"m{number}","periodStartDate":"2026-11-01","lastUpdatedTimeInSeconds":{}"#,
            NOW + i64::try_from(number).expect("few")
        );
        site.push(&push("mct", user, &cycle));
        site.push(&push("heartBeats", user, &format!(r#""summaryId":"b{number}","beats":{}"#, random.below(9))));
    }
    site.file();
    site.wait(WEEK_S);
}

fn set_rules(site: &Site, rules: Rules) {
    let change = StudyChange { rules: Some(rules), recipients: None };
    site.at().people.set_study("S", |_| Ok::<_, Refusal>(change)).expect("taken");
}

fn set_from(site: &Site, code: &str, from: Option<i64>) {
    let change =
        ParticipantChange { from: Some(from.map(|from| UnixSeconds(from).into())), ..ParticipantChange::default() };
    site.at().people.set_participant("S", code, change).expect("set");
}

/// What happens between two weeks.
fn between(site: &mut Site, number: u64, rules: &Rules) {
    let people = Arc::clone(&site.at().people);
    match number {
        1 => {
            let withdrawn = site.id("S", "P2");
            site.at().withdrawal.withdraw(&[withdrawn], BY_A_PERSON, site.now()).expect("withdrawn");
            site.file();
        }
        2 => set_from(site, "P1", Some(NOW + WEEK_S)),
        3 => set_rules(site, Rules { types: vec!["dailies".into(), "mct".into()], ..rules.clone() }),
        4 => {
            set_from(site, "P1", None);
            set_rules(site, rules.clone());
            people.rename_participant("S", "P3", "P0".into()).expect("renamed");
        }
        5 => set_rules(site, Rules { unknown: Keep::Keep, location: LocationRule::Keep, ..rules.clone() }),
        6 => {
            let new = NewParticipant { code: Some("P4".into()), ..NewParticipant::default() };
            let link = LinkRequest { target: target("u4"), window: Window::default() };
            people.add_participant("S", new, Some(link), site.now()).expect("a participant");
            site.receive(&push("dailies", "u4", r#""summaryId":"d1","startTimeInSeconds":1793509200,"steps":3"#));
            set_rules(site, Rules { unknown: Keep::Drop, location: LocationRule::Drop, ..rules.clone() });
        }
        _ => {}
    }
}

#[test]
fn increments_taken_in_one_after_the_other_equal_the_whole_export() {
    for revisions in [false, true] {
        let rules = Rules { names: Keep::Keep, ..Rules::default() };
        let mut site = site(rules.clone());
        for (number, user) in (1..).zip(["u1", "u2", "u3"]) {
            site.participant("S", &format!("P{number}"), user);
        }
        week(&mut site, 0);
        let (mut number, first) = export(&site, Scope { revisions, ..Scope::default() });
        let mut taken_in = rows(&first);
        for week_number in 1..8 {
            week(&mut site, week_number);
            between(&mut site, week_number, &rules);
            let (next, increment) = export(&site, since(number));
            number = next;
            take_in(&mut taken_in, &increment);
            let (_, whole) = export(&site, Scope { revisions, ..Scope::default() });
            let expected = rows(&whole);
            let differing = |left: &Rows, right: &Rows| {
                left.iter()
                    .filter(|(key, lines)| right.get(*key) != Some(*lines))
                    .map(|(key, _)| key.clone())
                    .collect::<Vec<_>>()
            };
            assert_eq!(differing(&taken_in, &expected), [], "week {week_number}: too much or other");
            assert_eq!(differing(&expected, &taken_in), [], "week {week_number}: missing or other");
            let is_smaller = rows(&increment).len() < expected.len();
            assert!(is_smaller || manifest(&increment).everything_again, "week {week_number}");
        }
    }
}

#[test]
fn changes_name_what_came_was_revised_and_went_by_key_alone() {
    let mut site = site(Rules::default());
    for (number, user) in (1..).zip(["u1", "u2"]) {
        site.participant("S", &format!("P{number}"), user);
    }
    let run = |user: &str, id: u32, start: i64, duration: u32| {
        push(
            "activities",
            user,
            &format!(r#""summaryId":"d{id}","startTimeInSeconds":{start},"durationInSeconds":{duration},"steps":4711"#),
        )
    };
    site.receive(&run("u1", 1, NOW, 60));
    site.receive(&run("u1", 2, NOW + 86_400, 60));
    site.receive(&run("u2", 1, NOW, 60));
    let (first, files) = export(&site, Scope::default());
    assert!(changes(&files).is_empty() && manifest(&files).changes_since.is_none());

    site.wait(60);
    site.receive(&run("u1", 2, NOW + 86_400, 90));
    site.receive(&run("u1", 3, NOW + 2 * 86_400, 60));
    set_from(&site, "P1", Some(NOW + 3600));
    let id = |number: u32| {
        let records = site.records("S", "P1");
        let start = Some(UnixSeconds(NOW + i64::from(number - 1) * 86_400));
        records.iter().find(|record| record.entry.start == start).expect("a record").entry.record_id.text()
    };
    let (one, two, three) = (id(1), id(2), id(3));
    let gone = site.id("S", "P2");
    site.at().withdrawal.withdraw(&[gone], BY_A_PERSON, site.now()).expect("withdrawn");
    site.file();
    let expected = [
        format!("activities,P1,{two},2,revised"),
        format!("activities,P1,{three},1,added"),
        format!("activities,P1,{one},1,removed"),
        "participants,P2,,,withdrawn".to_owned(),
    ];
    for scope in [since(first), Scope::default()] {
        let (_, files) = export(&site, scope);
        if manifest(&files).increment {
            assert_eq!(changes(&files), expected);
        }
        let text = text(&files, "CHANGES.csv");
        assert!(!text.contains("4711") && !text.contains("steps"), "{text}");
    }
    let (second, _) = export(&site, Scope::default());
    let (_, nothing) = export(&site, since(second));
    assert_eq!((changes(&nothing), text(&nothing, "data/activities.csv").lines().count()), (Vec::new(), 1));
    assert_eq!(text(&nothing, "data/participants.csv").lines().count(), 2, "who takes part stands in each");
}

#[test]
fn increment_reveals_nothing_that_a_whole_export_does_not() {
    let rules = Rules { location: LocationRule::Keep, unknown: Keep::Keep, ..Rules::default() };
    let mut site = site(rules.clone());
    site.participant("S", "P1", "u1");
    week(&mut site, 0);
    let (first, files) = export(&site, Scope::default());
    assert!(text(&files, "raw/activities.ndjson").contains("47.12345") && files.contains_key("raw/heartBeats.ndjson"));
    set_rules(&site, Rules::default());
    let (_, increment) = export(&site, since(first));
    assert!(manifest(&increment).everything_again);
    assert!(!increment.values().any(|file| String::from_utf8_lossy(file).contains("47.12345")));
    assert!(!increment.contains_key("raw/heartBeats.ndjson"));
    let all = changes(&increment);
    assert!(all.iter().any(|line| line.starts_with("raw/heartBeats,P1,") && line.ends_with(",removed")), "{all:?}");
    assert!(all.iter().all(|line| line.ends_with(",removed") || line.ends_with(",revised")), "{all:?}");
    assert!(text(&increment, "README.txt").contains("every\nrecord counts as revised"));
}

/// The digests of the files that do not say when the dataset was made.
fn sums(files: &Files) -> Vec<String> {
    let said = |line: &&str| !line.ends_with("  README.txt") && !line.contains("  manifest.");
    text(files, "SHA256SUMS").lines().filter(said).map(str::to_owned).collect()
}

#[test]
fn earlier_export_is_made_again_to_the_byte_by_the_rules_and_windows_of_then() {
    let rules = Rules { location: LocationRule::Coarse, unknown: Keep::Keep, ..Rules::default() };
    let mut site = site(rules.clone());
    for (number, user) in (1..).zip(["u1", "u2", "u3"]) {
        site.participant("S", &format!("P{number}"), user);
    }
    let mut made = Vec::new();
    week(&mut site, 0);
    made.push(export(&site, Scope::default()));
    for number in 2..7 {
        week(&mut site, number - 1);
        between(&mut site, number, &rules);
        let last = made.last().map(|(number, _)| *number).expect("one");
        made.push(export(&site, if number % 2 == 0 { since(last) } else { Scope::default() }));
    }
    let once = Scope { participants: vec!["P1".into()], revisions: true, ..Scope::default() };
    made.push(export(&site, once));
    site.restart();
    for (number, before) in &made {
        let (next, again) = export(&site, as_of(*number));
        assert!(next > *number, "it has a number of its own");
        assert_eq!(sums(&again), sums(before), "export {number}");
        let (of_again, of_before) = (manifest(&again), manifest(before));
        assert_eq!(of_again.as_of.map(|again| (again.number, again.made)), Some((*number, of_before.made_at)));
        assert_eq!((of_again.rules, of_again.rules_version), (of_before.rules, of_before.rules_version));
        assert_eq!(of_again.sequence, of_before.sequence);
    }
    let (_, increment) = export(&site, since(made[0].0));
    assert_eq!(manifest(&increment).changes_since, Some(made[0].0));
}

#[test]
fn who_left_since_is_not_in_an_export_that_is_made_again_and_is_named_by_code() {
    let mut site = site(Rules::default());
    for (number, user) in (1..).zip(["u1", "u2", "u3"]) {
        site.participant("S", &format!("P{number}"), user);
    }
    week(&mut site, 0);
    let (first, before) = export(&site, Scope::default());
    week(&mut site, 1);
    let (second, _) = export(&site, since(first));
    let gone = site.id("S", "P2");
    site.at().withdrawal.withdraw(&[gone], BY_A_PERSON, site.now()).expect("withdrawn");
    site.file();
    let (_, again) = export(&site, as_of(first));
    let mut expected = rows(&before);
    expected.retain(|(_, participant, _), _| participant != "P2");
    assert_eq!(rows(&again), expected);
    assert_eq!(manifest(&again).as_of.expect("made again").left, ["P2"]);
    assert!(text(&again, "README.txt").contains("Who has left since is not in it any more: P2."));
    let (_, increment) = export(&site, as_of(second));
    let about: Vec<_> = changes(&increment).into_iter().filter(|line| line.contains(",P2,")).collect();
    assert_eq!(about, ["participants,P2,,,withdrawn"]);
}

#[test]
fn names_that_were_destroyed_count_as_revised() {
    let rules = Rules { names: Keep::Keep, ..Rules::default() };
    let mut site = site(rules);
    site.participant("S", "P1", "u1");
    site.receive(&push(
        "activities",
        "u1",
        &format!(r#""summaryId":"a1","startTimeInSeconds":{NOW},"activityName":"Run""#),
    ));
    let (first, files) = export(&site, Scope::default());
    assert!(text(&files, "data/activities.csv").contains("Run"));
    let retained = site.id("S", "P1");
    let leave = Leave { word: Word { fate: Some(DataFate::Retain), haste: Haste::AfterTheGrace }, ..BY_A_PERSON };
    site.at().withdrawal.withdraw(&[retained], leave, site.now()).expect("retained");
    site.file();
    let (_, increment) = export(&site, since(first));
    let all = changes(&increment);
    assert!(all.iter().any(|line| line.starts_with("activities,P1,") && line.ends_with(",revised")), "{all:?}");
    assert!(!manifest(&increment).everything_again);
    assert!(!text(&increment, "data/activities.csv").contains("Run"));
}

#[test]
fn scope_of_an_increment_is_that_of_the_export_it_follows() {
    let mut site = site(Rules::default());
    for (number, user) in (1..).zip(["u1", "u2"]) {
        site.participant("S", &format!("P{number}"), user);
    }
    week(&mut site, 0);
    let (first, _) = export(&site, Scope { participants: vec!["P1".into()], ..Scope::default() });
    week(&mut site, 1);
    let (_, increment) = export(&site, since(first));
    assert!(rows(&increment).keys().all(|(_, participant, _)| participant == "P1"));
    for refused in [
        Scope { participants: vec!["P1".into()], ..since(first) },
        Scope { revisions: true, ..since(first) },
        Scope { window: Window { from: Some(UnixSeconds(NOW).into()), to: None }, ..as_of(first) },
        Scope { as_of: Some(first), ..since(first) },
    ] {
        assert!(matches!(asked(&site, refused.clone()).err(), Some(Refusal::RulesDisagree(_))), "{refused:?}");
    }
    for refused in [since(99), as_of(3)] {
        assert!(matches!(asked(&site, refused).err(), Some(Refusal::NoExport(_))));
    }
    let number = asked(&site, Scope::default()).expect("it may").number();
    assert_eq!(number, 3, "what was refused used no number");
}
