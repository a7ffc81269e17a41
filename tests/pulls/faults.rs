//! Answers after which it is asked again: statuses that pass, answers that break off or are no array.

use studygate::simulate::callbacks::fault::Fault;
use studygate::simulate::user::Population;

use crate::garmin::{Garmin, answer, assert_silent, counted, notification, pulls, wait, wait_until_pulled};

const RETRY_AFTER_S: u32 = 5;

/// Type, what spoils the first attempt, and how often it is asked again.
fn passing() -> Vec<(&'static str, Fault, usize)> {
    vec![
        ("dailies", Fault::TooManyRequests { retry_after_s: None }, 1),
        ("epochs", Fault::TooManyRequests { retry_after_s: Some(RETRY_AFTER_S) }, 1),
        ("sleeps", Fault::Status(500), 1),
        ("hrv", Fault::Status(502), 1),
        ("stressDetails", Fault::Status(503), 1),
        ("pulseox", Fault::Slow, 0),
        ("skinTemp", Fault::Cut, 1),
        ("bodyComps", Fault::LengthTooLong, 1),
        ("allDayRespiration", Fault::LengthTooShort, 1),
        ("bloodPressures", Fault::Closed, 1),
    ]
}

#[test]
fn each_fault_that_passes_is_tried_again_and_its_data_come_once() {
    let population = Population::new(921, 1);
    let user = population.user(0);
    let garmin = Garmin::start();
    let mut site = garmin.site();
    site.add_study("AGAIN", &["--unknown", "keep"]);
    site.add_participants("AGAIN", &population);
    let cases = passing();
    let pings: Vec<_> = (0..)
        .zip(&cases)
        .map(|(number, (summary_type, fault, _))| {
            garmin.window(user, summary_type, number, &answer(user, number, 1), vec![fault.clone()])
        })
        .collect();
    site.push(&notification(&pings));
    wait_until_pulled(&site);
    assert!(pulls(&site, &["--all"]).is_empty());
    let dataset = site.export("AGAIN");
    for (ping, (summary_type, fault, again)) in pings.iter().zip(&cases) {
        let fetches = garmin.fetches_of(ping.offer);
        assert_eq!(fetches.len(), 1 + again, "{fault}");
        assert_eq!(counted(&site, summary_type, "again"), if *again == 1 { 1.0 } else { 0.0 }, "{fault}");
        assert_eq!(counted(&site, summary_type, "done"), 1.0, "{fault}");
        assert_eq!(dataset.raw(summary_type).len(), 1, "{fault}");
        if let Fault::TooManyRequests { retry_after_s: Some(seconds) } = fault {
            let waited = fetches[1].at.0 - fetches[0].at.0;
            assert!(waited >= i64::from(*seconds), "it came after {waited} s");
        }
    }
    assert_silent(&site, &garmin.markers(population.users()));
}

#[test]
fn answer_that_is_no_array_of_the_type_is_asked_for_again_and_nothing_of_it_is_kept() {
    let population = Population::new(922, 1);
    let user = population.user(0);
    let garmin = Garmin::start();
    let mut site = garmin.site();
    site.add_study("BROKEN", &["--unknown", "keep"]);
    site.add_participants("BROKEN", &population);
    let summary = answer(user, 1, 1);
    let object = summary.trim_start_matches('[').trim_end_matches(']').to_owned();
    let way_out = format!("{summary},\"deregistrations\":[{{\"userId\":\"{}\"}}]", user.id);
    let twice = format!("{summary}{summary}");
    let answers = ["[{\"summaryId\":", &object, &way_out, &twice];
    let pings: Vec<_> = (0..)
        .zip(["dailies", "epochs", "sleeps", "hrv"].iter().zip(answers))
        .map(|(number, (summary_type, text))| garmin.window(user, summary_type, number, text, Vec::new()))
        .collect();
    site.push(&notification(&pings));
    wait("the answers", || {
        let listed = pulls(&site, &["--all"]);
        listed.len() == 4 && listed.iter().all(|pull| pull["last"] == "Garmin's answer was no JSON array")
    });
    let listed = pulls(&site, &["--all"]);
    assert!(listed.iter().all(|pull| pull["state"] == "waiting" || pull["state"] == "running"), "{listed:?}");
    assert!(pulls(&site, &[]).is_empty(), "none has ended");
    assert_eq!(site.metric("studygate_pull_queue_length"), Some(4.0));
    let before = garmin.fetches_of(pings[0].offer).len();
    let ids: Vec<_> = listed.iter().map(|pull| pull["id"].as_str().expect("an id")).collect();
    site.cli(&[&["pulls", "retry"], &ids[..]].concat());
    garmin.wait_for_fetches(pings[0].offer, before + 1);
    site.cli(&[&["pulls", "drop"], &ids[..], &["--yes", "--reason", "broken"]].concat());
    assert!(pulls(&site, &["--all"]).is_empty());
    let participant = site.cli_json(&["participant", "show", "--study", "BROKEN", "--code", "P000"]);
    assert!(participant.to_string().contains("active"), "an answer deregisters nobody: {participant}");
    assert!(site.export("BROKEN").types().is_empty());
    assert_eq!(site.cli_json(&["quarantine", "list"])["quarantine"].as_array().map(Vec::len), Some(0));
}
