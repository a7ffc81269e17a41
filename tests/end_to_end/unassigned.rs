//! Data of a user whom nobody linked yet are held, and picked up when somebody does.

use serde_json::Value;
use studygate::simulate::notification::Notification;
use studygate::simulate::user::Population;

use crate::site::Site;
use crate::{days, first_of};

const HELD: &str = "studygate_unassigned_users";

/// The first value of a member of this name, anywhere in `value`.
fn find<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    match value {
        Value::Object(members) => members.get(name).or_else(|| members.values().find_map(|value| find(value, name))),
        Value::Array(items) => items.iter().find_map(|item| find(item, name)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

#[test]
fn held_data_are_in_the_dataset_once_their_user_is_linked() {
    let population = Population::new(801, 1);
    let mut site = Site::new();
    site.add_study("HOLD", &["--unknown", "keep"]);
    let records = days(population.user(0), 2);
    site.push(&Notification::of(population.users(), &records).to_json());
    site.wait_until_filed();
    let list = site.cli_json(&["unassigned", "list"]);
    let handle = find(&list, "handle").and_then(Value::as_str).expect("a handle").to_owned();
    assert!(!list.to_string().contains(&population.user(0).id));
    site.kill();
    site.start();
    site.cli(&[
        "participant",
        "add",
        "--study",
        "HOLD",
        "--code",
        "P000",
        "--unassigned",
        &handle,
        "--from",
        "2020-01-01",
    ]);
    let late = first_of(&population, 0, "activities");
    site.push(&Notification::of(population.users(), &[late]).to_json());
    site.wait_for_metric(HELD, 0.0);
    let dataset = site.export("HOLD");
    let dailies = dataset.records("P000", "dailies");
    assert_eq!(dailies.len(), 2);
    assert!(dataset.rows().len() >= records.len() - 1, "{} of {}", dataset.rows().len(), records.len());
}

#[test]
fn linking_by_the_garmin_user_picks_up_what_was_held() {
    let population = Population::new(802, 1);
    let mut site = Site::new();
    site.add_study("LATE", &[]);
    let daily = first_of(&population, 0, "dailies");
    site.push(&Notification::of(population.users(), &[daily]).to_json());
    site.wait_until_filed();
    assert_eq!(site.metric(HELD), Some(1.0));
    site.add_participants("LATE", &population);
    site.wait_for_metric(HELD, 0.0);
    assert_eq!(site.export("LATE").records("P000", "dailies").len(), 1);
}

#[test]
fn data_before_the_participants_window_are_not_kept() {
    // The second user lives at UTC, as the window's dates are.
    let population = Population::new(803, 2);
    let mut site = Site::new();
    site.add_study("WINDOW", &[]);
    let user = population.user(1);
    let add = ["participant", "add", "--study", "WINDOW", "--code", "P000", "--garmin-user", user.id.as_str()];
    site.cli(&[&add[..], &["--from", "2026-11-03"]].concat());
    site.push(&Notification::of(population.users(), &days(user, 5)).to_json());
    let dataset = site.export("WINDOW");
    let mut dates: Vec<String> = dataset
        .records("P000", "dailies")
        .iter()
        .map(|record| record["calendarDate"].as_str().expect("a date").to_owned())
        .collect();
    dates.sort();
    assert_eq!(dates, ["2026-11-03", "2026-11-04", "2026-11-05"]);
}
