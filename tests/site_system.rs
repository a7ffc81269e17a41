//! `init --system` through the binary, below a folder instead of `/`, with a `systemd-creds` of the test's own.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use age::secrecy::ExposeSecret as _;
use tempfile::TempDir;

const CREDENTIAL: &str = "etc/credstore.encrypted/studygate.root.key";
const KEY_FILE: &str = "etc/studygate/credentials/root.key";
const CONFIGURATION: &str = "etc/studygate/studygate.toml";
const ESCROW: &str = "etc/studygate/root-key.escrow.age";
const REFUSAL: &str = "I accept that a lost root key loses all data";
const SAMPLE: &str = include_str!("../config/studygate.toml");

const SEALS: &str = include_str!("site/systemd_creds.sh");

/// A machine to be set up.
struct Machine {
    dir: TempDir,
    identity: age::x25519::Identity,
    programs: String,
    environment: Vec<(&'static str, &'static str)>,
}

impl Machine {
    /// One with such a `systemd-creds`: whether it has a TPM, and what it fails at.
    fn new(has_tpm: bool, fails: &'static str) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let programs = dir.path().join("bin");
        fs::create_dir(&programs).expect("made");
        fs::write(programs.join("systemd-creds"), SEALS).expect("written");
        fs::set_permissions(programs.join("systemd-creds"), Permissions::from_mode(0o755)).expect("set");
        let programs = format!("{}:/usr/bin:/bin", programs.display());
        let environment = vec![("TPM", if has_tpm { "0" } else { "11" }), ("FAILS", fails)];
        Self::with(dir, programs, environment)
    }

    /// One without.
    fn without_systemd_creds() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let programs = dir.path().join("bin").display().to_string();
        Self::with(dir, programs, Vec::new())
    }

    fn with(dir: TempDir, programs: String, environment: Vec<(&'static str, &'static str)>) -> Self {
        fs::create_dir_all(dir.path().join("root/etc/studygate")).expect("made");
        Self { dir, identity: age::x25519::Identity::generate(), programs, environment }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join("root").join(path)
    }

    fn mode(&self, path: &str) -> u32 {
        fs::metadata(self.at(path)).expect(path).permissions().mode() & 0o777
    }

    /// `init --system` with these arguments and nobody to ask.
    fn init(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_studygate"))
            .args(["init", "--system", "--root"])
            .arg(self.dir.path().join("root"))
            .args(arguments)
            .env("PATH", &self.programs)
            .envs(self.environment.iter().copied())
            .stdin(Stdio::null())
            .output()
            .expect("the binary runs")
    }

    /// The same with an answer to everything, and more.
    fn set_up(&self, more: &[&str]) -> Output {
        let recipient = self.identity.to_public().to_string();
        let answers = [
            &["--host", "study.example.org", "--backup-dir", "/srv/backups", "--yes", "--recovery", &recipient][..],
            &["--certificate", "/etc/studygate/tls/c.pem", "--private-key", "/etc/studygate/tls/k.pem"],
            more,
        ];
        self.init(&answers.concat())
    }

    /// The root key that its escrow holds.
    fn escrowed(&self) -> String {
        let keyfile = self.dir.path().join("recovery.key");
        fs::write(&keyfile, self.identity.to_string().expose_secret()).expect("written");
        let sealed = fs::read(self.at(ESCROW)).expect("an escrow");
        let decryptor = age::Decryptor::new_buffered(sealed.as_slice()).expect("an age file");
        let reader = decryptor.decrypt(std::iter::once(&self.identity as &dyn age::Identity)).expect("ours");
        std::io::read_to_string(reader).expect("text")
    }

    /// The root key that its credential holds, and what sealed it.
    fn credential(&self) -> (String, String) {
        let sealed = fs::read_to_string(self.at(CREDENTIAL)).expect("a credential");
        let (by, key) = sealed.split_once('\n').expect("a word and the key");
        let key = data_encoding::BASE64.decode(key.replace('\n', "").as_bytes()).expect("base64");
        (by.to_owned(), String::from_utf8(key).expect("digits"))
    }

    /// Every file below its root.
    fn files(&self) -> Vec<PathBuf> {
        fn below(dir: &Path, found: &mut Vec<PathBuf>) {
            for entry in fs::read_dir(dir).expect("listed") {
                let path = entry.expect("an entry").path();
                if path.is_dir() { below(&path, found) } else { found.push(path) }
            }
        }
        let mut found = Vec::new();
        below(&self.at(""), &mut found);
        found
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// What it says on stderr, having ended with this code.
fn told(output: &Output, code: i32) -> String {
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{told}");
    told
}

#[test]
fn site_has_a_sealed_key_its_escrow_and_a_configuration_and_no_key_in_clear() {
    let machine = Machine::new(true, "nothing");
    let output = machine.set_up(&[]);
    let said = told(&output, 0);
    let (by, key) = machine.credential();
    assert_eq!((by.as_str(), key.trim().len()), ("tpm", 64));
    assert_eq!(machine.escrowed(), key);
    for (path, mode) in [
        (CREDENTIAL, 0o600),
        ("etc/credstore.encrypted", 0o700),
        (ESCROW, 0o600),
        (CONFIGURATION, 0o640),
        ("etc/studygate/tls", 0o750),
        ("srv/backups", 0o700),
    ] {
        assert_eq!(machine.mode(path), mode, "{path}");
    }
    let key = key.trim();
    for file in machine.files() {
        let bytes = fs::read(&file).expect("readable");
        assert!(!bytes.windows(key.len()).any(|part| part == key.as_bytes()), "{}", file.display());
    }
    assert!(!said.contains(key) && !text(&output.stdout).contains(key));
}

#[test]
fn what_garmin_is_told_is_on_stdout_url_by_url_and_the_path_nowhere_else() {
    let machine = Machine::new(false, "nothing");
    let output = machine.set_up(&[]);
    let said = told(&output, 0);
    let config: toml::Table = fs::read_to_string(machine.at(CONFIGURATION)).expect("made").parse().expect("TOML");
    let path = config["ingress"]["paths"][0].as_str().expect("a path").to_owned();
    assert_eq!(path.len(), "/garmin/".len() + 32);
    let printed = text(&output.stdout);
    let rows: Vec<_> = printed.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>()).collect();
    let url = format!("https://study.example.org{path}");
    assert_eq!(rows.len(), 20);
    assert!(rows.iter().all(|row| row[2] == url), "{printed}");
    assert!(rows.contains(&vec!["activityFiles", "ping", &url]));
    assert!(rows.contains(&vec!["dailies", "push", &url]));
    assert!(rows.contains(&vec!["deregistrations", "push", &url]));
    assert!(rows.contains(&vec!["userPermissionsChange", "push", &url]));
    assert!(!said.contains(&path), "{said}");
    for next in ["systemctl", "studygate doctor", "keys escrow verify", ESCROW] {
        assert!(said.contains(next), "{next}: {said}");
    }
}

#[test]
fn key_is_sealed_by_what_works_and_else_a_file_that_the_unit_is_told_of() {
    for (has_tpm, fails, by) in [(false, "nothing", "host"), (true, "tpm", "host")] {
        let machine = Machine::new(has_tpm, fails);
        let said = told(&machine.set_up(&[]), 0);
        assert_eq!(machine.credential().0, by);
        assert_eq!(said.contains("no answer from the TPM"), has_tpm, "{said}");
        assert!(!machine.at("etc/systemd/system/studygate.service.d/root-key.conf").exists());
    }
    for (machine, why) in
        [(Machine::new(false, "all"), "no host key"), (Machine::without_systemd_creds(), "has no systemd-creds")]
    {
        let said = told(&machine.set_up(&[]), 0);
        assert!(said.contains(why), "{said}");
        assert_eq!((machine.mode(KEY_FILE), machine.mode("etc/studygate/credentials")), (0o600, 0o700));
        assert_eq!(fs::read_to_string(machine.at(KEY_FILE)).expect("a key"), machine.escrowed());
        let drop_in = fs::read_to_string(machine.at("etc/systemd/system/studygate.service.d/root-key.conf"));
        let line = format!("LoadCredential=root.key:/{KEY_FILE}\n");
        assert!(drop_in.expect("made").ends_with(&line));
        assert!(!machine.at(CREDENTIAL).exists());
    }
}

#[test]
fn key_or_data_that_are_there_are_refused_and_stay() {
    let machine = Machine::new(false, "nothing");
    told(&machine.set_up(&[]), 0);
    let before: Vec<_> = machine.files().into_iter().map(|file| (fs::read(&file).expect("read"), file)).collect();
    assert!(told(&machine.set_up(&[]), 73).contains("no root key is ever replaced"));
    let after: Vec<_> = machine.files().into_iter().map(|file| (fs::read(&file).expect("read"), file)).collect();
    assert_eq!(before, after);

    let machine = Machine::new(false, "nothing");
    fs::create_dir_all(machine.at("var/lib/studygate/keyring")).expect("made");
    assert!(told(&machine.set_up(&[]), 73).contains("holds data already"));
    assert!(machine.files().is_empty());

    let machine = Machine::new(false, "nothing");
    fs::write(machine.at(ESCROW), "another").expect("written");
    assert!(told(&machine.set_up(&[]), 73).contains("is not replaced"));
    assert_eq!(fs::read_to_string(machine.at(ESCROW)).expect("there"), "another");
    assert!(!machine.at(CREDENTIAL).exists(), "no key is in force without its escrow");
}

#[test]
fn interrupted_set_up_goes_on_with_what_was_made() {
    let machine = Machine::new(false, "nothing");
    told(&machine.set_up(&["--path", "/g/1"]), 0);
    for gone in [CREDENTIAL, ESCROW] {
        fs::remove_file(machine.at(gone)).expect("ours");
    }
    told(&machine.set_up(&[]), 0);
    let config = fs::read_to_string(machine.at(CONFIGURATION)).expect("there");
    assert!(config.contains("paths = [\"/g/1\"]"), "{config}");
}

#[test]
fn comments_and_what_was_set_by_hand_stay() {
    let machine = Machine::new(false, "nothing");
    let by_hand = SAMPLE
        .replace("#log = \"info\"", "log = \"debug\" # while we look for it")
        .replace("#paths = [\"/garmin\"]", "paths = [\"/ours/1\", \"/ours/2\"]");
    fs::write(machine.at(CONFIGURATION), &by_hand).expect("written");
    told(&machine.set_up(&[]), 0);
    let after = fs::read_to_string(machine.at(CONFIGURATION)).expect("there");
    let expected = by_hand
        .replace("certificate = \"/etc/studygate/tls/fullchain.pem\"", "certificate = \"/etc/studygate/tls/c.pem\"")
        .replace("private_key = \"/etc/studygate/tls/privkey.pem\"", "private_key = \"/etc/studygate/tls/k.pem\"")
        .replacen("#dir = \"\"", "dir = \"/srv/backups\"", 1);
    assert_eq!(after, expected);
    assert!(machine.at("etc/systemd/system/studygate.service.d/folders.conf").exists());
}

#[test]
fn nobody_to_ask_is_told_the_flag_that_is_missing_and_nothing_is_made() {
    let machine = Machine::new(false, "nothing");
    let said = told(&machine.init(&[]), 2);
    for flag in ["--host", "--certificate", "--backup-dir", "--recovery", "--yes"] {
        assert!(said.contains(flag), "{flag}: {said}");
    }
    let refused = ["--host", "study.example.org", "--no-backup", "--yes", "--acme-contact", "it@example.org"];
    let said = told(&machine.init(&[&refused[..], &["--no-recovery", "yes"]].concat()), 2);
    assert!(said.contains(REFUSAL), "{said}");
    told(&machine.set_up(&["--path", "no slash"]), 78);
    assert!(machine.files().is_empty());
}

#[test]
fn site_without_an_escrow_says_so() {
    let machine = Machine::new(false, "nothing");
    let output = machine.init(&[
        "--host",
        "study.example.org",
        "--no-backup",
        "--yes",
        "--certificate",
        "/etc/studygate/tls/c.pem",
        "--private-key",
        "/etc/studygate/tls/k.pem",
        "--no-recovery",
        REFUSAL,
        "--json",
    ]);
    assert!(told(&output, 0).contains("There is no escrow"));
    let printed: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert!(printed["escrow"].is_null());
    assert_eq!(printed["endpoints"].as_array().map(Vec::len), Some(20));
    assert_eq!(printed["root_key"]["fingerprint"].as_str().map(str::len), Some(16));
    assert!(!machine.at(ESCROW).exists());
}

#[test]
fn folder_and_system_exclude_each_other() {
    let run = |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_studygate")).args(arguments).output().expect("runs").status.code()
    };
    let dir = tempfile::tempdir().expect("a folder");
    let site = dir.path().join("site").display().to_string();
    assert_eq!(run(&["init"]), Some(2));
    assert_eq!(run(&["init", &site, "--system"]), Some(2));
    assert_eq!(run(&["init", &site, "--host", "study.example.org"]), Some(2));
    assert_eq!(run(&["init", "--host", "study.example.org"]), Some(2));
    assert!(!dir.path().join("site").exists());
}

#[test]
fn command_of_root_opens_the_sealed_key_itself() {
    let machine = Machine::new(false, "nothing");
    let site = machine.dir.path().join("trial");
    let run = |arguments: &[&str], programs: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_studygate"));
        command.args(arguments).env("PATH", programs).envs(machine.environment.iter().copied());
        command.env_remove("CREDENTIALS_DIRECTORY").output().expect("the binary runs")
    };
    told(&run(&["init", &site.display().to_string()], &machine.programs), 0);
    let key = fs::read(site.join("root.key")).expect("made");
    let sealed = site.join("credstore.encrypted/studygate.root.key");
    fs::create_dir(site.join("credstore.encrypted")).expect("made");
    fs::write(&sealed, format!("host\n{}\n", data_encoding::BASE64.encode(&key))).expect("written");
    fs::set_permissions(&sealed, Permissions::from_mode(0o600)).expect("set");
    let file = site.join("studygate.toml");
    let config = fs::read_to_string(&file).expect("made");
    let config = config.replace("\"root.key\"", "\"credstore.encrypted/studygate.root.key\"");
    fs::write(&file, config).expect("written");
    let check = ["check-config", "--config", &file.display().to_string()].map(ToOwned::to_owned);
    let check: Vec<_> = check.iter().map(String::as_str).collect();
    told(&run(&check, &machine.programs), 0);
    let said = told(&run(&check, "/nowhere"), 78);
    assert!(said.contains("systemd-creds does not run") && said.contains("as root"), "{said}");
}
