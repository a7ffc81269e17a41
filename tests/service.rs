//! The gateway as a service: what its service manager is told, and the exit codes that its unit relies on.

#[path = "site/mod.rs"]
mod site;

use std::fs::{self, Permissions};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use site::Site;

/// Longer than anything takes on a slow machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A service manager that listens.
struct Manager(UnixDatagram);

impl Manager {
    /// One that starts this site's gateway and wants to hear so often that it is alive.
    fn of(site: &mut Site, watchdog: Option<Duration>) -> Self {
        let path = site.scratch("notify");
        let socket = UnixDatagram::bind(&path).expect("bound");
        socket.set_read_timeout(Some(PATIENCE)).expect("set");
        site.environment.push(("NOTIFY_SOCKET", path.display().to_string()));
        if let Some(watchdog) = watchdog {
            site.environment.push(("WATCHDOG_USEC", watchdog.as_micros().to_string()));
        }
        Self(socket)
    }

    /// The lines of the next message.
    fn told(&self) -> Vec<String> {
        let mut buffer = [0; 4096];
        let bytes = self.0.recv(&mut buffer).expect("told in time");
        String::from_utf8_lossy(&buffer[..bytes]).lines().map(ToOwned::to_owned).collect()
    }

    /// Waits for a line that begins so; the other lines of its message with it.
    fn wait_for(&self, line: &str) -> Vec<String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let told = self.told();
            if told.iter().any(|told| told.starts_with(line)) {
                return told;
            }
            assert!(Instant::now() < deadline, "{line} was not told in time");
        }
    }
}

fn signal(site: &Site, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(site.pid()).expect("a pid")).expect("not zero");
    kill_process(pid, signal).expect("ours");
}

fn start(site: &mut Site) {
    let serve = site.serve_command();
    site.start_without_waiting(serve);
}

#[test]
fn ready_is_told_once_every_listener_is_open() {
    let mut site = Site::stopped();
    let manager = Manager::of(&mut site, None);
    start(&mut site);
    let told = manager.wait_for("READY=1");
    assert!(told.contains(&"STATUS=taking notifications".to_owned()), "{told:?}");
    for address in [site.ingress(), site.metrics(), site.api()] {
        TcpStream::connect(address).expect("open");
    }
    assert!(site.is_ready());
    site.cli(&["status"]);
}

#[test]
fn gateway_that_is_not_ready_has_started_and_stays_alive() {
    let mut site = Site::stopped();
    let watchdog = Duration::from_secs(2);
    let manager = Manager::of(&mut site, Some(watchdog));
    // A disk without room for anything.
    site.edit_config(|text| format!("{text}\n[storage]\ndisk_reserve = \"1024TiB\"\n"));
    start(&mut site);
    let told = manager.wait_for("READY=1");
    assert!(told.contains(&"STATUS=not ready (disk_low)".to_owned()), "{told:?}");
    for _ in 0..4 {
        manager.wait_for("WATCHDOG=1");
    }
    assert!(!site.is_ready());
    assert!(site.exited().is_none());
}

#[test]
fn watchdog_hears_of_life_in_less_than_half_its_time() {
    let mut site = Site::stopped();
    let watchdog = Duration::from_secs(8);
    let manager = Manager::of(&mut site, Some(watchdog));
    start(&mut site);
    manager.wait_for("READY=1");
    let mut before = Instant::now();
    for _ in 0..3 {
        manager.wait_for("WATCHDOG=1");
        assert!(before.elapsed() < watchdog / 2, "{:?}", before.elapsed());
        before = Instant::now();
    }
}

#[test]
fn watchdog_meant_for_another_process_is_not_fed() {
    let mut site = Site::stopped();
    let manager = Manager::of(&mut site, Some(Duration::from_millis(20)));
    site.environment.push(("WATCHDOG_PID", "1".to_owned()));
    start(&mut site);
    manager.wait_for("READY=1");
    signal(&site, Signal::HUP);
    // Everything up to the reload and the end.
    let mut told = manager.wait_for("RELOADING=1");
    told.extend(manager.wait_for("READY=1"));
    signal(&site, Signal::TERM);
    told.extend(manager.wait_for("STOPPING=1"));
    assert!(!told.contains(&"WATCHDOG=1".to_owned()), "{told:?}");
    assert!(site.wait_for_end().success());
}

#[test]
fn reload_is_told_with_its_time_and_its_end() {
    let mut site = Site::stopped();
    let manager = Manager::of(&mut site, None);
    start(&mut site);
    manager.wait_for("READY=1");
    signal(&site, Signal::HUP);
    let told = manager.wait_for("RELOADING=1");
    let since = told.iter().find_map(|line| line.strip_prefix("MONOTONIC_USEC=")).expect("a time");
    assert!(since.parse::<u64>().is_ok_and(|since| since > 0), "{since}");
    assert_eq!(manager.told(), ["READY=1"]);
    assert!(site.is_ready());
}

#[test]
fn end_waits_for_a_body_under_way_and_asks_for_the_time() {
    let mut site = Site::stopped();
    let manager = Manager::of(&mut site, Some(Duration::from_secs(2)));
    start(&mut site);
    manager.wait_for("READY=1");
    let body = br#"{"dailies": []}"#;
    let (begun, rest) = body.split_at(5);
    let mut end = None;
    let mut pieces = {
        let (site, manager, end) = (&site, &manager, &mut end);
        let rest = move || {
            site.wait_for_metric("studygate_http_requests_in_flight{listener=\"ingress\"}", 1.0);
            signal(site, Signal::TERM);
            manager.wait_for("STOPPING=1");
            *end = Some(manager.wait_for("EXTEND_TIMEOUT_USEC="));
            rest.to_vec()
        };
        std::iter::once(begun.to_vec()).chain(std::iter::once_with(rest))
    };
    let length = u64::try_from(body.len()).expect("short");
    let status = site.client().post_pieces(&site.notification_path(), length, &mut pieces);
    drop(pieces);
    assert_eq!(status.expect("an answer"), 200, "the log says:\n{}", site.log());
    let longer = end.expect("it was asked for").join(" ");
    assert!(longer.contains("EXTEND_TIMEOUT_USEC=60000000"), "{longer}");
    assert!(site.wait_for_end().success());
}

#[test]
fn service_manager_that_is_gone_keeps_nobody_from_starting() {
    let mut site = Site::stopped();
    let path = site.scratch("nobody");
    site.environment.push(("NOTIFY_SOCKET", path.display().to_string()));
    site.start();
    assert!(site.stop().success());
}

/// `serve` ends by itself with this code, which the unit restarts after or not.
fn check_end(site: &mut Site, code: i32) {
    start(site);
    let status = site.wait_for_end();
    assert_eq!(status.code(), Some(code), "{}", site.log());
}

#[test]
fn store_that_cannot_be_opened_ends_with_74() {
    let mut site = Site::new();
    site.stop();
    let database = site.data_dir().join("db");
    fs::remove_dir_all(&database).expect("ours");
    fs::write(&database, "no folder").expect("ours");
    check_end(&mut site, 74);
}

#[test]
fn address_in_use_ends_with_1_and_comes_back_by_itself() {
    let mut site = Site::stopped();
    let taken = TcpListener::bind(site.metrics()).expect("free");
    check_end(&mut site, 1);
    drop(taken);
    site.start();
}

#[test]
fn wrong_configuration_key_or_data_directory_ends_with_78() {
    let mut site = Site::new();
    site.stop();
    let format = site.data_dir().join("FORMAT");
    let before = fs::read(&format).expect("there");
    fs::write(&format, "studygate 99\n").expect("ours");
    check_end(&mut site, 78);
    fs::write(&format, before).expect("ours");
    fs::write(site.configured(&["keys", "root_key"]), "5a".repeat(32)).expect("ours");
    check_end(&mut site, 78);
    site.edit_config(|text| text.replace("[metrics]", "[metrix]"));
    check_end(&mut site, 78);
}

#[test]
fn sealed_root_key_is_replaced_by_a_sealed_one_that_opens_the_next_start() {
    let mut site = Site::stopped();
    let programs = site.scratch("bin");
    fs::create_dir(&programs).expect("made");
    fs::write(programs.join("systemd-creds"), include_str!("site/systemd_creds.sh")).expect("written");
    fs::set_permissions(programs.join("systemd-creds"), Permissions::from_mode(0o755)).expect("set");
    for (name, value) in [("PATH", format!("{}:/usr/bin:/bin", programs.display())), ("TPM", "0".into())] {
        site.environment.push((name, value));
    }
    site.environment.push(("FAILS", "nothing".into()));
    site.start();
    site.add_study("SEALED", &[]);
    let folder = site.scratch("credstore.encrypted");
    fs::create_dir(&folder).expect("made");
    let next = folder.join("studygate.root.key.next");
    let next_name = next.display().to_string();
    site.cli(&["keys", "rotate", "--root", "--yes", "--reason", "yearly", "-o", &next_name]);
    assert!(fs::read_to_string(&next).expect("made").starts_with("tpm\n"));
    site.stop();
    let installed = folder.join("studygate.root.key");
    fs::rename(&next, &installed).expect("ours");
    check_end(&mut site, 78);
    site.edit_config(|text| text.replace("\"root.key\"", &format!("{:?}", installed.display().to_string())));
    site.start();
    assert!(site.cli(&["study", "list"]).contains("SEALED"));
    let refused = site.run(&["keys", "rotate", "--root", "--yes", "--reason", "yearly"]);
    assert!(!refused.status.success());
    assert!(fs::read_to_string(&installed).expect("there").starts_with("tpm\n"), "it is not overwritten");
}
