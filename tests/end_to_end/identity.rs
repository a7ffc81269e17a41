//! What makes two records one, and what keeps them apart.

use serde_json::{Value, json};
use studygate::simulate::notification::Notification;
use studygate::simulate::record::Record;
use studygate::simulate::user::Population;

use crate::site::Site;
use crate::{first_of, with};

fn activity(population: &Population, summary_id: &str, activity_id: Value) -> Record {
    let activity = first_of(population, 0, "activities");
    with(&with(&activity, "summaryId", json!(summary_id)), "activityId", activity_id)
}

#[test]
fn ids_beyond_what_a_float_holds_stay_apart() {
    let population = Population::new(201, 1);
    let mut site = Site::new();
    site.add_study("IDS", &[]);
    site.add_participants("IDS", &population);
    let first = 9_007_199_254_740_992_u64;
    let records = [
        activity(&population, "9007199254740992", json!(first)),
        activity(&population, "9007199254740993", json!(first + 1)),
        with(
            &with(&first_of(&population, 0, "activityDetails"), "activityId", json!("9007199254740993")),
            "summaryId",
            json!("9007199254740993-detail"),
        ),
    ];
    site.push(&Notification::of(population.users(), &records).to_json());
    let dataset = site.export("IDS");
    let ids = |summary_type| -> Vec<String> {
        let found = dataset.records("P000", summary_type);
        let texts = found.iter().map(|record| record["activity_id"].as_str().expect("a pseudonym").to_owned());
        texts.collect()
    };
    let (activities, details) = (ids("activities"), ids("activityDetails"));
    assert_eq!(activities.len(), 2);
    assert_ne!(activities[0], activities[1], "two ids became one");
    assert!(activities.contains(&details[0]), "a number and a text of the same id join");
}

#[test]
fn same_summary_id_of_two_users_is_two_records() {
    let population = Population::new(202, 2);
    let mut site = Site::new();
    site.add_study("PAIR", &[]);
    site.add_participants("PAIR", &population);
    let records = [0, 1].map(|user| with(&first_of(&population, user, "dailies"), "summaryId", json!("shared-1")));
    site.push(&Notification::of(population.users(), &records).to_json());
    let dataset = site.export("PAIR");
    assert_eq!((dataset.records("P000", "dailies").len(), dataset.records("P001", "dailies").len()), (1, 1));
}

#[test]
fn one_person_in_two_studies_has_two_pseudonyms() {
    let population = Population::new(203, 1);
    let mut site = Site::new();
    let record = first_of(&population, 0, "dailies");
    for study in ["ONE", "TWO"] {
        site.add_study(study, &[]);
        site.add_participants(study, &population);
    }
    site.push(&Notification::of(population.users(), &[record]).to_json());
    let ids: Vec<Value> =
        ["ONE", "TWO"].iter().map(|study| site.export(study).raw("dailies").remove(0)["record_id"].take()).collect();
    assert!(ids[0].is_string() && ids[1].is_string());
    assert_ne!(ids[0], ids[1]);
}

#[test]
fn one_connection_under_two_codes_of_a_study_is_refused() {
    let population = Population::new(204, 1);
    let site = Site::new();
    site.add_study("ONCE", &[]);
    site.add_participants("ONCE", &population);
    let user = &population.user(0).id;
    let again = site.run(&["participant", "add", "--study", "ONCE", "--code", "AGAIN", "--garmin-user", user]);
    assert_eq!(again.status.code(), Some(1));
    assert!(!String::from_utf8_lossy(&again.stderr).contains(user.as_str()));
}
