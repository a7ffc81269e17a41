//! What was seen of the traffic survives a restart, in the metrics and in what `status` says.

use studygate::simulate::notification::Notification;
use studygate::simulate::user::Population;

use crate::first_of;
use crate::site::Site;

const STAMPS: [&str; 3] = [
    "studygate_last_notification_timestamp_seconds{type=\"dailies\"}",
    "studygate_last_notification_timestamp_seconds{type=\"other\"}",
    "studygate_last_record_timestamp_seconds{study=\"SEEN\"}",
];

fn stamps(site: &Site) -> [Option<f64>; 3] {
    STAMPS.map(|series| site.metric(series))
}

#[test]
fn times_that_have_happened_survive_a_restart_and_others_stay_absent() {
    let population = Population::new(771, 2);
    let mut site = Site::new();
    site.add_study("SEEN", &[]);
    site.add_study("UNSEEN", &[]);
    site.add_participants("SEEN", &population);
    assert_eq!(stamps(&site), [None; 3]);
    let records = [0, 1].map(|user| first_of(&population, user, "dailies"));
    let body = Notification::of(population.users(), &records).to_json();
    site.push(&body);
    site.push(r#"{"deregistrations":[{"userId":"nobody-here"}]}"#);
    site.wait_until_filed();
    let (before, status) = (stamps(&site), site.cli_json(&["status"]));
    assert!(before.iter().all(Option::is_some), "{before:?}");
    assert_eq!(status["seen"]["users"], 2);
    assert_eq!(status["seen"]["types"]["dailies"]["items"], 2);
    assert_eq!(status["seen"]["deregistrations"]["items"], 1);
    assert_eq!(status["seen"]["permission_changes"], serde_json::Value::Null);
    assert_eq!(status["seen"]["largest_body"]["bytes"], body.len());
    assert!(status["seen"]["slowest_answer"]["milliseconds"].as_u64().is_some_and(|time| time < 30_000));
    let store = site.cli_json(&["store", "info"]);
    assert_eq!((&store["store"], &store["keys"]), (&status["store"], &status["keys"]));

    assert!(site.stop().success());
    site.start();
    assert_eq!(stamps(&site), before);
    assert_eq!(site.metric("studygate_last_record_timestamp_seconds{study=\"UNSEEN\"}"), None);
    let again = site.cli_json(&["status"]);
    assert_eq!((&again["seen"], &again["last_notification"]), (&status["seen"], &status["last_notification"]));
}
