//! A site's files through the binary: `init`, `check-config`, and what `serve` refuses to start with.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Output},
};

fn studygate(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_studygate"))
        .args(arguments)
        .env_remove("STUDYGATE_CONFIG")
        .env_remove("STUDYGATE_LOG")
        .env_remove("CREDENTIALS_DIRECTORY")
        .output()
        .expect("the binary runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

fn path(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// A trial site in a folder of its own.
fn site() -> tempfile::TempDir {
    let parent = tempfile::tempdir().expect("a folder");
    let output = studygate(&["init", path(&parent.path().join("site"))]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    parent
}

/// Both `check-config` and `serve` end with this code and this one sentence about the site.
fn check_refused(parent: &tempfile::TempDir, code: i32, sentence: &str) {
    let config = parent.path().join("site/studygate.toml");
    for command in ["check-config", "serve"] {
        let output = studygate(&[command, "--config", path(&config)]);
        let told = text(&output.stderr).replace(path(parent.path()), "");
        assert_eq!((output.status.code(), told), (Some(code), format!("studygate: {sentence}\n")), "{command}");
        assert!(output.stdout.is_empty(), "{command}");
    }
}

fn edit(parent: &tempfile::TempDir, from: &str, to: &str) {
    let file = parent.path().join("site/studygate.toml");
    let before = fs::read_to_string(&file).expect("read");
    assert!(before.contains(from), "{from}");
    fs::write(&file, before.replacen(from, to, 1)).expect("written");
}

#[test]
fn trial_site_is_complete_and_correct() {
    let parent = site();
    let config = parent.path().join("site/studygate.toml");
    let output = studygate(&["check-config", "--config", path(&config)]);
    assert_eq!((output.status.code(), text(&output.stdout), text(&output.stderr)), (Some(0), "ok\n".into(), "".into()));
}

#[test]
fn secrets_of_a_trial_site_are_its_owner_s_alone() {
    let parent = site();
    for (file, mode) in
        [("", 0o700), ("root.key", 0o600), ("tls/private.key", 0o600), ("studygate.toml", 0o600), ("data", 0o700)]
    {
        let metadata = fs::metadata(parent.path().join("site").join(file)).expect("made");
        assert_eq!(metadata.permissions().mode() & 0o777, mode, "{file}");
    }
}

#[test]
fn two_trial_sites_share_neither_key_nor_path() {
    let (one, other) = (site(), site());
    let read =
        |site: &tempfile::TempDir, file: &str| fs::read_to_string(site.path().join("site").join(file)).expect("read");
    let notification_path = |site: &tempfile::TempDir| {
        let config = read(site, "studygate.toml");
        let line = config.lines().find(|line| line.starts_with("paths = ")).expect("a path").to_owned();
        line.split('"').nth(1).expect("quoted").to_owned()
    };
    assert_ne!(read(&one, "root.key"), read(&other, "root.key"));
    assert_ne!(notification_path(&one), notification_path(&other));
    assert_eq!(notification_path(&one).len(), "/garmin/".len() + 32);
    assert_eq!(read(&one, "root.key").trim().len(), 64);
}

#[test]
fn init_prints_the_next_command() {
    let parent = tempfile::tempdir().expect("a folder");
    let dir = parent.path().join("my site");
    let output = studygate(&["init", path(&dir)]);
    assert_eq!(text(&output.stdout), format!("studygate serve --config '{}'\n", dir.join("studygate.toml").display()));
}

#[test]
fn init_leaves_a_folder_alone_that_holds_anything() {
    let dir = tempfile::tempdir().expect("a folder");
    fs::write(dir.path().join("thesis.doc"), "words").expect("written");
    let output = studygate(&["init", path(dir.path())]);
    assert_eq!(output.status.code(), Some(73));
    assert!(text(&output.stderr).ends_with(" is not empty, and nothing in it is touched; name a new folder\n"));
    assert_eq!(fs::read_dir(dir.path()).expect("listed").count(), 1);
}

#[test]
fn init_takes_an_empty_folder() {
    let dir = tempfile::tempdir().expect("a folder");
    assert_eq!(studygate(&["init", path(dir.path())]).status.code(), Some(0));
    assert_eq!(studygate(&["init", path(dir.path())]).status.code(), Some(73));
}

#[test]
fn broken_configuration_is_one_sentence() {
    let parent = site();
    edit(&parent, "log = \"info\"", "log = info");
    let output = studygate(&["check-config", "--config", path(&parent.path().join("site/studygate.toml"))]);
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(78), "{told}");
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(told.contains("studygate.toml, line 6, column 7: "), "{told}");
}

#[test]
fn unknown_key_is_one_sentence_with_the_nearest() {
    let parent = site();
    edit(&parent, "max_body", "max_boddy");
    check_refused(
        &parent,
        78,
        "/site/studygate.toml, line 14, column 1: the key `max_boddy` is not known here; the nearest known one is `max_body`",
    );
}

#[test]
fn setting_of_a_later_version_is_one_sentence() {
    let parent = site();
    edit(&parent, "[metrics]", "[join]\npublic_url = \"https://study.example.org\"\nconsent_dir = \"c\"\n\n[metrics]");
    check_refused(
        &parent,
        78,
        "/site/studygate.toml, line 28, column 2: connecting participants ([join]) is not part of this version; take it out",
    );
}

#[test]
fn missing_configuration_is_one_sentence() {
    let parent = site();
    fs::remove_file(parent.path().join("site/studygate.toml")).expect("removed");
    check_refused(
        &parent,
        78,
        "/site/studygate.toml: this configuration file does not exist; name one with --config, or make a trial site with \
         `studygate init DIR`",
    );
}

#[test]
fn root_key_of_another_form_is_one_sentence() {
    let parent = site();
    fs::write(parent.path().join("site/root.key"), "not a key\n").expect("written");
    check_refused(
        &parent,
        78,
        "/site/root.key: the root key file must hold 64 hexadecimal digits and nothing else; restore the right file",
    );
}

#[test]
fn missing_root_key_is_one_sentence() {
    let parent = site();
    fs::remove_file(parent.path().join("site/root.key")).expect("removed");
    check_refused(
        &parent,
        78,
        "/site/root.key: the root key file does not exist; set keys.root_key, or restore the key from its escrow",
    );
}

#[test]
fn root_key_that_others_may_read_is_a_finding() {
    let parent = site();
    let key = parent.path().join("site/root.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).expect("set");
    let output = studygate(&["check-config", "--config", path(&parent.path().join("site/studygate.toml"))]);
    assert_eq!(output.status.code(), Some(3));
    let sentence =
        format!("studygate: others than its owner may read the root key; run `chmod 600 {}`\n", key.display());
    assert_eq!(text(&output.stderr), sentence);
}

#[test]
fn credential_that_systemd_guards_is_no_finding() {
    let parent = site();
    let site = parent.path().join("site");
    let credentials = parent.path().join("credentials");
    fs::create_dir(&credentials).expect("made");
    fs::rename(site.join("root.key"), credentials.join("root.key")).expect("moved");
    fs::set_permissions(credentials.join("root.key"), fs::Permissions::from_mode(0o440)).expect("set");
    let config = site.join("studygate.toml");
    let without_key = fs::read_to_string(&config).expect("read").replace("root_key = ", "#root_key = ");
    fs::write(&config, without_key).expect("written");
    let output = Command::new(env!("CARGO_BIN_EXE_studygate"))
        .args(["check-config", "--config", path(&config)])
        .env("CREDENTIALS_DIRECTORY", &credentials)
        .output()
        .expect("the binary runs");
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
}

#[test]
fn variable_names_the_configuration() {
    let parent = site();
    let output = Command::new(env!("CARGO_BIN_EXE_studygate"))
        .arg("check-config")
        .env("STUDYGATE_CONFIG", parent.path().join("site/studygate.toml"))
        .output()
        .expect("the binary runs");
    assert_eq!(text(&output.stdout), "ok\n");
}

#[test]
fn certificate_that_cannot_be_used_is_one_sentence() {
    let parent = site();
    let certificate = parent.path().join("site/tls/certificate.pem");
    fs::write(&certificate, "no certificate").expect("written");
    let config = parent.path().join("site/studygate.toml");
    for remedy in ["holds no certificate", "there is no file"] {
        for command in ["check-config", "serve"] {
            let output = studygate(&[command, "--config", path(&config)]);
            let told = text(&output.stderr);
            assert_eq!((output.status.code(), told.lines().count()), (Some(78), 1), "{command}: {told}");
            assert!(told.starts_with("studygate: ") && told.contains(remedy), "{command}: {told}");
        }
        if certificate.exists() {
            fs::remove_file(&certificate).expect("removed");
        }
    }
}
