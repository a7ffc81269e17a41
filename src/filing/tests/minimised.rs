//! What a study that minimises does not store.

use super::answers::pulled_file;
use super::{NOW, Site, push, texts};
use crate::model::entry::Shape;
use crate::model::study::{Keep, LocationRule, Rules};
use crate::people::decide::study::StudyChange;
use crate::telemetry::filing::RecordResult::{Duplicate, NotPermitted, Revised, Stored};

/// A site whose study `S` has `P1` and minimises by these rules, and whose study `T` has the same person and does not.
fn minimising(rules: Rules) -> Site {
    let site = Site::new();
    site.study("S", Rules { minimise: true, ..rules });
    site.study("T", Rules::default());
    site.participant("S", "P1", "u1");
    site.participant("T", "Q1", "u1");
    site
}

/// The identity parts of the packs of a participant, one behind the other.
fn identities(site: &Site, study: &str, code: &str) -> String {
    let (owner, catalog) = (site.id(study, code), &site.at().catalog);
    let section = |(id, _)| catalog.identity_section(&owner, &id).expect("read");
    let sections: Vec<u8> = catalog.heads(&owner).into_iter().flat_map(section).collect();
    String::from_utf8(sections).expect("JSON is text")
}

fn run(more: &str) -> String {
    push(
        "activities",
        "u1",
        &format!(
            r#""summaryId":"x1","activityId":71,"activityName":"Lake","steps":5,"deviceName":"W","novelty":[1],"startingLatitudeInDegree":51.0532{more},"startTimeInSeconds":{NOW}"#
        ),
    )
}

#[test]
fn what_the_rules_drop_is_in_no_part_of_what_is_stored_and_other_studies_have_it_all() {
    let mut site = minimising(Rules { devices: Keep::Drop, ..Rules::default() });
    site.receive(&run(""));
    let id = |data: &str| {
        let data: serde_json::Value = serde_json::from_str(data).expect("JSON");
        data["activity_id"].as_str().expect("a pseudonym").to_owned()
    };
    let records = site.records("S", "P1");
    let activity = id(&records[0].data);
    let kept = format!(r#"{{"activity_id":"{activity}","steps":5,"startTimeInSeconds":{NOW}}}"#);
    assert_eq!(texts(&records), [kept.as_str()]);
    assert_eq!(identities(&site, "S", "P1"), "");

    let whole = site.records("T", "Q1");
    assert!(whole[0].data.contains("51.0532") && whole[0].data.contains("novelty"), "{}", whole[0].data);
    assert!(identities(&site, "T", "Q1").contains(r#""activityName":"Lake""#));
}

#[test]
fn what_the_rules_keep_is_stored_as_far_as_they_keep_it() {
    let rules = Rules { location: LocationRule::Coarse, names: Keep::Keep, pregnancy: Keep::Drop, ..Rules::default() };
    let mut site = minimising(rules);
    site.receive(&run(""));
    let records = site.records("S", "P1");
    assert!(records[0].data.contains(r#""startingLatitudeInDegree":51.05,"#), "{}", records[0].data);
    assert_eq!(identities(&site, "S", "P1"), r#"{"activityName":"Lake"}"#);
    site.receive(&push(
        "mct",
        "u1",
        r#""periodStartDate":"2026-10-20","dayInCycle":12,"currentPhaseType":"SECOND_TRIMESTER","pregnancySnapshot":{"title":"ours"}"#,
    ));
    assert!(texts(&site.records("S", "P1")).contains(&r#"{"periodStartDate":"2026-10-20","dayInCycle":12}"#));
    assert!(!identities(&site, "S", "P1").contains("ours"));
}

#[test]
fn types_that_stay_out_of_datasets_are_not_stored_and_are_counted() {
    let mut site = minimising(Rules { types: vec!["dailies".into(), "activities".into()], ..Rules::default() });
    site.receive(&push("beats", "u1", r#""summaryId":"b1","n":1"#));
    site.receive(&push("sleeps", "u1", &format!(r#""summaryId":"s1","startTimeInSeconds":{NOW}"#)));
    assert!(site.records("S", "P1").is_empty());
    assert_eq!(site.records("T", "Q1").len(), 2);
    let mut alone = Site::new();
    alone.study("S", Rules { minimise: true, ..Rules::default() });
    alone.participant("S", "P1", "u1");
    alone.receive(&push("beats", "u1", r#""summaryId":"b1","n":1"#));
    assert_eq!(alone.counted("beats", NotPermitted), 1);
}

#[test]
fn of_a_file_what_is_said_of_it_is_stored_and_no_byte() {
    for (rules, stored) in [
        (Rules::default(), r#"{"fileType":"FIT"}"#),
        (
            Rules { files: Keep::Keep, location: LocationRule::Keep, ..Rules::default() },
            "{\"fileType\":\"FIT\"}\ntrack",
        ),
    ] {
        let mut site = minimising(rules);
        pulled_file(&mut site, "u1", b"track", Shape::File);
        assert_eq!(texts(&site.records("S", "P1")), [stored]);
        assert_eq!(texts(&site.records("T", "Q1")), ["{\"fileType\":\"FIT\"}\ntrack"]);
    }
}

#[test]
fn copies_that_differ_in_what_is_dropped_are_one_and_raised_rules_take_what_comes_again() {
    let mut site = minimising(Rules::default());
    site.receive(&run(""));
    let stored = site.counted("activities", Stored);
    site.receive(&run(r#","activityDescription":"other words""#));
    assert_eq!(site.records("S", "P1").len(), 1);
    assert_eq!((site.counted("activities", Stored), site.counted("activities", Duplicate)), (stored, 1));

    let raise = |before: &crate::model::study::Study| {
        let rules = Rules { location: LocationRule::Keep, ..before.rules.clone() };
        Ok::<_, crate::people::refusal::Refusal>(StudyChange { rules: Some(rules), recipients: None })
    };
    site.at().people.set_study("S", raise).expect("raised");
    let revised = site.counted("activities", Revised);
    site.receive(&run(""));
    assert_eq!(site.counted("activities", Revised), revised + 1, "the study that minimised did not have it");
    assert!(texts(&site.records("S", "P1")).iter().any(|text| text.contains("51.0532")));
}
