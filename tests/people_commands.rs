//! Commands on studies and participants, by the real binary over the real socket, to the real routes.

mod people_support;

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    process::{Command, Output},
    sync::Arc,
    thread::JoinHandle,
};

use ring::rand::SystemRandom;
use serde_json::Value;
use studygate::http::local::desk::Retry;
use studygate::http::local_socket::LocalSocket;
use studygate::http::request_id::RequestIds;
use studygate::http::settings::ConnectionLimits;
use studygate::lifecycle::Stop;
use studygate::model::{
    connection::{ClientId, GarminUserId},
    participant::{Bound, Window},
};
use studygate::telemetry::{http::HttpMetrics, registry::Registry};

use people_support::{NOW, QUARANTINED, RECIPIENT, Site};

/// A gateway that serves the routes on a socket of its own.
struct Gateway {
    dir: tempfile::TempDir,
    site: Site,
    stop: Stop,
    serving: Option<JoinHandle<()>>,
}

impl Gateway {
    fn start() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let text = "[local]\nsocket = \"studygate.sock\"\n[ingress.tls]\ncertificate = \"c\"\nprivate_key = \"k\"\n";
        fs::write(dir.path().join("studygate.toml"), text).expect("written");
        let path = dir.path().join("studygate.sock");
        let (stop, stopped) = Stop::new();
        let (bound, wait) = std::sync::mpsc::channel();
        let site = Site::new();
        let routes = Arc::new(site.routes.clone());
        let serving = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let socket = LocalSocket::bind(&path).expect("a socket");
                bound.send(()).expect("the test waits");
                let metrics = HttpMetrics::register(&Registry::new());
                let ids = Arc::new(RequestIds::new(&SystemRandom::new()));
                socket.serve(routes, ids, ConnectionLimits::default(), &metrics, stopped).await;
            });
        });
        wait.recv().expect("the socket is bound");
        Self { dir, site, stop, serving: Some(serving) }
    }

    fn run(&self, line: &str) -> Output {
        Command::new(env!("CARGO_BIN_EXE_studygate"))
            .args(line.split(' '))
            .current_dir(self.dir.path())
            .env("STUDYGATE_CONFIG", self.dir.path().join("studygate.toml"))
            .output()
            .expect("the binary runs")
    }

    /// The JSON that a command which must succeed prints.
    fn json(&self, line: &str) -> Value {
        serde_json::from_str(&self.done(&format!("{line} --json"))).expect("JSON")
    }

    /// What a command that must succeed prints.
    fn done(&self, line: &str) -> String {
        let output = self.run(line);
        let (said, printed) = (String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout));
        assert_eq!(output.status.code(), Some(0), "{line}: {said}");
        printed.into_owned()
    }

    /// What a command that must end with this exit code says.
    fn refused(&self, code: i32, line: &str) -> String {
        let output = self.run(line);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{line}: {said}");
        assert!(!said.trim().is_empty(), "{line} says nothing");
        said
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.stop.stop();
        let ended = self.serving.take().map(JoinHandle::join);
        assert!(std::thread::panicking() || matches!(ended, Some(Ok(()))), "the gateway failed");
    }
}

#[test]
fn study_goes_its_way_by_commands() {
    let gateway = Gateway::start();
    gateway.done(&format!("study add ALPHA --recipient {RECIPIENT} --names keep --types mct"));
    let study = gateway.json("study show ALPHA");
    assert_eq!((&study["rules"]["names"], &study["rules"]["types"][0]), (&"keep".into(), &"mct".into()));
    gateway.done("study set ALPHA --types all --location coarse --retain-until 2030-01-01");
    let study = gateway.json("study show ALPHA");
    assert_eq!((&study["rules"]["location"], &study["rules_version"]), (&"coarse".into(), &2.into()));
    assert!(gateway.done("study list").contains("ALPHA"));

    let said = gateway.refused(2, &format!("study add BETA --recipient {RECIPIENT} --dates shift --unknown keep"));
    assert!(said.contains("dates"), "{said}");
    gateway.refused(1, &format!("study add alpha --recipient {RECIPIENT}"));
    gateway.refused(2, "study add BETA --recipient age1nonsense");
    gateway.refused(4, "study show GAMMA");
    gateway.done("study lock ALPHA");
    gateway.refused(1, "participant add --study ALPHA");
    gateway.done("study close ALPHA --data purge --reason over --yes");
}

#[test]
fn participant_goes_through_commands_and_the_user_id_is_never_printed() {
    let gateway = Gateway::start();
    gateway.done(&format!("study add ALPHA --recipient {RECIPIENT}"));
    let consent = "--consent 2.1 --consent-date 2026-10-01";
    gateway.done(&format!("participant add --study ALPHA --code P1 --garmin-user secret-user {consent}"));
    let said = gateway.refused(1, "participant add --study ALPHA --code P2 --garmin-user secret-user");
    assert!(said.contains("\"P1\"") && !said.contains("secret-user"), "{said}");
    gateway.done("participant unlink --study ALPHA --code P1 --at 2026-10-05");
    gateway.done("participant add --study ALPHA --code P2");
    gateway.done("participant link --study ALPHA --code P2 --garmin-user secret-user --from 2026-10-05");
    gateway.done("participant set --study ALPHA --code P1 --from 2026-10-01 --to 2026-10-31");
    gateway.done("participant set --study ALPHA --code P1 --from open");
    gateway.done("participant pause --study ALPHA --code P1 --at 2026-10-02");
    gateway.done("participant resume --study ALPHA --code P1 --at 2026-10-03");
    gateway.done("participant complete --study ALPHA --code P1 --at 2026-10-20");
    gateway.done("participant rename --study ALPHA --code P1 --new-code P9");
    gateway.refused(4, "participant show --study ALPHA --code P1");

    let shown = gateway.json("participant show --study ALPHA --code P9");
    assert_eq!((&shown["state"], &shown["to"]), (&"completed".into(), &"2026-10-20T00:00:00Z".into()));
    assert_eq!((&shown["links"][0]["current"], &shown["from"]), (&false.into(), &Value::Null));
    let listed = gateway.done("participant list --study ALPHA");
    assert!(listed.contains("P9") && listed.contains("P2") && !listed.contains("secret-user"), "{listed}");

    gateway.done("participant withdraw --study ALPHA --code P2 --reason asked --yes");
    gateway.refused(1, "participant add --study ALPHA --code P2");
    let shown = gateway.json("participant show --study ALPHA --code P2");
    assert_eq!(shown["state"], "withdrawn");
}

#[test]
fn quarantined_items_are_decided_about_by_commands() {
    let gateway = Gateway::start();
    assert!(gateway.done("quarantine list").contains(QUARANTINED));
    assert_eq!(gateway.json(&format!("quarantine show {QUARANTINED}"))["text"], "{}");
    gateway.done(&format!("quarantine show {QUARANTINED} -o item.json"));
    let saved = gateway.dir.path().join("item.json");
    assert_eq!(fs::read(&saved).expect("written"), b"{}");
    assert_eq!(fs::metadata(&saved).expect("a file").permissions().mode() & 0o777, 0o600, "it is personal data");
    gateway.refused(73, &format!("quarantine show {QUARANTINED} -o item.json"));
    gateway.refused(4, "quarantine show other -o other.json");
    assert!(!gateway.dir.path().join("other.json.part").exists());

    assert_eq!(gateway.json("quarantine retry --all")["retried"][0], QUARANTINED);
    assert!(gateway.json("quarantine retry --all --reason unreadable")["retried"][0].is_null());
    gateway.done(&format!("quarantine retry --accept {QUARANTINED}"));
    let retried = gateway.site.desk.retried.lock().expect("unpoisoned").clone();
    assert_eq!(retried, [Retry::AsItCame, Retry::Accepted], "the unexpected file is not among all");
    let said = gateway.refused(4, &format!("quarantine retry other {QUARANTINED}"));
    assert!(said.contains("other: "), "{said}");
    assert_eq!(gateway.site.desk.retried.lock().expect("unpoisoned").len(), 3, "those behind it are tried");
    for wrong in ["retry", "retry --reason nobody x", "retry --all --reason odd", "retry --all x", "drop"] {
        gateway.refused(2, &format!("quarantine {wrong}"));
    }
    gateway.refused(2, "quarantine retry --all --reason unexpected-file");

    gateway.refused(2, &format!("quarantine drop {QUARANTINED} --yes"));
    let dropped = gateway.json(&format!("quarantine drop {QUARANTINED} --yes --reason noise"));
    assert_eq!(dropped["dropped"][0], QUARANTINED);
    gateway.refused(4, "quarantine drop other --yes --reason noise");
}

#[test]
fn lists_and_export_come_over_the_socket() {
    let gateway = Gateway::start();
    gateway.done(&format!("study add ALPHA --recipient {RECIPIENT}"));
    let user = GarminUserId::parse("secret-user").expect("a user");
    gateway.site.people.hold(&[(ClientId::single(), user)], NOW).expect("held");
    let handle =
        gateway.site.people.read().held().map(|(_, held)| held.held.handle.clone()).next().expect("one is held");
    let listed = gateway.done("unassigned list");
    assert!(listed.contains(&handle) && !listed.contains("secret-user"), "{listed}");
    gateway.done(&format!("participant add --study ALPHA --code P1 --unassigned {handle}"));
    assert!(!gateway.done("unassigned list").contains(&handle));
    gateway.done("quarantine list");
    gateway.done("status");
    gateway.done("export --study ALPHA --from 2026-10-01 --to 2026-10-31 -o dataset.zip.age");
    assert_eq!(fs::read(gateway.dir.path().join("dataset.zip.age")).expect("written"), b"sealed");
    let window = Window { from: Bound::of_date("2026-10-01"), to: Bound::of_date("2026-11-01") };
    assert_eq!(gateway.site.desk.exports.lock().expect("unpoisoned")[0].window, window);
    gateway.refused(4, "export --study BETA -o other.zip.age");
}
