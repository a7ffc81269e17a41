//! The keys over the local API: what is told, what is refused, and that no key goes out.

mod people_support;

use bytes::Bytes;
use hyper::Method;
use people_support::{NOW, Site};
use serde_json::{Value, json};
use studygate::access::{rights::Scope, role::Role};
use studygate::crypto::key::Key;
use studygate::crypto::root_key::{Fingerprint, proof};
use studygate::http::local_api::{Caller, LocalBody, LocalRequest};

fn ask(site: &Site, method: &str, path: &str, body: Value) -> (u16, Value) {
    ask_as(site, Caller::Socket { uid: 1000, login_uid: None, groups: vec![1000] }, method, path, body)
}

fn ask_as(site: &Site, peer: Caller, method: &str, path: &str, body: Value) -> (u16, Value) {
    let answer = site.routes.answer(LocalRequest {
        method: Method::from_bytes(method.as_bytes()).expect("a method"),
        path: format!("/api/v1/{path}"),
        id: "test".to_owned(),
        query: String::new(),
        peer,
        body: if body.is_null() { Bytes::new() } else { body.to_string().into() },
    });
    let LocalBody::Full(text) = answer.body else { panic!("an answer that is told whole") };
    (answer.status.as_u16(), serde_json::from_slice(&text).expect("JSON"))
}

fn entries(site: &Site, act: &str) -> Vec<Value> {
    let answer = site.routes.answer(LocalRequest {
        method: Method::GET,
        path: "/api/v1/audit".to_owned(),
        id: "test".to_owned(),
        query: format!("act={act}"),
        peer: Caller::Socket { uid: 0, login_uid: None, groups: vec![0] },
        body: Bytes::new(),
    });
    let LocalBody::Full(text) = answer.body else { panic!("an answer that is told whole") };
    let answer: Value = serde_json::from_slice(&text).expect("JSON");
    answer["entries"].as_array().expect("entries").clone()
}

/// The key in force at the start.
fn in_force() -> Key {
    Key::from_bytes([9; 32])
}

fn proved(key: &Key, at: i64) -> Value {
    let time = studygate::model::time::UnixSeconds(at);
    json!({ "at": at, "proof": proof(key, time) })
}

#[test]
fn rotation_tells_the_epoch_and_a_replaced_root_key_by_its_fingerprint() {
    let site = Site::new();
    let (status, answer) = ask(&site, "POST", "keys/rotate", json!({}));
    assert_eq!((status, answer), (200, json!({ "epoch": 8, "epoch_destroyed": 7, "bodies_filed": true })));
    let digits = "5e".repeat(32);
    let (status, answer) = ask(&site, "POST", "keys/rotate", json!({ "root": true, "key": digits, "reason": "seen" }));
    let fingerprint = Fingerprint::of(&Key::from_bytes([0x5e; 32])).to_string();
    assert_eq!((status, &answer["root_key"]), (200, &json!(fingerprint)));
    assert_eq!((&answer["capsules"], &answer["unreached"]), (&json!(2), &json!(["a backup"])));
    assert_eq!((&answer["note"], &answer["bodies_filed"]), (&json!("Install it."), &json!(false)));
    assert!(!answer.to_string().contains(&digits));
    let entered = entries(&site, "keys-rotated");
    assert_eq!(entered[0]["details"], json!({ "epoch": 8, "root_key": null, "reason": null }));
    assert_eq!(entered[1]["details"], json!({ "epoch": 8, "root_key": fingerprint, "reason": "seen" }));
}

#[test]
fn root_key_is_replaced_at_the_socket_alone_and_the_epoch_by_an_admin() {
    let site = Site::new();
    let holder = |role| Caller::Token { name: "ops".to_owned(), role, scope: Scope::All };
    let rotate = |role, body| ask_as(&site, holder(role), "POST", "keys/rotate", body).0;
    assert_eq!(rotate(Role::Coordinator, json!({})), 403);
    assert_eq!(rotate(Role::Admin, json!({})), 200);
    assert_eq!(rotate(Role::Admin, json!({ "root": true })), 409);
    assert_eq!(rotate(Role::Admin, json!({ "root": true, "key": "5e".repeat(32) })), 409);
    assert_eq!(ask(&site, "GET", "keys", Value::Null).1["root_key"], Fingerprint::of(&in_force()).to_string());
    assert_eq!(entries(&site, "keys-rotated").len(), 1);
}

#[test]
fn rotation_refuses_a_key_that_is_none_and_changes_nothing() {
    let site = Site::new();
    let refused = [
        json!({ "key": "5e".repeat(32) }),
        json!({ "root": true, "key": "5e".repeat(31) }),
        json!({ "root": true, "key": "no digits" }),
        json!({ "root": 1 }),
        json!({ "reason": "x".repeat(1001) }),
        json!({ "owner": "P1" }),
    ];
    for body in refused {
        assert_eq!(ask(&site, "POST", "keys/rotate", body.clone()).0, 400, "{body}");
    }
    assert_eq!(entries(&site, "keys-rotated"), Vec::<Value>::new());
    assert_eq!(ask(&site, "GET", "keys", Value::Null).1["root_key"], Fingerprint::of(&in_force()).to_string());
}

#[test]
fn escrow_is_verified_by_a_proof_of_the_key_in_force_at_this_time() {
    let site = Site::new();
    let verify = |body: Value| ask(&site, "POST", "keys/escrow/verify", body);
    assert_eq!(ask(&site, "GET", "keys", Value::Null).1["escrow_verified"], Value::Null);
    let (status, answer) = verify(proved(&Key::from_bytes([8; 32]), NOW.0));
    assert_eq!((status, &answer["in_force"]), (200, &json!(false)));
    assert_eq!(ask(&site, "GET", "keys", Value::Null).1["escrow_verified"], Value::Null);
    let mut moved = proved(&in_force(), NOW.0);
    moved["at"] = json!(NOW.0 + 1);
    assert_eq!(verify(moved).1["in_force"], false, "a proof is for its own time");
    for stale in [NOW.0 - 301, NOW.0 + 301] {
        assert_eq!(verify(proved(&in_force(), stale)).0, 400);
    }
    assert_eq!(verify(json!({ "at": NOW.0 })).0, 400);
    assert_eq!(verify(proved(&in_force(), NOW.0 - 299)).1["in_force"], true);
    assert_eq!(ask(&site, "GET", "keys", Value::Null).1["escrow_verified"], NOW.to_string());
    let matches: Vec<_> =
        entries(&site, "escrow-verified").iter().map(|entry| entry["details"]["matches"] == true).collect();
    assert_eq!(matches, [false, false, true]);
}

#[test]
fn escrow_of_another_key_than_the_one_in_force_is_not_entered_as_made() {
    let site = Site::new();
    let made = |key: &Key, recipients: Value| {
        let mut body = proved(key, NOW.0);
        body["recipients"] = recipients;
        ask(&site, "POST", "keys/escrow/create", body).0
    };
    let fingerprints = json!(["0a".repeat(32)]);
    assert_eq!(made(&Key::from_bytes([8; 32]), fingerprints.clone()), 409);
    assert_eq!(made(&in_force(), json!([])), 400);
    assert_eq!(made(&in_force(), json!(["age1notafingerprint"])), 400);
    assert_eq!(entries(&site, "escrow-made"), Vec::<Value>::new());
    assert_eq!(made(&in_force(), fingerprints.clone()), 200);
    assert_eq!(entries(&site, "escrow-made")[0]["details"]["recipients"], fingerprints);
}
