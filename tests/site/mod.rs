//! A test site: the real binary with a configuration, keys and data of its own, driven as a site's people would.
//!
//! When a site goes, its gateway is stopped, and its log is searched for everybody whom the test named to it.

#![allow(dead_code, reason = "every test and bench uses a part of the site")]

pub(crate) mod dataset;
pub(crate) mod https;
pub(crate) mod load;
mod named;

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::atomic::{AtomicU16, Ordering},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use studygate::simulate::{
    markers::Markers,
    user::{Population, User},
};
use tempfile::TempDir;

use self::dataset::Dataset;
use self::https::Client;
use self::named::Named;

/// The binary under test.
pub(crate) const STUDYGATE: &str = env!("CARGO_BIN_EXE_studygate");

/// The binary that sites run: the one under test, or what `STUDYGATE_BINARY` names, so that a static one is measured, too.
#[expect(clippy::disallowed_methods, reason = "the environment of a bench, not of the program")]
pub(crate) fn binary() -> PathBuf {
    std::env::var_os("STUDYGATE_BINARY").map_or_else(|| PathBuf::from(STUDYGATE), PathBuf::from)
}

/// Longer than any step takes on a slow machine; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(120);

/// A complete site in a folder of its own, its gateway running or not.
pub(crate) struct Site {
    folder: TempDir,
    scratch: TempDir,
    gateway: Option<Child>,
    addresses: Addresses,
    identity: age::x25519::Identity,
    exports: u32,
    markers: Option<Markers>,
    named: Named,
    /// Options of `serve`.
    pub(crate) serve_options: Vec<&'static str>,
    /// Environment variables that the gateway is started with.
    pub(crate) environment: Vec<(&'static str, String)>,
}

#[derive(Clone, Copy, Debug)]
struct Addresses {
    ingress: SocketAddr,
    metrics: SocketAddr,
    api: SocketAddr,
}

impl Site {
    /// A site whose gateway runs and is ready.
    pub(crate) fn new() -> Self {
        let mut site = Self::stopped();
        site.start();
        site
    }

    /// A site that was initialised; its gateway was never started.
    pub(crate) fn stopped() -> Self {
        Self::stopped_in(&std::env::temp_dir())
    }

    /// The same, on the file system of `parent`; what the test itself keeps lies elsewhere.
    pub(crate) fn stopped_in(parent: &Path) -> Self {
        let folder = tempfile::Builder::new().prefix("site").tempdir_in(parent).expect("a temporary folder");
        let scratch = tempfile::tempdir().expect("a temporary folder");
        let init = Command::new(binary()).arg("init").arg(folder.path().join("site")).output().expect("init runs");
        assert!(init.status.success(), "init failed: {}", String::from_utf8_lossy(&init.stderr));
        let mut site = Self {
            folder,
            scratch,
            gateway: None,
            addresses: Addresses { ingress: free_address(), metrics: free_address(), api: free_address() },
            identity: age::x25519::Identity::generate(),
            exports: 0,
            markers: None,
            named: Named::default(),
            serve_options: Vec::new(),
            environment: Vec::new(),
        };
        site.write_key();
        let addresses = site.addresses;
        site.edit_config(|text| {
            text.replace("127.0.0.1:8443", &addresses.ingress.to_string())
                .replace("127.0.0.1:9464", &addresses.metrics.to_string())
                .replace("127.0.0.1:8444", &addresses.api.to_string())
        });
        site
    }

    /// From now on these texts may stand in no log of the gateway.
    pub(crate) fn guard(&mut self, markers: Markers) {
        self.markers = Some(markers);
    }

    /// The folder that `init` filled.
    pub(crate) fn dir(&self) -> PathBuf {
        self.folder.path().join("site")
    }

    /// A path beside it, for what the test itself keeps.
    pub(crate) fn scratch(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// The configuration file.
    pub(crate) fn config_path(&self) -> PathBuf {
        self.dir().join("studygate.toml")
    }

    /// The configuration, parsed.
    pub(crate) fn config(&self) -> toml::Table {
        fs::read_to_string(self.config_path()).expect("a configuration").parse().expect("valid TOML")
    }

    /// Changes the text of the configuration; the gateway reads it at its next start.
    pub(crate) fn edit_config(&mut self, edit: impl FnOnce(String) -> String) {
        let text = fs::read_to_string(self.config_path()).expect("a configuration");
        fs::write(self.config_path(), edit(text)).expect("the configuration is ours to change");
    }

    /// Lets callbacks lead to this host and nowhere else, its certificate trusted; `more` are further lines of `[pull]`.
    pub(crate) fn pull_from(&mut self, host: &str, certificate: &str, more: &str) {
        let file = self.scratch("callbacks.pem");
        fs::write(&file, certificate).expect("a certificate file");
        self.edit_config(|text| {
            format!("{text}\n[pull]\nhosts = [{host:?}]\nallow_private = true\nca_file = {file:?}\n{more}\n")
        });
    }

    /// A path that the configuration names, such as `["keys", "root_key"]`.
    pub(crate) fn configured(&self, keys: &[&str]) -> PathBuf {
        let config = self.config();
        let (last, tables) = keys.split_last().expect("a key");
        let table = tables.iter().fold(&config, |table, key| table[*key].as_table().expect("a table"));
        self.dir().join(table[*last].as_str().expect("a path"))
    }

    /// Where the gateway keeps its data.
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.configured(&["data_dir"])
    }

    /// The path that notifications are posted to.
    pub(crate) fn notification_path(&self) -> String {
        let config = self.config();
        let first = config.get("ingress").and_then(|ingress| ingress.get("paths")).and_then(|paths| paths.get(0));
        first.and_then(toml::Value::as_str).unwrap_or("/garmin").to_owned()
    }

    /// Where notifications are taken.
    pub(crate) fn ingress(&self) -> SocketAddr {
        self.addresses.ingress
    }

    /// Where metrics and health are told.
    pub(crate) fn metrics(&self) -> SocketAddr {
        self.addresses.metrics
    }

    /// Where the API answers over HTTPS.
    pub(crate) fn api(&self) -> SocketAddr {
        self.addresses.api
    }

    /// Where the gateway writes what it logs, over all its starts.
    pub(crate) fn log_path(&self) -> PathBuf {
        self.scratch("gateway.log")
    }

    /// What the gateway logged so far.
    pub(crate) fn log(&self) -> String {
        let bytes = fs::read(self.log_path()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Starts the gateway and waits until it is ready.
    pub(crate) fn start(&mut self) {
        let serve = self.serve_command();
        self.start_as(serve);
    }

    /// The command that serves this site, its output in the log.
    pub(crate) fn serve_command(&self) -> Command {
        let mut serve = self.studygate(&["serve"]);
        serve.args(&self.serve_options).stdin(Stdio::null());
        serve
    }

    /// Starts the gateway through `command` and waits until it is ready.
    pub(crate) fn start_as(&mut self, command: Command) {
        self.start_without_waiting(command);
        let deadline = Instant::now() + PATIENCE;
        while !self.is_ready() {
            if let Some(status) = self.exited() {
                panic!("the gateway ended with {status} before it was ready:\n{}", self.log());
            }
            assert!(Instant::now() < deadline, "the gateway was not ready in time:\n{}", self.log());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Starts the gateway through `command`; it may end at once or never be ready.
    pub(crate) fn start_without_waiting(&mut self, mut command: Command) {
        assert!(self.gateway.is_none(), "the gateway runs already");
        let log = File::options().create(true).append(true).open(self.log_path()).expect("a log file");
        command.stdout(log.try_clone().expect("one more handle")).stderr(log);
        self.gateway = Some(command.spawn().expect("the gateway starts"));
    }

    /// Waits until the process answers, ready or not.
    pub(crate) fn wait_until_alive(&self) {
        let deadline = Instant::now() + PATIENCE;
        while !self.fetch("/livez").is_ok_and(|(status, _)| status == 200) {
            assert!(Instant::now() < deadline, "the gateway does not answer:\n{}", self.log());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until the gateway has ended by itself.
    pub(crate) fn wait_for_end(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.exited() {
                self.gateway = None;
                return status;
            }
            assert!(Instant::now() < deadline, "the gateway does not end:\n{}", self.log());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Whether `/readyz` answers 200.
    pub(crate) fn is_ready(&self) -> bool {
        self.fetch("/readyz").is_ok_and(|(status, _)| status == 200)
    }

    /// How the gateway ended, where it has.
    pub(crate) fn exited(&mut self) -> Option<ExitStatus> {
        self.gateway.as_mut().and_then(|child| child.try_wait().expect("a child of ours"))
    }

    /// The process that was started: the gateway, or what `start_as` ran it through.
    pub(crate) fn pid(&self) -> u32 {
        self.gateway.as_ref().expect("the gateway runs").id()
    }

    /// Ends the gateway at once, as a power cut or the OOM killer would.
    pub(crate) fn kill(&mut self) {
        let mut child = self.gateway.take().expect("the gateway runs");
        child.kill().expect("a child of ours");
        child.wait().expect("a child of ours");
    }

    /// Asks the gateway to stop and waits until it has.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        let pid = self.pid();
        self.stop_by(pid)
    }

    /// The same where the gateway is not the process that was started but runs below it.
    pub(crate) fn stop_by(&mut self, pid: u32) -> ExitStatus {
        let child = self.gateway.take().expect("the gateway runs");
        terminate(child, pid)
    }

    /// A client of the notification listener, not connected yet.
    pub(crate) fn client(&self) -> Client {
        let certificate = self.configured(&["ingress", "tls", "certificate"]);
        Client::new(self.addresses.ingress, &certificate)
    }

    /// Posts one body as Garmin would; returns the status.
    pub(crate) fn post(&self, body: &str) -> u16 {
        self.named.body(body);
        self.client().post(&self.notification_path(), body.as_bytes()).expect("an answer")
    }

    /// Posts one body that must be taken.
    pub(crate) fn push(&self, body: &str) {
        assert_eq!(self.post(body), 200, "the log says:\n{}", self.log());
    }

    /// The metrics listener's answer to a GET: status and body.
    pub(crate) fn fetch(&self, path: &str) -> io::Result<(u16, String)> {
        let mut stream = TcpStream::connect(self.addresses.metrics)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        https::parse_answer(&answer)
    }

    /// The value of a metric, with its labels as they stand there.
    pub(crate) fn metric(&self, series: &str) -> Option<f64> {
        let (_, text) = self.fetch("/metrics").ok()?;
        text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
    }

    /// Waits until everything that was answered is filed; returns how long it took.
    pub(crate) fn wait_until_filed(&self) -> Duration {
        let began = Instant::now();
        loop {
            if self.metric("studygate_journal_bodies") == Some(0.0) {
                return began.elapsed();
            }
            assert!(began.elapsed() < PATIENCE, "filing did not end:\n{}", self.log());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// How many records filing stored since the gateway started.
    pub(crate) fn records_stored(&self) -> f64 {
        let (_, text) = self.fetch("/metrics").expect("metrics");
        let stored = text
            .lines()
            .filter(|line| line.starts_with("studygate_records_total{") && line.contains("result=\"stored\""));
        stored.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    /// Waits until a metric has this value.
    pub(crate) fn wait_for_metric(&self, series: &str, value: f64) {
        let deadline = Instant::now() + PATIENCE;
        while self.metric(series) != Some(value) {
            assert!(Instant::now() < deadline, "{series} is {:?}:\n{}", self.metric(series), self.log());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The binary with this site's configuration and these arguments.
    pub(crate) fn studygate(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.arg("--config").arg(self.config_path()).args(arguments);
        command.envs(self.environment.iter().map(|(name, value)| (name, value.as_str())));
        command
    }

    /// Runs a command to its end, whatever it ends with.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.studygate(arguments).stdin(Stdio::null()).output().expect("the binary runs")
    }

    /// Runs a command that must succeed; returns what it printed.
    pub(crate) fn cli(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?} ended with {}: {told}", output.status);
        String::from_utf8(output.stdout).expect("text")
    }

    /// Runs a command that must succeed, with `--json`; returns what it printed.
    pub(crate) fn cli_json(&self, arguments: &[&str]) -> serde_json::Value {
        let mut whole = arguments.to_vec();
        whole.push("--json");
        serde_json::from_str(&self.cli(&whole)).expect("JSON")
    }

    /// Adds a study whose datasets this site can open, with further options.
    pub(crate) fn add_study(&self, name: &str, options: &[&str]) {
        let recipient = self.identity.to_public().to_string();
        let mut arguments = vec!["study", "add", name, "--recipient", &recipient];
        arguments.extend_from_slice(options);
        self.cli(&arguments);
    }

    /// Adds a participant linked to a user, whose id goes through standard input.
    pub(crate) fn add_participant(&self, study: &str, code: &str, user: &User) {
        self.named.user(user);
        let mut add = self.studygate(&["participant", "add", "--study", study, "--code", code, "--garmin-user", "-"]);
        add.args(["--from", "2020-01-01"]);
        let mut child = add.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("runs");
        let mut input = child.stdin.take().expect("piped");
        writeln!(input, "{}", user.id).expect("the command reads");
        drop(input);
        let output = child.wait_with_output().expect("a child of ours");
        assert!(output.status.success(), "{code}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Adds every user of a population as `P000`, `P001` … by their place.
    pub(crate) fn add_participants(&self, study: &str, population: &Population) {
        for user in population.users() {
            self.add_participant(study, &code_of(user.index), user);
        }
    }

    /// Exports a study and opens the dataset; waits for filing first.
    pub(crate) fn export(&mut self, study: &str) -> Dataset {
        self.wait_until_filed();
        let (file, folder) = self.export_sealed(study);
        let key = self.key_path();
        let (file, key) = (file.to_str().expect("UTF-8"), key.to_str().expect("UTF-8"));
        self.cli(&["dataset", "open", file, "-i", key, "-o", folder.to_str().expect("UTF-8")]);
        Dataset::at(folder)
    }

    /// Exports a study; returns the encrypted file and a folder name to open it to.
    pub(crate) fn export_sealed(&mut self, study: &str) -> (PathBuf, PathBuf) {
        self.exports += 1;
        let file = self.scratch(&format!("{study}-{}.zip.age", self.exports));
        self.cli(&["export", "--study", study, "-o", file.to_str().expect("UTF-8")]);
        (file, self.scratch(&format!("{study}-{}", self.exports)))
    }

    /// The file with the key that opens this site's datasets.
    pub(crate) fn key_path(&self) -> PathBuf {
        self.scratch("dataset.key")
    }

    fn write_key(&self) {
        use age::secrecy::ExposeSecret as _;
        let text = self.identity.to_string();
        fs::write(self.key_path(), format!("{}\n", text.expose_secret())).expect("a key file");
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(child) = self.gateway.take() {
            let pid = child.id();
            terminate(child, pid);
        }
        if thread::panicking() {
            return;
        }
        let log = fs::read(self.log_path()).unwrap_or_default();
        let guarded = self.markers.as_ref().and_then(|markers| markers.found_in(&log));
        if let Some(what) = guarded.or_else(|| self.named.found_in(&log)) {
            panic!("the gateway's log holds a {what}");
        }
        assert!(!String::from_utf8_lossy(&log).contains("panicked at"), "the gateway panicked:\n{}", self.log());
    }
}

/// The code that `add_participants` gives to the user at this place.
pub(crate) fn code_of(index: usize) -> String {
    format!("P{index:03}")
}

/// Every file below a folder, in a fixed order.
pub(crate) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            found.extend(files_below(&path));
        } else if path.is_file() {
            found.push(path);
        }
    }
    found
}

/// An address that nobody listens on, outside the range that the system hands out to whoever connects: a gateway that is
/// killed and started again finds it free.
pub(crate) fn free_address() -> SocketAddr {
    const PORTS: std::ops::Range<u16> = 12_000..32_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() * 131 % u32::from(PORTS.end - PORTS.start)).expect("within the range");
    for _ in PORTS {
        let step = first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % (PORTS.end - PORTS.start);
        let address = SocketAddr::from(([127, 0, 0, 1], PORTS.start + step));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
    panic!("no port is free");
}

/// Returns once `holds`, looking every few milliseconds; panics where it never does.
pub(crate) fn within_patience(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

fn terminate(mut child: Child, pid: u32) -> ExitStatus {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a process id");
    // It may have ended by itself, which is as good.
    kill_process(pid, Signal::TERM).ok();
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(status) = child.try_wait().expect("a child of ours") {
            return status;
        }
        if Instant::now() > deadline {
            child.kill().expect("a child of ours");
            return child.wait().expect("a child of ours");
        }
        thread::sleep(Duration::from_millis(5));
    }
}
