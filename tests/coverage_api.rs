//! Coverage over the local API: its form, what is refused, and who may ask.

mod people_support;

use bytes::Bytes;
use hyper::Method;
use people_support::{NOW, RECIPIENT, Site};
use serde_json::{Value, json};
use studygate::access::{rights::Scope, role::Role};
use studygate::http::local_api::{Caller, LocalBody, LocalRequest};

fn socket() -> Caller {
    Caller::Socket { uid: 1000, login_uid: None, groups: vec![1000] }
}

fn ask(site: &Site, peer: Caller, method: &str, path: &str, body: Value) -> (u16, Value) {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let answer = site.routes.answer(LocalRequest {
        method: Method::from_bytes(method.as_bytes()).expect("a method"),
        path: format!("/api/v1/{path}"),
        id: "test".to_owned(),
        query: query.to_owned(),
        peer,
        body: if body.is_null() { Bytes::new() } else { body.to_string().into() },
    });
    let LocalBody::Full(text) = answer.body else { panic!("an answer that is told whole") };
    (answer.status.as_u16(), serde_json::from_slice(&text).expect("JSON"))
}

fn filled() -> Site {
    let site = Site::new();
    for (path, body) in [
        ("studies", json!({ "name": "A", "recipients": [RECIPIENT] })),
        ("studies/A/participants", json!({ "code": "P1", "garmin_user": "u1", "from": "2026-10-01" })),
        ("studies/A/participants", json!({ "code": "P2", "garmin_user": "u2", "from": "2026-10-31" })),
    ] {
        assert_eq!(ask(&site, socket(), "POST", path, body).0, 201, "{path}");
    }
    site
}

#[test]
fn report_has_a_letter_and_minutes_for_each_day() {
    let site = filled();
    let (status, answer) = ask(&site, socket(), "GET", "studies/A/coverage?from=2026-11-01&to=2026-11-03", Value::Null);
    assert_eq!((status, answer["participants"].as_array().map(Vec::len)), (200, Some(2)));
    assert_eq!((&answer["from"], &answer["to"]), (&json!("2026-11-01"), &json!("2026-11-03")));
    let expected = json!({
        "code": "P1",
        "state": "active",
        "days": "rm-",
        "received_days": 1,
        "partial_days": 0,
        "missing_days": 1,
        "longest_gap": { "days": 1, "from": "2026-11-02", "to": "2026-11-02" },
        "first_seen": NOW.plus(-9 * 86_400).to_string(),
        "last_seen": NOW.to_string(),
        "silent_since": null,
        "wear_minutes": 720,
        "types": { "dailies": { "days": "rm-", "minutes": [1440, null, null] } },
    });
    assert_eq!(answer["participants"][0], expected);
}

#[test]
fn days_that_are_none_are_refused() {
    let site = filled();
    for query in ["from=yesterday", "to=2026-13-01", "from=2026-11-01T00:00:00Z", "from=1969-12-31", "day=1"] {
        assert_eq!(ask(&site, socket(), "GET", &format!("studies/A/coverage?{query}"), Value::Null).0, 400, "{query}");
    }
    let (status, _) = ask(&site, socket(), "GET", "studies/A/coverage?from=2026-11-03&to=2026-11-01", Value::Null);
    assert_eq!(status, 400);
    assert_eq!(ask(&site, socket(), "GET", "studies/B/coverage", Value::Null).0, 404);
}

#[test]
fn who_is_silent_is_listed_by_the_rule_or_by_days() {
    let site = filled();
    // The stand-in has seen nothing of anybody; they could have had something since they were added, now.
    let list = |days: &str| ask(&site, socket(), "GET", &format!("studies/A/participants?silent={days}"), Value::Null);
    assert_eq!(list("rule").1["participants"], json!([]));
    assert_eq!(list("3d").1["participants"], json!([]));
    for wrong in ["", "0", "-1", "3w", "99999"] {
        assert_eq!(list(wrong).0, 400, "{wrong}");
    }
}

#[test]
fn token_of_another_study_learns_nothing_and_a_viewer_may_look() {
    let site = filled();
    let holder =
        |role, study: &str| Caller::Token { name: "t".to_owned(), role, scope: Scope::Study(study.to_owned()) };
    let see = |caller| ask(&site, caller, "GET", "studies/A/coverage", Value::Null).0;
    assert_eq!(see(holder(Role::Viewer, "A")), 200);
    assert_eq!(see(holder(Role::Auditor, "A")), 403);
    let hidden = ask(&site, holder(Role::Coordinator, "B"), "GET", "studies/A/coverage", Value::Null);
    let unknown = ask(&site, holder(Role::Coordinator, "B"), "GET", "studies/Z/coverage", Value::Null);
    assert_eq!((hidden.0, hidden.1["detail"].as_str().map(|text| text.replace('A', "Z"))).0, 404);
    assert_eq!(unknown.0, 404);
}
