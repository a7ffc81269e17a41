//! The audit log over the local API: what is entered, by whom, and before whom.

mod people_support;

use std::fs;

use bytes::Bytes;
use hyper::Method;
use people_support::{NOW, QUARANTINED, RECIPIENT, Site};
use serde_json::{Value, json};
use studygate::crypto::key::Key;
use studygate::crypto::root_key::proof;
use studygate::http::local_api::{Caller, LocalBody, LocalRequest};

/// The answer's status and JSON.
fn ask(site: &Site, method: &str, path: &str, body: Value) -> (u16, Value) {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let answer = site.routes.answer(LocalRequest {
        method: Method::from_bytes(method.as_bytes()).expect("a method"),
        path: format!("/api/v1/{path}"),
        query: query.to_owned(),
        peer: Caller::Socket { uid: 1000, login_uid: Some(1001), groups: vec![1000] },
        id: "test".to_owned(),
        body: if body.is_null() { Bytes::new() } else { body.to_string().into() },
    });
    let LocalBody::Full(text) = answer.body else { return (answer.status.as_u16(), Value::Null) };
    (answer.status.as_u16(), serde_json::from_slice(&text).expect("JSON"))
}

fn done(site: &Site, method: &str, path: &str, body: Value) {
    let (status, answer) = ask(site, method, path, body);
    assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
}

fn entries(site: &Site, query: &str) -> Vec<Value> {
    let (status, answer) = ask(site, "GET", &format!("audit?{query}"), Value::Null);
    assert_eq!(status, 200, "{answer}");
    answer["entries"].as_array().expect("entries").clone()
}

fn acts(site: &Site, query: &str) -> Vec<String> {
    entries(site, query).iter().map(|entry| entry["act"].as_str().expect("an act").to_owned()).collect()
}

/// The members, with a proof of the root key that a replacement in place leads to.
fn proved(mut members: Value) -> Value {
    members["at"] = json!(NOW.0);
    members["proof"] = json!(proof(&Key::from_bytes([4; 32]), NOW));
    members
}

fn filled() -> Site {
    let site = Site::new();
    done(&site, "POST", "studies", json!({ "name": "A", "recipients": [RECIPIENT] }));
    done(&site, "POST", "studies/A/participants", json!({ "code": "P1", "garmin_user": "secret-garmin-user" }));
    site
}

#[test]
fn every_call_that_reads_participants_or_changes_something_is_entered_once() {
    let site = filled();
    site.handed_over("A");
    let calls = [
        ("GET", "studies/A/participants", Value::Null, "participants-listed"),
        ("GET", "studies/A/participants?silent=rule", Value::Null, "participants-listed"),
        ("GET", "studies/A/coverage", Value::Null, "coverage-shown"),
        ("GET", "studies/A/participants/P1", Value::Null, "participant-shown"),
        ("PATCH", "studies/A/participants/P1", json!({ "from": "2026-10-01" }), "participant-set"),
        ("POST", "studies/A/participants/P1/pause", json!({}), "participant-paused"),
        ("POST", "studies/A/participants/P1/resume", json!({}), "participant-resumed"),
        ("POST", "studies/A/participants/P1/unlink", json!({}), "participant-unlinked"),
        ("POST", "studies/A/participants/P1/rename", json!({ "new_code": "P2" }), "participant-renamed"),
        ("POST", "studies/A/participants/P2/complete", json!({}), "participant-completed"),
        ("POST", "studies/A/participants/P2/withdraw", json!({ "dry_run": true }), "withdrawal-previewed"),
        ("GET", "studies/A/participants/GONE/receipt", Value::Null, "receipt-shown"),
        ("GET", "purges", Value::Null, "purges-listed"),
        ("POST", &format!("purges/{QUARANTINED}/confirm"), json!({ "reason": "they left" }), "purge-confirmed"),
        ("POST", &format!("purges/{QUARANTINED}/reject"), json!({ "reason": "a mistake" }), "purge-rejected"),
        ("GET", "exports", Value::Null, "exports-listed"),
        ("GET", "exports/A/1", Value::Null, "export-shown"),
        ("GET", "unassigned", Value::Null, "unassigned-listed"),
        ("GET", "quarantine", Value::Null, "quarantine-listed"),
        ("GET", &format!("quarantine/{QUARANTINED}"), Value::Null, "quarantine-shown"),
        ("POST", &format!("quarantine/{QUARANTINED}/retry"), json!({}), "quarantine-retried"),
        ("DELETE", &format!("quarantine/{QUARANTINED}"), json!({ "reason": "noise" }), "quarantine-dropped"),
        ("POST", "keys/rotate", json!({ "reason": "once a year" }), "keys-rotated"),
        ("POST", "keys/rotate", json!({ "root": true }), "keys-rotated"),
        ("POST", "keys/escrow/create", proved(json!({ "recipients": ["ab".repeat(32)] })), "escrow-made"),
        ("POST", "keys/escrow/verify", proved(json!({})), "escrow-verified"),
        ("POST", "studies/A/lock", json!({}), "study-locked"),
        ("POST", "studies/A/participants/P2/withdraw", json!({ "reason": "asked to" }), "participant-withdrawn"),
        ("POST", "studies/A/close", json!({ "data": "purge", "reason": "over" }), "study-closed"),
    ];
    let mut last = 2;
    for (method, path, body, act) in calls {
        done(&site, method, path, body);
        let found = entries(&site, &format!("after={last}"));
        let told: Vec<_> = found.iter().map(|entry| entry["act"].as_str().expect("an act")).collect();
        assert_eq!(told, [act], "{method} {path}");
        assert_eq!(found[0]["who"], json!({ "by": "socket", "uid": 1000, "login_uid": 1001 }));
        // Reading the log is entered, too.
        last += 2;
    }
    assert_eq!(
        acts(&site, "study=A&code=P2"),
        ["participant-completed", "withdrawal-previewed", "participant-withdrawn"]
    );
    for (act, reason) in [("purge-confirmed", "they left"), ("purge-rejected", "a mistake")] {
        assert_eq!(entries(&site, &format!("act={act}"))[0]["details"]["reason"], reason);
    }
    let withdrawn = entries(&site, "act=participant-withdrawn");
    assert_eq!(withdrawn[0]["details"]["reason"], "asked to");
}

#[test]
fn what_was_decided_about_an_item_or_a_pull_is_entered_for_each_participant_it_concerns() {
    let site = filled();
    let (item, pull) = (format!("quarantine/{QUARANTINED}"), format!("pulls/{QUARANTINED}"));
    let reason = json!({ "reason": "noise" });
    let (of_one, of_nobody) = (vec!["A P1"], vec!["nobody"]);
    let calls = [
        ("GET", format!("{item}/content"), Value::Null, "quarantine-shown", of_one.clone()),
        ("POST", format!("{item}/retry"), json!({}), "quarantine-retried", of_one),
        ("DELETE", item, reason.clone(), "quarantine-dropped", of_nobody.clone()),
        ("POST", format!("{pull}/retry"), json!({}), "pull-retried", vec!["A P1", "B P1"]),
        ("DELETE", pull, reason, "pull-dropped", of_nobody),
    ];
    for (method, path, body, act, expected) in calls {
        done(&site, method, &path, body);
        let told = |entry: &Value| match (entry["study"].as_str(), entry["code"].as_str()) {
            (Some(study), Some(code)) => format!("{study} {code}"),
            _ => "nobody".to_owned(),
        };
        let found: Vec<_> = entries(&site, &format!("act={act}")).iter().map(told).collect();
        assert_eq!(found, expected, "{method} {path}");
    }
}

#[test]
fn what_is_refused_or_reads_nobody_is_not_entered() {
    let site = filled();
    for (method, path) in [("GET", "studies"), ("GET", "studies/A"), ("GET", "status"), ("GET", "keys")] {
        done(&site, method, path, Value::Null);
    }
    assert_eq!(ask(&site, "GET", "studies/A/participants/P9", Value::Null).0, 404);
    assert_eq!(ask(&site, "POST", "studies/A/participants/P1/withdraw", json!({})).0, 400);
    assert_eq!(acts(&site, ""), ["study-added", "participant-added"]);
}

#[test]
fn recipients_are_entered_by_fingerprint_before_and_after() {
    let site = filled();
    done(&site, "PATCH", "studies/A", json!({ "recipients": [RECIPIENT] }));
    assert_eq!(acts(&site, "act=recipients-changed"), Vec::<String>::new(), "the same ones");
    let added = entries(&site, "act=study-added");
    assert_eq!(added[0]["details"]["recipients"][0].as_str().map(str::len), Some(64));
    assert!(!added[0].to_string().contains(RECIPIENT));
}

#[test]
fn log_names_no_garmin_user_and_verifies() {
    let site = filled();
    let (status, report) = ask(&site, "POST", "audit/verify", Value::Null);
    assert_eq!(status, 200);
    assert_eq!(report["findings"].as_array().map(Vec::len), Some(1), "no gateway started it: no head is signed");
    assert_eq!(report["findings"][0]["fault"], "no-head");
    site.audit.started().expect("signed");
    let report = ask(&site, "POST", "audit/verify", Value::Null).1;
    assert_eq!((&report["findings"], &report["proven_to"]), (&json!([]), &json!(4)));
    assert_eq!(ask(&site, "GET", "keys", Value::Null).1["site_key"], report["site_key"]);
    let text = fs::read_to_string(site.folder().join("audit/log")).expect("the log");
    assert!(text.contains("participant-added") && !text.contains("secret-garmin-user"), "{text}");
}

#[test]
fn filters_are_checked_and_pages_follow_each_other() {
    let site = filled();
    assert_eq!(ask(&site, "GET", "audit?act=nosuch", Value::Null).0, 400);
    assert_eq!(ask(&site, "GET", "audit?after=x", Value::Null).0, 400);
    assert_eq!(ask(&site, "GET", "audit?limit=0", Value::Null).0, 400);
    assert_eq!(acts(&site, "to=2026-10-31"), Vec::<String>::new());
    assert_eq!(acts(&site, "from=2026-11-01&to=2026-11-01&act=participant-added"), ["participant-added"]);
    for _ in 0..1000 {
        done(&site, "GET", "unassigned", Value::Null);
    }
    let first = ask(&site, "GET", "audit", Value::Null).1;
    let next = first["next"].as_u64().expect("a page more");
    assert_eq!(first["entries"].as_array().map(Vec::len), Some(1000));
    let rest = ask(&site, "GET", &format!("audit?after={next}"), Value::Null).1;
    assert_eq!((rest["entries"][0]["sequence"].as_u64(), &rest["next"]), (Some(next + 1), &Value::Null));
}
