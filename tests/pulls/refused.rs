//! Hostile callback URLs through the real ingress: the notification is taken, they are not followed, a person sees them.

use std::net::TcpListener;

use serde_json::{Value, json};
use studygate::simulate::notification::Notification;
use studygate::simulate::user::Population;

use crate::garmin::{Garmin, MIDNIGHT, answer, assert_silent, wait_until_pulled};

#[test]
fn hostile_callbacks_are_quarantined_beside_good_items_and_nobody_is_connected_to() {
    let canary = TcpListener::bind("127.0.0.1:0").expect("a free port");
    canary.set_nonblocking(true).expect("a socket");
    let port = canary.local_addr().expect("bound").port();
    let population = Population::new(981, 1);
    let user = population.user(0);
    let garmin = Garmin::start();
    let mut site = garmin.site();
    site.add_study("HOSTILE", &["--unknown", "keep"]);
    site.add_participants("HOSTILE", &population);
    let (host, path) = (garmin.callbacks.host().to_owned(), "wellness-api/rest/dailies?token=hostiletoken");
    let hostile = [
        (format!("https://127.0.0.1:{port}/{path}"), "literal"),
        (format!("https://[::ffff:127.0.0.1]:{port}/{path}"), "literal"),
        (format!("https://2130706433:{port}/{path}"), "literal"),
        (format!("http://{host}/{path}"), "not_https"),
        (format!("https://{host}@localhost:{port}/{path}"), "user_info"),
        (format!("https://localhost:{port}/{path}"), "host"),
        (format!("https://{host}.localhost:{port}/{path}"), "not_a_url"),
        (format!("https://{host}/../{path}"), "spelling"),
        (format!("https://{host}/oauth/{path}"), "path"),
        (format!("https://{host}/{path}#fragment"), "fragment"),
    ];
    let mut body = Notification::new();
    for (number, (url, _)) in (0..).zip(&hostile) {
        body = body.ping(user, "dailies", url, MIDNIGHT.plus(number * 300));
    }
    let good = garmin.window(user, "dailies", 50, &answer(user, 50, 1), Vec::new());
    let pushed: Vec<Value> = serde_json::from_str(&answer(user, 51, 2)).expect("JSON");
    let mut item = pushed[0].clone();
    item["userId"] = json!(user.id);
    body = body.raw("dailies", good.item.to_string()).raw("dailies", item.to_string());
    assert_eq!(site.post(&body.to_json()), 200);
    wait_until_pulled(&site);

    let items = site.cli_json(&["quarantine", "list"])["quarantine"].as_array().expect("a list").clone();
    assert_eq!(items.len(), hostile.len());
    for item in &items {
        assert_eq!((&item["reason"], &item["code"]), (&json!("refused-callback"), &json!("P000")));
    }
    let refused = |reason: &str| {
        let series = format!("studygate_callbacks_refused_total{{reason=\"{reason}\"}}");
        site.metric(&series).unwrap_or_else(|| panic!("{series} is missing"))
    };
    let reasons: std::collections::BTreeSet<_> = hostile.iter().map(|(_, reason)| *reason).collect();
    for reason in reasons {
        let count = hostile.iter().filter(|(_, wanted)| *wanted == reason).count();
        assert_eq!(refused(reason), f64::from(u32::try_from(count).expect("few")), "{reason}");
    }
    assert_eq!(site.metric("studygate_quarantine_items"), Some(10.0));
    assert_eq!(garmin.fetches_of(good.offer).len(), 1);
    assert_eq!(garmin.callbacks.fetches().len(), 1, "of the allowed host, too, only the good URL is asked for");
    assert!(canary.accept().is_err(), "nobody connected");
    assert_eq!(site.export("HOSTILE").records("P000", "dailies").len(), 2, "the good items are filed");
    assert_silent(&site, &garmin.markers(population.users()).with("hostile token", "hostiletoken"));
    site.cli(&["quarantine", "retry", "--all"]);
    site.wait_until_filed();
    assert_eq!(site.metric("studygate_quarantine_items"), Some(10.0), "what is refused comes back");
    assert!(canary.accept().is_err(), "nobody connected");
}
