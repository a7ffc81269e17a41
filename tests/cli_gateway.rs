//! Commands against a stand-in for the running gateway, which records what it is asked and answers as told.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

/// A folder with a configuration whose socket the stand-in listens on.
struct Site {
    dir: tempfile::TempDir,
    gateway: Option<JoinHandle<Vec<(String, Value)>>>,
}

impl Site {
    /// A site whose gateway gives these answers, one after the other, and then goes.
    fn answering(answers: Vec<String>) -> Site {
        let site = Site::silent();
        let listener = UnixListener::bind(site.dir.path().join("studygate.sock")).expect("a socket");
        let gateway = std::thread::spawn(move || {
            let answer = |answer: String| {
                let (stream, _) = listener.accept().expect("a connection");
                take(&stream, &answer)
            };
            answers.into_iter().map(answer).collect()
        });
        Site { gateway: Some(gateway), ..site }
    }

    /// A site where nothing listens.
    fn silent() -> Site {
        let dir = tempfile::tempdir().expect("a folder");
        let text = "[local]\nsocket = \"studygate.sock\"\n[ingress.tls]\ncertificate = \"c\"\nprivate_key = \"k\"\n";
        fs::write(dir.path().join("studygate.toml"), text).expect("written");
        Site { dir, gateway: None }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn run(&self, line: &str) -> Output {
        self.run_with(line, "")
    }

    fn run_with(&self, line: &str, input: &str) -> Output {
        let mut child = Command::new(env!("CARGO_BIN_EXE_studygate"))
            .args(line.split(' '))
            .current_dir(self.dir.path())
            .env("STUDYGATE_CONFIG", self.path("studygate.toml"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        // A command that reads no input may have ended before it is written.
        drop(child.stdin.take().expect("piped").write_all(input.as_bytes()));
        child.wait_with_output().expect("ended")
    }

    /// What the gateway was asked: method and path, and the body's JSON.
    fn asked(mut self) -> Vec<(String, Value)> {
        self.gateway.take().expect("it listens").join().expect("it answered everything")
    }
}

/// Reads one request, answers it, and returns what was asked.
fn take(stream: &UnixStream, answer: &str) -> (String, Value) {
    let mut reader = BufReader::new(stream);
    let mut request = String::new();
    reader.read_line(&mut request).expect("a request");
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).expect("a header");
        if header == "\r\n" {
            break;
        }
        if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().expect("a number");
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("a body");
    let mut out = stream;
    out.write_all(answer.as_bytes()).expect("answered");
    let target = request.trim_end().trim_end_matches(" HTTP/1.1").to_owned();
    (target, serde_json::from_slice(&body).unwrap_or_default())
}

fn ok(body: &Value) -> String {
    answer("200 OK", "application/json", &body.to_string())
}

fn problem(status: &str, kind: &str) -> String {
    let body = json!({"type": format!("urn:studygate:problem:{kind}"), "detail": "Do something about it."});
    answer(status, "application/problem+json", &body.to_string())
}

fn answer(status: &str, content_type: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("listed").map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<_> = entries.map(|name| name.into_string().expect("UTF-8")).collect();
    names.sort();
    names
}

/// The command asks exactly this.
fn check_asks(line: &str, target: &str, body: Value) {
    let site = Site::answering(vec![ok(&json!({"name": "ALPHA"}))]);
    let output = site.run(line);
    assert_eq!(output.status.code(), Some(0), "{line}: {}", text(&output.stderr));
    assert_eq!(site.asked(), [(target.to_owned(), body)], "{line}");
}

#[test]
fn each_command_asks_for_its_own_resource() {
    let at = "/api/v1/studies/ALPHA/participants";
    for (line, target, body) in [
        ("status", "GET /api/v1/status".to_owned(), Value::Null),
        ("study show ALPHA", "GET /api/v1/studies/ALPHA".into(), Value::Null),
        (
            "study add ALPHA --recipient age1x --names keep",
            "POST /api/v1/studies".into(),
            json!({"name": "ALPHA", "recipients": ["age1x"], "rules": {"names": "keep"}}),
        ),
        ("study set ALPHA --grace 7d", "PATCH /api/v1/studies/ALPHA".into(), json!({"rules": {"grace_days": 7}})),
        ("study lock ALPHA", "POST /api/v1/studies/ALPHA/lock".into(), json!({})),
        (
            "study close ALPHA --data keep --yes --reason over",
            "POST /api/v1/studies/ALPHA/close".into(),
            json!({"data": "keep", "reason": "over"}),
        ),
        (
            "participant add --study ALPHA --code A-1 --unassigned k3v9 --from 2026-11-01 --consent 2.1 --consent-date 2026-10-30",
            format!("POST {at}"),
            json!({"code": "A-1", "unassigned": "k3v9", "from": "2026-11-01",
                   "consent": {"version": "2.1", "date": "2026-10-30"}}),
        ),
        ("participant show --study ALPHA --code A/1", format!("GET {at}/A%2F1"), Value::Null),
        (
            "participant set --study ALPHA --code A-1 --from 2026-11-01 --to open",
            format!("PATCH {at}/A-1"),
            json!({"from": "2026-11-01", "to": null}),
        ),
        (
            "participant rename --study ALPHA --code A-1 --new-code A-2",
            format!("POST {at}/A-1/rename"),
            json!({"new_code": "A-2"}),
        ),
        (
            "participant link --study ALPHA --code A-1 --unassigned k3v9 --to 2026-12-01",
            format!("POST {at}/A-1/link"),
            json!({"unassigned": "k3v9", "to": "2026-12-01"}),
        ),
        ("participant unlink --study ALPHA --code A-1 --link 2", format!("POST {at}/A-1/unlink"), json!({"link": 2})),
        (
            "participant pause --study ALPHA --code A-1 --at 2026-11-05",
            format!("POST {at}/A-1/pause"),
            json!({"at": "2026-11-05"}),
        ),
        ("participant resume --study ALPHA --code A-1", format!("POST {at}/A-1/resume"), json!({})),
        ("participant complete --study ALPHA --code A-1", format!("POST {at}/A-1/complete"), json!({})),
        (
            "participant withdraw --study ALPHA --code A-1 --yes --reason left",
            format!("POST {at}/A-1/withdraw"),
            json!({"reason": "left"}),
        ),
        (
            "participant withdraw --study ALPHA --code A-1 --data retain --now --yes --reason left",
            format!("POST {at}/A-1/withdraw"),
            json!({"data": "retain", "now": true, "reason": "left"}),
        ),
        (
            "participant withdraw --study ALPHA --code A-1 --dry-run",
            format!("POST {at}/A-1/withdraw"),
            json!({"dry_run": true}),
        ),
        (
            "participant link --study ALPHA --code A-1 --garmin-user u --despite-withdrawal --reason again",
            format!("POST {at}/A-1/link"),
            json!({"garmin_user": "u", "despite_withdrawal": true, "reason": "again"}),
        ),
    ] {
        check_asks(line, &target, body);
    }
}

#[test]
fn garmin_user_is_read_from_stdin() {
    let site = Site::answering(vec![ok(&json!({"code": "A-1"}))]);
    let output = site.run_with("participant add --study ALPHA --garmin-user -", "0123456789abcdef\n");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "code: A-1\n");
    let asked = site.asked();
    assert_eq!(asked[0].1, json!({"garmin_user": "0123456789abcdef"}));
}

#[test]
fn link_to_nothing_is_usage() {
    let output = Site::silent().run("participant link --study ALPHA --code A-1");
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
}

#[test]
fn destroying_command_does_nothing_where_nobody_can_be_asked() {
    let site = Site::silent();
    for line in [
        "participant withdraw --study ALPHA --code A-1",
        "participant withdraw --study ALPHA --code A-1 --yes",
        "study close ALPHA --data purge --reason over",
    ] {
        // A command that asked the gateway all the same would end with 69.
        let output = site.run_with(line, "A-1\nA-1\n");
        assert_eq!(output.status.code(), Some(2), "{line}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains("nobody can be asked; add --"), "{line}");
    }
}

#[test]
fn gateway_that_is_not_running_is_unreachable() {
    let site = Site::silent();
    let output = site.run("status");
    assert_eq!(output.status.code(), Some(69));
    let socket = site.path("studygate.sock");
    assert_eq!(
        text(&output.stderr),
        format!(
            "studygate: no gateway listens on {}; start it with `studygate serve`, or name its configuration with --config\n",
            socket.display()
        )
    );
}

#[test]
fn problem_is_told_with_its_exit_code() {
    for (status, kind, code) in [
        ("400 Bad Request", "invalid", 2),
        ("404 Not Found", "not-found", 4),
        ("409 Conflict", "conflict", 1),
        ("501 Not Implemented", "not-built", 2),
        ("503 Service Unavailable", "unavailable", 75),
        ("503 Service Unavailable", "store-failed", 74),
    ] {
        let site = Site::answering(vec![problem(status, kind)]);
        let output = site.run("study show ALPHA");
        assert_eq!(output.status.code(), Some(code), "{kind}");
        assert_eq!(text(&output.stderr), "studygate: Do something about it.\n", "{kind}");
        assert!(output.stdout.is_empty(), "{kind}");
    }
}

#[test]
fn list_is_a_table_or_the_answer_s_json() {
    let body = json!({"participants": [
        {"code": "ALPHA-7K2M4Q", "state": "active", "from": "2026-11-01T00:00:00Z", "to": null, "pauses": [],
         "consent": null, "added": "2026-11-02T08:00:00Z",
         "links": [{"number": 1, "current": false}, {"number": 2, "current": true}]},
        {"code": "A-2", "state": "paused", "from": null, "to": null, "pauses": [], "consent": null,
         "added": "2026-11-02T09:00:00Z", "links": []},
    ]});
    let site = Site::answering(vec![ok(&body), ok(&body)]);
    insta::assert_snapshot!(text(&site.run("participant list --study ALPHA").stdout), @r"
    CODE          STATE   LINKS  FROM                  TO  ADDED
    ALPHA-7K2M4Q  active  1      2026-11-01T00:00:00Z      2026-11-02T08:00:00Z
    A-2           paused  0                                2026-11-02T09:00:00Z
    ");
    let printed = site.run("participant list --study ALPHA --json").stdout;
    assert_eq!(serde_json::from_slice::<Value>(&printed).expect("JSON"), body);
}

#[test]
fn held_connections_are_listed_by_handle() {
    let body = json!({"unassigned": [{"handle": "k3v9q2ma", "client": "default", "device": "Watch\u{1b}[2J",
        "first_seen": "2026-11-01T05:00:00Z", "last_seen": "2026-11-02T05:00:00Z", "items": {"activities": 3, "mct": 1}}]});
    let site = Site::answering(vec![ok(&body)]);
    let printed = text(&site.run("unassigned list").stdout);
    assert!(printed.contains("k3v9q2ma  Watch\u{fffd}[2J  ") && printed.contains("activities=3 mct=1"), "{printed}");
}

const CHUNKED: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\ntransfer-encoding: chunked\r\n\r\n";

#[test]
fn export_writes_the_whole_stream() {
    let site = Site::answering(vec![format!("{CHUNKED}5\r\nfirst\r\n6\r\nsecond\r\n0\r\n\r\n")]);
    let output =
        site.run("export --study ALPHA --participant A-1 --tables activities --from 2026-11-01 --revisions -o d.age");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(text(&output.stderr), "d.age (11 bytes)\n");
    assert_eq!(fs::read(site.path("d.age")).expect("written"), b"firstsecond");
    assert_eq!(names(site.dir.path()), ["d.age", "studygate.sock", "studygate.toml"]);
    let target = "GET /api/v1/studies/ALPHA/export?participant=A-1&tables=activities&from=2026-11-01&revisions=true";
    assert_eq!(site.asked(), [(target.to_owned(), Value::Null)]);
}

#[test]
fn export_cut_short_leaves_no_file() {
    let site = Site::answering(vec![format!("{CHUNKED}5\r\nfirst\r\n")]);
    let output = site.run("export --study ALPHA -o d.age");
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert_eq!(names(site.dir.path()), ["studygate.sock", "studygate.toml"]);
}

#[test]
fn refused_export_leaves_no_file() {
    let site = Site::answering(vec![problem("404 Not Found", "not-found")]);
    let output = site.run("export --study OMEGA -o d.age");
    assert_eq!(output.status.code(), Some(4));
    assert_eq!(names(site.dir.path()), ["studygate.sock", "studygate.toml"]);
}

#[test]
fn export_leaves_a_file_alone_that_exists() {
    let site = Site::silent();
    fs::write(site.path("d.age"), "the one before").expect("written");
    let output = site.run("export --study ALPHA -o d.age");
    assert_eq!(output.status.code(), Some(73), "{}", text(&output.stderr));
    assert_eq!(fs::read(site.path("d.age")).expect("read"), b"the one before");
}

#[test]
fn interrupted_export_leaves_no_file() {
    let site = Site::silent();
    let listener = UnixListener::bind(site.path("studygate.sock")).expect("a socket");
    let mut child = Command::new(env!("CARGO_BIN_EXE_studygate"))
        .args(["export", "--study", "ALPHA", "-o", "d.age"])
        .current_dir(site.dir.path())
        .env("STUDYGATE_CONFIG", site.path("studygate.toml"))
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let (stream, _) = listener.accept().expect("a connection");
    take(&stream, &format!("{CHUNKED}5\r\nfirst\r\n"));
    // The file beside comes up once the first piece is there.
    let begun = Instant::now();
    while !site.path("d.age.part").exists() {
        assert!(begun.elapsed() < Duration::from_secs(60), "no first piece");
        std::thread::sleep(Duration::from_millis(2));
    }
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("told");
    assert_eq!(child.wait().expect("ended").code(), Some(1));
    assert_eq!(names(site.dir.path()), ["studygate.sock", "studygate.toml"]);
}
