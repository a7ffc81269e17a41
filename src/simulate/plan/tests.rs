//! The plan: what comes, in which order, and what does not.

use std::collections::HashMap;

use super::*;

fn settings(mode: Mode) -> Settings {
    Settings { mode, deregistered: 1, permission_changes: 1, ..Settings::new(71, UnixSeconds(1_793_491_200), 9) }
}

fn days(settings: &Settings) -> Vec<Vec<Wave>> {
    let mut plan = Plan::new(settings.clone(), Population::new(settings.seed, 6));
    std::iter::from_fn(|| plan.next_day()).collect()
}

fn parts(days: &[Vec<Wave>]) -> impl Iterator<Item = &Part> {
    days.iter().flatten().flatten().flatten()
}

#[test]
fn plan_is_the_same_in_every_run_and_has_every_record_of_all_days() {
    let settings = Settings { deregistered: 0, permission_changes: 0, ..settings(Mode::Mixed) };
    let all = days(&settings);
    assert_eq!(all, days(&settings));
    let mut keys: Vec<_> = parts(&all)
        .flat_map(|part| match part {
            Part::Push(record) => vec![record.clone()],
            Part::Window(window) => window.records.clone(),
            Part::File(_) | Part::Deregistration(_) | Part::Permissions { .. } => Vec::new(),
        })
        .map(|record| (record.user, record.summary_type.clone(), record.natural_key()))
        .collect();
    keys.sort();
    keys.dedup();
    let mut expected: Vec<_> = Population::new(71, 6)
        .users()
        .iter()
        .flat_map(|user| (0..9).flat_map(|n| day(user, settings.start.plus(n * DAY_S), settings.density)))
        .map(|record| (record.user, record.summary_type.clone(), record.natural_key()))
        .collect();
    expected.sort();
    expected.dedup();
    assert_eq!(keys, expected);
}

#[test]
fn mode_decides_what_is_pushed_and_what_is_pinged() {
    let count = |mode| {
        let days = days(&settings(mode));
        let of = |kind: fn(&Part) -> bool| parts(&days).filter(|part| kind(part)).count();
        (
            of(|part| matches!(part, Part::Push(_))) > 0,
            of(|part| matches!(part, Part::Window(_))) > 0,
            of(|part| matches!(part, Part::File(_))) > 0,
        )
    };
    assert_eq!(count(Mode::Push), (true, false, false));
    assert_eq!(count(Mode::Ping), (false, true, true));
    assert_eq!(count(Mode::Mixed), (true, true, true));
}

#[test]
fn each_activity_that_was_recorded_has_its_file_once_as_it_was_before_any_revision() {
    let oddities = Oddities { late: 200, revised: 300, out_of_order: 300, ..Oddities::default() };
    let settings = Settings { oddities, deregistered: 0, permission_changes: 0, ..settings(Mode::Mixed) };
    let days = days(&settings);
    let pinged = parts(&days).filter_map(|part| if let Part::File(file) = part { Some(file.clone()) } else { None });
    let mut pinged: Vec<FileOf> = pinged.collect();
    let population = Population::new(71, 6);
    let records = (0..9).flat_map(|number| {
        let midnight = settings.start.plus(number * DAY_S);
        population.users().iter().flat_map(move |user| day(user, midnight, settings.density))
    });
    let mut expected: Vec<FileOf> =
        records.filter_map(|record| FileOf::of(population.user(record.user), &record)).collect();
    let id = |file: &FileOf| file.activity_id().to_owned();
    pinged.sort_by_key(id);
    expected.sort_by_key(id);
    assert!(expected.len() > 5);
    assert_eq!(pinged, expected);
}

#[test]
fn windows_that_share_their_uploads_hold_the_same() {
    let days = days(&settings(Mode::Ping));
    let mut seen: HashMap<(usize, &str, UnixSeconds), &Window> = HashMap::new();
    let mut again = 0;
    for part in parts(&days) {
        if let Part::Window(window) = part {
            assert!(window.summary_type != "mct" || window.records.len() <= 1);
            if let Some(before) = seen.insert((window.user, &window.summary_type, window.from), window) {
                assert_eq!(before, window);
                again += 1;
            }
        }
    }
    assert!(again > 0 && seen.values().any(|window| window.records.is_empty()));
}

#[test]
fn nothing_comes_of_whoever_left_or_does_not_permit_it() {
    let days = days(&settings(Mode::Push));
    let of = |number: usize, user: usize| {
        parts(&days[number..=number]).filter(|part| matches!(part, Part::Push(record) if record.user == user)).count()
    };
    let health = |number: usize| {
        parts(&days[number..=number])
            .filter(|part| matches!(part, Part::Push(record) if record.user == 0 && record.summary_type == "dailies"))
            .count()
    };
    let leaves = parts(&days[5..=5]).any(|part| *part == Part::Deregistration(5));
    assert!(leaves && of(5, 5) > 0);
    assert!((6..9).all(|number| of(number, 5) == 0));
    let counts: Vec<usize> = (0..9).map(health).collect();
    assert!(counts[3..6].iter().all(|count| *count == 0), "{counts:?}");
    assert!(counts[6..].iter().sum::<usize>() > 0, "{counts:?}");
}

#[test]
fn versions_come_in_both_orders_and_some_records_days_late() {
    let days = days(&settings(Mode::Push));
    let mut first: HashMap<(usize, String, String), Vec<i64>> = HashMap::new();
    for part in parts(&days) {
        if let Part::Push(record) = part {
            let key = (record.user, record.summary_type.clone(), record.natural_key());
            first.entry(key).or_default().push(record.rank());
        }
    }
    assert!(first.values().any(|ranks| ranks.len() == 2 && ranks[0] < ranks[1]));
    assert!(first.values().any(|ranks| ranks.len() == 2 && ranks[0] > ranks[1]));
    let late = days.iter().enumerate().flat_map(|(number, waves)| {
        let midnight = UnixSeconds(1_793_491_200).plus(number as i64 * DAY_S);
        waves.iter().flatten().flatten().filter(move |part| {
            matches!(part, Part::Push(record) if record.summary_type == "dailies"
                && record.content["calendarDate"] != midnight.date())
        })
    });
    assert!(late.count() > 0);
}

#[test]
fn only_the_chosen_types_come() {
    let settings = Settings { types: Some(vec!["sleeps".to_owned()]), ..settings(Mode::Mixed) };
    let days = days(&settings);
    let others = parts(&days).filter(|part| match part {
        Part::Push(record) => record.summary_type != "sleeps",
        Part::Window(window) => window.summary_type != "sleeps",
        Part::File(_) => true,
        Part::Deregistration(_) | Part::Permissions { .. } => false,
    });
    assert_eq!(others.count(), 0);
}
