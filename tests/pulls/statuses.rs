//! Answers that forbid to ask again: each has its own end, is listed, survives a restart, and a person decides on it.

use std::net::TcpListener;

use serde_json::{Value, json};
use studygate::simulate::callbacks::fault::Fault;
use studygate::simulate::user::Population;

use crate::garmin::{Garmin, answer, assert_silent, counted, notification, pulls, wait, wait_until_pulled};

/// Type, status, state, and the last answer in words.
const ENDS: [(&str, u16, &str, &str); 6] = [
    ("dailies", 400, "refused", "Garmin answered 400"),
    ("epochs", 401, "refused", "Garmin answered 401"),
    ("sleeps", 403, "refused", "Garmin answered 403"),
    ("hrv", 404, "refused", "Garmin answered 404"),
    ("stressDetails", 412, "not_permitted", "Garmin answered 412"),
    ("pulseox", 410, "gone", "Garmin answered 410"),
];
const REDIRECTED: (&str, &str, &str) = ("skinTemp", "refused", "Garmin answered 302");
const TOO_LARGE: (&str, &str, &str) = ("bodyComps", "refused", "Garmin's answer was longer than pull.max_body");

#[test]
fn each_status_that_forbids_to_ask_again_has_its_own_end_and_a_person_decides() {
    let canary = TcpListener::bind("127.0.0.1:0").expect("a free port");
    canary.set_nonblocking(true).expect("a socket");
    let elsewhere = format!("https://{}/wellness-api/rest/dailies", canary.local_addr().expect("bound"));
    let population = Population::new(911, 1);
    let user = population.user(0);
    let garmin = Garmin::start();
    let mut site = garmin.stopped_site("max_body = \"1MiB\"");
    site.start();
    site.add_study("ENDS", &["--unknown", "keep"]);
    site.add_participants("ENDS", &population);

    let mut pings = Vec::new();
    let mut expected = Vec::new();
    for (number, (summary_type, status, state, last)) in (0..).zip(ENDS) {
        let answer = answer(user, number, 1);
        pings.push(garmin.window(user, summary_type, number, &answer, vec![Fault::Status(status)]));
        expected.push((summary_type, state, last));
    }
    let script = vec![Fault::Redirect(elsewhere)];
    pings.push(garmin.window(user, REDIRECTED.0, 20, &answer(user, 20, 1), script));
    let large = format!("[{{\"summaryId\":\"{}\"}}]", "x".repeat(1_100_000));
    pings.push(garmin.window(user, TOO_LARGE.0, 21, &large, Vec::new()));
    expected.extend([REDIRECTED, TOO_LARGE]);
    expected.sort_unstable();
    site.push(&notification(&pings));
    site.wait_until_filed();
    wait("the ends", || pulls(&site, &[]).len() == expected.len());

    let check = |listed: &[Value]| {
        let text = |pull: &Value, name: &str| pull[name].as_str().expect("text").to_owned();
        let mut found: Vec<_> =
            listed.iter().map(|pull| (text(pull, "type"), text(pull, "state"), text(pull, "last"))).collect();
        found.sort_unstable();
        let expected = expected.iter().map(|(name, state, last)| ((*name).into(), (*state).into(), (*last).into()));
        assert_eq!(found, expected.collect::<Vec<(String, String, String)>>());
        for pull in listed {
            assert_eq!((&pull["attempts"], &pull["for"]), (&json!(1), &json!([{"study": "ENDS", "code": "P000"}])));
            let url = text(pull, "url");
            assert!(url.starts_with(&format!("{}/wellness-api/rest/", garmin.callbacks.host())), "{url}");
            assert!(!url.contains('?') && pull["ended"].is_string() && pull["next"].is_null(), "{pull}");
        }
    };
    let listed = pulls(&site, &[]);
    check(&listed);
    for (summary_type, state, _) in &expected {
        assert!(counted(&site, summary_type, state) >= 1.0, "{summary_type} {state}");
        assert_eq!(counted(&site, summary_type, "again"), 0.0, "{summary_type}");
    }
    assert_eq!(site.metric("studygate_pull_queue_length"), Some(0.0), "nothing waits");
    let ended = &site.cli_json(&["status"])["pulls"]["ended"];
    assert_eq!(*ended, json!({"refused": 6, "not_permitted": 1, "gone": 1, "expired": 0}));
    assert!(site.cli(&["pulls", "list"]).contains("not_permitted"));

    site.kill();
    site.start();
    check(&pulls(&site, &[]));
    assert_eq!(pulls(&site, &["--all"]).len(), expected.len());
    assert!(pings.iter().all(|ping| garmin.fetches_of(ping.offer).len() == 1), "each was asked for once");
    assert!(canary.accept().is_err(), "a redirect is not followed");
    assert_silent(&site, &garmin.markers(population.users()));

    let of_type = |summary_type: &str| {
        let pull = listed.iter().find(|pull| pull["type"] == summary_type).expect("it is listed");
        pull["id"].as_str().expect("an id").to_owned()
    };
    let too_large = of_type(TOO_LARGE.0);
    site.cli(&["pulls", "retry", &of_type("stressDetails")]);
    wait("the retried pull", || pulls(&site, &[]).len() == expected.len() - 1);
    site.cli(&["pulls", "retry", "--all"]);
    wait("one more refusal", || pulls(&site, &[]).len() == 1 && counted(&site, TOO_LARGE.0, "refused") >= 1.0);
    wait_until_pulled(&site);
    assert_eq!(pulls(&site, &[])[0]["id"], *too_large, "the rest is done");
    let code = |arguments: &[&str]| site.run(arguments).status.code();
    assert_eq!(code(&["pulls", "drop", &too_large]), Some(2), "it asks for --yes and --reason");
    site.cli(&["pulls", "drop", &too_large, "--yes", "--reason", "too large"]);
    assert!(pulls(&site, &["--all"]).is_empty());
    assert_eq!(code(&["pulls", "drop", &too_large, "--yes", "--reason", "again"]), Some(4));
    assert_eq!(code(&["pulls", "retry", &too_large]), Some(4));
    assert_eq!(code(&["pulls", "retry"]), Some(2));
    let dropped = &site.cli_json(&["audit", "list", "--act", "pull-dropped"])["entries"];
    assert_eq!(
        (&dropped[0]["study"], &dropped[0]["code"], &dropped[1]),
        (&json!("ENDS"), &json!("P000"), &Value::Null)
    );
    assert_eq!(dropped[0]["details"], json!({"pull": too_large, "reason": "too large"}));
    let dataset = site.export("ENDS");
    for (summary_type, ..) in expected.iter().filter(|(name, ..)| *name != TOO_LARGE.0) {
        assert_eq!(dataset.raw(summary_type).len(), 1, "{summary_type}");
    }
    assert!(dataset.raw(TOO_LARGE.0).is_empty());
}
