//! What `--help` says, for every command.

use std::process::Command;

/// The standard output of the binary with these arguments.
fn printed(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_studygate"))
        .args(arguments)
        .env_remove("COLUMNS")
        .output()
        .expect("the binary runs");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty(), "{arguments:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn help_names_every_command() {
    insta::assert_snapshot!("help", printed(&["--help"]));
}

#[test]
fn help_of_each_command_says_what_it_takes() {
    let mut text = String::new();
    for arguments in [
        &["serve"][..],
        &["init"],
        &["demo"],
        &["simulate"],
        &["check-config"],
        &["doctor"],
        &["support-bundle"],
        &["status"],
        &["store", "info"],
        &["study"],
        &["study", "add"],
        &["study", "set"],
        &["study", "close"],
        &["participant"],
        &["participant", "add"],
        &["participant", "set"],
        &["participant", "link"],
        &["participant", "unlink"],
        &["participant", "pause"],
        &["participant", "withdraw"],
        &["unassigned", "list"],
        &["quarantine"],
        &["quarantine", "list"],
        &["quarantine", "show"],
        &["quarantine", "retry"],
        &["quarantine", "drop"],
        &["purges"],
        &["purges", "list"],
        &["purges", "confirm"],
        &["purges", "reject"],
        &["receipt", "verify"],
        &["participant", "list"],
        &["coverage"],
        &["export"],
        &["dataset", "open"],
        &["dataset", "keygen"],
        &["audit"],
        &["audit", "list"],
        &["audit", "verify"],
        &["backup"],
        &["backup", "verify"],
        &["restore"],
        &["keys"],
        &["keys", "rotate"],
        &["keys", "escrow", "create"],
        &["keys", "escrow", "verify"],
        &["completions"],
    ] {
        text.push_str(&format!("$ studygate {} --help\n", arguments.join(" ")));
        text.push_str(&printed(&[arguments, &["--help"]].concat()));
        text.push('\n');
    }
    insta::assert_snapshot!("help_of_commands", text);
}

#[test]
fn version_is_the_crate_s() {
    assert_eq!(printed(&["--version"]), format!("studygate {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn wrong_command_line_is_usage() {
    for arguments in
        [&["sreve"][..], &["participant", "add"], &["export", "--study", "A"], &["study", "add", "A", "--grace", "x"]]
    {
        let output = Command::new(env!("CARGO_BIN_EXE_studygate")).args(arguments).output().expect("the binary runs");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        assert!(output.stderr.starts_with(b"studygate: "), "{}", String::from_utf8_lossy(&output.stderr));
    }
}
