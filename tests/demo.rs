//! `studygate demo`: it tells its story, and what it leaves behind is what it says.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

#[test]
fn demo_ends_with_two_datasets_of_which_one_has_files() {
    let scratch = tempfile::tempdir().expect("a folder");
    let dir = scratch.path().join("demo");
    let output = Command::new(env!("CARGO_BIN_EXE_studygate")).arg("demo").arg("--dir").arg(&dir).output();
    let output = output.expect("the binary runs");
    let (told, table) = (String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout));
    assert_eq!(output.status.code(), Some(0), "{told}");
    for step in ["gateway:", "late enrolment:", "permissions:", "deregistration:", "done in "] {
        assert!(told.contains(step), "{step} is missing:\n{told}");
    }
    assert!(told.matches(" files, each behind a URL").count() == 2, "{told}");
    let (sleep, cycle) = table.split_once("\nCYCLE number 1").expect("two tables");
    assert_eq!(sleep.matches("\nfiles/ (").count(), 1, "{table}");
    assert!(sleep.contains("data/activity_files.csv") && !cycle.contains("files/ ("), "{table}");

    let codes = |study: &str| {
        let text = fs::read_to_string(dir.join(study).join("data/participants.csv")).expect("a table");
        let codes = text.lines().skip(1).map(|line| line.split(',').next().expect("a code").to_owned());
        codes.collect::<Vec<_>>()
    };
    assert_eq!(codes("SLEEP"), ["S-01", "S-02", "S-03", "S-04", "S-05"], "S-06 left, S-05 came late");
    assert_eq!(codes("CYCLE"), ["C-01", "C-02"]);
    let files = fs::read_dir(dir.join("SLEEP/files")).expect("files").map(|entry| entry.expect("listed").file_name());
    assert!(
        files.into_iter().any(|folder| folder == "S-05"),
        "files that were held are filed for the late participant"
    );
    assert!(!dir.join("CYCLE/files").exists());
}

#[test]
fn demo_that_stays_answers_commands_until_it_is_told_to_stop() {
    let scratch = tempfile::tempdir().expect("a folder");
    let dir = scratch.path().join("demo");
    let mut demo = Command::new(env!("CARGO_BIN_EXE_studygate"))
        .args(["demo", "--stay", "--dir"])
        .arg(&dir)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut lines = BufReader::new(demo.stderr.take().expect("piped")).lines().map(|line| line.expect("text"));
    let stays = lines.find(|line| line.contains("goes on until Ctrl-C")).expect("it stays");
    assert!(
        stays.contains("/metrics") && stays.contains(&format!("--config {}", dir.join("studygate.toml").display()))
    );

    let ask = |arguments: &[&str]| {
        let mut asked = Command::new(env!("CARGO_BIN_EXE_studygate"));
        let output = asked.arg("--config").arg(dir.join("studygate.toml")).args(arguments).output();
        let output = output.expect("the binary runs");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    };
    assert!(ask(&["study", "list"]).contains("CYCLE"));
    assert_eq!(ask(&["check-config"]).trim(), "ok");

    let pid = i32::try_from(demo.id()).ok().and_then(Pid::from_raw).expect("a process id");
    kill_process(pid, Signal::TERM).expect("it runs");
    assert!(demo.wait().expect("a child of ours").success());
}
