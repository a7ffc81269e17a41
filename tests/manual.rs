//! The manual pages that `manual` writes and the scripts that `completions` prints, held against the program itself.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::{Command, Output},
};

const STUDYGATE: &str = env!("CARGO_BIN_EXE_studygate");
const SAMPLE: &str = include_str!("../config/studygate.toml");

fn run(arguments: &[&str]) -> Output {
    Command::new(STUDYGATE).args(arguments).output().expect("the binary runs")
}

fn printed(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn pages() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    assert_eq!(printed(&["manual", folder.path().to_str().expect("UTF-8")]), "");
    folder
}

/// What `--help` names below a command, in its order.
fn below(command: &[&str]) -> Vec<String> {
    let help = printed(&[command, &["--help"]].concat());
    let Some((_, listed)) = help.split_once("\nCommands:\n") else { return Vec::new() };
    let lines = listed.lines().take_while(|line| line.starts_with("  "));
    // What is wrapped is indented further.
    let names = lines.filter(|line| !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(ToOwned::to_owned).collect()
}

/// The program and every command, as the words of its command line.
fn commands(path: &[&str]) -> Vec<Vec<String>> {
    let mut found = vec![path.iter().map(ToString::to_string).collect()];
    for name in below(path) {
        found.extend(commands(&[path, &[name.as_str()]].concat()));
    }
    found
}

fn names_in(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8")).collect()
}

#[test]
fn every_command_has_a_page_of_its_own_and_nothing_else_has() {
    let folder = pages();
    let expected: BTreeSet<String> = commands(&[])
        .iter()
        .map(|words| format!("{}.1", [&["studygate".to_owned()], &words[..]].concat().join("-")))
        .collect();
    assert!(expected.contains("studygate.1") && expected.contains("studygate-study-add.1"), "{expected:?}");
    assert_eq!(names_in(&folder.path().join("man1")), expected);
    assert_eq!(names_in(&folder.path().join("man5")), ["studygate.toml.5".to_owned()].into());
}

#[test]
fn page_begins_with_its_name_and_a_line_about_it() {
    let folder = pages();
    for name in names_in(&folder.path().join("man1")) {
        let page = fs::read_to_string(folder.path().join("man1").join(&name)).expect("a page");
        let (_, after) = page.split_once("\n.SH NAME\n").expect(&name);
        let title = name.trim_end_matches(".1").replace('-', "\\-");
        let line = after.lines().find(|line| !line.starts_with('.')).expect(&name);
        let about = line.strip_prefix(&format!("{title} \\- ")).unwrap_or_else(|| panic!("{name}: {line}"));
        assert!(!about.is_empty() && after.contains("\n.SH SYNOPSIS\n"), "{name}");
    }
}

#[test]
fn page_of_the_program_tells_its_exit_codes_files_and_environment() {
    let folder = pages();
    let page = fs::read_to_string(folder.path().join("man1/studygate.1")).expect("a page");
    for what in ["EXIT STATUS", "69 gateway not reachable", "STUDYGATE_LOG", "/var/lib/studygate", "studygate.toml"] {
        let roff = what.replace('-', "\\-");
        assert!(page.contains(&roff), "{what}");
    }
}

#[test]
fn every_key_of_the_configuration_is_in_its_page_below_its_section() {
    let folder = pages();
    let page = fs::read_to_string(folder.path().join("man5/studygate.toml.5")).expect("a page");
    let uncommented = |line: &str| match line.strip_prefix('#') {
        Some(off) if !off.is_empty() && !off.starts_with(' ') => off.to_owned(),
        _ => line.to_owned(),
    };
    let sample: toml::Table =
        SAMPLE.lines().map(uncommented).collect::<Vec<_>>().join("\n").parse().expect("the sample is TOML");
    let sections: Vec<(&str, &str)> = page.split("\n.SH ").filter_map(|section| section.split_once('\n')).collect();
    let mut seen = 0;
    look_up(&sample, "", &mut |section, key| {
        let heads = [format!("[{section}]"), format!("[[{section}]]"), "\"KEYS BEFORE ANY SECTION\"".to_owned()];
        let named =
            |head: &str| if section.is_empty() { head == heads[2] } else { heads[..2].iter().any(|h| h == head) };
        let (_, text) = sections.iter().find(|(head, _)| named(head)).unwrap_or_else(|| panic!("no [{section}]"));
        assert!(text.contains(&format!("\n\\fB{key}\\fR = ")), "[{section}] {key}");
        seen += 1;
    });
    assert!(seen > 40, "{seen} keys");
}

/// Tells every key of a table and of those in it, with the section it stands in.
fn look_up(table: &toml::Table, section: &str, tell: &mut dyn FnMut(&str, &str)) {
    for (key, value) in table {
        let inner = if section.is_empty() { key.clone() } else { format!("{section}.{key}") };
        let many = value.as_array().map(Vec::as_slice).unwrap_or_default();
        let tables: Vec<_> =
            value.as_table().into_iter().chain(many.iter().filter_map(toml::Value::as_table)).collect();
        if tables.is_empty() {
            tell(section, key);
        }
        tables.into_iter().for_each(|table| look_up(table, &inner, tell));
    }
}

#[test]
fn pages_that_cannot_be_written_are_refused_in_one_sentence() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a-file");
    fs::write(&file, "").expect("written");
    let output = run(&["manual", file.to_str().expect("UTF-8")]);
    assert_eq!(output.status.code(), Some(73));
    assert!(String::from_utf8_lossy(&output.stderr).contains("name a folder that you may write to"));
}

#[test]
fn completions_of_each_shell_name_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let script = printed(&["completions", shell]);
        for name in below(&[]) {
            assert!(script.contains(&name), "{shell}: {name}");
        }
    }
}

#[test]
fn bash_completes_commands_and_options() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("studygate");
    fs::write(&file, printed(&["completions", "bash"])).expect("written");
    let completed = |words: &str, last: &str, before: &str| {
        let place = words.split(' ').count() - 1;
        let line = format!(
            "source {}; COMP_WORDS=({words}); COMP_CWORD={place}; _studygate studygate '{last}' {before}; \
             echo \"${{COMPREPLY[@]}}\"",
            file.display()
        );
        let output = Command::new("bash").args(["--norc", "-c", &line]).output().expect("bash runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8").trim().to_owned()
    };
    assert_eq!(completed("studygate expo", "expo", "studygate"), "export exports");
    assert_eq!(completed("studygate study ad", "ad", "study"), "add");
    assert_eq!(completed("studygate export --rec", "--rec", "export"), "");
    assert_eq!(completed("studygate export --revi", "--revi", "export"), "--revisions");
}
