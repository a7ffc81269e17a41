//! Who may do what over the API: every role at every route, and what a token of one study learns of another.

mod people_support;

use bytes::Bytes;
use hyper::Method;
use people_support::{QUARANTINED, RECIPIENT, Site};
use serde_json::{Value, json};
use studygate::access::rights::{Grant, Scope};
use studygate::access::role::Role;
use studygate::access::socket::SocketGrants;
use studygate::http::local_api::{Caller, LocalBody, LocalRequest};

/// A route of the document: method, and path with its braces.
type Route = (String, String);

fn token(role: Role, scope: &str) -> Caller {
    let scope = if scope == "*" { Scope::All } else { Scope::Study(scope.to_owned()) };
    Caller::Token { name: format!("{role}-token"), role, scope }
}

fn socket() -> Caller {
    Caller::Socket { uid: 1000, login_uid: None, groups: vec![1000] }
}

/// The answer's status, headers and body.
fn ask(site: &Site, peer: Caller, method: &str, path: &str, body: &Value) -> (u16, String, String) {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let answer = site.routes.answer(LocalRequest {
        method: Method::from_bytes(method.as_bytes()).expect("a method"),
        path: format!("/api/v1/{path}"),
        query: query.to_owned(),
        peer,
        id: "test".to_owned(),
        body: if body.is_null() { Bytes::new() } else { body.to_string().into() },
    });
    let text = match answer.body {
        LocalBody::Full(text) => String::from_utf8(text.to_vec()).expect("text"),
        LocalBody::Stream(_) => "a stream".to_owned(),
    };
    (answer.status.as_u16(), format!("{} {:?}", answer.content_type, answer.headers), text)
}

fn get(site: &Site, peer: Caller, path: &str) -> Value {
    let (status, _, text) = ask(site, peer, "GET", path, &Value::Null);
    assert_eq!(status, 200, "{path}: {text}");
    serde_json::from_str(&text).expect("JSON")
}

fn done(site: &Site, method: &str, path: &str, body: &Value) -> Value {
    let (status, _, text) = ask(site, socket(), method, path, body);
    assert!((200..300).contains(&status), "{method} {path}: {status} {text}");
    serde_json::from_str(&text).expect("JSON")
}

/// Studies `A` and `B`, a participant each.
fn two_studies() -> Site {
    let site = Site::new();
    for study in ["A", "B"] {
        done(&site, "POST", "studies", &json!({ "name": study, "recipients": [RECIPIENT] }));
        done(&site, "POST", &format!("studies/{study}/participants"), &json!({ "code": "P1" }));
    }
    site
}

/// Every route, as the API itself tells it.
fn routes(site: &Site) -> Vec<Route> {
    let document = get(site, socket(), "openapi.json");
    let paths = document["paths"].as_object().expect("paths");
    let of_path = |(path, methods): (&String, &Value)| {
        let methods = methods.as_object().expect("methods").keys().cloned().collect::<Vec<_>>();
        methods.into_iter().map(|method| (method.to_uppercase(), path[1..].to_owned())).collect::<Vec<_>>()
    };
    paths.iter().flat_map(of_path).collect()
}

fn filled(path: &str, study: &str) -> String {
    path.replace("{study}", study).replace("{code}", "P1").replace("{id}", QUARANTINED).replace("{name}", "nobody")
}

/// What may stand in a body, whether the route knows it or not.
fn bodies() -> [Value; 3] {
    [Value::Null, json!({}), json!({ "reason": "a test", "data": "keep" })]
}

#[test]
fn each_role_may_do_what_the_matrix_says_at_every_route() {
    let site = two_studies();
    let mut table = String::new();
    for (method, path) in routes(&site) {
        // A study that is not there: whoever may do it is told so, and nothing is done.
        let asked = filled(&path, "NONE");
        let mark = |role: Role| {
            let (status, _, text) = ask(&site, token(role, "*"), &method, &asked, &json!({ "unknown member": 1 }));
            let forbidden = text.contains("urn:studygate:problem:forbidden");
            assert_eq!(forbidden, status == 403, "{method} {path}: {text}");
            match (forbidden, role) {
                (true, _) => '-',
                (false, Role::Admin) => 'A',
                (false, _) => role.name().chars().next().expect("a name"),
            }
        };
        let marks: String = Role::ALL.into_iter().map(mark).collect();
        // viewer, exporter, coordinator, auditor, monitor, Admin
        table.push_str(&format!("{marks}  {method:<6} {path}\n"));
    }
    insta::assert_snapshot!("routes_of_roles", table);
}

#[test]
fn token_of_one_study_learns_nothing_of_another_at_any_path_by_any_method() {
    let site = two_studies();
    done(&site, "POST", "studies/B/participants/P1/withdraw", &json!({ "reason": "asked to" }));
    let paths: Vec<_> = routes(&site).into_iter().filter(|(_, path)| path.contains("{study}")).collect();
    assert!(paths.len() >= 15, "{paths:?}");
    for role in Role::ALL {
        for (_, path) in &paths {
            for method in ["GET", "POST", "PATCH", "PUT", "DELETE"] {
                for body in bodies() {
                    let asked = |study: &str| ask(&site, token(role, "A"), method, &filled(path, study), &body);
                    let (there, nowhere) = (asked("B"), asked("X"));
                    let expected = (nowhere.0, nowhere.1, nowhere.2.replace("\\\"X\\\"", "\\\"B\\\""));
                    assert_eq!(there, expected, "{role} {method} {path} {body}");
                    assert!(matches!(there.0, 404 | 405), "{role} {method} {path}: {there:?}");
                }
            }
        }
    }
    assert_eq!(done(&site, "GET", "studies/B", &Value::Null)["state"], "open", "and changes nothing");
}

#[test]
fn lists_show_a_token_its_own_study_alone() {
    let site = two_studies();
    let names = |peer: Caller| {
        let studies = get(&site, peer, "studies");
        let studies = studies["studies"].as_array().expect("a list").clone();
        studies.iter().map(|study| study["name"].as_str().expect("a name").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(token(Role::Viewer, "A")), ["A"]);
    assert_eq!(names(token(Role::Viewer, "X")), Vec::<String>::new());
    assert_eq!(names(token(Role::Viewer, "*")), ["A", "B"]);

    let entries = |peer: Caller, query: &str| {
        let page = get(&site, peer, &format!("audit{query}"));
        let entries = page["entries"].as_array().expect("entries").clone();
        entries.iter().map(|entry| entry["study"].as_str().unwrap_or("none").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(entries(token(Role::Auditor, "A"), ""), ["A", "A"]);
    for study in ["B", "X"] {
        assert_eq!(entries(token(Role::Auditor, "A"), &format!("?study={study}")), Vec::<String>::new());
    }
    assert!(entries(token(Role::Auditor, "*"), "").contains(&"B".to_owned()));

    let status = get(&site, token(Role::Viewer, "A"), "status");
    assert_eq!(status, json!({ "ready": true }), "nothing that counts other studies in");
    let (status, _, _) = ask(&site, token(Role::Auditor, "A"), "POST", "audit/verify", &Value::Null);
    assert_eq!(status, 403, "the log is the site's");
}

#[test]
fn items_of_other_studies_are_as_if_they_were_not_there() {
    let site = two_studies();
    let reason = json!({ "reason": "a test" });
    let calls = [
        ("GET", "quarantine/ID", Value::Null),
        ("GET", "quarantine/ID/content", Value::Null),
        ("POST", "quarantine/ID/retry", Value::Null),
        ("DELETE", "quarantine/ID", reason.clone()),
        ("POST", "pulls/ID/retry", Value::Null),
        ("DELETE", "pulls/ID", reason.clone()),
        ("POST", "purges/ID/confirm", reason.clone()),
        ("POST", "purges/ID/reject", reason),
    ];
    for (method, path, body) in calls {
        let asked =
            |study: &str, id: &str| ask(&site, token(Role::Coordinator, study), method, &path.replace("ID", id), &body);
        assert_eq!(asked("B", QUARANTINED), asked("B", "zzzzzzzz"), "{method} {path}");
        assert_eq!(asked("A", QUARANTINED).0, 200, "{method} {path}");
    }
}

#[test]
fn what_a_token_does_is_entered_with_its_name() {
    let site = two_studies();
    let coordinator = || token(Role::Coordinator, "A");
    let (status, _, text) = ask(&site, coordinator(), "POST", "studies/A/participants", &json!({ "code": "P2" }));
    assert_eq!(status, 201, "{text}");
    let log = get(&site, socket(), "audit?act=participant-added&code=P2");
    assert_eq!(log["entries"][0]["who"], json!({ "by": "token", "name": "coordinator-token" }));
}

#[test]
fn groups_at_the_socket_have_what_is_granted_to_them() {
    let grant = Grant { scope: Scope::Study("A".to_owned()), role: Role::Coordinator };
    let site = Site::with_grants(SocketGrants::new(vec![(2001, grant)], 42));
    let at = |uid, groups: &[u32]| Caller::Socket { uid, login_uid: None, groups: groups.to_vec() };
    for study in ["A", "B"] {
        let body = json!({ "name": study, "recipients": [RECIPIENT] });
        assert_eq!(ask(&site, at(0, &[]), "POST", "studies", &body).0, 201);
    }
    let status = |peer: Caller, method: &str, path: &str| ask(&site, peer, method, path, &Value::Null).0;
    assert_eq!(status(at(1000, &[7, 2001]), "POST", "studies/A/participants"), 201);
    assert_eq!(status(at(1000, &[7, 2001]), "GET", "studies/B"), 404);
    assert_eq!(status(at(1000, &[7, 2001]), "POST", "studies/A/lock"), 403);
    assert_eq!(status(at(1000, &[7]), "GET", "studies/A"), 404);
    assert_eq!(status(at(1000, &[7]), "GET", "status"), 403);
    assert_eq!(status(at(42, &[]), "GET", "studies/B"), 200, "the gateway's own user");
}

#[test]
fn token_is_made_shown_once_listed_and_revoked() {
    let site = two_studies();
    let body = json!({ "name": "r-scripts", "study": "A", "role": "exporter", "expires": "2026-12-31" });
    let made = done(&site, "POST", "tokens", &body);
    let secret = made["token"].as_str().expect("shown").to_owned();
    assert!(secret.starts_with("sg_") && secret.len() == 55, "{secret}");
    let expected = json!({
        "name": "r-scripts", "role": "exporter", "study": "A", "created": "2026-11-01T05:00:00Z",
        "expires": "2027-01-01T00:00:00Z", "expired": false, "last_used": null,
    });
    assert_eq!(done(&site, "GET", "tokens", &Value::Null), json!({ "tokens": [expected], "next": null }));
    let refused = |body: Value| ask(&site, socket(), "POST", "tokens", &body).0;
    assert_eq!(refused(body), 409);
    assert_eq!(refused(json!({ "name": "x", "study": "X", "role": "viewer" })), 404);
    assert_eq!(refused(json!({ "name": "x", "role": "viewer" })), 400);
    assert_eq!(refused(json!({ "name": "x", "study": "A", "all": true, "role": "viewer" })), 400);
    assert_eq!(refused(json!({ "name": "x", "study": "A", "role": "boss" })), 400);
    assert_eq!(refused(json!({ "name": "x", "study": "A", "role": "viewer", "expires": "2026-10-31" })), 400);

    let revoked = done(&site, "DELETE", "tokens/r-scripts", &json!({ "reason": "lost" }));
    assert_eq!(revoked, json!({ "name": "r-scripts", "revoked": true }));
    assert_eq!(ask(&site, socket(), "DELETE", "tokens/r-scripts", &json!({ "reason": "again" })).0, 404);
    let log = get(&site, socket(), "audit?study=A");
    let acts: Vec<_> = log["entries"].as_array().expect("entries").iter().map(|entry| entry["act"].clone()).collect();
    assert_eq!(acts, ["study-added", "participant-added", "token-added", "token-revoked"]);
    assert!(!log.to_string().contains(&secret[3..]));
}

#[test]
fn every_list_comes_in_pages_in_a_stable_order() {
    let site = two_studies();
    for code in ["P3", "P2", "P5", "P4"] {
        done(&site, "POST", "studies/A/participants", &json!({ "code": code }));
    }
    done(&site, "POST", "tokens", &json!({ "name": "b", "all": true, "role": "monitor" }));
    done(&site, "POST", "tokens", &json!({ "name": "a", "all": true, "role": "auditor" }));
    let lists = [
        ("studies", "studies", "name", vec!["A", "B"]),
        ("studies/A/participants", "participants", "code", vec!["P1", "P2", "P3", "P4", "P5"]),
        ("tokens", "tokens", "name", vec!["a", "b"]),
        ("quarantine", "quarantine", "id", vec![QUARANTINED, "anotherid"]),
    ];
    for (path, list, member, expected) in lists {
        let (mut found, mut after) = (Vec::new(), None::<String>);
        loop {
            let cursor = after.map(|after| format!("&after={after}")).unwrap_or_default();
            let page = get(&site, socket(), &format!("{path}?limit=2{cursor}"));
            let items = page[list].as_array().expect("a list");
            assert!(items.len() <= 2, "{path}");
            found.extend(items.iter().map(|item| item[member].as_str().expect("a text").to_owned()));
            after = page["next"].as_str().map(str::to_owned);
            if after.is_none() {
                break;
            }
        }
        let mut sorted = expected.clone();
        sorted.sort_unstable();
        assert_eq!(found, sorted, "{path}");
        for wrong in ["limit=0", "limit=1001", "limit=x", "page=2"] {
            assert_eq!(ask(&site, socket(), "GET", &format!("{path}?{wrong}"), &Value::Null).0, 400, "{path}?{wrong}");
        }
    }
}
