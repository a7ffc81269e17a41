//! What the gateway logs while everything happens to it: lines that programs can read, and nobody's name in any of them.

#[allow(dead_code, reason = "the tests of pulls use the rest")]
#[path = "pulls/garmin.rs"]
mod garmin;
mod site;

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;

use serde_json::Value;
use studygate::simulate::callbacks::fault::Fault;
use studygate::simulate::markers::Markers;
use studygate::simulate::notification::Notification;
use studygate::simulate::record::{Density, Record, day};
use studygate::simulate::user::Population;

use garmin::{Garmin, MIDNIGHT, answer, notification, wait_until_pulled};
use site::Site;

const ELSEWHERE: &str = "https://files.garmin.example/wellness-api/rest/dailies?token=Elsewhere81vTkWm3";

/// Lets everything that is logged happen to a site: pushes, pulls that fail and that do not, what cannot be read, what
/// may not come in, a stranger, permissions, somebody who leaves, exports, refusals of the API, a kill and a stop.
fn happen(garmin: &Garmin, site: &mut Site) -> Markers {
    let population = Population::new(811, 4);
    let known = Population::new(811, 3);
    site.add_study("LOGS", &[]);
    site.add_participants("LOGS", &known);
    let records: Vec<Record> = population
        .users()
        .iter()
        .flat_map(|user| (0..2).flat_map(move |number| day(user, MIDNIGHT.plus(number * 86_400), Density::default())))
        .collect();
    for mixed in records.chunks(40) {
        site.push(&Notification::of(population.users(), mixed).to_json());
    }
    let user = population.user(0);
    let pings = [
        garmin.window(user, "dailies", 1, &answer(user, 1, 10), vec![Fault::Status(500)]),
        garmin.window(user, "dailies", 2, &answer(user, 2, 10), vec![Fault::Cut]),
        garmin.window(user, "epochs", 3, &answer(user, 3, 10), vec![]),
    ];
    site.push(&notification(&pings));
    let odd = Notification::new()
        .ping(user, "dailies", ELSEWHERE, MIDNIGHT)
        .permissions(population.user(1), &[], MIDNIGHT)
        .raw("dailies", format!("\"{}\"", user.id))
        .raw("dailies", format!("{{\"userId\":7,\"summaryId\":\"{}-77\"}}", user.prefix));
    site.push(&odd.to_json());
    assert_eq!(site.post(&odd.raw("dailies", format!("{{\"userId\":\"{}\",", user.id)).to_json()), 400);
    site.kill();
    site.start();
    wait_until_pulled(site);

    drop(site.export("LOGS"));
    for refused in [
        &["participant", "add", "--study", "LOGS", "--code", "P000"][..],
        &["participant", "show", "--study", "LOGS", "--code", &user.id],
        &["study", "add", &user.id],
        &["export", "--study", &user.id, "-o", "/dev/null"],
    ] {
        assert!(!site.run(refused).status.success(), "{refused:?}");
    }
    site.push(&Notification::new().deregistration(population.user(2)).to_json());
    site.wait_for_metric("studygate_purge_pending", 0.0);
    assert!(site.stop().success());
    let markers = garmin.markers(population.users()).with("token", "Elsewhere81vTkWm3");
    records.iter().filter_map(|record| record.content["summaryId"].as_str()).fold(markers, |markers, id| {
        // Enough of each: the search goes through a log at trace level.
        if markers.count() < 200 { markers.with("summaryId", id) } else { markers }
    })
}

fn site_that_logs(garmin: &Garmin, level: &str) -> Site {
    let mut site = garmin.stopped_site("");
    site.environment = vec![("STUDYGATE_LOG", level.to_owned())];
    site
}

#[test]
fn log_of_everything_names_nobody_even_at_trace_level() {
    let garmin = Garmin::start();
    let mut site = site_that_logs(&garmin, "trace");
    site.start();
    let markers = happen(&garmin, &mut site);
    let log = site.log();
    for line in ["a pull was answered", "ready"] {
        assert!(log.contains(line), "so much happened:\n{log}");
    }
    assert!(markers.count() > 100);
    assert_eq!(markers.found_in(log.as_bytes()), None);
}

#[test]
fn every_line_is_an_object_where_json_is_asked_for() {
    let garmin = Garmin::start();
    let mut site = site_that_logs(&garmin, "debug");
    site.serve_options = vec!["--log-format", "json"];
    site.start();
    let markers = happen(&garmin, &mut site);
    let log = site.log();
    assert_eq!(markers.found_in(log.as_bytes()), None);
    let mut levels = Vec::new();
    for line in log.lines() {
        let object: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        for member in ["time", "level", "target", "message"] {
            let text = object[member].as_str().unwrap_or_default();
            assert!(!text.is_empty(), "{member} is missing: {line}");
        }
        assert!(object["time"].as_str().is_some_and(|time| time.ends_with('Z')), "{line}");
        levels.push(object["level"].as_str().unwrap_or_default().to_owned());
    }
    for level in ["info", "debug"] {
        assert!(levels.iter().any(|found| found == level), "nothing at {level}");
    }
    let ready = log.lines().find(|line| line.contains("\"message\":\"ready\"")).expect("it was ready");
    let ready: Value = serde_json::from_str(ready).expect("as above");
    assert_eq!(ready["ingress"], site.ingress().to_string(), "values are members of their own");
}

#[test]
fn lines_have_priorities_where_the_journal_reads_them_and_times_elsewhere() {
    let mut site = Site::stopped();
    let about = File::create(site.log_path()).and_then(|file| file.metadata()).expect("a log file");
    let stream = format!("{}:{}", about.dev(), about.ino());
    site.environment = vec![("JOURNAL_STREAM", stream)];
    site.start();
    assert!(site.stop().success());
    let log = site.log();
    assert!(log.lines().all(|line| line.starts_with('<') && line.as_bytes()[2] == b'>'), "{log}");
    assert!(log.lines().any(|line| line.starts_with("<6>ready")), "{log}");

    // A child of a service has the variable, too, and another stderr.
    let before = log.len();
    site.environment = vec![("JOURNAL_STREAM", "1:2".to_owned())];
    site.start();
    assert!(site.stop().success());
    let log = site.log();
    assert!(log[before..].lines().all(|line| line.starts_with("20")), "{log}");
}

#[test]
fn failure_of_a_start_is_an_error_in_the_journal() {
    let mut site = Site::stopped();
    site.edit_config(|text| format!("colour = \"red\"\n{text}"));
    let about = File::create(site.log_path()).and_then(|file| file.metadata()).expect("a log file");
    site.environment = vec![("JOURNAL_STREAM", format!("{}:{}", about.dev(), about.ino()))];
    let serve = site.serve_command();
    site.start_without_waiting(serve);
    assert_eq!(site.wait_for_end().code(), Some(78));
    let log = site.log();
    assert!(log.lines().count() > 0 && log.lines().all(|line| line.starts_with("<3>studygate: ")), "{log}");
}

#[test]
#[should_panic(expected = "the gateway's log holds a userId")]
fn name_in_the_log_of_any_test_fails_it() {
    let site = Site::new();
    site.push(r#"{"dailies":[{"userId":"made-up-and-logged","summaryId":"s"}]}"#);
    let mut log = File::options().append(true).open(site.log_path()).expect("a log");
    writeln!(log, "filed for made-up-and-logged").expect("written");
}

/// Every message that a source logs as an error: the first text of the call.
fn errors_of(source: &str) -> impl Iterator<Item = &str> {
    source.split("tracing::error!(").skip(1).map(|call| call.split('"').nth(1).expect("a message"))
}

#[test]
fn every_error_says_what_to_do_or_what_comes_next() {
    let mut count = 0;
    for file in site::files_below(std::path::Path::new("src")) {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        for message in errors_of(&text) {
            count += 1;
            assert!(message.contains("; "), "{}: {message}", file.display());
        }
    }
    assert!(count > 20, "{count} errors are logged");
}
