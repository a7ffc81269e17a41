//! The routes of the local API: what is asked, answered and refused, over a directory in memory.

mod people_support;

use bytes::Bytes;
use hyper::{Method, StatusCode};
use serde_json::{Value, json};
use studygate::dataset::format::Format;
use studygate::http::local::desk::{ExportRequest, Retry, Revisions};
use studygate::http::local_api::{Caller, LocalApi, LocalBody, LocalRequest, LocalResponse, StreamPiece};
use studygate::model::{
    connection::{ClientId, GarminUserId},
    participant::{Bound, Lock, Window},
    study::DataFate,
    time::UnixSeconds,
};
use studygate::people::{
    held::HeldNote,
    refusal::{Kind, Refusal},
};
use studygate::withdrawal::course::{Haste, Word};

use people_support::{NOW, QUARANTINED, RECIPIENT, Site};

/// Asks the routes.
trait Asks: Sized {
    fn with_participant() -> Self;
    fn ask(&self, method: &str, path: &str, body: &str) -> LocalResponse;
    fn expect(&self, status: u16, method: &str, path: &str, body: Value) -> Value;
    fn get(&self, path: &str) -> Value;
    fn refused(&self, status: u16, method: &str, path: &str, body: Value) -> String;
}

impl Asks for Site {
    /// With study `A` and its participant `P1`.
    fn with_participant() -> Self {
        let site = Self::new();
        site.expect(201, "POST", "studies", json!({ "name": "A", "recipients": [RECIPIENT] }));
        site.expect(201, "POST", "studies/A/participants", json!({ "code": "P1" }));
        site
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> LocalResponse {
        self.routes.answer(request(method, path, body))
    }

    /// The JSON of an answer that must have this status.
    fn expect(&self, status: u16, method: &str, path: &str, body: Value) -> Value {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = self.ask(method, path, &body);
        let found = answer.status.as_u16();
        let json = body_of(answer);
        assert_eq!(found, status, "{method} {path} {body}: {json}");
        json
    }

    fn get(&self, path: &str) -> Value {
        self.expect(200, "GET", path, Value::Null)
    }

    /// The sentence of a refusal that must have this status.
    fn refused(&self, status: u16, method: &str, path: &str, body: Value) -> String {
        let problem = self.expect(status, method, path, body);
        assert_eq!(problem["status"], status);
        assert!(problem["type"].as_str().expect("text").starts_with("urn:studygate:problem:"), "{problem}");
        assert!(problem["title"].is_string(), "{problem}");
        problem["detail"].as_str().expect("text").to_owned()
    }
}

fn request(method: &str, path: &str, body: &str) -> LocalRequest {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    LocalRequest {
        method: Method::from_bytes(method.as_bytes()).expect("a method"),
        path: format!("/api/v1/{path}"),
        query: query.into(),
        peer: Caller::Socket { uid: 1000, login_uid: None, groups: vec![1000] },
        id: "test".to_owned(),
        body: Bytes::from(body.to_owned()),
    }
}

fn body_of(answer: LocalResponse) -> Value {
    let expected = if answer.status.is_success() { "application/json" } else { "application/problem+json" };
    assert_eq!(answer.content_type, expected);
    match answer.body {
        LocalBody::Full(bytes) => serde_json::from_slice(&bytes).expect("JSON"),
        LocalBody::Stream(_) => panic!("a stream where JSON was expected"),
    }
}

#[test]
fn study_is_added_shown_changed_locked_and_closed() {
    let site = Site::new();
    let body = json!({ "name": "A", "recipients": [RECIPIENT], "rules": { "names": "keep", "types": ["mct"] } });
    let added = site.expect(201, "POST", "studies", body);
    let expected = json!({
        "name": "A", "state": "open", "recipients": [RECIPIENT], "rules_version": 1,
        "rules": {
            "types": ["mct"], "on_deregistration": "purge", "grace_days": 0, "location": "drop", "names": "keep",
            "files": "drop", "devices": "keep", "pregnancy": "keep", "unknown": "drop", "dates": "keep",
            "minimise": false, "retain_until": null, "silent_after_days": 3, "garmin": null,
        },
        "created": "2026-11-01T05:00:00Z", "exports": 0,
        "participants": { "active": 0, "paused": 0, "completed": 0, "withdrawn": 0, "retained": 0 },
    });
    assert_eq!(added, expected);
    assert_eq!(site.get("studies/A"), expected);
    assert_eq!(site.get("studies"), json!({ "studies": [expected], "next": null }));

    let change = json!({ "rules": { "types": ["all"], "retain_until": "2030-01-01" } });
    let changed = site.expect(200, "PATCH", "studies/A", change);
    assert_eq!(changed["rules"]["types"], json!([]));
    assert_eq!(changed["rules"]["names"], "keep", "what is not named stays");
    assert_eq!((&changed["rules"]["retain_until"], &changed["rules_version"]), (&json!("2030-01-01"), &json!(2)));
    let cleared = site.expect(200, "PATCH", "studies/A", json!({ "rules": { "retain_until": null } }));
    assert_eq!(cleared["rules"]["retain_until"], Value::Null);

    assert_eq!(site.expect(200, "POST", "studies/A/lock", Value::Null)["state"], "locked");
    site.refused(423, "PATCH", "studies/A", json!({ "rules": { "names": "drop" } }));
    site.refused(423, "POST", "studies/A/participants", json!({}));
    let closed = site.expect(200, "POST", "studies/A/close", json!({ "data": "keep" }));
    assert_eq!((&closed["state"], &closed["purged"]), (&json!("closed"), &json!(0)));
}

#[test]
fn changes_of_recipients_are_told() {
    let site = Site::new();
    site.expect(201, "POST", "studies", json!({ "name": "A", "recipients": [RECIPIENT] }));
    site.expect(200, "PATCH", "studies/A", json!({ "recipients": [RECIPIENT], "rules": { "names": "keep" } }));
    let other = age::x25519::Identity::generate().to_public().to_string();
    site.expect(200, "PATCH", "studies/A", json!({ "recipients": [RECIPIENT, other] }));
    assert_eq!(*site.desk.recipients_changed.lock().expect("unpoisoned"), ["A"]);
}

#[test]
fn rules_that_are_not_built_are_refused_by_name() {
    let site = Site::with_participant();
    {
        let rules = json!({ "garmin": "main" });
        let detail = site.refused(501, "PATCH", "studies/A", json!({ "rules": rules.clone() }));
        assert!(detail.starts_with("This version does not do"), "{detail}");
        site.refused(501, "POST", "studies", json!({ "name": "B", "recipients": [RECIPIENT], "rules": rules }));
    }
    for query in ["tables=mct", "format=sheet"] {
        site.refused(400, "GET", &format!("studies/A/export?{query}"), Value::Null);
    }
}

#[test]
fn whoever_raises_the_rules_of_a_study_that_minimises_is_told_what_cannot_come_back() {
    let site = Site::with_participant();
    let set = |rules: Value| site.expect(200, "PATCH", "studies/A", json!({ "rules": rules }));
    let told = set(json!({ "minimise": true }))["notes"].to_string();
    assert!(told.contains("stays stored"), "{told}");
    assert_eq!(set(json!({ "devices": "drop" }))["notes"], json!([]));
    let told = set(json!({ "devices": "keep", "location": "coarse" }))["notes"].to_string();
    assert!(told.contains("cannot come back"), "{told}");
    let detail = site.refused(400, "PATCH", "studies/A", json!({ "rules": { "dates": "shift", "unknown": "keep" } }));
    assert!(detail.contains("\"unknown drop\""), "{detail}");
    assert_eq!(set(json!({ "dates": "shift" }))["rules"]["dates"], "shift");
}

#[test]
fn files_are_kept_where_positions_are_in_whatever_order_rules_come() {
    let site = Site::with_participant();
    let set = |rules: Value| json!({ "rules": rules });
    let refused = |rules: Value| {
        let detail = site.refused(400, "PATCH", "studies/A", set(rules));
        assert!(detail.contains("\"files keep\"") && detail.contains("\"location keep\""), "{detail}");
    };
    refused(json!({ "files": "keep" }));
    refused(json!({ "files": "keep", "location": "coarse" }));
    let body = json!({ "name": "B", "recipients": [RECIPIENT], "rules": { "files": "keep" } });
    site.refused(400, "POST", "studies", body);

    site.expect(200, "PATCH", "studies/A", set(json!({ "location": "keep" })));
    let kept = site.expect(200, "PATCH", "studies/A", set(json!({ "files": "keep" })));
    assert_eq!(kept["rules"]["files"], "keep");
    refused(json!({ "location": "drop" }));
    site.expect(200, "PATCH", "studies/A", set(json!({ "location": "drop", "files": "drop" })));
}

#[test]
fn participant_goes_through_its_states() {
    let site = Site::with_participant();
    let path = "studies/A/participants/P1";
    let change = json!({
        "from": "2026-10-01", "to": "2026-11-30", "consent": { "version": "2.1", "date": "2026-10-01" },
    });
    let set = site.expect(200, "PATCH", path, change);
    assert_eq!((&set["from"], &set["to"]), (&json!("2026-10-01"), &json!("2026-11-30")));
    assert_eq!(set["consent"], json!({ "version": "2.1", "date": "2026-10-01" }));
    assert_eq!(site.expect(200, "PATCH", path, json!({ "from": null, "consent": null }))["from"], Value::Null);

    site.expect(200, "POST", &format!("{path}/pause"), json!({ "at": "2026-10-05" }));
    let resumed = site.expect(200, "POST", &format!("{path}/resume"), json!({ "at": "2026-10-07T12:00:00Z" }));
    assert_eq!(resumed["pauses"], json!([{ "from": "2026-10-05T00:00:00Z", "to": "2026-10-07T12:00:00Z" }]));
    let done = site.expect(200, "POST", &format!("{path}/complete"), Value::Null);
    assert_eq!((&done["state"], &done["to"]), (&json!("completed"), &json!("2026-11-01T05:00:00Z")));
    site.refused(409, "POST", &format!("{path}/pause"), Value::Null);

    let renamed = site.expect(200, "POST", &format!("{path}/rename"), json!({ "new_code": "P9" }));
    assert_eq!(renamed["code"], "P9");
    let detail = site.refused(404, "GET", path, Value::Null);
    assert!(detail.contains("\"P1\""), "{detail}");
    let states = json!({ "active": 0, "paused": 0, "completed": 1, "withdrawn": 0, "retained": 0 });
    assert_eq!(site.get("studies/A")["participants"], states);
}

#[test]
fn links_are_made_shown_and_ended_without_the_user_id() {
    let site = Site::with_participant();
    site.expect(201, "POST", "studies/A/participants", json!({ "code": "P2", "garmin_user": "secret-user" }));
    let link = json!({ "garmin_user": "secret-user", "from": "2026-11-01" });
    let detail = site.refused(409, "POST", "studies/A/participants/P1/link", link.clone());
    assert!(detail.contains("\"P2\"") && !detail.contains("secret-user"), "{detail}");

    let ended = site.expect(200, "POST", "studies/A/participants/P2/unlink", json!({ "at": "2026-11-01" }));
    let expected = json!([
        { "number": 1, "client": "default", "from": null, "to": "2026-10-31", "current": false },
    ]);
    assert_eq!(ended["links"], expected);
    let linked = site.expect(200, "POST", "studies/A/participants/P1/link", link);
    assert_eq!(linked["links"][0]["current"], true);
    assert!(!site.get("studies/A/participants").to_string().contains("secret-user"));

    site.refused(409, "POST", "studies/A/participants/P2/unlink", Value::Null);
    site.refused(404, "POST", "studies/A/participants/P1/unlink", json!({ "link": 7 }));
    let both = json!({ "garmin_user": "u", "unassigned": "h" });
    site.refused(400, "POST", "studies/A/participants/P1/link", both);
    site.refused(400, "POST", "studies/A/participants/P1/link", json!({}));
    site.refused(400, "POST", "studies/A/participants/P1/link", json!({ "garmin_user": " " }));
    site.refused(404, "POST", "studies/A/participants/P1/link", json!({ "unassigned": "nosuch" }));
}

#[test]
fn held_connection_is_listed_by_its_handle_until_it_is_linked() {
    let site = Site::with_participant();
    let user = GarminUserId::parse("secret-user").expect("a user");
    let owner = site.people.hold(&[(ClientId::single(), user)], NOW).expect("held")[0].expect("owner");
    let mut turn = site.people.turn();
    let items = [("epochs".to_owned(), 2)].into();
    turn.held_note(&owner, &HeldNote { now: NOW.plus(60), items, device: Some("Forerunner".into()) });
    turn.commit().expect("committed");

    let list = site.get("unassigned");
    let handle = list["unassigned"][0]["handle"].as_str().expect("a handle").to_owned();
    let expected = json!({ "unassigned": [{
        "handle": handle, "client": "default", "device": "Forerunner", "first_seen": "2026-11-01T05:00:00Z",
        "last_seen": "2026-11-01T05:01:00Z", "items": { "epochs": 2 },
    }], "next": null });
    assert_eq!(list, expected);
    site.expect(200, "POST", "studies/A/participants/P1/link", json!({ "unassigned": handle }));
    assert_eq!(site.get("unassigned"), json!({ "unassigned": [], "next": null }));
}

#[test]
fn withdrawal_needs_a_reason_and_leaves_a_code_that_says_so() {
    let site = Site::with_participant();
    let path = "studies/A/participants/P1/withdraw";
    for body in [json!({}), json!({ "reason": " " }), json!({ "reason": "x".repeat(501) })] {
        site.refused(400, "POST", path, body);
    }
    let gone = site.expect(200, "POST", path, json!({ "reason": "asked to leave" }));
    assert_eq!(gone, json!({ "code": "P1", "state": "withdrawn", "records": 3, "purge_at": null }));
    let shown = site.get("studies/A/participants/P1");
    assert_eq!((&shown["state"], &shown["erased"]), (&json!("withdrawn"), &json!("2026-11-01T05:00:00Z")));
    assert_eq!(site.get("studies/A/participants")["participants"], json!([shown]));
    assert_eq!(site.get("studies/A")["participants"]["withdrawn"], 1);
    site.refused(409, "POST", "studies/A/participants", json!({ "code": "P1" }));
}

/// From the notice on, that is, before anything is destroyed.
#[test]
fn of_one_who_has_left_nothing_is_shown_but_that() {
    let site = Site::with_participant();
    let id = {
        let directory = site.people.read();
        let study = directory.study("A").expect("a study").id;
        directory.participant_coded(&study, "P1").expect("a participant").id
    };
    let mut turn = site.people.turn();
    turn.withdraw(&id);
    turn.commit().expect("durable");
    let shown = site.get("studies/A/participants/P1");
    assert_eq!((&shown["code"], &shown["state"]), (&json!("P1"), &json!("withdrawn")));
    for member in ["from", "to", "added", "consent"] {
        assert!(shown[member].is_null(), "{member}: {shown}");
    }
    for member in ["links", "pauses", "permissions"] {
        assert!(shown[member].as_array().is_none_or(Vec::is_empty), "{member}: {shown}");
    }
    assert_eq!(site.get("studies/A/participants")["participants"], json!([shown]));
}

#[test]
fn withdrawal_takes_a_fate_and_haste_and_tells_beforehand_what_would_go() {
    let site = Site::with_participant();
    let path = "studies/A/participants/P1/withdraw";
    let told = site.expect(200, "POST", path, json!({ "dry_run": true }));
    assert_eq!((&told["would_be"], &told["records"], &told["state"]), (&json!("locked"), &json!(3), &Value::Null));
    let told = site.expect(200, "POST", path, json!({ "dry_run": true, "now": true }));
    assert_eq!(told["would_be"], "withdrawn");
    site.refused(400, "POST", path, json!({ "reason": "asked", "data": "keep" }));
    site.expect(200, "POST", path, json!({ "reason": "asked", "data": "retain", "now": true }));
    let left = site.desk.left.lock().expect("no test panics with it")[0];
    assert_eq!(left.word, Word { fate: Some(DataFate::Retain), haste: Haste::AtOnce });
}

#[test]
fn purges_are_listed_and_decided_about_with_a_reason() {
    let site = Site::with_participant();
    assert_eq!(site.get("purges")["purges"][0], json!({ "id": QUARANTINED, "all": false }));
    assert_eq!(site.get("purges?all=true")["purges"][0]["all"], true);
    for (verb, member) in [("confirm", "confirmed"), ("reject", "rejected")] {
        let path = format!("purges/{QUARANTINED}/{verb}");
        site.refused(400, "POST", &path, json!({}));
        assert_eq!(site.expect(200, "POST", &path, json!({ "reason": "looked" }))[member], true);
        site.refused(404, "POST", &format!("purges/other/{verb}"), json!({ "reason": "looked" }));
    }
    site.refused(404, "GET", "studies/A/participants/P1/receipt", Value::Null);
    assert_eq!(site.get("studies/A/participants/GONE/receipt")["page"], "Receipt\n");
}

#[test]
fn account_that_left_is_linked_again_with_a_word_and_a_reason_alone() {
    let site = Site::with_participant();
    let digest = site.people.digest(&ClientId::single(), "left");
    let mut turn = site.people.turn();
    turn.tombstone(&[digest], UnixSeconds(NOW.0 + 1000));
    turn.commit().expect("durable");
    let add = |body: Value| ("studies/A/participants", body);
    let (path, body) = add(json!({ "garmin_user": "left" }));
    site.refused(409, "POST", path, body);
    let (path, body) = add(json!({ "garmin_user": "left", "despite_withdrawal": true }));
    site.refused(400, "POST", path, body);
    let (path, body) = add(json!({ "unassigned": "k3v9", "despite_withdrawal": true, "reason": "asked" }));
    site.refused(400, "POST", path, body);
    let (path, body) = add(json!({ "garmin_user": "left", "despite_withdrawal": true, "reason": "takes part again" }));
    site.expect(201, "POST", path, body);
    assert_eq!(site.people.read().tombstones().count(), 0);
    let entered = site.get("audit?act=linked-despite-withdrawal");
    assert_eq!(entered["entries"][0]["details"]["reason"], "takes part again");
}

#[test]
fn locked_participant_shows_nothing_but_that() {
    let site = Site::with_participant();
    let directory = site.people.read();
    let id = directory.participants(&directory.study("A").expect("a study").id).next().expect("one").id;
    let mut turn = site.people.turn();
    turn.lock(&id, Some(Lock { since: NOW, until: UnixSeconds(NOW.0 + 86_400) }));
    turn.commit().expect("durable");
    let shown = site.get("studies/A/participants/P1");
    assert_eq!((&shown["state"], &shown["locked_until"]), (&json!("locked"), &json!("2026-11-02T05:00:00Z")));
    assert_eq!((&shown["links"], &shown["added"]), (&json!([]), &Value::Null));
    site.refused(409, "POST", "studies/A/participants/P1/rename", json!({ "new_code": "P2" }));
}

#[test]
fn closing_with_purge_withdraws_everyone_and_may_be_asked_for_again() {
    let site = Site::with_participant();
    site.expect(201, "POST", "studies/A/participants", json!({ "code": "P2" }));
    site.refused(400, "POST", "studies/A/close", json!({ "data": "purge" }));
    site.refused(400, "POST", "studies/A/close", json!({ "reason": "over" }));
    let purge = json!({ "data": "purge", "reason": "the study is over" });
    let closed = site.expect(200, "POST", "studies/A/close", purge.clone());
    assert_eq!((&closed["purged"], &closed["participants"]["withdrawn"]), (&json!(2), &json!(2)));
    assert_eq!(site.expect(200, "POST", "studies/A/close", purge)["purged"], 0);
}

#[test]
fn export_streams_what_was_asked_for() {
    let site = Site::with_participant();
    let path = "studies/A/export?participant=P1&from=2026-10-01&to=2026-10-31&revisions=true&format=csv";
    let answer = site.ask("GET", path, "");
    assert_eq!((answer.status, answer.content_type), (StatusCode::OK, "application/octet-stream"));
    let disposition = answer.headers[0].1.to_str().expect("text");
    assert_eq!(disposition, "attachment; filename=\"A_0001_2026-11-01.zip.age\"");
    let LocalBody::Stream(mut pieces) = answer.body else { panic!("an export is a stream") };
    let mut next = || pieces.try_recv().expect("a piece").expect("no error");
    assert_eq!(next(), StreamPiece::Bytes(Bytes::from_static(b"sealed")));
    assert_eq!(next(), StreamPiece::End);

    let window = Window { from: Bound::of_date("2026-10-01"), to: Bound::of_date("2026-11-01") };
    let participants = vec!["P1".into()];
    let asked = ExportRequest {
        study: "A".into(),
        participants,
        tables: Vec::new(),
        format: Format::Csv,
        window,
        revisions: Revisions::All,
        since: None,
        as_of: None,
    };
    assert_eq!(*site.desk.exports.lock().expect("unpoisoned"), std::slice::from_ref(&asked));
    site.ask("GET", "studies/A/export?since=3", "");
    site.ask("GET", "studies/A/export?as_of=4", "");
    let plain = ExportRequest {
        participants: Vec::new(),
        window: Window::default(),
        revisions: Revisions::Current,
        ..asked.clone()
    };
    let increment = ExportRequest { since: Some(3), ..plain.clone() };
    let again = ExportRequest { as_of: Some(4), ..plain };
    assert_eq!(*site.desk.exports.lock().expect("unpoisoned"), [asked, increment, again]);
    for wrong in ["since=0", "since=-1", "as_of=first", "as_of="] {
        site.refused(400, "GET", &format!("studies/A/export?{wrong}"), Value::Null);
    }

    site.refused(404, "GET", "studies/A/export?participant=P7", Value::Null);
    site.refused(404, "GET", "studies/B/export", Value::Null);
    site.refused(400, "GET", "studies/A/export?from=2026-10-02&to=2026-10-01T00:00:00Z", Value::Null);
    site.refused(400, "GET", "studies/A/export?revisions=yes", Value::Null);
    site.refused(400, "GET", "studies/A/export?format=xls", Value::Null);
    site.expect(201, "POST", "studies", json!({ "name": "BUSY", "recipients": [RECIPIENT] }));
    let busy = site.ask("GET", "studies/BUSY/export", "");
    assert_eq!(busy.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(busy.headers.iter().any(|(name, _)| name == "retry-after"));
}

#[test]
fn everything_held_on_a_participant_streams_to_one_recipient_and_not_on_who_has_left() {
    let site = Site::with_participant();
    let path = format!("studies/A/participants/P1/disclose?recipient={RECIPIENT}");
    let answer = site.ask("GET", &path, "");
    assert_eq!((answer.status, answer.content_type), (StatusCode::OK, "application/octet-stream"));
    assert!(answer.headers[0].1.to_str().expect("text").contains("A_P1_2026-11-01_disclosure.zip.age"));
    assert_eq!(*site.desk.disclosed.lock().expect("unpoisoned"), [RECIPIENT]);
    for wrong in ["", "?recipient=age1x", "?recipient=AGE-SECRET-KEY-1X", "?to=x"] {
        let detail = site.refused(400, "GET", &format!("studies/A/participants/P1/disclose{wrong}"), Value::Null);
        assert!(!detail.contains("SECRET"), "{detail}");
    }
    site.refused(404, "GET", &path.replace("P1", "P9"), Value::Null);
    let id = {
        let directory = site.people.read();
        let study = directory.study("A").expect("a study");
        directory.participant_coded(&study.id, "P1").expect("a participant").id
    };
    let lock = Lock { since: NOW, until: NOW.plus(86_400) };
    for step in ["locked", "erased"] {
        let mut turn = site.people.turn();
        if step == "locked" {
            turn.lock(&id, Some(lock))
        } else {
            turn.erase(&id, NOW)
        }
        turn.commit().expect("committed");
        let detail = site.refused(409, "GET", &path, Value::Null);
        assert!(detail.contains("`studygate participant show --study A --code P1` gives the receipt"), "{detail}");
    }
    assert_eq!(site.desk.disclosed.lock().expect("unpoisoned").len(), 1);
}

#[test]
fn register_shows_what_was_handed_out_on_which_terms_and_of_whom() {
    let site = Site::with_participant();
    assert_eq!(site.get("exports")["exports"], json!([]));
    site.refused(404, "GET", "exports/A/1", Value::Null);
    assert_eq!((site.handed_over("A"), site.handed_over("A")), (1, 2));
    site.expect(201, "POST", "studies", json!({ "name": "B", "recipients": [RECIPIENT] }));
    assert_eq!(site.handed_over("B"), 1);
    let of = |path: &str| {
        let listed = site.get(path)["exports"].as_array().cloned().expect("a list");
        listed
            .iter()
            .map(|export| format!("{}{}", export["study"].as_str().expect("a name"), export["number"]))
            .collect::<Vec<_>>()
    };
    assert_eq!(of("exports"), ["A1", "A2", "B1"]);
    assert_eq!(of("exports?study=B"), ["B1"]);
    let export = site.get("exports/A/2");
    let shown = json!({
        "number": export["number"],
        "manifest_sha256": export["manifest_sha256"],
        "codes": export["codes"],
        "participants": export["participants"],
        "sequence": export["sequence"],
        "from": export["from"],
        "by": export["by"],
        "location": export["rules"]["location"],
        "recipients": export["recipients"],
    });
    let expected = json!({
        "number": 2,
        "manifest_sha256": "ab".repeat(32),
        "codes": ["P1"],
        "participants": 1,
        "sequence": 41,
        "from": "2026-11-01T05:00:00Z",
        "by": "uid 1000",
        "location": "drop",
        "recipients": ["cd".repeat(32)],
    });
    assert_eq!(shown, expected);
    for path in ["exports/A/3", "exports/A/0", "exports/A/x", "exports/C/1", "exports?study=C"] {
        site.refused(404, "GET", path, Value::Null);
    }
}

#[test]
fn paths_methods_members_and_parameters_that_are_not_known_are_refused() {
    let site = Site::with_participant();
    for path in ["", "nosuch", "studies/", "studies/A/nosuch", "studies/A/participants/P1/link/x", "status/"] {
        site.refused(404, "GET", path, Value::Null);
    }
    let mut outside = request("GET", "status", "");
    outside.path = "/status".into();
    assert_eq!(site.routes.answer(outside).status, StatusCode::NOT_FOUND);

    let answer = site.ask("DELETE", "studies/A", "");
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(answer.headers[0].1, "GET, PATCH");

    let detail = site.refused(400, "POST", "studies/A/participants", json!({ "coed": "P2" }));
    assert_eq!(detail, "The member \"coed\" is not known; did you mean \"code\"?");
    let detail = site.refused(400, "PATCH", "studies/A", json!({ "rules": { "name": "keep" } }));
    assert_eq!(detail, "The member \"name\" is not known; did you mean \"names\"?");
    let detail = site.refused(400, "GET", "studies/A/export?particpant=P1", Value::Null);
    assert_eq!(detail, "The query parameter \"particpant\" is not known; did you mean \"participant\"?");
    site.refused(400, "GET", "studies?x=1", Value::Null);
    site.refused(400, "GET", "studies/%ff", Value::Null);
    assert_eq!(site.ask("POST", "studies", "{").status, StatusCode::BAD_REQUEST);
}

#[test]
fn names_with_encoded_characters_stay_one_segment() {
    let site = Site::with_participant();
    assert_eq!(site.get("studies/%41/participants/P%31")["code"], "P1");
    let detail = site.refused(404, "GET", "studies/..%2FA", Value::Null);
    assert!(detail.contains("\"../A\""), "{detail}");
}

#[test]
fn what_the_desk_knows_is_passed_on() {
    let site = Site::new();
    assert_eq!(site.get("status"), json!({ "ready": true }));
    let listed = site.get("quarantine");
    assert_eq!(listed["quarantine"][0], json!({ "id": QUARANTINED, "reason": "nobody" }));
    assert_eq!(site.get(&format!("quarantine/{QUARANTINED}"))["text"], "{}");
}

#[test]
fn quarantined_item_is_decided_about_by_its_id() {
    let site = Site::new();
    let at = |below: &str| format!("quarantine/{QUARANTINED}{below}");
    let answer = site.expect(200, "POST", &at("/retry"), json!({}));
    assert_eq!(answer, json!({ "id": QUARANTINED, "retried": true }));
    site.expect(200, "POST", &at("/retry"), json!({ "accept": true }));
    assert_eq!(*site.desk.retried.lock().expect("unpoisoned"), [Retry::AsItCame, Retry::Accepted]);
    let answer = site.expect(200, "DELETE", &at(""), json!({ "reason": "noise" }));
    assert_eq!(answer, json!({ "id": QUARANTINED, "dropped": true }));
    for reason in [json!({}), json!({ "reason": " " }), json!({ "why": "noise" })] {
        site.refused(400, "DELETE", &at(""), reason);
    }
    site.refused(400, "POST", &at("/retry"), json!({ "accept": "yes" }));
    for (method, path) in [("GET", "quarantine/x"), ("GET", "quarantine/x/content"), ("POST", "quarantine/x/retry")] {
        site.refused(404, method, path, Value::Null);
    }
    site.refused(404, "DELETE", "quarantine/x", json!({ "reason": "noise" }));
    site.refused(405, "POST", &at(""), Value::Null);
}

#[test]
fn every_kind_of_refusal_has_a_status_of_its_own_or_shares_it_knowingly() {
    let cases = [
        (Kind::Invalid, 400),
        (Kind::NotFound, 404),
        (Kind::Conflict, 409),
        (Kind::Locked, 423),
        (Kind::NotBuilt, 501),
        (Kind::Unavailable, 503),
        (Kind::StoreFailed, 503),
    ];
    for (kind, status) in cases {
        let problem = studygate::http::problem::Problem::from(Refusal::Other(kind, "A sentence.".into()));
        let answer = problem.into_response();
        assert_eq!(answer.status.as_u16(), status);
        assert_eq!(body_of(answer)["detail"], "A sentence.");
    }
}

#[tokio::test]
async fn requests_are_answered_apart_from_the_sockets_threads() {
    let site = Site::with_participant();
    let answer = site.routes.handle(request("GET", "studies/A/participants/P1", "")).await;
    assert_eq!(body_of(answer)["code"], "P1");
}
