//! The API over HTTPS of a real gateway: commands from another machine, tokens and their refusals, the answers against
//! the OpenAPI document, metrics for a monitor.

mod schema_support;
mod site;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Output;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{HeaderMap, Method, Request};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use studygate::client::connection::{Connection, Outgoing, Sent};
use studygate::client::trust::Trust;
use studygate::clock::{Clock as _, SystemClock};
use studygate::crypto::{key::Key, root_key::proof};
use tokio::runtime::Runtime;

use site::Site;

const BASE: &str = "/api/v1";

/// Somebody at another machine, with a token.
struct Remote<'a> {
    site: &'a Site,
    file: PathBuf,
    secret: String,
    runtime: Runtime,
}

/// An answer, whole.
struct Answered {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl<'a> Remote<'a> {
    /// With a new token of this name.
    fn new(site: &'a Site, name: &str, study: &str, role: &str) -> Self {
        let of = if study == "*" { vec!["--all"] } else { vec!["--study", study] };
        let secret = site.cli(&[&["token", "add", "--name", name, "--role", role], &*of].concat()).trim().to_owned();
        let file = site.scratch(name);
        fs::write(&file, format!("{secret}\n")).expect("a token file");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("ours");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        Self { site, file, secret, runtime }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.run_trusting(&certificate(self.site), arguments)
    }

    fn run_trusting(&self, ca: &Path, arguments: &[&str]) -> Output {
        let url = format!("https://{}", self.site.api());
        let mut command = std::process::Command::new(site::STUDYGATE);
        command.args(["--url", &url, "--token-file"]).arg(&self.file).arg("--ca-file").arg(ca).args(arguments);
        // Of the site's own files nothing is needed.
        command.env("STUDYGATE_CONFIG", "/nowhere/studygate.toml").output().expect("the binary runs")
    }

    fn cli(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[arguments, &["--json"]].concat());
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    /// The exit code and what was said.
    fn refused(&self, arguments: &[&str]) -> (i32, String) {
        told(&self.run(arguments))
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Answered {
        self.ask_with(&[("authorization", &format!("Bearer {}", self.secret))], method, path, body)
    }

    fn ask_with(&self, headers: &[(&str, &str)], method: &str, path: &str, body: &Value) -> Answered {
        let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let mut outgoing =
            Outgoing { method, target: format!("{BASE}/{path}"), headers: Vec::new(), body: Sent::Whole(body) };
        for (name, value) in headers {
            outgoing = outgoing.header(name.parse().expect("a name"), value.parse().expect("a value"));
        }
        self.runtime.block_on(async {
            let trust = trust(self.site);
            let mut connection = Connection::https(&self.site.api().to_string(), "localhost", &trust).await;
            let answer = connection.as_mut().expect("connected").send(outgoing).await.expect("an answer");
            let (status, headers) = (answer.status.as_u16(), answer.headers.clone());
            Answered { status, headers, body: answer.whole(1 << 20).await.expect("a whole answer") }
        })
    }
}

fn told(output: &Output) -> (i32, String) {
    (output.status.code().expect("an exit code"), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn certificate(site: &Site) -> PathBuf {
    site.configured(&["local", "tls", "certificate"])
}

fn trust(site: &Site) -> Trust {
    Trust::roots(&fs::read(certificate(site)).expect("a certificate")).expect("a certificate")
}

#[test]
fn coordinator_at_another_machine_does_the_whole_job_with_a_token() {
    let site = Site::new();
    site.add_study("A", &[]);
    site.add_study("B", &[]);
    let remote = Remote::new(&site, "coordinator-a", "A", "coordinator");
    assert_eq!(remote.cli(&["study", "list"])["studies"].as_array().map(Vec::len), Some(1));
    remote.cli(&["participant", "add", "--study", "A", "--code", "P1", "--garmin-user", "made-up-user"]);
    site.push(r#"{"dailies":[{"userId":"made-up-user","summaryId":"s-1","steps":7,"startTimeInSeconds":1793509200}]}"#);
    site.wait_until_filed();

    let file = site.scratch("a.zip.age");
    let output = remote.run(&["export", "--study", "A", "-o", file.to_str().expect("UTF-8")]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (key, folder) = (site.key_path(), site.scratch("a"));
    let path = |path: &Path| path.to_str().expect("UTF-8").to_owned();
    site.cli(&["dataset", "open", &path(&file), "-i", &path(&key), "-o", &path(&folder)]);
    let dailies = fs::read_to_string(folder.join("raw/dailies.ndjson")).expect("the records");
    assert!(dailies.contains(r#""participant":"P1""#), "{dailies}");

    assert_eq!(remote.refused(&["study", "show", "B"]), remote_unknown("B"));
    assert_eq!(remote.refused(&["study", "show", "X"]), remote_unknown("X"));
    let (code, text) = remote.refused(&["study", "lock", "A"]);
    assert_eq!((code, text.contains("Your role does not permit this")), (1, true), "{text}");

    let log = site.cli_json(&["audit", "list", "--study", "A"]);
    let by_token = |entry: &&Value| entry["who"] == json!({ "by": "token", "name": "coordinator-a" });
    let acts: Vec<_> = log["entries"].as_array().expect("entries").iter().filter(by_token).collect();
    let acts: Vec<_> = acts.iter().map(|entry| entry["act"].as_str().expect("an act")).collect();
    assert_eq!(acts, ["participant-added", "export-begun", "export-made"]);
    assert!(!site.log().contains(&remote.secret), "the token stands in the log");
    assert!(site.log().contains("token=\"coordinator-a\"") && site.log().contains("request="), "{}", site.log());

    site.cli(&["token", "revoke", "coordinator-a", "--yes", "--reason", "the computer was lost"]);
    assert!(remote.refused(&["study", "list"]).1.contains("revoked"));
}

fn remote_unknown(study: &str) -> (i32, String) {
    (4, format!("studygate: There is no study \"{study}\"; `studygate study list` shows the studies.\n"))
}

#[test]
fn what_is_not_safe_is_refused_before_anything_is_sent() {
    let site = Site::new();
    let remote = Remote::new(&site, "viewer", "*", "viewer");
    fs::set_permissions(&remote.file, fs::Permissions::from_mode(0o640)).expect("ours");
    let (code, text) = remote.refused(&["status"]);
    assert_eq!((code, text.contains("chmod 600")), (2, true), "{text}");
    fs::set_permissions(&remote.file, fs::Permissions::from_mode(0o600)).expect("ours");

    let other = site.scratch("other.pem");
    let pair = studygate::tls::generate::self_signed(
        &["localhost".to_owned(), "127.0.0.1".to_owned()],
        studygate::model::time::UnixSeconds(1_793_509_200),
        3650,
    );
    fs::write(&other, pair.expect("made").certificate).expect("written");
    let (code, text) = told(&remote.run_trusting(&other, &["status"]));
    assert_eq!((code, text.contains("--ca-file")), (69, true), "{text}");
    let (code, text) = remote.refused(&["check-config"]);
    assert_eq!((code, text.contains("leave --url out")), (2, true), "{text}");
    assert_eq!(remote.cli(&["status"])["ready"], true, "and with everything right it works");
}

#[test]
fn bad_tokens_are_answered_401_counted_and_slowed_down() {
    let site = Site::new();
    let remote = Remote::new(&site, "viewer", "*", "viewer");
    let answer = remote.ask_with(&[("x-request-id", "mine-1")], "GET", "status", &Value::Null);
    assert_eq!(answer.status, 401);
    let header = |answer: &Answered, name: &str| answer.headers[name].to_str().expect("text").to_owned();
    assert_eq!(header(&answer, "www-authenticate"), "Bearer");
    assert_eq!(header(&answer, "x-request-id"), "mine-1");
    assert_eq!(header(&answer, "cache-control"), "no-store");
    assert_eq!(header(&answer, "content-type"), "application/problem+json");
    assert!(!answer.headers.contains_key("strict-transport-security"));
    let good = remote.ask("GET", "status", &Value::Null);
    assert_eq!((good.status, header(&good, "cache-control").as_str()), (200, "no-store"));
    assert!(good.headers.contains_key("x-request-id"));

    let wrong = format!("Bearer sg_{}", "a".repeat(52));
    let statuses: Vec<_> = (0..7)
        .map(|_| remote.ask_with(&[("authorization", &wrong)], "GET", "studies/A", &Value::Null))
        .map(|answer| (answer.status, answer.headers.get("retry-after").cloned()))
        .collect();
    let codes: Vec<_> = statuses.iter().map(|(status, _)| *status).collect();
    assert_eq!(codes, [401, 401, 401, 401, 401, 401, 429]);
    assert!(statuses[6].1.is_some() && statuses[5].1.is_none());
    assert_eq!(remote.ask("GET", "status", &Value::Null).status, 200, "a good token is not in their way");
    assert_eq!(site.metric("studygate_auth_failures_total{listener=\"api\"}"), Some(8.0));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the body has a limit of its own")]
fn http_2_is_spoken_where_a_client_offers_it() {
    let site = Site::new();
    let remote = Remote::new(&site, "viewer", "*", "viewer");
    let answer = remote.runtime.block_on(async {
        let mut config = (*trust(&site).config()).clone();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let stream = tokio::net::TcpStream::connect(site.api()).await.expect("connected");
        let name = "localhost".try_into().expect("a name");
        let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config));
        let stream = connector.connect(name, stream).await.expect("TLS");
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.expect("HTTP/2");
        tokio::spawn(connection);
        let request = Request::get(format!("https://localhost{BASE}/status"))
            .header("authorization", format!("Bearer {}", remote.secret))
            .body(Full::<Bytes>::default());
        let answer = sender.send_request(request.expect("a request")).await.expect("an answer");
        assert_eq!(answer.status(), 200);
        Limited::new(answer.into_body(), 1 << 20).collect().await.expect("whole").to_bytes()
    });
    assert_eq!(serde_json::from_slice::<Value>(&answer).expect("JSON")["ready"], true);
}

#[test]
fn metrics_over_https_are_for_a_monitor() {
    let mut site = Site::new();
    let monitor = Remote::new(&site, "monitor", "*", "monitor").secret;
    let viewer = Remote::new(&site, "viewer", "*", "viewer").secret;
    site.stop();
    site.edit_config(|text| {
        let tls = "[metrics.tls]\ncertificate = \"tls/certificate.pem\"\nprivate_key = \"tls/private.key\"\n";
        format!("{text}\n{tls}")
    });
    let serve = site.serve_command();
    site.start_without_waiting(serve);
    let mut client = site::https::Client::new(site.metrics(), &certificate(&site));
    let mut fetch = |path: &str, token: Option<&str>| {
        let header = token.map(|token| format!("Bearer {token}"));
        let headers: Vec<_> = header.iter().map(|value| ("Authorization", value.as_str())).collect();
        let answer = client.send("GET", path, &headers, site::https::Body::Bytes(b""));
        answer.map_or((0, String::new()), |answer| answer)
    };
    let begun = std::time::Instant::now();
    while fetch("/readyz", Some(&monitor)).0 != 200 {
        assert!(begun.elapsed().as_secs() < 120, "{}", site.log());
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let (status, text) = fetch("/metrics", Some(&monitor));
    assert_eq!((status, text.contains("studygate_build_info")), (200, true));
    assert_eq!(fetch("/metrics", None).0, 401);
    assert_eq!(fetch("/livez", None).0, 401);
    assert_eq!(fetch("/metrics", Some(&viewer)).0, 403);
    let (_, text) = fetch("/metrics", Some(&monitor));
    assert!(text.contains("studygate_auth_failures_total{listener=\"metrics\"} 2"), "{text}");
}

/// What the gateway answers, held against what it says that it answers.
struct Held<'a> {
    remote: Remote<'a>,
    document: Value,
    seen: Vec<String>,
}

impl Held<'_> {
    /// The answer's JSON, of a call to the route of this pattern.
    fn call(&mut self, method: &str, pattern: &str, path: &str, body: Value) -> Value {
        let answer = self.remote.ask(method, path, &body);
        let operation = &self.document["paths"][format!("/{pattern}")][method.to_lowercase()];
        assert!(operation.is_object(), "{method} {pattern} is not documented");
        let media = answer.headers["content-type"].to_str().expect("text");
        let fault = schema_support::breaks(&self.document, operation, answer.status, media, &answer.body);
        let text = String::from_utf8_lossy(&answer.body);
        assert_eq!(fault, None, "{method} {path}: {text}");
        if answer.status < 300 {
            self.seen.push(format!("{method} {pattern}"));
        }
        serde_json::from_slice(&answer.body).unwrap_or_default()
    }

    fn get(&mut self, path: &str) -> Value {
        let pattern = path.split('?').next().expect("a path").to_owned();
        self.call("GET", &pattern, path, Value::Null)
    }
}

#[test]
fn answers_of_a_gateway_in_use_are_those_of_its_document() {
    let site = Site::new();
    let remote = Remote::new(&site, "admin", "*", "admin");
    let answer = remote.ask("GET", "openapi.json", &Value::Null);
    let document: Value = serde_json::from_slice(&answer.body).expect("JSON");
    assert_eq!(document["openapi"], "3.1.0");
    let mut held = Held { remote, document, seen: Vec::new() };
    let recipient = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";

    held.call("POST", "studies", "studies", json!({ "name": "A", "recipients": [recipient] }));
    held.call("POST", "studies", "studies", json!({ "name": "A", "recipients": [recipient] }));
    held.call("PATCH", "studies/{study}", "studies/A", json!({ "rules": { "names": "keep" } }));
    held.call("GET", "studies/{study}", "studies/A", Value::Null);
    held.call("GET", "studies/{study}", "studies/NONE", Value::Null);
    let people = "studies/{study}/participants";
    let consent = json!({ "version": "1", "date": "2026-10-01" });
    let new = json!({ "code": "P1", "garmin_user": "made-up-1", "from": "2020-01-01", "consent": consent });
    held.call("POST", people, "studies/A/participants", new);
    held.call("POST", people, "studies/A/participants", json!({ "code": "P2", "garmin_user": "made-up-2" }));
    held.call("POST", people, "studies/A/participants", json!({ "code": 7 }));

    site.push(r#"{"userPermissionsChange":[{"userId":"made-up-1","summaryId":"p","permissions":["HEALTH_EXPORT"],"changeTimeInSeconds":1793000000}]}"#);
    site.push(r#"{"dailies":[{"userId":"made-up-1","summaryId":"d","steps":1,"startTimeInSeconds":1793509200},7,{"summaryId":"nobody"}]}"#);
    site.push(r#"{"dailies":[{"userId":"a-stranger","summaryId":"e","steps":2,"startTimeInSeconds":1793509200}]}"#);
    site.push(r#"{"sleeps":[{"userId":"made-up-1","callbackURL":"https://elsewhere.example/wellness-api/rest/sleeps?token=t"}]}"#);
    site.push(r#"{"epochs":[{"userId":"made-up-1","uploadStartTimeInSeconds":1793500000,"uploadEndTimeInSeconds":1793509200,"callbackURL":"https://apis.garmin.com/wellness-api/rest/epochs?uploadStartTimeInSeconds=1793500000&uploadEndTimeInSeconds=1793509200&token=t"}]}"#);
    site.wait_until_filed();

    held.get("studies?limit=1");
    held.call("GET", people, "studies/A/participants?limit=1", Value::Null);
    held.call("GET", people, "studies/A/participants?silent=3d", Value::Null);
    held.call("GET", "studies/{study}/coverage", "studies/A/coverage?from=2026-11-01&to=2026-11-03", Value::Null);
    let unassigned = held.get("unassigned");
    let handle = unassigned["unassigned"][0]["handle"].as_str().expect("a stranger").to_owned();
    let of = |below: &str| format!("studies/A/participants/P1{below}");
    let pattern = |below: &str| format!("{people}/{{code}}{below}");
    held.call("GET", &pattern(""), &of(""), Value::Null);
    held.call("PATCH", &pattern(""), &of(""), json!({ "to": "2027-01-01" }));
    held.call("POST", &pattern("/link"), &of("/link"), json!({ "unassigned": handle }));
    held.call("POST", &pattern("/unlink"), &of("/unlink"), json!({ "link": 2 }));
    for step in ["/pause", "/resume"] {
        held.call("POST", &pattern(step), &of(step), json!({}));
    }
    held.call("POST", &pattern("/rename"), "studies/A/participants/P2/rename", json!({ "new_code": "P3" }));
    held.call("POST", &pattern("/complete"), "studies/A/participants/P3/complete", json!({}));

    let quarantine = held.get("quarantine?limit=2");
    let items = quarantine["quarantine"].as_array().expect("items");
    assert_eq!(items.len(), 2, "{quarantine}");
    let [first, second] = [0, 1].map(|place| items[place]["id"].as_str().expect("an id").to_owned());
    held.call("GET", "quarantine/{id}", &format!("quarantine/{first}"), Value::Null);
    held.call("GET", "quarantine/{id}/content", &format!("quarantine/{first}/content"), Value::Null);
    held.call("DELETE", "quarantine/{id}", &format!("quarantine/{first}"), json!({}));
    held.call("DELETE", "quarantine/{id}", &format!("quarantine/{first}"), json!({ "reason": "noise" }));
    held.call("POST", "quarantine/{id}/retry", &format!("quarantine/{second}/retry"), json!({}));
    let pulls = held.get("pulls?all=true&limit=5");
    let pull = pulls["pulls"][0]["id"].as_str().expect("a pull").to_owned();
    held.call("POST", "pulls/{id}/retry", &format!("pulls/{pull}/retry"), Value::Null);
    held.call("DELETE", "pulls/{id}", &format!("pulls/{pull}"), json!({ "reason": "a test" }));

    held.call("GET", "studies/{study}/export", "studies/A/export", Value::Null);
    let disclose = of(&format!("/disclose?recipient={recipient}"));
    held.call("GET", &pattern("/disclose"), &disclose, Value::Null);
    held.call("GET", "studies/{study}/coverage", "studies/A/coverage", Value::Null);
    let exports = held.get("exports?limit=1");
    if let Some(number) = exports["exports"][0]["number"].as_u64() {
        held.call("GET", "exports/{study}/{number}", &format!("exports/A/{number}"), Value::Null);
    }
    let leave = |body: Value| ("POST", pattern("/withdraw"), of("/withdraw"), body);
    for (method, pattern, path, body) in [leave(json!({ "dry_run": true })), leave(json!({ "reason": "asked to" }))] {
        held.call(method, &pattern, &path, body);
    }
    held.call("GET", &pattern(""), &of(""), Value::Null);
    held.call("GET", &pattern("/receipt"), &of("/receipt"), Value::Null);
    let purges = held.get("purges?all=true");
    let purge = purges["purges"][0]["id"].as_str().expect("a purge").to_owned();
    for step in ["confirm", "reject"] {
        held.call(
            "POST",
            &format!("purges/{{id}}/{step}"),
            &format!("purges/{purge}/{step}"),
            json!({ "reason": "x" }),
        );
    }
    held.call("POST", "tokens", "tokens", json!({ "name": "t", "study": "A", "role": "viewer" }));
    held.get("tokens");
    held.call("DELETE", "tokens/{name}", "tokens/t", json!({ "reason": "a test" }));
    held.get("audit?limit=3&act=participant-added");
    held.get("audit");
    held.call("POST", "audit/verify", "audit/verify", Value::Null);
    held.get("keys");
    held.call("POST", "keys/rotate", "keys/rotate", json!({ "reason": "a test" }));
    let digits = fs::read_to_string(site.configured(&["keys", "root_key"])).expect("a root key");
    let root_key = data_encoding::HEXLOWER.decode(digits.trim().as_bytes()).expect("digits");
    let at = SystemClock.now();
    let proved = proof(&Key::from_bytes(root_key.try_into().expect("32 bytes")), at);
    let escrowed = json!({ "at": at.0, "proof": proved, "recipients": ["5e".repeat(32)] });
    held.call("POST", "keys/escrow/create", "keys/escrow/create", escrowed);
    held.call("POST", "keys/escrow/verify", "keys/escrow/verify", json!({ "at": at.0, "proof": proved }));
    held.get("backups");
    held.call("GET", "backups/new", "backups/new", Value::Null);
    held.call("GET", "backups/purge-log", "backups/purge-log", Value::Null);
    held.get("status");
    held.get("openapi.json");
    held.call("POST", "studies/{study}/lock", "studies/A/lock", Value::Null);
    held.call("POST", "studies/{study}/close", "studies/A/close", json!({ "data": "keep" }));

    // What no call above did with success; it waits for something that this gateway has not.
    let paths = held.document["paths"].as_object().expect("paths");
    let all = paths.iter().flat_map(|(path, methods)| {
        methods
            .as_object()
            .expect("methods")
            .keys()
            .map(move |method| format!("{} {}", method.to_uppercase(), &path[1..]))
    });
    let missing: Vec<_> = all.filter(|route| !held.seen.contains(route)).collect();
    assert_eq!(missing, ["POST purges/{id}/confirm", "POST purges/{id}/reject"]);
}
