//! `dataset keygen` and what `dataset open` refuses, through the binary.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Output},
};

fn studygate(dir: &Path, line: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_studygate"))
        .args(line.split(' '))
        .current_dir(dir)
        .output()
        .expect("the binary runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// The command ends with this code and one sentence that holds this text.
fn check_refused(dir: &Path, line: &str, code: i32, part: &str) {
    let output = studygate(dir, line);
    let told = text(&output.stderr);
    assert_eq!((output.status.code(), told.lines().count()), (Some(code), 1), "{line}: {told}");
    assert!(told.starts_with("studygate: ") && told.contains(part), "{line}: {told}");
}

#[test]
fn made_key_is_private_and_its_recipient_printed() {
    let dir = tempfile::tempdir().expect("a folder");
    let output = studygate(dir.path(), "dataset keygen -o key.txt");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let recipient = text(&output.stdout);
    assert!(recipient.starts_with("age1") && recipient.trim().len() == 62, "{recipient}");
    let file = dir.path().join("key.txt");
    assert!(fs::read_to_string(&file).expect("read").contains(recipient.trim()));
    assert_eq!(fs::metadata(&file).expect("made").permissions().mode() & 0o777, 0o600);
    assert!(!recipient.contains("AGE-SECRET-KEY"));
}

#[test]
fn key_file_is_never_written_over() {
    let dir = tempfile::tempdir().expect("a folder");
    studygate(dir.path(), "dataset keygen -o key.txt");
    let before = fs::read(dir.path().join("key.txt")).expect("read");
    check_refused(dir.path(), "dataset keygen -o key.txt", 73, "never overwritten");
    assert_eq!(fs::read(dir.path().join("key.txt")).expect("read"), before);
}

#[test]
fn what_cannot_be_opened_is_one_sentence() {
    let dir = tempfile::tempdir().expect("a folder");
    studygate(dir.path(), "dataset keygen -o key.txt");
    fs::write(dir.path().join("text.txt"), "no dataset").expect("written");
    fs::create_dir(dir.path().join("full")).expect("made");
    fs::write(dir.path().join("full/file"), "x").expect("written");
    check_refused(dir.path(), "dataset open missing.age -i key.txt -o out", 4, "missing.age");
    check_refused(dir.path(), "dataset open text.txt -i missing.txt -o out", 4, "missing.txt");
    check_refused(dir.path(), "dataset open text.txt -i text.txt -o out", 1, "line 1 of the key file");
    check_refused(dir.path(), "dataset open text.txt -i key.txt -o out", 1, "no age file");
    check_refused(dir.path(), "dataset open text.txt -i key.txt -o full", 73, "give another");
    check_refused(dir.path(), "dataset verify missing.age -i key.txt", 4, "missing.age");
    check_refused(dir.path(), "dataset verify text.txt -i key.txt", 1, "no age file");
    assert!(!dir.path().join("out").exists());
}
